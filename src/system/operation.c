/* operation.c: an operation as core sees it: a task that is stepped, its events and its result.
 * SPDX-License-Identifier: MIT */
#include "system/calls.h"

#include "base/cleanup.h"
#include "base/error.h"

/* ---- The task's side --------------------------------------------------------------------------------------------- */

static rsm_status run_list(rsm__system_op *op, rsm_error *reterr) {
  rsm_list *list;
  rsm_status status = rsm__system_list(op, &list, reterr);
  if (status != RSM_OK) return status;
  if (op->request.list.uses) status = rsm__system_add_uses(op, list, reterr);
  if (status == RSM_OK)
    op->list = list;
  else
    rsm_list_free(list);
  return status;
}

static rsm_status run_kind(rsm__system_op *op, rsm_error *reterr) {
  switch (op->request.kind) {
  case RSM__OP_LIST:
    return run_list(op, reterr);
  case RSM__OP_SHUTDOWN:
    return rsm__system_stop(op, reterr);
  default:
    return rsm__system_start(op, reterr);
  }
}

static void run(rsm__task *task, void *argument) {
  rsm__system_op *op = argument;
  (void)task;
  op->status = run_kind(op, &op->error);
  rsm__calls_release(op);
  if (op->status == RSM_OK) atomic_store(&op->percent, 100);
}

void rsm__system_emit(rsm__system_op *op, rsm_action action, const rsm_app *app, const rsm_error *error) {
  op->event = (rsm_event){.action = action, .app = app};
  if (error) op->event.error = *error;
  rsm__task_yield(op->task);
}

/* ---- The owner's side -------------------------------------------------------------------------------------------- */

static void set_op(rsm__system *session, rsm__system_op *op) {
  AcquireSRWLockExclusive(&session->op_lock);
  session->op = op;
  ReleaseSRWLockExclusive(&session->op_lock);
}

/* A late cancel must not reach what is about to be freed. Another operation may have begun since. */
static void unset_op(rsm__system_op *op) {
  rsm__system *session = op->session;
  AcquireSRWLockExclusive(&session->op_lock);
  if (session->op == op) session->op = NULL;
  ReleaseSRWLockExclusive(&session->op_lock);
}

static void cancel_op(rsm__system_op *op) {
  rsm__task_cancel(op->task);
  SetEvent(op->cancel);
}

void rsm__system_cancel(void *state) {
  rsm__system *session = state;
  AcquireSRWLockExclusive(&session->op_lock);
  if (session->op) cancel_op(session->op);
  ReleaseSRWLockExclusive(&session->op_lock);
}

static void free_operation(rsm__system_op *op) {
  rsm__calls_release(op);
  if (op->cancel) CloseHandle(op->cancel);
  rsm_list_free(op->list);
  rsm_report_free(op->report);
  rsm__arena_done(&op->arena);
  rsm__free(op);
}

static rsm_status prepare(rsm__system_op *op, rsm_error *reterr) {
  rsm_status status = rsm__op_request_keep(&op->request, &op->arena, reterr);
  if (status != RSM_OK) return status;
  op->cancel = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!op->cancel) return rsm__native_fail(reterr, GetLastError(), "CreateEventW", NULL);
  if (op->request.kind != RSM__OP_LIST) status = rsm__calls_reserve(op, reterr);
  return status == RSM_OK ? rsm__task_new(run, op, &op->task, reterr) : status;
}

rsm_status rsm__system_begin(void *state, const rsm__op_request *request, void **ret_op, rsm_error *reterr) {
  rsm__system *session = state;
  if (request->kind == RSM__OP_RESTART && !session->shutdown_called)
    return rsm__fail(reterr, RSM_OUT_OF_SEQUENCE, NULL, NULL);
  rsm__system_op *op = rsm__calloc(1, sizeof *op);
  if (!op) return rsm__fail_memory(reterr);
  op->session = session;
  op->request = *request;
  rsm_status status = prepare(op, reterr);
  if (status != RSM_OK) {
    free_operation(op);
    return status;
  }
  if (request->kind == RSM__OP_SHUTDOWN) session->shutdown_called = true;
  set_op(session, op);
  *ret_op = op;
  return RSM_OK;
}

rsm_status rsm__system_step(void *state, uint32_t timeout_ms, rsm_event *ret_event) {
  rsm__system_op *op = state;
  bool yielded = false;
  bool done = rsm__task_step(op->task, timeout_ms, &yielded);
  if (yielded) *ret_event = op->event;
  if (!done) return RSM_PENDING;
  unset_op(op);
  return RSM_OK;
}

unsigned rsm__system_percent(const void *state) {
  const rsm__system_op *op = state;
  return atomic_load(&op->percent);
}

rsm_status rsm__system_status(const void *state, rsm_error *reterr) {
  const rsm__system_op *op = state;
  if (!rsm__task_done(op->task)) return RSM_PENDING;
  if (reterr && op->status != RSM_OK) *reterr = op->error;
  return op->status;
}

rsm_status rsm__system_fd(const void *state, int *ret_fd, rsm_error *reterr) {
  (void)state;
  (void)ret_fd;
  return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "Windows has no descriptor for an operation: step it now and then");
}

rsm_list *rsm__system_take_list(void *state) {
  rsm__system_op *op = state;
  rsm_list *list = op->list;
  op->list = NULL;
  return list;
}

rsm_report *rsm__system_take_report(void *state) {
  rsm__system_op *op = state;
  rsm_report *report = op->report;
  op->report = NULL;
  return report;
}

void rsm__system_free_op(void *state) {
  rsm__system_op *op = state;
  unset_op(op);
  cancel_op(op); /* if it is not done, the native call has to be told, too */
  op->task = rsm__task_free(op->task);
  free_operation(op);
}
