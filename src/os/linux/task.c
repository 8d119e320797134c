/* task.c: one thread a task, and a baton that it holds only while its owner lets it.
 *
 * The state changes under the mutex only; `stepping` is true while the owner waits inside rsm__task_step, which is when
 * checkpoints are passed without a stop. One race remains, and is meant: what follows a checkpoint that was passed at
 * the last moment of a step may happen just after that step has returned. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/task.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/task_wake.h"

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
  pid_t creator; /* a forked child has no such thread, and must not touch mutex, condition or the shared eventfds */
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t to_owner;
  pthread_cond_t to_task;
  atomic_int state; /* atomic so that rsm__task_done needs no lock */
  bool stepping;
  bool draining; /* being freed: nothing parks any more */
  atomic_bool cancelled;
  int ready_fd; /* readable in every state but TASK_MOVING */
  int wake_fd;  /* readable once cancelled */
};

static bool is_ours(const rsm__task *task) {
  return getpid() == task->creator;
}

/* Adding 1 to a counter that stays below its limit neither blocks nor fails. */
static void raise_fd(int fd) {
  int before = errno;
  (void)!write(fd, &(uint64_t){1}, sizeof(uint64_t));
  errno = before;
}

static void lower_fd(int fd) {
  int before = errno;
  uint64_t count;
  (void)!read(fd, &count, sizeof count);
  errno = before;
}

/* Mutex held. */
static void set_state(rsm__task *task, enum task_state state) {
  int before = atomic_exchange(&task->state, (int)state);
  if (before == TASK_MOVING && state != TASK_MOVING) raise_fd(task->ready_fd);
  if (before != TASK_MOVING && state == TASK_MOVING) lower_fd(task->ready_fd);
}

/* Mutex held, on the task's thread: parks in that state until the owner lets it move. */
static void park(rsm__task *task, enum task_state state) {
  if (task->draining) return;
  set_state(task, state);
  pthread_cond_signal(&task->to_owner);
  while (atomic_load(&task->state) != TASK_MOVING) pthread_cond_wait(&task->to_task, &task->mutex);
}

/* ---- The function's side ----------------------------------------------------------------------------------------- */

static void *task_main(void *argument) {
  rsm__task *task = argument;
  pthread_mutex_lock(&task->mutex);
  while (atomic_load(&task->state) == TASK_NEW && !task->draining) pthread_cond_wait(&task->to_task, &task->mutex);
  bool wanted = atomic_load(&task->state) != TASK_NEW;
  pthread_mutex_unlock(&task->mutex);
  if (wanted) task->run(task, task->argument);
  pthread_mutex_lock(&task->mutex);
  set_state(task, TASK_DONE);
  pthread_cond_signal(&task->to_owner);
  pthread_mutex_unlock(&task->mutex);
  return NULL;
}

void rsm__task_yield(rsm__task *task) {
  pthread_mutex_lock(&task->mutex);
  park(task, TASK_YIELDED);
  pthread_mutex_unlock(&task->mutex);
}

void rsm__task_checkpoint(rsm__task *task) {
  pthread_mutex_lock(&task->mutex);
  if (!task->stepping) park(task, TASK_CHECKPOINT);
  pthread_mutex_unlock(&task->mutex);
}

bool rsm__task_cancelled(const rsm__task *task) {
  return atomic_load(&task->cancelled);
}

int rsm__task_wake_fd(const rsm__task *task) {
  return task->wake_fd;
}

/* ---- The owner's side -------------------------------------------------------------------------------------------- */

static void free_locks(rsm__task *task) {
  pthread_cond_destroy(&task->to_task);
  pthread_cond_destroy(&task->to_owner);
  pthread_mutex_destroy(&task->mutex);
}

static int init_locks(rsm__task *task) {
  pthread_condattr_t monotonic;
  int code = pthread_condattr_init(&monotonic);
  if (code) return code;
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  /* On Linux these three allocate nothing and succeed. */
  pthread_cond_init(&task->to_owner, &monotonic);
  pthread_cond_init(&task->to_task, NULL);
  pthread_mutex_init(&task->mutex, NULL);
  pthread_condattr_destroy(&monotonic);
  return 0;
}

/* The thread inherits the mask that its maker has at that moment: the host's signals are for the host's threads. */
static int start_thread(rsm__task *task) {
  sigset_t all, before;
  sigfillset(&all);
  int code = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (code) return code;
  code = pthread_create(&task->thread, NULL, task_main, task);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}

static void close_and_free(rsm__task *task) {
  rsm__fd_close(&task->ready_fd);
  rsm__fd_close(&task->wake_fd);
  rsm__free(task);
}

static rsm_status fail_new(rsm__task *task, int code, const char *call, rsm_error *reterr) {
  close_and_free(task);
  return rsm__fail_errno(reterr, code, call, NULL);
}

rsm_status rsm__task_new(rsm__task_run *run, void *argument, rsm__task **ret_task, rsm_error *reterr) {
  rsm__task *task = rsm__calloc(1, sizeof *task);
  if (!task) return rsm__fail_memory(reterr);
  task->run = run;
  task->argument = argument;
  task->creator = getpid();
  task->wake_fd = -1;
  task->ready_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
  if (task->ready_fd < 0) return fail_new(task, errno, "eventfd", reterr);
  task->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (task->wake_fd < 0) return fail_new(task, errno, "eventfd", reterr);
  int code = init_locks(task);
  if (code) return fail_new(task, code, "pthread_condattr_init", reterr);
  code = start_thread(task);
  if (code) {
    free_locks(task);
    return fail_new(task, code, "pthread_create", reterr);
  }
  *ret_task = task;
  return RSM_OK;
}

static struct timespec monotonic_after(uint32_t timeout_ms) {
  struct timespec when;
  clock_gettime(CLOCK_MONOTONIC, &when);
  when.tv_sec += (time_t)(timeout_ms / 1000);
  when.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (when.tv_nsec >= 1000000000) {
    when.tv_sec++;
    when.tv_nsec -= 1000000000;
  }
  return when;
}

/* Mutex held: lets it move, and waits until it parks, is done or the time is up. */
static void let_move(rsm__task *task, uint32_t timeout_ms) {
  if (atomic_load(&task->state) != TASK_MOVING) {
    set_state(task, TASK_MOVING);
    pthread_cond_signal(&task->to_task);
  }
  if (timeout_ms == 0) return;
  struct timespec until = monotonic_after(timeout_ms);
  task->stepping = true;
  int code = 0;
  while (atomic_load(&task->state) == TASK_MOVING && code != ETIMEDOUT)
    code = timeout_ms == UINT32_MAX ? pthread_cond_wait(&task->to_owner, &task->mutex)
                                    : pthread_cond_timedwait(&task->to_owner, &task->mutex, &until);
  task->stepping = false;
}

bool rsm__task_step(rsm__task *task, uint32_t timeout_ms, bool *ret_yielded) {
  if (ret_yielded) *ret_yielded = false;
  if (!is_ours(task)) return true; /* it will never move here: a loop of steps must end */
  pthread_mutex_lock(&task->mutex);
  int state = atomic_load(&task->state);
  if (state != TASK_DONE && state != TASK_YIELDED) {
    let_move(task, timeout_ms);
    state = atomic_load(&task->state);
  }
  if (state == TASK_YIELDED) {
    set_state(task, TASK_SEEN);
    if (ret_yielded) *ret_yielded = true;
  }
  pthread_mutex_unlock(&task->mutex);
  return state == TASK_DONE;
}

bool rsm__task_done(const rsm__task *task) {
  return atomic_load(&task->state) == TASK_DONE;
}

void rsm__task_cancel(rsm__task *task) {
  if (!is_ours(task)) return; /* the eventfd is shared with the parent, whose task is not ours to cancel */
  if (!atomic_exchange(&task->cancelled, true)) raise_fd(task->wake_fd);
}

int rsm__task_fd(const rsm__task *task) {
  return task->ready_fd;
}

rsm__task *rsm__task_free(rsm__task *task) {
  if (!task) return NULL;
  if (is_ours(task)) {
    rsm__task_cancel(task);
    pthread_mutex_lock(&task->mutex);
    task->draining = true;
    int state = atomic_load(&task->state);
    if (state != TASK_NEW && state != TASK_DONE) set_state(task, TASK_MOVING);
    pthread_cond_signal(&task->to_task);
    pthread_mutex_unlock(&task->mutex);
    pthread_join(task->thread, NULL);
    free_locks(task);
  }
  close_and_free(task);
  return NULL;
}
