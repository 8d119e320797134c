/* filters.c: SPDX-License-Identifier: MIT */
#include "builtin/filters.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "core/plan.h"
#include "os/service.h"

void rsm__filters_init(rsm__filters *filters) {
  *filters = (rsm__filters){.given.same_name = rsm__files_same_name, .real.same_name = rsm__files_same_name};
}

void rsm__filters_done(rsm__filters *filters) {
  rsm__filter_list_done(&filters->given);
  rsm__filter_list_done(&filters->real);
}

/* A copy of the filters that is changed, and put in their place only when all has gone well. */
typedef struct change {
  rsm__filters filters;
  rsm_filter named; /* the filter to add or remove, its program file made absolute */
  char *exe;
} change;

static void change_done(change *c) {
  rsm__filters_done(&c->filters);
  rsm__free(c->exe);
}

static rsm_status begin_change(const rsm__filters *filters, const rsm_filter *filter, change *c, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  rsm__filters_init(&c->filters);
  c->named = *filter;
  for (size_t i = 0; status == RSM_OK && i < filters->given.count; i++)
    status = rsm__filter_add(&c->filters.given, &filters->given.items[i], reterr);
  if (status == RSM_OK && filter->exe) status = rsm__files_absolute(filter->exe, &c->exe, reterr);
  if (filter->exe) c->named.exe = c->exe;
  return status;
}

/* The short name of the service that is meant; of one that nobody knows (yet), of what was typed. */
static rsm_status add_real_service(rsm__filters *filters, const rsm_filter *given, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__services *services;
  rsm__service_id id = {.name = given->service};
  rsm_status status = rsm__services_new(NULL, &services, reterr);
  if (status != RSM_OK) return status;
  status = rsm__service_resolve(services, given->service, &arena, &id, reterr);
  rsm__services_free(services);
  if (rsm__is_shortage(status)) return status;
  const char *name = rsm__service_short_name(id.name, &arena);
  if (!name) return rsm__fail_memory(reterr);
  if (strcmp(name, given->service) == 0) return RSM_OK;
  return rsm__filter_add(&filters->real, &(rsm_filter){.service = name, .action = given->action}, reterr);
}

static rsm_status add_real(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *given, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *real = NULL;
  if (given->service) return add_real_service(filters, given, reterr);
  if (!given->exe) return RSM_OK;
  rsm_status status = rsm__lookup_real(lookup, &given->exe, 1, &arena, &real, reterr);
  if (status != RSM_OK || !real || strcmp(real, given->exe) == 0) return status;
  return rsm__filter_add(&filters->real, &(rsm_filter){.exe = real, .action = given->action}, reterr);
}

static rsm_status end_change(rsm__filters *filters, change *c, rsm__lookup *lookup, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < c->filters.given.count; i++)
    status = add_real(&c->filters, lookup, &c->filters.given.items[i], reterr);
  if (status != RSM_OK) return status;
  rsm__filters old = *filters;
  *filters = c->filters;
  c->filters = old;
  return RSM_OK;
}

rsm_status rsm__filters_add(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter, rsm_error *reterr) {
  RSM_CLEAN(change_done) change c = {0};
  rsm_status status = begin_change(filters, filter, &c, reterr);
  if (status == RSM_OK && filter->process.pid && !filter->process.start_time)
    status = rsm_process_find(filter->process.pid, &c.named.process, reterr);
  if (status == RSM_OK) status = rsm__filter_add(&c.filters.given, &c.named, reterr);
  return status == RSM_OK ? end_change(filters, &c, lookup, reterr) : status;
}

/* A bare pid names the filter that was made for it, whoever has the pid now. */
static void bind_pid(const rsm__filters *filters, rsm_filter *named) {
  for (size_t i = 0; named->process.pid && !named->process.start_time && i < filters->given.count; i++)
    if (filters->given.items[i].process.pid == named->process.pid) named->process = filters->given.items[i].process;
}

rsm_status rsm__filters_remove(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter,
                               rsm_error *reterr) {
  RSM_CLEAN(change_done) change c = {0};
  rsm_status status = begin_change(filters, filter, &c, reterr);
  bind_pid(filters, &c.named);
  if (status == RSM_OK) status = rsm__filter_remove(&c.filters.given, &c.named, reterr);
  return status == RSM_OK ? end_change(filters, &c, lookup, reterr) : status;
}

void rsm__filters_mask(const rsm__filters *filters, rsm_app *app) {
  rsm__plan_mask(&filters->given, app);
  if (!(app->status & (RSM_APP_SHUTDOWN_MASKED | RSM_APP_RESTART_MASKED))) rsm__plan_mask(&filters->real, app);
}
