/* scan.h: one listing under way: what is searched for, and what was found so far.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SCAN_H
#define RSM_OS_LINUX_SCAN_H

#include <pthread.h>
#include <stdatomic.h>

#include "os/holders.h"
#include "os/linux/uses.h"

/* What was found: all that it points to is in the arena. */
typedef struct rsm__findings {
  rsm__arena *arena;
  rsm__holder *holders;
  size_t count;
  size_t capacity;
  rsm_unreadable *unreadable; /* any entry makes the listing incomplete */
  size_t unreadable_count;
  size_t unreadable_capacity;
} rsm__findings;

/* Shared by the listing and the threads that look at processes for it: the last of them frees it. The threads read
 * targets and pids, which no longer change then; the rest they write within rsm__bounded_enter and leave alone,
 * and the listing, when no thread is waited for. */
typedef struct rsm__scan {
  atomic_uint references;
  rsm__targets targets;
  const rsm_process *only; /* the caller's: nobody but these; NULL: all. Not read by the threads */
  size_t only_count;
  uint32_t *pids; /* ascending */
  size_t pid_count;
  bool hinted; /* only who has hints is looked at */
  rsm__hints hints;
  pthread_mutex_t mutex;
  size_t next;         /* with the mutex: the process being looked at from the front; those before it are done */
  size_t end;          /* with the mutex: those from here on are done, by the thread that works from the end */
  atomic_bool enough;  /* all are done, or nobody waits for the rest */
  rsm_process present; /* the one at `next`, as soon as its stat was read */
  rsm__task *task;
  rsm__findings found;  /* in the caller's arena */
  rsm__findings behind; /* of the thread that works from the end: descending */
  rsm__arena arena;     /* of behind */
} rsm__scan;

void rsm__scan_unref(rsm__scan *scan);

/* Copies the uses; name as in rsm__holder, copied, too. */
rsm_status rsm__findings_add_holder(rsm__findings *found, const rsm_process *process, const char *name,
                                    const rsm__uses *uses, rsm_error *reterr);
/* Copies all texts. */
rsm_status rsm__findings_add_unreadable(rsm__findings *found, const rsm_unreadable *entry, rsm_error *reterr);

/* scan_proc.c: every process, in threads that can be given up. A process that does not answer within the lookup's limit
 * is one entry in unreadable; after a handful of them the rest is one. Whole processes may be hidden from us: then one
 * entry in unreadable says so. */
rsm_status rsm__scan_processes(rsm__scan *scan, rsm_error *reterr);
/* scan_bpf.c: finds out by a walk in the kernel whom to look at, if it is to be had and pays: scan->hints. Anything
 * that casts doubt on it leaves the scan as it was, and what it was is in rsm__scanner_tell. RSM_CANCELLED: the only
 * failure. */
rsm_status rsm__scan_bpf(rsm__scan *scan, rsm_error *reterr);
/* scan_kernel.c: loop devices, swap, mounts. */
rsm_status rsm__scan_kernel(rsm__scan *scan, rsm_error *reterr);

#endif
