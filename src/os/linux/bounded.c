/* bounded.c: see bounded.h. SPDX-License-Identifier: MIT
 *
 * call                    | purpose                      | blocks on
 * pthread_cond_timedwait  | the caller waits for the end | slices of at most 50 ms, limit_ms without progress in all
 * pthread_join            | a thread that said it's done | its last instructions only
 */
#define _GNU_SOURCE
#include "os/linux/bounded.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "os/linux/os_error.h"

enum { STACK_SIZE = 512 * 1024, TEXT_SIZE = 4096, SLICE_MS = 50 };

struct rsm__bounded {
  rsm__bounded_work *work;
  rsm__bounded_free *free_argument;
  void *argument;
  atomic_uint references; /* the waiting side's and the thread's */
  atomic_ulong progress;
  atomic_bool given_up; /* from then on the argument is the thread's */
  atomic_bool done;
  pthread_mutex_t mutex; /* guards the text and the two flags' changes */
  pthread_cond_t changed;
  char touching[TEXT_SIZE]; /* cut if longer: only its mount is asked for */
};

rsm__bounded *rsm__bounded_unref(rsm__bounded *job) {
  if (!job || atomic_fetch_sub(&job->references, 1) != 1) return NULL;
  pthread_cond_destroy(&job->changed);
  pthread_mutex_destroy(&job->mutex);
  rsm__free(job);
  return NULL;
}

const char *rsm__bounded_stuck_at(const rsm__bounded *job) {
  return job->touching; /* frozen: touch() does not write it once the job is given up */
}

bool rsm__bounded_returned(const rsm__bounded *job) {
  return atomic_load(&job->done);
}

bool rsm__bounded_touch(rsm__bounded *job, const char *path) {
  pthread_mutex_lock(&job->mutex);
  bool wanted = !atomic_load_explicit(&job->given_up, memory_order_relaxed);
  if (wanted) {
    size_t length = strnlen(path, TEXT_SIZE - 1);
    memcpy(job->touching, path, length);
    job->touching[length] = '\0';
    rsm__bounded_tick(job);
  }
  pthread_mutex_unlock(&job->mutex);
  return wanted;
}

bool rsm__bounded_enter(rsm__bounded *job) {
  pthread_mutex_lock(&job->mutex);
  if (!atomic_load_explicit(&job->given_up, memory_order_relaxed)) return true;
  pthread_mutex_unlock(&job->mutex);
  return false;
}

void rsm__bounded_leave(rsm__bounded *job) {
  rsm__bounded_tick(job);
  pthread_mutex_unlock(&job->mutex);
}

void rsm__bounded_tick(rsm__bounded *job) {
  atomic_fetch_add_explicit(&job->progress, 1, memory_order_relaxed);
}

static void *run_thread(void *job_pointer) {
  rsm__bounded *job = job_pointer;
  job->work(job, job->argument);
  pthread_mutex_lock(&job->mutex);
  bool given_up = atomic_load(&job->given_up);
  atomic_store(&job->done, true);
  pthread_cond_signal(&job->changed);
  pthread_mutex_unlock(&job->mutex);
  if (given_up) job->free_argument(job->argument);
  rsm__bounded_unref(job);
  return NULL;
}

static rsm__bounded *new_job(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument) {
  rsm__bounded *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  job->work = work;
  job->free_argument = free_argument;
  job->argument = argument;
  atomic_init(&job->references, 2);
  pthread_condattr_t attributes; /* none of these three can fail on Linux */
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&job->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  pthread_mutex_init(&job->mutex, NULL);
  return job;
}

/* All signals are blocked while the thread is made, so that it never runs one of the host's handlers. */
static int start_thread(rsm__bounded *job, pthread_t *ret_thread) {
  sigset_t all, before;
  pthread_attr_t attributes;
  int code = pthread_attr_init(&attributes);
  if (code != 0) return code;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  code = pthread_create(ret_thread, &attributes, run_thread, job);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return code;
}

static void wait_slice(rsm__bounded *job, uint32_t slice_ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long)slice_ms * 1000000L;
  if (until.tv_nsec >= 1000000000L) {
    until.tv_nsec -= 1000000000L;
    until.tv_sec++;
  }
  pthread_cond_timedwait(&job->changed, &job->mutex, &until);
}

/* Counts idle slices, not the clock: after our own process was stopped and continued, one slice has passed, not the
 * whole limit. */
static rsm_status wait_for(rsm__bounded *job, uint32_t limit_ms, rsm__task *task) {
  uint32_t slice = limit_ms / 8 + 1;
  if (slice > SLICE_MS) slice = SLICE_MS;
  unsigned long seen = 0;
  uint32_t idle = 0;
  rsm_status status = RSM_PENDING;
  pthread_mutex_lock(&job->mutex);
  while (status == RSM_PENDING) {
    if (!atomic_load(&job->done)) wait_slice(job, slice);
    unsigned long now = atomic_load(&job->progress);
    idle = now == seen ? idle + slice : 0;
    seen = now;
    if (atomic_load(&job->done))
      status = RSM_OK;
    else if (task && rsm__task_cancelled(task))
      status = RSM_CANCELLED;
    else if (idle >= limit_ms && limit_ms > 0)
      status = RSM_TIMEOUT;
  }
  if (status != RSM_OK) atomic_store(&job->given_up, true);
  pthread_mutex_unlock(&job->mutex);
  return status;
}

rsm_status rsm__bounded_run(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument,
                            uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck, rsm_error *reterr) {
  rsm__bounded *job = new_job(work, free_argument, argument);
  if (!job) return rsm__fail_memory(reterr);
  pthread_t thread;
  int code = start_thread(job, &thread);
  if (code != 0) {
    rsm__bounded_unref(job);
    rsm__bounded_unref(job);
    return rsm__fail_errno(reterr, code, "pthread_create", NULL);
  }
  rsm_status status = wait_for(job, limit_ms, task);
  if (status == RSM_OK)
    pthread_join(thread, NULL);
  else
    pthread_detach(thread);
  if (status == RSM_TIMEOUT)
    *ret_stuck = job;
  else
    rsm__bounded_unref(job);
  return status == RSM_CANCELLED ? rsm__fail(reterr, RSM_CANCELLED, NULL, NULL) : status;
}
