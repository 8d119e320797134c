/* os_error.h: from Windows' error numbers to the library's status, in one place.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_OS_ERROR_H
#define RSM_OS_WINDOWS_OS_ERROR_H

#include <stdint.h>

#include "base/error.h"

/* Fills *reterr (may be NULL) for a failed call and returns its status. code: GetLastError(), taken on the line after
 * the call, or an error that a call returned; call: static text; subject: what it was about, may be NULL. */
rsm_status rsm__fail_windows(rsm_error *reterr, uint32_t code, const char *call, const char *subject);
/* The same for a call that returned an NTSTATUS, or an HRESULT. */
rsm_status rsm__fail_nt(rsm_error *reterr, int32_t code, const char *call, const char *subject);
rsm_status rsm__fail_hresult(rsm_error *reterr, int32_t code, const char *call, const char *subject);

/* The status alone. */
rsm_status rsm__windows_status(uint32_t code);

#endif
