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
  size_t budget; /* handles that may still be kept */
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

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

static rsm_status keep_live(gathering *g, rsm__affected *affected, const rsm__subject *subject, rsm__process **handle,
                            bool keep_handles, rsm_error *reterr) {
  if (rsm__grow(&affected->live, &affected->live_capacity, affected->live_count + 1, sizeof *affected->live) < 0)
    return rsm__fail_memory(reterr);
  rsm__live *live = &affected->live[affected->live_count++];
  *live = (rsm__live){.parent = subject->facts.parent, .uid = subject->facts.uid};
  if (keep_handles && g->budget > 0) {
    live->handle = *handle;
    *handle = NULL;
    g->budget--;
  }
  return RSM_OK;
}

/* A process of a service that is listed already joins its entry. */
static rsm_status join_service(rsm_list *list, rsm_app *entry, const rsm_app *app, rsm_error *reterr) {
  size_t uses = entry->use_count + app->use_count, processes = entry->process_count + 1;
  rsm_use *all = rsm__arena_alloc(&list->arena, uses * sizeof *all);
  rsm_process *pids = rsm__arena_alloc(&list->arena, processes * sizeof *pids);
  rsm_app copy;
  rsm_status status = rsm__app_copy(&list->arena, app, &copy, reterr);
  if (status != RSM_OK) return status;
  if (!all || !pids) return rsm__fail_memory(reterr);
  if (entry->use_count) memcpy(all, entry->uses, entry->use_count * sizeof *all);
  if (copy.use_count) memcpy(all + entry->use_count, copy.uses, copy.use_count * sizeof *all);
  memcpy(pids, entry->processes, entry->process_count * sizeof *pids);
  pids[entry->process_count] = app->process;
  entry->uses = all;
  entry->use_count = uses;
  entry->processes = pids;
  entry->process_count = processes;
  entry->affected = entry->affected || app->affected;
  entry->reboot_reasons |= app->reboot_reasons;
  return RSM_OK;
}

static rsm_app *entry_of_service(const rsm_list *list, const rsm_app *app) {
  for (size_t i = 0; app->service && i < list->count; i++)
    if (list->apps[i].service && strcmp(list->apps[i].service, app->service) == 0 &&
        strcmp(list->apps[i].user ? list->apps[i].user : "", app->user ? app->user : "") == 0)
      return &list->apps[i];
  return NULL;
}

static rsm_status add_app(gathering *g, rsm__affected *affected, const found *item, bool keep_handles,
                          rsm_error *reterr) {
  RSM_CLEAN(close_process) rsm__process *handle = NULL;
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__subject subject = {0};
  rsm_status status = rsm__process_open(&item->process, &handle, reterr);
  if (status == RSM_OK) rsm__process_within(handle, g->session->lookup, g->task);
  if (status == RSM_OK) status = rsm__classify(&g->classifier, handle, &arena, &subject, reterr);
  if (status == RSM_NOT_FOUND) return RSM_OK; /* it ended meanwhile: it uses nothing any more */
  if (status != RSM_OK) return status;
  rsm_app *app = &subject.app;
  app->affected = is_affected(g, item);
  app->uses = item->uses;
  app->use_count = item->use_count;
  rsm__filters_mask(&g->session->filters, app);
  rsm_app *service = entry_of_service(affected->list, app);
  if (service) return join_service(affected->list, service, app, reterr);
  if (app->service) {
    app->processes = &app->process;
    app->process_count = 1;
  }
  status = rsm__list_add_copy(affected->list, app, reterr);
  return status == RSM_OK ? keep_live(g, affected, &subject, &handle, keep_handles, reterr) : status;
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

/* What this session stopped stays in the list; where it was started again and uses the files, its entry tells so. */
static rsm_status add_remembered(const rsm__builtin *session, rsm_list *list, rsm_error *reterr) {
  for (size_t i = 0; i < session->journal.count; i++) {
    const rsm__entry *entry = session->journal.entries[i];
    if (entry->fate == RSM__FATE_PLANNED || entry->fate == RSM__FATE_ASKED) continue;
    const rsm_process *now = entry->fate == RSM__FATE_RESTARTED ? &entry->app.restarted_as : &entry->app.process;
    rsm_app *listed = rsm__list_find(list, now);
    if (listed) {
      listed->status |= entry->app.status & ~(uint32_t)NOT_HISTORY;
      continue;
    }
    if (entry->fate == RSM__FATE_ALIVE) continue; /* no longer uses them, and was not stopped by us */
    rsm_status status = rsm__list_add_copy(list, &entry->app, reterr);
    if (status != RSM_OK) return status;
  }
  return RSM_OK;
}

static rsm_status make_list(gathering *g, rsm__task *task, bool keep_handles, rsm__affected *affected,
                            rsm_error *reterr) {
  rsm_status status = RSM_OK;
  affected->list = rsm__list_new();
  if (!affected->list) return rsm__fail_memory(reterr);
  for (size_t i = 0; status == RSM_OK && i < g->count; i++) {
    if (task && rsm__task_cancelled(task)) return rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
    status = add_app(g, affected, &g->items[i], keep_handles, reterr);
  }
  for (size_t i = 0; status == RSM_OK && i < g->holders.unreadable_count; i++)
    status = rsm__list_add_unreadable(affected->list, &g->holders.unreadable[i], reterr);
  if (status == RSM_OK) status = add_kernel_users(g, affected->list, reterr);
  if (status == RSM_OK) status = add_remembered(g->session, affected->list, reterr);
  affected->list->complete = affected->list->complete && g->holders.complete;
  affected->list->reboot_reasons = rsm__plan_reasons(affected->list);
  return status;
}

rsm_status rsm__affected_find(rsm__builtin *session, rsm__task *task, bool keep_handles, rsm__affected *ret_affected,
                              rsm_error *reterr) {
  RSM_CLEAN(gathering_done) gathering g = {.session = session, .task = task};
  RSM_CLEAN(rsm__affected_done) rsm__affected affected = {0};
  rsm_status status = rsm__enrollment_read(session->stored.dir, &g.enrollment, reterr);
  if (status == RSM_OK) status = find_holders(&g, task, reterr);
  if (status == RSM_OK) status = merge_found(&g, reterr);
  if (status == RSM_OK)
    status = rsm__classifier_init(&g.classifier, session->stoppable, session->stoppable_count, reterr);
  g.budget = rsm__process_budget();
  if (status == RSM_OK) status = make_list(&g, task, keep_handles, &affected, reterr);
  if (status != RSM_OK) return status;
  *ret_affected = affected;
  affected = (rsm__affected){0};
  return RSM_OK;
}
