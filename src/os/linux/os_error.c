/* os_error.c: the one translation of errno. Does not define _GNU_SOURCE: it needs POSIX' strerror_r.
 * SPDX-License-Identifier: MIT */
#include "os/linux/os_error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

rsm_status rsm__errno_status(int code) {
  switch (code) {
  case 0:
    return RSM_OK;
  case EACCES:
  case EPERM:
  case EEXIST: /* somebody else's file stands where ours was to be */
  case ELOOP:  /* a link where none is followed */
    return RSM_ACCESS_DENIED;
  case ENOENT:
  case ENOTDIR:
    return RSM_FILE_NOT_FOUND;
  case ESRCH:
    return RSM_NOT_FOUND;
  case ENOMEM:
    return RSM_OUT_OF_MEMORY;
  case ETIMEDOUT:
    return RSM_TIMEOUT;
  case EMFILE:
  case ENFILE:
  case EAGAIN: /* no more threads or processes, or a lock that is held */
  case EBUSY:
    return RSM_BUSY;
  case EROFS:
  case ENOSPC:
  case EDQUOT:
  case EFBIG:
  case EIO:
    return RSM_WRITE_FAULT;
  case ENOSYS:
  case EOPNOTSUPP:
  case ENOTTY:
    return RSM_NOT_SUPPORTED;
  case E2BIG:
  case ENAMETOOLONG:
  case EOVERFLOW:
  case ERANGE:
    return RSM_INVALID_PARAMETER;
  case ECANCELED:
    return RSM_CANCELLED;
  default:
    return RSM_GEN_FAILURE;
  }
}

rsm_status rsm__fail_errno(rsm_error *reterr, int code, const char *call, const char *subject) {
  int before = errno;
  char text[96];
  if (strerror_r(code, text, sizeof text) != 0) snprintf(text, sizeof text, "error %d", code);
  errno = before;
  return rsm__fail_call(reterr, rsm__errno_status(code), call, code, text, subject);
}
