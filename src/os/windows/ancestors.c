/* ancestors.c: we and who started us, out of one list: so no number changes hands between two steps. Under Wine what a
 * Unix shell has started has no parent. SPDX-License-Identifier: MIT */
#include "os/process.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/process_list.h"

static const rsm__listed_process *next(const rsm__process_list *list, const rsm__listed_process *at, size_t depth) {
  /* Parents are no younger than their children; equal times in a circle are the only way not to come to an end. */
  return depth < list->count ? rsm__process_list_parent(list, at) : NULL;
}

rsm_status rsm__process_ancestors(rsm__arena *arena, const rsm_process **ret_ancestors, size_t *ret_count,
                                  rsm_error *reterr) {
  RSM_CLEAN(rsm__process_list_done) rsm__process_list list = {0};
  rsm_status status = rsm__process_list_read(&list, reterr);
  if (status != RSM_OK) return status;
  const rsm__listed_process *self = rsm__process_list_find(&list, rsm__process_self());
  if (!self) return rsm__fail(reterr, RSM_GEN_FAILURE, NULL, "the system's list of processes does not show us");
  size_t count = 0;
  for (const rsm__listed_process *at = self; at; at = next(&list, at, count)) count++;
  rsm_process *ancestors = rsm__arena_alloc(arena, count * sizeof *ancestors);
  if (!ancestors) return rsm__fail_memory(reterr);
  size_t filled = 0;
  for (const rsm__listed_process *at = self; at && filled < count; at = next(&list, at, filled))
    ancestors[filled++] = at->id;
  *ret_ancestors = ancestors;
  *ret_count = filled;
  return RSM_OK;
}
