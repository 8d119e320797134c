/* thread.h: threads of our own, and what they wait for each other with. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_THREAD_H
#define RSM_OS_THREAD_H

#include "rsm.h"

typedef struct rsm__thread {
  uintptr_t system; /* the system's own name for it; 0: none */
} rsm__thread;
typedef void *rsm__thread_run(void *argument); /* gives NULL: nobody asks */

/* Runs run(argument) on a thread that takes none of the host's signals. stack: bytes, 0: the system's default. It may
 * outlive everybody who knows of it, but its code must stay mapped: on Windows it keeps the module that it is a part of
 * loaded; on Linux that module is linked with -z nodelete. Either join or leave it. RSM_BUSY, RSM_OUT_OF_MEMORY: it did
 * not start. */
rsm_status rsm__thread_start(rsm__thread_run *run, void *argument, size_t stack, rsm__thread *ret_thread,
                             rsm_error *reterr);
void rsm__thread_join(rsm__thread *thread);  /* blocks until it has ended; none: does nothing, and leaves none */
void rsm__thread_leave(rsm__thread *thread); /* nobody will wait for it; none: does nothing, and leaves none */

/* Room for the system's own. Stays where it was initialised. */
typedef struct rsm__mutex {
  uint64_t room[6];
} rsm__mutex;
typedef struct rsm__condition {
  uint64_t room[6];
} rsm__condition;

void rsm__mutex_init(rsm__mutex *mutex);
void rsm__mutex_done(rsm__mutex *mutex);
void rsm__mutex_lock(rsm__mutex *mutex);
void rsm__mutex_unlock(rsm__mutex *mutex);

void rsm__condition_init(rsm__condition *condition);
void rsm__condition_done(rsm__condition *condition);
void rsm__condition_signal(rsm__condition *condition); /* one of those that wait goes on */
/* Mutex held, but not while it waits. UINT32_MAX: no limit. False: time is up. True may mean nothing: look again. */
bool rsm__condition_wait(rsm__condition *condition, rsm__mutex *mutex, uint32_t timeout_ms);

#endif
