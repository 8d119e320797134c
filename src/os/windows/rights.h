/* rights.h: what a process may do, as its token says. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_RIGHTS_H
#define RSM_OS_WINDOWS_RIGHTS_H

#include "os/windows/capture.h"

rsm_status rsm__rights_of_token(HANDLE token, rsm__capture_rights *ret_rights, rsm_error *reterr);
/* Of the process that this handle (PROCESS_QUERY_LIMITED_INFORMATION) is open on. */
rsm_status rsm__rights_of_process(HANDLE process, rsm__capture_rights *ret_rights, rsm_error *reterr);

/* Lets the calling thread, and no other, look into the system's processes, too, if this user may: an administrator has
 * the privilege for that and, without using it, sees no open files of any service. */
void rsm__rights_to_look(void);

#endif
