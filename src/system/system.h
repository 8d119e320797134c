/* system.h: a session of the system's Restart Manager, and the operation under way in it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_SYSTEM_SYSTEM_H
#define RSM_SYSTEM_SYSTEM_H

#include "system/native.h"
/* After it: Windows' headers. */
#include <stdatomic.h>

#include "core/manager.h"
#include "os/files.h"
#include "os/task.h"
#include "system/folders.h"

typedef struct rsm__system_op rsm__system_op;

typedef struct rsm__system {
  const rsm__native *native;
  DWORD handle; /* 0 is as good as any other */
  bool open;    /* the handle is to be given back */
  bool primary;
  char key[RSM_KEY_LENGTH + 1]; /* as the system spelled it */
  rsm_process self;
  rsm__lookup *lookup;
  rsm__folders folders;          /* registered directories */
  rsm_resource_list *registered; /* by us: the system tells nobody what others registered */
  /* primary only */
  rsm_process *stoppable; /* who may be stopped though he carries us */
  size_t stoppable_count;
  bool shutdown_called;
  rsm_list *stopped;  /* what our shutdowns have stopped, and no restart has brought back or left on purpose since */
  bool may_owe;       /* a shutdown could not find out what it had stopped */
  SRWLOCK op_lock;    /* guards op against cancel from another thread; held for a few instructions */
  rsm__system_op *op; /* the one that cancel reaches */
} rsm__system;

struct rsm__system_op {
  rsm__system *session;
  rsm__task *task;
  HANDLE cancel;           /* manual-reset: set once it is cancelled */
  rsm__op_request request; /* what is confirmed is our own copy */
  rsm__arena arena;        /* of that copy */
  bool settling;           /* the deed is done: what has become of it is found out though the operation is cancelled */
  rsm_event event;         /* written by the task before it yields */
  _Atomic unsigned percent;
  /* written by the task, read by the owner once it is done */
  rsm_status status;
  rsm_error error;
  rsm_list *list;
  rsm_report *report;
};

/* ---- manager.c ---- */
bool rsm__system_owes(const void *session); /* has something to bring back, or may have */

/* ---- operation.c: as core's seam wants them ---- */
rsm_status rsm__system_begin(void *session, const rsm__op_request *request, void **ret_op, rsm_error *reterr);
void rsm__system_cancel(void *session);
rsm_status rsm__system_step(void *op, uint32_t timeout_ms, rsm_event *ret_event);
unsigned rsm__system_percent(const void *op);
rsm_status rsm__system_status(const void *op, rsm_error *reterr);
rsm_status rsm__system_fd(const void *op, int *ret_fd, rsm_error *reterr);
rsm_list *rsm__system_take_list(void *op);
rsm_report *rsm__system_take_report(void *op);
void rsm__system_free_op(void *op);
/* For the task: shows an event to the owner and waits for the next step. error may be NULL. */
void rsm__system_emit(rsm__system_op *op, rsm_action action, const rsm_app *app, const rsm_error *error);

/* ---- resources.c ---- */
rsm_status rsm__system_enroll(void *session, const rsm_resources *resources, rsm_error *reterr);
rsm_status rsm__system_resources(void *session, rsm_resource_list *list, rsm_error *reterr);
/* Hands over what has come into the registered directories since. What could not be looked into is added to the list.
 */
rsm_status rsm__system_refresh(rsm__system *session, rsm_list *list, rsm_error *reterr);

/* ---- filters.c ---- */
rsm_status rsm__system_add_filter(void *session, const rsm_filter *filter, rsm_error *reterr);
rsm_status rsm__system_remove_filter(void *session, const rsm_filter *filter, rsm_error *reterr);
rsm_status rsm__system_filters(void *session, rsm_filter_list **ret_list, rsm_error *reterr);

/* ---- applications.c ---- */
/* RmGetList, with what we know ourselves of each process beside it. */
rsm_status rsm__system_list(rsm__system_op *op, rsm_list **ret_list, rsm_error *reterr);

/* ---- stop.c, start.c: the task's own functions; they fill op->report ---- */
rsm_status rsm__system_stop(rsm__system_op *op, rsm_error *reterr);
rsm_status rsm__system_start(rsm__system_op *op, rsm_error *reterr);

/* ---- uses.c ---- */
/* How the listed processes use the registered files: a look at the handles of those processes, and of nobody else. */
rsm_status rsm__system_add_uses(rsm__system_op *op, rsm_list *list, rsm_error *reterr);

extern const rsm__manager rsm__system_manager;

#endif
