/* operation.c: an operation as core sees it: a task that is stepped, its events and its result.
 * SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/affected.h"
#include "builtin/builtin.h"
#include "os/process.h"

static rsm_status run_list(rsm__operation *op, rsm_error *reterr) {
  RSM_CLEAN(rsm__affected_done) rsm__affected affected = {0};
  rsm_status status = rsm__affected_find(op->session, op->services, op->task, false, &affected, reterr);
  if (status != RSM_OK) return status;
  op->list = affected.list;
  affected.list = NULL;
  return RSM_OK;
}

static rsm_status run_kind(rsm__operation *op, rsm_error *reterr) {
  switch (op->request.kind) {
  case RSM__OP_LIST:
    return run_list(op, reterr);
  case RSM__OP_SHUTDOWN:
    return rsm__stop_run(op, reterr);
  default:
    return rsm__start_run(op, reterr);
  }
}

static void run(rsm__task *task, void *argument) {
  rsm__operation *op = argument;
  op->status = rsm__services_new(task, &op->services, &op->error);
  if (op->status == RSM_OK) op->status = run_kind(op, &op->error);
  op->services = rsm__services_free(op->services);
  if (op->status == RSM_OK) op->percent = 100;
}

void rsm__operation_emit(rsm__operation *op, rsm_action action, const rsm_app *app, const rsm_error *error) {
  op->event = (rsm_event){.action = action, .app = app};
  if (error) op->event.error = *error;
  rsm__task_yield(op->task);
}

static void set_task(rsm__builtin *session, rsm__task *task) {
  while (atomic_flag_test_and_set(&session->task_lock)) continue;
  session->task = task;
  atomic_flag_clear(&session->task_lock);
}

/* Another operation may have begun since. */
static void unset_task(rsm__builtin *session, const rsm__task *task) {
  while (atomic_flag_test_and_set(&session->task_lock)) continue;
  if (session->task == task) session->task = NULL;
  atomic_flag_clear(&session->task_lock);
}

void rsm__operation_cancel(void *session_state) {
  rsm__builtin *session = session_state;
  while (atomic_flag_test_and_set(&session->task_lock)) continue;
  if (session->task) rsm__task_cancel(session->task);
  atomic_flag_clear(&session->task_lock);
}

static void free_operation(rsm__operation *op) {
  rsm_list_free(op->list);
  rsm_report_free(op->report);
  rsm__arena_done(&op->arena);
  rsm__free(op);
}

static rsm_status check_state(const rsm__builtin *session, const rsm__op_request *request, rsm_error *reterr) {
  if (request->kind == RSM__OP_RESTART && !session->shutdown_called)
    return rsm__fail(reterr, RSM_OUT_OF_SEQUENCE, NULL, NULL);
  return RSM_OK;
}

rsm_status rsm__operation_begin(void *state, const rsm__op_request *request, void **ret_op, rsm_error *reterr) {
  rsm__builtin *session = state;
  rsm_status status = check_state(session, request, reterr);
  if (status != RSM_OK) return status;
  rsm__operation *op = rsm__calloc(1, sizeof *op);
  if (!op) return rsm__fail_memory(reterr);
  op->session = session;
  op->request = *request;
  status = rsm__op_request_keep(&op->request, &op->arena, reterr); /* the caller may free it once we have begun */
  if (status == RSM_OK) status = rsm__task_new(run, op, &op->task, reterr);
  if (status != RSM_OK) {
    free_operation(op);
    return status;
  }
  if (request->kind == RSM__OP_SHUTDOWN) session->shutdown_called = true;
  set_task(session, op->task);
  *ret_op = op;
  return RSM_OK;
}

rsm_status rsm__operation_step(void *state, uint32_t timeout_ms, rsm_event *ret_event) {
  rsm__operation *op = state;
  bool yielded = false;
  bool done = rsm__task_step(op->task, timeout_ms, &yielded);
  if (yielded) *ret_event = op->event;
  if (!done) return RSM_PENDING;
  unset_task(op->session, op->task); /* a late cancel must not reach a task that is about to be freed */
  return RSM_OK;
}

unsigned rsm__operation_percent(const void *state) {
  const rsm__operation *op = state;
  return op->percent;
}

rsm_status rsm__operation_status(const void *state, rsm_error *reterr) {
  const rsm__operation *op = state;
  if (!rsm__task_done(op->task)) return RSM_PENDING;
  if (reterr && op->status != RSM_OK) *reterr = op->error;
  return op->status;
}

rsm_status rsm__operation_fd(const void *state, int *ret_fd, rsm_error *reterr) {
  const rsm__operation *op = state;
  int fd = rsm__task_fd(op->task);
  if (fd < 0) return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "this system has no descriptor for an operation");
  *ret_fd = fd;
  return RSM_OK;
}

rsm_list *rsm__operation_take_list(void *state) {
  rsm__operation *op = state;
  rsm_list *list = op->list;
  op->list = NULL;
  return list;
}

rsm_report *rsm__operation_take_report(void *state) {
  rsm__operation *op = state;
  rsm_report *report = op->report;
  op->report = NULL;
  return report;
}

void rsm__operation_free(void *state) {
  rsm__operation *op = state;
  /* In a forked child nobody else is there to lock out, and who held the lock may not be there to let it go. */
  if (op->session->owner_pid == rsm__process_self()) unset_task(op->session, op->task);
  op->task = rsm__task_free(op->task);
  free_operation(op);
}
