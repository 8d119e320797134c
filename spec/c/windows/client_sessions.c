/* client_sessions.c: conformance of sessions and registration, by the numbers of src/dll/README.md.
 *
 * client_sessions hold-session FILE: starts a session that has FILE registered, prints its key, waits for its input.
 * client_sessions join KEY FILE: joins, registers FILE, tries everything else; the exit code is 0 if all was as it
 * should be. SPDX-License-Identifier: MIT */
#include "client.h"
#include "os/windows/create_process.h"

static const wchar_t unknown_key[] = L"00000000000000000000000000000000";

/* What a secondary may not do: each call answers 1219. */
static bool refused_everything(DWORD session) {
  DWORD reasons, bytes = 0;
  UINT needed, count = 0;
  LPCWSTR name = L"C:\\nobody.exe";
  return RmGetList(session, &needed, &count, NULL, &reasons) == ERROR_SESSION_CREDENTIAL_CONFLICT &&
         RmShutdown(session, 0, NULL) == ERROR_SESSION_CREDENTIAL_CONFLICT &&
         RmRestart(session, 0, NULL) == ERROR_SESSION_CREDENTIAL_CONFLICT &&
         RmCancelCurrentTask(session) == ERROR_SESSION_CREDENTIAL_CONFLICT &&
         RmAddFilter(session, name, NULL, NULL, RmNoRestart) == ERROR_SESSION_CREDENTIAL_CONFLICT &&
         RmRemoveFilter(session, name, NULL, NULL) == ERROR_SESSION_CREDENTIAL_CONFLICT &&
         RmGetFilterList(session, NULL, 0, &bytes) == ERROR_SESSION_CREDENTIAL_CONFLICT;
}

static void s01_handle_zero_is_a_handle(void) {
  CHECK_INT(client_session(NULL), 0);
  client_close(0);
}

static void s02_the_second_end_answers_6(void) {
  DWORD session = client_session(NULL);
  client_close(session);
  CHECK_INT(RmEndSession(session), ERROR_INVALID_HANDLE);
}

static void s03_the_key_is_32_hex_digits_and_terminated(void) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  memset(key, 0x55, sizeof key);
  DWORD session = client_session(key);
  CHECK_INT(key[CCH_RM_SESSION_KEY], 0);
  CHECK(wcslen(key) == 32 && wcsspn(key, L"0123456789abcdef") == 32);
  client_close(session);
}

static void s04_the_65th_session_answers_353(void) {
  DWORD sessions[64], extra;
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  for (size_t i = 0; i < 64; i++) sessions[i] = client_session(NULL);
  CHECK_INT(RmStartSession(&extra, 0, key), CLIENT_MAX_SESSIONS);
  for (size_t i = 0; i < 64; i++) client_close(sessions[i]);
}

static void s05_seventy_times_start_and_end(void) {
  for (int i = 0; i < 70; i++) client_close(client_session(NULL));
}

static void s06_join_in_the_same_process(void) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  DWORD primary = client_session(key), secondary;
  CHECK_INT(RmJoinSession(&secondary, key), 0);
  CHECK(secondary != primary);
  CHECK(refused_everything(secondary));
  client_close(secondary);
  CharUpperW(key);
  CHECK_INT(RmJoinSession(&secondary, key), 0); /* in capitals, too */
  client_close(secondary);
  client_close(primary);
}

static DWORD join_elsewhere(const wchar_t *key, const wchar_t *file) {
  wchar_t line[MAX_PATH * 3];
  STARTUPINFOW how = {.cb = sizeof how};
  PROCESS_INFORMATION made;
  DWORD code;
  swprintf(line, ARRAYSIZE(line), L"\"%lsclient_sessions.exe\" join %ls \"%ls\"", client_folder(), key, file);
  CHECK(rsm__create_process(NULL, line, FALSE, 0, NULL, NULL, &how, &made));
  CHECK_INT(WaitForSingleObject(made.hProcess, 20000), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(made.hProcess, &code));
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  return code;
}

/* In the other process. */
static int join_and_try(const char *narrow_key, const char *narrow_file) {
  WCHAR key[64], file[MAX_PATH];
  DWORD session;
  LPCWSTR files[] = {file};
  MultiByteToWideChar(CP_ACP, 0, narrow_key, -1, key, 64);
  MultiByteToWideChar(CP_ACP, 0, narrow_file, -1, file, MAX_PATH);
  if (RmJoinSession(&session, key) != 0) return 1;
  if (RmRegisterResources(session, 1, files, 0, NULL, 0, NULL) != 0) return 2;
  if (!refused_everything(session)) return 3;
  return RmEndSession(session) == 0 ? 0 : 4;
}

static void s07_join_in_another_process(void) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  wchar_t *file = client_new_file(L"s07");
  client_program holder = client_hold_file(file);
  DWORD session = client_session(key);
  CHECK_INT(join_elsewhere(key, file), 0);
  client_list list = client_get_list(session); /* what the other one registered is looked at, and it has left us */
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &holder.id));
  client_close(session);
  client_end(&holder);
}

static void s08_an_unknown_key_answers_1219(void) {
  DWORD session = 7;
  CHECK_INT(RmJoinSession(&session, unknown_key), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(RmJoinSession(&session, L""), ERROR_SESSION_CREDENTIAL_CONFLICT);
  CHECK_INT(session, 7);
}

static void s09_the_end_of_the_primary_ends_the_session(void) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  DWORD primary = client_session(key), secondary, late;
  CHECK_INT(RmJoinSession(&secondary, key), 0);
  client_close(primary);
  wchar_t *file = client_new_file(L"s09");
  LPCWSTR files[] = {file};
  CHECK_INT(RmRegisterResources(secondary, 1, files, 0, NULL, 0, NULL), ERROR_INVALID_HANDLE);
  CHECK_INT(RmJoinSession(&late, key), ERROR_SESSION_CREDENTIAL_CONFLICT);
  client_close(secondary);
}

/* In another process. */
static int hold_session(const char *narrow_file) {
  WCHAR key[CCH_RM_SESSION_KEY + 1], file[MAX_PATH];
  DWORD session;
  LPCWSTR files[] = {file};
  MultiByteToWideChar(CP_ACP, 0, narrow_file, -1, file, MAX_PATH);
  if (RmStartSession(&session, 0, key) != 0 || RmRegisterResources(session, 1, files, 0, NULL, 0, NULL) != 0) return 1;
  printf("ready %ls\n", key);
  fflush(stdout);
  getchar();
  return 0;
}

static void s10_a_killed_primary_is_in_nobodys_way(void) {
  DWORD sessions[64];
  wchar_t arguments[MAX_PATH + 32];
  swprintf(arguments, ARRAYSIZE(arguments), L"hold-session \"%ls\"", client_new_file(L"s10"));
  wchar_t program[MAX_PATH];
  swprintf(program, MAX_PATH, L"%lsclient_sessions.exe", client_folder());
  client_program other = client_start(program, arguments, 0);
  for (size_t i = 0; i < 63; i++) sessions[i] = client_session(NULL);
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  CHECK_INT(RmStartSession(&sessions[63], 0, key), CLIENT_MAX_SESSIONS); /* its own is the 64th */
  client_end(&other);
  sessions[63] = client_session(NULL);
  for (size_t i = 0; i < 64; i++) client_close(sessions[i]);
}

/* Every function but those that make a handle. */
static void check_dead(DWORD session) {
  DWORD reasons = 7, bytes = 7;
  UINT needed = 7, count = 0;
  LPCWSTR name = L"C:\\nobody.exe";
  CHECK_INT(RmRegisterResources(session, 1, &name, 0, NULL, 0, NULL), ERROR_INVALID_HANDLE);
  CHECK_INT(RmGetList(session, &needed, &count, NULL, &reasons), ERROR_INVALID_HANDLE);
  CHECK_INT(RmShutdown(session, RmForceShutdown, NULL), ERROR_INVALID_HANDLE);
  CHECK_INT(RmRestart(session, 0, NULL), ERROR_INVALID_HANDLE);
  CHECK_INT(RmCancelCurrentTask(session), ERROR_INVALID_HANDLE);
  CHECK_INT(RmAddFilter(session, name, NULL, NULL, RmNoRestart), ERROR_INVALID_HANDLE);
  CHECK_INT(RmRemoveFilter(session, name, NULL, NULL), ERROR_INVALID_HANDLE);
  CHECK_INT(RmGetFilterList(session, NULL, 0, &bytes), ERROR_INVALID_HANDLE);
  CHECK_INT(RmEndSession(session), ERROR_INVALID_HANDLE);
  CHECK(needed == 7 && reasons == 7 && bytes == 7);
}

static void s11_a_dead_handle_answers_6(void) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  DWORD primary = client_session(key), secondary;
  CHECK_INT(RmJoinSession(&secondary, key), 0);
  client_close(secondary);
  check_dead(secondary);
  client_close(primary);
  check_dead(primary);
  check_dead(63);
  check_dead(64);
  check_dead(0xFFFFFFFF);
}

/* A file has the name of the store's folder: what else keeps it from being written to answers the same. */
static void s12_no_place_for_the_session_answers_29(void) {
  wchar_t local[MAX_PATH], store[MAX_PATH + 32], aside[MAX_PATH + 48];
  DWORD handle = 7, unknown = 7;
  WCHAR key[CCH_RM_SESSION_KEY + 1] = L"untouched";
  CHECK(GetEnvironmentVariableW(L"LOCALAPPDATA", local, MAX_PATH) > 0);
  swprintf(store, ARRAYSIZE(store), L"%ls\\restartmanager", local);
  swprintf(aside, ARRAYSIZE(aside), L"%ls-aside", store);
  client_close(client_session(NULL)); /* now it is there */
  CHECK(MoveFileW(store, aside));
  HANDLE file = CreateFileW(store, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
  if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
  DWORD started = RmStartSession(&handle, 0, key), joined = RmJoinSession(&unknown, unknown_key);
  BOOL removed = DeleteFileW(store), back = MoveFileW(aside, store);
  CHECK(file != INVALID_HANDLE_VALUE && removed && back);
  CHECK_INT(started, ERROR_WRITE_FAULT);
  CHECK(handle == 7 && wcscmp(key, L"untouched") == 0);
  CHECK(joined == ERROR_SESSION_CREDENTIAL_CONFLICT && unknown == 7);
  client_close(client_session(NULL));
}

/* ---- Registration ---- */

static void r01_arrays_and_their_counts(void) {
  DWORD session = client_session(NULL);
  LPCWSTR some[] = {NULL, client_new_file(L"r01"), NULL};
  RM_UNIQUE_PROCESS own = client_identity(GetCurrentProcess());
  CHECK_INT(RmRegisterResources(session, 0, NULL, 0, NULL, 0, NULL), 0);
  CHECK_INT(RmRegisterResources(session, 0, some, 0, &own, 0, some), 0);
  CHECK_INT(RmRegisterResources(session, 1, NULL, 0, NULL, 0, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 1, NULL, 0, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 0, NULL, 1, NULL), ERROR_BAD_ARGUMENTS);
  CHECK_INT(RmRegisterResources(session, 3, some, 0, NULL, 0, NULL), 0); /* what is NULL in it is passed over */
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.needed == 0); /* nor was the process of the second call looked at */
  client_close(session);
}

static void r02_the_same_thing_twice(void) {
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  wchar_t *file = client_new_file(L"r02");
  client_program holder = client_hold_file(file);
  DWORD session = client_session(key), secondary;
  client_register(session, file);
  client_register(session, file);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 1, &holder.id, 0, NULL), 0);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 1, &holder.id, 0, NULL), 0);
  CHECK_INT(RmJoinSession(&secondary, key), 0);
  client_register(secondary, file);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &holder.id));
  client_close(secondary);
  client_close(session);
  client_end(&holder);
}

static void r03_a_stale_identity_matches_nobody(void) {
  client_program holder = client_hold(L"");
  RM_UNIQUE_PROCESS stale = holder.id, none = holder.id;
  stale.ProcessStartTime.dwLowDateTime--;
  none.ProcessStartTime = (FILETIME){0, 0};
  RM_UNIQUE_PROCESS both[] = {stale, none};
  DWORD session = client_session(NULL);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 2, both, 0, NULL), 0);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.needed == 0);
  CHECK_INT(RmRegisterResources(session, 0, NULL, 1, &holder.id, 0, NULL), 0);
  list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &holder.id));
  client_close(session);
  client_end(&holder);
}

static void r04_directories(void) {
  wchar_t *folder = client_path(L"r04");
  CHECK(CreateDirectoryW(folder, NULL));
  client_program holder = client_hold_file(client_new_file(L"r04\\deep"));
  DWORD session = client_session(NULL);
  client_register(session, folder);
  client_list list = client_get_list(session); /* Microsoft's answers 5 and nothing else */
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &holder.id));
  client_close(session);
  client_end(&holder);
}

static void r05_long_paths(void) {
  wchar_t path[2048], arguments[2100];
  swprintf(path, 2048, L"\\\\?\\%ls", client_path(L"r05"));
  CHECK(CreateDirectoryW(path, NULL));
  for (int i = 0; i < 4; i++) {
    wcscat(path, L"\\a-folder-with-a-name-that-makes-every-path-below-it-longer-than-the-old-limit-of-260-characters");
    CHECK(CreateDirectoryW(path, NULL));
  }
  wcscat(path, L"\\file");
  HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  CloseHandle(file);
  swprintf(arguments, 2100, L"open \"%ls\"", path);
  client_program holder = client_hold(arguments);
  const wchar_t *const forms[] = {path, path + 4}; /* with the prefix and without it */
  for (size_t i = 0; i < 2; i++) {
    DWORD session = client_session(NULL);
    client_register(session, forms[i]);
    client_list list = client_get_list(session);
    CHECK(list.code == 0 && list.count == 1 && client_find(&list, &holder.id));
    client_close(session);
  }
  client_end(&holder);
  CHECK(DeleteFileW(path));
  for (int i = 0; i < 4; i++) { /* the rest of what runs here knows no such names */
    *wcsrchr(path, L'\\') = L'\0';
    CHECK(RemoveDirectoryW(path));
  }
}

static void r06_a_hundred_thousand_files(void) {
  enum { COUNT = 100000, ROOM = 96 };
  LPCWSTR *files = calloc(COUNT, sizeof *files);
  wchar_t *texts = calloc((size_t)COUNT * ROOM, sizeof *texts);
  CHECK(files && texts);
  for (size_t i = 0; i < COUNT; i++) {
    swprintf(texts + i * ROOM, ROOM, L"C:\\no-such-folder\\of-a-program-with-many-files\\file-%06zu.dll", i);
    files[i] = texts + i * ROOM;
  }
  wchar_t *held = client_new_file(L"r06");
  files[COUNT / 2] = held;
  client_program holder = client_hold_file(held);
  DWORD session = client_session(NULL);
  CHECK_INT(RmRegisterResources(session, COUNT, files, 0, NULL, 0, NULL), 0);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &holder.id));
  client_close(session);
  client_end(&holder);
  free(files);
  free(texts);
}

static void r07_services_that_are_not_there(void) {
  LPCWSTR services[] = {L"rm-no-such-service", NULL, L"rm-nor-this-one"};
  wchar_t *file = client_new_file(L"r07");
  LPCWSTR files[] = {file};
  client_program holder = client_hold_file(file);
  DWORD session = client_session(NULL);
  CHECK_INT(RmRegisterResources(session, 1, files, 0, NULL, 3, services), 0);
  client_list list = client_get_list(session);
  CHECK(list.code == 0 && list.count == 1 && client_find(&list, &holder.id));
  client_close(session);
  client_end(&holder);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(s01_handle_zero_is_a_handle),
                                     CHECK_TEST(s02_the_second_end_answers_6),
                                     CHECK_TEST(s03_the_key_is_32_hex_digits_and_terminated),
                                     CHECK_TEST(s04_the_65th_session_answers_353),
                                     CHECK_TEST(s05_seventy_times_start_and_end),
                                     CHECK_TEST(s06_join_in_the_same_process),
                                     CHECK_TEST(s07_join_in_another_process),
                                     CHECK_TEST(s08_an_unknown_key_answers_1219),
                                     CHECK_TEST(s09_the_end_of_the_primary_ends_the_session),
                                     CHECK_TEST(s10_a_killed_primary_is_in_nobodys_way),
                                     CHECK_TEST(s11_a_dead_handle_answers_6),
                                     CHECK_TEST(s12_no_place_for_the_session_answers_29),
                                     CHECK_TEST(r01_arrays_and_their_counts),
                                     CHECK_TEST(r02_the_same_thing_twice),
                                     CHECK_TEST(r03_a_stale_identity_matches_nobody),
                                     CHECK_TEST(r04_directories),
                                     CHECK_TEST(r05_long_paths),
                                     CHECK_TEST(r06_a_hundred_thousand_files),
                                     CHECK_TEST(r07_services_that_are_not_there)};
  if (argc == 4 && strcmp(argv[1], "join") == 0) return join_and_try(argv[2], argv[3]);
  if (argc == 3 && strcmp(argv[1], "hold-session") == 0) return hold_session(argv[2]);
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
