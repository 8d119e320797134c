/* filters.c: filters live in the system's session; it hands them out as packed records, whose names are pointers into
 * the same buffer. SPDX-License-Identifier: MIT */
#include "system/system.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/wide.h"

enum { ATTEMPTS = 8, SLACK = 1024, LIMIT = 64 << 20 };

/* ---- Reading the records ----------------------------------------------------------------------------------------- */

static rsm_status fail_malformed(const char *what, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_GEN_FAILURE, "RmGetFilterList",
                   "the system's Restart Manager returned a malformed filter: %s", what);
}

/* The name that a record points to: inside the buffer, and ended there. NULL: it is not, or there is no memory. */
static char *read_name(const BYTE *buffer, size_t size, const wchar_t *name) {
  uintptr_t from = (uintptr_t)buffer, at = (uintptr_t)name;
  if (at < from || at >= from + size) return NULL;
  size_t room = (from + size - at) / sizeof *name, length = wcsnlen(name, room);
  return length < room ? rsm__narrow_new(name, length) : NULL;
}

static rsm_status add_record(const BYTE *buffer, size_t size, const RM_FILTER_INFO *record, rsm_filter_list *list,
                             rsm_error *reterr) {
  rsm_filter filter = {.action = (rsm_filter_action)record->FilterAction}; /* also one that we do not know */
  RSM_CLEAN_FREE char *name = NULL;
  switch (record->FilterTrigger) {
  case RmFilterTriggerProcess:
    filter.process = rsm__native_process_of(&record->Process);
    break;
  case RmFilterTriggerFile:
  case RmFilterTriggerService:
    name = read_name(buffer, size, record->strFilename);
    if (!name) return fail_malformed("its name is not in the buffer", reterr);
    if (record->FilterTrigger == RmFilterTriggerFile)
      filter.exe = name;
    else
      filter.service = name;
    break;
  default:
    return fail_malformed("it is for neither a file, a process nor a service", reterr);
  }
  return rsm__filter_add(list, &filter, reterr);
}

static rsm_status read_records(const BYTE *buffer, size_t size, rsm_filter_list *list, rsm_error *reterr) {
  RM_FILTER_INFO record;
  for (size_t at = 0; size > 0; at += record.cbNextOffset) {
    if (size - at < sizeof record) return fail_malformed("it ends beyond the buffer", reterr);
    memcpy(&record, buffer + at, sizeof record);
    if (record.FilterTrigger == RmFilterTriggerInvalid && at == 0) return RSM_OK; /* nothing has been written */
    rsm_status status = add_record(buffer, size, &record, list, reterr);
    if (status != RSM_OK || record.cbNextOffset == 0) return status;
    if (record.cbNextOffset < sizeof record || record.cbNextOffset > size - at)
      return fail_malformed("the next one begins at a wrong place", reterr);
  }
  return RSM_OK;
}

/* The whole buffer, to be freed with rsm__free. */
static rsm_status get_records(const rsm__system *session, BYTE **ret_buffer, size_t *ret_size, rsm_error *reterr) {
  RSM_CLEAN_FREE BYTE *buffer = NULL;
  DWORD capacity = 0, needed = 0, code = ERROR_MORE_DATA;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    needed = 0;
    code = session->native->RmGetFilterList(session->handle, buffer, capacity, &needed);
    if (code != ERROR_MORE_DATA) break;
    if (needed > LIMIT) return fail_malformed("it needs more room than there is", reterr);
    capacity = (needed > capacity ? needed : capacity) + SLACK;
    rsm__free(buffer);
    buffer = rsm__calloc(1, capacity);
    if (!buffer) return rsm__fail_memory(reterr);
  }
  if (code != ERROR_SUCCESS) return rsm__native_fail(reterr, code, "RmGetFilterList", NULL);
  if (needed > capacity) return fail_malformed("it is longer than the buffer", reterr);
  *ret_buffer = buffer;
  buffer = NULL;
  *ret_size = needed ? needed : capacity; /* it need not be told once there was room */
  return RSM_OK;
}

rsm_status rsm__system_filters(void *state, rsm_filter_list **ret_list, rsm_error *reterr) {
  const rsm__system *session = state;
  RSM_CLEAN_FREE BYTE *buffer = NULL;
  size_t size = 0;
  rsm_status status = get_records(session, &buffer, &size, reterr);
  if (status != RSM_OK) return status;
  rsm_filter_list *list = rsm__calloc(1, sizeof *list);
  status = list ? read_records(buffer, size, list, reterr) : rsm__fail_memory(reterr);
  if (status == RSM_OK)
    *ret_list = list;
  else
    rsm_filter_list_free(list);
  return status;
}

/* ---- Changing them ----------------------------------------------------------------------------------------------- */

/* A target in the system's form: one of these. */
typedef struct target {
  wchar_t *exe, *service;
  RM_UNIQUE_PROCESS process;
  RM_UNIQUE_PROCESS *named; /* &process, or NULL */
} target;

static void target_done(target *t) {
  rsm__free(t->exe);
  rsm__free(t->service);
}

static rsm_status set_exe(target *t, const char *exe, rsm_error *reterr) {
  RSM_CLEAN_FREE char *absolute = NULL;
  rsm_status status = rsm__files_absolute(exe, &absolute, reterr);
  return status == RSM_OK ? rsm__wide_new(absolute, &t->exe, reterr) : status;
}

static rsm_status make_target(const rsm_filter *filter, target *t, rsm_error *reterr) {
  if (filter->exe) return set_exe(t, filter->exe, reterr);
  if (filter->service) return rsm__wide_new(filter->service, &t->service, reterr);
  t->process = rsm__native_process(&filter->process);
  t->named = &t->process;
  return RSM_OK;
}

rsm_status rsm__system_add_filter(void *state, const rsm_filter *filter, rsm_error *reterr) {
  const rsm__system *session = state;
  RSM_CLEAN(target_done) target t = {0};
  rsm_filter named = *filter;
  rsm_status status = RSM_OK;
  if (filter->process.pid && !filter->process.start_time)
    status = rsm_process_find(filter->process.pid, &named.process, reterr);
  if (status == RSM_OK) status = make_target(&named, &t, reterr);
  if (status != RSM_OK) return status;
  DWORD code = session->native->RmAddFilter(session->handle, t.exe, t.named, t.service, (RM_FILTER_ACTION)named.action);
  if (code == ERROR_SUCCESS) return RSM_OK;
  return rsm__native_fail(reterr, code, "RmAddFilter", filter->exe ? filter->exe : filter->service);
}

/* A bare pid names the filter that was made for it, whoever has the pid now. */
static rsm_status bind_pid(rsm__system *session, rsm_process *process, rsm_error *reterr) {
  rsm_filter_list *list;
  rsm_status status = rsm__system_filters(session, &list, reterr);
  if (status != RSM_OK) return status;
  for (size_t i = 0; i < list->count; i++)
    if (list->items[i].process.pid == process->pid) *process = list->items[i].process;
  rsm_filter_list_free(list);
  return RSM_OK;
}

rsm_status rsm__system_remove_filter(void *state, const rsm_filter *filter, rsm_error *reterr) {
  rsm__system *session = state;
  RSM_CLEAN(target_done) target t = {0};
  rsm_filter named = *filter;
  rsm_status status = RSM_OK;
  if (filter->process.pid && !filter->process.start_time) status = bind_pid(session, &named.process, reterr);
  if (status == RSM_OK) status = make_target(&named, &t, reterr);
  if (status != RSM_OK) return status;
  DWORD code = session->native->RmRemoveFilter(session->handle, t.exe, t.named, t.service);
  if (code == ERROR_SUCCESS) return RSM_OK;
  const char *subject = filter->exe ? filter->exe : filter->service;
  if (code != ERROR_FILE_NOT_FOUND) return rsm__native_fail(reterr, code, "RmRemoveFilter", subject);
  return rsm__fail(reterr, RSM_FILE_NOT_FOUND, subject, "there is no filter for that %s",
                   filter->exe       ? "exe"
                   : filter->service ? "service"
                                     : "process");
}
