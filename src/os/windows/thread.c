/* thread.c: see os/thread.h. SPDX-License-Identifier: MIT
 *
 * call                      | purpose                    | blocks on
 * WaitForSingleObject       | the end of a thread        | until it has ended
 * AcquireSRWLockExclusive   | one thread at a time       | who holds it
 * SleepConditionVariableSRW | a thread waits for another | timeout_ms
 */
#include "os/thread.h"

#include <process.h>
#include <windows.h>

#include "base/alloc.h"
#include "os/windows/os_error.h"

_Static_assert(sizeof(SRWLOCK) <= sizeof(rsm__mutex), "room for it");
_Static_assert(sizeof(CONDITION_VARIABLE) <= sizeof(rsm__condition), "room for it");
_Static_assert(INFINITE == UINT32_MAX, "what no limit is");

/* ---- Threads ---- */

typedef struct start {
  rsm__thread_run *run;
  void *argument;
  HMODULE module; /* a reference of the thread's */
} start;

/* FreeLibraryAndExitThread: our own code may be gone when FreeLibrary returns. The C library's share of the thread is
 * freed by its own DLL as the thread ends. */
static unsigned __stdcall thread_main(void *argument) {
  start begin = *(start *)argument;
  rsm__free(argument);
  begin.run(begin.argument);
  FreeLibraryAndExitThread(begin.module, 0);
  return 0;
}

rsm_status rsm__thread_start(rsm__thread_run *run, void *argument, size_t stack, rsm__thread *ret_thread,
                             rsm_error *reterr) {
  start *begin = rsm__malloc(sizeof *begin);
  if (!begin) return rsm__fail_memory(reterr);
  *begin = (start){.run = run, .argument = argument};
  if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (const wchar_t *)(uintptr_t)&thread_main,
                          &begin->module)) {
    DWORD code = GetLastError();
    rsm__free(begin);
    return rsm__fail_windows(reterr, code, "GetModuleHandleExW", NULL);
  }
  uintptr_t thread =
      _beginthreadex(NULL, (unsigned)stack, thread_main, begin, stack ? STACK_SIZE_PARAM_IS_A_RESERVATION : 0, NULL);
  if (!thread) {
    DWORD code = GetLastError();
    FreeLibrary(begin->module);
    rsm__free(begin);
    return rsm__fail_windows(reterr, code, "_beginthreadex", NULL);
  }
  ret_thread->system = thread;
  return RSM_OK;
}

void rsm__thread_leave(rsm__thread *thread) {
  if (thread->system) CloseHandle((HANDLE)thread->system);
  thread->system = 0;
}

void rsm__thread_join(rsm__thread *thread) {
  if (thread->system) WaitForSingleObject((HANDLE)thread->system, INFINITE);
  rsm__thread_leave(thread);
}

/* ---- Mutexes and conditions: nothing of the system's is to be given back ---- */

static SRWLOCK *inner_mutex(rsm__mutex *mutex) {
  return (SRWLOCK *)(void *)mutex->room;
}

static CONDITION_VARIABLE *inner_condition(rsm__condition *condition) {
  return (CONDITION_VARIABLE *)(void *)condition->room;
}

void rsm__mutex_init(rsm__mutex *mutex) {
  InitializeSRWLock(inner_mutex(mutex));
}

void rsm__mutex_done(rsm__mutex *mutex) {
  (void)mutex;
}

void rsm__mutex_lock(rsm__mutex *mutex) {
  AcquireSRWLockExclusive(inner_mutex(mutex));
}

void rsm__mutex_unlock(rsm__mutex *mutex) {
  ReleaseSRWLockExclusive(inner_mutex(mutex));
}

void rsm__condition_init(rsm__condition *condition) {
  InitializeConditionVariable(inner_condition(condition));
}

void rsm__condition_done(rsm__condition *condition) {
  (void)condition;
}

void rsm__condition_signal(rsm__condition *condition) {
  WakeConditionVariable(inner_condition(condition));
}

bool rsm__condition_wait(rsm__condition *condition, rsm__mutex *mutex, uint32_t timeout_ms) {
  return SleepConditionVariableSRW(inner_condition(condition), inner_mutex(mutex), timeout_ms, 0) != 0;
}
