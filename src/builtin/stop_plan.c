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

/* ---- Services ---- */

static rsm__entry *entry_since(const rsm__journal *journal, size_t first, const rsm__service_id *id) {
  rsm__entry *entry = rsm__journal_find_service(journal, id);
  return entry && entry->index >= first ? entry : NULL;
}

static rsm_status new_service(rsm__round *round, const rsm__service_id *id, const rsm_app *app, const char *obstacle,
                              rsm__entry **ret_entry, rsm_error *reterr) {
  rsm__journal *journal = &round->op->session->journal;
  if (rsm__grow(&round->members, &round->capacity, round->count + 1, sizeof *round->members) < 0)
    return rsm__fail_memory(reterr);
  rsm__entry *entry = rsm__journal_new_entry(journal);
  if (!entry) return rsm__fail_memory(reterr);
  entry->service = *id;
  entry->service.name = rsm__arena_strdup(&journal->arena, id->name);
  entry->obstacle = rsm__arena_strdup(&journal->arena, obstacle);
  if (!entry->service.name || (obstacle && !entry->obstacle)) return rsm__fail_memory(reterr);
  rsm_status status = rsm__app_copy(&journal->arena, app, &entry->app, reterr);
  if (status != RSM_OK) return status;
  round->members[round->count++] = (rsm__member){.entry = entry};
  *ret_entry = entry;
  return RSM_OK;
}

/* The same service may be met below several of those that are meant. */
static rsm_status add_bases(rsm__arena *arena, rsm__entry *entry, const rsm__service_link *link, rsm_error *reterr) {
  size_t count = entry->base_count;
  const char **bases = rsm__arena_alloc(arena, (count + link->base_count) * sizeof *bases);
  if (!bases) return rsm__fail_memory(reterr);
  if (count) memcpy(bases, entry->bases, count * sizeof *bases);
  for (size_t i = 0; i < link->base_count; i++) {
    size_t k = 0;
    while (k < count && strcmp(bases[k], link->bases[i]) != 0) k++;
    if (k == count && !(bases[count++] = rsm__arena_strdup(arena, link->bases[i]))) return rsm__fail_memory(reterr);
  }
  entry->bases = bases;
  entry->base_count = count;
  return RSM_OK;
}

static rsm_status add_link(rsm__round *round, const rsm__service_link *link, size_t first, rsm_error *reterr) {
  rsm__builtin *session = round->op->session;
  rsm__entry *entry = entry_since(&session->journal, first, &link->id);
  rsm_status status = RSM_OK;
  if (!entry) {
    rsm_app app;
    const char *obstacle;
    status =
        rsm__service_link_app(&round->before.groups, link, session->lookup, round->op->task, &app, &obstacle, reterr);
    if (status == RSM_OK) status = new_service(round, &link->id, &app, obstacle, &entry, reterr);
    if (status != RSM_OK) return status;
    entry->place.held = link->role == RSM__SERVICE_LISTENER || link->role == RSM__SERVICE_STARTER;
    entry->place.first_up = link->role == RSM__SERVICE_LISTENER;
  }
  if (entry->place.depth < link->depth) entry->place.depth = link->depth;
  return add_bases(&session->journal.arena, entry, link, reterr);
}

/* The services that were chosen, then whatever goes down with them. */
static rsm_status add_services(rsm__round *round, const choice *choices, size_t count, size_t first,
                               rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < count; i++) {
    const rsm__service_group *group = choices[i].live->service;
    rsm__entry *entry;
    if (group)
      status = new_service(round, rsm__service_group_id(group), choices[i].app, group->facts.obstacle, &entry, reterr);
  }
  for (size_t i = 0; status == RSM_OK && i < count; i++) {
    const rsm__service_group *group = choices[i].live->service;
    for (size_t k = 0; status == RSM_OK && group && k < group->facts.link_count; k++)
      status = add_link(round, &group->facts.links[k], first, reterr);
  }
  return status;
}

static int compare_members(const void *a, const void *b) {
  const rsm__entry *x = ((const rsm__member *)a)->entry, *y = ((const rsm__member *)b)->entry;
  return rsm__plan_compare_stop(&x->app, &x->place, &y->app, &y->place);
}

/* ---- The round ---- */

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
  if (status == RSM_OK) status = add_services(round, choices, count, first, reterr);
  if (status == RSM_OK) qsort(round->members, round->count, sizeof *round->members, compare_members);
  if (status == RSM_OK && lineage.failed) status = rsm__fail_memory(reterr);
  if (status == RSM_OK && count)
    status = rsm__journal_plan(&session->journal, first, session->stored.in_memory, reterr);
  if (status != RSM_OK) session->journal.count = first; /* nothing was written, nothing is remembered */
  return status;
}
