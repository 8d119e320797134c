/* wait.h: waiting for processes to end. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WAIT_H
#define RSM_OS_WAIT_H

#include "os/process.h"
#include "os/task.h"

/* Blocks until at least one of the processes has ended or has something to answer (rsm__process_answer), deadline_ms
 * (rsm__clock_ms) has come, or the task (NULL: none) is cancelled. Returns how many have ended. ended[i], if ended is
 * not NULL, tells which. NULL elements are passed over. */
size_t rsm__wait_any(rsm__process *const *processes, size_t count, uint64_t deadline_ms, rsm__task *task, bool *ended);

#endif
