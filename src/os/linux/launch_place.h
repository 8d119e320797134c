/* launch_place.h: where among the control groups a program is started. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_LAUNCH_PLACE_H
#define RSM_OS_LINUX_LAUNCH_PLACE_H

#include "os/linux/capture.h"
#include "os/process.h"

/* Puts the process, which waits for us and has become its user, where its program is to run: under systemd into a scope
 * of its own (scope.h), elsewhere and if there is none into the group that the program was in, if that still exists.
 * *ret_beside_us: it stays in ours, and ends with us if a service manager ends our unit. Fails only for want of memory
 * or descriptors. Blocks as rsm__scope_start does. */
rsm_status rsm__launch_place(const rsm__capture *capture, const rsm__process *process, bool *ret_beside_us,
                             rsm_error *reterr);

#endif
