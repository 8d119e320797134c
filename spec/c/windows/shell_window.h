/* shell_window.h: a window that is the desktop's, as Explorer's is: so whoever has it is the shell. Only where nobody
 * is. SPDX-License-Identifier: MIT */
#ifndef SHELL_WINDOW_H
#define SHELL_WINDOW_H

#include <stdbool.h>
#include <windows.h>

/* No header has the function. */
static inline bool shell_window_set(HWND window) {
  typedef BOOL WINAPI set_shell(HWND);
  set_shell *set = (set_shell *)(void (*)(void))GetProcAddress(GetModuleHandleW(L"user32"), "SetShellWindow");
  return set && set(window);
}

#endif
