/* service_inspect.c: the facts of one service, and what goes down with it.
 *
 * What goes down with a service: those that depend on it, and those that depend on these; and where it was found by its
 * process, the other services of that process and what depends on them: only when all of them have gone does it let go
 * of a file. What blocks: service_manager.c. SPDX-License-Identifier: MIT */
#include <string.h>

#include "os/windows/critical_services.h"
#include "os/windows/os_error.h"
#include "os/windows/service_manager.h"
#include "os/windows/wide.h"

/* ---- The closure ---- */

/* One that goes down, [0] being the service itself. Text is the list's. */
typedef struct member {
  const rsm__listed_service *listed;
  unsigned depth;
  const char **bases;
  size_t base_count, base_capacity;
} member;

typedef struct closure {
  rsm__services *services;
  member *items;
  size_t count, capacity;
} closure;

static void closure_done(closure *set) {
  for (size_t i = 0; i < set->count; i++) rsm__free(set->items[i].bases);
  rsm__free(set->items);
}

static member *find_member(const closure *set, const rsm__listed_service *one) {
  for (size_t i = 0; i < set->count; i++)
    if (set->items[i].listed == one) return &set->items[i];
  return NULL;
}

static rsm_status add_base(member *to, const char *base, rsm_error *reterr) {
  for (size_t i = 0; i < to->base_count; i++)
    if (rsm__service_same_name(to->bases[i], base)) return RSM_OK;
  if (rsm__grow(&to->bases, &to->base_capacity, to->base_count + 1, sizeof *to->bases) < 0)
    return rsm__fail_memory(reterr);
  to->bases[to->base_count++] = base;
  return RSM_OK;
}

/* base NULL: none. */
static rsm_status join(closure *set, const rsm__listed_service *one, const char *base, rsm_error *reterr) {
  member *to = find_member(set, one);
  if (!to) {
    if (rsm__grow(&set->items, &set->capacity, set->count + 1, sizeof *set->items) < 0) return rsm__fail_memory(reterr);
    to = &set->items[set->count++];
    *to = (member){.listed = one};
  }
  return base && to != set->items ? add_base(to, base, reterr) : RSM_OK;
}

/* Those that run in its process, too: each is given the service itself to go down with. */
static rsm_status join_company(closure *set, uint32_t pid, rsm_error *reterr) {
  const rsm__service_list *list = &set->services->list;
  const char *first = set->items[0].listed->name;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < list->count && status == RSM_OK; i++)
    if (list->items[i].pid == pid && &list->items[i] != set->items[0].listed)
      status = join(set, &list->items[i], first, reterr);
  return status;
}

/* Does it run now? What was up when the list was read may have stopped since. */
static bool is_up(rsm__services *services, const char *name) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  SERVICE_STATUS_PROCESS told;
  if (rsm__service_open(services, name, SERVICE_QUERY_STATUS, &service, NULL) != RSM_OK) return true;
  return rsm__service_query(service, name, &told, NULL) != RSM_OK || told.dwCurrentState != SERVICE_STOPPED;
}

/* All that directly depend on it, of those that run. */
static rsm_status join_dependents(closure *set, const char *base, rsm_error *reterr) {
  const rsm__service_list *list = &set->services->list;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < list->count && status == RSM_OK; i++) {
    const char *const *needs;
    size_t count;
    if (list->items[i].state == SERVICE_STOPPED) continue;
    status = rsm__service_needs(set->services, &list->items[i], &needs, &count, reterr);
    if (status == RSM_OK && rsm__service_needs_one(needs, count, base) &&
        (find_member(set, &list->items[i]) || is_up(set->services, list->items[i].name)))
      status = join(set, &list->items[i], base, reterr);
  }
  return status;
}

/* What the manager names besides: dependents by way of a group of services. */
static rsm_status join_told(closure *set, const char *base, rsm_error *reterr) {
  enum { MOST_SIZE = 256 << 10 }; /* the most that it may need, by its contract */
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  DWORD needed = 0, count = 0;
  rsm_status status = rsm__service_open(set->services, base, SERVICE_ENUMERATE_DEPENDENTS, &service, reterr);
  if (status != RSM_OK) return rsm__is_shortage(status) ? status : RSM_OK;
  if (EnumDependentServicesW(service, SERVICE_ACTIVE, NULL, 0, &needed, &count)) return RSM_OK; /* none */
  RSM_CLEAN_FREE ENUM_SERVICE_STATUSW *told = rsm__malloc(MOST_SIZE);
  if (!told) return rsm__fail_memory(reterr);
  if (!EnumDependentServicesW(service, SERVICE_ACTIVE, told, MOST_SIZE, &needed, &count)) return RSM_OK;
  for (DWORD i = 0; i < count && status == RSM_OK; i++) {
    RSM_CLEAN_FREE char *name = rsm__narrow_new(told[i].lpServiceName, wcslen(told[i].lpServiceName));
    if (!name) return rsm__fail_memory(reterr);
    const rsm__listed_service *one = rsm__service_list_find(set->services, name);
    if (one && !find_member(set, one)) status = join(set, one, base, reterr);
  }
  return status;
}

/* By the longest way, so that whoever is needed by two goes after both. A circle ends with the round. */
static void find_depths(closure *set) {
  for (size_t i = 1; i < set->count; i++) set->items[i].depth = 1;
  for (size_t round = 1; round < set->count; round++) {
    bool changed = false;
    for (size_t i = 1; i < set->count; i++) {
      member *one = &set->items[i];
      for (size_t k = 0; k < one->base_count; k++) {
        const rsm__listed_service *listed = rsm__service_list_find(set->services, one->bases[k]);
        const member *base = listed ? find_member(set, listed) : NULL;
        if (!base || base == one || base->depth < one->depth) continue;
        one->depth = base->depth + 1;
        changed = true;
      }
    }
    if (!changed) return;
  }
}

/* pid 0: its company stays. */
static rsm_status close_over(closure *set, const rsm__listed_service *first, uint32_t pid, rsm_error *reterr) {
  rsm_status status = join(set, first, NULL, reterr);
  if (status == RSM_OK && pid) status = join_company(set, pid, reterr);
  for (size_t i = 0; i < set->count && status == RSM_OK; i++)
    status = join_dependents(set, set->items[i].listed->name, reterr);
  size_t known = set->count;
  for (size_t i = 0; i < known && status == RSM_OK; i++) status = join_told(set, set->items[i].listed->name, reterr);
  if (status == RSM_OK) find_depths(set);
  return status;
}

/* ---- Judgements ---- */

/* *ret_refusal NULL: the manager would stop it for us. */
static rsm_status find_refusal(rsm__services *services, const char *name, const char **ret_refusal, rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  SERVICE_STATUS_PROCESS told;
  *ret_refusal = NULL;
  rsm_status status = rsm__service_open(services, name, SERVICE_STOP | SERVICE_QUERY_STATUS, &service, reterr);
  if (status == RSM_ACCESS_DENIED) *ret_refusal = "we may not stop it: that takes an administrator, running elevated";
  if (status != RSM_OK) return rsm__is_shortage(status) ? status : RSM_OK;
  status = rsm__service_query(service, name, &told, reterr);
  if (status != RSM_OK) return status;
  bool settled = told.dwCurrentState == SERVICE_RUNNING || told.dwCurrentState == SERVICE_PAUSED;
  if (settled && !(told.dwControlsAccepted & SERVICE_ACCEPT_STOP)) *ret_refusal = "it does not accept to be stopped";
  return RSM_OK;
}

static rsm_status say_of_link(rsm__arena *arena, const char *name, const char *words, const char **ret_words,
                              rsm_error *reterr) {
  *ret_words = rsm__say(arena, "its stop would stop %.200s: %.200s", name, words);
  return *ret_words ? RSM_OK : rsm__fail_memory(reterr);
}

/* What stands in the way of stopping the service or what goes with it. */
static rsm_status judge_stop(const closure *set, rsm__arena *arena, rsm__service_facts *facts, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < set->count && status == RSM_OK; i++) {
    const char *name = set->items[i].listed->name, *why = rsm__critical_service(name);
    if (why && !facts->critical) {
      facts->critical = why;
      if (i > 0) status = say_of_link(arena, name, why, &facts->critical, reterr);
    }
  }
  for (size_t i = 0; i < set->count && status == RSM_OK && !facts->critical && !facts->refusal; i++) {
    const char *name = set->items[i].listed->name;
    status = find_refusal(set->services, name, &facts->refusal, reterr);
    if (status == RSM_OK && facts->refusal && i > 0)
      status = say_of_link(arena, name, facts->refusal, &facts->refusal, reterr);
  }
  return status;
}

static rsm_status judge_start(rsm__services *services, rsm__service_facts *facts, rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  RSM_CLEAN_FREE QUERY_SERVICE_CONFIGW *config = NULL;
  const char *name = facts->id.name;
  rsm_status status = rsm__service_open(services, name, SERVICE_START | SERVICE_QUERY_CONFIG, &service, reterr);
  if (status == RSM_ACCESS_DENIED) {
    facts->obstacle = "we may not start it: that takes an administrator, running elevated";
    return RSM_OK;
  }
  if (status == RSM_OK) status = rsm__service_config(service, name, &config, reterr);
  if (status == RSM_OK && config->dwStartType == SERVICE_DISABLED)
    facts->obstacle = "it is disabled: its manager does not start it";
  return status;
}

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

static rsm_status carries_us(const closure *set, bool *ret_carries, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  *ret_carries = false;
  for (size_t i = 0; i < set->count && status == RSM_OK && !*ret_carries; i++) {
    RSM_CLEAN(close_process) rsm__process *process = NULL;
    status = rsm__service_process(set->services, set->items[i].listed->name, &process, reterr);
    if (status == RSM_NO_SUCH_SERVICE || status == RSM_ACCESS_DENIED) status = RSM_OK;
    if (status == RSM_OK && process) status = rsm__service_is_ours(rsm__process_id(process), ret_carries, reterr);
  }
  return status;
}

/* ---- The facts ---- */

/* All text anew in the arena: the list may be read again. */
static rsm_status copy_links(const closure *set, rsm__arena *arena, rsm__service_facts *facts, rsm_error *reterr) {
  size_t count = set->count - 1;
  rsm__service_link *links = rsm__arena_alloc(arena, (count + 1) * sizeof *links);
  if (!links) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++) {
    const member *from = &set->items[i + 1];
    const char **bases = rsm__arena_alloc(arena, (from->base_count + 1) * sizeof *bases);
    links[i] = (rsm__service_link){.id.name = rsm__arena_strdup(arena, from->listed->name),
                                   .description = rsm__arena_strdup(arena, from->listed->display_name),
                                   .role = RSM__SERVICE_DEPENDENT,
                                   .depth = from->depth,
                                   .bases = bases,
                                   .base_count = from->base_count};
    if (!bases || !links[i].id.name || !links[i].description) return rsm__fail_memory(reterr);
    for (size_t k = 0; k < from->base_count; k++)
      if (!(bases[k] = rsm__arena_strdup(arena, from->bases[k]))) return rsm__fail_memory(reterr);
  }
  facts->links = links;
  facts->link_count = count;
  return RSM_OK;
}

static rsm_status set_process(const rsm__process *process, rsm__arena *arena, rsm__service_facts *facts,
                              rsm_error *reterr) {
  if (!process) return RSM_OK;
  rsm_process *processes = rsm__arena_alloc(arena, sizeof *processes);
  if (!processes) return rsm__fail_memory(reterr);
  *processes = facts->main = *rsm__process_id(process);
  facts->processes = processes;
  facts->process_count = 1;
  return RSM_OK;
}

static rsm_status set_names(const rsm__listed_service *listed, rsm__arena *arena, rsm__service_facts *facts,
                            rsm_error *reterr) {
  const char *words = *listed->display_name ? listed->display_name : listed->name;
  facts->id.name = rsm__arena_strdup(arena, listed->name);
  facts->description = rsm__arena_strdup(arena, words);
  return facts->id.name && facts->description ? RSM_OK : rsm__fail_memory(reterr);
}

/* The list, with the service in it; of no earlier than the process that it was found by. */
static rsm_status find_listed(rsm__services *services, const rsm__service_place *place, const rsm__process *process,
                              const rsm__listed_service **ret_listed, rsm_error *reterr) {
  uint64_t since = process ? rsm__process_id(process)->start_time : 0;
  rsm_status status = rsm__service_list_get(services, since, reterr);
  *ret_listed = status == RSM_OK ? rsm__service_list_find(services, place->id.name) : NULL;
  if (status == RSM_OK && !*ret_listed) status = rsm__service_list_get(services, UINT64_MAX, reterr);
  if (status == RSM_OK && !*ret_listed) *ret_listed = rsm__service_list_find(services, place->id.name);
  if (status == RSM_OK && !*ret_listed)
    status = rsm__fail(reterr, RSM_NO_SUCH_SERVICE, place->id.name, "no service of that name is known here");
  return status;
}

static bool is_in_group(const rsm__process *process, const char *group, rsm__arena *arena) {
  if (!process) return false;
  const rsm_process *id = rsm__process_id(process);
  const char *own = rsm__say(arena, "%u-%llu", (unsigned)id->pid, (unsigned long long)id->start_time);
  return own && strcmp(own, group) == 0;
}

rsm_status rsm__service_inspect(rsm__services *services, const rsm__service_place *place, rsm__arena *arena,
                                rsm__service_facts *ret_facts, rsm_error *reterr) {
  RSM_CLEAN(close_process) rsm__process *process = NULL;
  RSM_CLEAN(closure_done) closure set = {.services = services};
  const rsm__listed_service *listed = NULL;
  rsm__service_facts facts = {0};
  rsm_status status = rsm__service_process(services, place->id.name, &process, reterr);
  if (status == RSM_OK) status = find_listed(services, place, process, &listed, reterr);
  if (status != RSM_OK) return status;
  if (place->group && !is_in_group(process, place->group, arena))
    return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, place->id.name, "it does not run in that process any more");
  status = set_names(listed, arena, &facts, reterr);
  if (status == RSM_OK) status = close_over(&set, listed, place->group ? rsm__process_id(process)->pid : 0, reterr);
  if (status == RSM_OK) status = copy_links(&set, arena, &facts, reterr);
  if (status == RSM_OK) status = set_process(process, arena, &facts, reterr);
  if (status == RSM_OK) status = judge_stop(&set, arena, &facts, reterr);
  if (status == RSM_OK) status = judge_start(services, &facts, reterr);
  if (status == RSM_OK) status = carries_us(&set, &facts.carries_us, reterr);
  if (status == RSM_OK) status = rsm__service_look(services, &facts.id, &facts.activity, reterr);
  if (status == RSM_OK) *ret_facts = facts;
  return status;
}
