/* task.c: one thread a task, and a baton that it holds only while its owner lets it.
 *
 * call                       | purpose                        | blocks on
 * SleepConditionVariableSRW  | the owner waits for the task   | until it parks or is done, or the step's time is up
 * SleepConditionVariableSRW  | the task waits for its owner   | until the next step, or until it is freed
 * WaitForSingleObject        | the end of a task that is done | its last instructions only
 *
 * The state changes under the lock only; `stepping` is true while the owner waits inside rsm__task_step, which is when
 * checkpoints are passed without a stop. One race remains, and is meant: what follows a checkpoint that was passed at
 * the last moment of a step may happen just after that step has returned. SPDX-License-Identifier: MIT */
#include "os/task.h"

#include <process.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/task_wake.h"

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
  HANDLE thread;
  HANDLE wake; /* manual-reset: set once cancelled */
  SRWLOCK lock;
  CONDITION_VARIABLE to_owner;
  CONDITION_VARIABLE to_task;
  atomic_int state; /* atomic so that rsm__task_done needs no lock */
  bool stepping;
  bool draining; /* being freed: nothing parks any more */
  atomic_bool cancelled;
};

static enum task_state state_of(const rsm__task *task) {
  return (enum task_state)atomic_load(&task->state);
}

/* Lock held, on the task's thread: parks in that state until the owner lets it move. */
static void park(rsm__task *task, enum task_state state) {
  if (task->draining) return;
  atomic_store(&task->state, state);
  WakeConditionVariable(&task->to_owner);
  while (state_of(task) != TASK_MOVING) SleepConditionVariableSRW(&task->to_task, &task->lock, INFINITE, 0);
}

/* ---- The function's side ----------------------------------------------------------------------------------------- */

static unsigned __stdcall task_main(void *argument) {
  rsm__task *task = argument;
  AcquireSRWLockExclusive(&task->lock);
  while (state_of(task) == TASK_NEW && !task->draining)
    SleepConditionVariableSRW(&task->to_task, &task->lock, INFINITE, 0);
  bool wanted = state_of(task) != TASK_NEW;
  ReleaseSRWLockExclusive(&task->lock);
  if (wanted) task->run(task, task->argument);
  AcquireSRWLockExclusive(&task->lock);
  atomic_store(&task->state, TASK_DONE);
  WakeConditionVariable(&task->to_owner);
  ReleaseSRWLockExclusive(&task->lock);
  return 0;
}

void rsm__task_yield(rsm__task *task) {
  AcquireSRWLockExclusive(&task->lock);
  park(task, TASK_YIELDED);
  ReleaseSRWLockExclusive(&task->lock);
}

void rsm__task_checkpoint(rsm__task *task) {
  AcquireSRWLockExclusive(&task->lock);
  if (!task->stepping) park(task, TASK_CHECKPOINT);
  ReleaseSRWLockExclusive(&task->lock);
}

bool rsm__task_cancelled(const rsm__task *task) {
  return atomic_load(&task->cancelled);
}

HANDLE rsm__task_wake_handle(const rsm__task *task) {
  return task->wake;
}

/* ---- The owner's side -------------------------------------------------------------------------------------------- */

static void close_and_free(rsm__task *task) {
  rsm__handle_close(&task->thread);
  rsm__handle_close(&task->wake);
  rsm__free(task);
}

static rsm_status fail_new(rsm__task *task, uint32_t code, const char *call, rsm_error *reterr) {
  close_and_free(task);
  return rsm__fail_windows(reterr, code, call, NULL);
}

rsm_status rsm__task_new(rsm__task_run *run, void *argument, rsm__task **ret_task, rsm_error *reterr) {
  rsm__task *task = rsm__calloc(1, sizeof *task);
  if (!task) return rsm__fail_memory(reterr);
  task->run = run;
  task->argument = argument;
  InitializeSRWLock(&task->lock);
  InitializeConditionVariable(&task->to_owner);
  InitializeConditionVariable(&task->to_task);
  task->wake = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!task->wake) return fail_new(task, GetLastError(), "CreateEventW", reterr);
  task->thread = (HANDLE)_beginthreadex(NULL, 0, task_main, task, 0, NULL);
  if (!task->thread) return fail_new(task, GetLastError(), "_beginthreadex", reterr);
  *ret_task = task;
  return RSM_OK;
}

/* Lock held: lets it move, and waits until it parks, is done or the time is up. */
static void let_move(rsm__task *task, uint32_t timeout_ms) {
  if (state_of(task) != TASK_MOVING) {
    atomic_store(&task->state, TASK_MOVING);
    WakeConditionVariable(&task->to_task);
  }
  uint64_t deadline = rsm__clock_ms() + timeout_ms;
  uint32_t left = timeout_ms;
  task->stepping = timeout_ms > 0;
  while (state_of(task) == TASK_MOVING && left > 0) {
    SleepConditionVariableSRW(&task->to_owner, &task->lock, timeout_ms == UINT32_MAX ? INFINITE : left, 0);
    uint64_t now = rsm__clock_ms();
    if (timeout_ms != UINT32_MAX) left = now < deadline ? (uint32_t)(deadline - now) : 0;
  }
  task->stepping = false;
}

bool rsm__task_step(rsm__task *task, uint32_t timeout_ms, bool *ret_yielded) {
  if (ret_yielded) *ret_yielded = false;
  AcquireSRWLockExclusive(&task->lock);
  enum task_state state = state_of(task);
  if (state != TASK_DONE && state != TASK_YIELDED) {
    let_move(task, timeout_ms);
    state = state_of(task);
  }
  if (state == TASK_YIELDED) {
    atomic_store(&task->state, TASK_SEEN);
    if (ret_yielded) *ret_yielded = true;
  }
  ReleaseSRWLockExclusive(&task->lock);
  return state == TASK_DONE;
}

bool rsm__task_done(const rsm__task *task) {
  return state_of(task) == TASK_DONE;
}

void rsm__task_cancel(rsm__task *task) {
  if (!atomic_exchange(&task->cancelled, true)) SetEvent(task->wake);
}

int rsm__task_fd(const rsm__task *task) {
  (void)task;
  return -1; /* Windows' events are no descriptors */
}

rsm__task *rsm__task_free(rsm__task *task) {
  if (!task) return NULL;
  rsm__task_cancel(task);
  AcquireSRWLockExclusive(&task->lock);
  task->draining = true;
  enum task_state state = state_of(task);
  if (state != TASK_NEW && state != TASK_DONE) atomic_store(&task->state, TASK_MOVING);
  WakeConditionVariable(&task->to_task);
  ReleaseSRWLockExclusive(&task->lock);
  WaitForSingleObject(task->thread, INFINITE);
  close_and_free(task);
  return NULL;
}
