/* holder.h: what the parts of the program `holder` for Windows know of each other. SPDX-License-Identifier: MIT */
#ifndef SPEC_C_WINDOWS_HOLDER_H
#define SPEC_C_WINDOWS_HOLDER_H

#include <stdbool.h>
#include <windows.h>

#define HOLDER_PRINTF __attribute__((__format__(__gnu_printf__, 1, 2)))

/* A failed call of the system: says so on standard error and ends with status 2. */
_Noreturn void holder_die(const char *what, const wchar_t *subject);
/* As UTF-8, cut if it is too long; returns its length. */
size_t holder_narrow(char *buffer, size_t size, const wchar_t *text);
/* Appends a line to the file of the order "note", in one write, so that lines of several processes do not mix. */
void holder_note(const char *format, ...) HOLDER_PRINTF;
/* Somebody wants us to end; the main thread then does so, after the order "delay". */
void holder_ask(void);
bool holder_is_deaf(void);

/* How the window is to look: "hidden", "owned" (by one that is hidden), or "shell" (the desktop's). */
void holder_look(const wchar_t *look);
/* A top-level window on a thread of its own; returns when it is there. late: seconds from the order to end to its end.
 */
void holder_open_window(const wchar_t *kind, double late);

/* Writes what can be seen from inside of this process, one fact a line: first to PATH.PID, then renamed. */
void holder_report(const wchar_t *path, wchar_t **words);

#endif
