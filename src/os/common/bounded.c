/* bounded.c: see bounded.h. SPDX-License-Identifier: MIT
 *
 * call                | purpose                      | blocks on
 * rsm__condition_wait | the caller waits for the end | slices of at most 50 ms, limit_ms without progress in all
 * rsm__thread_join    | a thread that said it's done | its last instructions only
 */
#include "os/common/bounded.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "os/process.h"
#include "os/thread.h"

enum { STACK_SIZE = 512 * 1024, TEXT_SIZE = 4096, SLICE_MS = 50, IDLE_MS = 20 };

struct rsm__bounded {
  rsm__bounded_work *work;
  rsm__bounded_free *free_argument;
  void *argument;
  atomic_uint references; /* the waiting side's and the thread's */
  atomic_ulong progress;
  atomic_bool given_up; /* from then on the argument is the thread's */
  atomic_bool done;
  rsm__thread thread; /* none: a worker's */
  rsm__mutex mutex;   /* guards the text and the two flags' changes */
  rsm__condition changed;
  char touching[TEXT_SIZE]; /* cut if longer: only its mount or volume is asked for */
};

rsm__bounded *rsm__bounded_unref(rsm__bounded *job) {
  if (!job || atomic_fetch_sub(&job->references, 1) != 1) return NULL;
  rsm__condition_done(&job->changed);
  rsm__mutex_done(&job->mutex);
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
  rsm__mutex_lock(&job->mutex);
  bool wanted = !atomic_load_explicit(&job->given_up, memory_order_relaxed);
  if (wanted) {
    size_t length = strnlen(path, TEXT_SIZE - 1);
    memcpy(job->touching, path, length);
    job->touching[length] = '\0';
    rsm__bounded_tick(job);
  }
  rsm__mutex_unlock(&job->mutex);
  return wanted;
}

bool rsm__bounded_enter(rsm__bounded *job) {
  rsm__mutex_lock(&job->mutex);
  if (!atomic_load_explicit(&job->given_up, memory_order_relaxed)) return true;
  rsm__mutex_unlock(&job->mutex);
  return false;
}

void rsm__bounded_leave(rsm__bounded *job) {
  rsm__bounded_tick(job);
  rsm__mutex_unlock(&job->mutex);
}

void rsm__bounded_tick(rsm__bounded *job) {
  atomic_fetch_add_explicit(&job->progress, 1, memory_order_relaxed);
}

/* The thread's reference is dropped before the waiting side can go on: when that does, all is its own. */
static void run_job(rsm__bounded *job) {
  job->work(job, job->argument);
  rsm__mutex_lock(&job->mutex);
  bool given_up = atomic_load(&job->given_up);
  if (!given_up) atomic_fetch_sub(&job->references, 1);
  atomic_store(&job->done, true);
  rsm__condition_signal(&job->changed);
  rsm__mutex_unlock(&job->mutex);
  if (!given_up) return;
  job->free_argument(job->argument);
  rsm__bounded_unref(job);
}

static void *run_thread(void *job_pointer) {
  run_job(job_pointer);
  return NULL;
}

static rsm__bounded *new_job(rsm__bounded_work *work, rsm__bounded_free *free_argument, void *argument) {
  rsm__bounded *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  job->work = work;
  job->free_argument = free_argument;
  job->argument = argument;
  atomic_init(&job->references, 2);
  rsm__condition_init(&job->changed);
  rsm__mutex_init(&job->mutex);
  return job;
}

/* Counts idle slices, not the clock: after our own process was stopped and continued (Windows: suspended), one slice
 * has passed, not the whole limit. */
static rsm_status wait_for(rsm__bounded *job, uint32_t limit_ms, rsm__task *task) {
  uint32_t slice = limit_ms / 8 + 1;
  if (slice > SLICE_MS) slice = SLICE_MS;
  unsigned long seen = 0;
  uint32_t idle = 0;
  rsm_status status = RSM_PENDING;
  rsm__mutex_lock(&job->mutex);
  while (status == RSM_PENDING) {
    if (!atomic_load(&job->done)) rsm__condition_wait(&job->changed, &job->mutex, slice);
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
  rsm__mutex_unlock(&job->mutex);
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
  rsm_status status = rsm__thread_start(run_thread, job, STACK_SIZE, &job->thread, reterr);
  if (status != RSM_OK) {
    free_unused(job);
    return status;
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
    rsm__thread_join(&job->thread);
  else
    rsm__thread_leave(&job->thread);
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
  uint32_t process;       /* whose thread it is: a forked child has none */
  rsm__mutex mutex;       /* guards all below but the thread, which is the owner's */
  rsm__condition changed;
  rsm__bounded *job; /* that it is to take up */
  bool runs;
  bool dismissed;
  rsm__thread thread; /* one that runs, or that is to be joined; none */
};

static void unref_worker(rsm__bounded_worker *worker) {
  if (atomic_fetch_sub(&worker->references, 1) != 1) return;
  rsm__condition_done(&worker->changed);
  rsm__mutex_done(&worker->mutex);
  rsm__free(worker);
}

static void *run_worker(void *worker_pointer) {
  rsm__bounded_worker *worker = worker_pointer;
  rsm__mutex_lock(&worker->mutex);
  for (bool in_time = true; worker->job || (in_time && !worker->dismissed);) {
    rsm__bounded *job = worker->job;
    if (!job) {
      in_time = rsm__condition_wait(&worker->changed, &worker->mutex, IDLE_MS);
      continue;
    }
    worker->job = NULL;
    rsm__mutex_unlock(&worker->mutex);
    run_job(job);
    rsm__mutex_lock(&worker->mutex);
    in_time = true;
  }
  worker->runs = false;
  rsm__mutex_unlock(&worker->mutex);
  unref_worker(worker);
  return NULL;
}

static rsm__bounded_worker *new_worker(void) {
  rsm__bounded_worker *worker = rsm__calloc(1, sizeof *worker);
  if (!worker) return NULL;
  atomic_init(&worker->references, 1);
  worker->process = rsm__process_self();
  rsm__condition_init(&worker->changed);
  rsm__mutex_init(&worker->mutex);
  return worker;
}

/* Gives the job to its thread, or to a new one. */
static rsm_status hand_job(rsm__bounded_worker *worker, rsm__bounded *job, rsm_error *reterr) {
  rsm__mutex_lock(&worker->mutex);
  bool runs = worker->runs;
  if (runs) worker->job = job;
  rsm__mutex_unlock(&worker->mutex);
  rsm__condition_signal(&worker->changed); /* only now: it would wake just to wait for the mutex */
  if (runs) return RSM_OK;
  rsm__thread_join(&worker->thread); /* it ended by itself, or is at its last instructions */
  worker->job = job;
  worker->runs = true;
  atomic_fetch_add(&worker->references, 1);
  rsm_status status = rsm__thread_start(run_worker, worker, STACK_SIZE, &worker->thread, reterr);
  if (status == RSM_OK) return RSM_OK;
  worker->job = NULL;
  worker->runs = false;
  unref_worker(worker);
  return status;
}

/* Of one whose job was given up: it ends after that, whenever that is. */
static void dismiss(rsm__bounded_worker *worker) {
  rsm__mutex_lock(&worker->mutex);
  worker->dismissed = true;
  rsm__condition_signal(&worker->changed);
  rsm__mutex_unlock(&worker->mutex);
}

void rsm__bounded_worker_free(rsm__bounded_worker *worker) {
  if (!worker) return;
  if (worker->process != rsm__process_self()) { /* whatever state its mutex is in, nobody has it */
    rsm__free(worker);
    return;
  }
  dismiss(worker);
  rsm__thread_join(&worker->thread);
  unref_worker(worker);
}

rsm_status rsm__bounded_begin_by(rsm__bounded_worker **worker, rsm__bounded_work *work,
                                 rsm__bounded_free *free_argument, void *argument, rsm__bounded **ret_job,
                                 rsm_error *reterr) {
  if (*worker && (*worker)->process != rsm__process_self()) {
    rsm__bounded_worker_free(*worker);
    *worker = NULL;
  }
  rsm__bounded *job = new_job(work, free_argument, argument);
  if (job && !*worker) *worker = new_worker();
  if (!job || !*worker) {
    if (job) free_unused(job);
    return rsm__fail_memory(reterr);
  }
  rsm_status status = hand_job(*worker, job, reterr);
  if (status == RSM_OK)
    *ret_job = job;
  else
    free_unused(job);
  return status;
}

/* Its job keeps it: it ends after that. */
static void leave_worker(rsm__bounded_worker **worker) {
  rsm__thread_leave(&(*worker)->thread);
  dismiss(*worker);
  unref_worker(*worker);
  *worker = NULL;
}

rsm_status rsm__bounded_wait_by(rsm__bounded_worker **worker, rsm__bounded *job, uint32_t limit_ms, rsm__task *task,
                                rsm__bounded **ret_stuck, rsm_error *reterr) {
  rsm_status status = wait_for(job, limit_ms, task);
  if (status != RSM_OK) leave_worker(worker);
  return conclude(job, status, ret_stuck, reterr);
}

void rsm__bounded_leave_by(rsm__bounded_worker **worker, rsm__bounded *job) {
  rsm__mutex_lock(&job->mutex);
  bool done = atomic_load(&job->done);
  if (!done) atomic_store(&job->given_up, true);
  rsm__mutex_unlock(&job->mutex);
  if (done)
    job->free_argument(job->argument);
  else
    leave_worker(worker);
  rsm__bounded_unref(job);
}

rsm_status rsm__bounded_run_by(rsm__bounded_worker **worker, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                               void *argument, uint32_t limit_ms, rsm__task *task, rsm__bounded **ret_stuck,
                               rsm_error *reterr) {
  rsm__bounded *job = NULL;
  rsm_status status = rsm__bounded_begin_by(worker, work, free_argument, argument, &job, reterr);
  return job ? rsm__bounded_wait_by(worker, job, limit_ms, task, ret_stuck, reterr) : status;
}
