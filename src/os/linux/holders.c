/* holders.c: see os/holders.h. Puts together who searches (scan_proc.c, scan_kernel.c) and what for (targets.c).
 * SPDX-License-Identifier: MIT */
#include "os/holders.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/scan.h"

void rsm__scan_unref(rsm__scan *scan) {
  if (atomic_fetch_sub(&scan->references, 1) != 1) return;
  rsm__targets_done(&scan->targets);
  rsm__free(scan->pids);
  rsm__free(scan->holders);
  rsm__free(scan->unreadable);
  rsm__free(scan);
}

/* A copy of an array in the arena. NULL: out of memory. */
static void *keep_array(rsm__arena *arena, const void *items, size_t size) {
  void *copy = rsm__arena_alloc(arena, size);
  if (copy && size > 0) memcpy(copy, items, size);
  return copy;
}

/* NULL: out of memory. The resource is the caller's text already. */
static const rsm_use *keep_uses(rsm__arena *arena, const rsm__uses *uses) {
  rsm_use *kept = keep_array(arena, uses->items, uses->count * sizeof *kept);
  for (size_t i = 0; kept && i < uses->count; i++) {
    kept[i].path = rsm__arena_strdup(arena, kept[i].path);
    if (!kept[i].path) return NULL;
  }
  return kept;
}

rsm_status rsm__scan_add_holder(rsm__scan *scan, const rsm_process *process, const char *name, const rsm__uses *uses,
                                rsm_error *reterr) {
  rsm__holder holder = {.process = *process, .use_count = uses->count};
  holder.name = rsm__arena_strdup(scan->arena, name);
  holder.uses = keep_uses(scan->arena, uses);
  if ((name && !holder.name) || !holder.uses ||
      rsm__grow(&scan->holders, &scan->capacity, scan->count + 1, sizeof holder) < 0)
    return rsm__fail_memory(reterr);
  scan->holders[scan->count++] = holder;
  return RSM_OK;
}

static bool keep_text(rsm__arena *arena, const char **text) {
  if (!*text) return true;
  *text = rsm__arena_strdup(arena, *text);
  return *text != NULL;
}

rsm_status rsm__scan_add_unreadable(rsm__scan *scan, const rsm_unreadable *entry, rsm_error *reterr) {
  rsm_unreadable kept = *entry;
  if (!keep_text(scan->arena, &kept.name) || !keep_text(scan->arena, &kept.user) ||
      !keep_text(scan->arena, &kept.path) || !keep_text(scan->arena, &kept.reason) ||
      rsm__grow(&scan->unreadable, &scan->unreadable_capacity, scan->unreadable_count + 1, sizeof kept) < 0)
    return rsm__fail_memory(reterr);
  scan->unreadable[scan->unreadable_count++] = kept;
  return RSM_OK;
}

static rsm_status add_gaps(rsm__scan *scan, rsm_error *reterr) {
  const rsm__trees *trees = &scan->targets.trees;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < trees->gap_count && status == RSM_OK; i++) {
    const rsm_unreadable entry = {.path = trees->gaps[i].path, .reason = trees->gaps[i].reason};
    status = rsm__scan_add_unreadable(scan, &entry, reterr);
  }
  return status;
}

static rsm_status finish(const rsm__scan *scan, rsm__holders *ret_holders, rsm_error *reterr) {
  const rsm__holders found = {
      .holders = keep_array(scan->arena, scan->holders, scan->count * sizeof *scan->holders),
      .count = scan->count,
      .unreadable = keep_array(scan->arena, scan->unreadable, scan->unreadable_count * sizeof *scan->unreadable),
      .unreadable_count = scan->unreadable_count,
      .complete = scan->unreadable_count == 0};
  if (!found.holders || !found.unreadable) return rsm__fail_memory(reterr);
  *ret_holders = found;
  return RSM_OK;
}

static void unref_scan(rsm__scan **scan) {
  rsm__scan_unref(*scan);
}

rsm_status rsm__holders_find(const rsm__target *targets, size_t count, rsm__lookup *lookup, rsm__task *task,
                             rsm__arena *arena, rsm__holders *ret_holders, rsm_error *reterr) {
  rsm__scan *fresh = rsm__calloc(1, sizeof *fresh);
  if (!fresh) return rsm__fail_memory(reterr);
  RSM_CLEAN(unref_scan) rsm__scan *scan = fresh;
  atomic_init(&scan->references, 1);
  scan->task = task;
  scan->arena = arena;
  rsm_status status = count > 0 ? rsm__targets_build(&scan->targets, targets, count, lookup, task, reterr) : RSM_OK;
  if (status == RSM_OK) status = add_gaps(scan, reterr);
  if (status == RSM_OK && count > 0) status = rsm__scan_kernel(scan, reterr);
  if (status == RSM_OK && count > 0) status = rsm__scan_processes(scan, reterr);
  return status == RSM_OK ? finish(scan, ret_holders, reterr) : status;
}
