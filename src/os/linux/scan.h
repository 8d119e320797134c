/* scan.h: one listing under way: what is searched for, and what was found so far.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SCAN_H
#define RSM_OS_LINUX_SCAN_H

#include "os/holders.h"
#include "os/linux/uses.h"

/* Zero-initialise, with targets, task, arena set, and the same targets and arena in uses. */
typedef struct rsm__scan {
  rsm__targets *targets;
  rsm__task *task;
  rsm__arena *arena; /* gets all that the results point to */
  rsm__uses uses;
  rsm__holder *holders;
  size_t count;
  size_t capacity;
  rsm_unreadable *unreadable; /* any entry makes the listing incomplete */
  size_t unreadable_count;
  size_t unreadable_capacity;
} rsm__scan;

void rsm__scan_done(rsm__scan *scan);

/* Copies the uses found last; name as in rsm__holder, copied, too. */
rsm_status rsm__scan_add_holder(rsm__scan *scan, const rsm_process *process, const char *name, rsm_error *reterr);
/* Copies all texts. */
rsm_status rsm__scan_add_unreadable(rsm__scan *scan, const rsm_unreadable *entry, rsm_error *reterr);

/* scan_proc.c: every process. Whole processes may be hidden from us: then one entry in unreadable says so. */
rsm_status rsm__scan_processes(rsm__scan *scan, rsm_error *reterr);
/* scan_kernel.c: loop devices, swap, mounts. */
rsm_status rsm__scan_kernel(rsm__scan *scan, rsm_error *reterr);

#endif
