/* console.h: CTRL+C for a console's program, from a process that is not ours: whoever attaches himself to a console
 * receives what he sends there, and has no other console meanwhile.
 *
 * That process is the system's rundll32, with a function of the DLL that this code is a part of (core.dll,
 * rstrtmgr.dll), which exports it without a name. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_CONSOLE_H
#define RSM_OS_WINDOWS_CONSOLE_H

#include <windows.h>

#include "os/process.h"

/* The ordinal by which every DLL of ours exports rsm__console_helper, without a name. */
#define RSM__CONSOLE_ORDINAL 100

/* handle: keeps the process' number; with SYNCHRONIZE. Waits for the helper: a few seconds. RSM_OK: sent, or somebody
 * of the company whose console it is, too, is sent it. RSM_NOT_SUPPORTED: it has no console, or shares it with somebody
 * outside the company who is not its child, or this program is not made with a DLL of ours. RSM_ACCESS_DENIED. */
rsm_status rsm__console_interrupt(const rsm_process *process, HANDLE handle, const rsm_process *company, size_t count,
                                  rsm_error *reterr);

/* What rundll32 calls. Ends the process. */
void CALLBACK rsm__console_helper(HWND window, HINSTANCE instance, const char *line, int show);

/* The helper's work, and the exit status that tells how it went. command: "pid,pid,...": whose console it is, then who
 * else may be there. */
DWORD rsm__console_help(const wchar_t *command);

#ifdef RSM_TEST_HOOKS
/* A program to run instead, with "console-helper" and the command as its arguments; NULL: none. */
extern const wchar_t *rsm__console_helper_program;
#endif

#endif
