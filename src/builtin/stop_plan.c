/* stop_plan.c: everything about a shutdown that comes before the first signal. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/lineage.h"
#include "builtin/stop.h"
#include "os/launch.h"
#include "os/registration.h"
#include "os/user.h"

typedef struct choice {
  const rsm_app *app;
  rsm__live *live;
  rsm__plan_place place;
} choice;

void rsm__round_done(rsm__round *round) {
  for (size_t i = 0; i < round->count; i++) rsm__process_close(round->members[i].handle);
  rsm__free(round->members);
  rsm__affected_done(&round->before);
  *round = (rsm__round){0};
}

static int compare_choices(const void *a, const void *b) {
  const choice *x = a, *y = b;
  return rsm__plan_compare_stop(x->app, &x->place, y->app, &y->place);
}

/* 1 + index of the nearest ancestor among the entries since `first`; 0: none. A service is none: what it started and
 * let go (a login's programs) is not what its manager brings back with it. */
static uint32_t nearest_entry(const rsm__journal *journal, size_t first, rsm__lineage *lineage,
                              const rsm_process *process) {
  rsm_process at = *process;
  for (unsigned depth = 0; depth < 1024 && rsm__lineage_parent(lineage, &at, &at); depth++)
    for (size_t i = first; i < journal->count; i++)
      if (!journal->entries[i]->service.name && rsm_process_equal(&journal->entries[i]->app.process, &at))
        return (uint32_t)i + 1;
  return 0;
}

static rsm_status take_capture(rsm__arena *arena, const rsm__process *process, bool with_environment,
                               const char **ret_obstacle, const void **ret_data, size_t *ret_length,
                               rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer capture = {0};
  rsm_status status = rsm__launch_capture(process, with_environment, arena, &capture, ret_obstacle, reterr);
  if (status != RSM_OK) return status;
  char *data = rsm__arena_copy(arena, (const char *)capture.data, capture.length);
  if (!data) return rsm__fail_memory(reterr);
  *ret_data = data;
  *ret_length = capture.length;
  return RSM_OK;
}

/* What starts it again. What may not be read is an obstacle, not a failure: it can be stopped all the same. What could
 * not be read for want of memory or descriptors is one, before anybody is touched: else it would stay down for that. */
static rsm_status capture_entry(rsm__journal *journal, rsm__entry *entry, const rsm__process *process, bool in_memory,
                                rsm_error *reterr) {
  rsm__arena *arena = &journal->arena;
  rsm__registration registration;
  const char *again, *unread = NULL;
  rsm_status status = rsm__registration_get(process, arena, &registration, reterr);
  if (rsm__is_shortage(status)) return status;
  if (status != RSM_OK && status != RSM_NOT_FOUND) unread = "its registration could not be read";
  if (status == RSM_OK) {
    entry->registered = true;
    entry->args = registration.args;
    entry->arg_count = registration.arg_count;
    entry->flags = registration.flags;
  }
  status = take_capture(arena, process, true, &entry->obstacle, &entry->capture, &entry->capture_length, reterr);
  if (status == RSM_OK && !in_memory)
    status = take_capture(arena, process, false, &again, &entry->lean_capture, &entry->lean_length, reterr);
  if (rsm__is_shortage(status) || status == RSM_NOT_FOUND || status == RSM_CANCELLED) return status;
  if (status != RSM_OK) entry->obstacle = "its surroundings could not be read";
  if (!entry->obstacle) entry->obstacle = unread;
  return RSM_OK;
}

static rsm_status add_member(rsm__round *round, const choice *chosen, rsm__lineage *lineage, size_t first,
                             rsm_error *reterr) {
  rsm__builtin *session = round->op->session;
  rsm__journal *journal = &session->journal;
  rsm__process *handle = chosen->live->handle;
  rsm_status status = RSM_OK;
  uint32_t parent = nearest_entry(journal, first, lineage, &chosen->app->process);
  if (!handle) status = rsm__process_open(&chosen->app->process, &handle, reterr);
  if (status != RSM_OK && status != RSM_NOT_FOUND) return status;
  if (handle) rsm__process_within(handle, session->lookup, round->op->task);
  rsm__entry *entry = rsm__journal_new_entry(journal);
  if (!entry) {
    if (!chosen->live->handle) rsm__process_close(handle);
    return rsm__fail_memory(reterr);
  }
  round->members[round->count++] = (rsm__member){.entry = entry, .handle = handle};
  if (chosen->live->handle) chosen->live->handle = NULL; /* the member owns it now */
  entry->place = chosen->place;
  entry->parent = parent;
  entry->other_user = rsm__user_current() != 0 && chosen->live->uid != rsm__user_current();
  rsm_status copied = rsm__app_copy(&journal->arena, chosen->app, &entry->app, reterr);
  if (copied == RSM_OK && status == RSM_OK)
    status = capture_entry(journal, entry, handle, session->stored.in_memory, reterr);
  if (copied != RSM_OK) return copied;
  if (status == RSM_NOT_FOUND) status = RSM_OK; /* it has ended: the first look at it will tell */
  rsm__member *member = &round->members[round->count - 1];
  if (member->handle && ++round->open_handles > round->budget) rsm__member_release(round, member);
  return status;
}

static int compare_members(const void *a, const void *b) {
  const rsm__entry *x = ((const rsm__member *)a)->entry, *y = ((const rsm__member *)b)->entry;
  return rsm__plan_compare_stop(&x->app, &x->place, &y->app, &y->place);
}

/* ---- The round ---- */

static rsm_status add_services(rsm__round *round, const choice *choices, size_t count, rsm_error *reterr) {
  RSM_CLEAN_FREE rsm__chosen_service *chosen = rsm__calloc(count, sizeof *chosen);
  size_t used = 0;
  if (!chosen) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++)
    if (choices[i].live->service) chosen[used++] = (rsm__chosen_service){choices[i].app, choices[i].live->service};
  return rsm__round_add_services(round, chosen, used, reterr);
}

static size_t choose(rsm__affected *before, choice *choices, rsm__lineage *lineage) {
  size_t count = 0;
  for (size_t i = 0; i < before->live_count; i++) {
    const rsm_app *app = &before->list->apps[i];
    if (before->live[i].service) continue;
    if (rsm__lineage_add(lineage, &app->process, &before->live[i].parent, NULL) != RSM_OK) lineage->failed = true;
  }
  for (size_t i = 0; i < before->live_count; i++) {
    const rsm_app *app = &before->list->apps[i];
    if (!rsm__plan_stops(app)) continue;
    choice *chosen = &choices[count++];
    *chosen = (choice){.app = app, .live = &before->live[i]};
    if (!chosen->live->service) chosen->place.depth = rsm__lineage_depth(lineage, &app->process);
  }
  qsort(choices, count, sizeof *choices, compare_choices);
  return count;
}

rsm_status rsm__round_plan(rsm__round *round, rsm_error *reterr) {
  RSM_CLEAN(rsm__lineage_done) rsm__lineage lineage = {0};
  rsm__builtin *session = round->op->session;
  rsm__affected *before = &round->before;
  RSM_CLEAN_FREE choice *choices = rsm__calloc(before->live_count, sizeof *choices);
  round->members = rsm__calloc(before->live_count, sizeof *round->members);
  round->capacity = before->live_count;
  round->budget = rsm__process_budget();
  if (!choices || !round->members) return rsm__fail_memory(reterr);
  size_t count = choose(before, choices, &lineage), first = session->journal.count;
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < count; i++)
    if (!choices[i].live->service) status = add_member(round, &choices[i], &lineage, first, reterr);
  if (status == RSM_OK) status = add_services(round, choices, count, reterr);
  if (status == RSM_OK) qsort(round->members, round->count, sizeof *round->members, compare_members);
  if (status == RSM_OK && lineage.failed) status = rsm__fail_memory(reterr);
  if (status == RSM_OK && count)
    status = rsm__journal_plan(&session->journal, first, session->stored.in_memory, reterr);
  if (status != RSM_OK) session->journal.count = first; /* nothing was written, nothing is remembered */
  return status;
}
