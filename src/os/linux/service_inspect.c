/* service_inspect.c: the facts of one service. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/linux/service_links.h"

/* ---- Processes ---- */

/* The pid was read before, and may be another's by now: so the group is looked at through its handle. */
rsm_status rsm__unit_bind_process(uint32_t pid, const char *group, rsm_process *ret_process, bool *ret_bound,
                                  rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  RSM_CLEAN_FD int dir = -1;
  const char *path = NULL;
  const rsm_process id = {.pid = pid};
  *ret_bound = false;
  rsm_status status = rsm__process_open(&id, &process, reterr);
  if (status == RSM_OK) status = rsm__process_open_proc(process, &dir, reterr);
  if (status == RSM_OK) status = rsm__procfs_cgroup(dir, &arena, &path, reterr);
  if (status == RSM_OK && path && rsm__cgroup_within(path, group)) {
    *ret_process = *rsm__process_id(process);
    *ret_bound = true;
  }
  return rsm__is_shortage(status) || status == RSM_NOT_SUPPORTED ? status : RSM_OK;
}

static rsm_status bind_all(rsm__services *services, const char *group, uint32_t main_pid, rsm__arena *arena,
                           rsm__service_facts *facts, rsm_error *reterr) {
  const uint32_t *pids;
  size_t count;
  rsm_status status = rsm__cgroup_pids(rsm__services_cgroups(services), group, arena, &pids, &count, reterr);
  if (status != RSM_OK) return status;
  rsm_process *processes = rsm__arena_alloc(arena, (count + 1) * sizeof *processes);
  if (!processes) return rsm__fail_memory(reterr);
  bool bound = false;
  size_t used = 0;
  if (main_pid) status = rsm__unit_bind_process(main_pid, group, &processes[0], &bound, reterr);
  if (bound) facts->main = processes[used++];
  for (size_t i = 0; i < count && status == RSM_OK; i++) {
    if (facts->main.pid && pids[i] == facts->main.pid) continue;
    status = rsm__unit_bind_process(pids[i], group, &processes[used], &bound, reterr);
    if (bound) used++;
  }
  facts->processes = processes;
  facts->process_count = used;
  return status;
}

static rsm_status find_processes(rsm__services *services, rsm__bus *bus, const rsm__unit_facts *unit, const char *group,
                                 rsm__arena *arena, rsm__service_facts *facts, rsm_error *reterr) {
  uint32_t pid = 0;
  if (!*group) return RSM_OK;
  rsm_status status = rsm__unit_property(bus, unit, "MainPID", "u", &pid, arena, reterr);
  if (status == RSM_OK && pid == 0) status = rsm__unit_property(bus, unit, "ControlPID", "u", &pid, arena, reterr);
  return status == RSM_OK ? bind_all(services, group, pid, arena, facts, reterr) : status;
}

/* ---- Judgements ---- */

/* A socket with Accept=yes makes an instance a connection: that one will never be asked for again. */
static rsm_status serves_one_connection(rsm__bus *bus, const rsm__unit_facts *unit, rsm__arena *arena, bool *ret,
                                        rsm_error *reterr) {
  *ret = false;
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < unit->triggered_by.count && status == RSM_OK && !*ret; i++) {
    rsm__unit_facts socket = {.id = unit->triggered_by.items[i]};
    if (!strchr(unit->id, '@') || !rsm__unit_has_type(socket.id, ".socket")) continue;
    socket.path = rsm__bus_unit_path(socket.id, arena);
    if (!socket.path) return rsm__fail_memory(reterr);
    status = rsm__unit_property(bus, &socket, "Accept", "b", ret, arena, reterr);
  }
  return status;
}

static rsm_status find_obstacle(rsm__bus *bus, const rsm__unit_facts *unit, rsm__arena *arena, const char **ret,
                                rsm_error *reterr) {
  bool single;
  rsm_status status = serves_one_connection(bus, unit, arena, &single, reterr);
  if (status != RSM_OK) return status;
  if (unit->transient)
    *ret = "it was made by hand (a transient unit) and is gone once it is stopped";
  else if (single)
    *ret = "it serves one connection: its socket makes a new one for the next";
  else if (unit->refuses_start)
    *ret = "it refuses to be started by hand (RefuseManualStart)";
  else if (strcmp(unit->load_state, "masked") == 0)
    *ret = "it is masked: its manager does not start it";
  else if (strcmp(unit->load_state, "loaded") != 0)
    *ret = "its unit file is gone or cannot be read";
  return RSM_OK;
}

static rsm_status judge(rsm__bus *bus, const rsm__unit_facts *unit, const char *group, rsm__arena *arena,
                        rsm__service_facts *facts, rsm_error *reterr) {
  const char *ours = NULL;
  rsm__service_closure closure;
  rsm_status status = rsm__unit_group_of("/proc/self", arena, &ours, reterr);
  if (status == RSM_OK) status = rsm__service_links(bus, &facts->id, unit, ours, arena, &closure, reterr);
  if (status != RSM_OK) return status;
  facts->links = closure.links;
  facts->link_count = closure.count;
  facts->carries_us = closure.carries_us || (ours && *group && rsm__cgroup_within(ours, group));
  facts->critical = rsm__unit_critical(unit);
  if (!facts->critical) facts->critical = closure.critical;
  if (!facts->critical) status = rsm__unit_ask_stop(bus, unit->id, arena, &facts->refusal, reterr);
  if (!facts->refusal && !facts->critical) facts->refusal = closure.refusal;
  if (status == RSM_OK) status = find_obstacle(bus, unit, arena, &facts->obstacle, reterr);
  facts->note = closure.obstacle;
  if (unit->needs_reload) facts->note = "its unit file has changed on disk: run systemctl daemon-reload";
  return status;
}

static bool is_application(const rsm__service_id *id, const rsm__unit_facts *unit) {
  return id->user_manager && unit->transient && strncmp(unit->id, "app-", 4) == 0 &&
         rsm__unit_has_type(unit->id, ".service");
}

/* ---- All of it ---- */

rsm_status rsm__service_inspect(rsm__services *services, const rsm__service_place *place, rsm__arena *arena,
                                rsm__service_facts *ret_facts, rsm_error *reterr) {
  rsm__bus *bus;
  rsm_status status = rsm__services_bus(services, &place->id, &bus, reterr);
  if (status != RSM_OK) return status;
  rsm__unit_facts unit;
  status = rsm__unit_facts_get(bus, place->id.name, arena, &unit, reterr);
  if (status != RSM_OK) return status;
  if (rsm__unit_is_unknown(&unit))
    return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, place->id.name, "no service of that name is known here");
  const char *group;
  status = rsm__unit_control_group(bus, &unit, arena, &group, reterr);
  if (status != RSM_OK) return status;
  if (place->group && strcmp(place->group, group) != 0)
    return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, place->id.name, "it is not its manager's: another's of that name");
  rsm__service_facts facts = {.id = {unit.id, place->id.user_manager, place->id.owner},
                              .description = *unit.description ? unit.description : unit.id,
                              .after = unit.after.items,
                              .after_count = unit.after.count};
  facts.application = is_application(&facts.id, &unit);
  status = rsm__unit_activity(services, bus, &unit, &facts.activity, reterr);
  if (status == RSM_OK) status = find_processes(services, bus, &unit, group, arena, &facts, reterr);
  if (status == RSM_OK) status = judge(bus, &unit, group, arena, &facts, reterr);
  if (status == RSM_OK) *ret_facts = facts;
  return status;
}
