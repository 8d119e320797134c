/* scan.h: one listing under way: what is searched for, whom there is, and what was found so far.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_SCAN_H
#define RSM_OS_WINDOWS_SCAN_H

#include <stdatomic.h>

#include "os/holders.h"
#include "os/windows/uses.h"

/* What could not be asked of a process. */
typedef struct rsm__scan_mark {
  bool skipped;     /* nobody wants to know of it */
  uint32_t program; /* GetLastError(), 0: nothing was refused */
  uint32_t mappings;
  uint32_t handles;
  bool secret;        /* it is left alone: it keeps the system's secrets */
  bool silent_memory; /* its memory did not answer */
  size_t silent;      /* how many of its handles did not */
  size_t passed_over; /* handles that nobody got to */
} rsm__scan_mark;

/* A use that was found, and whose. */
typedef struct rsm__scan_use {
  size_t process; /* of the list */
  size_t order;   /* of the step that found it, from which its place in the list comes */
  rsm__found_use found;
} rsm__scan_use;

/* Shared by the listing and the threads that look for it: the last of them frees it. Targets and processes no longer
 * change when the threads begin; all else is guarded by the lock. */
typedef struct rsm__scan {
  atomic_uint references;
  rsm__targets targets;
  rsm__process_list processes;
  rsm__views views;         /* with a lock of its own */
  rsm__handle_list handles; /* freed when the listing ends: who was given up has a copy of what he needs */
  SRWLOCK lock;
  CONDITION_VARIABLE changed; /* a step was taken, or the last one */
  bool at_handles;            /* first each process' program and mappings, which hardly ever hang; then handles */
  size_t process;             /* the next step: of this process, */
  size_t step;                /* 0: its program and mappings; then its handles */
  size_t taken;               /* steps so far */
  bool enough;                /* nobody waits for the rest */
  rsm_status status;          /* the first failure ends it all */
  rsm_error error;
  rsm__scan_mark *marks; /* by process */
  rsm__scan_use *uses;
  size_t use_count;
  size_t use_capacity;
  rsm__arena arena; /* of the uses' paths */
} rsm__scan;

void rsm__scan_unref(rsm__scan *scan);

/* Looks at all processes that are not skipped. RSM_CANCELLED. */
rsm_status rsm__scan_run(rsm__scan *scan, rsm__task *task, rsm_error *reterr);

#endif
