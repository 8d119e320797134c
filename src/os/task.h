/* task.h: a blocking function on a thread of its own that moves only when its owner steps it.
 *
 * The function runs from rsm__task_step on, and parks whenever it has something to show (rsm__task_yield) or is about
 * to act (rsm__task_checkpoint) and nobody is stepping. All signals are blocked in its thread. So the owner sees one
 * event a step, in its own thread, and nothing is done behind its back, while a long scan or wait never blocks it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_TASK_H
#define RSM_OS_TASK_H

#include "rsm.h"

typedef struct rsm__task rsm__task;
typedef void rsm__task_run(rsm__task *task, void *argument);

/* Owner's side. The function starts at the first step (never, if there is none). RSM_BUSY: no descriptor or thread
 * left. */
rsm_status rsm__task_new(rsm__task_run *run, void *argument, rsm__task **ret_task, rsm_error *reterr);
/* Lets it move for at most timeout_ms (UINT32_MAX: no limit; 0: lets it move, does not wait). True: it is done. False:
 * it yielded (*ret_yielded true: what it showed stays valid until the next step), or time is up. True in a forked
 * child: it will never move there. */
bool rsm__task_step(rsm__task *task, uint32_t timeout_ms, bool *ret_yielded);
bool rsm__task_done(const rsm__task *task);
void rsm__task_cancel(rsm__task *task); /* from any thread; wakes its waits */
/* Polls readable when a step would advance: not yet started, parked (at a checkpoint, or yielded, shown already or
 * not), or done. Silent while it moves. -1: this system has none. */
int rsm__task_fd(const rsm__task *task);
/* Cancels, steps it to its end, frees it. NULL-tolerant; returns NULL. In a forked child, without its thread: frees. */
rsm__task *rsm__task_free(rsm__task *task);

/* The function's side. */
void rsm__task_yield(rsm__task *task);
void rsm__task_checkpoint(rsm__task *task);
bool rsm__task_cancelled(const rsm__task *task);

#endif
