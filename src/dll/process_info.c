/* process_info.c: applications as Windows' interface shows them. SPDX-License-Identifier: MIT */
#include "dll/process_info.h"

#include <stddef.h>
#include <string.h>

#include "os/windows/wide.h"

/* The interface is these bytes, in 32 and 64 bits alike. */
_Static_assert(sizeof(RM_UNIQUE_PROCESS) == 12 && offsetof(RM_UNIQUE_PROCESS, ProcessStartTime) == 4, "as Windows'");
_Static_assert(sizeof(RM_PROCESS_INFO) == 668, "as Windows'");
_Static_assert(offsetof(RM_PROCESS_INFO, strAppName) == 12, "as Windows'");
_Static_assert(offsetof(RM_PROCESS_INFO, strServiceShortName) == 524, "as Windows'");
_Static_assert(offsetof(RM_PROCESS_INFO, ApplicationType) == 652, "as Windows'");
_Static_assert(offsetof(RM_PROCESS_INFO, AppStatus) == 656, "as Windows'");
_Static_assert(offsetof(RM_PROCESS_INFO, TSSessionId) == 660, "as Windows'");
_Static_assert(offsetof(RM_PROCESS_INFO, bRestartable) == 664, "as Windows'");
_Static_assert((int)RSM_APP_CRITICAL == RmCritical && (int)RSM_APP_CONSOLE == RmConsole, "the same numbers");
_Static_assert((int)RSM_APP_RESTART_MASKED == RmStatusRestartMasked, "the same bits");

/* 100 ns after the beginning of Windows' time: no process has started then. */
static const uint64_t NEVER = 1;

rsm_process rsm__process_from(const RM_UNIQUE_PROCESS *process) {
  uint64_t start_time =
      (uint64_t)process->ProcessStartTime.dwHighDateTime << 32 | process->ProcessStartTime.dwLowDateTime;
  return (rsm_process){.pid = process->dwProcessId, .start_time = start_time ? start_time : NEVER};
}

RM_UNIQUE_PROCESS rsm__process_to(const rsm_process *process) {
  uint64_t start_time = process->start_time == NEVER ? 0 : process->start_time;
  RM_UNIQUE_PROCESS result = {.dwProcessId = process->pid ? process->pid : (DWORD)RM_INVALID_PROCESS};
  result.ProcessStartTime.dwLowDateTime = (DWORD)start_time;
  result.ProcessStartTime.dwHighDateTime = (DWORD)(start_time >> 32);
  return result;
}

static bool is_shown(const rsm_app *app) {
  const uint32_t history =
      RSM_APP_RUNNING | RSM_APP_STOPPED | RSM_APP_RESTARTED | RSM_APP_ERROR_ON_STOP | RSM_APP_ERROR_ON_RESTART;
  return app->affected && (app->process.pid || (app->status & history));
}

UINT rsm__process_infos_count(const rsm_list *list) {
  UINT count = 0;
  for (size_t i = 0; i < rsm_list_count(list); i++) count += is_shown(rsm_list_at(list, i));
  return count;
}

/* Into size units, with a NUL; what does not fit is cut, between characters. */
static rsm_status put_text(const char *text, wchar_t *buffer, size_t size) {
  RSM_CLEAN_WIDE wide = NULL;
  rsm_status status = rsm__wide_new(text, &wide, NULL);
  if (status == RSM_BAD_ARGUMENTS) return RSM_OK; /* a name that is no text shows as none */
  if (status != RSM_OK) return status;
  size_t length = wcslen(wide);
  if (length >= size) length = IS_HIGH_SURROGATE(wide[size - 2]) ? size - 2 : size - 1;
  memcpy(buffer, wide, length * sizeof *wide);
  buffer[length] = L'\0';
  return RSM_OK;
}

/* The number of a Terminal Services session. */
static DWORD session_of(const char *logon_session) {
  DWORD number = 0;
  if (!logon_session || !*logon_session || strlen(logon_session) > 9) return (DWORD)RM_INVALID_TS_SESSION;
  for (const char *c = logon_session; *c; c++) {
    if (*c < '0' || *c > '9') return (DWORD)RM_INVALID_TS_SESSION;
    number = number * 10 + (DWORD)(*c - '0');
  }
  return number;
}

static rsm_status fill(const rsm_app *app, RM_PROCESS_INFO *info) {
  /* Windows counts who may not be stopped from here to the critical ones, which it does not start again. */
  bool critical = app->type == RSM_APP_CRITICAL || (app->reboot_reasons & RSM_REBOOT_PERMISSION_DENIED);
  *info = (RM_PROCESS_INFO){.Process = rsm__process_to(&app->process),
                            .ApplicationType = critical ? RmCritical : (RM_APP_TYPE)app->type,
                            .AppStatus = app->status,
                            .TSSessionId = session_of(app->logon_session),
                            .bRestartable = app->restartable && !critical};
  rsm_status status = put_text(app->name, info->strAppName, ARRAYSIZE(info->strAppName));
  if (status == RSM_OK && app->service)
    status = put_text(app->service, info->strServiceShortName, ARRAYSIZE(info->strServiceShortName));
  return status;
}

rsm_status rsm__process_infos_fill(const rsm_list *list, RM_PROCESS_INFO *infos) {
  rsm_status status = RSM_OK;
  UINT count = 0;
  for (size_t i = 0; i < rsm_list_count(list) && status == RSM_OK; i++) {
    const rsm_app *app = rsm_list_at(list, i);
    if (is_shown(app)) status = fill(app, &infos[count++]);
  }
  return status;
}
