/* SPDX-License-Identifier: MIT */
#include "os/linux/service_units.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

static const char UNIT[] = "org.freedesktop.systemd1.Unit";

const char *rsm__say(rsm__arena *arena, const char *format, ...) {
  char text[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return rsm__arena_strdup(arena, text);
}

bool rsm__unit_has_type(const char *name, const char *suffix) {
  size_t length = strlen(name), end = strlen(suffix);
  return length > end && strcmp(name + length - end, suffix) == 0;
}

const char *rsm__unit_interface(const char *name) {
  static const struct {
    const char *suffix, *interface;
  } table[] = {
      {".service", "org.freedesktop.systemd1.Service"}, {".socket", "org.freedesktop.systemd1.Socket"},
      {".scope", "org.freedesktop.systemd1.Scope"},     {".slice", "org.freedesktop.systemd1.Slice"},
      {".mount", "org.freedesktop.systemd1.Mount"},     {".swap", "org.freedesktop.systemd1.Swap"},
  };
  for (size_t i = 0; i < RSM_COUNT(table); i++)
    if (rsm__unit_has_type(name, table[i].suffix)) return table[i].interface;
  return NULL;
}

bool rsm__unit_is_up(const char *active_state) {
  static const char *const up[] = {"active", "activating", "reloading", "refreshing"};
  for (size_t i = 0; i < RSM_COUNT(up); i++)
    if (strcmp(active_state, up[i]) == 0) return true;
  return false;
}

bool rsm__unit_is_unknown(const rsm__unit_facts *unit) {
  return strcmp(unit->load_state, "not-found") == 0 && strcmp(unit->active_state, "inactive") == 0;
}

rsm_status rsm__unit_facts_get(rsm__bus *bus, const char *name, rsm__arena *arena, rsm__unit_facts *ret_facts,
                               rsm_error *reterr) {
  rsm__unit_facts facts = {
      .id = name, .description = "", .load_state = "", .active_state = "", .job_limit_us = UINT64_MAX};
  /* To which others a stop goes: systemd's dependency atom PROPAGATE_STOP. The last one is new in systemd 249. */
  const rsm__bus_property wanted[] = {
      {"Id", "s", &facts.id},
      {"Description", "s", &facts.description},
      {"LoadState", "s", &facts.load_state},
      {"ActiveState", "s", &facts.active_state},
      {"Names", "as", &facts.names},
      {"RequiredBy", "as", &facts.stopped_with[0]},
      {"RequisiteOf", "as", &facts.stopped_with[1]},
      {"BoundBy", "as", &facts.stopped_with[2]},
      {"ConsistsOf", "as", &facts.stopped_with[3]},
      {"PropagatesStopTo", "as", &facts.stopped_with[4]},
      {"TriggeredBy", "as", &facts.triggered_by},
      {"UpheldBy", "as", &facts.upheld_by},
      {"After", "as", &facts.after},
      {"RefuseManualStop", "b", &facts.refuses_stop},
      {"RefuseManualStart", "b", &facts.refuses_start},
      {"Transient", "b", &facts.transient},
      {"NeedDaemonReload", "b", &facts.needs_reload},
      {"JobTimeoutUSec", "t", &facts.job_limit_us},
  };
  facts.path = rsm__bus_unit_path(name, arena);
  if (!facts.path) return rsm__fail_memory(reterr);
  rsm_status status = rsm__bus_get_all(bus, facts.path, UNIT, wanted, RSM_COUNT(wanted), arena, reterr);
  if (status == RSM_OK) *ret_facts = facts;
  return status;
}

rsm_status rsm__unit_property(rsm__bus *bus, const rsm__unit_facts *unit, const char *name, const char *type,
                              void *value, rsm__arena *arena, rsm_error *reterr) {
  const rsm__bus_property wanted = {name, type, value};
  const char *interface = rsm__unit_interface(unit->id);
  if (!interface) return RSM_OK;
  rsm_status status = rsm__bus_get(bus, unit->path, interface, &wanted, arena, reterr);
  return status == RSM_NOT_FOUND ? RSM_OK : status;
}

rsm_status rsm__unit_control_group(rsm__bus *bus, const rsm__unit_facts *unit, rsm__arena *arena,
                                   const char **ret_group, rsm_error *reterr) {
  const char *group = "";
  uint32_t owner;
  rsm_status status = rsm__unit_property(bus, unit, "ControlGroup", "s", &group, arena, reterr);
  if (status != RSM_OK) return status;
  /* A user's manager is whatever the user runs: it must not pass others' processes off as its own. */
  if (*group && rsm__bus_is_users(bus, &owner)) {
    rsm__unit place;
    status = rsm__unit_of_group(group, arena, &place, reterr);
    if (status != RSM_OK) return status;
    if (!place.user_manager || place.owner != owner) group = "";
  }
  *ret_group = group;
  return RSM_OK;
}

rsm_status rsm__unit_is_going(rsm__bus *bus, const rsm__unit_facts *unit, rsm__arena *arena, bool *ret_going,
                              rsm_error *reterr) {
  const rsm__bus_method get = {
      .path = unit->path, .interface = "org.freedesktop.DBus.Properties", .member = "Get", .subject = unit->id};
  RSM_CLEAN_REPLY rsm__bus_reply reply = {0};
  uint32_t id = 0;
  const char *job = "", *type = "";
  *ret_going = false;
  rsm_status status = rsm__bus_call(bus, &get, &reply, reterr, "ss", UNIT, "Job");
  if (status == RSM_OK) status = rsm__bus_read(&reply, reterr, "v", "(uo)", &id, &job);
  if (status != RSM_OK || !id) return status;
  const rsm__bus_property wanted = {"JobType", "s", &type};
  rsm_error gone;
  status = rsm__bus_get(bus, job, "org.freedesktop.systemd1.Job", &wanted, arena, &gone);
  *ret_going = status == RSM_OK && strcmp(type, "stop") == 0;
  if (status == RSM_OK || (status != RSM_TIMEOUT && !rsm__is_shortage(status))) return RSM_OK; /* it has just ended */
  if (reterr) *reterr = gone;
  return status;
}

/* org.freedesktop.systemd1(5) allows the mode "isolate" for starting only. systemd sees that after it has found the
 * unit, has asked polkit (about this very unit, nobody being asked for a password) and has looked at RefuseManualStop:
 * so an answer about the argument means that all else is well. */
rsm_status rsm__unit_ask_stop(rsm__bus *bus, const char *name, rsm__arena *arena, const char **ret_refusal,
                              rsm_error *reterr) {
  const rsm__bus_method method = {.member = "StopUnit", .subject = name};
  rsm_error why = {0};
  rsm_status status = rsm__bus_call(bus, &method, NULL, &why, "ss", name, "isolate");
  if (rsm__bus_refused_with(bus, "org.freedesktop.DBus.Error.InvalidArgs")) {
    *ret_refusal = NULL;
    return RSM_OK;
  }
  if (status == RSM_TIMEOUT || rsm__is_shortage(status) || rsm__bus_is_broken(bus)) {
    if (reterr) *reterr = why;
    return status;
  }
  if (status == RSM_OK)
    *ret_refusal = "its manager did not understand whether we may stop it";
  else if (status == RSM_ACCESS_DENIED)
    *ret_refusal = rsm__say(arena, "we may not stop it: %s", why.detail);
  else
    *ret_refusal = rsm__say(arena, "its manager would not stop it: %s", why.detail);
  return *ret_refusal ? RSM_OK : rsm__fail_memory(reterr);
}
