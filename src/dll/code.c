/* code.c: the number that Windows' interface has for what happened. SPDX-License-Identifier: MIT */
#include "dll/code.h"

DWORD rsm__code_of(rsm_status status) {
  switch (status) {
  case RSM_OK:
  case RSM_BAD_ARGUMENTS:
  case RSM_INVALID_HANDLE:
  case RSM_MAX_SESSIONS:
  case RSM_NOACTION_REBOOT:
  case RSM_FAIL_SHUTDOWN:
  case RSM_FAIL_RESTART:
  case RSM_OUT_OF_SEQUENCE:
  case RSM_CREDENTIAL_CONFLICT:
  case RSM_CANCELLED:
  case RSM_OUT_OF_MEMORY:
  case RSM_SEM_TIMEOUT:
    return (DWORD)rsm_status_number(status);
  case RSM_BUSY: /* a shortage of handles or threads: calls on one session never meet */
    return ERROR_OUTOFMEMORY;
  default: /* the session's records could not be kept or read, or something of the system's failed */
    return ERROR_WRITE_FAULT;
  }
}
