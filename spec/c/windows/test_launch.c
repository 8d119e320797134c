/* test_launch.c: what is kept of a program, and that it comes back as it was. SPDX-License-Identifier: MIT */
#include "child.h"

#include <shellapi.h>

#include "base/cleanup.h"
#include "os/launch.h"
#include "os/private_dir.h"
#include "os/user.h"
#include "os/windows/capture.h"
#include "os/windows/launch_hooks.h"
#include "os/windows/launch_record.h"
#include "os/windows/rights.h"
#include "os/windows/wide.h"

typedef struct fixture {
  child original;
  rsm__dir *dir;
  rsm__file *record;
  rsm__arena arena;
  rsm__buffer capture;
  const char *obstacle;
  rsm__launched launched;
  rsm_error error;
  const wchar_t *note;
} fixture;

static char record_name[32];

static void open_record(fixture *f) {
  snprintf(record_name, sizeof record_name, "launch-test-%lu", GetCurrentProcessId());
  if (!f->dir) CHECK_INT(rsm__private_place_open(rsm__user_current(), 0, true, &f->dir, &f->error), RSM_OK);
  f->record = rsm__file_close(f->record);
  CHECK_INT(rsm__dir_remove(f->dir, record_name, NULL), RSM_OK);
  CHECK_INT(rsm__file_create(f->dir, record_name, &f->record, &f->error), RSM_OK);
}

/* Starts the original, waits for its note, captures it and ends it. */
static void set_up(fixture *f, const wchar_t *arguments, DWORD flags, const wchar_t *directory, STARTUPINFOW *how,
                   bool with_environment) {
  wchar_t line[8192];
  *f = (fixture){.note = child_path(L"note")};
  DeleteFileW(f->note);
  swprintf(line, 8192, L"\"%ls\" child \"%ls\"%ls", child_program(), f->note, arguments);
  f->original = child_start(line, flags, directory, how);
  CHECK(*child_read_note(f->note, 10000));
  rsm__process *process = child_open(f->original.info.dwProcessId);
  rsm_status status = rsm__launch_capture(process, with_environment, &f->arena, &f->capture, &f->obstacle, &f->error);
  if (status != RSM_OK) fprintf(stderr, "%s: %s\n", f->error.call ? f->error.call : "", f->error.detail);
  CHECK_INT(status, RSM_OK);
  rsm__process_close(process);
  child_end(&f->original);
  DeleteFileW(f->note);
  open_record(f);
}

static rsm_status start(fixture *f, const char *const *args, size_t count) {
  rsm__launch_request request = {.capture = f->capture.data,
                                 .capture_length = f->capture.length,
                                 .args = args,
                                 .arg_count = count,
                                 .record = f->record};
  return rsm__launch_start(&request, &f->arena, &f->launched, &f->error);
}

static void must_start(fixture *f, const char *const *args, size_t count) {
  rsm_status status = start(f, args, count);
  if (status != RSM_OK) {
    char words[384];
    fprintf(stderr, "%s\n", rsm_error_format(&f->error, words, sizeof words));
  }
  CHECK_INT(status, RSM_OK);
}

static void tear_down(fixture *f) {
  if (f->launched.process.pid) child_end_started(&f->launched.process);
  f->record = rsm__file_close(f->record);
  CHECK_INT(rsm__dir_remove(f->dir, record_name, NULL), RSM_OK);
  f->dir = rsm__dir_close(f->dir);
  rsm__buffer_done(&f->capture);
  rsm__arena_done(&f->arena);
  DeleteFileW(f->note);
}

/* ---- As it was ---- */

static void comes_back_to_the_last_blank(void) {
  fixture f;
  wchar_t directory[MAX_PATH];
  static const wchar_t arguments[] = L"  plain   \"two words\"  tail\\\" \"q\"\"q\"  \u00e9\u4e16 ";
  CHECK(GetWindowsDirectoryW(directory, MAX_PATH) > 0);
  SetEnvironmentVariableW(L"RM_TEST", L"kept \u00e9");
  set_up(&f, arguments, CREATE_NO_WINDOW | BELOW_NORMAL_PRIORITY_CLASS, directory, NULL, true);
  SetEnvironmentVariableW(L"RM_TEST", L"ours");
  CHECK_TEXT(f.obstacle, NULL);
  must_start(&f, NULL, 0);
  const char *note = child_read_note(f.note, 10000);
  RSM_CLEAN_FREE char *expected = rsm__narrow_new(arguments, wcslen(arguments));
  const char *line = child_value(note, "line");
  CHECK(strlen(line) > strlen(expected));
  CHECK_TEXT(line + strlen(line) - strlen(expected), expected);
  CHECK(line[0] == '"');
  CHECK_TEXT(child_value(note, "variable"), "kept \xc3\xa9");
  RSM_CLEAN_FREE char *folder = rsm__narrow_new(directory, wcslen(directory));
  CHECK(_stricmp(child_value(note, "directory"), folder) == 0);
  CHECK_INT(atoi(child_value(note, "priority")), BELOW_NORMAL_PRIORITY_CLASS);
  CHECK_INT(atoi(child_value(note, "pid")), f.launched.process.pid);
  CHECK_INT(atoi(child_value(note, "show")), -1);
  CHECK_TEXT(f.launched.note, NULL);
  SetEnvironmentVariableW(L"RM_TEST", NULL);
  tear_down(&f);
}

static void gets_other_arguments(void) {
  fixture f;
  set_up(&f, L" old", CREATE_NO_WINDOW, NULL, NULL, true);
  RSM_CLEAN_FREE char *note_path = rsm__narrow_new(f.note, wcslen(f.note));
  const char *const args[] = {"child", note_path, "a b", "", "q\"q", "back\\", "\xc3\xa9"};
  must_start(&f, args, RSM_COUNT(args));
  const char *line = child_value(child_read_note(f.note, 10000), "line");
  static const char tail[] = " \"a b\" \"\" \"q\\\"q\" back\\ \xc3\xa9";
  CHECK(strlen(line) > strlen(tail));
  CHECK_TEXT(line + strlen(line) - strlen(tail), tail);
  CHECK(!strstr(line, " old"));
  tear_down(&f);
}

/* Without its own environment it gets what a login gives, and nothing of ours. */
static void gets_a_logins_environment(void) {
  fixture f;
  SetEnvironmentVariableW(L"RM_TEST", L"theirs");
  set_up(&f, L"", CREATE_NO_WINDOW, NULL, NULL, false);
  SetEnvironmentVariableW(L"RM_TEST", L"ours");
  must_start(&f, NULL, 0);
  const char *note = child_read_note(f.note, 10000);
  CHECK_TEXT(child_value(note, "variable"), "(none)");
  CHECK(strcmp(child_value(note, "profile"), "(none)") != 0);
  SetEnvironmentVariableW(L"RM_TEST", NULL);
  tear_down(&f);
}

static void keeps_how_its_window_is_shown(void) {
  fixture f;
  STARTUPINFOW how = {.cb = sizeof how, .dwFlags = STARTF_USESHOWWINDOW, .wShowWindow = SW_SHOWMINNOACTIVE};
  set_up(&f, L"", DETACHED_PROCESS, NULL, &how, true);
  must_start(&f, NULL, 0);
  const char *note = child_read_note(f.note, 10000);
  CHECK_INT(atoi(child_value(note, "show")), SW_SHOWMINNOACTIVE);
  CHECK_INT(atoi(child_value(note, "console")), 0); /* it had none */
  tear_down(&f);
}

static rsm__capture_console console_of(DWORD flags) {
  fixture f;
  rsm__capture capture;
  set_up(&f, L"", flags, NULL, NULL, true);
  CHECK_INT(rsm__capture_decode(f.capture.data, f.capture.length, &f.arena, &capture), RSM_OK);
  must_start(&f, NULL, 0);
  const char *note = child_read_note(f.note, 10000);
  CHECK_INT(atoi(child_value(note, "console")), capture.console != RSM__CONSOLE_NONE);
  rsm__process *again = child_open(f.launched.process.pid);
  rsm__buffer second = {0};
  rsm__capture captured;
  const char *obstacle;
  CHECK_INT(rsm__launch_capture(again, true, &f.arena, &second, &obstacle, NULL), RSM_OK);
  CHECK_INT(rsm__capture_decode(second.data, second.length, &f.arena, &captured), RSM_OK);
  CHECK_INT(captured.console, capture.console);
  rsm__buffer_done(&second);
  rsm__process_close(again);
  tear_down(&f);
  return capture.console;
}

static void gets_the_same_kind_of_console(void) {
  CHECK_INT(console_of(DETACHED_PROCESS), RSM__CONSOLE_NONE);
  CHECK_INT(console_of(CREATE_NO_WINDOW), RSM__CONSOLE_HIDDEN);
  CHECK_INT(console_of(CREATE_NEW_CONSOLE), RSM__CONSOLE_SHOWN);
}

/* *ret_directory is in the arena. */
static void capture_directory(const rsm__process *process, bool with_environment, rsm__arena *arena,
                              const wchar_t **ret_directory) {
  RSM_CLEAN_BUFFER rsm__buffer bytes = {0};
  rsm__capture capture;
  const char *obstacle;
  CHECK_INT(rsm__launch_capture(process, with_environment, arena, &bytes, &obstacle, NULL), RSM_OK);
  CHECK_INT(rsm__capture_decode(bytes.data, bytes.length, arena, &capture), RSM_OK);
  CHECK(capture.directory);
  *ret_directory = capture.directory;
}

/* What its facts were told from serves one capture, and none that a restart is made from. */
static void is_captured_as_it_is_by_then(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  wchar_t before[MAX_PATH], folder[MAX_PATH];
  const wchar_t *first, *second, *whole; /* the first may be of either time */
  CHECK(GetCurrentDirectoryW(MAX_PATH, before) > 0 && GetWindowsDirectoryW(folder, MAX_PATH) > 0);
  rsm__process *self = child_open(GetCurrentProcessId());
  CHECK_INT(rsm__process_facts_get(self, &arena, &facts, NULL), RSM_OK);
  CHECK(SetCurrentDirectoryW(folder));
  capture_directory(self, false, &arena, &first);
  capture_directory(self, false, &arena, &second);
  CHECK(_wcsnicmp(second, folder, wcslen(folder)) == 0);
  CHECK_INT(rsm__process_facts_get(self, &arena, &facts, NULL), RSM_OK);
  CHECK(SetCurrentDirectoryW(before));
  capture_directory(self, true, &arena, &whole);
  CHECK(_wcsnicmp(whole, before, wcslen(before)) == 0);
  rsm__process_close(self);
}

/* ---- What it does not get ---- */

static void inherits_nothing(void) {
  fixture f;
  set_up(&f, L"", CREATE_NO_WINDOW, NULL, NULL, true);
  SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
  HANDLE file = CreateFileW(child_path(L"held"), GENERIC_READ | GENERIC_WRITE, 0, &inheritable, CREATE_ALWAYS, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  must_start(&f, NULL, 0);
  CHECK(*child_read_note(f.note, 10000));
  CloseHandle(file);
  file = CreateFileW(child_path(L"held"), GENERIC_READ, 0, NULL, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, NULL);
  CHECK(file != INVALID_HANDLE_VALUE); /* nobody else has it */
  CloseHandle(file);
  tear_down(&f);
}

/* What started it may end before it; so may the job that the starter was in, where that lets it. */
static void outlives_the_job(void) {
  fixture f;
  set_up(&f, L"", CREATE_NO_WINDOW, NULL, NULL, true);
  must_start(&f, NULL, 0);
  CHECK(*child_read_note(f.note, 10000));
  rsm__process *process = child_open(f.launched.process.pid);
  Sleep(200);
  CHECK(rsm__process_alive(process)); /* our handle on its job is closed by now */
  rsm__process_close(process);
  tear_down(&f);
}

/* ---- What stands in its way ---- */

static void refuses_other_rights(void) {
  rsm__capture_rights ours, theirs;
  CHECK_INT(rsm__rights_of_process(GetCurrentProcess(), &ours, NULL), RSM_OK);
  CHECK_TEXT(rsm__capture_refusal(&ours, &ours), NULL);
  theirs = ours;
  CHECK(rsm__sid_well_known(WinLocalSystemSid, &theirs.user));
  CHECK(strstr(rsm__capture_refusal(&theirs, &ours), "another user"));
  theirs = ours;
  theirs.session++;
  CHECK(strstr(rsm__capture_refusal(&theirs, &ours), "session"));
  theirs = ours;
  theirs.integrity += 0x1000;
  CHECK(strstr(rsm__capture_refusal(&theirs, &ours), "more rights"));
  theirs = ours;
  theirs.integrity -= 0x1000;
  CHECK(strstr(rsm__capture_refusal(&theirs, &ours), "fewer rights"));
  theirs = ours;
  theirs.restricted = true;
  CHECK(strstr(rsm__capture_refusal(&theirs, &ours), "sandbox"));
  theirs = ours;
  theirs.in_app_container = true;
  CHECK(strstr(rsm__capture_refusal(&theirs, &ours), "container"));
}

/* A journal is only a file: what stands in it about rights is looked at once more. */
static void refuses_a_changed_capture(void) {
  fixture f;
  rsm__capture capture;
  set_up(&f, L"", CREATE_NO_WINDOW, NULL, NULL, true);
  CHECK_INT(rsm__capture_decode(f.capture.data, f.capture.length, &f.arena, &capture), RSM_OK);
  CHECK(rsm__sid_well_known(WinLocalSystemSid, &capture.rights.user));
  rsm__buffer_done(&f.capture);
  f.capture = (rsm__buffer){0};
  rsm__capture_encode(&capture, &f.capture);
  CHECK_INT(start(&f, NULL, 0), RSM_NOT_SUPPORTED);
  CHECK(strstr(f.error.detail, "another user"));
  CHECK_TEXT(child_read_note(f.note, 300), "");
  tear_down(&f);
}

static void names_what_is_missing(void) {
  fixture f;
  rsm__capture capture;
  set_up(&f, L"", CREATE_NO_WINDOW, NULL, NULL, true);
  CHECK_INT(rsm__capture_decode(f.capture.data, f.capture.length, &f.arena, &capture), RSM_OK);
  capture.exe = L"C:\\no such folder\\no such program.exe";
  rsm__buffer_done(&f.capture);
  f.capture = (rsm__buffer){0};
  rsm__capture_encode(&capture, &f.capture);
  CHECK_INT(start(&f, NULL, 0), RSM_FILE_NOT_FOUND);
  CHECK(strstr(f.error.subject, "no such program.exe"));
  rsm_process process;
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  CHECK_INT(rsm__dir_read(f.dir, record_name, 4096, &record, NULL), RSM_OK);
  CHECK(!rsm__launch_record(record.data, record.length, &process));
  tear_down(&f);
}

/* A copy of this program that needs a library that does not exist. */
static void make_broken_program(const wchar_t *path) {
  static const char wanted[] = "ADVAPI32.dll", missing[] = "NOSUCHLI.dll";
  FILE *from = _wfopen(child_program(), L"rb"), *to = _wfopen(path, L"wb");
  CHECK(from && to && fseek(from, 0, SEEK_END) == 0);
  size_t size = (size_t)ftell(from), found = 0;
  char *bytes = malloc(size);
  rewind(from);
  CHECK(bytes && fread(bytes, 1, size, from) == size);
  for (size_t at = 0; at + sizeof wanted < size; at++) {
    if (_strnicmp(bytes + at, wanted, sizeof wanted) != 0) continue;
    memcpy(bytes + at, missing, sizeof missing);
    found++;
  }
  CHECK(found > 0 && fwrite(bytes, 1, size, to) == size);
  free(bytes);
  fclose(from);
  fclose(to);
}

/* It ends before it begins: that is a failed start, and the record says so. */
static void hears_of_a_missing_library(void) {
  fixture f;
  rsm__capture capture;
  const wchar_t *path = child_path(L"broken.exe");
  make_broken_program(path);
  set_up(&f, L"", CREATE_NO_WINDOW, NULL, NULL, true);
  CHECK_INT(rsm__capture_decode(f.capture.data, f.capture.length, &f.arena, &capture), RSM_OK);
  capture.exe = path;
  rsm__buffer_done(&f.capture);
  f.capture = (rsm__buffer){0};
  rsm__capture_encode(&capture, &f.capture);
  rsm__launch_settle_ms = 30000; /* this machine may be busy */
  CHECK_INT(start(&f, NULL, 0), RSM_GEN_FAILURE);
  rsm__launch_settle_ms = RSM__LAUNCH_SETTLE_MS;
  CHECK(strstr(f.error.detail, "a library that it needs is missing"));
  rsm_process process;
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  CHECK_INT(rsm__dir_read(f.dir, record_name, 4096, &record, NULL), RSM_OK);
  CHECK(!rsm__launch_record(record.data, record.length, &process));
  tear_down(&f);
  DeleteFileW(path);
}

static void knows_malformed_captures(void) {
  fixture f;
  rsm__capture capture;
  set_up(&f, L" x", CREATE_NO_WINDOW, NULL, NULL, true);
  for (size_t length = 0; length < f.capture.length; length++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    CHECK_INT(rsm__capture_decode(f.capture.data, length, &arena, &capture), RSM_BAD_ARGUMENTS);
  }
  for (size_t at = 0; at < f.capture.length; at++) { /* whatever one bit may do: nothing is read beyond the end */
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    f.capture.data[at] ^= 0x80;
    if (rsm__capture_decode(f.capture.data, f.capture.length, &arena, &capture) == RSM_OK)
      CHECK(capture.console < RSM__CONSOLE_COUNT);
    f.capture.data[at] ^= 0x80;
  }
  tear_down(&f);
}

/* ---- Want of memory ---- */

static void survives_want_of_memory(void) {
  fixture f;
  set_up(&f, L" \"a b\"", CREATE_NO_WINDOW, NULL, NULL, true);
  child original = f.original;
  wchar_t line[4096];
  swprintf(line, 4096, L"\"%ls\" child \"%ls\"", child_program(), child_path(L"other"));
  original = child_start(line, CREATE_NO_WINDOW, NULL, NULL);
  CHECK(*child_read_note(child_path(L"other"), 10000)); /* one that has only begun has an obstacle, which is kept */
  rsm__process *process = child_open(original.info.dwProcessId);
  long live = rsm__alloc_live();
  for (unsigned long n = 1;; n++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    RSM_CLEAN_BUFFER rsm__buffer capture = {0};
    const char *obstacle = NULL;
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__launch_capture(process, true, &arena, &capture, &obstacle, NULL);
    rsm__alloc_fail_at(0, 0);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    rsm__buffer_done(&capture);
    capture = (rsm__buffer){0};
    rsm__arena_done(&arena);
    CHECK_INT(rsm__alloc_live(), live);
    CHECK(n < 1000);
  }
  rsm__process_close(process);
  child_end(&original);
  DeleteFileW(child_path(L"other"));
  static const char *const args[] = {"nothing"};
  for (unsigned long n = 1;; n++) {
    open_record(&f);
    rsm__arena arena = {0};
    rsm__launch_request request = {f.capture.data, f.capture.length, args, 1, f.record, NULL};
    rsm__alloc_fail_at(n, 0);
    rsm_status status = rsm__launch_start(&request, &arena, &f.launched, NULL);
    rsm__alloc_fail_at(0, 0);
    rsm__arena_done(&arena);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    rsm_process nobody;
    RSM_CLEAN_BUFFER rsm__buffer record = {0};
    CHECK_INT(rsm__dir_read(f.dir, record_name, 4096, &record, NULL), RSM_OK);
    CHECK(!rsm__launch_record(record.data, record.length, &nobody));
    CHECK(n < 1000);
  }
  tear_down(&f);
}

static const check_test tests[] = {
    CHECK_TEST(comes_back_to_the_last_blank),
    CHECK_TEST(gets_other_arguments),
    CHECK_TEST(gets_a_logins_environment),
    CHECK_TEST(keeps_how_its_window_is_shown),
    CHECK_TEST(gets_the_same_kind_of_console),
    CHECK_TEST(is_captured_as_it_is_by_then),
    CHECK_TEST(inherits_nothing),
    CHECK_TEST(outlives_the_job),
    CHECK_TEST(refuses_other_rights),
    CHECK_TEST(refuses_a_changed_capture),
    CHECK_TEST(names_what_is_missing),
    CHECK_TEST(hears_of_a_missing_library),
    CHECK_TEST(knows_malformed_captures),
    CHECK_TEST(survives_want_of_memory),
};

int main(int argc, char **argv) {
  int count = 0;
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (argc > 2 && strcmp(argv[1], "child") == 0) {
    child_note(words[2]);
    printf("this must not be seen\n");
    fflush(stdout);
    Sleep(CHILD_LIMIT_MS);
    return 0;
  }
  if (argc > 1 && strcmp(argv[1], "nothing") == 0) return 0;
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
