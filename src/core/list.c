/* list.c: lists of applications, reports, sessions, resources. SPDX-License-Identifier: MIT */
#include "core/list.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

bool rsm_process_equal(const rsm_process *a, const rsm_process *b) {
  if (a->pid != b->pid || a->start_time != b->start_time) return false;
  return !a->instance || !b->instance || a->instance == b->instance;
}

rsm_list *rsm__list_new(void) {
  rsm_list *list = rsm__calloc(1, sizeof *list);
  if (list) list->complete = true;
  return list;
}

rsm_list *rsm_list_free(rsm_list *list) {
  if (!list) return NULL;
  rsm__arena_done(&list->arena);
  rsm__free(list->apps);
  rsm__free(list->unreadable);
  rsm__free(list);
  return NULL;
}

rsm_app *rsm__list_add(rsm_list *list) {
  if (rsm__grow(&list->apps, &list->capacity, list->count + 1, sizeof *list->apps) < 0) return NULL;
  rsm_app *app = &list->apps[list->count++];
  *app = (rsm_app){.name = ""};
  return app;
}

/* Sets *failed, once, when a text that is there could not be copied. */
static const char *copy_text(rsm__arena *arena, const char *text, bool *failed) {
  const char *copy = rsm__arena_strdup(arena, text);
  if (text && !copy) *failed = true;
  return copy;
}

static const void *copy_array(rsm__arena *arena, const void *items, size_t count, size_t size, bool *failed) {
  if (count == 0) return NULL;
  void *copy = rsm__arena_alloc(arena, count * size);
  if (copy)
    memcpy(copy, items, count * size);
  else
    *failed = true;
  return copy;
}

static const rsm_use *copy_uses(rsm__arena *arena, const rsm_use *uses, size_t count, bool *failed) {
  if (count == 0) return NULL;
  rsm_use *copy = rsm__arena_alloc(arena, count * sizeof *copy);
  if (!copy) {
    *failed = true;
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    copy[i] = uses[i];
    copy[i].path = copy_text(arena, uses[i].path, failed);
    copy[i].resource = copy_text(arena, uses[i].resource, failed);
  }
  return copy;
}

static const char *const *copy_texts(rsm__arena *arena, const char *const *texts, size_t count, bool *failed) {
  if (count == 0) return NULL;
  const char **copy = rsm__arena_alloc(arena, count * sizeof *copy);
  if (!copy) {
    *failed = true;
    return NULL;
  }
  for (size_t i = 0; i < count; i++) copy[i] = copy_text(arena, texts[i], failed);
  return copy;
}

rsm_status rsm__app_copy(rsm__arena *arena, const rsm_app *app, rsm_app *ret_app, rsm_error *reterr) {
  bool failed = false;
  rsm_app copy = *app;
  copy.name = copy_text(arena, app->name, &failed);
  copy.service = copy_text(arena, app->service, &failed);
  copy.logon_session = copy_text(arena, app->logon_session, &failed);
  copy.uses = copy_uses(arena, app->uses, app->use_count, &failed);
  copy.user = copy_text(arena, app->user, &failed);
  copy.exe = copy_text(arena, app->exe, &failed);
  copy.command = copy_texts(arena, app->command, app->command_count, &failed);
  copy.processes = copy_array(arena, app->processes, app->process_count, sizeof *app->processes, &failed);
  copy.dependents = copy_texts(arena, app->dependents, app->dependent_count, &failed);
  copy.note = copy_text(arena, app->note, &failed);
  if (failed) return rsm__fail_memory(reterr);
  *ret_app = copy;
  return RSM_OK;
}

const char *rsm__app_subject(const rsm_app *app, char *buf, size_t size) {
  if (app->service)
    snprintf(buf, size, "%.100s, %.100s", app->service, app->name);
  else if (app->process.pid)
    snprintf(buf, size, "%.200s (pid %u)", app->name, (unsigned)app->process.pid);
  else
    snprintf(buf, size, "%.200s", app->name);
  return buf;
}

rsm_status rsm__list_add_copy(rsm_list *list, const rsm_app *app, rsm_error *reterr) {
  rsm_app copy;
  rsm_status status = rsm__app_copy(&list->arena, app, &copy, reterr);
  if (status != RSM_OK) return status;
  rsm_app *added = rsm__list_add(list);
  if (!added) return rsm__fail_memory(reterr);
  *added = copy;
  return RSM_OK;
}

rsm_status rsm__list_add_unreadable(rsm_list *list, const rsm_unreadable *what, rsm_error *reterr) {
  bool failed = false;
  rsm_unreadable copy = *what;
  copy.name = copy_text(&list->arena, what->name, &failed);
  copy.user = copy_text(&list->arena, what->user, &failed);
  copy.path = copy_text(&list->arena, what->path, &failed);
  copy.reason = copy_text(&list->arena, what->reason, &failed);
  if (failed || rsm__grow(&list->unreadable, &list->unreadable_capacity, list->unreadable_count + 1,
                          sizeof *list->unreadable) < 0)
    return rsm__fail_memory(reterr);
  list->unreadable[list->unreadable_count++] = copy;
  list->complete = false;
  return RSM_OK;
}

rsm_app *rsm__list_find(const rsm_list *list, const rsm_process *process) {
  for (size_t i = 0; i < list->count; i++) {
    rsm_app *app = &list->apps[i];
    if (app->process.pid && rsm_process_equal(&app->process, process)) return app;
    for (size_t k = 0; k < app->process_count; k++)
      if (rsm_process_equal(&app->processes[k], process)) return app;
  }
  return NULL;
}

size_t rsm_list_count(const rsm_list *list) {
  return list->count;
}

const rsm_app *rsm_list_at(const rsm_list *list, size_t index) {
  return index < list->count ? &list->apps[index] : NULL;
}

uint32_t rsm_list_reboot_reasons(const rsm_list *list) {
  return list->reboot_reasons;
}

bool rsm_list_complete(const rsm_list *list) {
  return list->complete;
}

size_t rsm_list_unreadable_count(const rsm_list *list) {
  return list->unreadable_count;
}

const rsm_unreadable *rsm_list_unreadable_at(const rsm_list *list, size_t index) {
  return index < list->unreadable_count ? &list->unreadable[index] : NULL;
}

rsm_report *rsm__report_new(void) {
  return rsm__calloc(1, sizeof(rsm_report));
}

rsm_report *rsm_report_free(rsm_report *report) {
  if (!report) return NULL;
  for (size_t i = 0; i < RSM_OUTCOME_COUNT; i++) rsm_list_free(report->lists[i]);
  rsm__free(report);
  return NULL;
}

rsm_status rsm__report_add(rsm_report *report, rsm_outcome outcome, const rsm_app *app, rsm_error *reterr) {
  rsm_list **list = &report->lists[outcome];
  if (!*list) *list = rsm__list_new();
  return *list ? rsm__list_add_copy(*list, app, reterr) : rsm__fail_memory(reterr);
}

size_t rsm_report_count(const rsm_report *report, rsm_outcome outcome) {
  const rsm_list *list = (unsigned)outcome < RSM_OUTCOME_COUNT ? report->lists[outcome] : NULL;
  return list ? list->count : 0;
}

const rsm_app *rsm_report_at(const rsm_report *report, rsm_outcome outcome, size_t index) {
  return index < rsm_report_count(report, outcome) ? &report->lists[outcome]->apps[index] : NULL;
}

rsm_status rsm__sessions_add_take(rsm_sessions *sessions, const rsm_session_info *info, rsm_list *stopped,
                                  rsm_error *reterr) {
  bool failed = false;
  rsm_session_info copy = *info;
  copy.key = copy_text(&sessions->arena, info->key, &failed);
  copy.name = copy_text(&sessions->arena, info->name, &failed);
  copy.stopped = stopped;
  if (failed || rsm__grow(&sessions->items, &sessions->capacity, sessions->count + 1, sizeof *sessions->items) < 0)
    return rsm__fail_memory(reterr);
  sessions->items[sessions->count++] = copy;
  return RSM_OK;
}

size_t rsm_sessions_count(const rsm_sessions *sessions) {
  return sessions->count;
}

const rsm_session_info *rsm_sessions_at(const rsm_sessions *sessions, size_t index) {
  return index < sessions->count ? &sessions->items[index] : NULL;
}

rsm_sessions *rsm_sessions_free(rsm_sessions *sessions) {
  if (!sessions) return NULL;
  for (size_t i = 0; i < sessions->count; i++) rsm_list_free((rsm_list *)sessions->items[i].stopped);
  rsm__arena_done(&sessions->arena);
  rsm__free(sessions->items);
  rsm__free(sessions);
  return NULL;
}

rsm_resource_list *rsm__resource_list_new(void) {
  return rsm__calloc(1, sizeof(rsm_resource_list));
}

rsm_status rsm__resource_list_add(rsm_resource_list *list, const rsm_resource *resource, rsm_error *reterr) {
  bool failed = false;
  rsm_resource copy = *resource;
  copy.name = copy_text(&list->arena, resource->name, &failed);
  if (failed || rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
    return rsm__fail_memory(reterr);
  list->items[list->count++] = copy;
  return RSM_OK;
}

size_t rsm_resource_list_count(const rsm_resource_list *list) {
  return list->count;
}

const rsm_resource *rsm_resource_list_at(const rsm_resource_list *list, size_t index) {
  return index < list->count ? &list->items[index] : NULL;
}

rsm_resource_list *rsm_resource_list_free(rsm_resource_list *list) {
  if (!list) return NULL;
  rsm__arena_done(&list->arena);
  rsm__free(list->items);
  rsm__free(list);
  return NULL;
}
