/* holders.c: see os/holders.h. Puts together who searches (scan_proc.c, scan_kernel.c) and what for (targets.c).
 * SPDX-License-Identifier: MIT */
#include "os/holders.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/scan.h"
#include "os/linux/scanner.h"

static void findings_done(rsm__findings *found) {
  rsm__free(found->holders);
  rsm__free(found->unreadable);
}

void rsm__scan_unref(rsm__scan *scan) {
  if (atomic_fetch_sub(&scan->references, 1) != 1) return;
  rsm__targets_done(&scan->targets);
  rsm__free(scan->pids);
  rsm__free(scan->hints.items);
  findings_done(&scan->found);
  findings_done(&scan->behind);
  rsm__arena_done(&scan->arena);
  pthread_mutex_destroy(&scan->mutex);
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

rsm_status rsm__findings_add_holder(rsm__findings *found, const rsm_process *process, const char *name,
                                    const rsm__uses *uses, rsm_error *reterr) {
  rsm__holder holder = {.process = *process, .use_count = uses->count};
  holder.name = rsm__arena_strdup(found->arena, name);
  holder.uses = keep_uses(found->arena, uses);
  if ((name && !holder.name) || !holder.uses ||
      rsm__grow(&found->holders, &found->capacity, found->count + 1, sizeof holder) < 0)
    return rsm__fail_memory(reterr);
  found->holders[found->count++] = holder;
  return RSM_OK;
}

static bool keep_text(rsm__arena *arena, const char **text) {
  if (!*text) return true;
  *text = rsm__arena_strdup(arena, *text);
  return *text != NULL;
}

rsm_status rsm__findings_add_unreadable(rsm__findings *found, const rsm_unreadable *entry, rsm_error *reterr) {
  rsm_unreadable kept = *entry;
  if (!keep_text(found->arena, &kept.name) || !keep_text(found->arena, &kept.user) ||
      !keep_text(found->arena, &kept.path) || !keep_text(found->arena, &kept.reason) ||
      rsm__grow(&found->unreadable, &found->unreadable_capacity, found->unreadable_count + 1, sizeof kept) < 0)
    return rsm__fail_memory(reterr);
  found->unreadable[found->unreadable_count++] = kept;
  return RSM_OK;
}

static rsm_status add_gaps(rsm__scan *scan, rsm_error *reterr) {
  const rsm__trees *trees = &scan->targets.trees;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < trees->gap_count && status == RSM_OK; i++) {
    const rsm_unreadable entry = {.path = trees->gaps[i].path, .reason = trees->gaps[i].reason};
    status = rsm__findings_add_unreadable(&scan->found, &entry, reterr);
  }
  return status;
}

/* A pid may be another process' by now. */
static void keep_asked(rsm__findings *found, const rsm_process *only, size_t only_count) {
  size_t kept = 0;
  for (size_t i = 0; i < found->count; i++) {
    bool asked = false;
    for (size_t at = 0; at < only_count && !asked; at++)
      asked = rsm_process_equal(&found->holders[i].process, &only[at]);
    if (asked) found->holders[kept++] = found->holders[i];
  }
  found->count = kept;
}

static rsm_status finish(const rsm__findings *found, rsm__holders *ret_holders, rsm_error *reterr) {
  const rsm__holders result = {
      .holders = keep_array(found->arena, found->holders, found->count * sizeof *found->holders),
      .count = found->count,
      .unreadable = keep_array(found->arena, found->unreadable, found->unreadable_count * sizeof *found->unreadable),
      .unreadable_count = found->unreadable_count,
      .complete = found->unreadable_count == 0};
  if (!result.holders || !result.unreadable) return rsm__fail_memory(reterr);
  *ret_holders = result;
  return RSM_OK;
}

static void unref_scan(rsm__scan **scan) {
  rsm__scan_unref(*scan);
}

rsm_status rsm__holders_find_among(const rsm_process *only, size_t only_count, const rsm__target *targets, size_t count,
                                   rsm__lookup *lookup, rsm__task *task, rsm__arena *arena, rsm__holders *ret_holders,
                                   rsm_error *reterr) {
  rsm__scan *fresh = rsm__calloc(1, sizeof *fresh);
  if (!fresh) return rsm__fail_memory(reterr);
  RSM_CLEAN(unref_scan) rsm__scan *scan = fresh;
  atomic_init(&scan->references, 1);
  pthread_mutex_init(&scan->mutex, NULL); /* cannot fail on Linux */
  scan->task = task;
  scan->only = only;
  scan->only_count = only_count;
  scan->found.arena = arena;
  scan->behind.arena = &scan->arena;
  rsm_status status = count > 0 ? rsm__targets_build(&scan->targets, targets, count, lookup, task, reterr) : RSM_OK;
  if (status == RSM_OK) status = add_gaps(scan, reterr);
  if (status == RSM_OK && count > 0 && !only) status = rsm__scan_kernel(scan, reterr);
  uint64_t began = rsm__scanner_now();
  if (status == RSM_OK && count > 0 && !only) status = rsm__scan_bpf(scan, reterr);
  if (status == RSM_OK && count > 0) status = rsm__scan_processes(scan, reterr);
  if (status == RSM_OK && count > 0) rsm__scanner_took(rsm__scanner_now() - began);
  if (status == RSM_OK && only) keep_asked(&scan->found, only, only_count);
  return status == RSM_OK ? finish(&scan->found, ret_holders, reterr) : status;
}

rsm_status rsm__holders_find(const rsm__target *targets, size_t count, rsm__lookup *lookup, rsm__task *task,
                             rsm__arena *arena, rsm__holders *ret_holders, rsm_error *reterr) {
  return rsm__holders_find_among(NULL, 0, targets, count, lookup, task, arena, ret_holders, reterr);
}
