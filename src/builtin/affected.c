/* affected.c: SPDX-License-Identifier: MIT */
#include "builtin/affected.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/classify.h"
#include "os/holders.h"

/* One process that uses something or was registered itself. */
typedef struct found {
  rsm_process process;
  const rsm_use *uses;
  size_t use_count;
  bool registered; /* as a process */
} found;

typedef struct gathering {
  rsm__builtin *session;
  rsm__task *task;
  rsm__arena arena; /* of everything that is only needed until the list is made */
  rsm__enrollment enrollment;
  rsm__holders holders;
  found *items;
  size_t count, capacity;
  rsm__classifier classifier;
  rsm__affected *affected; /* what is being made */
  size_t budget;           /* handles that may still be kept */
} gathering;

static void gathering_done(gathering *g) {
  rsm__classifier_done(&g->classifier);
  rsm__enrollment_done(&g->enrollment);
  rsm__free(g->items);
  rsm__arena_done(&g->arena);
}

void rsm__affected_done(rsm__affected *affected) {
  for (size_t i = 0; i < affected->live_count; i++) rsm__process_close(affected->live[i].handle);
  rsm__free(affected->live);
  rsm__service_groups_done(&affected->groups);
  rsm__arena_done(&affected->arena);
  rsm_list_free(affected->list);
  *affected = (rsm__affected){0};
}

static rsm_status find_holders(gathering *g, rsm__task *task, rsm_error *reterr) {
  size_t count = 0;
  rsm__target *targets = rsm__arena_alloc(&g->arena, g->enrollment.count * sizeof *targets);
  if (!targets) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < g->enrollment.count; i++) {
    const rsm__enrolled *item = &g->enrollment.items[i];
    if (item->kind == RSM_RESOURCE_FILE) targets[count++] = (rsm__target){.path = item->name, .real = item->real};
  }
  if (count == 0) {
    g->holders.complete = true;
    return RSM_OK;
  }
  return rsm__holders_find(targets, count, g->session->lookup, task, &g->arena, &g->holders, reterr);
}

static found *add_found(gathering *g, const rsm_process *process) {
  if (rsm__grow(&g->items, &g->capacity, g->count + 1, sizeof *g->items) < 0) return NULL;
  g->items[g->count] = (found){.process = *process};
  return &g->items[g->count++];
}

static found *same_found(gathering *g, const rsm_process *process) {
  for (size_t i = 0; i < g->count; i++)
    if (rsm_process_equal(&g->items[i].process, process)) return &g->items[i];
  return NULL;
}

static rsm_status merge_found(gathering *g, rsm_error *reterr) {
  for (size_t i = 0; i < g->holders.count; i++) {
    const rsm__holder *holder = &g->holders.holders[i];
    if (!holder->process.pid) continue;
    found *item = add_found(g, &holder->process);
    if (!item) return rsm__fail_memory(reterr);
    item->uses = holder->uses;
    item->use_count = holder->use_count;
  }
  for (size_t i = 0; i < g->enrollment.count; i++) {
    const rsm__enrolled *resource = &g->enrollment.items[i];
    if (resource->kind != RSM_RESOURCE_PROCESS) continue;
    found *item = same_found(g, &resource->process);
    if (!item) item = add_found(g, &resource->process);
    if (!item) return rsm__fail_memory(reterr);
    item->registered = true;
  }
  return RSM_OK;
}

static bool wants_working_directories(const gathering *g, const char *resource) {
  for (size_t i = 0; i < g->enrollment.count; i++) {
    const rsm__enrolled *item = &g->enrollment.items[i];
    if (item->working_directories && item->kind == RSM_RESOURCE_FILE && strcmp(item->name, resource) == 0) return true;
  }
  return false;
}

static bool is_affected(const gathering *g, const found *item) {
  if (item->registered) return true;
  for (size_t i = 0; i < item->use_count; i++) {
    const rsm_use *use = &item->uses[i];
    if (rsm__plan_use_counts(use, false)) return true;
    if (wants_working_directories(g, use->resource)) return true;
  }
  return false;
}

static rsm_status add_live(rsm__affected *affected, const rsm__live *live, rsm_error *reterr) {
  if (rsm__grow(&affected->live, &affected->live_capacity, affected->live_count + 1, sizeof *affected->live) < 0)
    return rsm__fail_memory(reterr);
  affected->live[affected->live_count++] = *live;
  return RSM_OK;
}

static rsm_status keep_live(gathering *g, const rsm__subject *subject, rsm__process **handle, bool keep_handles,
                            rsm_error *reterr) {
  rsm__live new_one = {.parent = subject->facts.parent, .uid = subject->facts.uid};
  rsm_status status = add_live(g->affected, &new_one, reterr);
  if (status != RSM_OK) return status;
  rsm__live *live = &g->affected->live[g->affected->live_count - 1];
  if (keep_handles && g->budget > 0) {
    live->handle = *handle;
    *handle = NULL;
    g->budget--;
  }
  return RSM_OK;
}

/* *ret_handle stays NULL if it has ended: it uses nothing any more. */
static rsm_status open_found(const gathering *g, const found *item, rsm__process **ret_handle, rsm_error *reterr) {
  rsm_status status = rsm__process_open(&item->process, ret_handle, reterr);
  if (status != RSM_OK) return status == RSM_NOT_FOUND ? RSM_OK : status;
  rsm__process_within(*ret_handle, g->session->lookup, g->task);
  rsm__process_read_ahead(*ret_handle);
  return RSM_OK;
}

/* May take the handle over. */
static rsm_status add_app(gathering *g, const found *item, rsm__process **handle, bool keep_handles,
                          rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__subject subject = {0};
  rsm_status status = rsm__classify(&g->classifier, *handle, &arena, &subject, reterr);
  if (status == RSM_NOT_FOUND) return RSM_OK;
  if (status != RSM_OK) return status;
  rsm_app *app = &subject.app;
  app->affected = is_affected(g, item);
  app->uses = item->uses;
  app->use_count = item->use_count;
  rsm__filters_mask(&g->session->filters, app);
  if (subject.service) return rsm__service_group_join(&g->affected->groups, subject.service, app, reterr);
  status = rsm__list_add_copy(g->affected->list, app, reterr);
  return status == RSM_OK ? keep_live(g, &subject, handle, keep_handles, reterr) : status;
}

/* While one is looked at, the next is read ahead. */
static rsm_status add_apps(gathering *g, bool keep_handles, rsm_error *reterr) {
  RSM_CLEAN_PROCESS rsm__process *next = NULL;
  rsm_status status = g->count > 0 ? open_found(g, &g->items[0], &next, reterr) : RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < g->count; i++) {
    RSM_CLEAN_PROCESS rsm__process *handle = next;
    next = NULL;
    if (g->task && rsm__task_cancelled(g->task)) return rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
    if (i + 1 < g->count) status = open_found(g, &g->items[i + 1], &next, reterr);
    if (status == RSM_OK && handle) status = add_app(g, &g->items[i], &handle, keep_handles, reterr);
  }
  return status;
}

static rsm_status find_registered_services(gathering *g, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < g->enrollment.count; i++) {
    const rsm__enrolled *item = &g->enrollment.items[i];
    if (item->kind != RSM_RESOURCE_SERVICE) continue;
    rsm__service_group *group;
    rsm__service_place place = {.id = item->service};
    status = rsm__service_groups_get(&g->affected->groups, &place, &group, reterr);
    if (status == RSM_OK) group->registered = true;
  }
  return status;
}

static rsm_status add_service(gathering *g, const rsm__service_group *group, rsm_error *reterr) {
  rsm__affected *affected = g->affected;
  bool listed;
  rsm_app app;
  if (!group->user_count && !group->registered) return RSM_OK; /* the service that carries us, and the like */
  rsm_status status =
      rsm__service_group_app(&affected->groups, group, g->session->lookup, g->task, &listed, &app, reterr);
  if (status != RSM_OK || !listed) return status;
  status = rsm__service_group_mask(&affected->groups, group, &g->session->filters, g->session->lookup, g->task, &app,
                                   reterr);
  if (status == RSM_OK) status = rsm__list_add_copy(affected->list, &app, reterr);
  return status == RSM_OK ? add_live(affected, &(rsm__live){.service = group}, reterr) : status;
}

/* Loop devices, swap, mounts: they use the file and nobody can be asked. */
static rsm_status add_kernel_users(gathering *g, rsm_list *list, rsm_error *reterr) {
  for (size_t i = 0; i < g->holders.count; i++) {
    const rsm__holder *holder = &g->holders.holders[i];
    if (holder->process.pid) continue;
    rsm_app app = {.name = holder->name,
                   .type = RSM_APP_CRITICAL,
                   .status = RSM_APP_RUNNING,
                   .reboot_reasons = RSM_REBOOT_CRITICAL_PROCESS,
                   .affected = true,
                   .uses = holder->uses,
                   .use_count = holder->use_count,
                   .note = "the system itself uses the file; no process can be asked"};
    rsm_status status = rsm__list_add_copy(list, &app, reterr);
    if (status != RSM_OK) return status;
  }
  return RSM_OK;
}

/* Of an entry's status these say how it is or was kept, not what was done. */
enum { NOT_HISTORY = RSM_APP_RUNNING | RSM_APP_SHUTDOWN_MASKED | RSM_APP_RESTART_MASKED };

/* The entry of the list that is now what a journal's entry was. */
static rsm_app *listed_as(const rsm__affected *affected, const rsm__entry *entry) {
  for (size_t i = 0; entry->service.name && i < affected->live_count; i++) {
    const rsm__service_group *group = affected->live[i].service;
    if (group && rsm__service_id_equal(rsm__service_group_id(group), &entry->service)) return &affected->list->apps[i];
  }
  if (entry->service.name) return NULL;
  return rsm__list_find(affected->list,
                        entry->fate == RSM__FATE_RESTARTED ? &entry->app.restarted_as : &entry->app.process);
}

/* What this session stopped stays in the list; where it was started again and uses the files, its entry tells so. */
static rsm_status add_remembered(const rsm__builtin *session, const rsm__affected *affected, rsm_error *reterr) {
  rsm_list *list = affected->list;
  for (size_t i = 0; i < session->journal.count; i++) {
    const rsm__entry *entry = session->journal.entries[i];
    if (entry->fate == RSM__FATE_PLANNED) continue;
    rsm_app *listed = listed_as(affected, entry);
    if (listed) {
      listed->status |= entry->app.status & ~(uint32_t)NOT_HISTORY;
      continue;
    }
    if (entry->fate == RSM__FATE_ASKED || entry->fate == RSM__FATE_ALIVE) continue; /* no longer uses them */
    rsm_status status = rsm__list_add_copy(list, &entry->app, reterr);
    if (status != RSM_OK) return status;
  }
  return RSM_OK;
}

static rsm_status make_list(gathering *g, bool keep_handles, rsm_error *reterr) {
  rsm__affected *affected = g->affected;
  affected->list = rsm__list_new();
  if (!affected->list) return rsm__fail_memory(reterr);
  rsm_status status = add_apps(g, keep_handles, reterr);
  if (status == RSM_OK) status = find_registered_services(g, reterr);
  for (size_t i = 0; status == RSM_OK && i < affected->groups.count; i++)
    status = add_service(g, affected->groups.items[i], reterr);
  for (size_t i = 0; status == RSM_OK && i < g->holders.unreadable_count; i++)
    status = rsm__list_add_unreadable(affected->list, &g->holders.unreadable[i], reterr);
  if (status == RSM_OK) status = add_kernel_users(g, affected->list, reterr);
  if (status == RSM_OK) status = add_remembered(g->session, affected, reterr);
  affected->list->complete = affected->list->complete && g->holders.complete;
  affected->list->reboot_reasons = rsm__plan_reasons(affected->list);
  return status;
}

rsm_status rsm__affected_find(rsm__builtin *session, rsm__services *services, rsm__task *task, bool keep_handles,
                              rsm__affected *ret_affected, rsm_error *reterr) {
  RSM_CLEAN(gathering_done) gathering g = {.session = session, .task = task};
  RSM_CLEAN(rsm__affected_done) rsm__affected affected = {0};
  g.affected = &affected;
  affected.groups = (rsm__service_groups){.services = services, .arena = &affected.arena};
  rsm_status status = rsm__enrollment_read(session->stored.dir, &g.enrollment, reterr);
  if (status == RSM_OK) status = find_holders(&g, task, reterr);
  if (status == RSM_OK) status = merge_found(&g, reterr);
  if (status == RSM_OK)
    status =
        rsm__classifier_init(&g.classifier, session->stoppable, session->stoppable_count, &affected.groups, reterr);
  g.budget = rsm__process_budget();
  if (status == RSM_OK) status = make_list(&g, keep_handles, reterr);
  if (status != RSM_OK) return status;
  *ret_affected = affected;
  ret_affected->groups.arena = &ret_affected->arena;
  affected = (rsm__affected){0};
  return RSM_OK;
}
