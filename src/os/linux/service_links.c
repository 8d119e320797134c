/* service_links.c: a walk over units, breadth first. What a manager says changes while we ask: a unit that is met in
 * two states is taken as it was met first; the stop itself is the manager's and consistent.
 * SPDX-License-Identifier: MIT */
#include "os/linux/service_links.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/critical_services.h"

enum { LINKS_MAX = 2000, ASKED_MAX = 20000, EDGES_MAX = 20000 };

typedef struct asked {
  const char *name;
  size_t link; /* its index + 1; 0: it is not up */
} asked;

/* Link `to` goes down with link `from` - 1; 0: with the unit where the walk began. */
typedef struct edge {
  size_t from, to;
} edge;

typedef struct walk {
  rsm__bus *bus;
  const rsm__service_id *id; /* where the walk began */
  const char *own_group;
  rsm__arena *arena;
  rsm__service_link *links; /* also the queue */
  size_t count, capacity;
  asked *seen;
  size_t seen_count, seen_capacity;
  edge *edges;
  size_t edge_count, edge_capacity;
  rsm__service_closure closure;
} walk;

static void walk_done(walk *all) {
  rsm__free(all->links);
  rsm__free(all->seen);
  rsm__free(all->edges);
}

const char *rsm__unit_critical(const rsm__unit_facts *unit) {
  const char *why = rsm__critical_service(unit->names.items, unit->names.count);
  if (!why) why = rsm__critical_service(&unit->id, 1);
  return why ? why : unit->refuses_stop ? "it refuses to be stopped by hand (RefuseManualStop)" : NULL;
}

/* ---- What a link means for the whole ---- */

static rsm_status note(const char **where, const char *words, rsm_error *reterr) {
  *where = words;
  return words ? RSM_OK : rsm__fail_memory(reterr);
}

static rsm_status judge(walk *all, const rsm__unit_facts *unit, rsm_error *reterr) {
  rsm__service_closure *closure = &all->closure;
  const char *why = rsm__unit_critical(unit), *group;
  rsm_status status = RSM_OK;
  if (why && !closure->critical)
    status = note(&closure->critical, rsm__say(all->arena, "stopping it would stop %s: %s", unit->id, why), reterr);
  const char *refusal = NULL;
  if (status == RSM_OK && !closure->critical && !closure->refusal)
    status = rsm__unit_ask_stop(all->bus, unit->id, all->arena, &refusal, reterr);
  if (status == RSM_OK && refusal)
    status = note(&closure->refusal, rsm__say(all->arena, "stopping it would stop %s: %s", unit->id, refusal), reterr);
  why = unit->transient       ? "which is gone once it is stopped"
        : unit->refuses_start ? "which refuses to be started by hand (RefuseManualStart)"
                              : NULL;
  if (status == RSM_OK && why && !closure->obstacle)
    status = note(&closure->obstacle, rsm__say(all->arena, "with it goes %s, %s", unit->id, why), reterr);
  if (status != RSM_OK || !all->own_group || closure->carries_us) return status;
  status = rsm__unit_control_group(all->bus, unit, all->arena, &group, reterr);
  if (status == RSM_OK) closure->carries_us = *group && rsm__cgroup_within(all->own_group, group);
  return status;
}

/* ---- The walk ---- */

static bool is_up(walk *all, const char *name, rsm_status *ret_status, rsm_error *reterr) {
  const char *state = "";
  const rsm__bus_property wanted = {"ActiveState", "s", &state};
  const char *path = rsm__bus_unit_path(name, all->arena);
  *ret_status = path ? rsm__bus_get(all->bus, path, "org.freedesktop.systemd1.Unit", &wanted, all->arena, reterr)
                     : rsm__fail_memory(reterr);
  return *ret_status == RSM_OK && rsm__unit_is_up(state);
}

static asked *find(const walk *all, const char *name) {
  for (size_t i = 0; i < all->seen_count; i++)
    if (strcmp(all->seen[i].name, name) == 0) return &all->seen[i];
  return NULL;
}

static rsm_status fail_too_many(const walk *all, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_MORE_DATA, all->id->name, "more than %d units would go down with it", LINKS_MAX);
}

static rsm_status add_edge(walk *all, size_t from, size_t to, rsm_error *reterr) {
  if (all->edge_count == EDGES_MAX) return fail_too_many(all, reterr);
  if (rsm__grow(&all->edges, &all->edge_capacity, all->edge_count + 1, sizeof *all->edges) < 0)
    return rsm__fail_memory(reterr);
  all->edges[all->edge_count++] = (edge){from, to};
  return RSM_OK;
}

static rsm_status ask(walk *all, const char *name, rsm__service_role role, asked **ret_asked, rsm_error *reterr) {
  if (all->seen_count == ASKED_MAX || all->count == LINKS_MAX) return fail_too_many(all, reterr);
  if (rsm__grow(&all->seen, &all->seen_capacity, all->seen_count + 1, sizeof *all->seen) < 0 ||
      rsm__grow(&all->links, &all->capacity, all->count + 1, sizeof *all->links) < 0)
    return rsm__fail_memory(reterr);
  rsm_status status;
  bool up = is_up(all, name, &status, reterr);
  if (status != RSM_OK) return status;
  if (up)
    all->links[all->count++] = (rsm__service_link){
        .id = {name, all->id->user_manager, all->id->owner}, .description = "", .role = role, .depth = 1};
  all->seen[all->seen_count] = (asked){name, up ? all->count : 0};
  *ret_asked = &all->seen[all->seen_count++];
  return RSM_OK;
}

/* from: the index + 1 of the link that it goes down with; 0: the unit where the walk began. */
static rsm_status add(walk *all, const char *name, rsm__service_role role, size_t from, rsm_error *reterr) {
  asked *known = find(all, name);
  rsm_status status = known ? RSM_OK : ask(all, name, role, &known, reterr);
  if (status != RSM_OK || !known->link) return status;
  rsm__service_link *link = &all->links[known->link - 1];
  /* What starts it again has to be stopped first, whatever else it is. */
  if (link->role == RSM__SERVICE_DEPENDENT) link->role = role;
  return add_edge(all, from, known->link - 1, reterr);
}

static rsm_status add_all(walk *all, const rsm__bus_texts *names, rsm__service_role role, size_t from,
                          rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < names->count && status == RSM_OK; i++) {
    rsm__service_role its = role;
    if (role == RSM__SERVICE_LISTENER && !rsm__unit_has_type(names->items[i], ".socket")) its = RSM__SERVICE_STARTER;
    status = add(all, names->items[i], its, from, reterr);
  }
  return status;
}

static rsm_status expand(walk *all, const rsm__unit_facts *unit, size_t from, rsm_error *reterr) {
  rsm_status status = add_all(all, &unit->triggered_by, RSM__SERVICE_LISTENER, from, reterr);
  if (status == RSM_OK) status = add_all(all, &unit->upheld_by, RSM__SERVICE_STARTER, from, reterr);
  for (size_t i = 0; i < RSM_COUNT(unit->stopped_with) && status == RSM_OK; i++)
    status = add_all(all, &unit->stopped_with[i], RSM__SERVICE_DEPENDENT, from, reterr);
  return status;
}

/* Visits link i. One that ended since it was met stays: starting what is up already does no harm. */
static rsm_status visit(walk *all, size_t i, rsm_error *reterr) {
  rsm__unit_facts unit;
  rsm_status status = rsm__unit_facts_get(all->bus, all->links[i].id.name, all->arena, &unit, reterr);
  if (status != RSM_OK) return status;
  all->links[i].description = *unit.description ? unit.description : unit.id;
  all->links[i].after = unit.after.items;
  all->links[i].after_count = unit.after.count;
  status = judge(all, &unit, reterr);
  return status == RSM_OK ? expand(all, &unit, i + 1, reterr) : status;
}

/* ---- The order ---- */

enum { PLACED = UINT16_MAX };

static size_t choose_next(const uint16_t *open, size_t count) {
  size_t first = count;
  for (size_t i = 0; i < count; i++) {
    if (open[i] == 0) return i;
    if (open[i] != PLACED && first == count) first = i;
  }
  return first;
}

/* Each is deeper than all that it goes down with: the longest way counts, not the one on which it was met. In a circle
 * who was met first comes first. */
static rsm_status deepen(const walk *all, rsm_error *reterr) {
  uint16_t *open = rsm__arena_alloc(all->arena, (all->count + 1) * sizeof *open); /* how many are to be placed before */
  if (!open) return rsm__fail_memory(reterr);
  for (size_t k = 0; k < all->edge_count; k++)
    if (all->edges[k].from) open[all->edges[k].to]++;
  for (size_t placed = 0; placed < all->count; placed++) {
    size_t from = choose_next(open, all->count);
    open[from] = PLACED;
    for (size_t k = 0; k < all->edge_count; k++) {
      rsm__service_link *to = &all->links[all->edges[k].to];
      if (all->edges[k].from != from + 1 || open[all->edges[k].to] == PLACED) continue;
      open[all->edges[k].to]--;
      if (to->depth <= all->links[from].depth) to->depth = all->links[from].depth + 1;
    }
  }
  return RSM_OK;
}

static rsm_status name_bases(const walk *all, rsm_error *reterr) {
  for (size_t i = 0; i < all->count; i++) {
    rsm__service_link *link = &all->links[i];
    size_t count = 0;
    for (size_t k = 0; k < all->edge_count; k++) count += all->edges[k].to == i;
    const char **bases = rsm__arena_alloc(all->arena, count * sizeof *bases);
    if (!bases) return rsm__fail_memory(reterr);
    for (size_t k = 0; k < all->edge_count; k++) {
      size_t from = all->edges[k].from;
      if (all->edges[k].to != i) continue;
      bases[link->base_count++] = from ? all->links[from - 1].id.name : all->id->name;
    }
    link->bases = bases;
  }
  return RSM_OK;
}

static int compare_links(const void *a, const void *b) {
  const rsm__service_link *x = a, *y = b;
  return x->depth != y->depth ? (x->depth > y->depth) - (x->depth < y->depth) : strcmp(x->id.name, y->id.name);
}

rsm_status rsm__service_links(rsm__bus *bus, const rsm__service_id *id, const rsm__unit_facts *unit,
                              const char *own_group, rsm__arena *arena, rsm__service_closure *ret_closure,
                              rsm_error *reterr) {
  RSM_CLEAN(walk_done) walk all = {.bus = bus, .id = id, .own_group = own_group, .arena = arena};
  if (rsm__grow(&all.seen, &all.seen_capacity, 1, sizeof *all.seen) < 0) return rsm__fail_memory(reterr);
  all.seen[all.seen_count++] = (asked){unit->id, 0}; /* not a link of itself */
  rsm_status status = expand(&all, unit, 0, reterr);
  for (size_t i = 0; i < all.count && status == RSM_OK; i++) status = visit(&all, i, reterr);
  if (status == RSM_MORE_DATA) /* nobody could be sure to bring all of that back: what was found is said */
    status = note(&all.closure.refusal, "stopping it would stop too many others", reterr);
  if (status != RSM_OK) return status;
  status = deepen(&all, reterr);
  if (status == RSM_OK) status = name_bases(&all, reterr);
  if (status != RSM_OK) return status;
  rsm__service_link *links = rsm__arena_alloc(arena, all.count * sizeof *links);
  if (!links) return rsm__fail_memory(reterr);
  if (all.count) memcpy(links, all.links, all.count * sizeof *links);
  qsort(links, all.count, sizeof *links, compare_links);
  all.closure.links = links;
  all.closure.count = all.count;
  *ret_closure = all.closure;
  return RSM_OK;
}
