/* thread.c: SPDX-License-Identifier: MIT */
#include "os/windows/thread.h"

#include <process.h>

#include "base/alloc.h"
#include "os/windows/os_error.h"

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

rsm_status rsm__thread_start(rsm__thread_run *run, void *argument, unsigned stack, HANDLE *ret_thread,
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
  HANDLE thread =
      (HANDLE)_beginthreadex(NULL, stack, thread_main, begin, stack ? STACK_SIZE_PARAM_IS_A_RESERVATION : 0, NULL);
  if (!thread) {
    DWORD code = GetLastError();
    FreeLibrary(begin->module);
    rsm__free(begin);
    return rsm__fail_windows(reterr, code, "_beginthreadex", NULL);
  }
  *ret_thread = thread;
  return RSM_OK;
}
