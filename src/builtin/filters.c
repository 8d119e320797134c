/* filters.c: SPDX-License-Identifier: MIT */
#include "builtin/filters.h"

#include <string.h>

#include "base/cleanup.h"
#include "core/plan.h"

void rsm__filters_done(rsm__filters *filters) {
  rsm__filter_list_done(&filters->given);
  rsm__filter_list_done(&filters->real);
}

typedef struct named {
  rsm_filter given, real; /* real.exe NULL: the same as given */
  char *exe;
  rsm__arena arena;
} named;

static void named_done(named *n) {
  rsm__free(n->exe);
  rsm__arena_done(&n->arena);
}

static rsm_status name_filter(const rsm_filter *filter, rsm__lookup *lookup, named *n, rsm_error *reterr) {
  n->given = n->real = *filter;
  n->real.exe = NULL;
  if (filter->process.pid && !filter->process.start_time)
    return rsm_process_find(filter->process.pid, &n->given.process, reterr);
  if (!filter->exe) return RSM_OK;
  const char *real = NULL;
  rsm_status status = rsm__files_absolute(filter->exe, &n->exe, reterr);
  if (status != RSM_OK) return status;
  n->given.exe = n->exe;
  status = rsm__lookup_real(lookup, &n->given.exe, 1, &n->arena, &real, reterr);
  if (real && strcmp(real, n->exe) != 0) n->real.exe = real;
  return status;
}

rsm_status rsm__filters_add(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter, rsm_error *reterr) {
  RSM_CLEAN(named_done) named n = {0};
  rsm_status status = name_filter(filter, lookup, &n, reterr);
  if (status == RSM_OK && n.real.exe) status = rsm__filter_add(&filters->real, &n.real, reterr);
  return status == RSM_OK ? rsm__filter_add(&filters->given, &n.given, reterr) : status;
}

rsm_status rsm__filters_remove(rsm__filters *filters, rsm__lookup *lookup, const rsm_filter *filter,
                               rsm_error *reterr) {
  RSM_CLEAN(named_done) named n = {0};
  rsm_status status = name_filter(filter, lookup, &n, reterr);
  if (status != RSM_OK) return status;
  if (n.real.exe) rsm__filter_remove(&filters->real, &n.real, NULL);
  return rsm__filter_remove(&filters->given, &n.given, reterr);
}

void rsm__filters_mask(const rsm__filters *filters, rsm_app *app) {
  rsm__plan_mask(&filters->given, app);
  if (!(app->status & (RSM_APP_SHUTDOWN_MASKED | RSM_APP_RESTART_MASKED))) rsm__plan_mask(&filters->real, app);
}
