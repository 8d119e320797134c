/* rstrtmgr.c: the functions that rstrtmgr.dll exports, as Windows' <restartmanager.h> declares them, on top of rsm.h.
 *
 * The order in which calls are judged: arguments (160), the handle (6), the role (1219), then what the call is about.
 * README.md lists where this differs from Microsoft's. There is no DllMain: the first session pins the DLL, because a
 * thread that waits for something that never answers may outlive every session. SPDX-License-Identifier: MIT */
#include <windows.h>
#include <restartmanager.h>

#include "dll/code.h"
#include "dll/filters.h"
#include "dll/limits.h"
#include "dll/process_info.h"
#include "dll/resources.h"
#include "dll/run.h"
#include "dll/table.h"
#include "os/windows/wide.h"

DWORD WINAPI RmReserveHeap(DWORD size); /* not in the header */

static void pin_library(void) {
  static const char here;
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     (LPCWSTR)(const void *)&here, &module);
}

/* ---- Sessions ---- */

/* What people see when a session was abandoned: the installer's program file. "" if there is no telling. */
static void name_installer(char *buffer, size_t size) {
  wchar_t path[MAX_PATH];
  DWORD length = GetModuleFileNameW(NULL, path, ARRAYSIZE(path));
  const wchar_t *base = path;
  buffer[0] = '\0';
  if (length == 0 || length >= ARRAYSIZE(path)) return;
  for (const wchar_t *c = path; *c; c++)
    if (*c == L'\\') base = c + 1;
  rsm__narrow_to(buffer, size, base, wcslen(base));
}

/* Ours among them. All processes of this user count: two that come to the limit at once may both be turned away, but
 * there are never more. */
static rsm_status check_limit(void) {
  rsm_sessions *sessions;
  size_t living = 0;
  rsm_status status = rsm_sessions_list(&sessions, NULL);
  if (status != RSM_OK) return status;
  for (size_t i = 0; i < rsm_sessions_count(sessions); i++) living += !rsm_sessions_at(sessions, i)->abandoned;
  rsm_sessions_free(sessions);
  return living > RSM__TABLE_SIZE ? RSM_MAX_SESSIONS : RSM_OK;
}

static rsm_status start(rsm_session **ret_session) {
  char name[256];
  rsm_session *session;
  name_installer(name, sizeof name);
  rsm_start_options options = {.manager = "builtin", .name = name};
  rsm_status status = rsm_session_start(&options, &session, NULL);
  if (status != RSM_OK) return status;
  status = check_limit();
  if (status == RSM_OK)
    *ret_session = session;
  else
    rsm_session_free(session);
  return status;
}

DWORD WINAPI RmStartSession(DWORD *handle, DWORD flags, WCHAR key[]) {
  rsm__slot *slot;
  rsm_session *session = NULL;
  if (!handle || flags != 0 || !key) return ERROR_BAD_ARGUMENTS;
  if (!rsm__table_reserve(&slot)) return rsm__code_of(RSM_MAX_SESSIONS);
  pin_library();
  rsm_status status = start(&session);
  if (status == RSM_OK)
    for (size_t i = 0; i <= RSM_KEY_LENGTH; i++) key[i] = (WCHAR)rsm_session_key(session)[i];
  DWORD number = rsm__table_settle(slot, session);
  if (status == RSM_OK) *handle = number;
  return rsm__code_of(status);
}

/* Never reads beyond the end that a key has; what cannot be one becomes "", which is none, either. */
static void narrow_key(const WCHAR *key, char *ret_key) {
  size_t length = wcsnlen(key, RSM_KEY_LENGTH + 1);
  if (length > RSM_KEY_LENGTH) length = 0;
  for (size_t i = 0; i < length; i++) {
    if (key[i] > 0x7F) length = 0;
    ret_key[i] = (char)key[i];
  }
  ret_key[length] = '\0';
}

DWORD WINAPI RmJoinSession(DWORD *handle, const WCHAR key[]) {
  rsm__slot *slot;
  rsm_session *session = NULL;
  char narrow[RSM_KEY_LENGTH + 1];
  if (!handle || !key) return ERROR_BAD_ARGUMENTS;
  narrow_key(key, narrow);
  if (!rsm__table_reserve(&slot)) return rsm__code_of(RSM_MAX_SESSIONS);
  pin_library();
  rsm_status status = rsm_session_join(narrow, &session, NULL);
  DWORD number = rsm__table_settle(slot, session);
  if (status == RSM_OK) *handle = number;
  return rsm__code_of(status);
}

DWORD WINAPI RmEndSession(DWORD handle) {
  return rsm__table_end(handle);
}

DWORD WINAPI RmRegisterResources(DWORD handle, UINT file_count, LPCWSTR files[], UINT process_count,
                                 RM_UNIQUE_PROCESS processes[], UINT service_count, LPCWSTR services[]) {
  rsm__arrays arrays = {file_count, files, process_count, processes, service_count, services};
  rsm__slot *slot;
  DWORD code = rsm__table_enter(handle, &slot);
  if (code != ERROR_SUCCESS) return code;
  rsm_status status = rsm__resources_register(rsm__slot_session(slot), &arrays);
  rsm__table_leave(slot);
  return rsm__code_of(status);
}

/* ---- Operations ---- */

static rsm_status list(rsm__slot *slot, rsm_list **ret_list) {
  rsm_op *op;
  rsm_status status = rsm_session_begin_list(rsm__slot_session(slot), NULL, &op, NULL);
  if (status != RSM_OK) return status;
  status = rsm__run(slot, op, NULL);
  if (status == RSM_OK) *ret_list = rsm_op_take_list(op);
  rsm_op_free(op);
  return status;
}

DWORD WINAPI RmGetList(DWORD handle, UINT *needed, UINT *count, RM_PROCESS_INFO infos[], DWORD *reasons) {
  rsm__slot *slot;
  rsm_list *found;
  if (!needed || !count || !reasons || (*count && !infos)) return ERROR_BAD_ARGUMENTS;
  DWORD code = rsm__table_enter(handle, &slot);
  if (code != ERROR_SUCCESS) return code;
  rsm_status status = list(slot, &found);
  rsm__table_leave(slot);
  if (status != RSM_OK) return rsm__code_of(status);
  UINT total = rsm__process_infos_count(found);
  bool fits = total <= *count;
  if (fits) status = rsm__process_infos_fill(found, infos);
  if (status == RSM_OK) {
    *needed = total;
    *count = fits ? total : 0;
    *reasons = rsm_list_reboot_reasons(found);
  }
  rsm_list_free(found);
  return status != RSM_OK ? rsm__code_of(status) : fits ? ERROR_SUCCESS : ERROR_MORE_DATA;
}

DWORD WINAPI RmShutdown(DWORD handle, ULONG flags, RM_WRITE_STATUS_CALLBACK callback) {
  rsm_shutdown_options options = {.force = (flags & RmForceShutdown) != 0,
                                  .only_restartable = (flags & RmShutdownOnlyRegistered) != 0};
  rsm__slot *slot;
  rsm_op *op;
  if (flags & ~(ULONG)(RmForceShutdown | RmShutdownOnlyRegistered)) return ERROR_BAD_ARGUMENTS;
  if (options.force) {
    options.timeout_ms = rsm__limit_applications();
    options.service_timeout_ms = rsm__limit_services();
  }
  DWORD code = rsm__table_enter(handle, &slot);
  if (code != ERROR_SUCCESS) return code;
  rsm_status status = rsm_session_begin_shutdown(rsm__slot_session(slot), &options, &op, NULL);
  if (status == RSM_OK) {
    status = rsm__run(slot, op, callback);
    rsm_op_free(op);
  }
  rsm__table_leave(slot);
  return rsm__code_of(status);
}

DWORD WINAPI RmRestart(DWORD handle, DWORD flags, RM_WRITE_STATUS_CALLBACK callback) {
  static const rsm_restart_options only_registered = {.has_unregistered = true};
  rsm__slot *slot;
  rsm_op *op;
  if (flags != 0) return ERROR_BAD_ARGUMENTS;
  DWORD code = rsm__table_enter(handle, &slot);
  if (code != ERROR_SUCCESS) return code;
  rsm_status status = rsm_session_begin_restart(rsm__slot_session(slot), &only_registered, &op, NULL);
  if (status == RSM_OK) {
    status = rsm__run(slot, op, callback);
    rsm_op_free(op);
  }
  rsm__table_leave(slot);
  return rsm__code_of(status);
}

DWORD WINAPI RmCancelCurrentTask(DWORD handle) {
  return rsm__table_cancel(handle);
}

/* ---- Filters ---- */

DWORD WINAPI RmAddFilter(DWORD handle, LPCWSTR module, RM_UNIQUE_PROCESS *process, LPCWSTR service,
                         RM_FILTER_ACTION action) {
  rsm__filter_target target = {module, process, service};
  rsm__slot *slot;
  DWORD code = rsm__table_enter(handle, &slot);
  if (code != ERROR_SUCCESS) return code;
  rsm_status status = rsm__filter_target_add(rsm__slot_session(slot), &target, action);
  rsm__table_leave(slot);
  return rsm__code_of(status);
}

DWORD WINAPI RmRemoveFilter(DWORD handle, LPCWSTR module, RM_UNIQUE_PROCESS *process, LPCWSTR service) {
  rsm__filter_target target = {module, process, service};
  rsm__slot *slot;
  DWORD code = rsm__table_enter(handle, &slot);
  if (code != ERROR_SUCCESS) return code;
  rsm_status status = rsm__filter_target_remove(rsm__slot_session(slot), &target);
  rsm__table_leave(slot);
  return status == RSM_FILE_NOT_FOUND ? ERROR_FILE_NOT_FOUND : rsm__code_of(status);
}

DWORD WINAPI RmGetFilterList(DWORD handle, PBYTE buffer, DWORD size, LPDWORD needed) {
  rsm__slot *slot;
  if (!needed) return ERROR_MORE_DATA; /* so says its page, of all codes */
  if (size && !buffer) return ERROR_BAD_ARGUMENTS;
  DWORD code = rsm__table_enter(handle, &slot);
  if (code != ERROR_SUCCESS) return code;
  rsm_status status = rsm__filter_records_pack(rsm__slot_session(slot), buffer, size, needed);
  rsm__table_leave(slot);
  return status == RSM_MORE_DATA ? ERROR_MORE_DATA : rsm__code_of(status);
}

/* Undocumented: sets memory aside. Ours comes from the process' heap, as it is needed. */
DWORD WINAPI RmReserveHeap(DWORD size) {
  (void)size;
  return ERROR_SUCCESS;
}
