/* run.h: an operation run to its end on the caller's thread, with Windows' status callback. SPDX-License-Identifier:
 * MIT */
#ifndef RSM_DLL_RUN_H
#define RSM_DLL_RUN_H

#include <windows.h>
#include <restartmanager.h>

#include "dll/table.h"

/* Steps op until it is done; its result can be taken then. The callback (may be NULL) gets 0 first, then each
 * percentage that is higher than the one before it, and 100 last if all went well. It may cancel, and call anything on
 * other sessions. */
rsm_status rsm__run(const rsm__slot *slot, rsm_op *op, RM_WRITE_STATUS_CALLBACK callback);

#endif
