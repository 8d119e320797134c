/* filters.c: SPDX-License-Identifier: MIT */
#include "builtin/filters.h"

#include <string.h>

#include "base/cleanup.h"
#include "core/plan.h"

void rsm__filters_done(rsm__filters *filters) {
  rsm__filter_list_done(&filters->given);
  rsm__filter_list_done(&filters->real);
}

static rsm_status copy_given(const rsm__filters *filters, rsm__filters *ret_copy, rsm_error *reterr) {
  for (size_t i = 0; i < filters->given.count; i++) {
    rsm_status status = rsm__filter_add(&ret_copy->given, &filters->given.items[i], reterr);
    if (status != RSM_OK) return status;
  }
  return RSM_OK;
}

static rsm_status add_real(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *given, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *real = NULL;
  if (!given->exe) return RSM_OK;
  rsm_status status = rsm__lookup_real(lookup, &given->exe, 1, &arena, &real, reterr);
  if (status != RSM_OK || !real || strcmp(real, given->exe) == 0) return status;
  return rsm__filter_add(&filters->real, &(rsm_filter){.exe = real, .action = given->action}, reterr);
}

/* Puts the changed filters in the place of the old ones, once their real paths are known. */
static rsm_status replace(rsm__filters *filters, rsm__filters *changed, rsm__lookup *lookup, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < changed->given.count; i++)
    status = add_real(changed, lookup, &changed->given.items[i], reterr);
  if (status != RSM_OK) return status;
  rsm__filters old = *filters;
  *filters = *changed;
  *changed = old;
  return RSM_OK;
}

rsm_status rsm__filters_add(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter, rsm_error *reterr) {
  RSM_CLEAN(rsm__filters_done) rsm__filters changed = {0};
  RSM_CLEAN_FREE char *exe = NULL;
  rsm_filter named = *filter;
  rsm_status status = copy_given(filters, &changed, reterr);
  if (status == RSM_OK && filter->exe) status = rsm__files_absolute(filter->exe, &exe, reterr);
  if (filter->exe) named.exe = exe;
  if (status == RSM_OK && filter->process.pid && !filter->process.start_time)
    status = rsm_process_find(filter->process.pid, &named.process, reterr);
  if (status == RSM_OK) status = rsm__filter_add(&changed.given, &named, reterr);
  return status == RSM_OK ? replace(filters, &changed, lookup, reterr) : status;
}

/* A bare pid names the filter that was made for it, whoever has the pid now. */
static void bind_pid(const rsm__filters *filters, rsm_filter *named) {
  for (size_t i = 0; named->process.pid && !named->process.start_time && i < filters->given.count; i++)
    if (filters->given.items[i].process.pid == named->process.pid) named->process = filters->given.items[i].process;
}

rsm_status rsm__filters_remove(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter,
                               rsm_error *reterr) {
  RSM_CLEAN(rsm__filters_done) rsm__filters changed = {0};
  RSM_CLEAN_FREE char *exe = NULL;
  rsm_filter named = *filter;
  rsm_status status = copy_given(filters, &changed, reterr);
  if (status == RSM_OK && filter->exe) status = rsm__files_absolute(filter->exe, &exe, reterr);
  if (filter->exe) named.exe = exe;
  bind_pid(filters, &named);
  if (status == RSM_OK) status = rsm__filter_remove(&changed.given, &named, reterr);
  return status == RSM_OK ? replace(filters, &changed, lookup, reterr) : status;
}

void rsm__filters_mask(const rsm__filters *filters, rsm_app *app) {
  rsm__plan_mask(&filters->given, app);
  if (!(app->status & (RSM_APP_SHUTDOWN_MASKED | RSM_APP_RESTART_MASKED))) rsm__plan_mask(&filters->real, app);
}
