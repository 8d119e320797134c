/* shell.h: is it an interactive shell, which ignores SIGTERM and ends on SIGHUP? Pure. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SHELL_H
#define RSM_OS_LINUX_SHELL_H

#include <stdbool.h>
#include <stddef.h>

/* Could a program file of that name be a shell at all? Cheap, to save reading the arguments of all others. */
bool rsm__shell_is_program(const char *exe);

/* Of a process that has a controlling terminal. The rule: the program is a shell (for busybox: its applet is), and
 *  - it is a login shell (its first argument begins with '-'), or -i is among its options, or
 *  - neither -c nor an operand (a script) is: it reads commands from its input.
 * A shell whose input is redirected counts as interactive by this: SIGHUP ends it as well as SIGTERM does. */
bool rsm__shell_is_interactive(const char *exe, const char *const *args, size_t count);

#endif
