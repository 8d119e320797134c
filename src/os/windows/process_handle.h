/* process_handle.h: what the other files of this folder need of an open process.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_PROCESS_HANDLE_H
#define RSM_OS_WINDOWS_PROCESS_HANDLE_H

#include <windows.h>

#include "os/process.h"

/* SYNCHRONIZE, and PROCESS_QUERY_LIMITED_INFORMATION where we may have it. Borrowed. */
HANDLE rsm__process_handle(const rsm__process *process);

/* A second handle on the very same process with these rights, to be closed by the caller: opened by its number, which
 * stays taken as long as the first handle is open. RSM_ACCESS_DENIED; RSM_NOT_FOUND: it has ended. */
rsm_status rsm__process_open_rights(const rsm__process *process, DWORD rights, HANDLE *ret_handle, rsm_error *reterr);

#endif
