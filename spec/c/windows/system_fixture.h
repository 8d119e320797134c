/* system_fixture.h: the `system` manager over the scripted rstrtmgr.dll (scripted_rstrtmgr.h), for its tests.
 * SPDX-License-Identifier: MIT */
#ifndef SYSTEM_FIXTURE_H
#define SYSTEM_FIXTURE_H

#include "scripted_rstrtmgr.h"
/* After it: Windows' headers. */
#include "base/alloc.h"
#include "check.h"
#include "rsm.h"

#include <wchar.h>

static script *orders;

/* The DLL's script, everything back to how it is at first. Without the scripted DLL in the system's folder there is
 * nothing to test: that is a failure, too. */
static inline void begin_script(void) {
  static const WCHAR key[] = L"0123456789abcdef0123456789abcdef";
  WCHAR path[MAX_PATH + 16];
  CHECK(GetSystemDirectoryW(path, MAX_PATH));
  HMODULE module = LoadLibraryW(wcscat(path, L"\\rstrtmgr.dll"));
  scripted_function *scripted = module ? (scripted_function *)(void (*)(void))GetProcAddress(module, "scripted") : NULL;
  if (!scripted) fprintf(stderr, "run it with tools/in-wine-with: the system's folder has no scripted rstrtmgr.dll\n");
  CHECK(scripted);
  orders = scripted();
  memset(orders, 0, sizeof *orders);
  memcpy(orders->key, key, sizeof key);
}

static inline rsm_session *begin_session(void) {
  rsm_session *session;
  rsm_error error;
  const rsm_start_options options = {.manager = "system"};
  rsm_status status = rsm_session_start(&options, &session, &error);
  char text[1024];
  if (status != RSM_OK) fprintf(stderr, "%s\n", rsm_error_format(&error, text, sizeof text));
  CHECK_INT(status, RSM_OK);
  return session;
}

static inline FILETIME file_time(uint64_t number) {
  return (FILETIME){(DWORD)number, (DWORD)(number >> 32)};
}

/* Somebody who is not there any more, or never was: nothing can be found out about him. */
static inline RM_PROCESS_INFO nobody(DWORD pid, const WCHAR *name, RM_APP_TYPE type, ULONG status) {
  RM_PROCESS_INFO info = {.Process = {pid, file_time(131000000000000000u + pid)},
                          .ApplicationType = type,
                          .AppStatus = status,
                          .TSSessionId = 1};
  wcsncpy(info.strAppName, name, CCH_RM_MAX_APP_NAME);
  return info;
}

static inline void show(script_list *list, const RM_PROCESS_INFO *info) {
  list->apps[list->count++] = *info;
}

/* The listing, which has to succeed. */
static inline rsm_list *list_now(rsm_session *session) {
  rsm_list *list;
  rsm_error error;
  char text[1024];
  rsm_status status = rsm_session_list(session, NULL, &list, &error);
  if (status != RSM_OK) fprintf(stderr, "%s\n", rsm_error_format(&error, text, sizeof text));
  CHECK_INT(status, RSM_OK);
  return list;
}

enum { RUN = RmStatusRunning, STOPPED = RmStatusStopped, AGAIN = RmStatusRestarted };

/* One application before, and how it is afterwards. */
static inline void one_app(ULONG before, ULONG after_shutdown, ULONG after_restart, BOOL restartable) {
  RM_PROCESS_INFO editor = nobody(0x7FFFFFF0, L"editor", RmMainWindow, before);
  editor.bRestartable = restartable;
  show(&orders->before, &editor);
  editor.AppStatus = after_shutdown;
  show(&orders->after_shutdown, &editor);
  editor.AppStatus = after_restart;
  show(&orders->after_restart, &editor);
}

static inline void check_one(const rsm_report *report, rsm_outcome which, const char *name) {
  CHECK_INT(rsm_report_count(report, which), 1);
  CHECK_TEXT(rsm_report_at(report, which, 0)->name, name);
}

static inline void finish(rsm_op *op) {
  rsm_event event;
  while (rsm_op_step(op, 10000, &event) == RSM_PENDING) continue;
}

#define CHECK_WORDS(text, words) check_words(__FILE__, __LINE__, (text), (words))
static inline void check_words(const char *file, int line, const char *text, const char *words) {
  if (strstr(text, words)) return;
  fprintf(stderr, "%s:%d: '%s' is not in '%s'\n", file, line, words, text);
  exit(1);
}

#endif
