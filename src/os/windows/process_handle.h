/* process_handle.h: what the other files of this folder need of an open process.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_PROCESS_HANDLE_H
#define RSM_OS_WINDOWS_PROCESS_HANDLE_H

#include <windows.h>

#include "os/windows/parameters.h"

/* Borrowed. With SYNCHRONIZE and, where rsm__process_can_query, PROCESS_QUERY_LIMITED_INFORMATION. NULL: we may not
 * even wait for it; it is known by the system's list of processes alone. */
HANDLE rsm__process_handle(const rsm__process *process);
bool rsm__process_can_query(const rsm__process *process);

/* Another handle on the very same process, with these rights, to be closed by the caller: opened by its number, which
 * stays taken as long as the first handle is open. RSM_ACCESS_DENIED; RSM_NOT_FOUND: it has ended. */
rsm_status rsm__process_open_rights(const rsm__process *process, DWORD rights, HANDLE *ret_handle, rsm_error *reterr);

/* As rsm__process_within said; either may be NULL. */
rsm__lookup *rsm__process_lookup(const rsm__process *process);
rsm__task *rsm__process_task(const rsm__process *process);

/* What its facts were told from is kept (the process owns it from now on) for whoever captures it next, which comes
 * right after that in a listing: each read of its memory is dear in Wine. Handed out once, so nobody takes later what
 * was true then. NULL: nothing is kept. */
void rsm__process_note(const rsm__process *process, rsm__parameters_note *note);
rsm__parameters_note *rsm__process_take_note(const rsm__process *process);

/* Set once the process has answered that it will not end, or cannot be asked (rsm__process_answer). Borrowed; NULL: it
 * was not asked. */
HANDLE rsm__process_answer_handle(const rsm__process *process);

#endif
