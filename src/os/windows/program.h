/* program.h: a process' program file: where it is, what it calls itself, whether it is a console's.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_PROGRAM_H
#define RSM_OS_WINDOWS_PROGRAM_H

#include <wchar.h>

#include "os/process.h"

/* Its full path, as the process was started by. *ret_path NULL: not known to us. Fails for want of memory only. */
rsm_status rsm__program_path(const rsm__process *process, rsm__arena *arena, const wchar_t **ret_path,
                             rsm_error *reterr);
/* Was it made for consoles? In doubt not. */
bool rsm__program_is_console(const rsm__process *process);
/* What people call it: the description in its file ("Windows Explorer"). *ret_name NULL: it has none, or did not answer
 * in time. Fails for want of memory only, and with RSM_CANCELLED. */
rsm_status rsm__program_description(const rsm__process *process, const wchar_t *path, rsm__arena *arena,
                                    const char **ret_name, rsm_error *reterr);

#endif
