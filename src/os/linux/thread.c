/* thread.c: see os/thread.h. SPDX-License-Identifier: MIT
 *
 * call                   | purpose                    | blocks on
 * pthread_join           | the end of a thread        | until it has ended
 * pthread_mutex_lock     | one thread at a time       | who holds it
 * pthread_cond_timedwait | a thread waits for another | timeout_ms, by the monotonic clock
 */
#define _GNU_SOURCE
#include "os/thread.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "os/linux/os_error.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(rsm__mutex), "room for it");
_Static_assert(sizeof(pthread_cond_t) <= sizeof(rsm__condition), "room for it");
_Static_assert(sizeof(pthread_t) <= sizeof(uintptr_t), "room for it");

/* ---- Threads ---- */

/* A thread inherits the mask that its maker has at that moment: the host's signals are for the host's threads. */
static int start_unsignalled(pthread_t *thread, const pthread_attr_t *attributes, rsm__thread_run *run,
                             void *argument) {
  sigset_t all, before;
  sigfillset(&all);
  int code = pthread_sigmask(SIG_SETMASK, &all, &before);
  if (code != 0) return code;
  code = pthread_create(thread, attributes, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}

rsm_status rsm__thread_start(rsm__thread_run *run, void *argument, size_t stack, rsm__thread *ret_thread,
                             rsm_error *reterr) {
  pthread_attr_t attributes;
  pthread_t thread;
  int code = pthread_attr_init(&attributes);
  if (code != 0) return rsm__fail_errno(reterr, code, "pthread_attr_init", NULL);
  if (stack > 0) pthread_attr_setstacksize(&attributes, stack);
  code = start_unsignalled(&thread, &attributes, run, argument);
  pthread_attr_destroy(&attributes);
  if (code != 0) return rsm__fail_errno(reterr, code, "pthread_create", NULL);
  ret_thread->system = (uintptr_t)thread;
  return RSM_OK;
}

void rsm__thread_join(rsm__thread *thread) {
  if (thread->system) pthread_join((pthread_t)thread->system, NULL);
  thread->system = 0;
}

void rsm__thread_leave(rsm__thread *thread) {
  if (thread->system) pthread_detach((pthread_t)thread->system);
  thread->system = 0;
}

/* ---- Mutexes and conditions: on Linux making one allocates nothing and succeeds ---- */

static pthread_mutex_t *inner_mutex(rsm__mutex *mutex) {
  return (pthread_mutex_t *)(void *)mutex->room;
}

static pthread_cond_t *inner_condition(rsm__condition *condition) {
  return (pthread_cond_t *)(void *)condition->room;
}

void rsm__mutex_init(rsm__mutex *mutex) {
  pthread_mutex_init(inner_mutex(mutex), NULL);
}

void rsm__mutex_done(rsm__mutex *mutex) {
  pthread_mutex_destroy(inner_mutex(mutex));
}

void rsm__mutex_lock(rsm__mutex *mutex) {
  pthread_mutex_lock(inner_mutex(mutex));
}

void rsm__mutex_unlock(rsm__mutex *mutex) {
  pthread_mutex_unlock(inner_mutex(mutex));
}

void rsm__condition_init(rsm__condition *condition) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(inner_condition(condition), &attributes);
  pthread_condattr_destroy(&attributes);
}

void rsm__condition_done(rsm__condition *condition) {
  pthread_cond_destroy(inner_condition(condition));
}

void rsm__condition_signal(rsm__condition *condition) {
  pthread_cond_signal(inner_condition(condition));
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

bool rsm__condition_wait(rsm__condition *condition, rsm__mutex *mutex, uint32_t timeout_ms) {
  if (timeout_ms == UINT32_MAX) return pthread_cond_wait(inner_condition(condition), inner_mutex(mutex)) == 0;
  struct timespec until = monotonic_after(timeout_ms);
  return pthread_cond_timedwait(inner_condition(condition), inner_mutex(mutex), &until) == 0;
}
