/* test_dll.c: what the DLL's functions make of arguments, lists, filters and codes, over a manager that follows a
 * script. SPDX-License-Identifier: MIT */
#include "scripted.h"
#include "setting.h"

/* mingw-w64 has no names for these. */
enum { NOACTION_REBOOT = 350, FAIL_SHUTDOWN = 351, FAIL_RESTART = 352, MAX_SESSIONS = 353 };

static DWORD started(void) {
  DWORD handle = 0xFFFFFFFF;
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  memset(key, 0xFF, sizeof key);
  CHECK_INT(RmStartSession(&handle, 0, key), 0);
  for (size_t i = 0; i < CCH_RM_SESSION_KEY; i++) CHECK(wcschr(L"0123456789abcdef", key[i]) && key[i]);
  CHECK_INT(key[CCH_RM_SESSION_KEY], 0);
  return handle;
}

static void end(DWORD handle) {
  CHECK_INT(RmEndSession(handle), 0);
}

/* ---- Handles ---- */

static void handles_begin_at_zero_and_die(void) {
  script = (scripted){0};
  DWORD first = started(), second = started();
  CHECK_INT(first, 0);
  CHECK_INT(second, 1);
  end(first);
  CHECK_INT(RmEndSession(first), ERROR_INVALID_HANDLE);
  CHECK_INT(RmCancelCurrentTask(first), ERROR_INVALID_HANDLE);
  CHECK_INT(RmRegisterResources(first, 0, NULL, 0, NULL, 0, NULL), ERROR_INVALID_HANDLE);
  CHECK_INT(RmEndSession(64), ERROR_INVALID_HANDLE);
  CHECK_INT(RmEndSession(0xFFFFFFFF), ERROR_INVALID_HANDLE);
  CHECK_INT(started(), 0); /* the lowest that is free */
  end(0);
  end(second);
  CHECK_INT(script.sessions, 0);
  CHECK_INT(script.ended, 3);
}

static void sixty_four_handles(void) {
  script = (scripted){0};
  DWORD handle = 7;
  WCHAR key[CCH_RM_SESSION_KEY + 1] = L"untouched";
  for (DWORD i = 0; i < 64; i++) CHECK_INT(started(), i);
  CHECK_INT(RmStartSession(&handle, 0, key), MAX_SESSIONS);
  CHECK_INT(RmJoinSession(&handle, L"0123456789abcdef0123456789abcdef"), MAX_SESSIONS);
  CHECK_INT(handle, 7);
  CHECK(wcscmp(key, L"untouched") == 0);
  end(40);
  CHECK_INT(started(), 40);
  for (DWORD i = 0; i < 64; i++) end(i);
  for (int i = 0; i < 70; i++) end(started());
  CHECK_INT(script.sessions, 0);
}

static void sessions_of_other_processes_count(void) {
  script = (scripted){.others = 63, .others_left = 100};
  DWORD handle;
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  end(started());
  script.others = 64;
  CHECK_INT(RmStartSession(&handle, 0, key), MAX_SESSIONS);
  CHECK_INT(script.sessions, 0);
  CHECK_INT(RmJoinSession(&handle, L"0123456789abcdef0123456789abcdef"), 0); /* makes no session */
  end(handle);
}

static void keys(void) {
  script = (scripted){0};
  DWORD handle = 7;
  WCHAR unterminated[CCH_RM_SESSION_KEY + 1];
  for (size_t i = 0; i < ARRAYSIZE(unterminated); i++) unterminated[i] = L'0';
  CHECK_INT(RmJoinSession(&handle, L""), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmJoinSession(&handle, L"0123"), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmJoinSession(&handle, unterminated), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmJoinSession(&handle, L"\x1130"
                                   L"123456789abcdef0123456789abcdef"),
            ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmJoinSession(&handle, L"{0123456789abcdef0123456789abcdef}"), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(handle, 7);
  CHECK_INT(RmJoinSession(&handle, L"0123456789ABCDEF0123456789ABCDEF"), 0);
  end(handle);
}

/* ---- Arguments and codes ---- */

static void bad_arguments(void) {
  script = (scripted){0};
  DWORD handle = started(), reasons, needed_bytes;
  UINT needed, count = 1;
  BYTE byte;
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  LPCWSTR text = L"C:\\a", empty = L"";
  RM_UNIQUE_PROCESS process = {4, {1, 1}};
  CHECK_INT(RmStartSession(NULL, 0, key), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmStartSession(&handle, 0, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmStartSession(&handle, 1, key), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmJoinSession(NULL, key), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmJoinSession(&handle, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(handle, 0);
  CHECK_INT(RmRegisterResources(handle, 1, NULL, 0, NULL, 0, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRegisterResources(handle, 0, NULL, 1, NULL, 0, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRegisterResources(handle, 0, NULL, 0, NULL, 1, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRegisterResources(handle, 1, &empty, 0, NULL, 0, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmGetList(handle, NULL, &count, NULL, &reasons), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmGetList(handle, &needed, NULL, NULL, &reasons), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmGetList(handle, &needed, &count, NULL, &reasons), ERROR_BAD_ARGUMENTS); /* room for one, nowhere */
  count = 0;
  CHECK_INT(RmGetList(handle, &needed, &count, NULL, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmShutdown(handle, 0x2, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmShutdown(handle, 0x31, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRestart(handle, 1, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(handle, NULL, NULL, NULL, RmNoRestart), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(handle, text, &process, NULL, RmNoRestart), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(handle, text, NULL, text, RmNoRestart), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(handle, text, NULL, NULL, RmInvalidFilterAction), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(handle, text, NULL, NULL, (RM_FILTER_ACTION)3), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRemoveFilter(handle, NULL, NULL, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRemoveFilter(handle, text, &process, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmGetFilterList(handle, NULL, 1, &needed_bytes), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmGetFilterList(handle, &byte, 1, NULL), ERROR_MORE_DATA);
  CHECK_INT(script.enrolled, 0);
  end(handle);
}

static void every_status_has_a_documented_code(void) {
  static const struct {
    rsm_status status;
    DWORD code;
  } expected[] = {{RSM_OUT_OF_MEMORY, 14},    {RSM_BUSY, 14},
                  {RSM_SEM_TIMEOUT, 121},     {RSM_WRITE_FAULT, 29},
                  {RSM_ACCESS_DENIED, 29},    {RSM_NOT_SUPPORTED, 29},
                  {RSM_GEN_FAILURE, 29},      {RSM_CREDENTIAL_CONFLICT, 1219},
                  {RSM_CANCELLED, 1223},      {RSM_NOACTION_REBOOT, NOACTION_REBOOT},
                  {RSM_FAIL_SHUTDOWN, 351},   {RSM_FAIL_RESTART, FAIL_RESTART},
                  {RSM_OUT_OF_SEQUENCE, 776}, {RSM_INVALID_HANDLE, 6}};
  script = (scripted){0};
  DWORD handle = started(), reasons;
  for (size_t i = 0; i < ARRAYSIZE(expected); i++) {
    UINT needed = 5, count = 0;
    DWORD other = 9;
    WCHAR key[CCH_RM_SESSION_KEY + 1];
    script.start = script.join = script.enroll = script.operation = expected[i].status;
    CHECK_INT(RmStartSession(&other, 0, key), expected[i].code);
    CHECK_INT(RmJoinSession(&other, L"0123456789abcdef0123456789abcdef"), expected[i].code);
    CHECK_INT(other, 9);
    CHECK_INT(RmRegisterResources(handle, 0, NULL, 0, NULL, 0, NULL), expected[i].code);
    CHECK_INT(RmGetList(handle, &needed, &count, NULL, &reasons), expected[i].code);
    CHECK_INT(needed, 5);
    CHECK_INT(RmShutdown(handle, 0, NULL), expected[i].code);
    CHECK_INT(RmRestart(handle, 0, NULL), expected[i].code);
  }
  end(handle);
}

static void flags(void) {
  static const ULONG legal[] = {0, RmForceShutdown, RmShutdownOnlyRegistered,
                                RmForceShutdown | RmShutdownOnlyRegistered};
  script = (scripted){0};
  DWORD handle = started();
  for (size_t i = 0; i < ARRAYSIZE(legal); i++) {
    CHECK_INT(RmShutdown(handle, legal[i], NULL), 0);
    CHECK(script.request.kind == RSM__OP_SHUTDOWN && !script.request.shutdown.has_confirmed);
    CHECK_INT(script.request.shutdown.force, (legal[i] & RmForceShutdown) != 0);
    CHECK_INT(script.request.shutdown.only_restartable, (legal[i] & RmShutdownOnlyRegistered) != 0);
  }
  CHECK_INT(RmRestart(handle, 0, NULL), 0);
  CHECK(script.request.kind == RSM__OP_RESTART);
  CHECK(script.request.restart.has_unregistered && !script.request.restart.unregistered);
  end(handle);
}

/* How long who is forced may take is the machine's to say; who is only asked has the usual time. */
static void limits(void) {
  static const struct {
    const wchar_t *of_applications, *of_services;
    uint32_t applications_ms, services_ms;
  } cases[] = {{NULL, NULL, 30000, 20000},
               {L"2500", L"1500", 2500, 1500},
               {L"600000", L"600000", 600000, 600000},
               {L"600001", L"4000000000", 30000, 20000},
               {L"12x", L"", 30000, 20000}};
  script = (scripted){0};
  DWORD handle = started();
  setting applications = setting_of_applications(), services = setting_of_services();
  for (size_t i = 0; i < ARRAYSIZE(cases); i++) {
    rsm_shutdown_options seen[2];
    setting_set(&applications, cases[i].of_applications);
    setting_set(&services, cases[i].of_services);
    for (ULONG force = 0; force < 2; force++) {
      RmShutdown(handle, force, NULL);
      seen[force] = script.request.shutdown;
    }
    setting_restore(&applications);
    setting_restore(&services);
    CHECK_INT(seen[RmForceShutdown].timeout_ms, cases[i].applications_ms);
    CHECK_INT(seen[RmForceShutdown].service_timeout_ms, cases[i].services_ms);
    CHECK(seen[0].timeout_ms == 30000 && seen[0].service_timeout_ms == 20000);
  }
  end(handle);
}

static void secondaries(void) {
  script = (scripted){0};
  DWORD handle, reasons, bytes = 0;
  UINT needed, count = 0;
  CHECK_INT(RmJoinSession(&handle, L"0123456789abcdef0123456789abcdef"), 0);
  LPCWSTR file = L"C:\\a";
  CHECK_INT(RmRegisterResources(handle, 1, &file, 0, NULL, 0, NULL), 0);
  CHECK_INT(RmGetList(handle, &needed, &count, NULL, &reasons), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmShutdown(handle, 0, NULL), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmRestart(handle, 0, NULL), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmCancelCurrentTask(handle), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmAddFilter(handle, file, NULL, NULL, RmNoRestart), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmRemoveFilter(handle, file, NULL, NULL), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmGetFilterList(handle, NULL, 0, &bytes), ERROR_SESSION_CREDENTIAL_CONFLICT);
  end(handle);
}

/* ---- Registration ---- */

static void registering(void) {
  script = (scripted){.missing_service = "gone"};
  DWORD handle = started();
  LPCWSTR files[] = {NULL, L"C:\\\x00E9\xD800", NULL, L"C:\\b"};
  LPCWSTR services[] = {L"gone", NULL, L"here", L"gone"}, gone = L"gone";
  RM_UNIQUE_PROCESS processes[] = {{8, {0x89ABCDEF, 0x01234567}}, {12, {0, 0}}};
  CHECK_INT(RmRegisterResources(handle, 4, files, 2, processes, 4, services), 0);
  CHECK_INT(script.files, 2);
  CHECK_TEXT(script.first_file, "C:\\\xC3\xA9\xED\xA0\x80"); /* a surrogate without its partner comes through */
  CHECK_INT(script.processes, 2);
  CHECK(script.first_process.pid == 8 && script.first_process.start_time == 0x0123456789ABCDEF);
  CHECK_INT(script.services, 1);
  CHECK_INT(RmRegisterResources(handle, 0, NULL, 1, &processes[1], 1, &gone), 0);
  CHECK_INT(script.services, 0);
  CHECK(script.first_process.pid == 12 && script.first_process.start_time != 0); /* 0 would take whoever has the pid */
  CHECK_INT(RmRegisterResources(handle, 0, files, 0, processes, 0, services), 0);
  CHECK_INT(script.files + script.processes, 0);
  CHECK_INT(script.enrolled, 3);
  end(handle);
}

/* ---- Lists ---- */

static const rsm_app editor = {.process = {.pid = 8, .start_time = 0x0123456789ABCDEF},
                               .name = "Editor",
                               .type = RSM_APP_MAIN_WINDOW,
                               .status = RSM_APP_RUNNING,
                               .logon_session = "3",
                               .restartable = true,
                               .affected = true};

static void list_without_anybody(void) {
  script = (scripted){0};
  DWORD handle = started(), reasons = 5;
  UINT needed = 5, count = 0;
  CHECK_INT(RmGetList(handle, &needed, &count, NULL, &reasons), 0);
  CHECK(needed == 0 && count == 0 && reasons == 0);
  end(handle);
}

static void list_in_buffers_of_all_sizes(void) {
  rsm_app apps[300];
  RM_PROCESS_INFO *infos = calloc(302, sizeof *infos);
  for (size_t i = 0; i < ARRAYSIZE(apps); i++) {
    apps[i] = editor;
    apps[i].process.pid = (uint32_t)(8 + 4 * i);
  }
  script = (scripted){.apps = apps, .app_count = 300, .reasons = RmRebootReasonPermissionDenied};
  DWORD handle = started();
  static const UINT sizes[] = {0, 1, 299, 300, 301};
  for (size_t i = 0; i < ARRAYSIZE(sizes); i++) {
    UINT needed = 0, count = sizes[i];
    DWORD reasons = 0;
    memset(infos, 0xAA, 302 * sizeof *infos);
    CHECK_INT(RmGetList(handle, &needed, &count, count ? infos : NULL, &reasons), count < 300 ? ERROR_MORE_DATA : 0);
    CHECK_INT(needed, 300);
    CHECK_INT(count, sizes[i] < 300 ? 0 : 300);
    CHECK_INT(reasons, RmRebootReasonPermissionDenied);
    CHECK_INT(infos[299].Process.dwProcessId, sizes[i] < 300 ? 0xAAAAAAAA : 8 + 4 * 299);
    CHECK_INT(infos[sizes[i] < 300 ? 0 : 300].Process.dwProcessId, 0xAAAAAAAA); /* nothing beyond, nothing in part */
  }
  free(infos);
  end(handle);
}

static void list_entries(void) {
  static const char *const clef = "\xF0\x9D\x84\x9E"; /* two UTF-16 units */
  char long_name[1100] = "x";
  for (size_t i = 0; i < 200; i++) memcpy(long_name + strlen(long_name), clef, strlen(clef) + 1);
  rsm_app service = {.name = long_name,
                     .service = "srv",
                     .type = RSM_APP_SERVICE,
                     .status = RSM_APP_STOPPED,
                     .logon_session = "c1",
                     .restartable = true,
                     .affected = true};
  rsm_app only_cwd = editor, registered_down = service, critical = editor;
  only_cwd.affected = false;
  registered_down.status = RSM_APP_STOPPED_OTHER;
  critical.type = RSM_APP_CRITICAL;
  critical.restartable = false;
  critical.logon_session = NULL;
  critical.status = 0xFF;
  rsm_app forbidden = editor;
  forbidden.reboot_reasons = RSM_REBOOT_PERMISSION_DENIED;
  rsm_app apps[] = {editor, only_cwd, service, registered_down, critical, forbidden};
  RM_PROCESS_INFO infos[4];
  memset(infos, 0xAA, sizeof infos);
  script = (scripted){.apps = apps, .app_count = ARRAYSIZE(apps)};
  DWORD handle = started(), reasons;
  UINT needed, count = 4;
  CHECK_INT(RmGetList(handle, &needed, &count, infos, &reasons), 0);
  CHECK(needed == 4 && count == 4);
  CHECK(infos[0].Process.dwProcessId == 8 && infos[0].Process.ProcessStartTime.dwLowDateTime == 0x89ABCDEF);
  CHECK_INT(infos[0].Process.ProcessStartTime.dwHighDateTime, 0x01234567);
  CHECK(wcscmp(infos[0].strAppName, L"Editor") == 0 && infos[0].strServiceShortName[0] == 0);
  CHECK(infos[0].ApplicationType == RmMainWindow && infos[0].AppStatus == RmStatusRunning);
  CHECK(infos[0].TSSessionId == 3 && infos[0].bRestartable == TRUE);
  CHECK(infos[1].Process.dwProcessId == (DWORD)RM_INVALID_PROCESS &&
        infos[1].Process.ProcessStartTime.dwLowDateTime == 0);
  CHECK(wcslen(infos[1].strAppName) == 255 && infos[1].strAppName[253] == 0xD834 && infos[1].strAppName[254] == 0xDD1E);
  CHECK(wcscmp(infos[1].strServiceShortName, L"srv") == 0 && infos[1].TSSessionId == (DWORD)RM_INVALID_TS_SESSION);
  CHECK(infos[1].ApplicationType == RmService && infos[1].AppStatus == RmStatusStopped);
  CHECK(infos[2].ApplicationType == RmCritical && infos[2].AppStatus == 0xFF && infos[2].bRestartable == FALSE);
  CHECK(infos[3].ApplicationType == RmCritical && infos[3].bRestartable == FALSE);
  long_name[0] = 'x', long_name[1] = 'y', long_name[2] = '\0'; /* now the cut falls into a character */
  for (size_t i = 0; i < 200; i++) memcpy(long_name + strlen(long_name), clef, strlen(clef) + 1);
  CHECK_INT(RmGetList(handle, &needed, &count, infos, &reasons), 0);
  CHECK(wcslen(infos[1].strAppName) == 254 && infos[1].strAppName[253] == 0xDD1E);
  end(handle);
}

/* ---- Filters ---- */

/* Walks the records as a caller does; text of what was found. */
static void walk(const BYTE *buffer, DWORD size, wchar_t *text, size_t room) {
  for (DWORD at = 0;;) {
    RM_FILTER_INFO record;
    CHECK(at + sizeof record <= size);
    memcpy(&record, buffer + at, sizeof record);
    size_t used = wcslen(text);
    if (record.FilterTrigger == RmFilterTriggerProcess) {
      swprintf(text + used, room - used, L"%d:%u/%u ", record.FilterAction, record.Process.dwProcessId,
               record.Process.ProcessStartTime.dwLowDateTime);
    } else {
      const BYTE *name = (const BYTE *)record.strFilename;
      CHECK(name >= buffer + at + sizeof record && name < buffer + size);
      CHECK_INT((size_t)(name - buffer) % sizeof(wchar_t), 0);
      wchar_t copy[64];
      memcpy(copy, name, min(sizeof copy, (size_t)(buffer + size - name)));
      swprintf(text + used, room - used, L"%d%lc%ls ", record.FilterAction,
               (wint_t)(record.FilterTrigger == RmFilterTriggerFile ? L'f' : L's'), copy);
    }
    if (record.cbNextOffset == 0) return;
    CHECK(record.cbNextOffset >= sizeof record);
    at += record.cbNextOffset;
  }
}

static void filters_round_trip(void) {
  script = (scripted){0};
  DWORD handle = started(), needed = 7;
  RM_UNIQUE_PROCESS process = {8, {5, 6}}, timeless = {12, {0, 0}};
  CHECK_INT(RmGetFilterList(handle, NULL, 0, &needed), 0);
  CHECK_INT(needed, 0);
  CHECK_INT(RmAddFilter(handle, L"C:\\App\\a.exe", NULL, NULL, RmNoShutdown), 0);
  CHECK_INT(RmAddFilter(handle, NULL, &process, NULL, RmNoRestart), 0);
  CHECK_INT(RmAddFilter(handle, NULL, NULL, L"Srv", RmNoShutdown), 0);
  CHECK_INT(RmAddFilter(handle, NULL, &timeless, NULL, RmNoRestart), 0);
  CHECK_INT(RmAddFilter(handle, L"C:\\App\\a.exe", NULL, NULL, RmNoRestart), 0); /* it is replaced */
  CHECK_INT(RmGetFilterList(handle, NULL, 0, &needed), ERROR_MORE_DATA);
  BYTE *memory = malloc(needed + 8);
  for (size_t shift = 0; shift < 2; shift++) { /* the buffer is of bytes: it may stand anywhere */
    BYTE *buffer = memory + shift;
    wchar_t text[256] = L"";
    DWORD again = 0;
    memset(memory, 0xAA, needed + 8);
    CHECK_INT(RmGetFilterList(handle, buffer, needed - 1, &again), ERROR_MORE_DATA);
    CHECK(again == needed && buffer[0] == 0xAA);
    CHECK_INT(RmGetFilterList(handle, buffer, needed, &again), 0);
    CHECK(again == needed && buffer[needed] == 0xAA);
    walk(buffer, needed, text, ARRAYSIZE(text));
    CHECK(wcscmp(text, L"1fC:\\App\\a.exe 1:8/5 2sSrv 1:12/0 ") == 0);
  }
  free(memory);
  CHECK_INT(RmRemoveFilter(handle, L"C:\\App\\a.exe", NULL, NULL), 0);
  CHECK_INT(RmRemoveFilter(handle, L"C:\\App\\a.exe", NULL, NULL), ERROR_FILE_NOT_FOUND);
  CHECK_INT(RmRemoveFilter(handle, NULL, &process, NULL), 0);
  process.ProcessStartTime.dwLowDateTime++;
  CHECK_INT(RmRemoveFilter(handle, NULL, &process, NULL), ERROR_FILE_NOT_FOUND);
  CHECK_INT(RmRemoveFilter(handle, NULL, NULL, L"Srv"), 0);
  CHECK_INT(RmRemoveFilter(handle, NULL, &timeless, NULL), 0);
  CHECK_INT(RmGetFilterList(handle, NULL, 0, &needed), 0);
  CHECK_INT(needed, 0);
  end(handle);
}

/* ---- Memory ---- */

#ifdef RSM_TEST_HOOKS
/* Every function with the 1st, 2nd, ... request for memory failing until one needs fewer: 14, and nothing is lost. */
static DWORD climb(int what, DWORD *handle) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  LPCWSTR names[] = {L"C:\\a", L"C:\\b"};
  RM_UNIQUE_PROCESS process = {8, {5, 6}};
  RM_PROCESS_INFO infos[2];
  UINT needed, count = 2;
  DWORD value;
  BYTE buffer[512];
  switch (what) {
  case 0:
    return RmStartSession(handle, 0, key);
  case 1:
    return RmRegisterResources(*handle, 2, names, 1, &process, 2, names);
  case 2:
    return RmAddFilter(*handle, names[0], NULL, NULL, RmNoRestart);
  case 3:
    return RmGetFilterList(*handle, buffer, sizeof buffer, &value);
  case 4:
    return RmRemoveFilter(*handle, names[0], NULL, NULL);
  case 5:
    return RmShutdown(*handle, 0, NULL);
  default:
    return RmGetList(*handle, &needed, &count, infos, &value);
  }
}

static void memory_may_run_out_anywhere(void) {
  rsm_app apps[] = {editor, editor};
  script = (scripted){.apps = apps, .app_count = ARRAYSIZE(apps)};
  DWORD handle = 0;
  for (int what = 0; what < 7; what++) {
    for (unsigned long at = 1;; at++) {
      long before = rsm__alloc_live();
      CHECK(at < 100);
      rsm__alloc_fail_at(at, 0);
      DWORD code = climb(what, &handle);
      rsm__alloc_fail_at(0, 0);
      if (code == 0) {
        CHECK(at > 1);
        break;
      }
      CHECK_INT(code, ERROR_OUTOFMEMORY);
      CHECK_INT(rsm__alloc_live(), before);
    }
  }
  end(handle);
}
#endif

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(handles_begin_at_zero_and_die),
      CHECK_TEST(sixty_four_handles),
      CHECK_TEST(sessions_of_other_processes_count),
      CHECK_TEST(keys),
      CHECK_TEST(bad_arguments),
      CHECK_TEST(every_status_has_a_documented_code),
      CHECK_TEST(flags),
      CHECK_TEST(limits),
      CHECK_TEST(secondaries),
      CHECK_TEST(registering),
      CHECK_TEST(list_without_anybody),
      CHECK_TEST(list_in_buffers_of_all_sizes),
      CHECK_TEST(list_entries),
      CHECK_TEST(filters_round_trip),
#ifdef RSM_TEST_HOOKS
      CHECK_TEST(memory_may_run_out_anywhere),
#endif
  };
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
