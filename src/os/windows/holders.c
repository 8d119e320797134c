/* holders.c: see os/holders.h. Puts together who searches (scan.c) and what for (targets.c).
 * SPDX-License-Identifier: MIT
 *
 * call                                  | purpose                          | blocks on
 * OpenProcess, OpenProcessToken         | whose a refused process is       | nothing
 * rsm__targets_build, rsm__scan_run     | all else                         | see there */
#include "os/holders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "os/windows/account.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/scan.h"

/* What was found, in the arena of whoever asked. */
typedef struct findings {
  rsm__arena *arena;
  rsm__holder *holders;
  size_t count;
  size_t capacity;
  rsm_unreadable *unreadable; /* any entry makes the listing incomplete */
  size_t unreadable_count;
  size_t unreadable_capacity;
} findings;

static void findings_done(findings *found) {
  rsm__free(found->holders);
  rsm__free(found->unreadable);
}

/* ---- Who uses what ---- */

static int compare_uses(const void *a, const void *b) {
  const rsm__scan_use *left = a, *right = b;
  if (left->process != right->process) return left->process < right->process ? -1 : 1;
  return left->order < right->order ? -1 : left->order > right->order;
}

/* The mapping that says already what a section's handle says; NULL: none does. */
static rsm_use *mapping_of(rsm_use *uses, size_t count, const rsm_use *section) {
  for (size_t i = 0; i < count; i++)
    if ((uses[i].how == RSM_USE_MAP || uses[i].how == RSM_USE_EXEC) && uses[i].resource == section->resource &&
        strcmp(uses[i].path, section->path) == 0)
      return &uses[i];
  return NULL;
}

/* The uses from..to are one process'. */
static rsm_status add_holder(findings *found, const rsm__scan *scan, size_t from, size_t to, rsm_error *reterr) {
  rsm_use *uses = rsm__arena_alloc(found->arena, (to - from) * sizeof *uses);
  if (!uses) return rsm__fail_memory(reterr);
  size_t count = 0;
  for (size_t i = from; i < to; i++) {
    const rsm__found_use *use = &scan->uses[i].found;
    rsm_use *same = use->section ? mapping_of(uses, count, &use->use) : NULL;
    if (same) {
      same->access |= use->use.access;
      continue;
    }
    uses[count] = use->use;
    uses[count].path = rsm__arena_strdup(found->arena, use->use.path);
    if (!uses[count++].path) return rsm__fail_memory(reterr);
  }
  if (rsm__grow(&found->holders, &found->capacity, found->count + 1, sizeof *found->holders) < 0)
    return rsm__fail_memory(reterr);
  found->holders[found->count++] =
      (rsm__holder){.process = scan->processes.items[scan->uses[from].process].id, .uses = uses, .use_count = count};
  return RSM_OK;
}

static rsm_status add_holders(findings *found, rsm__scan *scan, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  if (scan->use_count > 0) qsort(scan->uses, scan->use_count, sizeof *scan->uses, compare_uses);
  for (size_t from = 0, to; from < scan->use_count && status == RSM_OK; from = to) {
    for (to = from + 1; to < scan->use_count && scan->uses[to].process == scan->uses[from].process;) to++;
    status = add_holder(found, scan, from, to, reterr);
  }
  return status;
}

/* ---- What could not be looked at ---- */

static rsm_status add_unreadable(findings *found, const rsm_unreadable *entry, rsm_error *reterr) {
  rsm_unreadable kept = *entry;
  kept.name = rsm__arena_strdup(found->arena, entry->name);
  kept.path = rsm__arena_strdup(found->arena, entry->path);
  kept.reason = rsm__arena_strdup(found->arena, entry->reason);
  if ((entry->name && !kept.name) || (entry->path && !kept.path) || !kept.reason ||
      rsm__grow(&found->unreadable, &found->unreadable_capacity, found->unreadable_count + 1, sizeof kept) < 0)
    return rsm__fail_memory(reterr);
  found->unreadable[found->unreadable_count++] = kept;
  return RSM_OK;
}

/* In the arena; NULL: not to be told. */
static const char *user_of(uint32_t pid, rsm__arena *arena) {
  RSM_CLEAN_HANDLE HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  rsm__sid sid;
  if (!process || !OpenProcessToken(process, TOKEN_QUERY, &token)) return NULL;
  return rsm__sid_of_token(token, &sid, NULL) == RSM_OK ? rsm__sid_name(&sid, arena) : NULL;
}

/* The text of a reason, put together of parts. */
typedef struct reason {
  char text[384];
  size_t length;
} reason;

static void put_reason(reason *r, const char *between, const char *what) {
  int written = snprintf(r->text + r->length, sizeof r->text - r->length, "%s%s", r->length > 0 ? between : "", what);
  if (written > 0) r->length += (size_t)written;
  if (r->length >= sizeof r->text) r->length = sizeof r->text - 1;
}

/* "open handles, mappings: Access is denied; 2 open handles did not answer in time" */
static void describe(const rsm__scan_mark *mark, reason *r) {
  uint32_t code = 0;
  char words[160];
  const struct {
    uint32_t code;
    const char *what;
  } refused[] = {{mark->handles, "open handles"}, {mark->mappings, "mappings"}, {mark->program, "program"}};
  for (size_t i = 0; i < RSM_COUNT(refused); i++) {
    if (!refused[i].code) continue;
    put_reason(r, ", ", refused[i].what);
    code = refused[i].code;
  }
  if (code) {
    rsm_error error = {0};
    rsm__fail_windows(&error, code, NULL, NULL);
    put_reason(r, ": ", error.os_text[0] ? error.os_text : "refused");
  }
  if (mark->secret) put_reason(r, "; ", "it keeps passwords: it was left alone, not to look like a thief");
  if (mark->silent_memory) put_reason(r, "; ", "its mappings did not answer in time");
  if (mark->silent > 0) {
    snprintf(words, sizeof words,
             "%zu open handle%s did not answer in time (a pipe that somebody waits on, or a server)", mark->silent,
             mark->silent == 1 ? "" : "s");
    put_reason(r, "; ", words);
  }
  if (mark->passed_over > 0) put_reason(r, "; ", "too much did not answer in time: it was not looked at");
}

static rsm_status add_process(findings *found, const rsm__listed_process *process, const rsm__scan_mark *mark,
                              rsm_error *reterr) {
  reason why = {.length = 0};
  describe(mark, &why);
  if (why.length == 0) return RSM_OK;
  const rsm_unreadable entry = {.process = process->id,
                                .name = process->name[0] ? process->name : NULL,
                                .user = user_of(process->id.pid, found->arena),
                                .reason = why.text};
  return add_unreadable(found, &entry, reterr);
}

static rsm_status add_gaps(findings *found, const rsm__scan *scan, rsm_error *reterr) {
  const rsm__trees *trees = &scan->targets.trees;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < trees->gap_count && status == RSM_OK; i++) {
    const rsm_unreadable entry = {.path = trees->gaps[i].path, .reason = trees->gaps[i].reason};
    status = add_unreadable(found, &entry, reterr);
  }
  for (size_t i = 0; i < scan->processes.count && status == RSM_OK; i++)
    if (!scan->marks[i].skipped) status = add_process(found, &scan->processes.items[i], &scan->marks[i], reterr);
  return status;
}

/* A copy of an array in the arena. NULL: out of memory. */
static void *keep_array(rsm__arena *arena, const void *items, size_t size) {
  void *copy = rsm__arena_alloc(arena, size);
  if (copy && size > 0) memcpy(copy, items, size);
  return copy;
}

static rsm_status conclude(rsm__scan *scan, rsm__arena *arena, rsm__holders *ret_holders, rsm_error *reterr) {
  RSM_CLEAN(findings_done) findings found = {.arena = arena};
  AcquireSRWLockExclusive(&scan->lock);
  rsm_status status = add_holders(&found, scan, reterr);
  if (status == RSM_OK) status = add_gaps(&found, scan, reterr);
  ReleaseSRWLockExclusive(&scan->lock);
  if (status != RSM_OK) return status;
  const rsm__holders result = {
      .holders = keep_array(arena, found.holders, found.count * sizeof *found.holders),
      .count = found.count,
      .unreadable = keep_array(arena, found.unreadable, found.unreadable_count * sizeof *found.unreadable),
      .unreadable_count = found.unreadable_count,
      .complete = found.unreadable_count == 0};
  if (!result.holders || !result.unreadable) return rsm__fail_memory(reterr);
  *ret_holders = result;
  return RSM_OK;
}

/* ---- A listing ---- */

static void unref_scan(rsm__scan **scan) {
  rsm__scan_unref(*scan);
}

static bool is_among(const rsm_process *process, const rsm_process *only, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (rsm_process_equal(process, &only[i])) return true;
  return false;
}

/* Processes first: who starts after that may be missed, and has no handles in the list that we could mistake. */
static rsm_status list_processes(rsm__scan *scan, const rsm_process *only, size_t only_count, rsm_error *reterr) {
  rsm_status status = rsm__process_list_read(&scan->processes, reterr);
  if (status == RSM_OK) status = rsm__handle_list_read(&scan->handles, &scan->processes, reterr);
  if (status != RSM_OK) return status;
  scan->marks = rsm__calloc(scan->processes.count, sizeof *scan->marks);
  if (!scan->marks) return rsm__fail_memory(reterr);
  for (size_t i = 0; only && i < scan->processes.count; i++)
    scan->marks[i].skipped = !is_among(&scan->processes.items[i].id, only, only_count);
  return RSM_OK;
}

rsm_status rsm__holders_find_among(const rsm_process *only, size_t only_count, const rsm__target *targets, size_t count,
                                   rsm__lookup *lookup, rsm__task *task, rsm__arena *arena, rsm__holders *ret_holders,
                                   rsm_error *reterr) {
  rsm__scan *fresh = rsm__calloc(1, sizeof *fresh);
  if (!fresh) return rsm__fail_memory(reterr);
  RSM_CLEAN(unref_scan) rsm__scan *scan = fresh;
  atomic_init(&scan->references, 1);
  InitializeSRWLock(&scan->lock);
  InitializeConditionVariable(&scan->changed);
  rsm_status status = count > 0 ? rsm__targets_build(&scan->targets, targets, count, lookup, task, reterr) : RSM_OK;
  if (status == RSM_OK && count > 0) status = list_processes(scan, only, only_count, reterr);
  if (status == RSM_OK && count > 0) status = rsm__scan_run(scan, task, reterr);
  return status == RSM_OK ? conclude(scan, arena, ret_holders, reterr) : status;
}

rsm_status rsm__holders_find(const rsm__target *targets, size_t count, rsm__lookup *lookup, rsm__task *task,
                             rsm__arena *arena, rsm__holders *ret_holders, rsm_error *reterr) {
  return rsm__holders_find_among(NULL, 0, targets, count, lookup, task, arena, ret_holders, reterr);
}

void rsm__holders_scanner(rsm_scanner_info *ret_info) {
  *ret_info = (rsm_scanner_info){0}; /* there is one way only */
}
