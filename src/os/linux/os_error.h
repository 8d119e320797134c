/* os_error.h: from errno to the library's status, in one place.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_OS_ERROR_H
#define RSM_OS_LINUX_OS_ERROR_H

#include "base/error.h"

/* Fills *reterr (may be NULL) for a failed system call and returns its status. code: errno, taken on the line after the
 * call; call: static text; subject: what it was about, may be NULL. Leaves errno as it was. */
rsm_status rsm__fail_errno(rsm_error *reterr, int code, const char *call, const char *subject);

/* The status alone. */
rsm_status rsm__errno_status(int code);

#endif
