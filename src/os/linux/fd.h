/* fd.h: descriptors that close themselves. A descriptor has one owner: the variable marked RSM_CLEAN_FD, or who took
 * it. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_FD_H
#define RSM_OS_LINUX_FD_H

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Closes *fd unless it is -1, and makes it -1. Keeps errno. EINTR is not retried: Linux has closed it by then. */
static inline void rsm__fd_close(int *fd) {
  if (*fd < 0) return;
  int before = errno;
  close(*fd);
  errno = before;
  *fd = -1;
}

/* Gives the descriptor away: the caller owns it now. */
static inline int rsm__fd_take(int *fd) {
  int taken = *fd;
  *fd = -1;
  return taken;
}

#define RSM_CLEAN_FD RSM_CLEAN(rsm__fd_close)

#endif
