/* scripted_rstrtmgr.c: see scripted_rstrtmgr.h. SPDX-License-Identifier: MIT */
#include "scripted_rstrtmgr.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <wchar.h>

#ifndef ERROR_FAIL_NOACTION_REBOOT /* headers of mingw-w64 lack it */
#define ERROR_FAIL_NOACTION_REBOOT 350
#endif
#define EXPORT __attribute__((dllexport))

static script the;
static HANDLE cancelled; /* manual-reset */
static HANDLE idle;      /* manual-reset: no call is under way */
static volatile LONG64 began;

EXPORT script *scripted(void);
script *scripted(void) {
  if (!cancelled) cancelled = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!idle) idle = CreateEventW(NULL, TRUE, TRUE, NULL);
  return &the;
}

/* ---- Sessions ---- */

static DWORD open_session(void) {
  if (the.starts + the.joins == 1) the.counted = the.first_handle;
  return the.first_handle++;
}

EXPORT DWORD WINAPI RmStartSession(DWORD *handle, DWORD flags, WCHAR key[]) {
  scripted();
  InterlockedIncrement(&the.starts);
  if (flags) return ERROR_BAD_ARGUMENTS;
  if (the.start_code) return the.start_code;
  *handle = open_session();
  memcpy(key, the.key, 32 * sizeof *key);
  return ERROR_SUCCESS;
}

EXPORT DWORD WINAPI RmJoinSession(DWORD *handle, const WCHAR key[]) {
  scripted();
  InterlockedIncrement(&the.joins);
  if (the.join_code) return the.join_code;
  if (wcscmp(key, the.key) != 0) return ERROR_SESSION_CREDENTIAL_CONFLICT;
  *handle = open_session();
  return ERROR_SUCCESS;
}

EXPORT DWORD WINAPI RmEndSession(DWORD handle) {
  InterlockedIncrement(&the.ends);
  the.last_ended = handle;
  return the.end_code;
}

/* ---- Resources ---- */

static bool is_refused(const WCHAR *path) {
  return (the.longest_path && wcslen(path) > the.longest_path) || (the.refuses[0] && wcscmp(path, the.refuses) == 0);
}

static void note_file(const WCHAR *path) {
  if (the.files == 0) wcsncpy(the.first_file, path, 1023);
  wcsncpy(the.last_file, path, 1023);
  if (wcslen(path) > the.longest_registered) the.longest_registered = (UINT)wcslen(path);
  the.files++;
}

EXPORT DWORD WINAPI RmRegisterResources(DWORD handle, UINT files, LPCWSTR names[], UINT processes,
                                        RM_UNIQUE_PROCESS process[], UINT services, LPCWSTR service[]) {
  size_t units = 0;
  if (handle == the.counted) InterlockedIncrement(&the.registers);
  if (the.register_code) return the.register_code;
  for (UINT i = 0; i < files; i++) {
    units += wcslen(names[i]) + 1;
    if (is_refused(names[i])) return ERROR_WRITE_FAULT;
  }
  if (the.most_units && units > the.most_units) return ERROR_WRITE_FAULT;
  if (handle != the.counted) return ERROR_SUCCESS;
  if (the.most_in_all && the.files + files > the.most_in_all) return ERROR_WRITE_FAULT;
  for (UINT i = 0; i < files; i++) note_file(names[i]);
  if (files > the.most_files) the.most_files = files;
  the.processes += processes;
  the.services += services;
  if (processes) the.last_process = process[processes - 1];
  if (services) wcsncpy(the.last_service, service[services - 1], 63);
  return ERROR_SUCCESS;
}

/* ---- The calls that take their time ---- */

static ULONGLONG now(void) {
  return GetTickCount64();
}

static void begin_call(void) {
  ResetEvent(cancelled);
  ResetEvent(idle);
  InterlockedExchange64(&began, (LONG64)now());
  the.call_thread = GetCurrentThreadId();
}

static DWORD end_call(DWORD code, DWORD waits_ms) {
  bool was_cancelled = waits_ms && WaitForSingleObject(cancelled, waits_ms) == WAIT_OBJECT_0;
  SetEvent(idle);
  return was_cancelled ? ERROR_CANCELLED : code;
}

EXPORT DWORD WINAPI RmCancelCurrentTask(DWORD handle) {
  (void)handle;
  InterlockedIncrement(&the.cancels);
  if (now() - (ULONGLONG)began >= the.deaf_ms) SetEvent(cancelled);
  if (the.cancel_waits) WaitForSingleObject(idle, 10000);
  return ERROR_SUCCESS;
}

static const script_list *list_now(void) {
  return the.state == 0 ? &the.before : the.state == 1 ? &the.after_shutdown : &the.after_restart;
}

EXPORT DWORD WINAPI RmGetList(DWORD handle, UINT *needed, UINT *count, RM_PROCESS_INFO apps[], DWORD *reasons) {
  const script_list *list = list_now();
  UINT room = *count;
  (void)handle;
  LONG number = InterlockedIncrement(&the.lists);
  begin_call();
  DWORD code = end_call(the.list_code, the.list_waits_ms);
  if (code) return code;
  *reasons = list->reasons;
  if (the.more_data) {
    if (the.more_data > 0) the.more_data--;
    *needed = room + the.growth * (UINT)number + 1;
    *count = 0xFFFF; /* means nothing now */
    return ERROR_MORE_DATA;
  }
  *needed = *count = list->count;
  if (list->count > room) return ERROR_MORE_DATA;
  if (list->count) memcpy(apps, list->apps, list->count * sizeof *apps);
  return ERROR_SUCCESS;
}

static RM_WRITE_STATUS_CALLBACK told;

static DWORD WINAPI tell(void *unused) {
  (void)unused;
  for (UINT i = 0; told && i < the.percent_count; i++) told(the.percents[i]);
  return 0;
}

static void tell_all(RM_WRITE_STATUS_CALLBACK callback) {
  told = callback;
  the.had_callback = callback != NULL;
  if (!the.foreign_callback) {
    tell(NULL);
    return;
  }
  HANDLE thread = CreateThread(NULL, 0, tell, NULL, 0, NULL);
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

EXPORT DWORD WINAPI RmShutdown(DWORD handle, ULONG flags, RM_WRITE_STATUS_CALLBACK callback) {
  (void)handle;
  InterlockedIncrement(&the.shutdowns);
  the.shutdown_flags = flags;
  begin_call();
  tell_all(callback);
  DWORD code = end_call(the.shutdown_code, the.waits_ms);
  if (code != ERROR_FAIL_NOACTION_REBOOT) the.state = 1;
  return code;
}

EXPORT DWORD WINAPI RmRestart(DWORD handle, DWORD flags, RM_WRITE_STATUS_CALLBACK callback) {
  (void)handle;
  InterlockedIncrement(&the.restarts);
  the.restart_flags = flags;
  begin_call();
  tell_all(callback);
  DWORD code = end_call(the.restart_code, the.waits_ms);
  the.state = 2;
  return code;
}

/* ---- Filters ---- */

static script_filter *find_filter(const script_filter *wanted) {
  for (UINT i = 0; i < the.filter_count; i++) {
    script_filter *filter = &the.filters[i];
    if (filter->trigger != wanted->trigger || wcscmp(filter->name, wanted->name) != 0) continue;
    if (memcmp(&filter->process, &wanted->process, sizeof filter->process) == 0) return filter;
  }
  return NULL;
}

static script_filter make_filter(LPCWSTR module, const RM_UNIQUE_PROCESS *process, LPCWSTR service) {
  script_filter filter = {.trigger = module    ? RmFilterTriggerFile
                                     : service ? RmFilterTriggerService
                                               : RmFilterTriggerProcess};
  if (module || service) wcsncpy(filter.name, module ? module : service, 299);
  if (process) filter.process = *process;
  return filter;
}

EXPORT DWORD WINAPI RmAddFilter(DWORD handle, LPCWSTR module, RM_UNIQUE_PROCESS *process, LPCWSTR service,
                                RM_FILTER_ACTION action) {
  (void)handle;
  if (the.add_filter_code) return the.add_filter_code;
  script_filter filter = make_filter(module, process, service), *old = find_filter(&filter);
  filter.action = action;
  if (!old) old = &the.filters[the.filter_count++];
  *old = filter;
  return ERROR_SUCCESS;
}

EXPORT DWORD WINAPI RmRemoveFilter(DWORD handle, LPCWSTR module, RM_UNIQUE_PROCESS *process, LPCWSTR service) {
  (void)handle;
  script_filter filter = make_filter(module, process, service), *old = find_filter(&filter);
  if (!old) return ERROR_FILE_NOT_FOUND;
  *old = the.filters[--the.filter_count];
  return ERROR_SUCCESS;
}

/* Records first, then the names, to see that nobody counts on the other order. */
static DWORD records_size(void) {
  size_t size = the.filter_count * sizeof(RM_FILTER_INFO);
  for (UINT i = 0; i < the.filter_count; i++) size += (wcslen(the.filters[i].name) + 1) * sizeof(WCHAR);
  return (DWORD)size;
}

static void write_records(BYTE *buffer, DWORD size) {
  WCHAR *name = (WCHAR *)(void *)(buffer + the.filter_count * sizeof(RM_FILTER_INFO));
  for (UINT i = 0; i < the.filter_count; i++) {
    const script_filter *filter = &the.filters[i];
    bool last = i + 1 == the.filter_count;
    RM_FILTER_INFO record = {.FilterAction = filter->action,
                             .FilterTrigger =
                                 the.filter_fault == FAULT_TRIGGER ? (RM_FILTER_TRIGGER)9 : filter->trigger,
                             .cbNextOffset = last ? 0 : (DWORD)sizeof record};
    if (filter->trigger == RmFilterTriggerProcess)
      record.Process = filter->process;
    else
      record.strFilename = name;
    if (the.filter_fault == FAULT_NAME_OUTSIDE) record.strFilename = (LPWSTR)(void *)(buffer + size + 2048);
    if (the.filter_fault == FAULT_OFFSET_SMALL) record.cbNextOffset = 4;
    if (the.filter_fault == FAULT_OFFSET_LARGE) record.cbNextOffset = size + 64;
    memcpy(buffer + i * sizeof record, &record, sizeof record);
    wcscpy(name, filter->name);
    name += wcslen(filter->name) + 1;
  }
  if (the.filter_fault == FAULT_NAME_OPEN && the.filter_count) name[-1] = L'x';
}

EXPORT DWORD WINAPI RmGetFilterList(DWORD handle, PBYTE buffer, DWORD size, LPDWORD needed) {
  (void)handle;
  *needed = records_size();
  if (the.filter_fault == FAULT_MORE_FOR_EVER) *needed = size + 1;
  if (*needed > size) return ERROR_MORE_DATA;
  if (*needed) write_records(buffer, *needed);
  if (the.filter_fault == FAULT_SIZE_UNTOLD) *needed = 0;
  return ERROR_SUCCESS;
}
