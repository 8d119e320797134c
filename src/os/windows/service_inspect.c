/* service_inspect.c: the facts of one service. What blocks: service_manager.c. SPDX-License-Identifier: MIT */
#include <string.h>

#include "os/windows/critical_services.h"
#include "os/windows/os_error.h"
#include "os/windows/service_links.h"
#include "os/windows/wide.h"

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
static rsm_status judge_stop(const rsm__service_set *set, rsm__arena *arena, rsm__service_facts *facts,
                             rsm_error *reterr) {
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

static rsm_status carries_us(const rsm__service_set *set, bool *ret_carries, rsm_error *reterr) {
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
static rsm_status copy_links(const rsm__service_set *set, rsm__arena *arena, rsm__service_facts *facts,
                             rsm_error *reterr) {
  size_t count = set->count - 1;
  rsm__service_link *links = rsm__arena_alloc(arena, (count + 1) * sizeof *links);
  if (!links) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++) {
    const rsm__service_member *from = &set->items[i + 1];
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
  RSM_CLEAN(rsm__service_set_done) rsm__service_set set = {.services = services};
  const rsm__listed_service *listed = NULL;
  rsm__service_facts facts = {0};
  rsm_status status = rsm__service_process(services, place->id.name, &process, reterr);
  if (status == RSM_OK) status = find_listed(services, place, process, &listed, reterr);
  if (status != RSM_OK) return status;
  if (place->group && !is_in_group(process, place->group, arena))
    return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, place->id.name, "it does not run in that process any more");
  status = set_names(listed, arena, &facts, reterr);
  if (status == RSM_OK)
    status = rsm__service_set_find(&set, listed, place->group ? rsm__process_id(process)->pid : 0, reterr);
  if (status == RSM_OK) status = copy_links(&set, arena, &facts, reterr);
  if (status == RSM_OK) status = set_process(process, arena, &facts, reterr);
  if (status == RSM_OK) status = judge_stop(&set, arena, &facts, reterr);
  if (status == RSM_OK) status = judge_start(services, &facts, reterr);
  if (status == RSM_OK) status = carries_us(&set, &facts.carries_us, reterr);
  if (status == RSM_OK) status = rsm__service_look(services, &facts.id, &facts.activity, reterr);
  if (status == RSM_OK) *ret_facts = facts;
  return status;
}
