/* task_wake.h: what a task shows to the waits of its system, which makes and raises it. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_COMMON_TASK_WAKE_H
#define RSM_OS_COMMON_TASK_WAKE_H

#include "os/task.h"

typedef struct rsm__task_wake {
  intptr_t cancelled; /* Linux: an eventfd; Windows: an event's handle */
  int ready;          /* Linux: an eventfd, see rsm__task_fd; -1: this system has none */
} rsm__task_wake;

/* Ready, and not cancelled. RSM_BUSY: no descriptor left. */
rsm_status rsm__task_wake_init(rsm__task_wake *ret_wake, rsm_error *reterr);
void rsm__task_wake_done(rsm__task_wake *wake);
/* These neither block nor fail. */
void rsm__task_wake_cancel(const rsm__task_wake *wake); /* for good */
void rsm__task_wake_show(const rsm__task_wake *wake, bool ready);

const rsm__task_wake *rsm__task_wake_of(const rsm__task *task); /* borrowed */

#endif
