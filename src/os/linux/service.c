/* service.c: names of services, the service of a process, the managers that one asks, and asking them to stop.
 *
 * call              | blocks
 * any to a manager  | RSM__BUS_LIMIT_MS, once a manager: one that did not answer is not asked again
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/service.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/linux/service_units.h"
#include "os/linux/unit.h"
#include "os/user.h"

enum { NAME_LIMIT = 255, LEFTOVER_TICK_MS = 50 };

static const char SUFFIX[] = ".service";

/* ---- Names ---- */

bool rsm__service_id_equal(const rsm__service_id *a, const rsm__service_id *b) {
  if (!a->name || !b->name) return a->name == b->name;
  return strcmp(a->name, b->name) == 0 && a->user_manager == b->user_manager && a->owner == b->owner;
}

const char *rsm__service_short_name(const char *name, rsm__arena *arena) {
  if (!rsm__unit_has_type(name, SUFFIX)) return name;
  return rsm__arena_copy(arena, name, strlen(name) - strlen(SUFFIX));
}

static bool is_other_type(const char *name) {
  static const char *const types[] = {".socket", ".timer", ".target", ".path",   ".mount",   ".automount",
                                      ".swap",   ".slice", ".scope",  ".device", ".busname", ".snapshot"};
  for (size_t i = 0; i < RSM_COUNT(types); i++)
    if (rsm__unit_has_type(name, types[i])) return true;
  return false;
}

static rsm_status fail_name(const char *name, const char *words, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, name, "%s", words);
}

/* What people write, as the full name of a service. */
static rsm_status complete_name(const char *name, rsm__arena *arena, const char **ret_name, rsm_error *reterr) {
  static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@";
  size_t length = strlen(name);
  if (length == 0 || name[strspn(name, allowed)] != '\0')
    return fail_name(name, "no service has such a name: there are characters that its manager does not allow", reterr);
  if (is_other_type(name))
    return fail_name(name, "this is not the name of a service but of a unit of another type", reterr);
  bool whole = rsm__unit_has_type(name, SUFFIX);
  if (!whole) length += strlen(SUFFIX);
  if (length > NAME_LIMIT) return fail_name(name, "no service has so long a name", reterr);
  const char *full = whole ? rsm__arena_strdup(arena, name) : rsm__say(arena, "%s%s", name, SUFFIX);
  if (!full) return rsm__fail_memory(reterr);
  if (full[0] == '@' || full[0] == '.') return fail_name(name, "no service has such a name", reterr);
  if (rsm__unit_has_type(full, "@.service"))
    return fail_name(name, "this is a template: name one of its instances (name@instance)", reterr);
  *ret_name = full;
  return RSM_OK;
}

/* ---- The managers ---- */

typedef struct connection {
  bool user_manager;
  uint32_t owner;
  rsm__bus *bus; /* NULL: it did not answer when it was asked first */
} connection;

struct rsm__services {
  rsm__task *task; /* borrowed */
  connection *connections;
  size_t count, capacity;
  rsm__cgroups cgroups;
  bool leftovers_seen; /* nothing tells when those end */
  bool first_known;
  const char *first; /* the control group of the first process; NULL: not to be had */
  rsm__arena arena;  /* of first */
};

rsm_status rsm__services_new(rsm__task *task, rsm__services **ret_services, rsm_error *reterr) {
  rsm__services *services = rsm__calloc(1, sizeof *services);
  if (!services) return rsm__fail_memory(reterr);
  services->task = task;
  *ret_services = services;
  return RSM_OK;
}

rsm__services *rsm__services_free(rsm__services *services) {
  if (!services) return NULL;
  for (size_t i = 0; i < services->count; i++) rsm__bus_close(services->connections[i].bus);
  rsm__cgroups_done(&services->cgroups);
  rsm__free(services->connections);
  rsm__arena_done(&services->arena);
  rsm__free(services);
  return NULL;
}

rsm__cgroups *rsm__services_cgroups(rsm__services *services) {
  return &services->cgroups;
}

/* ---- The service of a process ---- */

rsm_status rsm__unit_group_of(const char *folder, rsm__arena *arena, const char **ret_group, rsm_error *reterr) {
  RSM_CLEAN_FD int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  rsm_status status =
      dir < 0 ? rsm__fail_errno(reterr, errno, "open", folder) : rsm__procfs_cgroup(dir, arena, ret_group, reterr);
  if (status == RSM_OK || rsm__is_shortage(status)) return status;
  *ret_group = NULL;
  return RSM_OK;
}

static rsm__unit unit_below(const char *group, const char *first) {
  const char *below = rsm__unit_path_below(group, first ? first : "");
  rsm__unit unit = rsm__parse_unit(below ? below : "");
  if (unit.name) unit.path_length += (size_t)(below - group);
  return unit;
}

rsm_status rsm__unit_of_group(const char *group, rsm__arena *arena, rsm__unit *ret_unit, rsm_error *reterr) {
  const char *first = NULL;
  rsm_status status = rsm__unit_group_of("/proc/1", arena, &first, reterr);
  if (status == RSM_OK) *ret_unit = unit_below(group, first);
  return status;
}

/* The first process stays where it is. */
static rsm_status read_first_group(rsm__services *services, rsm_error *reterr) {
  if (services->first_known) return RSM_OK;
  rsm_status status = rsm__unit_group_of("/proc/1", &services->arena, &services->first, reterr);
  services->first_known = status == RSM_OK;
  return status;
}

rsm_status rsm__service_of(rsm__services *services, const rsm__process *process, rsm__arena *arena,
                           rsm__service_place *ret_place, rsm_error *reterr) {
  RSM_CLEAN_FD int dir = -1;
  const char *path = NULL;
  rsm_status status = rsm__process_open_proc(process, &dir, reterr);
  if (status == RSM_OK) status = rsm__procfs_cgroup(dir, arena, &path, reterr);
  if (status == RSM_OK) status = read_first_group(services, reterr);
  if (status != RSM_OK) return status;
  rsm__service_place place = {0};
  rsm__unit unit = unit_below(path ? path : "", services->first);
  if (unit.name) {
    place.id = (rsm__service_id){rsm__arena_copy(arena, unit.name, unit.name_length), unit.user_manager, unit.owner};
    place.group = rsm__arena_copy(arena, path, unit.path_length);
    if (!place.id.name || !place.group) return rsm__fail_memory(reterr);
    const char *ours = NULL;
    status = rsm__unit_group_of("/proc/self", arena, &ours, reterr);
    if (status != RSM_OK) return status;
    place.carries_us = ours && rsm__cgroup_within(ours, place.group);
  }
  *ret_place = place;
  return RSM_OK;
}

/* ---- The connections ---- */

static connection *find_connection(rsm__services *services, const rsm__service_id *id) {
  for (size_t i = 0; i < services->count; i++) {
    connection *one = &services->connections[i];
    if (one->user_manager == id->user_manager && one->owner == id->owner) return one;
  }
  return NULL;
}

rsm_status rsm__services_bus(rsm__services *services, const rsm__service_id *id, rsm__bus **ret_bus,
                             rsm_error *reterr) {
  connection *one = find_connection(services, id);
  if (one && !one->bus) return rsm__fail(reterr, RSM_TIMEOUT, id->name, "its service manager does not answer");
  if (one && rsm__bus_is_broken(one->bus)) { /* it was restarted, as an update of systemd itself does */
    rsm__bus_close(one->bus);
    *one = services->connections[--services->count];
    one = NULL;
  }
  if (!one) {
    if (rsm__grow(&services->connections, &services->capacity, services->count + 1, sizeof *one) < 0)
      return rsm__fail_memory(reterr);
    rsm__bus *bus = NULL;
    rsm_status status = rsm__bus_open(id->user_manager, id->owner, services->task, &bus, reterr);
    if (status == RSM_NOT_FOUND)
      return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, id->name, "uid %u has no service manager running now",
                       (unsigned)id->owner);
    if (status != RSM_OK && status != RSM_TIMEOUT) return status;
    one = &services->connections[services->count++];
    *one = (connection){id->user_manager, id->owner, bus};
    if (status != RSM_OK) return status;
  }
  *ret_bus = one->bus;
  return RSM_OK;
}

/* ---- By name ---- */

static rsm_status resolve_at(rsm__services *services, const rsm__service_id *wanted, rsm__arena *arena,
                             rsm__service_id *ret_id, rsm_error *reterr) {
  rsm__bus *bus;
  rsm_status status = rsm__services_bus(services, wanted, &bus, reterr);
  if (status == RSM_NOT_SUPPORTED) rsm__error_explain(reterr, "nobody can be asked for %s", wanted->name);
  if (status != RSM_OK) return status;
  rsm__unit_facts unit;
  status = rsm__unit_facts_get(bus, wanted->name, arena, &unit, reterr);
  if (status != RSM_OK) return status;
  if (rsm__unit_is_unknown(&unit)) return fail_name(wanted->name, "no service of that name is known here", reterr);
  *ret_id = (rsm__service_id){unit.id, wanted->user_manager, wanted->owner};
  return RSM_OK;
}

rsm_status rsm__service_resolve(rsm__services *services, const char *name, rsm__arena *arena, rsm__service_id *ret_id,
                                rsm_error *reterr) {
  rsm__service_id system = {0};
  rsm_status status = complete_name(name, arena, &system.name, reterr);
  if (status != RSM_OK) return status;
  status = resolve_at(services, &system, arena, ret_id, reterr);
  if (status != RSM_NO_SUCH_SERVICE && status != RSM_NOT_SUPPORTED) return status;
  const rsm__service_id ours = {system.name, true, rsm__user_current()};
  rsm_error error = {0};
  rsm_status second = resolve_at(services, &ours, arena, ret_id, &error);
  const connection *own = find_connection(services, &ours);
  bool answered = second == RSM_OK || (second == RSM_NO_SUCH_SERVICE && own && own->bus);
  /* That our own manager does not run or does not answer does not change what the system's has said. */
  if (!rsm__is_shortage(second) && (!answered || (status == RSM_NO_SUCH_SERVICE && second != RSM_OK))) return status;
  if (second != RSM_OK && reterr) *reterr = error;
  return second;
}

/* ---- Looking and stopping ---- */

static rsm_status has_leftovers(rsm__services *services, rsm__bus *bus, const rsm__unit_facts *unit, bool *ret_has,
                                rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *group;
  const uint32_t *pids;
  size_t count = 0;
  rsm_status status = rsm__unit_control_group(bus, unit, &arena, &group, reterr);
  if (status == RSM_OK && *group) status = rsm__cgroup_pids(&services->cgroups, group, &arena, &pids, &count, reterr);
  if (status == RSM_OK) *ret_has = count > 0;
  return status;
}

rsm_status rsm__unit_activity(rsm__services *services, rsm__bus *bus, const rsm__unit_facts *unit,
                              rsm__service_activity *ret_activity, rsm_error *reterr) {
  if (strcmp(unit->active_state, "deactivating") == 0) {
    *ret_activity = RSM__SERVICE_STOPPING;
    return RSM_OK;
  }
  if (strcmp(unit->active_state, "inactive") != 0 && strcmp(unit->active_state, "failed") != 0) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    bool going;
    rsm_status status = rsm__unit_is_going(bus, unit, &arena, &going, reterr);
    if (status == RSM_OK) *ret_activity = going ? RSM__SERVICE_STOPPING : RSM__SERVICE_RUNNING;
    return status;
  }
  bool left = false;
  rsm_status status = has_leftovers(services, bus, unit, &left, reterr);
  if (status != RSM_OK) return status;
  services->leftovers_seen = services->leftovers_seen || left;
  *ret_activity = left ? RSM__SERVICE_REMAINS : RSM__SERVICE_DOWN;
  return RSM_OK;
}

rsm_status rsm__service_look(rsm__services *services, const rsm__service_id *id, rsm__service_activity *ret_activity,
                             rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__bus *bus;
  rsm_status status = rsm__services_bus(services, id, &bus, reterr);
  if (status != RSM_OK) return status;
  rsm__unit_facts unit = {.id = id->name, .active_state = "", .load_state = ""};
  unit.path = rsm__bus_unit_path(id->name, &arena);
  if (!unit.path) return rsm__fail_memory(reterr);
  const rsm__bus_property active = {"ActiveState", "s", &unit.active_state};
  const rsm__bus_property load = {"LoadState", "s", &unit.load_state};
  status = rsm__bus_get(bus, unit.path, "org.freedesktop.systemd1.Unit", &active, &arena, reterr);
  if (status == RSM_OK && strcmp(unit.active_state, "inactive") == 0)
    status = rsm__bus_get(bus, unit.path, "org.freedesktop.systemd1.Unit", &load, &arena, reterr);
  if (status != RSM_OK) return status;
  if (rsm__unit_is_unknown(&unit)) return fail_name(id->name, "its manager has forgotten it: it is down", reterr);
  return rsm__unit_activity(services, bus, &unit, ret_activity, reterr);
}

rsm_status rsm__service_stop(rsm__services *services, const rsm__service_id *id, rsm_error *reterr) {
  const rsm__bus_method method = {.member = "StopUnit", .subject = id->name};
  rsm__bus *bus;
  rsm_status status = rsm__services_bus(services, id, &bus, reterr);
  if (status == RSM_OK) status = rsm__bus_subscribe(bus, reterr);
  return status == RSM_OK ? rsm__bus_call(bus, &method, NULL, reterr, "ss", id->name, "replace") : status;
}

rsm_status rsm__service_kill(rsm__services *services, const rsm__service_id *id, rsm_error *reterr) {
  const rsm__bus_method method = {.member = "KillUnit", .subject = id->name};
  rsm__bus *bus;
  rsm_status status = rsm__services_bus(services, id, &bus, reterr);
  if (status == RSM_OK) status = rsm__bus_call(bus, &method, NULL, reterr, "ssi", id->name, "all", (int32_t)SIGKILL);
  if (status == RSM_NOT_FOUND) return fail_name(id->name, "none of its processes is left", reterr);
  return status;
}

void rsm__services_wait(rsm__services *services, uint64_t deadline_ms) {
  uint64_t soon = rsm__clock_ms() + LEFTOVER_TICK_MS;
  /* Without memory it is looked again and again, slowly: the deadline is the caller's affair. */
  RSM_CLEAN_FREE rsm__bus **buses = rsm__calloc(services->count + 1, sizeof(rsm__bus *));
  if ((services->leftovers_seen || !buses) && deadline_ms > soon) deadline_ms = soon;
  services->leftovers_seen = false;
  for (size_t i = 0; buses && i < services->count; i++) buses[i] = services->connections[i].bus;
  rsm__bus_wait_any(buses, buses ? services->count : 0, deadline_ms, services->task);
}
