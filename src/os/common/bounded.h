/* bounded.h: work that may never come back (a lookup on a dead network mount or share, a look at a process that hangs),
 * on a thread that can be given up.
 *
 * The thread says what it is about to touch before each call that may block. Whoever waits for it goes by that
 * progress: when there is none for the limit, the thread is abandoned. It then owns its job, and frees it whenever it
 * returns; its code stays mapped until then (os/thread.h). SPDX-License-Identifier: MIT */
#ifndef RSM_OS_COMMON_BOUNDED_H
#define RSM_OS_COMMON_BOUNDED_H

#include "os/task.h"
#include "rsm.h"

typedef struct rsm__bounded rsm__bounded;
typedef void rsm__bounded_work(rsm__bounded *job, void *argument);
typedef void rsm__bounded_free(void *argument);

/* Runs work(job, argument) on a thread with all signals blocked, and waits.
 * RSM_OK: done; the argument is the caller's again.
 * RSM_TIMEOUT: no progress for limit_ms; *ret_stuck is a reference to the job (rsm__bounded_unref), which owns the
 * argument from now on. RSM_CANCELLED: the task (NULL: none) was cancelled; the job owns the argument, too.
 * Any other failure: the thread did not start; the argument is still the caller's. */
rsm_status rsm__bounded_run(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument,
                            uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck, rsm_error *reterr);

/* The same in two steps. Begin: RSM_OK, or the thread did not start. Wait takes the job over; anything but RSM_OK: the
 * job owns the argument. ret_stuck NULL: nobody wants to know where it hangs. */
rsm_status rsm__bounded_begin(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument,
                              rsm__bounded **ret_job, rsm_error *reterr);
rsm_status rsm__bounded_wait(rsm__bounded *job, uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck,
                             rsm_error *reterr);

/* A thread that is kept for the next job, so that many small ones in a row need one. It ends by itself when there is
 * nothing to do for a moment. *worker: NULL at first; a job that is given up takes its thread with it. One job at a
 * time; in a forked child the next job gets a thread of its own. */
typedef struct rsm__bounded_worker rsm__bounded_worker;
rsm_status rsm__bounded_run_by(rsm__bounded_worker **worker, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                               void *argument, uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck,
                               rsm_error *reterr);
/* The same in two steps, the caller's own work being done in between. Wait is as rsm__bounded_wait. Leave: nobody waits
 * for it; the argument is freed when it is done. */
rsm_status rsm__bounded_begin_by(rsm__bounded_worker **worker, rsm__bounded_work *work,
                                 rsm__bounded_free *free_argument, void *argument, rsm__bounded **ret_job,
                                 rsm_error *reterr);
rsm_status rsm__bounded_wait_by(rsm__bounded_worker **worker, rsm__bounded *job, uint32_t limit_ms, rsm__task *task,
                                rsm__bounded **ret_stuck, rsm_error *reterr);
void rsm__bounded_leave_by(rsm__bounded_worker **worker, rsm__bounded *job);
void rsm__bounded_worker_free(rsm__bounded_worker *worker); /* NULL-tolerant; its thread is gone then */

const char *rsm__bounded_stuck_at(const rsm__bounded *job); /* what it was touching when it was given up */
bool rsm__bounded_returned(const rsm__bounded *job);        /* has the abandoned thread come back after all? */
rsm__bounded *rsm__bounded_unref(rsm__bounded *job);        /* NULL-tolerant; returns NULL */

/* The thread's side. Before touching `path`, or anything else, in words that do not begin with a slash; false: given up
 * meanwhile, leave at once. */
bool rsm__bounded_touch(rsm__bounded *job, const char *path);
/* Progress within what was touched last, at the price of one store. */
void rsm__bounded_tick(rsm__bounded *job);
/* Between the two nobody gives the job up. So what is handed over there, to somebody who outlives the job, is whole for
 * whoever goes on after it, and nobody writes there any more once it was given up: enter is false then, and there is
 * nothing to leave. Do nothing in between that may block. */
bool rsm__bounded_enter(rsm__bounded *job);
void rsm__bounded_leave(rsm__bounded *job);

#endif
