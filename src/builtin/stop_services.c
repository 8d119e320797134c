/* stop_services.c: the services of a shutdown's plan: those that were chosen, what goes down with them, and in which
 * order all of them come back. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/stop.h"

/* A member, and what its manager starts before it if that is to be started, too. */
typedef struct ordered {
  rsm__entry *entry;
  const char *const *after;
  size_t after_count;
} ordered;

typedef struct plan {
  rsm__round *round;
  size_t first; /* entry of this plan */
  ordered *items;
  size_t count, capacity;
} plan;

static void plan_done(plan *all) {
  rsm__free(all->items);
}

static rsm__entry *find_entry(const plan *all, const rsm__service_id *id) {
  rsm__entry *entry = rsm__journal_find_service(&all->round->op->session->journal, id);
  return entry && entry->index >= all->first ? entry : NULL;
}

static rsm_status new_service(plan *all, const rsm__service_id *id, const rsm_app *app, const char *obstacle,
                              rsm__entry **ret_entry, rsm_error *reterr) {
  rsm__round *round = all->round;
  rsm__journal *journal = &round->op->session->journal;
  if (rsm__grow(&round->members, &round->capacity, round->count + 1, sizeof *round->members) < 0 ||
      rsm__grow(&all->items, &all->capacity, all->count + 1, sizeof *all->items) < 0)
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
  all->items[all->count++] = (ordered){.entry = entry};
  *ret_entry = entry;
  return RSM_OK;
}

/* Of the newest. */
static void set_order(plan *all, const char *const *after, size_t count) {
  all->items[all->count - 1].after = after;
  all->items[all->count - 1].after_count = count;
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

static rsm_status add_link(plan *all, const rsm__service_link *link, rsm_error *reterr) {
  rsm__round *round = all->round;
  rsm__builtin *session = round->op->session;
  rsm__entry *entry = find_entry(all, &link->id);
  rsm_status status = RSM_OK;
  if (!entry) {
    rsm_app app;
    const char *obstacle;
    status =
        rsm__service_link_app(&round->before.groups, link, session->lookup, round->op->task, &app, &obstacle, reterr);
    if (status == RSM_OK) status = new_service(all, &link->id, &app, obstacle, &entry, reterr);
    if (status != RSM_OK) return status;
    set_order(all, link->after, link->after_count);
    entry->place.held = link->role == RSM__SERVICE_LISTENER || link->role == RSM__SERVICE_STARTER;
    entry->place.first_up = link->role == RSM__SERVICE_LISTENER;
  }
  if (entry->place.depth < link->depth) entry->place.depth = link->depth;
  return add_bases(&session->journal.arena, entry, link, reterr);
}

/* Deeper than each of those, if they are in the plan; *ret_moved: it was not. */
static void place_after(const plan *all, const ordered *item, const char *const *names, size_t count, bool *ret_moved) {
  rsm__service_id id = item->entry->service;
  for (size_t i = 0; i < count; i++) {
    id.name = names[i];
    const rsm__entry *other = find_entry(all, &id);
    if (!other || other == item->entry || other->place.held || item->entry->place.depth > other->place.depth) continue;
    item->entry->place.depth = other->place.depth + 1;
    *ret_moved = true;
  }
}

/* Each deeper than what it depends on, and than what its manager would start before it. In a circle, which a manager
 * cuts somewhere, too, it ends after as many rounds as the longest way can have. */
static void order_services(const plan *all) {
  bool moved = true;
  for (size_t rounds = 0; moved && rounds < all->count; rounds++) {
    moved = false;
    for (size_t i = 0; i < all->count; i++) {
      const ordered *item = &all->items[i];
      if (item->entry->place.held) continue;
      place_after(all, item, item->entry->bases, item->entry->base_count, &moved);
      place_after(all, item, item->after, item->after_count, &moved);
    }
  }
}

rsm_status rsm__round_add_services(rsm__round *round, const rsm__chosen_service *chosen, size_t count,
                                   rsm_error *reterr) {
  RSM_CLEAN(plan_done) plan all = {.round = round, .first = round->op->session->journal.count};
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < count; i++) {
    const rsm__service_facts *facts = &chosen[i].group->facts;
    rsm__entry *entry;
    status = new_service(&all, rsm__service_group_id(chosen[i].group), chosen[i].app, facts->obstacle, &entry, reterr);
    if (status == RSM_OK) set_order(&all, facts->after, facts->after_count);
  }
  for (size_t i = 0; status == RSM_OK && i < count; i++) {
    const rsm__service_facts *facts = &chosen[i].group->facts;
    for (size_t k = 0; status == RSM_OK && k < facts->link_count; k++)
      status = add_link(&all, &facts->links[k], reterr);
  }
  if (status == RSM_OK) order_services(&all);
  return status;
}
