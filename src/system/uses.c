/* uses.c: how the listed processes use the registered files, which the system's Restart Manager knows and does not
 * tell.
 *
 * A look into the handles and the memory of the processes that it has listed, and of nobody else: to look at everybody
 * is slow, and alarms what guards the machine. What other installers registered is not known here, so uses of that are
 * not found. SPDX-License-Identifier: MIT */
#include "system/system.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "os/holders.h"

typedef struct search {
  rsm__arena arena;
  rsm__target *targets;
  size_t target_count;
  rsm_process *processes;
  size_t process_count;
} search;

static void search_done(search *s) {
  rsm__arena_done(&s->arena);
}

static rsm_status prepare(const rsm__system *session, const rsm_list *list, search *s, rsm_error *reterr) {
  size_t count = session->registered->count;
  s->targets = rsm__arena_alloc(&s->arena, (count + 1) * sizeof *s->targets);
  s->processes = rsm__arena_alloc(&s->arena, (list->count + 1) * sizeof *s->processes);
  if (!s->targets || !s->processes) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++) {
    const rsm_resource *resource = &session->registered->items[i];
    if (resource->kind == RSM_RESOURCE_FILE) s->targets[s->target_count++].path = resource->name;
  }
  for (size_t i = 0; i < list->count; i++) {
    const rsm_app *app = &list->apps[i];
    if (app->process.pid && (app->status & RSM_APP_RUNNING)) s->processes[s->process_count++] = app->process;
  }
  return RSM_OK;
}

/* A process may run several services: each is an entry of its own. */
static rsm_status add_holder(rsm_list *list, const rsm__holder *holder, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < list->count; i++) {
    rsm_app app = list->apps[i];
    if (!rsm_process_equal(&app.process, &holder->process)) continue;
    app.uses = holder->uses;
    app.use_count = holder->use_count;
    status = rsm__app_copy(&list->arena, &app, &list->apps[i], reterr);
  }
  return status;
}

rsm_status rsm__system_add_uses(rsm__system_op *op, rsm_list *list, rsm_error *reterr) {
  RSM_CLEAN(search_done) search s = {0};
  rsm__holders holders;
  rsm_status status = prepare(op->session, list, &s, reterr);
  if (status != RSM_OK || !s.target_count || !s.process_count) return status;
  status = rsm__holders_find_among(s.processes, s.process_count, s.targets, s.target_count, op->session->lookup,
                                   op->task, &s.arena, &holders, reterr);
  for (size_t i = 0; status == RSM_OK && i < holders.count; i++)
    if (holders.holders[i].process.pid) status = add_holder(list, &holders.holders[i], reterr);
  for (size_t i = 0; status == RSM_OK && i < holders.unreadable_count; i++)
    status = rsm__list_add_unreadable(list, &holders.unreadable[i], reterr);
  if (status == RSM_OK && !holders.complete) list->complete = false;
  return status;
}
