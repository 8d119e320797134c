/* builtin.h: a session of our own Restart Manager, and the operation under way in it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_BUILTIN_H
#define RSM_BUILTIN_BUILTIN_H

#include <stdatomic.h>

#include "builtin/filters.h"
#include "builtin/journal.h"
#include "builtin/resources.h"
#include "builtin/store.h"
#include "core/manager.h"
#include "os/service.h"
#include "os/task.h"

typedef struct rsm__builtin {
  uint32_t owner_pid; /* who made it: a forked child finds another */
  bool primary;
  rsm__stored stored;
  rsm__owner owner; /* of the session: ours if primary */
  rsm__writer writer;
  rsm__lookup *lookup;
  /* primary only */
  rsm__filters filters;
  rsm_process *stoppable;
  size_t stoppable_count;
  rsm__journal journal;
  bool shutdown_called;
  atomic_flag task_lock; /* guards task against cancel from another thread; held for a few instructions */
  rsm__task *task;
} rsm__builtin;

typedef struct rsm__operation {
  rsm__builtin *session;
  rsm__task *task;
  rsm__op_request request; /* what is confirmed is our own copy */
  rsm__arena arena;        /* of that copy */
  rsm__services *services; /* the task's own, while it runs */
  rsm_event event;         /* written by the task before it yields */
  _Atomic unsigned percent;
  /* written by the task, read by the owner once it is done */
  rsm_status status;
  rsm_error error;
  rsm_list *list;
  rsm_report *report;
} rsm__operation;

rsm_status rsm__operation_begin(void *session, const rsm__op_request *request, void **ret_op, rsm_error *reterr);
rsm_status rsm__operation_step(void *op, uint32_t timeout_ms, rsm_event *ret_event);
unsigned rsm__operation_percent(const void *op);
rsm_status rsm__operation_status(const void *op, rsm_error *reterr);
rsm_status rsm__operation_fd(const void *op, int *ret_fd, rsm_error *reterr);
rsm_list *rsm__operation_take_list(void *op);
rsm_report *rsm__operation_take_report(void *op);
void rsm__operation_free(void *op);
void rsm__operation_cancel(void *session);

/* For the task: shows an event to the owner and waits for the next step. error may be NULL. */
void rsm__operation_emit(rsm__operation *op, rsm_action action, const rsm_app *app, const rsm_error *error);

/* The two long ones: the task's own functions; they fill op->report. */
rsm_status rsm__stop_run(rsm__operation *op, rsm_error *reterr);
rsm_status rsm__start_run(rsm__operation *op, rsm_error *reterr);

extern const rsm__manager rsm__builtin_manager;

#endif
