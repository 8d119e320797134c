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
#include <unistd.h>

#include "base/alloc.h"
#include "os/linux/os_error.h"

enum { STACK_SIZE = 512 * 1024, TEXT_SIZE = 4096, SLICE_MS = 50, IDLE_MS = 20 };

struct rsm__bounded {
  rsm__bounded_work *work;
  rsm__bounded_free *free_argument;
  void *argument;
  atomic_uint references; /* the waiting side's and the thread's */
  atomic_ulong progress;
  atomic_bool given_up; /* from then on the argument is the thread's */
  atomic_bool done;
  pthread_t thread;
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

/* The thread's reference is dropped before the waiting side can go on: when that does, all is its own. */
static void run_job(rsm__bounded *job) {
  job->work(job, job->argument);
  pthread_mutex_lock(&job->mutex);
  bool given_up = atomic_load(&job->given_up);
  if (!given_up) atomic_fetch_sub(&job->references, 1);
  atomic_store(&job->done, true);
  pthread_cond_signal(&job->changed);
  pthread_mutex_unlock(&job->mutex);
  if (!given_up) return;
  job->free_argument(job->argument);
  rsm__bounded_unref(job);
}

static void *run_thread(void *job_pointer) {
  run_job(job_pointer);
  return NULL;
}

static void init_condition(pthread_cond_t *condition) {
  pthread_condattr_t attributes; /* none of these three can fail on Linux */
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(condition, &attributes);
  pthread_condattr_destroy(&attributes);
}

static rsm__bounded *new_job(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument) {
  rsm__bounded *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  job->work = work;
  job->free_argument = free_argument;
  job->argument = argument;
  atomic_init(&job->references, 2);
  init_condition(&job->changed);
  pthread_mutex_init(&job->mutex, NULL);
  return job;
}

/* All signals are blocked while the thread is made, so that it never runs one of the host's handlers. */
static int start_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
  sigset_t all, before;
  pthread_attr_t attributes;
  int code = pthread_attr_init(&attributes);
  if (code != 0) return code;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  code = pthread_create(thread, &attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return code;
}

/* False: time is up. */
static bool wait_on(pthread_cond_t *condition, pthread_mutex_t *mutex, uint32_t ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += (long)ms * 1000000L;
  if (until.tv_nsec >= 1000000000L) {
    until.tv_nsec -= 1000000000L;
    until.tv_sec++;
  }
  return pthread_cond_timedwait(condition, mutex, &until) == 0;
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
    if (!atomic_load(&job->done)) wait_on(&job->changed, &job->mutex, slice);
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

/* No thread ever had it. */
static void free_unused(rsm__bounded *job) {
  atomic_store(&job->references, 1);
  rsm__bounded_unref(job);
}

rsm_status rsm__bounded_begin(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument,
                              rsm__bounded **ret_job, rsm_error *reterr) {
  rsm__bounded *job = new_job(work, free_argument, argument);
  if (!job) return rsm__fail_memory(reterr);
  int code = start_thread(&job->thread, run_thread, job);
  if (code != 0) {
    free_unused(job);
    return rsm__fail_errno(reterr, code, "pthread_create", NULL);
  }
  *ret_job = job;
  return RSM_OK;
}

static rsm_status conclude(rsm__bounded *job, rsm_status status, rsm__bounded **ret_stuck, rsm_error *reterr) {
  if (status == RSM_TIMEOUT && ret_stuck)
    *ret_stuck = job;
  else
    rsm__bounded_unref(job);
  return status == RSM_CANCELLED ? rsm__fail(reterr, RSM_CANCELLED, NULL, NULL) : status;
}

rsm_status rsm__bounded_wait(rsm__bounded *job, uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck,
                             rsm_error *reterr) {
  rsm_status status = wait_for(job, limit_ms, task);
  if (status == RSM_OK)
    pthread_join(job->thread, NULL);
  else
    pthread_detach(job->thread);
  return conclude(job, status, ret_stuck, reterr);
}

rsm_status rsm__bounded_run(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument,
                            uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck, rsm_error *reterr) {
  rsm__bounded *job = NULL;
  rsm_status status = rsm__bounded_begin(work, free_argument, argument, &job, reterr);
  return job ? rsm__bounded_wait(job, limit_ms, task, ret_stuck, reterr) : status;
}

/* ---- A thread for many ---- */

struct rsm__bounded_worker {
  atomic_uint references; /* the owner's, and the thread's while there is one */
  pid_t process;          /* whose thread it is: a forked child has none */
  pthread_mutex_t mutex;  /* guards all below */
  pthread_cond_t changed;
  rsm__bounded *job; /* that it is to take up */
  bool runs;
  bool dismissed;
  bool has_thread; /* one that runs, or that is to be joined */
  pthread_t thread;
};

static void unref_worker(rsm__bounded_worker *worker) {
  if (atomic_fetch_sub(&worker->references, 1) != 1) return;
  pthread_cond_destroy(&worker->changed);
  pthread_mutex_destroy(&worker->mutex);
  rsm__free(worker);
}

static void *run_worker(void *worker_pointer) {
  rsm__bounded_worker *worker = worker_pointer;
  pthread_mutex_lock(&worker->mutex);
  for (bool in_time = true; worker->job || (in_time && !worker->dismissed);) {
    rsm__bounded *job = worker->job;
    if (!job) {
      in_time = wait_on(&worker->changed, &worker->mutex, IDLE_MS);
      continue;
    }
    worker->job = NULL;
    pthread_mutex_unlock(&worker->mutex);
    run_job(job);
    pthread_mutex_lock(&worker->mutex);
    in_time = true;
  }
  worker->runs = false;
  pthread_mutex_unlock(&worker->mutex);
  unref_worker(worker);
  return NULL;
}

static rsm__bounded_worker *new_worker(void) {
  rsm__bounded_worker *worker = rsm__calloc(1, sizeof *worker);
  if (!worker) return NULL;
  atomic_init(&worker->references, 1);
  worker->process = getpid();
  init_condition(&worker->changed);
  pthread_mutex_init(&worker->mutex, NULL);
  return worker;
}

/* Gives the job to its thread, or to a new one. 0 or errno. */
static int hand_job(rsm__bounded_worker *worker, rsm__bounded *job) {
  int code = 0;
  pthread_mutex_lock(&worker->mutex);
  bool runs = worker->runs;
  if (runs) worker->job = job;
  pthread_mutex_unlock(&worker->mutex);
  pthread_cond_signal(&worker->changed); /* only now: it would wake just to wait for the mutex */
  if (runs) return 0;
  if (worker->has_thread) pthread_join(worker->thread, NULL); /* at its last instructions */
  worker->job = job;
  worker->runs = true;
  atomic_fetch_add(&worker->references, 1);
  code = start_thread(&worker->thread, run_worker, worker);
  worker->has_thread = code == 0;
  if (code == 0) return 0;
  worker->job = NULL;
  worker->runs = false;
  unref_worker(worker);
  return code;
}

/* Of one whose job was given up: it ends after that, whenever that is. */
static void dismiss(rsm__bounded_worker *worker) {
  pthread_mutex_lock(&worker->mutex);
  worker->dismissed = true;
  pthread_cond_signal(&worker->changed);
  pthread_mutex_unlock(&worker->mutex);
}

void rsm__bounded_worker_free(rsm__bounded_worker *worker) {
  if (!worker) return;
  if (worker->process != getpid()) { /* whatever state its mutex is in, nobody has it */
    rsm__free(worker);
    return;
  }
  dismiss(worker);
  if (worker->has_thread) pthread_join(worker->thread, NULL);
  unref_worker(worker);
}

rsm_status rsm__bounded_run_by(rsm__bounded_worker **worker, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                               void *argument, uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck,
                               rsm_error *reterr) {
  if (*worker && (*worker)->process != getpid()) {
    rsm__bounded_worker_free(*worker);
    *worker = NULL;
  }
  rsm__bounded *job = new_job(work, free_argument, argument);
  if (job && !*worker) *worker = new_worker();
  if (!job || !*worker) {
    if (job) free_unused(job);
    return rsm__fail_memory(reterr);
  }
  int code = hand_job(*worker, job);
  if (code != 0) {
    free_unused(job);
    return rsm__fail_errno(reterr, code, "pthread_create", NULL);
  }
  rsm_status status = wait_for(job, limit_ms, task);
  if (status != RSM_OK) {
    pthread_detach((*worker)->thread);
    dismiss(*worker);
    unref_worker(*worker);
    *worker = NULL;
  }
  return conclude(job, status, ret_stuck, reterr);
}
