/* scripted.h: a Restart Manager that does what a test has written down, under the name of the one that the DLL uses: so
 * what the DLL's functions make of a list, of progress and of failures can be tested without anybody to stop.
 * A program that includes this is linked without src/managers.c. SPDX-License-Identifier: MIT */
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include <windows.h>
#include <restartmanager.h>

#include <stdatomic.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "check.h"
#include "core/manager.h"

enum { SCRIPTED_STEPS = 8 };

/* What the manager does and has seen. A test resets it: script = (scripted){0}. */
typedef struct scripted {
  const rsm_app *apps; /* what a listing finds */
  size_t app_count;
  uint32_t reasons;
  rsm_status start, join, enroll, operation; /* what these answer */
  const char *missing_service;               /* registering it fails */
  unsigned percents[SCRIPTED_STEPS];         /* one a step, then it is done */
  size_t percent_count;
  bool wait_for_cancel; /* an operation ends only when it is cancelled, and then with RSM_CANCELLED */
  size_t others;        /* sessions of other processes that live */
  size_t others_left;   /* and that are abandoned */
  unsigned enrolled, files, processes, services; /* by the call that succeeded last */
  char first_file[64];
  rsm_process first_process;
  rsm__op_request request; /* of the operation that began last */
  atomic_uint sessions;    /* that exist now */
  atomic_int inside;       /* operations that run now */
  atomic_int at_once;      /* most of one session's calls that were ever inside at once */
  atomic_int ended;
  HANDLE may_begin; /* an operation begins only when it is set; NULL: at once */
  HANDLE running;   /* set when an operation waits to be cancelled; the test's */
} scripted;

static scripted script;

typedef struct scripted_session {
  atomic_int inside;
  HANDLE cancelled; /* of the operation under way */
  rsm_filter_list filters;
} scripted_session;

typedef struct scripted_op {
  scripted_session *session;
  size_t step;
  rsm_list *list; /* of a listing, until it is taken */
  bool cancelled;
} scripted_op;

static int scripted_preference(void) {
  return 1;
}

static bool scripted_available(rsm_error *reterr) {
  (void)reterr;
  return true;
}

static const char *scripted_environment(const char *name) {
  (void)name;
  return NULL;
}

static rsm_status scripted_new(void **ret_state, rsm_error *reterr) {
  scripted_session *session = rsm__calloc(1, sizeof *session);
  if (!session) return rsm__fail_memory(reterr);
  session->cancelled = CreateEventW(NULL, TRUE, FALSE, NULL);
  CHECK(session->cancelled != NULL);
  script.sessions++;
  *ret_state = session;
  return RSM_OK;
}

static rsm_status scripted_start(const rsm_start_options *options, void **ret_state, char *ret_key, rsm_error *reterr) {
  CHECK_TEXT(options->manager, "builtin");
  CHECK(options->name && strstr(options->name, ".exe"));
  if (script.start != RSM_OK) return rsm__fail(reterr, script.start, NULL, NULL);
  snprintf(ret_key, RSM_KEY_LENGTH + 1, "0123456789abcdef%016x", script.sessions);
  return scripted_new(ret_state, reterr);
}

static rsm_status scripted_join(const char *key, void **ret_state, rsm_error *reterr) {
  if (script.join != RSM_OK) return rsm__fail(reterr, script.join, NULL, NULL);
  if (strncmp(key, "0123456789abcdef", 16) != 0) return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL, NULL);
  return scripted_new(ret_state, reterr);
}

static rsm_status scripted_adopt(const char *key, void **ret_state, rsm_error *reterr) {
  (void)key;
  (void)ret_state;
  return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL, NULL);
}

static rsm_status scripted_sessions(rsm_sessions *sessions, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  size_t living = script.others + script.sessions, all = living + script.others_left;
  for (size_t i = 0; i < all && status == RSM_OK; i++) {
    rsm_session_info info = {.key = "0123456789abcdef0123456789abcdef", .abandoned = i >= living};
    rsm_list *stopped = rsm__list_new();
    if (!stopped) return rsm__fail_memory(reterr);
    status = rsm__sessions_add_take(sessions, &info, stopped, reterr);
    if (status != RSM_OK) rsm_list_free(stopped);
  }
  return status;
}

static bool scripted_no(const void *state) {
  (void)state;
  return false;
}

static rsm_status scripted_end(void *state, rsm_end_how how, rsm_error *reterr) {
  (void)state;
  (void)reterr;
  if (how == RSM_END_LEAVE_STOPPED) script.ended++;
  return RSM_OK;
}

static void scripted_free(void *state) {
  scripted_session *session = state;
  rsm__filter_list_done(&session->filters);
  CloseHandle(session->cancelled);
  rsm__free(session);
  script.sessions--;
}

static void scripted_enter(scripted_session *session) {
  int inside = ++session->inside;
  if (inside > script.at_once) script.at_once = inside;
}

static rsm_status scripted_enroll(void *state, const rsm_resources *resources, rsm_error *reterr) {
  scripted_session *session = state;
  scripted_enter(session);
  rsm_status status = script.enroll;
  const char *culprit = NULL;
  for (size_t i = 0; i < resources->service_count && script.missing_service; i++)
    if (strcmp(resources->services[i], script.missing_service) == 0) culprit = resources->services[i];
  if (culprit) status = RSM_NO_SUCH_SERVICE;
  if (status == RSM_OK) {
    script.enrolled++;
    script.files = (unsigned)resources->file_count;
    script.processes = (unsigned)resources->process_count;
    script.services = (unsigned)resources->service_count;
    if (script.files) snprintf(script.first_file, sizeof script.first_file, "%s", resources->files[0]);
    if (script.processes) script.first_process = resources->processes[0];
  }
  session->inside--;
  return status == RSM_OK ? status : rsm__fail(reterr, status, culprit, NULL);
}

static rsm_status scripted_resources(void *state, rsm_resource_list *list, rsm_error *reterr) {
  (void)state;
  (void)list;
  (void)reterr;
  return RSM_OK;
}

static rsm_status scripted_add_filter(void *state, const rsm_filter *filter, rsm_error *reterr) {
  return rsm__filter_add(&((scripted_session *)state)->filters, filter, reterr);
}

static rsm_status scripted_remove_filter(void *state, const rsm_filter *filter, rsm_error *reterr) {
  return rsm__filter_remove(&((scripted_session *)state)->filters, filter, reterr);
}

static rsm_status scripted_filters(void *state, rsm_filter_list **ret_list, rsm_error *reterr) {
  rsm_filter_list *copy = rsm__filter_list_copy(&((scripted_session *)state)->filters);
  if (!copy) return rsm__fail_memory(reterr);
  *ret_list = copy;
  return RSM_OK;
}

static void scripted_op_free(void *state) {
  scripted_op *op = state;
  rsm_list_free(op->list);
  rsm__free(op);
}

static rsm_status scripted_list(rsm_list **ret_list, rsm_error *reterr) {
  rsm_list *list = rsm__list_new();
  rsm_status status = list ? RSM_OK : rsm__fail_memory(reterr);
  for (size_t i = 0; i < script.app_count && status == RSM_OK; i++)
    status = rsm__list_add_copy(list, &script.apps[i], reterr);
  if (status != RSM_OK) {
    rsm_list_free(list);
    return status;
  }
  list->reboot_reasons = script.reasons;
  *ret_list = list;
  return RSM_OK;
}

static rsm_status scripted_begin(void *state, const rsm__op_request *request, void **ret_op, rsm_error *reterr) {
  scripted_op *op = rsm__calloc(1, sizeof *op);
  if (!op) return rsm__fail_memory(reterr);
  rsm_status status = request->kind == RSM__OP_LIST ? scripted_list(&op->list, reterr) : RSM_OK;
  if (status != RSM_OK) {
    scripted_op_free(op);
    return status;
  }
  op->session = state;
  script.request = *request;
  if (script.may_begin) CHECK_INT(WaitForSingleObject(script.may_begin, 10000), WAIT_OBJECT_0);
  ResetEvent(op->session->cancelled);
  scripted_enter(op->session);
  *ret_op = op;
  return RSM_OK;
}

static void scripted_cancel(void *state) {
  SetEvent(((scripted_session *)state)->cancelled);
}

static rsm_status scripted_step(void *state, uint32_t timeout_ms, rsm_event *ret_event) {
  scripted_op *op = state;
  (void)timeout_ms;
  (void)ret_event;
  if (op->step < script.percent_count) {
    op->step++;
    return RSM_PENDING;
  }
  if (script.wait_for_cancel) {
    if (script.running) SetEvent(script.running);
    CHECK_INT(WaitForSingleObject(op->session->cancelled, 10000), WAIT_OBJECT_0);
    op->cancelled = true;
  }
  return RSM_OK;
}

static unsigned scripted_percent(const void *state) {
  const scripted_op *op = state;
  return op->step ? script.percents[op->step - 1] : 0;
}

static rsm_status scripted_status(const void *state, rsm_error *reterr) {
  const scripted_op *op = state;
  rsm_status status = op->cancelled ? RSM_CANCELLED : script.operation;
  return status == RSM_OK ? status : rsm__fail(reterr, status, NULL, NULL);
}

static rsm_status scripted_fd(const void *state, int *ret_fd, rsm_error *reterr) {
  (void)state;
  (void)ret_fd;
  return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, NULL);
}

static rsm_list *scripted_take_list(void *state) {
  scripted_op *op = state;
  rsm_list *list = op->list;
  op->list = NULL;
  return list;
}

static rsm_report *scripted_take_report(void *state) {
  (void)state;
  return NULL;
}

static void scripted_op_end(void *state) {
  ((scripted_op *)state)->session->inside--;
  scripted_op_free(state);
}

static const rsm__manager scripted_manager = {.name = "builtin",
                                              .preference = scripted_preference,
                                              .available = scripted_available,
                                              .environment = scripted_environment,
                                              .start = scripted_start,
                                              .join = scripted_join,
                                              .adopt = scripted_adopt,
                                              .sessions = scripted_sessions,
                                              .is_forked = scripted_no,
                                              .owes_restart = scripted_no,
                                              .end = scripted_end,
                                              .free = scripted_free,
                                              .enroll = scripted_enroll,
                                              .resources = scripted_resources,
                                              .add_filter = scripted_add_filter,
                                              .remove_filter = scripted_remove_filter,
                                              .filters = scripted_filters,
                                              .begin = scripted_begin,
                                              .cancel = scripted_cancel,
                                              .op_step = scripted_step,
                                              .op_percent = scripted_percent,
                                              .op_status = scripted_status,
                                              .op_fd = scripted_fd,
                                              .op_take_list = scripted_take_list,
                                              .op_take_report = scripted_take_report,
                                              .op_free = scripted_op_end};

const rsm__manager *const rsm__managers[] = {&scripted_manager, NULL};

#endif
