/* test_system.c: the `system` manager over the scripted rstrtmgr.dll: sessions, registering, filters, lists.
 * SPDX-License-Identifier: MIT */
#include "system_fixture.h"

#include <wchar.h>

static char text[1024];

/* ---- Sessions ---- */

static void test_session(void) {
  begin_script();
  orders->first_handle = 0; /* as good as any other */
  rsm_session *session = begin_session();
  CHECK_TEXT(rsm_session_key(session), "0123456789abcdef0123456789abcdef");
  CHECK_INT(rsm_session_role(session), RSM_PRIMARY);
  CHECK(!rsm_session_owes_restart(session));
  rsm_session_free(session);
  CHECK_INT(orders->ends, 1);
  CHECK_INT(orders->last_ended, 0);
  CHECK_INT(orders->restarts, 0);
}

static void test_start_fails(void) {
  rsm_session *session;
  rsm_error error;
  const rsm_start_options options = {.manager = "system"};
  begin_script();
  orders->start_code = 353;
  CHECK_INT(rsm_session_start(&options, &session, &error), RSM_MAX_SESSIONS);
  CHECK_WORDS(rsm_error_format(&error, text, sizeof text), "64 sessions");
  CHECK_INT(rsm_status_number(error.status), 353);
  orders->start_code = 0;
  memset(orders->key, 0, sizeof orders->key); /* as Wine's own: success, and no key */
  CHECK_INT(rsm_session_start(&options, &session, &error), RSM_GEN_FAILURE);
  CHECK_WORDS(error.detail, "no session key");
  CHECK_INT(orders->ends, 1); /* it is not left behind */
}

static void test_impossible_options(void) {
  rsm_session *session;
  rsm_error error;
  const rsm_start_options all = {.manager = "system", .restart_unregistered = true};
  begin_script();
  CHECK_INT(rsm_session_start(&all, &session, &error), RSM_NOT_SUPPORTED);
  CHECK_WORDS(error.detail, "'builtin'");
  CHECK_INT(orders->starts, 0);
}

static void test_default_under_wine(void) {
  rsm_session *session;
  begin_script();
  CHECK_INT(rsm_session_start(NULL, &session, NULL), RSM_OK);
  CHECK_INT(orders->starts, 0); /* the builtin one's */
  rsm_session_free(session);
}

static void test_join(void) {
  rsm_session *session;
  rsm_error error;
  rsm_list *list;
  begin_script();
  orders->first_handle = 7;
  CHECK_INT(rsm_session_join("0123456789ABCDEF0123456789abcdef", &session, &error), RSM_OK);
  CHECK_INT(orders->joins, 1);
  CHECK_INT(rsm_session_role(session), RSM_SECONDARY);
  CHECK_INT(rsm_session_list(session, NULL, &list, &error), RSM_CREDENTIAL_CONFLICT);
  orders->end_code = 6; /* the primary has ended it first */
  CHECK_INT(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &error), RSM_OK);
  CHECK_INT(orders->last_ended, 7);
  rsm_session_free(session);
  CHECK_INT(orders->ends, 1);
}

/* Nobody says whether the system takes a key in the other letter case. */
static void test_join_upper(void) {
  rsm_session *session;
  begin_script();
  wcscpy(orders->key, L"0123456789ABCDEF0123456789ABCDEF");
  CHECK_INT(rsm_session_join("0123456789abcdef0123456789abcdef", &session, NULL), RSM_OK);
  CHECK_INT(orders->joins, 2);
  rsm_session_free(session);
}

static void test_join_fails(void) {
  rsm_session *session;
  rsm_error error;
  begin_script();
  CHECK_INT(rsm_session_join("ffffffffffffffffffffffffffffffff", &session, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(error.status, RSM_CREDENTIAL_CONFLICT);
  CHECK_WORDS(error.detail, "no session of this user with that key");
  orders->join_code = 353;
  CHECK_INT(rsm_session_join("0123456789abcdef0123456789abcdef", &session, &error), RSM_MAX_SESSIONS);
  CHECK_INT(rsm_session_adopt("0123456789abcdef0123456789abcdef", &session, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_WORDS(error.detail, "keeps nothing");
  CHECK_INT(orders->ends, 0);
}

/* ---- Registering ---- */

static rsm_status enroll(rsm_session *session, const char *file, rsm_error *reterr) {
  return rsm_session_register(session, &(rsm_resources){.files = &file, .file_count = 1}, reterr);
}

static void test_register(void) {
  rsm_error error;
  begin_script();
  rsm_session *session = begin_session();
  const char *files[] = {"C:/windows\\system32/kernel32.dll", "c:\\no\xC3\xA9\\\xF0\x9F\x8C\x8D.txt"};
  const rsm_process process = {.pid = GetCurrentProcessId()};
  const rsm_resources resources = {.files = files, .file_count = 2, .processes = &process, .process_count = 1};
  CHECK_INT(rsm_session_register(session, &resources, &error), RSM_OK);
  CHECK_INT(orders->registers, 1); /* one call: all or nothing */
  CHECK_INT(orders->files, 2);
  CHECK(wcscmp(orders->first_file, L"C:\\windows\\system32\\kernel32.dll") == 0);
  CHECK(wcscmp(orders->last_file, L"c:\\no\u00E9\\\U0001F30D.txt") == 0);
  CHECK_INT(orders->processes, 1);
  CHECK_INT(orders->last_process.dwProcessId, GetCurrentProcessId());
  FILETIME created, unused;
  CHECK(GetProcessTimes(GetCurrentProcess(), &created, &unused, &unused, &unused));
  CHECK(memcmp(&orders->last_process.ProcessStartTime, &created, sizeof created) == 0);
  rsm_resource_list *list;
  CHECK_INT(rsm_session_resources(session, &list, &error), RSM_OK);
  CHECK_INT(rsm_resource_list_count(list), 3);
  CHECK_INT(rsm_resource_list_at(list, 0)->by.pid, GetCurrentProcessId());
  rsm_resource_list_free(list);
  rsm_session_free(session);
}

static void test_register_fails(void) {
  rsm_error error;
  begin_script();
  rsm_session *session = begin_session();
  const rsm_process gone = {.pid = 0x7FFFFFF0};
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.processes = &gone, .process_count = 1}, &error),
            RSM_NOT_FOUND);
  const char *service = "rm-no-such-service";
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.services = &service, .service_count = 1}, &error),
            RSM_NO_SUCH_SERVICE);
  CHECK_INT(enroll(session, "c:\\\xC3\x28", &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.working_directories = true}, &error), RSM_NOT_SUPPORTED);
  CHECK_INT(orders->registers, 0); /* nothing of that has reached the system */
  orders->register_code = 6;
  CHECK_INT(enroll(session, "c:\\file", &error), RSM_INVALID_HANDLE);
  CHECK_TEXT(error.call, "RmRegisterResources");
  CHECK_INT(error.os_code, 6);
  rsm_resource_list *list;
  CHECK_INT(rsm_session_resources(session, &list, &error), RSM_OK);
  CHECK_INT(rsm_resource_list_count(list), 0);
  rsm_resource_list_free(list);
  rsm_session_free(session);
}

static void test_register_nothing(void) {
  begin_script();
  rsm_session *session = begin_session();
  CHECK_INT(rsm_session_register(session, &(rsm_resources){0}, NULL), RSM_OK);
  CHECK_INT(orders->registers, 0);
  rsm_session_free(session);
}

/* A secondary is told what has happened, not the number that the system happens to have for it. */
static void test_register_after_end(void) {
  rsm_session *session;
  rsm_error error;
  begin_script();
  CHECK_INT(rsm_session_join("0123456789abcdef0123456789abcdef", &session, NULL), RSM_OK);
  orders->register_code = 1219;
  CHECK_INT(enroll(session, "c:\\file", &error), RSM_INVALID_HANDLE);
  CHECK_WORDS(error.detail, "primary installer has ended");
  rsm_session_free(session);
}

/* ---- Many paths, long paths ---- */

static void test_many_paths(void) {
  enum { COUNT = 60000 };
  rsm_error error;
  begin_script();
  orders->most_units = 0x100000;
  rsm_session *session = begin_session();
  const char **files = calloc(COUNT, sizeof *files);
  char *names = calloc(COUNT, 80);
  for (size_t i = 0; i < COUNT; i++) {
    snprintf(names + i * 80, 80, "c:\\a folder whose name is rather long\\and one in it\\file number %zu", i);
    files[i] = names + i * 80;
  }
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = COUNT}, &error), RSM_OK);
  CHECK_INT(orders->files, COUNT);
  CHECK_INT(orders->registers, COUNT / 5000);
  CHECK_INT(orders->most_files, 5000);

  /* One among them that is refused is found, and named; so is how much has been taken. */
  wcscpy(orders->refuses, L"c:\\a folder whose name is rather long\\and one in it\\file number 7003");
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = COUNT}, &error),
            RSM_WRITE_FAULT);
  CHECK_TEXT(error.subject, files[7003]);
  CHECK_WORDS(error.detail, "5000 of 60000 files are registered");
  CHECK_INT(orders->files, COUNT + 5000);
  CHECK_INT(orders->starts, orders->ends + 1); /* the sessions in which it was found are gone */

  /* Of so many as fit into one call none is registered then. */
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files + 7000, .file_count = 10}, &error),
            RSM_WRITE_FAULT);
  CHECK_TEXT(error.subject, files[7003]);
  CHECK_INT(orders->files, COUNT + 5000);
  orders->start_code = 353; /* no session to find it out in: then by halves, and it is said what has been taken */
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files + 7000, .file_count = 10}, &error),
            RSM_WRITE_FAULT);
  CHECK_TEXT(error.subject, files[7003]);
  CHECK_WORDS(error.detail, "3 of 10 files are registered");
  free(files);
  free(names);
  rsm_session_free(session);
}

/* A call of the system's that takes less than we put into one is made with less. */
static void test_small_batches(void) {
  enum { COUNT = 1000 };
  static char names[COUNT][16];
  static const char *files[COUNT];
  begin_script();
  orders->most_units = 1000;
  rsm_session *session = begin_session();
  for (size_t i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "c:\\file-%05zu", i);
    files[i] = names[i];
  }
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = COUNT}, NULL), RSM_OK);
  CHECK_INT(orders->files, COUNT);
  CHECK(wcscmp(orders->first_file, L"c:\\file-00000") == 0 && wcscmp(orders->last_file, L"c:\\file-00999") == 0);
  rsm_session_free(session);
}

/* More than the session takes in all: as many as fit are registered, and it is said how many those are. */
static void test_full_session(void) {
  enum { COUNT = 1000, ROOM = 637 };
  static char names[COUNT][16];
  static const char *files[COUNT];
  rsm_error error;
  begin_script();
  orders->most_in_all = ROOM;
  rsm_session *session = begin_session();
  for (size_t i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i], "c:\\file-%05zu", i);
    files[i] = names[i];
  }
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = COUNT}, &error),
            RSM_WRITE_FAULT);
  fprintf(stderr, "%s\n", rsm_error_format(&error, text, sizeof text));
  CHECK_INT(orders->files, ROOM);
  CHECK_WORDS(error.detail, "637 of 1000 files are registered");
  CHECK_WORDS(error.detail, "too much in the session");
  rsm_session_free(session);
}

static void test_long_path(void) {
  WCHAR folder[400] = L"\\\\?\\", path[800];
  char narrow[800];
  rsm_error error;
  begin_script();
  orders->longest_path = 259;
  rsm_session *session = begin_session();
  CHECK(GetTempPathW(300, folder + 4));
  wcscat(folder, L"rm-system-long");
  CreateDirectoryW(folder, NULL);
  swprintf(path, 800, L"%ls\\%0*d", folder, 200, 1);
  CHECK(CreateDirectoryW(path, NULL) || GetLastError() == ERROR_ALREADY_EXISTS);
  wcscat(path, L"\\a rather long name for a file, so that it is beyond what is allowed");
  HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  CloseHandle(file);
  CHECK(wcslen(path) > 263);
  WideCharToMultiByte(CP_UTF8, 0, path + 4, -1, narrow, sizeof narrow, NULL, NULL);
  rsm_status status = enroll(session, narrow, &error);
  CHECK_INT(status, RSM_OK); /* by its short name */
  CHECK(orders->longest_registered < 260);
  WCHAR back[800];
  CHECK(GetLongPathNameW(orders->last_file, back, 800));
  CHECK(_wcsicmp(back, path + 4) == 0);

  /* What does not exist yet has the short name of its folder. */
  snprintf(narrow + strlen(narrow), 8, ".new");
  CHECK_INT(enroll(session, narrow, &error), RSM_OK);
  CHECK(orders->longest_registered < 260);
  CHECK(wcsstr(orders->last_file, L"allowed.new"));

  /* And where there is no short name it is refused, by name. */
  memset(narrow, 'x', 400);
  memcpy(narrow, "c:\\", 3);
  narrow[400] = '\0';
  CHECK_INT(enroll(session, narrow, &error), RSM_WRITE_FAULT);
  CHECK_WORDS(error.detail, "400 characters");
  CHECK_WORDS(error.subject, "c:\\xxxx");
  rsm_session_free(session);
  DeleteFileW(path);
  *wcsrchr(path, L'\\') = 0;
  RemoveDirectoryW(path);
  RemoveDirectoryW(folder);
}

/* ---- Filters ---- */

static void test_filters(void) {
  rsm_error error;
  rsm_filter_list *list;
  begin_script();
  rsm_session *session = begin_session();
  CHECK_INT(rsm_session_filters(session, &list, &error), RSM_OK);
  CHECK_INT(rsm_filter_list_count(list), 0);
  rsm_filter_list_free(list);
  const rsm_filter exe = {.exe = "c:/tools/\xC3\xA9"
                                 "ditor.exe",
                          .action = RSM_NO_SHUTDOWN};
  const rsm_filter service = {.service = "Spooler", .action = RSM_NO_RESTART};
  rsm_filter process = {.process = {.pid = GetCurrentProcessId()}, .action = RSM_NO_RESTART};
  CHECK_INT(rsm_session_add_filter(session, &exe, &error), RSM_OK);
  CHECK_INT(rsm_session_add_filter(session, &service, &error), RSM_OK);
  CHECK_INT(rsm_session_add_filter(session, &process, &error), RSM_OK);
  CHECK_INT(rsm_session_filters(session, &list, &error), RSM_OK);
  CHECK_INT(rsm_filter_list_count(list), 3);
  CHECK_TEXT(rsm_filter_list_at(list, 0)->exe, "c:\\tools\\\xC3\xA9"
                                               "ditor.exe");
  CHECK_INT(rsm_filter_list_at(list, 0)->action, RSM_NO_SHUTDOWN);
  CHECK_TEXT(rsm_filter_list_at(list, 1)->service, "Spooler");
  CHECK_INT(rsm_filter_list_at(list, 2)->process.pid, GetCurrentProcessId());
  CHECK(rsm_filter_list_at(list, 2)->process.start_time);
  rsm_filter_list_free(list);
  CHECK_INT(rsm_session_remove_filter(session, &process, &error), RSM_OK); /* by its bare pid */
  CHECK_INT(rsm_session_remove_filter(session, &exe, &error), RSM_OK);
  CHECK_INT(rsm_session_remove_filter(session, &exe, &error), RSM_FILE_NOT_FOUND);
  CHECK_WORDS(error.detail, "no filter for that exe");
  CHECK_INT(orders->filter_count, 1);
  rsm_session_free(session);
}

static void test_malformed_filters(void) {
  rsm_error error;
  rsm_filter_list *list;
  begin_script();
  rsm_session *session = begin_session();
  const rsm_filter filter = {.service = "Spooler", .action = (rsm_filter_action)RSM_NO_SHUTDOWN};
  CHECK_INT(rsm_session_add_filter(session, &filter, &error), RSM_OK);
  for (script_fault fault = FAULT_NAME_OUTSIDE; fault <= FAULT_TRIGGER; fault++) {
    orders->filter_fault = fault;
    CHECK_INT(rsm_session_filters(session, &list, &error), RSM_GEN_FAILURE);
    CHECK_WORDS(error.detail, "malformed filter");
  }
  orders->filter_fault = FAULT_MORE_FOR_EVER;
  CHECK_INT(rsm_session_filters(session, &list, &error), RSM_MORE_DATA);
  orders->filter_fault = FAULT_SIZE_UNTOLD;
  orders->filters[0].action = (RM_FILTER_ACTION)7; /* of a later Windows */
  CHECK_INT(rsm_session_filters(session, &list, &error), RSM_OK);
  CHECK_INT(rsm_filter_list_at(list, 0)->action, 7);
  rsm_filter_list_free(list);
  orders->add_filter_code = 1219;
  CHECK_INT(rsm_session_add_filter(session, &filter, &error), RSM_CREDENTIAL_CONFLICT);
  rsm_session_free(session);
}

static const check_test tests[] = {
    CHECK_TEST(test_session),
    CHECK_TEST(test_start_fails),
    CHECK_TEST(test_impossible_options),
    CHECK_TEST(test_default_under_wine),
    CHECK_TEST(test_join),
    CHECK_TEST(test_join_upper),
    CHECK_TEST(test_join_fails),
    CHECK_TEST(test_register),
    CHECK_TEST(test_register_fails),
    CHECK_TEST(test_register_nothing),
    CHECK_TEST(test_register_after_end),
    CHECK_TEST(test_many_paths),
    CHECK_TEST(test_small_batches),
    CHECK_TEST(test_full_session),
    CHECK_TEST(test_long_path),
    CHECK_TEST(test_filters),
    CHECK_TEST(test_malformed_filters),
};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
