/* thread.h: threads that nobody may be left to wait for. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_THREAD_H
#define RSM_OS_WINDOWS_THREAD_H

#include <windows.h>

#include "rsm.h"

typedef void rsm__thread_run(void *argument);

/* Runs run(argument) on a thread of its own, which keeps the module that holds this code loaded until it has returned:
 * whoever unloads that need not wait for it. *ret_thread: to be closed by the caller, at any time. stack: bytes, 0: the
 * program's default. RSM_BUSY, RSM_OUT_OF_MEMORY: it did not start. */
rsm_status rsm__thread_start(rsm__thread_run *run, void *argument, unsigned stack, HANDLE *ret_thread,
                             rsm_error *reterr);

#endif
