/* test_system_ops.c: the `system` manager over the scripted rstrtmgr.dll: listings, shutdown, restart, progress,
 * cancelling. SPDX-License-Identifier: MIT */
#include "system_fixture.h"

#include <wchar.h>

static char text[1024];

/* ---- Listings ---- */

static RM_PROCESS_INFO ourselves(void) {
  RM_PROCESS_INFO info = {.Process = {.dwProcessId = GetCurrentProcessId()},
                          .ApplicationType = RmCritical,
                          .AppStatus = RUN,
                          .TSSessionId = 1};
  FILETIME unused;
  CHECK(GetProcessTimes(GetCurrentProcess(), &info.Process.ProcessStartTime, &unused, &unused, &unused));
  wcscpy(info.strAppName, L"we");
  return info;
}

static void test_list(void) {
  begin_script();
  RM_PROCESS_INFO we = ourselves(), editor = nobody(0x7FFFFFF0, L"\u00C9ditor \U0001F30D", RmMainWindow, RUN);
  RM_PROCESS_INFO service = nobody((DWORD)RM_INVALID_PROCESS, L"Druckwarteschlange", RmService, 0x04);
  RM_PROCESS_INFO later = nobody(0x7FFFFFE0, L"later", (RM_APP_TYPE)7, 0x400 | RUN);
  wcscpy(service.strServiceShortName, L"Spooler");
  service.bRestartable = editor.bRestartable = TRUE;
  later.TSSessionId = (DWORD)RM_INVALID_TS_SESSION;
  show(&orders->before, &we);
  show(&orders->before, &editor);
  show(&orders->before, &service);
  show(&orders->before, &later);
  orders->before.reasons = RmRebootReasonDetectedSelf | RmRebootReasonCriticalProcess;
  rsm_session *session = begin_session();
  rsm_list *list = list_now(session);
  CHECK_INT(rsm_list_count(list), 4);
  CHECK_INT(rsm_list_reboot_reasons(list), RSM_REBOOT_DETECTED_SELF | RSM_REBOOT_CRITICAL_PROCESS);
  CHECK(rsm_list_complete(list));
  const rsm_app *app = rsm_list_at(list, 0);
  CHECK_INT(app->process.pid, GetCurrentProcessId());
  CHECK_INT(app->reboot_reasons, RSM_REBOOT_DETECTED_SELF);
  CHECK(app->exe && strstr(app->exe, "test_system_ops"));
  CHECK(app->user && app->command_count > 0 && app->started_at > 1500000000);
  CHECK(!app->logon_session);
  app = rsm_list_at(list, 1);
  CHECK_TEXT(app->name, "\xC3\x89"
                        "ditor \xF0\x9F\x8C\x8D");
  CHECK_INT(app->type, RSM_APP_MAIN_WINDOW);
  CHECK_INT(app->restart_by, RSM_RESTART_BY_REGISTRATION);
  CHECK(app->process.start_time == 131000000000000000u + 0x7FFFFFF0);
  CHECK_TEXT(app->logon_session, "1");
  CHECK(!app->exe && app->use_count == 0 && app->affected);
  app = rsm_list_at(list, 2);
  CHECK_TEXT(app->service, "Spooler");
  CHECK_INT(app->process.pid, 0);
  CHECK_INT(app->restart_by, RSM_RESTART_BY_SERVICE);
  app = rsm_list_at(list, 3); /* of a later Windows: kept as it is */
  CHECK_INT(app->type, 7);
  CHECK_INT(app->status, 0x400 | RUN);
  CHECK(!app->logon_session);
  rsm_list_free(list);
  rsm_session_free(session);
}

/* A name that fills its field has no end. */
static void test_full_names(void) {
  begin_script();
  RM_PROCESS_INFO info = nobody(0x7FFFFFF0, L"", RmService, RUN);
  for (size_t i = 0; i < 256; i++) info.strAppName[i] = L'a';
  for (size_t i = 0; i < 64; i++) info.strServiceShortName[i] = L's';
  info.strAppName[0] = 0xD800; /* and is no text, either: half a character */
  show(&orders->before, &info);
  rsm_session *session = begin_session();
  rsm_list *list = list_now(session);
  CHECK_INT(strlen(rsm_list_at(list, 0)->name), 255 + 3);
  CHECK_INT(strlen(rsm_list_at(list, 0)->service), 64);
  rsm_list_free(list);
  rsm_session_free(session);
}

static void test_more_data(void) {
  rsm_error error;
  rsm_list *list;
  begin_script();
  RM_PROCESS_INFO editor = nobody(0x7FFFFFF0, L"editor", RmMainWindow, RUN);
  show(&orders->before, &editor);
  rsm_session *session = begin_session();
  orders->more_data = 3;
  orders->growth = 100;
  rsm_list_free(list_now(session));
  CHECK_INT(orders->lists, 4);
  orders->more_data = -1;
  CHECK_INT(rsm_session_list(session, NULL, &list, &error), RSM_MORE_DATA);
  CHECK_INT(orders->lists, 4 + 8);
  CHECK_WORDS(error.detail, "each of 8 attempts");
  orders->growth = 1u << 20;
  CHECK_INT(rsm_session_list(session, NULL, &list, &error), RSM_GEN_FAILURE);
  CHECK_WORDS(error.detail, "speaks of");
  rsm_session_free(session);
}

static void test_list_fails(void) {
  rsm_error error;
  rsm_list *list;
  WCHAR folder[300];
  char narrow[600];
  begin_script();
  rsm_session *session = begin_session();
  orders->list_code = 6;
  CHECK_INT(rsm_session_list(session, NULL, &list, &error), RSM_INVALID_HANDLE);
  CHECK_WORDS(error.detail, "more holders");
  CHECK_TEXT(error.call, "RmGetList");

  /* A file that was registered when it did not exist, and is a directory now. */
  CHECK(GetTempPathW(280, folder));
  wcscat(folder, L"rm-system-now");
  WideCharToMultiByte(CP_UTF8, 0, folder, -1, narrow, sizeof narrow, NULL, NULL);
  RemoveDirectoryW(folder);
  const char *files[] = {"c:\\windows\\win.ini", narrow};
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = 2}, &error), RSM_OK);
  CHECK(CreateDirectoryW(folder, NULL));
  orders->list_code = 5;
  CHECK_INT(rsm_session_list(session, NULL, &list, &error), RSM_ACCESS_DENIED);
  CHECK_WORDS(error.subject, "rm-system-now");
  CHECK(RemoveDirectoryW(folder));
  orders->list_code = 1234;
  CHECK_INT(rsm_session_list(session, NULL, &list, &error), RSM_GEN_FAILURE);
  CHECK_INT(error.os_code, 1234);
  rsm_session_free(session);
}

/* ---- Shutdown and restart ---- */

typedef struct outcome {
  rsm_status status;
  rsm_error error;
  rsm_report *report;
} outcome;

static outcome stop(rsm_session *session, const rsm_shutdown_options *options) {
  outcome result = {0};
  result.status = rsm_session_shutdown(session, options, &result.report, &result.error);
  return result;
}

static outcome start(rsm_session *session) {
  outcome result = {0};
  result.status = rsm_session_restart(session, NULL, &result.report, &result.error);
  return result;
}

static void test_shutdown(void) {
  begin_script();
  static const WCHAR *const names[] = {L"stopped", L"gone", L"alive", L"kept", L"vanished"};
  static const ULONG after[] = {STOPPED, RmStatusStoppedOther, RUN | RmStatusErrorOnStop, RUN | RmStatusShutdownMasked};
  for (DWORD i = 0; i < 5; i++) {
    RM_PROCESS_INFO info = nobody(0x7FFFFF00 + 4 * i, names[i], RmConsole, i == 3 ? after[3] : RUN);
    show(&orders->before, &info);
    if (i == 4) break;
    info.AppStatus = after[i];
    show(&orders->after_shutdown, &info);
  }
  RM_PROCESS_INFO fresh = nobody(0x7FFFFF80, L"fresh", RmConsole, RUN);
  show(&orders->after_shutdown, &fresh);
  orders->shutdown_code = 351;
  rsm_session *session = begin_session();
  outcome done = stop(session, &(rsm_shutdown_options){.force = true, .only_restartable = true});
  CHECK_INT(done.status, RSM_FAIL_SHUTDOWN);
  CHECK_INT(orders->shutdown_flags, RmForceShutdown | RmShutdownOnlyRegistered);
  CHECK_WORDS(rsm_error_format(&done.error, text, sizeof text), "alive");
  check_one(done.report, RSM_OUTCOME_STOPPED, "stopped");
  check_one(done.report, RSM_OUTCOME_ALIVE, "alive");
  check_one(done.report, RSM_OUTCOME_KEPT, "kept");
  check_one(done.report, RSM_OUTCOME_NEW, "fresh");
  CHECK_INT(rsm_report_count(done.report, RSM_OUTCOME_GONE), 2);
  CHECK_INT(rsm_report_at(done.report, RSM_OUTCOME_ALIVE, 0)->error.status, RSM_FAIL_SHUTDOWN);
  CHECK_INT(rsm_report_at(done.report, RSM_OUTCOME_STOPPED, 0)->status, STOPPED);
  CHECK(rsm_session_owes_restart(session));
  rsm_report_free(done.report);
  rsm_session_end(session, RSM_END_LEAVE_STOPPED, NULL);
  rsm_session_free(session);
  CHECK_INT(orders->restarts, 0);
  CHECK_INT(orders->ends, 1);
}

static void test_reboot_needed(void) {
  begin_script();
  RM_PROCESS_INFO editor = nobody(0x7FFFFFF0, L"editor", RmMainWindow, RUN);
  RM_PROCESS_INFO core = nobody(0x7FFFFFE0, L"core", RmCritical, RUN);
  show(&orders->before, &editor);
  show(&orders->before, &core);
  orders->before.reasons = RmRebootReasonCriticalProcess;
  orders->shutdown_code = 350;
  rsm_session *session = begin_session();
  outcome done = stop(session, NULL);
  CHECK_INT(done.status, RSM_NOACTION_REBOOT);
  CHECK_WORDS(done.error.subject, "core");
  CHECK_INT(rsm_report_count(done.report, RSM_OUTCOME_ALIVE), 2);
  CHECK(!rsm_session_owes_restart(session));
  rsm_report_free(done.report);
  rsm_session_free(session);
  CHECK_INT(orders->restarts, 0);
}

static void test_confirmed(void) {
  begin_script();
  RM_PROCESS_INFO known = nobody(0x7FFFFFF0, L"known", RmConsole, RUN);
  RM_PROCESS_INFO other = nobody(0x7FFFFFE0, L"other", RmConsole, RUN);
  show(&orders->before, &known);
  show(&orders->before, &other);
  rsm_session *session = begin_session();
  const rsm_process confirmed = {0x7FFFFFF0, 131000000000000000u + 0x7FFFFFF0, 0};
  const rsm_shutdown_options options = {.confirmed = &confirmed, .confirmed_count = 1, .has_confirmed = true};
  outcome done = stop(session, &options);
  CHECK_INT(done.status, RSM_MORE_DATA);
  check_one(done.report, RSM_OUTCOME_NEW, "other");
  CHECK_INT(orders->shutdowns, 0);
  rsm_report_free(done.report);
  orders->before.apps[1].AppStatus |= RmStatusShutdownMasked; /* a filter keeps him: he needs no consent */
  done = stop(session, &options);
  CHECK_INT(done.status, RSM_OK);
  CHECK_INT(orders->shutdowns, 1);
  rsm_report_free(done.report);
  rsm_session_free(session);
}

static void test_restart(void) {
  begin_script();
  static const WCHAR *const names[] = {L"back", L"lost", L"quiet", L"masked"};
  static const ULONG after[] = {STOPPED | AGAIN, STOPPED | RmStatusErrorOnRestart, STOPPED,
                                STOPPED | RmStatusRestartMasked};
  for (DWORD i = 0; i < 4; i++) {
    RM_PROCESS_INFO info = nobody(0x7FFFFF00 + 4 * i, names[i], RmConsole, RUN);
    info.bRestartable = i != 2;
    show(&orders->before, &info);
    info.AppStatus = STOPPED;
    show(&orders->after_shutdown, &info);
    info.AppStatus = after[i];
    if (i == 0) info.Process.dwProcessId = 0x7FFFFE00; /* the process that it is now */
    if (i == 0) info.AppStatus |= RUN;
    show(&orders->after_restart, &info);
  }
  orders->restart_code = 352;
  rsm_session *session = begin_session();
  CHECK_INT(start(session).status, RSM_OUT_OF_SEQUENCE);
  CHECK_INT(orders->restarts, 0);
  rsm_report_free(stop(session, NULL).report);
  outcome done = start(session);
  CHECK_INT(done.status, RSM_FAIL_RESTART);
  CHECK_WORDS(done.error.subject, "lost");
  CHECK_INT(orders->restart_flags, 0);
  check_one(done.report, RSM_OUTCOME_RESTARTED, "back");
  CHECK_INT(rsm_report_at(done.report, RSM_OUTCOME_RESTARTED, 0)->restarted_as.pid, 0x7FFFFE00);
  check_one(done.report, RSM_OUTCOME_FAILED, "lost");
  CHECK_INT(rsm_report_count(done.report, RSM_OUTCOME_LEFT_STOPPED), 2);
  CHECK_INT(rsm_report_at(done.report, RSM_OUTCOME_LEFT_STOPPED, 0)->left_why, RSM_LEFT_NOT_REGISTERED);
  CHECK_INT(rsm_report_at(done.report, RSM_OUTCOME_LEFT_STOPPED, 1)->left_why, RSM_LEFT_RESTART_MASKED);
  CHECK(rsm_session_owes_restart(session)); /* what is lost */
  rsm_report_free(done.report);
  orders->restart_code = 0;
  orders->after_restart.apps[1].AppStatus = STOPPED | AGAIN;
  done = start(session);
  CHECK_INT(done.status, RSM_OK);
  check_one(done.report, RSM_OUTCOME_RESTARTED, "lost");
  CHECK(!rsm_session_owes_restart(session));
  rsm_report_free(done.report);

  /* Nothing is left to do: that the system wants a shutdown first then is none of the caller's business. */
  orders->restart_code = 776;
  done = start(session);
  CHECK_INT(done.status, RSM_OK);
  rsm_report_free(done.report);
  rsm_session_free(session);
  CHECK_INT(orders->restarts, 3);
}

/* Collected, not closed: there is no store, so what was stopped comes back now. */
static void test_free_brings_back(void) {
  begin_script();
  one_app(RUN, STOPPED, STOPPED | AGAIN, TRUE);
  rsm_session *session = begin_session();
  rsm_report_free(stop(session, NULL).report);
  rsm_session_free(session);
  CHECK_INT(orders->restarts, 1);
  CHECK(!orders->had_callback);
  CHECK_INT(orders->ends, 1);
}

#ifdef _WIN64 /* in 32 bits the system gets no callback: calls.c tells why */
/* ---- What cannot be found out ---- */

static void test_lost_outcome(void) {
  rsm_op *op;
  rsm_event event;
  rsm_error error;
  begin_script();
  one_app(RUN, STOPPED, STOPPED | AGAIN, TRUE);
  orders->percents[0] = 50;
  orders->percent_count = 1;
  rsm_session *session = begin_session();
  CHECK_INT(rsm_session_begin_shutdown(session, NULL, &op, NULL), RSM_OK);
  CHECK_INT(rsm_op_step(op, 10000, &event), RSM_PENDING); /* in the callback: the list before has been made */
  orders->list_code = 29;
  finish(op);
  CHECK_INT(rsm_op_status(op, &error), RSM_WRITE_FAULT);
  CHECK_WORDS(error.detail, "RmShutdown has succeeded");
  CHECK(rsm_session_owes_restart(session)); /* it may */
  rsm_op_free(op);
  orders->list_code = 0;
  outcome done = start(session);
  CHECK_INT(done.status, RSM_OK);
  CHECK(!rsm_session_owes_restart(session));
  rsm_report_free(done.report);
  rsm_session_free(session);
}
#endif

/* ---- How the listed ones use the files ---- */

static void test_uses(void) {
  WCHAR path[300];
  char narrow[600];
  rsm_error error;
  rsm_list *list;
  begin_script();
  RM_PROCESS_INFO we = ourselves();
  CHECK(GetTempPathW(280, path));
  wcscat(path, L"rm-system-used");
  HANDLE file =
      CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, FILE_FLAG_DELETE_ON_CLOSE, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  WideCharToMultiByte(CP_UTF8, 0, path, -1, narrow, sizeof narrow, NULL, NULL);
  const char *name = narrow;
  show(&orders->before, &we);
  rsm_session *session = begin_session();
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = &name, .file_count = 1}, NULL), RSM_OK);
  list = list_now(session);
  CHECK_INT(rsm_list_at(list, 0)->use_count, 0); /* only when asked for */
  rsm_list_free(list);
  CHECK_INT(rsm_session_list(session, &(rsm_list_options){.uses = true}, &list, &error), RSM_OK);
  const rsm_app *app = rsm_list_at(list, 0);
  CHECK_INT(app->use_count, 1);
  CHECK_TEXT(app->uses[0].path, name);
  CHECK_INT(app->uses[0].how, RSM_USE_OPEN);
  CHECK_INT(app->uses[0].access, RSM_ACCESS_READ | RSM_ACCESS_WRITE);
  rsm_list_free(list);
  CloseHandle(file);
  rsm_session_free(session);
}

/* ---- Want of memory ---- */

#ifdef RSM_TEST_HOOKS
/* A whole session, whose n-th request for memory fails: nothing is lost, and everything is ended. */
static bool climb(void) {
  rsm_session *session;
  rsm_list *list = NULL;
  rsm_filter_list *filters = NULL;
  rsm_report *report = NULL;
  const char *file = "c:\\windows\\win.ini";
  const rsm_start_options options = {.manager = "system"};
  const rsm_filter filter = {.service = "Spooler", .action = RSM_NO_RESTART};
  if (rsm_session_start(&options, &session, NULL) != RSM_OK) return false;
  bool whole = rsm_session_register(session, &(rsm_resources){.files = &file, .file_count = 1}, NULL) == RSM_OK;
  whole = rsm_session_add_filter(session, &filter, NULL) == RSM_OK && whole;
  whole = rsm_session_filters(session, &filters, NULL) == RSM_OK && whole;
  whole = rsm_session_list(session, NULL, &list, NULL) == RSM_OK && whole;
  rsm_list_free(list);
  rsm_filter_list_free(filters);
  whole = rsm_session_shutdown(session, NULL, &report, NULL) == RSM_OK && whole;
  report = rsm_report_free(report);
  CHECK(orders->state == 0 || rsm_session_owes_restart(session)); /* never forgotten */
  if (orders->shutdowns) whole = rsm_session_restart(session, NULL, &report, NULL) == RSM_OK && whole;
  rsm_report_free(report);
  rsm_session_free(session);
  return whole;
}

static void test_memory(void) {
  begin_script();
  long before = rsm__alloc_live();
  for (unsigned long at = 1;; at++) {
    begin_script();
    one_app(RUN, STOPPED, STOPPED | AGAIN, TRUE);
    rsm__alloc_fail_at(at, 0);
    bool whole = climb();
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), before);
    CHECK_INT(orders->ends, orders->starts);
    if (whole) {
      CHECK(at > 20);
      return;
    }
    CHECK(at < 1000);
  }
}
#endif

static const check_test tests[] = {
    CHECK_TEST(test_list),         CHECK_TEST(test_full_names), CHECK_TEST(test_more_data),
    CHECK_TEST(test_list_fails),   CHECK_TEST(test_shutdown),   CHECK_TEST(test_reboot_needed),
    CHECK_TEST(test_confirmed),    CHECK_TEST(test_restart),    CHECK_TEST(test_free_brings_back),
#ifdef _WIN64
    CHECK_TEST(test_lost_outcome),
#endif
    CHECK_TEST(test_uses),
#ifdef RSM_TEST_HOOKS
    CHECK_TEST(test_memory),
#endif
};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
