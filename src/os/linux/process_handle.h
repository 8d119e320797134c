/* process_handle.h: what the other files of this folder may see of an rsm__process. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_PROCESS_HANDLE_H
#define RSM_OS_LINUX_PROCESS_HANDLE_H

#include "os/common/bounded.h"
#include "os/linux/procfs.h"
#include "os/process.h"

/* Borrowed: polls readable once the process has ended; for pidfd_send_signal and pidfd_getfd. */
int rsm__process_pidfd(const rsm__process *process);

/* The pidfd's inode where it names the process for ever (pidfs); elsewhere all pidfds share one number, and this is 0.
 */
uint64_t rsm__pidfd_instance(int pidfd);

/* /proc/PID of exactly this process, for rsm__procfs_read and openat; the caller closes it. No later check is needed:
 * what is read through it is this process', or fails with RSM_NOT_FOUND once it is reaped. RSM_NOT_FOUND: it has ended.
 * RSM_ACCESS_DENIED: /proc hides it from us. */
rsm_status rsm__process_open_proc(const rsm__process *process, int *ret_dir, rsm_error *reterr);

/* Runs work, which reads what may wait for the process: as rsm__process_within says, in a thread that can be given up,
 * or here if nobody said (job is NULL then). RSM_OK: done. RSM_TIMEOUT: it did not answer. The argument is freed unless
 * RSM_OK is returned; it owns all that work touches, so also its /proc/PID. */
rsm_status rsm__process_read(const rsm__process *process, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                             void *argument, rsm_error *reterr);

/* What is being read of it ahead (reading.h); NULL: nothing. */
struct rsm__ahead *rsm__process_ahead(const rsm__process *process);

/* Program file without the kernel's " (deleted)", in the arena. dir: of rsm__process_open_proc or rsm__procfs_open.
 * RSM_NOT_FOUND: it has none (a kernel thread) or has ended. */
rsm_status rsm__procfs_exe(int dir, rsm__arena *arena, const char **ret_exe, rsm_error *reterr);

/* The parent of the process behind dir, as it was at one moment; pid 0: none that we can see (the first process of our
 * pid namespace, one whose parent is outside of it, or hidden from us). known: what its stat said just now, or NULL.
 * RSM_NOT_FOUND: the process behind dir has been reaped. */
rsm_status rsm__procfs_parent(int dir, const rsm__proc_stat *known, rsm_process *ret_parent, rsm_error *reterr);

#endif
