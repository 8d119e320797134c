/* os_error.h: from Windows' error numbers to the library's status, in one place.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_OS_ERROR_H
#define RSM_OS_WINDOWS_OS_ERROR_H

#include <stdint.h>

#include "base/error.h"

/* Fill *reterr (may be NULL) for a failed call and return its status. code: GetLastError(), taken on the line after the
 * call, or an error that a call returned; call: static text; subject: what it was about, may be NULL. */
rsm_status rsm__fill_windows(rsm_error *reterr, uint32_t code, const char *call, const char *subject);
/* The same for a call that returned an NTSTATUS, or an HRESULT. */
rsm_status rsm__fill_nt(rsm_error *reterr, int32_t code, const char *call, const char *subject);
rsm_status rsm__fill_hresult(rsm_error *reterr, int32_t code, const char *call, const char *subject);

/* What to call: a failure is never RSM_OK, whatever the number says, and whoever reads the caller alone (an analyzer)
 * can see that. */
static inline rsm_status rsm__not_ok(rsm_status status) {
  return status == RSM_OK ? RSM_GEN_FAILURE : status;
}

static inline rsm_status rsm__fail_windows(rsm_error *reterr, uint32_t code, const char *call, const char *subject) {
  return rsm__not_ok(rsm__fill_windows(reterr, code, call, subject));
}

static inline rsm_status rsm__fail_nt(rsm_error *reterr, int32_t code, const char *call, const char *subject) {
  return rsm__not_ok(rsm__fill_nt(reterr, code, call, subject));
}

static inline rsm_status rsm__fail_hresult(rsm_error *reterr, int32_t code, const char *call, const char *subject) {
  return rsm__not_ok(rsm__fill_hresult(reterr, code, call, subject));
}

/* The status alone. */
rsm_status rsm__windows_status(uint32_t code);

#endif
