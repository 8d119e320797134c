/* services.c: SPDX-License-Identifier: MIT */
#include "builtin/services.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/process.h"

void rsm__service_groups_done(rsm__service_groups *groups) {
  for (size_t i = 0; i < groups->count; i++) {
    rsm__free(groups->items[i]->uses);
    rsm__free(groups->items[i]->users);
  }
  rsm__free(groups->items);
  *groups = (rsm__service_groups){0};
}

const rsm__service_id *rsm__service_group_id(const rsm__service_group *group) {
  return group->status == RSM_OK ? &group->facts.id : &group->place.id;
}

/* Two services of one name may be found, where one is a container's: then their groups differ. */
static bool is_there(const rsm__service_group *group, const rsm__service_place *place) {
  if (!rsm__service_id_equal(rsm__service_group_id(group), &place->id)) return false;
  if (!place->group) return group->status != RSM_NO_SUCH_SERVICE;
  return group->place.group && strcmp(group->place.group, place->group) == 0;
}

rsm_status rsm__service_groups_get(rsm__service_groups *groups, const rsm__service_place *place,
                                   rsm__service_group **ret_group, rsm_error *reterr) {
  for (size_t i = 0; i < groups->count; i++) {
    if (!is_there(groups->items[i], place)) continue;
    *ret_group = groups->items[i];
    return RSM_OK;
  }
  rsm__service_group *group = rsm__arena_alloc(groups->arena, sizeof *group);
  if (!group || rsm__grow(&groups->items, &groups->capacity, groups->count + 1, sizeof(rsm__service_group *)) < 0)
    return rsm__fail_memory(reterr);
  group->place = *place;
  group->place.id.name = rsm__arena_strdup(groups->arena, place->id.name);
  group->place.group = rsm__arena_strdup(groups->arena, place->group);
  if (!group->place.id.name || (place->group && !group->place.group)) return rsm__fail_memory(reterr);
  group->status = rsm__service_inspect(groups->services, &group->place, groups->arena, &group->facts, &group->why);
  if (rsm__is_shortage(group->status)) {
    if (reterr) *reterr = group->why;
    return group->status;
  }
  groups->items[groups->count++] = group;
  *ret_group = group;
  return RSM_OK;
}

rsm__service_verdict rsm__service_verdict_of(const rsm__service_group *group) {
  if (group->place.carries_us) return RSM__VERDICT_OURS;
  if (group->status == RSM_NO_SUCH_SERVICE) return RSM__VERDICT_APPLICATION;
  if (group->status != RSM_OK) return RSM__VERDICT_UNREACHABLE;
  return group->facts.application ? RSM__VERDICT_APPLICATION : RSM__VERDICT_SERVICE;
}

rsm_status rsm__service_group_join(rsm__service_groups *groups, rsm__service_group *group, const rsm_app *app,
                                   rsm_error *reterr) {
  if (rsm__grow(&group->uses, &group->use_capacity, group->use_count + app->use_count, sizeof *group->uses) < 0 ||
      rsm__grow(&group->users, &group->user_capacity, group->user_count + 1, sizeof *group->users) < 0)
    return rsm__fail_memory(reterr);
  if (!group->first.name) {
    rsm_status status = rsm__app_copy(groups->arena, app, &group->first, reterr);
    if (status != RSM_OK) return status;
  }
  if (app->use_count) memcpy(group->uses + group->use_count, app->uses, app->use_count * sizeof *app->uses);
  group->use_count += app->use_count;
  group->users[group->user_count++] = app->process;
  group->affected = group->affected || app->affected;
  group->masks |= app->status & RSM_APP_SHUTDOWN_MASKED;
  return RSM_OK;
}

/* Who runs the process, and what; nothing if it is gone. */
static rsm_status describe_process(rsm__arena *arena, rsm__lookup *lookup, rsm__task *task, rsm_app *app,
                                   rsm_error *reterr) {
  rsm__process *process;
  rsm__process_facts facts;
  if (!app->process.pid) return RSM_OK;
  rsm_status status = rsm__process_open(&app->process, &process, reterr);
  if (status == RSM_OK) {
    rsm__process_within(process, lookup, task);
    status = rsm__process_facts_get(process, arena, &facts, reterr);
    rsm__process_close(process);
  }
  if (rsm__is_shortage(status) || status == RSM_CANCELLED) return status;
  if (status != RSM_OK) return RSM_OK;
  app->started_at = facts.started_at;
  app->user = facts.user;
  app->exe = facts.exe;
  app->command = facts.command;
  app->command_count = facts.command_count;
  return RSM_OK;
}

static rsm_status name_dependents(rsm__arena *arena, const rsm__service_facts *facts, rsm_app *app, rsm_error *reterr) {
  if (!facts->link_count) return RSM_OK;
  const char **names = rsm__arena_alloc(arena, facts->link_count * sizeof *names);
  if (!names) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < facts->link_count; i++)
    if (!(names[i] = rsm__service_short_name(facts->links[i].id.name, arena))) return rsm__fail_memory(reterr);
  app->dependents = names;
  app->dependent_count = facts->link_count;
  return RSM_OK;
}

/* What stands in the way of stopping it. Our own unit stands alone, as our own process does. */
static void set_reasons(const rsm__service_facts *facts, rsm_app *app) {
  if (facts->carries_us || facts->critical) {
    app->type = RSM_APP_CRITICAL;
    app->restartable = false;
    app->restart_by = RSM_RESTART_BY_NONE;
    app->reboot_reasons = facts->carries_us ? RSM_REBOOT_DETECTED_SELF : RSM_REBOOT_CRITICAL_SERVICE;
    app->note = facts->critical ? facts->critical : "the installer runs in what goes down with it";
  } else if (facts->refusal) {
    app->reboot_reasons = RSM_REBOOT_PERMISSION_DENIED;
    app->note = facts->refusal;
  }
}

static rsm_status app_of_facts(const rsm__service_groups *groups, const rsm__service_facts *facts, rsm__lookup *lookup,
                               rsm__task *task, rsm_app *ret_app, rsm_error *reterr) {
  bool runs = facts->activity != RSM__SERVICE_DOWN;
  rsm_app app = {.process = facts->main,
                 .name = facts->description,
                 .service = rsm__service_short_name(facts->id.name, groups->arena),
                 .type = RSM_APP_SERVICE,
                 .status = runs ? RSM_APP_RUNNING : RSM_APP_STOPPED_OTHER,
                 .restartable = !facts->obstacle,
                 .restart_by = facts->obstacle ? RSM_RESTART_BY_NONE : RSM_RESTART_BY_SERVICE,
                 .processes = facts->processes,
                 .process_count = facts->process_count,
                 .note = facts->obstacle ? facts->obstacle : facts->note};
  if (!app.service) return rsm__fail_memory(reterr);
  if (!app.process.pid && facts->process_count) app.process = facts->processes[0];
  rsm_status status = name_dependents(groups->arena, facts, &app, reterr);
  if (status == RSM_OK) status = describe_process(groups->arena, lookup, task, &app, reterr);
  if (status == RSM_OK) *ret_app = app;
  return status;
}

/* Its manager cannot be asked: what its processes say of themselves, and that it cannot be stopped from here. */
static rsm_status unreachable_app(const rsm__service_groups *groups, const rsm__service_group *group, rsm_app *ret_app,
                                  rsm_error *reterr) {
  char words[384];
  rsm_app app = group->first;
  app.service = rsm__service_short_name(group->place.id.name, groups->arena);
  if (!app.name) app.name = app.service;
  app.note = rsm__arena_strdup(groups->arena, rsm_error_format(&group->why, words, sizeof words));
  if (!app.service || !app.note) return rsm__fail_memory(reterr);
  app.type = RSM_APP_SERVICE;
  /* Who cannot be asked about may run. One that has gone since it was registered does not. */
  app.status = group->status == RSM_NO_SUCH_SERVICE ? RSM_APP_STOPPED_OTHER : RSM_APP_RUNNING;
  app.reboot_reasons = RSM_REBOOT_PERMISSION_DENIED;
  app.processes = group->users;
  app.process_count = group->user_count;
  *ret_app = app;
  return RSM_OK;
}

rsm_status rsm__service_group_app(const rsm__service_groups *groups, const rsm__service_group *group,
                                  rsm__lookup *lookup, rsm__task *task, bool *ret_listed, rsm_app *ret_app,
                                  rsm_error *reterr) {
  rsm_app app = {0};
  rsm_status status = group->status == RSM_OK ? app_of_facts(groups, &group->facts, lookup, task, &app, reterr)
                                              : unreachable_app(groups, group, &app, reterr);
  if (status != RSM_OK) return status;
  if (group->status == RSM_OK) set_reasons(&group->facts, &app);
  if (group->status == RSM_NO_SUCH_SERVICE) app.reboot_reasons = 0; /* was registered, and has gone since */
  app.affected = group->affected || group->registered;
  app.uses = group->uses;
  app.use_count = group->use_count;
  app.status |= group->masks;
  *ret_app = app;
  *ret_listed = group->registered || (app.status & RSM_APP_RUNNING);
  return RSM_OK;
}

rsm_status rsm__service_link_app(const rsm__service_groups *groups, const rsm__service_link *link, rsm__lookup *lookup,
                                 rsm__task *task, rsm_app *ret_app, const char **ret_obstacle, rsm_error *reterr) {
  rsm__service_facts facts = {.id = link->id, .description = link->description, .activity = RSM__SERVICE_RUNNING};
  rsm__service_place place = {.id = link->id};
  rsm_status status = rsm__service_inspect(groups->services, &place, groups->arena, &facts, reterr);
  if (rsm__is_shortage(status)) return status;
  status = app_of_facts(groups, &facts, lookup, task, ret_app, reterr);
  if (status == RSM_OK && ret_obstacle) *ret_obstacle = facts.obstacle;
  return status;
}

static bool keeps_anybody(const rsm_filter_list *filters) {
  for (size_t i = 0; i < filters->count; i++)
    if (filters->items[i].action == RSM_NO_SHUTDOWN) return true;
  return false;
}

rsm_status rsm__service_group_mask(const rsm__service_groups *groups, const rsm__service_group *group,
                                   const rsm__filters *filters, rsm__lookup *lookup, rsm__task *task, rsm_app *app,
                                   rsm_error *reterr) {
  rsm__filters_mask(filters, app);
  if (group->status != RSM_OK || !keeps_anybody(&filters->given)) return RSM_OK;
  for (size_t i = 0; i < group->facts.link_count && !(app->status & RSM_APP_SHUTDOWN_MASKED); i++) {
    rsm_app link;
    char words[320];
    rsm_status status = rsm__service_link_app(groups, &group->facts.links[i], lookup, task, &link, NULL, reterr);
    if (status != RSM_OK) return status;
    rsm__filters_mask(filters, &link);
    if (!(link.status & RSM_APP_SHUTDOWN_MASKED)) continue;
    snprintf(words, sizeof words, "kept: its stop would stop %.200s, which a filter keeps", link.service);
    app->status |= RSM_APP_SHUTDOWN_MASKED;
    app->note = rsm__arena_strdup(groups->arena, words);
    if (!app->note) return rsm__fail_memory(reterr);
  }
  return RSM_OK;
}
