/* walker.h: the program that walks through all tasks in the kernel (bpf/walk.c), loaded once and kept for the life of
 * the process: for all sessions, one listing at a time. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_WALKER_H
#define RSM_OS_LINUX_WALKER_H

#include <stdbool.h>

#include "os/linux/bpf/layout.h"
#include "rsm.h"

/* May this thread load and run such programs (CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN)? */
bool rsm__walker_permitted(void);
/* Is it loaded in this process? Then a listing costs next to nothing. */
bool rsm__walker_loaded(void);

/* Takes it for one listing; loads it where it is not. *ret_memory: zeroed but for what the kernel's layout filled in,
 * the caller's until rsm__walker_leave. RSM_BUSY: another listing has it. RSM_NOT_SUPPORTED, ...: in words why it
 * cannot be had; what the kernel refused once is not tried again. */
rsm_status rsm__walker_enter(rsm__walk_memory **ret_memory, rsm_error *reterr);
void rsm__walker_leave(void);

/* Between the two: a descriptor through which one walk is read: records, until the end of the file. The caller closes
 * it. -1: errno. Does not block: the walk takes no lock. */
int rsm__walker_begin(void);

#endif
