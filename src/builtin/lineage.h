/* lineage.h: who descends from whom, as it is now; each process is looked at once. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_LINEAGE_H
#define RSM_BUILTIN_LINEAGE_H

#include "rsm.h"

typedef struct rsm__lineage {
  struct rsm__kin *items;
  size_t count, capacity;
  bool failed;  /* something could not be looked at for want of memory or descriptors: the answers are not to be trusted
                 */
} rsm__lineage; /* zero-initialise */

void rsm__lineage_done(rsm__lineage *lineage);
rsm_status rsm__lineage_add(rsm__lineage *lineage, const rsm_process *child, const rsm_process *parent,
                            rsm_error *reterr);
/* The parent's identity; false: none that we can see. */
bool rsm__lineage_parent(rsm__lineage *lineage, const rsm_process *child, rsm_process *ret_parent);
/* Number of ancestors. */
unsigned rsm__lineage_depth(rsm__lineage *lineage, const rsm_process *process);

#endif
