/* task.c: one thread a task, and a baton that it holds only while its owner lets it.
 *
 * call                | purpose                        | blocks on
 * rsm__condition_wait | the owner waits for the task   | until it parks or is done, or the step's time is up
 * rsm__condition_wait | the task waits for its owner   | until the next step, or until it is freed
 * rsm__thread_join    | the end of a task that is done | its last instructions only
 *
 * The state changes under the mutex only; `stepping` is true while the owner waits inside rsm__task_step, which is when
 * checkpoints are passed without a stop. One race remains, and is meant: what follows a checkpoint that was passed at
 * the last moment of a step may happen just after that step has returned. SPDX-License-Identifier: MIT */
#include "os/task.h"

#include <stdatomic.h>

#include "base/alloc.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/common/task_wake.h"
#include "os/process.h"
#include "os/thread.h"

enum task_state {
  TASK_NEW,        /* the thread waits for the first step */
  TASK_MOVING,     /* the function runs */
  TASK_YIELDED,    /* parked, and no step has reported it yet */
  TASK_SEEN,       /* the same, reported: the next step lets it go */
  TASK_CHECKPOINT, /* parked before it acts */
  TASK_DONE
};

struct rsm__task {
  rsm__task_run *run;
  void *argument;
  uint32_t creator; /* a forked child has no such thread, and must not touch mutex, condition or the shared wake */
  rsm__thread thread;
  rsm__mutex mutex;
  rsm__condition to_owner;
  rsm__condition to_task;
  atomic_int state; /* atomic so that rsm__task_done needs no lock */
  bool stepping;
  bool draining; /* being freed: nothing parks any more */
  atomic_bool cancelled;
  rsm__task_wake wake; /* ready in every state but TASK_MOVING */
};

static bool is_ours(const rsm__task *task) {
  return rsm__process_self() == task->creator;
}

/* Mutex held. */
static void set_state(rsm__task *task, enum task_state state) {
  int before = atomic_exchange(&task->state, (int)state);
  if ((before == TASK_MOVING) != (state == TASK_MOVING)) rsm__task_wake_show(&task->wake, state != TASK_MOVING);
}

/* Mutex held, on the task's thread: parks in that state until the owner lets it move. */
static void park(rsm__task *task, enum task_state state) {
  if (task->draining) return;
  set_state(task, state);
  rsm__condition_signal(&task->to_owner);
  while (atomic_load(&task->state) != TASK_MOVING) rsm__condition_wait(&task->to_task, &task->mutex, UINT32_MAX);
}

/* ---- The function's side ----------------------------------------------------------------------------------------- */

static void *task_main(void *argument) {
  rsm__task *task = argument;
  rsm__mutex_lock(&task->mutex);
  while (atomic_load(&task->state) == TASK_NEW && !task->draining)
    rsm__condition_wait(&task->to_task, &task->mutex, UINT32_MAX);
  bool wanted = atomic_load(&task->state) != TASK_NEW;
  rsm__mutex_unlock(&task->mutex);
  if (wanted) task->run(task, task->argument);
  rsm__mutex_lock(&task->mutex);
  set_state(task, TASK_DONE);
  rsm__condition_signal(&task->to_owner);
  rsm__mutex_unlock(&task->mutex);
  return NULL;
}

void rsm__task_yield(rsm__task *task) {
  rsm__mutex_lock(&task->mutex);
  park(task, TASK_YIELDED);
  rsm__mutex_unlock(&task->mutex);
}

void rsm__task_checkpoint(rsm__task *task) {
  rsm__mutex_lock(&task->mutex);
  if (!task->stepping) park(task, TASK_CHECKPOINT);
  rsm__mutex_unlock(&task->mutex);
}

bool rsm__task_cancelled(const rsm__task *task) {
  return atomic_load(&task->cancelled);
}

const rsm__task_wake *rsm__task_wake_of(const rsm__task *task) {
  return &task->wake;
}

/* ---- The owner's side -------------------------------------------------------------------------------------------- */

static void close_and_free(rsm__task *task) {
  rsm__task_wake_done(&task->wake);
  rsm__free(task);
}

static void init_locks(rsm__task *task) {
  rsm__mutex_init(&task->mutex);
  rsm__condition_init(&task->to_owner);
  rsm__condition_init(&task->to_task);
}

static void free_locks(rsm__task *task) {
  rsm__condition_done(&task->to_task);
  rsm__condition_done(&task->to_owner);
  rsm__mutex_done(&task->mutex);
}

rsm_status rsm__task_new(rsm__task_run *run, void *argument, rsm__task **ret_task, rsm_error *reterr) {
  rsm__task *task = rsm__calloc(1, sizeof *task);
  if (!task) return rsm__fail_memory(reterr);
  task->run = run;
  task->argument = argument;
  task->creator = rsm__process_self();
  rsm_status status = rsm__task_wake_init(&task->wake, reterr);
  if (status != RSM_OK) {
    rsm__free(task);
    return status;
  }
  init_locks(task);
  status = rsm__thread_start(task_main, task, 0, &task->thread, reterr);
  if (status != RSM_OK) {
    free_locks(task);
    close_and_free(task);
    return status;
  }
  *ret_task = task;
  return RSM_OK;
}

/* Mutex held: lets it move, and waits until it parks, is done or the time is up. */
static void let_move(rsm__task *task, uint32_t timeout_ms) {
  if (atomic_load(&task->state) != TASK_MOVING) {
    set_state(task, TASK_MOVING);
    rsm__condition_signal(&task->to_task);
  }
  uint64_t deadline = rsm__clock_ms() + timeout_ms;
  uint32_t left = timeout_ms;
  task->stepping = timeout_ms > 0;
  while (atomic_load(&task->state) == TASK_MOVING && left > 0) {
    rsm__condition_wait(&task->to_owner, &task->mutex, left);
    uint64_t now = rsm__clock_ms();
    if (timeout_ms != UINT32_MAX) left = now < deadline ? (uint32_t)(deadline - now) : 0;
  }
  task->stepping = false;
}

bool rsm__task_step(rsm__task *task, uint32_t timeout_ms, bool *ret_yielded) {
  if (ret_yielded) *ret_yielded = false;
  if (!is_ours(task)) return true; /* it will never move here: a loop of steps must end */
  rsm__mutex_lock(&task->mutex);
  int state = atomic_load(&task->state);
  if (state != TASK_DONE && state != TASK_YIELDED) {
    let_move(task, timeout_ms);
    state = atomic_load(&task->state);
  }
  if (state == TASK_YIELDED) {
    set_state(task, TASK_SEEN);
    if (ret_yielded) *ret_yielded = true;
  }
  rsm__mutex_unlock(&task->mutex);
  return state == TASK_DONE;
}

bool rsm__task_done(const rsm__task *task) {
  return atomic_load(&task->state) == TASK_DONE;
}

void rsm__task_cancel(rsm__task *task) {
  if (!is_ours(task)) return; /* what wakes is shared with the parent, whose task is not ours to cancel */
  if (!atomic_exchange(&task->cancelled, true)) rsm__task_wake_cancel(&task->wake);
}

int rsm__task_fd(const rsm__task *task) {
  return task->wake.ready;
}

rsm__task *rsm__task_free(rsm__task *task) {
  if (!task) return NULL;
  if (is_ours(task)) {
    rsm__task_cancel(task);
    rsm__mutex_lock(&task->mutex);
    task->draining = true;
    int state = atomic_load(&task->state);
    if (state != TASK_NEW && state != TASK_DONE) set_state(task, TASK_MOVING);
    rsm__condition_signal(&task->to_task);
    rsm__mutex_unlock(&task->mutex);
    rsm__thread_join(&task->thread);
    free_locks(task);
  }
  close_and_free(task);
  return NULL;
}
