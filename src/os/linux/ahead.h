/* ahead.h: what a process will be asked for soon, read by a thread beside the caller (rsm__process_read_ahead).
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_AHEAD_H
#define RSM_OS_LINUX_AHEAD_H

#include "os/linux/capture.h"
#include "os/linux/question.h"
#include "os/process.h"

/* Borrows all three until rsm__ahead_free. NULL: it cannot be done now. */
typedef struct rsm__ahead rsm__ahead;
rsm__ahead *rsm__ahead_begin(const rsm__process *process, rsm__lookup *lookup, rsm__task *task);
rsm__ahead *rsm__ahead_free(rsm__ahead *ahead); /* NULL-tolerant; returns NULL */

/* Both wait for the thread, and give what it read once, with its text. False: it was not read ahead, or taken already:
 * ask anew. *ret_status: as of rsm__process_read, or what came of reading; only with RSM_OK is the result filled. */
bool rsm__ahead_take_facts(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts,
                           rsm_status *ret_status, rsm_error *reterr);
bool rsm__ahead_take_capture(const rsm__process *process, rsm__arena *arena, rsm__capture *ret_capture,
                             rsm_status *ret_status, rsm_error *reterr);

/* ---- What the thread does ---- */

/* dir: /proc/PID. Both may wait for the process. *ret_cgroup: its control group, NULL: not known. */
rsm_status rsm__facts_read(int dir, rsm__arena *arena, rsm__process_facts *ret_facts, const char **ret_cgroup,
                           rsm_error *reterr);
rsm_status rsm__capture_read(int dir, uint32_t pid, bool with_environment, rsm__arena *arena, rsm__capture *ret_capture,
                             rsm_error *reterr);

#endif
