/* handle.h: closing Windows' handles. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_HANDLE_H
#define RSM_OS_WINDOWS_HANDLE_H

#include <windows.h>

#include "base/cleanup.h"

/* Tolerates both of Windows' values for "none", and leaves NULL. */
static inline void rsm__handle_close(HANDLE *handle) {
  if (*handle && *handle != INVALID_HANDLE_VALUE) CloseHandle(*handle);
  *handle = NULL;
}

/* Hands it to the caller: whoever cleans up finds none. */
static inline HANDLE rsm__handle_take(HANDLE *handle) {
  HANDLE taken = *handle;
  *handle = NULL;
  return taken;
}

static inline void rsm__clean_local(void *pointer) {
  LocalFree(*(void **)pointer);
}

#define RSM_CLEAN_HANDLE RSM_CLEAN(rsm__handle_close)
#define RSM_CLEAN_LOCAL RSM_CLEAN(rsm__clean_local) /* for memory that the system allocated with LocalAlloc */

#endif
