/* calls.h: the native calls that take their time: RmGetList, RmShutdown, RmRestart, made by an operation's task.
 *
 * The callback of the last two knows no context. So one of them at a time may run in a process, whatever the session;
 * and Windows promises only that RmCancelCurrentTask may be called from another thread, so that another thread calls
 * it. SPDX-License-Identifier: MIT */
#ifndef RSM_SYSTEM_CALLS_H
#define RSM_SYSTEM_CALLS_H

#include "system/system.h"

/* The right to make a call with a callback. RSM_BUSY: another operation of this process has it. */
rsm_status rsm__calls_reserve(rsm__system_op *op, rsm_error *reterr);
void rsm__calls_release(rsm__system_op *op); /* does nothing if op does not have it */

/* *ret_code: what the function has returned. Any other status than RSM_OK: it was not called. The progress is in
 * op->percent, below 100, and shown to the owner as it rises. */
rsm_status rsm__calls_shutdown(rsm__system_op *op, ULONG flags, DWORD *ret_code, rsm_error *reterr);
rsm_status rsm__calls_restart(rsm__system_op *op, DWORD *ret_code, rsm_error *reterr);

/* The whole list, to be freed with rsm__free. RSM_MORE_DATA: it grew at each of several attempts. */
rsm_status rsm__calls_list(rsm__system_op *op, RM_PROCESS_INFO **ret_apps, size_t *ret_count, DWORD *ret_reasons,
                           rsm_error *reterr);

#endif
