/* manager.c: our own Restart Manager behind core's seam: the life of its sessions. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/builtin.h"
#include "core/plan.h"
#include "os/clock.h"
#include "os/launch.h"
#include "os/process.h"

enum { LOOKUP_LIMIT_MS = 2000, ADOPT_LOCK_MS = 15000 };

static int preference(void) {
  return 10;
}

static bool available(rsm_error *reterr) {
  (void)reterr;
  return true;
}

static void free_session(void *state) {
  rsm__builtin *session = state;
  rsm__writer_done(&session->writer);
  rsm__journal_done(&session->journal);
  rsm__filters_done(&session->filters);
  rsm__free(session->stoppable);
  rsm__lookup_free(session->lookup);
  rsm__stored_close(&session->stored);
  rsm__free(session);
}

static void clean_session(rsm__builtin **session) {
  if (*session) free_session(*session);
}

static rsm_status new_session(bool primary, rsm__builtin **ret_session, rsm_error *reterr) {
  rsm__builtin *session = rsm__calloc(1, sizeof *session);
  if (!session) return rsm__fail_memory(reterr);
  atomic_flag_clear(&session->task_lock);
  session->owner_pid = rsm__process_self();
  session->primary = primary;
  rsm__filters_init(&session->filters);
  rsm_status status = rsm__lookup_new(LOOKUP_LIMIT_MS, &session->lookup, reterr);
  if (status == RSM_OK) status = rsm_process_find(session->owner_pid, &session->writer.self, reterr);
  if (status == RSM_OK)
    *ret_session = session;
  else
    free_session(session);
  return status;
}

/* A visitor: dead sessions that stopped nothing go. Whoever is adopting one holds its lock. */
static rsm_status sweep(void *context, rsm__stored *stored, const rsm__owner *owner, rsm_error *reterr) {
  (void)context;
  rsm__lock *lock;
  if (rsm__store_owner_alive(owner)) return RSM_OK;
  if (rsm__lock_acquire(stored->dir, "lock", 0, &lock, NULL) != RSM_OK) return RSM_OK;
  rsm__journal journal;
  uint64_t length;
  bool useless = false;
  rsm_status status = rsm__journal_read(stored->dir, &journal, &length, reterr);
  if (status == RSM_OK) {
    useless = !rsm__journal_owes(&journal);
    if (useless) rsm__store_remove(stored, NULL);
    rsm__journal_done(&journal);
  }
  rsm__lock_release(lock);
  if (useless) rsm__store_remove(stored, NULL); /* the rest: on Windows a folder stays while a file in it is locked */
  return status == RSM_OUT_OF_MEMORY ? status : RSM_OK;
}

static rsm_status copy_options(rsm__builtin *session, const rsm_start_options *options, rsm_error *reterr) {
  rsm__owner *owner = &session->owner;
  snprintf(owner->name, sizeof owner->name, "%s", options->name ? options->name : "");
  owner->restart_unregistered = options->restart_unregistered;
  owner->started_at = rsm__clock_unix();
  owner->primary = session->writer.self;
  if (options->no_bpf) rsm__lookup_without_bpf(session->lookup);
  session->stoppable_count = options->stoppable_count;
  rsm_status status = rsm__plan_copy_stoppable(options, &session->stoppable, reterr);
  return status == RSM_OK ? rsm__process_here(&owner->here, reterr) : status;
}

static rsm_status start(const rsm_start_options *options, void **ret_state, char *ret_key, rsm_error *reterr) {
  RSM_CLEAN(clean_session) rsm__builtin *session = NULL;
  rsm_status status = rsm__store_each(sweep, NULL, reterr);
  if (status == RSM_OK) status = new_session(true, &session, reterr);
  if (status == RSM_OK) status = copy_options(session, options, reterr);
  if (status == RSM_OK) status = rsm__store_create(&session->owner, &session->stored, reterr);
  if (status != RSM_OK) return status;
  status = rsm__journal_open(&session->journal, session->stored.dir, 0, reterr);
  if (status != RSM_OK) {
    rsm__store_remove(&session->stored, NULL);
    return status;
  }
  memcpy(ret_key, session->stored.key, sizeof session->stored.key);
  *ret_state = session;
  session = NULL;
  return RSM_OK;
}

static rsm_status join(const char *key, void **ret_state, rsm_error *reterr) {
  RSM_CLEAN(clean_session) rsm__builtin *session = NULL;
  rsm_status status = new_session(false, &session, reterr);
  if (status == RSM_OK) status = rsm__store_open(key, &session->stored, &session->owner, reterr);
  if (status != RSM_OK) return status;
  if (!rsm__store_owner_alive(&session->owner))
    return rsm__fail(reterr, RSM_CREDENTIAL_CONFLICT, NULL, "the session's primary installer is gone");
  *ret_state = session;
  session = NULL;
  return RSM_OK;
}

/* Under the session's lock: makes it ours, unless its primary lives after all. */
static rsm_status take_over(rsm__builtin *session, const char *key, rsm_error *reterr) {
  rsm__stored again = {0};
  rsm_status status = rsm__store_open(key, &again, &session->owner, reterr); /* as it is now that we hold the lock */
  rsm__stored_close(&again);
  if (status != RSM_OK) return status;
  if (rsm__store_owner_alive(&session->owner))
    return rsm__fail(reterr, RSM_BUSY, NULL, "the session has a living primary installer");
  uint64_t length;
  status = rsm__journal_read(session->stored.dir, &session->journal, &length, reterr);
  if (status == RSM_OK) status = rsm__journal_open(&session->journal, session->stored.dir, length, reterr);
  if (status != RSM_OK) return status;
  session->owner.primary = session->writer.self;
  session->owner.left = false;
  return rsm__store_set_owner(&session->stored, &session->owner, reterr);
}

static rsm_status end(void *state, rsm_end_how how, rsm_error *reterr);

static rsm_status adopt(const char *key, void **ret_state, rsm_error *reterr) {
  RSM_CLEAN(clean_session) rsm__builtin *session = NULL;
  rsm__lock *lock;
  rsm_status status = new_session(true, &session, reterr);
  if (status == RSM_OK) status = rsm__store_open(key, &session->stored, &session->owner, reterr);
  if (status != RSM_OK) return status;
  if (rsm__store_owner_alive(&session->owner))
    return rsm__fail(reterr, RSM_BUSY, NULL, "the session has a living primary installer");
  status = rsm__lock_acquire(session->stored.dir, "lock", ADOPT_LOCK_MS, &lock, reterr);
  if (status != RSM_OK) return status;
  status = take_over(session, key, reterr);
  rsm__lock_release(lock);
  if (status != RSM_OK) return status;
  session->shutdown_called = true;
  /* Not under the lock: it is ours now, and who else wants it is told so at once. */
  status = rsm__journal_settle(&session->journal, NULL, true, reterr);
  if (status != RSM_OK) {
    end(session, RSM_END_LEAVE_ABANDONED, NULL);
    return status;
  }
  *ret_state = session;
  session = NULL;
  return RSM_OK;
}

/* A visitor: what rsm_session_info tells. */
static rsm_status describe(void *context, rsm__stored *stored, const rsm__owner *owner, rsm_error *reterr) {
  rsm__journal journal;
  uint64_t length;
  bool alive = rsm__store_owner_alive(owner);
  rsm_status status = rsm__journal_read(stored->dir, &journal, &length, reterr);
  if (status != RSM_OK) return status == RSM_OUT_OF_MEMORY ? status : RSM_OK; /* garbage is no session */
  rsm_session_info info = {.key = stored->key,
                           .name = *owner->name ? owner->name : NULL,
                           .abandoned = !alive,
                           .started_at = owner->started_at,
                           .primary = owner->primary};
  rsm_list *stopped = NULL;
  if (alive || rsm__journal_owes(&journal)) {
    stopped = rsm__list_new();
    if (!stopped) status = rsm__fail_memory(reterr);
    for (size_t i = 0; status == RSM_OK && i < journal.count; i++)
      if (rsm__entry_is_down(journal.entries[i]))
        status = rsm__list_add_copy(stopped, &journal.entries[i]->app, reterr);
    if (status == RSM_OK) status = rsm__sessions_add_take(context, &info, stopped, reterr);
    if (status != RSM_OK) rsm_list_free(stopped);
  }
  rsm__journal_done(&journal);
  return status;
}

static rsm_status sessions(rsm_sessions *list, rsm_error *reterr) {
  return rsm__store_each(describe, list, reterr);
}

static bool is_forked(const void *state) {
  const rsm__builtin *session = state;
  return session->owner_pid != rsm__process_self();
}

static bool owes_restart(const void *state) {
  const rsm__builtin *session = state;
  return rsm__journal_owes(&session->journal);
}

static rsm_status end(void *state, rsm_end_how how, rsm_error *reterr) {
  rsm__builtin *session = state;
  rsm__writer_done(&session->writer);
  if (!session->primary) {
    rsm__stored_close(&session->stored); /* now: on Windows the session's folder would stay with its primary gone */
    return RSM_OK;
  }
  rsm__journal_close(&session->journal); /* not every system lets a folder go while files in it are open */
  if (how == RSM_END_LEAVE_STOPPED || !rsm__journal_owes(&session->journal))
    return rsm__store_remove(&session->stored, reterr);
  session->owner.left = true;
  return rsm__store_set_owner(&session->stored, &session->owner, reterr);
}

static rsm_status enroll(void *state, const rsm_resources *resources, rsm_error *reterr) {
  rsm__builtin *session = state;
  return rsm__writer_enroll(&session->writer, session->stored.dir, session->lookup, resources, reterr);
}

static rsm_status resources_of(void *state, rsm_resource_list *list, rsm_error *reterr) {
  rsm__builtin *session = state;
  RSM_CLEAN(rsm__enrollment_done) rsm__enrollment enrollment = {0};
  rsm_status status = rsm__enrollment_read(session->stored.dir, &enrollment, reterr);
  for (size_t i = 0; status == RSM_OK && i < enrollment.count; i++) {
    const rsm__enrolled *item = &enrollment.items[i];
    rsm_resource resource = {.kind = item->kind, .name = item->name, .process = item->process, .by = item->by};
    status = rsm__resource_list_add(list, &resource, reterr);
  }
  return status;
}

static rsm_status add_filter(void *state, const rsm_filter *filter, rsm_error *reterr) {
  rsm__builtin *session = state;
  return rsm__filters_add(&session->filters, session->lookup, filter, reterr);
}

static rsm_status remove_filter(void *state, const rsm_filter *filter, rsm_error *reterr) {
  rsm__builtin *session = state;
  return rsm__filters_remove(&session->filters, session->lookup, filter, reterr);
}

static rsm_status filters(void *state, rsm_filter_list **ret_list, rsm_error *reterr) {
  rsm__builtin *session = state;
  rsm_filter_list *copy = rsm__filter_list_copy(&session->filters.given);
  if (!copy) return rsm__fail_memory(reterr);
  *ret_list = copy;
  return RSM_OK;
}

static rsm_status run(void *state, const char *const *argv, size_t argc, rsm_exit *ret_exit, rsm_error *reterr) {
  rsm__builtin *session = state;
  rsm_exit result;
  rsm_status status = rsm__launch_run(argv, argc, RSM_KEY_VARIABLE, session->stored.key, &result, reterr);
  if (status != RSM_OK) return status;
  if (ret_exit) *ret_exit = result;
  if (!result.signaled && result.code == 0) return RSM_OK;
  const char *words = result.signaled ? "it was ended by signal" : "it ended with exit code";
  return rsm__fail(reterr, RSM_INSTALL_FAILURE, argv[0], "%s %d", words, result.code);
}

const rsm__manager rsm__builtin_manager = {
    .name = "builtin",
    .preference = preference,
    .available = available,
    .environment = rsm__process_environment,
    .start = start,
    .join = join,
    .adopt = adopt,
    .sessions = sessions,
    .is_forked = is_forked,
    .owes_restart = owes_restart,
    .end = end,
    .free = free_session,
    .enroll = enroll,
    .resources = resources_of,
    .add_filter = add_filter,
    .remove_filter = remove_filter,
    .filters = filters,
    .run = run,
    .begin = rsm__operation_begin,
    .cancel = rsm__operation_cancel,
    .op_step = rsm__operation_step,
    .op_percent = rsm__operation_percent,
    .op_status = rsm__operation_status,
    .op_fd = rsm__operation_fd,
    .op_take_list = rsm__operation_take_list,
    .op_take_report = rsm__operation_take_report,
    .op_free = rsm__operation_free,
};
