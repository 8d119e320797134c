/* reading.h: the facts of a process and what starting it again needs, read in a thread that can be given up: when they
 * are asked for, or before that, beside the caller (rsm__process_read_ahead). SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_READING_H
#define RSM_OS_LINUX_READING_H

#include "os/linux/capture.h"
#include "os/linux/question.h"
#include "os/process.h"

/* Both pieces, ahead. Borrows all three until rsm__ahead_free. NULL: it cannot be done now. */
typedef struct rsm__ahead rsm__ahead;
rsm__ahead *rsm__ahead_begin(const rsm__process *process, rsm__lookup *lookup, rsm__task *task);
rsm__ahead *rsm__ahead_free(rsm__ahead *ahead); /* NULL-tolerant; returns NULL */

/* A piece with its text: what was read ahead, once; else it is read now. RSM_TIMEOUT: the process did not answer. */
rsm_status rsm__reading_facts(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts,
                              rsm_error *reterr);
rsm_status rsm__reading_capture(const rsm__process *process, bool with_environment, rsm__arena *arena,
                                rsm__capture *ret_capture, rsm_error *reterr);

/* ---- What the thread does ---- */

/* dir: /proc/PID. Both may wait for the process. *ret_cgroup: its control group, NULL: not known. */
rsm_status rsm__facts_read(int dir, rsm__arena *arena, rsm__process_facts *ret_facts, const char **ret_cgroup,
                           rsm_error *reterr);
rsm_status rsm__capture_read(int dir, uint32_t pid, bool with_environment, rsm__arena *arena, rsm__capture *ret_capture,
                             rsm_error *reterr);

#endif
