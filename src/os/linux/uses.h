/* uses.h: what one process (or one thread with a descriptor table of its own) uses of the registered files.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_USES_H
#define RSM_OS_LINUX_USES_H

#include "os/linux/targets.h"

/* Zero-initialise, with targets and arena set; used for one process after the other. */
typedef struct rsm__uses {
  rsm__targets *targets;
  rsm__arena *arena; /* gets the results' text */
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
} rsm__uses;

void rsm__uses_begin(rsm__uses *uses); /* of another process */
void rsm__uses_done(rsm__uses *uses);

/* dir: /proc/PID or /proc/PID/task/TID. What ended meanwhile has no uses; what may not be read is noted in ..._refused.
 */
rsm_status rsm__uses_program(rsm__uses *uses, int dir, rsm_error *reterr);
rsm_status rsm__uses_descriptors(rsm__uses *uses, int dir, rsm_error *reterr);
rsm_status rsm__uses_directories(rsm__uses *uses, int dir, rsm_error *reterr); /* cwd and root */
rsm_status rsm__uses_mappings(rsm__uses *uses, int dir, rsm_error *reterr);    /* after the program */

/* Adds the hits in uses->matches. */
rsm_status rsm__uses_add(rsm__uses *uses, const rsm_use *use, rsm_error *reterr);

#endif
