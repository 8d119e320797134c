/* applications.c: what RmGetList tells, in the library's words, with what we know of each process ourselves beside it.
 *
 * Only processes that are in the list are opened. SPDX-License-Identifier: MIT */
#include "system/calls.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "core/plan.h"
#include "os/process.h"
#include "os/windows/wide.h"

enum { UNITS_PER_SECOND = 10000000 };

/* Of a start time, which is a FILETIME; 0: not known. */
static int64_t unix_time(uint64_t start_time) {
  const int64_t from_1601_to_1970 = 11644473600;
  return start_time ? (int64_t)(start_time / UNITS_PER_SECOND) - from_1601_to_1970 : 0;
}

static DWORD own_session(void) {
  DWORD id;
  return ProcessIdToSessionId(GetCurrentProcessId(), &id) ? id : (DWORD)RM_INVALID_TS_SESSION;
}

static bool is_elsewhere(const RM_PROCESS_INFO *info) {
  if (info->ApplicationType == RmService || info->TSSessionId == (DWORD)RM_INVALID_TS_SESSION) return false;
  return info->TSSessionId != own_session();
}

static bool is_single(uint32_t bits) {
  return bits && (bits & (bits - 1)) == 0;
}

/* The system gives reasons for the whole list only. Here are those which can be laid at the door of this one for sure;
 * process NULL: it could not be opened. */
static uint32_t reasons_of(const RM_PROCESS_INFO *info, uint32_t all, const rsm__process *process) {
  uint32_t rest = all & ~(uint32_t)(RSM_REBOOT_DETECTED_SELF | RSM_REBOOT_SESSION_MISMATCH);
  if (info->Process.dwProcessId == GetCurrentProcessId()) return all & RSM_REBOOT_DETECTED_SELF;
  if ((all & RSM_REBOOT_SESSION_MISMATCH) && is_elsewhere(info)) return RSM_REBOOT_SESSION_MISMATCH;
  if (info->ApplicationType != RmCritical) return 0;
  if (is_single(rest)) return rest;
  if (info->strServiceShortName[0] && (rest & RSM_REBOOT_CRITICAL_SERVICE)) return RSM_REBOOT_CRITICAL_SERVICE;
  bool refused = !process || rsm__process_permit(process, NULL) == RSM_ACCESS_DENIED;
  return rest & (refused ? RSM_REBOOT_PERMISSION_DENIED : RSM_REBOOT_CRITICAL_PROCESS);
}

/* Not told for services and critical ones, says Windows: what stands there then means nothing. */
static const char *logon_session_of(const RM_PROCESS_INFO *info, rsm__arena *arena) {
  char digits[12];
  int at = sizeof digits;
  DWORD id = info->TSSessionId;
  if (id == (DWORD)RM_INVALID_TS_SESSION || info->ApplicationType == RmService || info->ApplicationType == RmCritical)
    return NULL;
  digits[--at] = '\0';
  do digits[--at] = (char)('0' + id % 10);
  while (id /= 10);
  return rsm__arena_strdup(arena, digits + at);
}

/* ---- What we know ourselves -------------------------------------------------------------------------------------- */

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

static void take_facts(const rsm__process_facts *facts, rsm_app *app) {
  app->user = facts->user;
  app->exe = facts->exe;
  app->command = facts->command;
  app->command_count = facts->command_count;
}

/* A program that we have stopped is known from before. */
static void take_memory(const rsm__system *session, rsm_app *app) {
  const rsm_app *known = session->stopped ? rsm__list_find(session->stopped, &app->process) : NULL;
  if (!known) return;
  app->user = known->user;
  app->exe = known->exe;
  app->command = known->command;
  app->command_count = known->command_count;
}

static rsm_status inspect(rsm__system_op *op, const RM_PROCESS_INFO *info, uint32_t reasons, rsm__arena *arena,
                          rsm_app *app, rsm_error *reterr) {
  RSM_CLEAN(close_process) rsm__process *process = NULL;
  rsm__process_facts facts;
  rsm_status status = RSM_NOT_FOUND;
  if (app->process.pid) status = rsm__process_open(&app->process, &process, reterr);
  if (process) {
    rsm__process_within(process, op->session->lookup, op->settling ? NULL : op->task);
    status = rsm__process_facts_get(process, arena, &facts, reterr);
    if (status == RSM_OK) take_facts(&facts, app);
  }
  if (status == RSM_CANCELLED || rsm__is_shortage(status)) return status;
  if (status != RSM_OK) take_memory(op->session, app);
  app->reboot_reasons = reasons_of(info, reasons, process);
  return RSM_OK;
}

/* ---- The list ---------------------------------------------------------------------------------------------------- */

static rsm_restart_by restart_by(const RM_PROCESS_INFO *info) {
  if (!info->bRestartable) return RSM_RESTART_BY_NONE;
  return info->strServiceShortName[0] ? RSM_RESTART_BY_SERVICE : RSM_RESTART_BY_REGISTRATION;
}

/* Numbers that we do not know stay as they are. */
static rsm_status add_app(rsm__system_op *op, const RM_PROCESS_INFO *info, uint32_t reasons, rsm_list *list,
                          rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  size_t name_length = wcsnlen(info->strAppName, RSM_COUNT(info->strAppName));
  size_t service_length = wcsnlen(info->strServiceShortName, RSM_COUNT(info->strServiceShortName));
  rsm_app app = {.process = rsm__native_process_of(&info->Process),
                 .name = rsm__narrow_in(&arena, info->strAppName, name_length),
                 .service = service_length ? rsm__narrow_in(&arena, info->strServiceShortName, service_length) : NULL,
                 .type = (rsm_app_type)info->ApplicationType,
                 .status = info->AppStatus,
                 .logon_session = logon_session_of(info, &arena),
                 .restartable = info->bRestartable,
                 .restart_by = restart_by(info),
                 .affected = true};
  if (!app.name || (service_length && !app.service)) return rsm__fail_memory(reterr);
  app.started_at = unix_time(app.process.start_time);
  if (app.service && app.process.pid) {
    app.processes = &app.process;
    app.process_count = 1;
  }
  rsm_status status = inspect(op, info, reasons, &arena, &app, reterr);
  return status == RSM_OK ? rsm__list_add_copy(list, &app, reterr) : status;
}

/* 5 is the whole call's answer for one path: which? */
static const char *find_culprit(const rsm__system *session) {
  for (size_t i = 0; i < session->registered->count; i++) {
    const rsm_resource *resource = &session->registered->items[i];
    RSM_CLEAN_WIDE path = NULL;
    if (resource->kind != RSM_RESOURCE_FILE || rsm__wide_path(resource->name, &path, NULL) != RSM_OK) continue;
    DWORD attributes = GetFileAttributesW(path), code = GetLastError();
    bool refused = attributes == INVALID_FILE_ATTRIBUTES && code == ERROR_ACCESS_DENIED;
    bool directory = attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY);
    for (size_t k = 0; directory && k < session->folders.roots.count; k++) {
      const wchar_t *root = session->folders.roots.items[k]; /* those have been taken apart */
      size_t length = wcslen(root), tail = wcslen(path);
      if (length >= tail && rsm__wide_same_name(root + length - tail, path)) directory = false;
    }
    if (refused || directory) return resource->name;
  }
  return NULL;
}

/* Windows spares nobody but us, and has ended the shell or the terminal of many an installer. */
static rsm_status mark_carriers(const rsm__system *session, rsm_list *list, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__carriers carriers = {.stoppable = session->stoppable, .stoppable_count = session->stoppable_count};
  if (list->count == 0) return RSM_OK;
  rsm_status status = rsm__process_carriers(&arena, &carriers.items, &carriers.count, reterr);
  for (size_t i = 0; status == RSM_OK && i < list->count; i++) {
    rsm_app *app = &list->apps[i];
    if (!app->process.pid || !rsm__plan_carries_us(&carriers, &app->process)) continue;
    app->type = RSM_APP_CRITICAL;
    app->reboot_reasons = RSM_REBOOT_DETECTED_SELF;
    if (rsm__plan_in_the_way(app)) list->reboot_reasons |= RSM_REBOOT_DETECTED_SELF;
  }
  return status;
}

/* What has come into registered directories since is handed over, unless the deed is done. */
static rsm_status fill(rsm__system_op *op, rsm_list *list, rsm_error *reterr) {
  RSM_CLEAN_FREE RM_PROCESS_INFO *apps = NULL;
  size_t count;
  DWORD reasons;
  rsm_status status = op->settling ? RSM_OK : rsm__system_refresh(op->session, list, reterr);
  if (status == RSM_OK) status = rsm__calls_list(op, &apps, &count, &reasons, reterr);
  if (status == RSM_ACCESS_DENIED)
    rsm__native_fail(reterr, ERROR_ACCESS_DENIED, "RmGetList", find_culprit(op->session));
  for (size_t i = 0; status == RSM_OK && i < count; i++) status = add_app(op, &apps[i], reasons, list, reterr);
  if (status != RSM_OK) return status;
  list->reboot_reasons = reasons;
  return mark_carriers(op->session, list, reterr);
}

rsm_status rsm__system_list(rsm__system_op *op, rsm_list **ret_list, rsm_error *reterr) {
  rsm_list *list = rsm__list_new();
  if (!list) return rsm__fail_memory(reterr);
  rsm_status status = fill(op, list, reterr);
  if (status == RSM_OK)
    *ret_list = list;
  else
    rsm_list_free(list);
  return status;
}
