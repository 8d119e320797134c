/* uses.h: what one process (or one thread with a descriptor table of its own) uses of the registered files.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_USES_H
#define RSM_OS_LINUX_USES_H

#include <stdatomic.h>

#include "os/linux/hints.h"
#include "os/linux/named.h"
#include "os/linux/targets.h"

/* Zero-initialise, with targets and, to look at processes, all down to tick set; used for one process after the
 * other. Belongs to one thread, which may be given up: it owns all that it writes. */
typedef struct rsm__uses {
  const rsm__targets *targets;
  rsm__bounded *job;            /* the thread that looks: it hears of each step */
  const rsm__dead_mounts *dead; /* not to be touched */
  const atomic_bool *enough;    /* set: nobody wants to know any more, leave at once */
  const char *doing;            /* what the job is touching, but for the lookup of a path in between */
  int64_t boot_time;            /* ns since 1970, by the clocks as they are now */
  int64_t tick;                 /* of a process' start time, in ns */
  rsm__arena arena;             /* of the uses' text, until the next process */
  int64_t started;              /* when the process was: as boot_time */
  rsm_use *items;
  size_t count;
  size_t capacity;
  size_t exec_count;       /* the first of them: the running image */
  int descriptors_refused; /* errno: could not be read; 0: could */
  int mappings_refused;
  int program_refused;
  /* reused from process to process */
  rsm__matches matches;
  rsm__buffer text;
  rsm__buffer name;
  char *entries;
  rsm__named named;
  struct { /* the last name asked for, see rsm__uses_really_named */
    rsm__buffer text;
    uint64_t dev, ino;
    bool answer;
  } last;
} rsm__uses;

void rsm__uses_begin(rsm__uses *uses, uint64_t start_ticks); /* of another process */
void rsm__uses_done(rsm__uses *uses);

/* dir: /proc/PID or /proc/PID/task/TID. What ended meanwhile has no uses; what may not be read is noted in ..._refused.
 */
rsm_status rsm__uses_program(rsm__uses *uses, int dir, rsm_error *reterr);
rsm_status rsm__uses_descriptors(rsm__uses *uses, int dir, rsm_error *reterr);
rsm_status rsm__uses_directories(rsm__uses *uses, int dir, rsm_error *reterr); /* cwd and root */
/* The same of some descriptors, or mappings, only. */
rsm_status rsm__uses_some_descriptors(rsm__uses *uses, int dir, const rsm__hints *which, rsm_error *reterr);
rsm_status rsm__uses_some_mappings(rsm__uses *uses, int dir, const rsm__hints *which, rsm_error *reterr);
rsm_status rsm__uses_mappings(rsm__uses *uses, int dir, rsm_error *reterr); /* after the program */

/* Does the path exist, and is it that file? Tells a name that really ends with " (deleted)" from a deleted file's; dev
 * is stat's or the superblock's. */
rsm_status rsm__uses_really_named(rsm__uses *uses, const char *path, uint64_t dev, uint64_t ino, bool *ret_really,
                                  rsm_error *reterr);

/* Adds the hits in uses->matches. */
rsm_status rsm__uses_add(rsm__uses *uses, const rsm_use *use, rsm_error *reterr);

#endif
