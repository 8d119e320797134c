/* test_launch_run.c: a secondary installer, run to its end. SPDX-License-Identifier: MIT */
#include "child.h"

#include <shellapi.h>

#include "base/cleanup.h"
#include "os/launch.h"
#include "os/windows/wide.h"

static rsm_exit result;
static rsm_error error;

static rsm_status run(const char *const *argv, size_t argc) {
  result = (rsm_exit){.signaled = true, .code = -1};
  error = (rsm_error){0};
  return rsm__launch_run(argv, argc, "RM_TEST_KEY", "the key = \xc3\xa9", &result, &error);
}

/* A folder with a copy of this program in it. */
static wchar_t folder[MAX_PATH], copy_path[MAX_PATH];

static void make_copy(const wchar_t *name) {
  swprintf(folder, MAX_PATH, L"%ls", child_path(L"folder"));
  CreateDirectoryW(folder, NULL);
  swprintf(copy_path, MAX_PATH, L"%ls\\%ls", folder, name);
  CHECK(CopyFileW(child_program(), copy_path, FALSE));
}

static void remove_copy(void) {
  DeleteFileW(copy_path);
  RemoveDirectoryW(folder);
}

static char *own_path(void) {
  char *path = rsm__narrow_new(child_program(), wcslen(child_program()));
  CHECK(path);
  return path;
}

static void tells_the_exit_code(void) {
  RSM_CLEAN_FREE char *self = own_path();
  const char *const argv[] = {self, "exit", "37"};
  CHECK_INT(run(argv, 3), RSM_OK);
  CHECK_INT(result.code, 37);
  CHECK(!result.signaled);
}

/* The child answers by its exit code what it was given. */
static void gives_the_variable_and_the_arguments(void) {
  RSM_CLEAN_FREE char *self = own_path();
  const char *const argv[] = {self, "expect", "a b", "", "q\"q\\", "\xc3\xa9\xe4\xb8\x96"};
  SetEnvironmentVariableW(L"rm_test_key", L"an older one"); /* names are the same in either case */
  CHECK_INT(run(argv, 6), RSM_OK);
  CHECK_INT(result.code, 42);
  SetEnvironmentVariableW(L"rm_test_key", NULL);
}

static void searches_in_path(void) {
  wchar_t before[8192], with[9000];
  const char *const argv[] = {"rm_only_in_path", "exit", "5"};
  make_copy(L"rm_only_in_path.exe");
  CHECK_INT(run(argv, 3), RSM_FILE_NOT_FOUND);
  CHECK_TEXT(error.subject, "rm_only_in_path");
  CHECK(GetEnvironmentVariableW(L"PATH", before, 8192) > 0);
  swprintf(with, 9000, L"nowhere;;C:\\no such folder;\"%ls\";%ls", folder, before);
  SetEnvironmentVariableW(L"PATH", with);
  CHECK_INT(run(argv, 3), RSM_OK);
  CHECK_INT(result.code, 5);
  SetEnvironmentVariableW(L"PATH", before);
  remove_copy();
}

/* CreateProcess would take it from there; but whoever can write there is not who says what we run. */
static void passes_the_working_directory_over(void) {
  wchar_t before[MAX_PATH], path[8192], with[9000];
  const char *const bare[] = {"rm_only_here", "exit", "5"};
  const char *const dotted[] = {".\\rm_only_here.exe", "exit", "5"};
  const char *const untyped[] = {"./rm_only_here", "exit", "6"};
  make_copy(L"rm_only_here.exe");
  CHECK(GetCurrentDirectoryW(MAX_PATH, before) > 0);
  CHECK(GetEnvironmentVariableW(L"PATH", path, 8192) > 0);
  swprintf(with, 9000, L".;%ls", path);
  CHECK(SetCurrentDirectoryW(folder));
  CHECK_INT(run(bare, 3), RSM_FILE_NOT_FOUND);
  SetEnvironmentVariableW(L"PATH", with); /* nor by way of PATH */
  CHECK_INT(run(bare, 3), RSM_FILE_NOT_FOUND);
  SetEnvironmentVariableW(L"PATH", path);
  CHECK_INT(run(dotted, 3), RSM_OK); /* who names it gets it */
  CHECK_INT(result.code, 5);
  CHECK_INT(run(untyped, 3), RSM_OK);
  CHECK_INT(result.code, 6);
  CHECK(SetCurrentDirectoryW(before));
  remove_copy();
}

static void finds_the_systems_programs(void) {
  const char *const argv[] = {"cmd", "/c", "exit 9"};
  CHECK_INT(run(argv, 3), RSM_OK);
  CHECK_INT(result.code, 9);
}

static void refuses_what_needs_a_shell(void) {
  const char *const argv[] = {".\\setup.bat"};
  const char *const upper[] = {"C:\\SETUP.CMD", "& calc"};
  CHECK_INT(run(argv, 1), RSM_BAD_ARGUMENTS);
  CHECK(strstr(error.detail, "cmd.exe /c"));
  CHECK_INT(run(upper, 2), RSM_BAD_ARGUMENTS);
}

static void names_what_is_no_program(void) {
  const wchar_t *path = child_path(L"text.exe");
  FILE *file = _wfopen(path, L"wb");
  CHECK(file && fputs("just text\n", file) >= 0);
  fclose(file);
  RSM_CLEAN_FREE char *name = rsm__narrow_new(path, wcslen(path));
  CHECK_INT(run((const char *const[]){name}, 1), RSM_ACCESS_DENIED);
  CHECK(strstr(error.detail, "not a program"));
  DeleteFileW(path);
  CHECK_INT(run((const char *const[]){name}, 1), RSM_FILE_NOT_FOUND);
  CHECK_INT(run(NULL, 0), RSM_BAD_ARGUMENTS);
  CHECK_INT(run((const char *const[]){""}, 1), RSM_BAD_ARGUMENTS);
}

/* Our three streams, and nothing else that somebody in this process left inheritable. */
static void gives_only_the_three_streams(void) {
  RSM_CLEAN_FREE char *self = own_path();
  char value[32];
  const wchar_t *path = child_path(L"output");
  SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
  HANDLE other = CreateEventW(&inheritable, TRUE, FALSE, NULL);
  HANDLE file =
      CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, CREATE_ALWAYS, 0, NULL);
  CHECK(other && file != INVALID_HANDLE_VALUE);
  snprintf(value, sizeof value, "%llu", (unsigned long long)(uintptr_t)other);
  HANDLE before = GetStdHandle(STD_OUTPUT_HANDLE);
  SetStdHandle(STD_OUTPUT_HANDLE, file);
  rsm_status status = run((const char *const[]){self, "say", value}, 3);
  SetStdHandle(STD_OUTPUT_HANDLE, before);
  CHECK_INT(status, RSM_OK);
  CHECK_INT(result.code, 0); /* it could not signal our event */
  CHECK_INT(WaitForSingleObject(other, 0), WAIT_TIMEOUT);
  char text[32] = "";
  DWORD length = 0;
  SetFilePointer(file, 0, NULL, FILE_BEGIN);
  CHECK(ReadFile(file, text, sizeof text - 1, &length, NULL));
  CHECK(strncmp(text, "said", 4) == 0);
  CloseHandle(file);
  CloseHandle(other);
  DeleteFileW(path);
}

static void survives_want_of_memory(void) {
  RSM_CLEAN_FREE char *self = own_path();
  const char *const argv[] = {self, "exit", "3"};
  long live = rsm__alloc_live();
  for (unsigned long n = 1;; n++) {
    rsm__alloc_fail_at(n, 0);
    rsm_status status = run(argv, 3);
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), live);
    if (status == RSM_OK) break;
    CHECK_INT(status, RSM_OUT_OF_MEMORY);
    CHECK(n < 1000);
  }
  CHECK_INT(result.code, 3);
}

static const check_test tests[] = {
    CHECK_TEST(tells_the_exit_code),        CHECK_TEST(gives_the_variable_and_the_arguments),
    CHECK_TEST(searches_in_path),           CHECK_TEST(passes_the_working_directory_over),
    CHECK_TEST(finds_the_systems_programs), CHECK_TEST(refuses_what_needs_a_shell),
    CHECK_TEST(names_what_is_no_program),   CHECK_TEST(gives_only_the_three_streams),
    CHECK_TEST(survives_want_of_memory),
};

/* ---- The child's side ---- */

static int check_what_was_given(int count, wchar_t **words) {
  static const wchar_t *const expected[] = {L"expect", L"a b", L"", L"q\"q\\", L"\u00e9\u4e16"};
  wchar_t value[64];
  if (count != 1 + (int)RSM_COUNT(expected)) return 1;
  for (size_t i = 0; i < RSM_COUNT(expected); i++)
    if (wcscmp(words[i + 1], expected[i]) != 0) return 2;
  if (!GetEnvironmentVariableW(L"RM_TEST_KEY", value, 64)) return 3;
  return wcscmp(value, L"the key = \u00e9") == 0 ? 42 : 4;
}

int main(int argc, char **argv) {
  int count = 0;
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (argc == 3 && strcmp(argv[1], "exit") == 0) return atoi(argv[2]);
  if (argc > 1 && strcmp(argv[1], "expect") == 0) return check_what_was_given(count, words);
  if (argc == 3 && strcmp(argv[1], "say") == 0) {
    printf("said\n");
    return SetEvent((HANDLE)(uintptr_t)strtoull(argv[2], NULL, 10)) ? 1 : 0;
  }
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
