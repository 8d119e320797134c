/* create_process.h: CreateProcessW, once more if need be. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_CREATE_PROCESS_H
#define RSM_OS_WINDOWS_CREATE_PROCESS_H

#include <windows.h>

/* One in a thousand processes does not come to life in Wine on a busy machine: that is this error, which Windows itself
 * does not have here, and nothing of the program has run. So it is asked for again. */
static inline BOOL rsm__create_process(const wchar_t *program, wchar_t *line, BOOL inherit, DWORD flags,
                                       void *environment, const wchar_t *directory, STARTUPINFOW *how,
                                       PROCESS_INFORMATION *ret_process) {
  enum { TRIES = 3 };
  BOOL created = FALSE;
  for (int tries = 0; !created && tries < TRIES && (tries == 0 || GetLastError() == ERROR_INTERNAL_ERROR); tries++)
    created = CreateProcessW(program, line, NULL, NULL, inherit, flags, environment, directory, how, ret_process);
  return created;
}

#endif
