/* native.h: the operating system's rstrtmgr.dll: its functions, and what its error numbers mean.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_SYSTEM_NATIVE_H
#define RSM_SYSTEM_NATIVE_H

#include <windows.h>
/* After it. */
#include <restartmanager.h>

#include "rsm.h"

/* Headers of mingw-w64 lack some. */
#ifndef ERROR_FAIL_RESTART
#define ERROR_FAIL_RESTART 352
#endif
#ifndef ERROR_MAX_SESSIONS_REACHED
#define ERROR_MAX_SESSIONS_REACHED 353
#endif
#ifndef ERROR_REQUEST_OUT_OF_SEQUENCE
#define ERROR_REQUEST_OUT_OF_SEQUENCE 776
#endif

#define RSM__NATIVE_FUNCTIONS(X)                                                                                       \
  X(RmStartSession)                                                                                                    \
  X(RmJoinSession)                                                                                                     \
  X(RmEndSession)                                                                                                      \
  X(RmRegisterResources)                                                                                               \
  X(RmGetList)                                                                                                         \
  X(RmShutdown)                                                                                                        \
  X(RmRestart)                                                                                                         \
  X(RmCancelCurrentTask)                                                                                               \
  X(RmAddFilter)                                                                                                       \
  X(RmRemoveFilter)                                                                                                    \
  X(RmGetFilterList)

typedef struct rsm__native {
#define X(name) __typeof__(name) *(name);
  RSM__NATIVE_FUNCTIONS(X)
#undef X
} rsm__native;

/* Loads it from the system directory, once in the life of this process, and never lets it go. NULL: it cannot be used,
 * and the error says why: it is missing, lacks a function, is Wine's (which answers success to everything and does
 * nothing), or we are a part of an rstrtmgr.dll ourselves. */
const rsm__native *rsm__native_load(rsm_error *reterr);

/* Is this Wine? */
bool rsm__native_is_wine(void);

/* Fills *reterr for a number that a function of the table, or a call of Windows', has returned; gives its status, by
 * the Restart Manager's own numbers. call: static text; subject: may be NULL. */
rsm_status rsm__native_fail(rsm_error *reterr, DWORD code, const char *call, const char *subject);

/* A process, and its start time, in the system's form and in ours. */
RM_UNIQUE_PROCESS rsm__native_process(const rsm_process *process);
rsm_process rsm__native_process_of(const RM_UNIQUE_PROCESS *process); /* pid 0: none */

#endif
