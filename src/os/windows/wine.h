/* wine.h: is this Wine? Only where its own programs have to be told from Windows', or where what it leaves out means
 * something else on Windows.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_WINE_H
#define RSM_OS_WINDOWS_WINE_H

#include <stdbool.h>
#include <windows.h>

static inline bool rsm__under_wine(void) {
  HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  return ntdll && GetProcAddress(ntdll, "wine_get_version") != NULL;
}

#endif
