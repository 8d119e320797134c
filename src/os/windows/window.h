/* window.h: a process' windows on our desktop. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_WINDOW_H
#define RSM_OS_WINDOWS_WINDOW_H

#include <windows.h>

#include "os/process.h"

/* The top-level windows of one process. Zero-initialise. Without those that the system made for it: a console's (which
 * Windows shows as a program's that runs there) and those of input methods. */
typedef struct rsm__windows {
  HWND *items;
  size_t count, capacity;
  rsm__window_kind kind;
  bool failed; /* out of memory: some are missing */
} rsm__windows;

void rsm__windows_find(rsm__windows *windows, uint32_t pid);
void rsm__windows_done(rsm__windows *windows);

/* Does the window still belong to the process? A window's number may be another's as soon as it is destroyed. */
bool rsm__window_is_of(HWND window, uint32_t pid);
/* Is it one of the desktop's own: its background, its task bar? */
bool rsm__window_is_shells(HWND window);

/* The process that shows the desktop; 0: nobody does. */
uint32_t rsm__shell_process(void);

#endif
