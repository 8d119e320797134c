/* service_manager.c: asking the service control manager.
 *
 * call                         | blocks on
 * OpenSCManagerW               | the manager's own start, while the system boots
 * EnumServicesStatusExW and    | an answer of a process of this machine, the manager: a call between programs, without
 * a all others that only ask     | limit of ours. One that did not answer would have stopped the whole system
 * RegGetValueW                 | nothing
 * SPDX-License-Identifier: MIT */
#include "os/windows/service_manager.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/windows/filetime.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"

enum { MOST_SIZE = 256 << 10, MOST_ROUNDS = 64, MOST_CONFIG = 8 << 10 };

const char *rsm__say(rsm__arena *arena, const char *format, ...) {
  char text[512];
  va_list list;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return rsm__arena_strdup(arena, text);
}

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

/* ---- One service ---- */

static rsm_status open_manager(rsm__services *services, rsm_error *reterr) {
  if (services->manager) return RSM_OK;
  services->manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
  DWORD code = services->manager ? ERROR_SUCCESS : GetLastError();
  if (code == RPC_S_SERVER_UNAVAILABLE || code == EPT_S_NOT_REGISTERED) {
    rsm__fail_windows(reterr, code, "OpenSCManagerW", NULL);
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "no service control manager runs here");
  }
  return code ? rsm__fail_windows(reterr, code, "OpenSCManagerW", NULL) : RSM_OK;
}

rsm_status rsm__service_open(rsm__services *services, const char *name, DWORD rights, SC_HANDLE *ret_service,
                             rsm_error *reterr) {
  RSM_CLEAN_WIDE wide = NULL;
  rsm_status status = open_manager(services, reterr);
  if (status == RSM_OK) status = rsm__wide_new(name, &wide, reterr);
  if (status != RSM_OK) return status;
  SC_HANDLE service = OpenServiceW(services->manager, wide, rights);
  DWORD code = service ? ERROR_SUCCESS : GetLastError();
  if (code == ERROR_SERVICE_DOES_NOT_EXIST || code == ERROR_INVALID_NAME)
    return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, name, "no service of that name is known here");
  if (code) return rsm__fail_windows(reterr, code, "OpenServiceW", name);
  *ret_service = service;
  return RSM_OK;
}

rsm_status rsm__service_query(SC_HANDLE service, const char *name, SERVICE_STATUS_PROCESS *ret_status,
                              rsm_error *reterr) {
  SERVICE_STATUS_PROCESS status = {0};
  DWORD size = 0;
  if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &size))
    return rsm__fail_windows(reterr, GetLastError(), "QueryServiceStatusEx", name);
  *ret_status = status;
  return RSM_OK;
}

bool rsm__service_is_up(const SERVICE_STATUS_PROCESS *told) {
  RSM_CLEAN(close_process) rsm__process *process = NULL;
  if (told->dwCurrentState == SERVICE_STOPPED) return false;
  if (!told->dwProcessId) return true; /* not yet, or not any more */
  return rsm__process_open(&(rsm_process){.pid = told->dwProcessId}, &process, NULL) != RSM_NOT_FOUND;
}

rsm_status rsm__service_config(SC_HANDLE service, const char *name, QUERY_SERVICE_CONFIGW **ret_config,
                               rsm_error *reterr) {
  DWORD size = 0; /* 8 KiB is the most that it may need, by its contract */
  RSM_CLEAN_FREE QUERY_SERVICE_CONFIGW *config = rsm__malloc(MOST_CONFIG);
  if (!config) return rsm__fail_memory(reterr);
  if (!QueryServiceConfigW(service, config, MOST_CONFIG, &size))
    return rsm__fail_windows(reterr, GetLastError(), "QueryServiceConfigW", name);
  *ret_config = config;
  config = NULL;
  return RSM_OK;
}

rsm_status rsm__service_process(rsm__services *services, const char *name, rsm__process **ret_process,
                                rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  RSM_CLEAN(close_process) rsm__process *process = NULL;
  SERVICE_STATUS_PROCESS told = {0}, again = {0};
  *ret_process = NULL;
  rsm_status status = rsm__service_open(services, name, SERVICE_QUERY_STATUS, &service, reterr);
  if (status == RSM_OK) status = rsm__service_query(service, name, &told, reterr);
  if (status != RSM_OK || !told.dwProcessId) return status;
  status = rsm__process_open(&(rsm_process){.pid = told.dwProcessId}, &process, reterr);
  if (status == RSM_NOT_FOUND) return RSM_OK;
  if (status == RSM_OK) status = rsm__service_query(service, name, &again, reterr);
  if (status != RSM_OK || again.dwProcessId != told.dwProcessId || !rsm__process_alive(process)) return status;
  *ret_process = process;
  process = NULL;
  return RSM_OK;
}

rsm_status rsm__service_is_ours(const rsm_process *process, bool *ret_ours, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const rsm_process *carriers;
  size_t count = 0;
  rsm_status status = rsm__process_carriers(&arena, &carriers, &count, reterr);
  if (status != RSM_OK) return status;
  *ret_ours = false;
  for (size_t i = 0; i < count; i++)
    if (rsm_process_equal(process, &carriers[i])) *ret_ours = true;
  return RSM_OK;
}

/* ---- All of them ---- */

static void list_done(rsm__service_list *list) {
  rsm__arena_done(&list->arena);
  rsm__free(list->items);
  *list = (rsm__service_list){0};
}

static rsm_status add_listed(rsm__service_list *list, const ENUM_SERVICE_STATUS_PROCESSW *told, rsm_error *reterr) {
  const wchar_t *display_name = told->lpDisplayName ? told->lpDisplayName : told->lpServiceName; /* Wine: may be none */
  rsm__listed_service one = {.name = rsm__narrow_text_in(&list->arena, told->lpServiceName),
                             .display_name = rsm__narrow_text_in(&list->arena, display_name),
                             .state = told->ServiceStatusProcess.dwCurrentState,
                             .pid = told->ServiceStatusProcess.dwProcessId};
  if (!one.name || !one.display_name ||
      rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
    return rsm__fail_memory(reterr);
  list->items[list->count++] = one;
  return RSM_OK;
}

/* In pieces, each as large as the buffer: *resume tells where the next one begins. */
static rsm_status read_piece(SC_HANDLE manager, void *buffer, DWORD size, DWORD *resume, rsm__service_list *list,
                             bool *ret_more, rsm_error *reterr) {
  DWORD needed = 0, count = 0;
  BOOL whole = EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32, SERVICE_STATE_ALL, buffer, size,
                                     &needed, &count, resume, NULL);
  DWORD code = whole ? ERROR_SUCCESS : GetLastError();
  if (code && code != ERROR_MORE_DATA) return rsm__fail_windows(reterr, code, "EnumServicesStatusExW", NULL);
  const ENUM_SERVICE_STATUS_PROCESSW *told = buffer;
  rsm_status status = RSM_OK;
  for (DWORD i = 0; i < count && status == RSM_OK; i++) status = add_listed(list, &told[i], reterr);
  *ret_more = code == ERROR_MORE_DATA;
  return status;
}

static rsm_status read_list(rsm__services *services, rsm__service_list *list, rsm_error *reterr) {
  RSM_CLEAN_FREE void *buffer = rsm__malloc(MOST_SIZE);
  FILETIME now;
  DWORD resume = 0;
  bool more = true;
  if (!buffer) return rsm__fail_memory(reterr);
  GetSystemTimeAsFileTime(&now);
  rsm_status status = open_manager(services, reterr);
  for (int round = 0; status == RSM_OK && more; round++) {
    if (round == MOST_ROUNDS) return rsm__fail(reterr, RSM_MORE_DATA, NULL, "the list of services does not end");
    status = read_piece(services->manager, buffer, MOST_SIZE, &resume, list, &more, reterr);
  }
  list->taken = rsm__filetime_number(now);
  return status;
}

rsm_status rsm__service_list_get(rsm__services *services, uint64_t not_before, rsm_error *reterr) {
  RSM_CLEAN(list_done) rsm__service_list list = {0};
  if (services->list.taken && services->list.taken > not_before) return RSM_OK;
  rsm_status status = read_list(services, &list, reterr);
  if (status != RSM_OK) return status;
  list_done(&services->list);
  services->list = list;
  list = (rsm__service_list){0};
  return RSM_OK;
}

const rsm__listed_service *rsm__service_list_find(const rsm__services *services, const char *name) {
  for (size_t i = 0; i < services->list.count; i++)
    if (rsm__narrow_same_name(services->list.items[i].name, name)) return &services->list.items[i];
  return NULL;
}

/* ---- What depends on what ---- */

typedef struct names {
  rsm__arena *arena;
  const char **items;
  size_t count, capacity;
} names;

static void names_done(names *list) {
  rsm__free(list->items);
}

/* A list of texts that ends with an empty one. '+' is before a group's name: what depends on one of those is told by
 * EnumDependentServicesW. */
static rsm_status add_names(const wchar_t *text, names *list, rsm_error *reterr) {
  for (; text && *text; text += wcslen(text) + 1) {
    if (*text == SC_GROUP_IDENTIFIERW) continue;
    const char *name = rsm__narrow_text_in(list->arena, text);
    if (!name || rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
      return rsm__fail_memory(reterr);
    list->items[list->count++] = name;
  }
  return RSM_OK;
}

/* Wine's manager keeps the names in the registry, as Windows' does, but does not tell them. */
static rsm_status add_from_registry(const char *service, names *list, rsm_error *reterr) {
  static const wchar_t folder[] = L"SYSTEM\\CurrentControlSet\\Services\\";
  RSM_CLEAN_WIDE name = NULL;
  rsm_status status = rsm__wide_new(service, &name, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_WIDE key = rsm__calloc(RSM_COUNT(folder) + wcslen(name), sizeof *key);
  RSM_CLEAN_WIDE text = rsm__calloc(1, MOST_CONFIG + 2 * sizeof(wchar_t)); /* ends with two NULs, whatever is read */
  if (!key || !text) return rsm__fail_memory(reterr);
  wcscat(wcscpy(key, folder), name);
  DWORD size = MOST_CONFIG;
  if (RegGetValueW(HKEY_LOCAL_MACHINE, key, L"DependOnService", RRF_RT_REG_MULTI_SZ, NULL, text, &size) !=
      ERROR_SUCCESS)
    return RSM_OK;
  return add_names(text, list, reterr);
}

static rsm_status read_needs(rsm__services *services, const char *name, names *list, rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  RSM_CLEAN_FREE QUERY_SERVICE_CONFIGW *config = NULL;
  rsm_status status = rsm__service_open(services, name, SERVICE_QUERY_CONFIG, &service, reterr);
  if (status == RSM_OK) status = rsm__service_config(service, name, &config, reterr);
  if (rsm__is_shortage(status)) return status;
  /* One that we may not ask, or that has gone, is not known to depend on anything. */
  status = config ? add_names(config->lpDependencies, list, reterr) : RSM_OK;
  return status == RSM_OK && list->count == 0 ? add_from_registry(name, list, reterr) : status;
}

rsm_status rsm__service_needs(rsm__services *services, const rsm__listed_service *one, const char *const **ret_needs,
                              size_t *ret_count, rsm_error *reterr) {
  rsm__listed_service *item = &services->list.items[one - services->list.items];
  if (!item->has_edges) {
    RSM_CLEAN(names_done) names list = {.arena = &services->list.arena};
    rsm_status status = read_needs(services, item->name, &list, reterr);
    if (status != RSM_OK) return status;
    const char **kept = rsm__arena_alloc(&services->list.arena, (list.count + 1) * sizeof *kept);
    if (!kept) return rsm__fail_memory(reterr);
    if (list.count) memcpy(kept, list.items, list.count * sizeof *kept);
    item->needs = kept;
    item->need_count = list.count;
    item->has_edges = true;
  }
  *ret_needs = item->needs;
  *ret_count = item->need_count;
  return RSM_OK;
}

bool rsm__service_needs_one(const char *const *needs, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (rsm__narrow_same_name(needs[i], name)) return true;
  return false;
}

/* ---- The connection ---- */

rsm_status rsm__services_new(rsm__task *task, rsm__services **ret_services, rsm_error *reterr) {
  rsm__services *services = rsm__calloc(1, sizeof *services);
  if (!services) return rsm__fail_memory(reterr);
  services->task = task;
  *ret_services = services;
  return RSM_OK;
}

rsm__services *rsm__services_free(rsm__services *services) {
  if (!services) return NULL;
  for (size_t i = 0; i < services->asked_count; i++) rsm__service_asked_done(&services->asked[i]);
  rsm__free(services->asked);
  list_done(&services->list);
  rsm__service_handle_close(&services->manager);
  rsm__free(services);
  return NULL;
}
