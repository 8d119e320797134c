/* op.c: operations as callers see them, and the blocking forms: a loop over step. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "core/session.h"

enum { GRACE_MS = 30000, SERVICE_GRACE_MS = 20000 };

struct rsm_op {
  rsm_session *session;
  void *state; /* the manager's */
  unsigned percent;
  bool done;
};

rsm_status rsm__op_request_keep(rsm__op_request *request, rsm__arena *arena, rsm_error *reterr) {
  rsm_shutdown_options *options = &request->shutdown;
  size_t count = options->confirmed_count, service_count = options->confirmed_service_count;
  rsm_process *processes = count ? rsm__arena_alloc(arena, count * sizeof *processes) : NULL;
  const char **services = service_count ? rsm__arena_alloc(arena, service_count * sizeof *services) : NULL;
  if ((count && !processes) || (service_count && !services)) return rsm__fail_memory(reterr);
  if (count) memcpy(processes, options->confirmed, count * sizeof *processes);
  for (size_t i = 0; i < service_count; i++)
    if (!(services[i] = rsm__arena_strdup(arena, options->confirmed_services[i]))) return rsm__fail_memory(reterr);
  options->confirmed = processes;
  options->confirmed_services = services;
  return RSM_OK;
}

static rsm_status begin(rsm_session *session, const rsm__op_request *request, rsm_op **ret_op, rsm_error *reterr) {
  rsm_status status = rsm__session_guard(session, true, reterr);
  if (status != RSM_OK) return status;
  rsm_op *op = rsm__calloc(1, sizeof *op);
  if (!op) return rsm__fail_memory(reterr);
  op->session = session;
  status = session->manager->begin(session->state, request, &op->state, reterr);
  if (status != RSM_OK) {
    rsm__free(op);
    return status;
  }
  session->op = op;
  *ret_op = op;
  return RSM_OK;
}

rsm_status rsm_session_begin_list(rsm_session *session, const rsm_list_options *options, rsm_op **ret_op,
                                  rsm_error *reterr) {
  rsm__op_request request = {.kind = RSM__OP_LIST};
  if (options) request.list = *options;
  return begin(session, &request, ret_op, reterr);
}

rsm_status rsm_session_begin_shutdown(rsm_session *session, const rsm_shutdown_options *options, rsm_op **ret_op,
                                      rsm_error *reterr) {
  rsm__op_request request = {.kind = RSM__OP_SHUTDOWN};
  if (options) request.shutdown = *options;
  if (!request.shutdown.timeout_ms) request.shutdown.timeout_ms = GRACE_MS;
  if (!request.shutdown.service_timeout_ms) request.shutdown.service_timeout_ms = SERVICE_GRACE_MS;
  return begin(session, &request, ret_op, reterr);
}

rsm_status rsm_session_begin_restart(rsm_session *session, const rsm_restart_options *options, rsm_op **ret_op,
                                     rsm_error *reterr) {
  rsm__op_request request = {.kind = RSM__OP_RESTART};
  if (options) request.restart = *options;
  return begin(session, &request, ret_op, reterr);
}

static const rsm__manager *manager_of(const rsm_op *op) {
  return op->session->manager;
}

rsm_status rsm_op_step(rsm_op *op, uint32_t timeout_ms, rsm_event *ret_event) {
  *ret_event = (rsm_event){0};
  if (op->done || manager_of(op)->is_forked(op->session->state)) return RSM_OK;
  rsm_status status = manager_of(op)->op_step(op->state, timeout_ms, ret_event);
  unsigned percent = manager_of(op)->op_percent(op->state);
  if (percent > op->percent) op->percent = percent;
  if (status == RSM_PENDING) return status;
  op->done = true;
  op->session->op = NULL; /* the session is free for the next one; the result stays until free */
  return RSM_OK;
}

unsigned rsm_op_percent(const rsm_op *op) {
  return op->percent;
}

rsm_status rsm_op_status(const rsm_op *op, rsm_error *reterr) {
  return op->done ? manager_of(op)->op_status(op->state, reterr) : RSM_PENDING;
}

void rsm_op_cancel(rsm_op *op) {
  if (!op->done) manager_of(op)->cancel(op->session->state);
}

rsm_status rsm_op_fd(const rsm_op *op, int *ret_fd, rsm_error *reterr) {
  return manager_of(op)->op_fd(op->state, ret_fd, reterr);
}

rsm_list *rsm_op_take_list(rsm_op *op) {
  return op->done ? manager_of(op)->op_take_list(op->state) : NULL;
}

rsm_report *rsm_op_take_report(rsm_op *op) {
  return op->done ? manager_of(op)->op_take_report(op->state) : NULL;
}

rsm_op *rsm_op_free(rsm_op *op) {
  if (!op) return NULL;
  manager_of(op)->op_free(op->state);
  if (op->session->op == op) op->session->op = NULL;
  rsm__free(op);
  return NULL;
}

/* Steps until done and hands over what is asked for. */
static rsm_status finish(rsm_op *op, rsm_list **ret_list, rsm_report **ret_report, rsm_error *reterr) {
  rsm_event event;
  while (rsm_op_step(op, UINT32_MAX, &event) == RSM_PENDING) continue;
  rsm_status status = rsm_op_status(op, reterr);
  if (ret_list && status == RSM_OK) *ret_list = rsm_op_take_list(op);
  if (ret_report) *ret_report = rsm_op_take_report(op);
  rsm_op_free(op);
  return status;
}

rsm_status rsm_session_list(rsm_session *session, const rsm_list_options *options, rsm_list **ret_list,
                            rsm_error *reterr) {
  rsm_op *op;
  rsm_status status = rsm_session_begin_list(session, options, &op, reterr);
  return status == RSM_OK ? finish(op, ret_list, NULL, reterr) : status;
}

rsm_status rsm_session_shutdown(rsm_session *session, const rsm_shutdown_options *options, rsm_report **ret_report,
                                rsm_error *reterr) {
  rsm_op *op;
  rsm_status status = rsm_session_begin_shutdown(session, options, &op, reterr);
  return status == RSM_OK ? finish(op, NULL, ret_report, reterr) : status;
}

rsm_status rsm_session_restart(rsm_session *session, const rsm_restart_options *options, rsm_report **ret_report,
                               rsm_error *reterr) {
  rsm_op *op;
  rsm_status status = rsm_session_begin_restart(session, options, &op, reterr);
  return status == RSM_OK ? finish(op, NULL, ret_report, reterr) : status;
}
