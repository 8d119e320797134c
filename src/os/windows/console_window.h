/* console_window.h: has a process' console a window that people see? SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_CONSOLE_WINDOW_H
#define RSM_OS_WINDOWS_CONSOLE_WINDOW_H

#include "os/process.h"

/* Of a process that has a console. Told by the windows of consoles on our desktop: one belongs, to those who ask, to
 * the program that the console was made for, which is this process or one that it descends from. In doubt false. Blocks
 * on nobody. */
bool rsm__console_is_shown(const rsm__process *process);

#endif
