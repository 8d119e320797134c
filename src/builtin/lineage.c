/* lineage.c: SPDX-License-Identifier: MIT */
#include "builtin/lineage.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "os/process.h"

enum { DEPTH_LIMIT = 1024 }; /* parents may change under us: a circle must not hold us */

struct rsm__kin {
  rsm_process child, parent;
};

void rsm__lineage_done(rsm__lineage *lineage) {
  rsm__free(lineage->items);
  *lineage = (rsm__lineage){0};
}

rsm_status rsm__lineage_add(rsm__lineage *lineage, const rsm_process *child, const rsm_process *parent,
                            rsm_error *reterr) {
  if (rsm__grow(&lineage->items, &lineage->capacity, lineage->count + 1, sizeof *lineage->items) < 0)
    return rsm__fail_memory(reterr);
  lineage->items[lineage->count++] = (struct rsm__kin){*child, *parent};
  return RSM_OK;
}

bool rsm__lineage_parent(rsm__lineage *lineage, const rsm_process *child, rsm_process *ret_parent) {
  for (size_t i = 0; i < lineage->count; i++) {
    if (!rsm_process_equal(&lineage->items[i].child, child)) continue;
    *ret_parent = lineage->items[i].parent;
    return ret_parent->pid != 0;
  }
  rsm__process *process;
  rsm_process parent = {0};
  rsm_status status = rsm__process_open(child, &process, NULL);
  if (status == RSM_OK) {
    status = rsm__process_parent(process, &parent, NULL);
    if (status != RSM_OK) parent = (rsm_process){0};
    rsm__process_close(process);
  }
  if (rsm__is_shortage(status)) lineage->failed = true;
  if (rsm__lineage_add(lineage, child, &parent, NULL) != RSM_OK) lineage->failed = true;
  *ret_parent = parent;
  return parent.pid != 0;
}

unsigned rsm__lineage_depth(rsm__lineage *lineage, const rsm_process *process) {
  rsm_process at = *process;
  unsigned depth = 0;
  while (depth < DEPTH_LIMIT && rsm__lineage_parent(lineage, &at, &at)) depth++;
  return depth;
}
