/* launch_prepare.h: everything that a start needs and that must not be done between fork and exec.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_LAUNCH_PREPARE_H
#define RSM_OS_LINUX_LAUNCH_PREPARE_H

#include "os/launch.h"
#include "os/linux/launch_child.h"

/* A plan and what it owns. */
typedef struct rsm__launch_prepared {
  rsm__launch_plan plan;
  rsm__capture capture;
  uint32_t notes;           /* RSM__NOTE_ bits that are known before the start */
  int own_record, own_lock; /* copies above 2 where the caller's are not; else -1 */
} rsm__launch_prepared;

/* Text in the arena. After a failure, too, rsm__launch_prepared_done is called.
 * RSM_BAD_ARGUMENTS: the capture is malformed. RSM_ACCESS_DENIED: it ran with rights that we may not give.
 * RSM_NOT_SUPPORTED: there was an obstacle already when it was captured. */
rsm_status rsm__launch_prepare(const rsm__launch_request *request, rsm__arena *arena,
                               rsm__launch_prepared *ret_prepared, rsm_error *reterr);
void rsm__launch_prepared_done(rsm__launch_prepared *prepared);

/* The descriptor, or a copy above 2, which the child is about to give another meaning. Takes *fd. -1 and errno. */
int rsm__launch_above_streams(int *fd);

#endif
