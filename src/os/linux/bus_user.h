/* bus_user.h: sockets of managers. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_BUS_USER_H
#define RSM_OS_LINUX_BUS_USER_H

#include <stdint.h>

#include "rsm.h"

/* Connects to the socket; does not wait. RSM_NOT_FOUND: nobody listens. RSM_TIMEOUT: the listener takes no more. */
rsm_status rsm__bus_connect(const char *path, int *ret_fd, rsm_error *reterr);

/* A connection to the private socket of that user's manager, as that user; the caller owns it. RSM_NOT_FOUND: it does
 * not run. RSM_ACCESS_DENIED: neither that user nor root. Blocks for at most limit_ms. */
rsm_status rsm__bus_connect_user(uint32_t uid, int limit_ms, int *ret_fd, rsm_error *reterr);

#endif
