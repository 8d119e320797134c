/* test_launch_crash.c: whoever starts a program may be ended at any moment of it; then the record and the world still
 * agree, and nothing is left that is neither running nor gone. SPDX-License-Identifier: MIT */
#include "child.h"

#include <shellapi.h>
#include <tlhelp32.h>

#include "base/cleanup.h"
#include "os/launch.h"
#include "os/private_dir.h"
#include "os/user.h"
#include "os/windows/create_process.h"
#include "os/windows/launch_hooks.h"
#include "os/windows/launch_record.h"

static const char *record_name(DWORD owner) {
  static char name[48];
  snprintf(name, sizeof name, "launch-crash-%lu", owner);
  return name;
}

static rsm__dir *open_dir(void) {
  rsm__dir *dir = NULL;
  CHECK_INT(rsm__private_place_open(rsm__user_current(), 0, true, &dir, NULL), RSM_OK);
  return dir;
}

/* ---- The starter's side ---- */

static int last_hook;

static void die_at(int hook) {
  if (hook == last_hook) TerminateProcess(GetCurrentProcess(), 9);
}

enum { NOTED_JOB = 6 }; /* the starter's exit code: started, with a note about its own job */

/* starter HOOK OWNER CAPTURE: starts what was captured, and ends itself on the way. */
static int run_starter(char **argv, const wchar_t *capture_path) {
  static unsigned char capture[1 << 20];
  rsm__file *record = NULL;
  rsm__launched launched;
  rsm__arena arena = {0};
  FILE *from = _wfopen(capture_path, L"rb");
  if (!from) return 3;
  size_t length = fread(capture, 1, sizeof capture, from);
  fclose(from);
  last_hook = atoi(argv[2]);
  rsm__launch_hook_function = die_at;
  if (rsm__file_create(open_dir(), record_name((DWORD)atoi(argv[3])), &record, NULL) != RSM_OK) return 4;
  rsm__launch_request request = {.capture = capture, .capture_length = length, .record = record};
  if (rsm__launch_start(&request, &arena, &launched, NULL) != RSM_OK) return 5;
  return launched.note && strstr(launched.note, "in the installer's job") ? NOTED_JOB : 0;
}

/* ---- The test's side ---- */

static void capture_child(const wchar_t *note, const wchar_t *capture_path) {
  wchar_t line[4096];
  rsm__arena arena = {0};
  RSM_CLEAN_BUFFER rsm__buffer capture = {0};
  const char *obstacle;
  swprintf(line, 4096, L"\"%ls\" child \"%ls\"", child_program(), note);
  child original = child_start(line, CREATE_NO_WINDOW, NULL, NULL);
  CHECK(*child_read_note(note, 10000));
  rsm__process *process = child_open(original.info.dwProcessId);
  CHECK_INT(rsm__launch_capture(process, true, &arena, &capture, &obstacle, NULL), RSM_OK);
  CHECK_TEXT(obstacle, NULL);
  rsm__process_close(process);
  child_end(&original);
  DeleteFileW(note);
  FILE *to = _wfopen(capture_path, L"wb");
  CHECK(to && fwrite(capture.data, 1, capture.length, to) == capture.length);
  fclose(to);
  rsm__arena_done(&arena);
}

static DWORD child_of(DWORD parent) {
  PROCESSENTRY32W entry = {.dwSize = sizeof entry};
  HANDLE list = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
  DWORD found = 0;
  CHECK(list != INVALID_HANDLE_VALUE);
  for (BOOL more = Process32FirstW(list, &entry); more; more = Process32NextW(list, &entry))
    if (entry.th32ParentProcessID == parent && _wcsicmp(entry.szExeFile, L"conhost.exe") != 0)
      found = entry.th32ProcessID;
  CloseHandle(list);
  return found;
}

static bool goes(DWORD parent) {
  for (int i = 0; i < 300 && child_of(parent); i++) Sleep(10);
  return !child_of(parent);
}

/* The starter's pid; it has ended, by itself or at the hook. */
static DWORD run_and_lose(int hook, const wchar_t *capture_path, DWORD expected_code) {
  wchar_t line[4096];
  DWORD code = 0;
  swprintf(line, 4096, L"\"%ls\" starter %d %lu \"%ls\"", child_program(), hook, GetCurrentProcessId(), capture_path);
  child starter = child_start(line, CREATE_NO_WINDOW, NULL, NULL);
  CHECK_INT(WaitForSingleObject(starter.info.hProcess, 20000), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(starter.info.hProcess, &code));
  CHECK_INT(code, expected_code);
  DWORD pid = starter.info.dwProcessId;
  CloseHandle(starter.info.hThread);
  CloseHandle(starter.info.hProcess);
  starter.job = NULL; /* stays open: what the starter started may not be in it, and if it is it must not end with it */
  return pid;
}

static void check_hook(int hook, bool started) {
  const wchar_t *note = child_path(L"crash-note"), *capture_path = child_path(L"crash-capture");
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  rsm_process process = {0};
  rsm__dir *dir = open_dir();
  const char *name = record_name(GetCurrentProcessId());
  DeleteFileW(note);
  CHECK_INT(rsm__dir_remove(dir, name, NULL), RSM_OK);
  capture_child(note, capture_path);
  DWORD starter = run_and_lose(hook, capture_path, 9);
  if (hook != RSM__HOOK_RESUMED) CHECK_TEXT(child_read_note(note, 300), ""); /* nothing runs before it is read */
  if (hook == RSM__HOOK_FREED) CHECK(child_of(starter));                     /* or this test would not show anything */
  CHECK_INT(rsm__dir_read(dir, name, 4096, &record, NULL), RSM_OK);
  CHECK_INT(rsm__launch_record(record.data, record.length, &process), started);
  if (started) {
    const char *text = child_read_note(note, 10000);
    CHECK_INT(atoi(child_value(text, "pid")), process.pid);
    CHECK(rsm__launch_record(record.data, record.length, &process)); /* read again, it is no other story */
    child_end_started(&process);
  } else {
    CHECK(goes(starter));
    CHECK_TEXT(child_read_note(note, 300), "");
    CHECK(!rsm__launch_record(record.data, record.length, &process));
  }
  CHECK_INT(rsm__dir_remove(dir, name, NULL), RSM_OK);
  rsm__dir_close(dir);
  DeleteFileW(note);
  DeleteFileW(capture_path);
}

static void starter_dies_before_it_names_it(void) {
  check_hook(RSM__HOOK_CREATED, false);
}

static void starter_dies_before_it_sets_it_free(void) {
  check_hook(RSM__HOOK_INTENDED, false);
}

static void starter_dies_before_it_decides(void) {
  check_hook(RSM__HOOK_FREED, false);
}

static void starter_dies_before_it_lets_it_go(void) {
  check_hook(RSM__HOOK_DECIDED, true);
}

static void starter_dies_after_all(void) {
  check_hook(RSM__HOOK_RESUMED, true);
}

/* An installer may be in a job that ends all in it when it is closed; what it starts leaves that job, if it lets it. */
static void check_job(DWORD limits, DWORD expected_code, bool survives) {
  const wchar_t *note = child_path(L"job-note"), *capture_path = child_path(L"job-capture");
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  wchar_t line[4096];
  rsm_process id = {0};
  DWORD code = 0;
  rsm__dir *dir = open_dir();
  const char *name = record_name(GetCurrentProcessId());
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {.BasicLimitInformation.LimitFlags =
                                                    limits | JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
  CHECK_INT(rsm__dir_remove(dir, name, NULL), RSM_OK);
  capture_child(note, capture_path);
  swprintf(line, 4096, L"\"%ls\" starter -1 %lu \"%ls\"", child_program(), GetCurrentProcessId(), capture_path);
  child starter = child_start_limited(line, CREATE_NO_WINDOW, NULL, NULL, &limit);
  CHECK_INT(WaitForSingleObject(starter.info.hProcess, 20000), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(starter.info.hProcess, &code));
  CHECK_INT(code, expected_code);
  CHECK(*child_read_note(note, 10000));
  CHECK_INT(rsm__dir_read(dir, name, 4096, &record, NULL), RSM_OK);
  CHECK(rsm__launch_record(record.data, record.length, &id));
  rsm__process *process = child_open(id.pid);
  child_end(&starter); /* and its job */
  for (int i = 0; i < 100 && !survives && rsm__process_alive(process); i++) Sleep(10);
  if (survives) Sleep(300);
  CHECK_INT(rsm__process_alive(process), survives);
  rsm__process_close(process);
  child_end_started(&id);
  CHECK_INT(rsm__dir_remove(dir, name, NULL), RSM_OK);
  rsm__dir_close(dir);
  DeleteFileW(note);
  DeleteFileW(capture_path);
}

static void leaves_the_installers_job(void) {
  check_job(JOB_OBJECT_LIMIT_BREAKAWAY_OK, 0, true);
  check_job(JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, 0, true);
}

static void says_that_it_cannot_leave_the_job(void) {
  check_job(0, NOTED_JOB, false);
}

/* A reader who comes in between must not touch what a living starter does. */
static void leaves_a_living_starter_alone(void) {
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  wchar_t line[4096];
  const wchar_t *note = child_path(L"held-note");
  DeleteFileW(note);
  swprintf(line, 4096, L"\"%ls\" child \"%ls\"", child_program(), note);
  STARTUPINFOW how = {.cb = sizeof how};
  PROCESS_INFORMATION held = {0};
  CHECK(
      rsm__create_process(child_program(), line, FALSE, CREATE_SUSPENDED | CREATE_NO_WINDOW, NULL, NULL, &how, &held));
  rsm__process *process = child_open(held.dwProcessId), *self = child_open(GetCurrentProcessId());
  rsm__launch_intent intent = {*rsm__process_id(process), held.dwThreadId, *rsm__process_id(self)};
  rsm_process told;
  rsm__launch_put_intent(&record, &intent);
  CHECK(!rsm__launch_record(record.data, record.length, &told));
  CHECK(rsm__process_alive(process));
  rsm__launch_put_decision(&record);
  CHECK(rsm__launch_record(record.data, record.length, &told));
  CHECK(rsm_process_equal(&told, rsm__process_id(process)));
  CHECK_TEXT(child_read_note(note, 300), ""); /* it waits for its own starter */
  CHECK(rsm__process_alive(process));
  TerminateProcess(held.hProcess, 0);
  CloseHandle(held.hThread);
  CloseHandle(held.hProcess);
  rsm__process_close(process);
  rsm__process_close(self);
}

static void knows_torn_records(void) {
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  rsm__launch_intent intent = {{.pid = 4, .start_time = 5}, 8, {.pid = 12, .start_time = 1}}, found;
  bool decided;
  rsm__launch_put_intent(&record, &intent);
  rsm__launch_put_decision(&record);
  CHECK_INT(record.length, RSM__LAUNCH_RECORD_SIZE);
  for (size_t length = 0; length <= record.length; length++) {
    bool whole = length == RSM__LAUNCH_INTENT_SIZE || length == RSM__LAUNCH_RECORD_SIZE;
    CHECK_INT(rsm__launch_parse(record.data, length, &found, &decided), whole);
    if (whole) CHECK_INT(decided, length == RSM__LAUNCH_RECORD_SIZE);
  }
  for (size_t at = 0; at < record.length; at++) {
    record.data[at] ^= 1;
    CHECK(!rsm__launch_parse(record.data, record.length, &found, &decided));
    record.data[at] ^= 1;
  }
  rsm__buffer_put_u8(&record, 0); /* revoked */
  CHECK(!rsm__launch_parse(record.data, record.length, &found, &decided));
}

static const check_test tests[] = {
    CHECK_TEST(starter_dies_before_it_names_it),
    CHECK_TEST(starter_dies_before_it_sets_it_free),
    CHECK_TEST(starter_dies_before_it_decides),
    CHECK_TEST(starter_dies_before_it_lets_it_go),
    CHECK_TEST(starter_dies_after_all),
    CHECK_TEST(leaves_a_living_starter_alone),
    CHECK_TEST(leaves_the_installers_job),
    CHECK_TEST(says_that_it_cannot_leave_the_job),
    CHECK_TEST(knows_torn_records),
};

int main(int argc, char **argv) {
  int count = 0;
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (argc > 2 && strcmp(argv[1], "child") == 0) {
    child_note(words[2]);
    Sleep(CHILD_LIMIT_MS);
    return 0;
  }
  if (argc > 4 && strcmp(argv[1], "starter") == 0) return run_starter(argv, words[4]);
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
