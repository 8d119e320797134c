/* filter.c: SPDX-License-Identifier: MIT */
#include "core/filter.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

rsm_status rsm__filter_check(const rsm_filter *filter, bool need_action, rsm_error *reterr) {
  int targets = (filter->exe != NULL) + (filter->process.pid != 0) + (filter->service != NULL);
  if (targets != 1)
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "a filter names exactly one of exe, process and service, not %d",
                     targets);
  if ((filter->exe && !*filter->exe) || (filter->service && !*filter->service))
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "a filter's %s must not be empty",
                     filter->exe ? "exe" : "service");
  if (need_action && filter->action != RSM_NO_RESTART && filter->action != RSM_NO_SHUTDOWN)
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "unknown filter action %d", (int)filter->action);
  return RSM_OK;
}

static bool same_name(const rsm_filter_list *list, const char *a, const char *b) {
  if (!a || !b) return false;
  return list->same_name ? list->same_name(a, b) : strcmp(a, b) == 0;
}

static bool same_target(const rsm_filter_list *list, const rsm_filter *a, const rsm_filter *b) {
  if (a->process.pid) return b->process.pid && rsm_process_equal(&a->process, &b->process);
  return same_name(list, a->exe, b->exe) || same_name(list, a->service, b->service);
}

static rsm_filter *find(const rsm_filter_list *list, const rsm_filter *filter) {
  for (size_t i = 0; i < list->count; i++)
    if (same_target(list, &list->items[i], filter)) return &list->items[i];
  return NULL;
}

static void free_item(rsm_filter *item) {
  rsm__free((char *)item->exe);
  rsm__free((char *)item->service);
}

rsm_status rsm__filter_add(rsm_filter_list *list, const rsm_filter *filter, rsm_error *reterr) {
  rsm_filter *old = find(list, filter);
  if (old) {
    old->action = filter->action;
    return RSM_OK;
  }
  rsm_filter copy = *filter;
  copy.exe = rsm__strdup(filter->exe);
  copy.service = rsm__strdup(filter->service);
  bool failed = (filter->exe && !copy.exe) || (filter->service && !copy.service);
  if (failed || rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0) {
    free_item(&copy);
    return rsm__fail_memory(reterr);
  }
  list->items[list->count++] = copy;
  return RSM_OK;
}

rsm_status rsm__filter_remove(rsm_filter_list *list, const rsm_filter *filter, rsm_error *reterr) {
  rsm_filter *old = find(list, filter);
  if (!old)
    return rsm__fail(reterr, RSM_FILE_NOT_FOUND, filter->exe ? filter->exe : filter->service,
                     "there is no filter for that %s",
                     filter->exe       ? "exe"
                     : filter->service ? "service"
                                       : "process");
  size_t index = (size_t)(old - list->items);
  free_item(old);
  memmove(old, old + 1, (list->count - index - 1) * sizeof *old);
  list->count--;
  return RSM_OK;
}

void rsm__filter_list_done(rsm_filter_list *list) {
  for (size_t i = 0; i < list->count; i++) free_item(&list->items[i]);
  rsm__free(list->items);
  *list = (rsm_filter_list){0};
}

rsm_filter_list *rsm_filter_list_free(rsm_filter_list *list) {
  if (!list) return NULL;
  rsm__filter_list_done(list);
  rsm__free(list);
  return NULL;
}

rsm_filter_list *rsm__filter_list_copy(const rsm_filter_list *list) {
  rsm_filter_list *copy = rsm__calloc(1, sizeof *copy);
  if (copy) copy->same_name = list->same_name;
  for (size_t i = 0; copy && i < list->count; i++)
    if (rsm__filter_add(copy, &list->items[i], NULL) != RSM_OK) copy = rsm_filter_list_free(copy);
  return copy;
}

size_t rsm_filter_list_count(const rsm_filter_list *list) {
  return list->count;
}

const rsm_filter *rsm_filter_list_at(const rsm_filter_list *list, size_t index) {
  return index < list->count ? &list->items[index] : NULL;
}

/* How telling a matching filter is: 3 process, 2 service, 1 exe, 0 no match. */
static int match(const rsm_filter_list *list, const rsm_filter *filter, const rsm_app *app) {
  if (filter->process.pid) {
    if (app->process.pid && rsm_process_equal(&filter->process, &app->process)) return 3;
    for (size_t i = 0; i < app->process_count; i++)
      if (rsm_process_equal(&filter->process, &app->processes[i])) return 3;
    return 0;
  }
  if (same_name(list, filter->service, app->service)) return 2;
  return same_name(list, filter->exe, app->exe) ? 1 : 0;
}

rsm_filter_action rsm__filter_match(const rsm_filter_list *list, const rsm_app *app) {
  rsm_filter_action action = 0;
  int best = 0;
  for (size_t i = 0; i < list->count; i++) {
    int rank = match(list, &list->items[i], app);
    if (rank > best) {
      best = rank;
      action = list->items[i].action;
    }
  }
  return action;
}
