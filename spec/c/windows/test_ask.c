/* test_ask.c: asking programs to end, by their windows and by their consoles. SPDX-License-Identifier: MIT */
#include "victims.h"

#include <stdbool.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/wait.h"
#include "os/windows/console.h"
#include "os/windows/create_process.h"

enum { SOON_MS = 5000, HANGS_MS = 9000 };

static wchar_t note[MAX_PATH];

static void new_note(void) {
  wchar_t folder[MAX_PATH];
  CHECK(GetTempPathW(MAX_PATH, folder) && GetTempFileNameW(folder, L"ask", 0, note));
}

/* What the victim wrote down, a line each, joined by ';'. */
static const char *read_note(void) {
  static char text[4096];
  DWORD got = 0;
  HANDLE file = CreateFileW(note, GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE && ReadFile(file, text, sizeof text - 1, &got, NULL));
  CloseHandle(file);
  text[got] = '\0';
  for (char *at = text; *at; at++)
    if (*at == '\n') *at = ';';
  const char *first = strchr(text, ';'); /* "start PID ..." */
  return first ? first + 1 : text;
}

static victim run_noting(const wchar_t *program, const wchar_t *orders, DWORD flags) {
  wchar_t all[1024];
  new_note();
  _snwprintf(all, 1024, L"note \"%ls\" %ls", note, orders);
  return victim_run(program, all, flags);
}

static rsm_status wait_for_answer(rsm__process *process, DWORD within_ms, rsm_error *error) {
  uint64_t until = rsm__clock_ms() + within_ms;
  rsm_status answer;
  while ((answer = rsm__process_answer(process, error)) == RSM_PENDING && rsm__clock_ms() < until)
    rsm__wait_any(&process, 1, until, NULL, NULL);
  return answer;
}

static void end_quietly(victim *v, rsm__process *process) {
  rsm__process_close(process);
  victim_end(v);
  DeleteFileW(note);
}

/* ---- Windows ----------------------------------------------------------------------------------------------------- */

static void test_agrees(void) {
  victim v = run_noting(L"holder_windowed.exe", L"window agree", 0);
  rsm__process *process = victim_open(&v);
  rsm_error error = {0};
  CHECK_INT(rsm__process_ask(process, NULL, 0, &error), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, &error), RSM_OK);
  CHECK(!victim_ends(&v, 200)); /* it was asked whether it will, not told to */
  CHECK_TEXT(read_note(), "query 1;");
  rsm__process_proceed(process);
  CHECK(victim_ends(&v, SOON_MS));
  CHECK(strstr(read_note(), "query 1;end 1 1;"));
  CHECK(!strstr(read_note(), "close"));
  end_quietly(&v, process);
}

static void test_refuses(void) {
  victim v = run_noting(L"holder_windowed.exe", L"window veto", 0);
  rsm__process *process = victim_open(&v);
  rsm_error error = {0};
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, &error), RSM_FAIL_SHUTDOWN);
  CHECK(strstr(error.detail, "refuses") && strstr(error.subject, "pid "));
  rsm__process_withdraw(process);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (!strstr(read_note(), "end 0 1;") && rsm__clock_ms() < until) Sleep(20);
  CHECK_TEXT(read_note(), "query 1;end 0 1;");
  CHECK(rsm__process_alive(process));
  end_quietly(&v, process);
}

/* With force it is told all the same. */
static void test_refuses_and_is_told(void) {
  victim v = run_noting(L"holder_windowed.exe", L"window veto", 0);
  rsm__process *process = victim_open(&v);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, NULL), RSM_FAIL_SHUTDOWN);
  rsm__process_proceed(process);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (!strstr(read_note(), "close;") && rsm__clock_ms() < until) Sleep(20);
  CHECK_TEXT(read_note(), "query 1;end 1 1;close;");
  end_quietly(&v, process);
}

static void test_closing_the_handle_withdraws(void) {
  victim v = run_noting(L"holder_windowed.exe", L"window agree", 0);
  rsm__process *process = victim_open(&v);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, NULL), RSM_OK);
  rsm__process_close(process);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (!strstr(read_note(), "end 0 1;") && rsm__clock_ms() < until) Sleep(20);
  CHECK_TEXT(read_note(), "query 1;end 0 1;");
  CHECK(!victim_ends(&v, 100));
  end_quietly(&v, NULL);
}

static void test_is_destroyed_late(void) {
  victim v = run_noting(L"holder_windowed.exe", L"window-late 2", 0);
  rsm__process *process = victim_open(&v);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, NULL), RSM_OK);
  rsm__process_proceed(process);
  CHECK(!victim_ends(&v, 1000));
  CHECK(victim_ends(&v, SOON_MS));
  end_quietly(&v, process);
}

static void test_hangs(void) {
  victim v = victim_run(L"holder_windowed.exe", L"window hang", 0);
  rsm__process *process = victim_open(&v);
  rsm_error error = {0};
  uint64_t begin = rsm__clock_ms();
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK(rsm__clock_ms() - begin < 1000); /* asking does not wait */
  CHECK_INT(rsm__process_answer(process, NULL), RSM_PENDING);
  CHECK_INT(wait_for_answer(process, HANGS_MS, &error), RSM_TIMEOUT);
  CHECK(strstr(error.detail, "hangs"));
  /* By now the system knows that it hangs. */
  begin = rsm__clock_ms();
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, HANGS_MS, &error), RSM_TIMEOUT);
  CHECK(rsm__clock_ms() - begin < 2000);
  end_quietly(&v, process);
}

static void test_several_at_once(void) {
  enum { COUNT = 3 };
  victim victims[COUNT];
  rsm__process *all[COUNT];
  uint64_t begin = rsm__clock_ms();
  for (size_t i = 0; i < COUNT; i++) victims[i] = victim_run(L"holder_windowed.exe", L"window hang", 0);
  for (size_t i = 0; i < COUNT; i++) all[i] = victim_open(&victims[i]);
  for (size_t i = 0; i < COUNT; i++) CHECK_INT(rsm__process_ask(all[i], NULL, 0, NULL), RSM_OK);
  for (size_t i = 0; i < COUNT; i++) CHECK_INT(wait_for_answer(all[i], HANGS_MS, NULL), RSM_TIMEOUT);
  CHECK(rsm__clock_ms() - begin < 10000);
  for (size_t i = 0; i < COUNT; i++) end_quietly(&victims[i], all[i]);
}

static void test_nothing_to_ask(void) {
  victim v = victim_run(L"holder_windowed.exe", L"", 0);
  rsm__process *process = victim_open(&v);
  rsm_error error = {0};
  CHECK_INT(rsm__process_ask(process, NULL, 0, &error), RSM_NOT_SUPPORTED);
  CHECK(strstr(error.detail, "neither a window nor a console"));
  CHECK(rsm__process_alive(process));
  end_quietly(&v, process);
}

/* ---- Consoles ---------------------------------------------------------------------------------------------------- */

static void ask_console(victim *v, rsm__process *process) {
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, NULL), RSM_OK);
  CHECK(!victim_ends(v, 100));
  rsm__process_proceed(process);
}

static void test_console(void) {
  victim v = run_noting(L"holder.exe", L"", CREATE_NEW_CONSOLE);
  rsm__process *process = victim_open(&v);
  ask_console(&v, process);
  CHECK(victim_ends(&v, SOON_MS));
  CHECK(strstr(read_note(), "term"));
  end_quietly(&v, process);
}

static void test_deaf_console(void) {
  victim v = victim_run(L"holder.exe", L"ignore TERM", CREATE_NEW_CONSOLE);
  rsm__process *process = victim_open(&v);
  rsm_error error = {0};
  ask_console(&v, process);
  CHECK(!victim_ends(&v, 2000));
  CHECK_INT(rsm__process_answer(process, &error), RSM_OK); /* it was asked; that it stays is its own affair */
  end_quietly(&v, process);
}

static void test_without_a_console(void) {
  victim v = victim_run(L"holder.exe", L"console none", CREATE_NEW_CONSOLE);
  rsm__process *process = victim_open(&v);
  rsm_error error = {0};
  ask_console(&v, process);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (rsm__process_answer(process, &error) == RSM_OK && rsm__clock_ms() < until) Sleep(20);
  CHECK_INT(rsm__process_answer(process, &error), RSM_NOT_SUPPORTED);
  CHECK(strstr(error.detail, "neither a window nor a console"));
  CHECK(rsm__process_alive(process));
  end_quietly(&v, process);
}

/* In this console live: this program once more, and the victim that it starts there. */
static int share_console(void) {
  victim v = victim_run(L"holder.exe", L"", 0);
  printf("%u\n", (unsigned)v.id.pid);
  fflush(stdout);
  Sleep(20000);
  return 0;
}

static uint32_t read_number(HANDLE from) {
  char text[32] = "";
  DWORD got;
  for (size_t i = 0; i < sizeof text - 1 && ReadFile(from, text + i, 1, &got, NULL) && got == 1; i++)
    if (text[i] == '\n') return (uint32_t)strtoul(text, NULL, 10);
  fprintf(stderr, "no number: %s\n", text);
  exit(1);
}

static PROCESS_INFORMATION start_sharing(uint32_t *ret_victim) {
  wchar_t path[MAX_PATH], line[MAX_PATH + 64];
  HANDLE from, output;
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  CHECK(CreatePipe(&from, &output, &inherited, 0) && GetModuleFileNameW(NULL, path, MAX_PATH));
  STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = output};
  PROCESS_INFORMATION started;
  _snwprintf(line, RSM_COUNT(line), L"\"%ls\" --share-console", path);
  CHECK(rsm__create_process(path, line, TRUE, CREATE_NEW_CONSOLE, NULL, NULL, &startup, &started));
  CloseHandle(output);
  *ret_victim = read_number(from);
  CloseHandle(from);
  return started;
}

static void test_shared_console(void) {
  rsm_process victim_id = {0};
  PROCESS_INFORMATION other = start_sharing(&victim_id.pid);
  rsm__process *process = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__process_open(&victim_id, &process, NULL), RSM_OK);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, NULL), RSM_OK);
  rsm__process_proceed(process);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (rsm__process_answer(process, &error) == RSM_OK && rsm__clock_ms() < until) Sleep(20);
  CHECK_INT(rsm__process_answer(process, &error), RSM_NOT_SUPPORTED);
  CHECK(strstr(error.detail, "share its console"));
  CHECK(WaitForSingleObject(other.hProcess, 0) == WAIT_TIMEOUT && rsm__process_alive(process));
  /* The other one is to be stopped, too: then nobody else is there. */
  rsm_process company[] = {victim_id, {.pid = other.dwProcessId}};
  CHECK_INT(rsm__process_ask(process, company, 2, NULL), RSM_OK);
  CHECK_INT(wait_for_answer(process, SOON_MS, NULL), RSM_OK);
  rsm__process_proceed(process);
  Sleep(1000);
  CHECK_INT(rsm__process_answer(process, &error), RSM_OK);
  rsm__process_kill(process, NULL);
  rsm__process_close(process);
  TerminateProcess(other.hProcess, 9);
  CloseHandle(other.hProcess);
  CloseHandle(other.hThread);
}

/* A parent is interrupted with its children. */
static void test_console_with_a_child(void) {
  victim v = victim_run(L"holder.exe", L"fork 1", CREATE_NEW_CONSOLE);
  rsm__process *process = victim_open(&v);
  ask_console(&v, process);
  CHECK(victim_ends(&v, SOON_MS));
  end_quietly(&v, process);
}

static void test_no_helper(void) {
  victim v = victim_run(L"holder.exe", L"", CREATE_NEW_CONSOLE);
  rsm__process *process = victim_open(&v);
  rsm_error error = {0};
  const wchar_t *before = rsm__console_helper_program;
  rsm__console_helper_program = NULL; /* this program is made without a DLL of ours */
  ask_console(&v, process);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (rsm__process_answer(process, &error) == RSM_OK && rsm__clock_ms() < until) Sleep(20);
  rsm__console_helper_program = before;
  CHECK_INT(rsm__process_answer(process, &error), RSM_NOT_SUPPORTED);
  CHECK(strstr(error.detail, "core.dll"));
  end_quietly(&v, process);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_agrees),
      CHECK_TEST(test_refuses),
      CHECK_TEST(test_refuses_and_is_told),
      CHECK_TEST(test_closing_the_handle_withdraws),
      CHECK_TEST(test_is_destroyed_late),
      CHECK_TEST(test_hangs),
      CHECK_TEST(test_several_at_once),
      CHECK_TEST(test_nothing_to_ask),
      CHECK_TEST(test_console),
      CHECK_TEST(test_deaf_console),
      CHECK_TEST(test_without_a_console),
      CHECK_TEST(test_shared_console),
      CHECK_TEST(test_console_with_a_child),
      CHECK_TEST(test_no_helper),
  };
  static wchar_t self[MAX_PATH];
  if (argc == 2 && strcmp(argv[1], "--share-console") == 0) return share_console();
  if (argc == 3 && strcmp(argv[1], "console-helper") == 0) {
    const wchar_t *command = wcsrchr(GetCommandLineW(), L' ');
    return (int)rsm__console_help(command + 1);
  }
  CHECK(GetModuleFileNameW(NULL, self, MAX_PATH) < MAX_PATH);
  rsm__console_helper_program = self;
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
