/* client_samples.c: Microsoft's documented installers, as the programs sample_primary and sample_secondary, against
 * real programs. SPDX-License-Identifier: MIT */
#include "client.h"
#include "os/windows/create_process.h"

enum { LIMIT_MS = 60000 };

/* Runs it to its end; what it wrote, in memory that stays. */
static const char *run(const wchar_t *line, DWORD *ret_code) {
  SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
  wchar_t copy[4096], *output = client_path(L"output");
  PROCESS_INFORMATION made;
  HANDLE file = CreateFileW(output, GENERIC_WRITE, FILE_SHARE_READ, &inheritable, CREATE_ALWAYS, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  STARTUPINFOW how = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = file, .hStdError = file};
  wcscpy(copy, line);
  CHECK(rsm__create_process(NULL, copy, TRUE, 0, NULL, NULL, &how, &made));
  CloseHandle(file);
  CHECK_INT(WaitForSingleObject(made.hProcess, LIMIT_MS), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(made.hProcess, ret_code));
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  return client_read(output);
}

static void has(const char *text, const char *words) {
  if (!strstr(text, words)) fprintf(stderr, "'%s' is not in:\n%s", words, text);
  CHECK(strstr(text, words) != NULL);
}

/* A windowed program that runs from one of the registered paths is found, asked, and goes. */
static void primary_installer(void) {
  wchar_t source[MAX_PATH], arguments[MAX_PATH * 2], line[MAX_PATH * 4];
  wchar_t *program = client_path(L"updated.exe"), *note = client_path(L"updated-note");
  char expected[128];
  DWORD code;
  swprintf(source, MAX_PATH, L"%ls..\\holder_windowed.exe", client_folder());
  CHECK(CopyFileW(source, program, TRUE));
  swprintf(arguments, ARRAYSIZE(arguments), L"note \"%ls\" window agree", note);
  client_program victim = client_start(program, arguments, 0);
  CHECK(!client_is_free(program));
  swprintf(line, ARRAYSIZE(line), L"\"%lssample_primary.exe\" \"%ls\" \"%ls\"", client_folder(), program,
           client_path(L"not-there-yet.dll"));
  const char *text = run(line, &code);
  snprintf(expected, sizeof expected, "reasons 0\napplication %lu type 1 status 1 restartable 0 updated.exe\n",
           victim.id.dwProcessId);
  has(text, expected);
  has(text, "shutdown 0\nrestart 0\n");
  CHECK_INT(code, 0);
  CHECK_INT(client_wait(&victim), 0);
  const char *told = client_read(note);
  has(told, "query 1\n"); /* WM_QUERYENDSESSION with ENDSESSION_CLOSEAPP */
  has(told, "end 1 1\n"); /* WM_ENDSESSION, it does end, with ENDSESSION_CLOSEAPP */
  CHECK(client_is_free(program));
}

/* The secondary's file counts in the primary's list; its own list is refused. */
static void secondary_installer(void) {
  wchar_t arguments[MAX_PATH * 2], line[MAX_PATH * 8];
  wchar_t *file = client_new_file(L"of-the-secondary"), *free_file = client_new_file(L"of-the-primary");
  wchar_t *note = client_path(L"secondary-note");
  char expected[64];
  DWORD code;
  swprintf(arguments, ARRAYSIZE(arguments), L"open \"%ls\" note \"%ls\" window agree", file, note);
  client_program victim = client_start(L"holder_windowed.exe", arguments, 0);
  swprintf(line, ARRAYSIZE(line),
           L"\"%lssample_primary.exe\" key \"\\\"%lssample_secondary.exe\\\" \\\"%ls\\\" \\\"%ls\\\"\" \"%ls\" \"%ls\"",
           client_folder(), client_folder(), file, free_file, free_file, free_file);
  const char *text = run(line, &code);
  snprintf(expected, sizeof expected, "reasons 0\napplication %lu type 1 ", victim.id.dwProcessId);
  has(text, "secondary's list 1219\n");
  has(text, expected);
  has(text, "shutdown 0\nrestart 0\n");
  CHECK_INT(code, 0);
  CHECK_INT(client_wait(&victim), 0);
  has(client_read(note), "end 1 1\n");
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(primary_installer), CHECK_TEST(secondary_installer)};
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
