/* client_lists.c: conformance of RmGetList and of filters, by the numbers of src/dll/README.md.
 * SPDX-License-Identifier: MIT */
#include "below_wine.h"
#include "client_service.h"

static void l01_nothing_registered(void) {
  DWORD session = client_session(NULL), reasons = 7;
  UINT needed = 7, count = 0;
  CHECK_INT(RmGetList(session, &needed, &count, NULL, &reasons), 0);
  CHECK(needed == 0 && count == 0 && reasons == 0);
  client_register(session, client_new_file(L"l01"));
  needed = 7, reasons = 7;
  CHECK_INT(RmGetList(session, &needed, &count, NULL, &reasons), 0);
  CHECK(needed == 0 && count == 0 && reasons == 0);
  client_close(session);
}

static void l02_no_buffer(void) {
  wchar_t *file = client_new_file(L"l02");
  client_program holder = client_hold_file(file);
  DWORD session = client_session(NULL), reasons = 7;
  UINT needed = 0, count = 0;
  client_register(session, file);
  CHECK_INT(RmGetList(session, &needed, &count, NULL, &reasons), ERROR_MORE_DATA);
  CHECK(needed == 1 && reasons == 0);
  client_close(session);
  client_end(&holder);
}

static void l03_exact_larger_and_too_small_buffers(void) {
  wchar_t *file = client_new_file(L"l03");
  client_program holders[3];
  RM_PROCESS_INFO infos[5];
  DWORD session = client_session(NULL), reasons;
  for (size_t i = 0; i < 3; i++) holders[i] = client_hold_file(file);
  client_register(session, file);
  for (UINT size = 1; size <= 5; size++) {
    UINT needed = 0, count = size;
    memset(infos, 0xAA, sizeof infos);
    reasons = 7;
    CHECK_INT(RmGetList(session, &needed, &count, infos, &reasons), size < 3 ? ERROR_MORE_DATA : 0);
    CHECK(needed == 3 && reasons == 0);
    if (size < 3) continue;
    client_list list = {.count = count, .infos = infos};
    CHECK_INT(count, 3);
    for (size_t i = 0; i < 3; i++) CHECK(client_find(&list, &holders[i].id) != NULL);
    if (size > 3) CHECK_INT(infos[3].Process.dwProcessId, 0xAAAAAAAA);
  }
  client_close(session);
  for (size_t i = 0; i < 3; i++) client_end(&holders[i]);
}

static void l04_fewer_at_the_second_call(void) {
  wchar_t *file = client_new_file(L"l04");
  client_program first = client_hold_file(file), second = client_hold_file(file);
  RM_PROCESS_INFO infos[2];
  DWORD session = client_session(NULL), reasons;
  UINT needed, count = 0;
  client_register(session, file);
  CHECK_INT(RmGetList(session, &needed, &count, NULL, &reasons), ERROR_MORE_DATA);
  CHECK_INT(needed, 2);
  client_end(&first);
  count = 2;
  CHECK_INT(RmGetList(session, &needed, &count, infos, &reasons), 0);
  CHECK(needed == 1 && count == 1 && infos[0].Process.dwProcessId == second.id.dwProcessId);
  client_close(session);
  client_end(&second);
}

static void l05_ourselves(void) {
  wchar_t program[MAX_PATH];
  DWORD session = client_session(NULL);
  RM_UNIQUE_PROCESS own = client_identity(GetCurrentProcess());
  CHECK_INT(RmRegisterResources(session, 0, NULL, 1, &own, 0, NULL), 0);
  client_list list = client_get_list(session);
  const RM_PROCESS_INFO *info = client_find(&list, &own);
  CHECK(list.code == 0 && info && info->ApplicationType == RmCritical && !info->bRestartable);
  CHECK_INT(list.reasons, RmRebootReasonDetectedSelf);
  CHECK_INT(RmShutdown(session, RmForceShutdown, NULL), CLIENT_NOACTION_REBOOT);
  client_close(session);
  session = client_session(NULL);
  CHECK(GetModuleFileNameW(NULL, program, MAX_PATH) > 0);
  client_register(session, program);
  list = client_get_list(session);
  CHECK(list.code == 0 && client_find(&list, &own) && list.reasons == RmRebootReasonDetectedSelf);
  client_close(session);
}

static void l06_a_service(void) {
  wchar_t *file = client_new_file(L"l06"), arguments[MAX_PATH + 16];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\"", file);
  client_service service = client_service_start(L"rm-l06", NULL, client_path(L"l06-note"), arguments);
  LPCWSTR name = service.name, nobody = L"rm-l06-nobody";
  for (int by_name = 0; by_name < 2; by_name++) {
    DWORD session = client_session(NULL);
    if (by_name)
      CHECK_INT(RmRegisterResources(session, 0, NULL, 0, NULL, 1, &name), 0);
    else
      client_register(session, file);
    client_list list = client_get_list(session);
    CHECK(list.code == 0 && list.count == 1 && list.reasons == 0);
    CHECK(list.infos->ApplicationType == RmService && list.infos->bRestartable);
    CHECK_INT(list.infos->Process.dwProcessId, client_service_pid(&service));
    CHECK(wcscmp(list.infos->strServiceShortName, L"rm-l06") == 0);
    CHECK(wcscmp(list.infos->strAppName, L"Display of rm-l06") == 0);
    client_close(session);
  }
  DWORD session = client_session(NULL);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 0, NULL, 1, &nobody), 0);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.needed == 0);
  client_close(session);
  client_service_end(&service);
}

static void l07_who_may_not_be_stopped(void) {
  wchar_t *file = client_new_file(L"l07"), arguments[MAX_PATH + 32];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" protect", file);
  client_program holder = client_hold(arguments);
  DWORD session = client_session(NULL), reasons = 0;
  UINT needed, count = 0;
  RM_UNIQUE_PROCESS id = holder.id;
  CHECK_INT(RmRegisterResources(session, 0, NULL, 1, &id, 0, NULL), 0);
  CHECK_INT(RmGetList(session, &needed, &count, NULL, &reasons), ERROR_MORE_DATA); /* reasons are told all the same */
  CHECK(needed == 1 && reasons == RmRebootReasonPermissionDenied);
  client_list list = client_get_list(session);
  const RM_PROCESS_INFO *info = client_find(&list, &id);
  CHECK(list.code == 0 && info && info->ApplicationType == RmCritical && !info->bRestartable);
  CHECK_INT(RmShutdown(session, RmForceShutdown, NULL), CLIENT_NOACTION_REBOOT);
  CHECK(client_runs(&holder));
  client_close(session);
  client_end(&holder);
}

static void l08_libraries_and_mapped_files(void) {
  wchar_t *file = client_new_file(L"l08"), *library = client_path(L"l08.dll"), source[MAX_PATH];
  wchar_t arguments[MAX_PATH * 2];
  swprintf(source, MAX_PATH, L"%lsrstrtmgr.dll", client_folder());
  CHECK(CopyFileW(source, library, TRUE));
  swprintf(arguments, ARRAYSIZE(arguments), L"map \"%ls\"", file);
  client_program mapping = client_hold(arguments);
  swprintf(arguments, ARRAYSIZE(arguments), L"load \"%ls\"", library);
  client_program loading = client_hold(arguments);
  DWORD session = client_session(NULL);
  client_register(session, file);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &mapping.id));
  client_register(session, library);
  list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 2 && client_find(&list, &loading.id));
  client_close(session);
  client_end(&mapping);
  client_end(&loading);
}

static void l09_a_working_directory_is_nobodys_business(void) {
  wchar_t arguments[MAX_PATH * 2], *folder = client_path(L"l09");
  CHECK(CreateDirectoryW(folder, NULL));
  swprintf(arguments, ARRAYSIZE(arguments), L"cwd \"%ls\"", folder);
  client_program holder = client_hold(arguments);
  DWORD session = client_session(NULL);
  client_register(session, folder);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.needed == 0 && list.reasons == 0);
  client_close(session);
  client_end(&holder);
}

static void l10_names_types_and_sessions(void) {
  wchar_t *file = client_new_file(L"l10"), arguments[MAX_PATH * 2];
  DWORD ts_session;
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" window agree", file);
  client_program windowed = client_start(L"holder_windowed.exe", arguments, 0);
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" console new", file);
  client_program console = client_hold(arguments);
  CHECK(ProcessIdToSessionId(windowed.id.dwProcessId, &ts_session));
  DWORD session = client_session(NULL);
  client_register(session, file);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 2 && list.reasons == 0);
  const RM_PROCESS_INFO *info = client_find(&list, &windowed.id);
  CHECK(info && info->ApplicationType == RmMainWindow && info->AppStatus == RmStatusRunning && !info->bRestartable);
  CHECK(info->TSSessionId == ts_session && info->strServiceShortName[0] == 0);
  CHECK(_wcsicmp(info->strAppName, L"holder_windowed.exe") == 0); /* it has no description */
  info = client_find(&list, &console.id);
  CHECK(info && info->ApplicationType == RmConsole);
  client_close(session);
  client_end(&windowed);
  client_end(&console);
}

static void l11_many_holders(void) {
  enum { COUNT = 4, EACH = 8 }; /* more take minutes to start under Wine */
  wchar_t *file = client_new_file(L"l11"), arguments[MAX_PATH * 2];
  client_program holders[COUNT];
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" fork %d", file, EACH - 1);
  for (size_t i = 0; i < COUNT; i++) holders[i] = client_hold(arguments);
  DWORD session = client_session(NULL);
  client_register(session, file);
  client_list list = client_get_list(session);
  CHECK_INT(list.code, 0);
  CHECK_INT(list.count, COUNT * EACH);
  client_close(session);
  for (size_t i = 0; i < COUNT; i++) client_end(&holders[i]);
}

static void l12_who_has_no_window_to_be_seen(void) {
  static const struct {
    const wchar_t *orders;
    RM_APP_TYPE type;
  } kinds[] = {
      {L"look hidden window agree", RmOtherWindow}, {L"look owned window agree", RmOtherWindow}, {L"", RmUnknownApp}};
  wchar_t *file = client_new_file(L"l12"), arguments[MAX_PATH * 2];
  client_program holders[ARRAYSIZE(kinds)];
  for (size_t i = 0; i < ARRAYSIZE(kinds); i++) {
    swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" %ls", file, kinds[i].orders);
    holders[i] = client_start(L"holder_windowed.exe", arguments, 0);
  }
  DWORD session = client_session(NULL);
  client_register(session, file);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == ARRAYSIZE(kinds) && list.reasons == 0);
  for (size_t i = 0; i < ARRAYSIZE(kinds); i++) {
    CHECK_INT(client_find(&list, &holders[i].id)->ApplicationType, kinds[i].type);
    client_end(&holders[i]);
  }
  client_close(session);
}

static void l13_cancel(void) {
  wchar_t *file = client_new_file(L"l13"), word[32], arguments[MAX_PATH * 2];
  swprintf(word, ARRAYSIZE(word), L"rm-l13-%lu", GetCurrentProcessId());
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" name %ls", file, word);
  client_program holder = client_hold(arguments);
  RM_PROCESS_INFO infos[2];
  DWORD session = client_session(NULL), reasons;
  UINT needed, count = ARRAYSIZE(infos);
  client_register(session, file);
  if (freeze_below(word, client_path(L"l13-done"), true)) { /* its mappings are waited for */
    client_canceller canceller = {.session = session};
    client_cancel_begin(&canceller);
    DWORD code = RmGetList(session, &needed, &count, infos, &reasons);
    client_cancel_end(&canceller);
    freeze_below(word, client_path(L"l13-done"), false);
    CHECK_INT(code, ERROR_CANCELLED);
  } else {
    printf("skipped: a listing that waits (Windows' processes always answer)\n");
  }
  client_list list = client_get_list(session); /* is not cancelled */
  CHECK(list.code == 0 && client_find(&list, &holder.id));
  client_close(session);
  client_end(&holder);
}

/* ---- Filters ---- */

/* "1f<name> 2p<pid> 1s<name> " of what is listed, until the next call. */
static const wchar_t *listed(DWORD session) {
  DWORD needed = 0, code;
  static wchar_t text[2048];
  BYTE one;
  text[0] = L'\0';
  code = RmGetFilterList(session, &one, 1, &needed); /* as the SDK's own sample begins */
  if (code == 0) {
    CHECK_INT(needed, 0);
    return text;
  }
  CHECK(code == ERROR_MORE_DATA && needed > 1);
  BYTE *buffer = calloc(1, needed);
  CHECK(buffer && RmGetFilterList(session, buffer, needed - 1, &needed) == ERROR_MORE_DATA);
  CHECK_INT(RmGetFilterList(session, buffer, needed, &needed), 0);
  const RM_FILTER_INFO *info = (const void *)buffer;
  for (;; info = (const void *)((const BYTE *)info + info->cbNextOffset)) {
    size_t used = wcslen(text);
    CHECK((const BYTE *)info >= buffer && (const BYTE *)(info + 1) <= buffer + needed);
    if (info->FilterTrigger == RmFilterTriggerProcess)
      swprintf(text + used, 2048 - used, L"%dp%lu ", (int)info->FilterAction, info->Process.dwProcessId);
    else if (info->FilterTrigger == RmFilterTriggerFile)
      swprintf(text + used, 2048 - used, L"%df%ls ", (int)info->FilterAction, info->strFilename);
    else
      swprintf(text + used, 2048 - used, L"%ds%ls ", (int)info->FilterAction, info->strServiceShortName);
    if (info->cbNextOffset == 0) break;
  }
  free(buffer);
  return text;
}

static void f01_add_replace_list_remove(void) {
  DWORD session = client_session(NULL), needed = 7;
  RM_UNIQUE_PROCESS own = client_identity(GetCurrentProcess());
  wchar_t expected[128];
  CHECK_INT(RmGetFilterList(session, NULL, 0, &needed), 0);
  CHECK_INT(needed, 0);
  CHECK_INT(RmAddFilter(session, L"C:\\App\\Some App.exe", NULL, NULL, RmNoRestart), 0);
  CHECK_INT(RmAddFilter(session, NULL, &own, NULL, RmNoShutdown), 0);
  CHECK_INT(RmAddFilter(session, NULL, NULL, L"rm-nobody", RmNoRestart), 0);
  CHECK_INT(RmAddFilter(session, L"C:\\App\\Some App.exe", NULL, NULL, RmNoShutdown), 0);
  swprintf(expected, ARRAYSIZE(expected), L"2fC:\\App\\Some App.exe 2p%lu 1srm-nobody ", own.dwProcessId);
  CHECK(wcscmp(listed(session), expected) == 0);
  CHECK_INT(RmRemoveFilter(session, L"C:\\App\\Some App.exe", NULL, NULL), 0);
  CHECK_INT(RmRemoveFilter(session, NULL, &own, NULL), 0);
  CHECK_INT(RmRemoveFilter(session, NULL, NULL, L"rm-nobody"), 0);
  CHECK(wcscmp(listed(session), L"") == 0);
  client_close(session);
}

static void f02_removing_twice_answers_2(void) {
  DWORD session = client_session(NULL);
  RM_UNIQUE_PROCESS own = client_identity(GetCurrentProcess());
  CHECK_INT(RmAddFilter(session, NULL, &own, NULL, RmNoShutdown), 0);
  CHECK_INT(RmRemoveFilter(session, NULL, &own, NULL), 0);
  CHECK_INT(RmRemoveFilter(session, NULL, &own, NULL), ERROR_FILE_NOT_FOUND);
  CHECK_INT(RmRemoveFilter(session, L"C:\\none.exe", NULL, NULL), ERROR_FILE_NOT_FOUND);
  CHECK_INT(RmRemoveFilter(session, NULL, NULL, L"rm-nobody"), ERROR_FILE_NOT_FOUND);
  client_close(session);
}

static void f03_targets_and_actions(void) {
  DWORD session = client_session(NULL);
  RM_UNIQUE_PROCESS own = client_identity(GetCurrentProcess());
  CHECK_INT(RmAddFilter(session, NULL, NULL, NULL, RmNoRestart), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(session, L"C:\\a.exe", &own, NULL, RmNoRestart), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(session, L"C:\\a.exe", NULL, L"a", RmNoRestart), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmAddFilter(session, L"C:\\a.exe", NULL, NULL, RmInvalidFilterAction), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRemoveFilter(session, NULL, NULL, NULL), ERROR_BAD_ARGUMENTS);
  CHECK(wcscmp(listed(session), L"") == 0);
  client_close(session);
}

static void f04_a_filter_keeps_the_holder(void) {
  wchar_t *file = client_new_file(L"f04"), program[MAX_PATH];
  client_program holder = client_hold_file(file);
  DWORD size = MAX_PATH;
  CHECK(QueryFullProcessImageNameW(holder.process, 0, program, &size));
  CharUpperW(program); /* names of files know no case */
  for (int by_program = 0; by_program < 2; by_program++) {
    DWORD session = client_session(NULL);
    client_register(session, file);
    CHECK_INT(by_program ? RmAddFilter(session, program, NULL, NULL, RmNoShutdown)
                         : RmAddFilter(session, NULL, &holder.id, NULL, RmNoShutdown),
              0);
    client_list list = client_get_list(session);
    const RM_PROCESS_INFO *info = client_find(&list, &holder.id);
    CHECK(list.code == 0 && list.reasons == 0 && info);
    CHECK_INT(info->AppStatus, RmStatusRunning | RmStatusShutdownMasked);
    CHECK_INT(RmShutdown(session, RmForceShutdown, NULL), 0);
    CHECK(client_runs(&holder));
    client_close(session);
  }
  client_end(&holder);
}

static void f05_a_filter_on_ourselves_takes_the_reason_away(void) {
  DWORD session = client_session(NULL);
  RM_UNIQUE_PROCESS own = client_identity(GetCurrentProcess());
  CHECK_INT(RmRegisterResources(session, 0, NULL, 1, &own, 0, NULL), 0);
  CHECK_INT(RmAddFilter(session, NULL, &own, NULL, RmNoShutdown), 0);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && list.reasons == 0);
  CHECK_INT(RmShutdown(session, RmForceShutdown, NULL), 0);
  client_close(session);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(l01_nothing_registered),
                                     CHECK_TEST(l02_no_buffer),
                                     CHECK_TEST(l03_exact_larger_and_too_small_buffers),
                                     CHECK_TEST(l04_fewer_at_the_second_call),
                                     CHECK_TEST(l05_ourselves),
                                     CHECK_TEST(l06_a_service),
                                     CHECK_TEST(l07_who_may_not_be_stopped),
                                     CHECK_TEST(l08_libraries_and_mapped_files),
                                     CHECK_TEST(l09_a_working_directory_is_nobodys_business),
                                     CHECK_TEST(l10_names_types_and_sessions),
                                     CHECK_TEST(l11_many_holders),
                                     CHECK_TEST(l12_who_has_no_window_to_be_seen),
                                     CHECK_TEST(l13_cancel),
                                     CHECK_TEST(f01_add_replace_list_remove),
                                     CHECK_TEST(f02_removing_twice_answers_2),
                                     CHECK_TEST(f03_targets_and_actions),
                                     CHECK_TEST(f04_a_filter_keeps_the_holder),
                                     CHECK_TEST(f05_a_filter_on_ourselves_takes_the_reason_away)};
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
