/* test_restart_crash.c: an installer stops a program and dies while it starts it again; whoever adopts its session
 * finishes that, and the program runs once. SPDX-License-Identifier: MIT */
#include "child.h"

#include <shellapi.h>

#include "base/cleanup.h"
#include "os/windows/launch_hooks.h"
#include "os/windows/wide.h"
#include "rsm.h"

static rsm_error problem;

static void must(rsm_status status) {
  char words[384];
  if (status != RSM_OK) fprintf(stderr, "%s\n", rsm_error_format(&problem, words, sizeof words));
  CHECK_INT(status, RSM_OK);
}

/* ---- The installer's side ---- */

static int last_hook;

static void die_at(int hook) {
  if (hook == last_hook) TerminateProcess(GetCurrentProcess(), 9);
}

/* installer HOOK PID KEYFILE: stops the process, and dies while it starts it again. */
static int run_installer(char **argv, const wchar_t *key_path) {
  rsm_session *session = NULL;
  rsm_start_options options = {.manager = "builtin", .name = "dies"};
  rsm_process process = {.pid = (uint32_t)atoi(argv[3])};
  rsm_resources resources = {.processes = &process, .process_count = 1};
  rsm_shutdown_options shutdown = {.force = true, .timeout_ms = 500};
  rsm_restart_options restart = {.unregistered = true, .has_unregistered = true};
  must(rsm_session_start(&options, &session, &problem));
  FILE *to = _wfopen(key_path, L"wb");
  CHECK(to && fputs(rsm_session_key(session), to) >= 0);
  fclose(to);
  must(rsm_session_register(session, &resources, &problem));
  must(rsm_session_shutdown(session, &shutdown, NULL, &problem));
  last_hook = atoi(argv[2]);
  rsm__launch_hook_function = die_at;
  rsm_session_restart(session, &restart, NULL, &problem);
  return 5; /* it should have died */
}

/* ---- The test's side ---- */

static size_t count_lines(const wchar_t *path, char *text, size_t size) {
  size_t count = 0;
  FILE *from = _wfopen(path, L"rb");
  text[0] = '\0';
  if (!from) return 0;
  text[fread(text, 1, size - 1, from)] = '\0';
  fclose(from);
  for (const char *at = text; *at; at++) count += *at == '\n';
  return count;
}

/* How often the program has run; waits a moment for what may be on its way. */
static size_t runs(const wchar_t *note, char *text, size_t size, size_t wanted) {
  for (int i = 0; i < 1000 && count_lines(note, text, size) < wanted; i++) Sleep(10);
  Sleep(400);
  return count_lines(note, text, size);
}

static void check_hook(int hook) {
  const wchar_t *note = child_path(L"runs"), *key_path = child_path(L"key");
  wchar_t line[4096];
  char text[4096], key[RSM_KEY_LENGTH + 1] = "";
  DWORD code = 0;
  rsm_session *session = NULL;
  DeleteFileW(note);
  swprintf(line, 4096, L"\"%ls\" counted \"%ls\"", child_program(), note);
  child victim = child_start(line, CREATE_NO_WINDOW, NULL, NULL);
  CHECK_INT(runs(note, text, sizeof text, 1), 1);
  swprintf(line, 4096, L"\"%ls\" installer %d %lu \"%ls\"", child_program(), hook, victim.info.dwProcessId, key_path);
  child installer = child_start(line, CREATE_NO_WINDOW, NULL, NULL);
  CHECK_INT(WaitForSingleObject(installer.info.hProcess, 60000), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(installer.info.hProcess, &code));
  CHECK_INT(code, 9);
  CHECK_INT(WaitForSingleObject(victim.info.hProcess, 0), WAIT_OBJECT_0);
  FILE *from = _wfopen(key_path, L"rb");
  CHECK(from && fread(key, 1, RSM_KEY_LENGTH, from) == RSM_KEY_LENGTH);
  fclose(from);
  rsm_restart_options restart = {.unregistered = true, .has_unregistered = true};
  must(rsm_session_adopt(key, &session, &problem));
  must(rsm_session_restart(session, &restart, NULL, &problem));
  CHECK_INT(runs(note, text, sizeof text, 2), 2); /* once before, and once again */
  must(rsm_session_restart(session, &restart, NULL, &problem));
  CHECK_INT(runs(note, text, sizeof text, 2), 2);
  CHECK(!rsm_session_owes_restart(session));
  must(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &problem));
  rsm_session_free(session);
  const char *last = strchr(text, '\n') + 1;
  rsm_process again = {0};
  must(rsm_process_find((uint32_t)atoi(last), &again, &problem)); /* and it runs */
  child_end_started(&again);
  CloseHandle(victim.info.hProcess);
  CloseHandle(victim.info.hThread);
  CloseHandle(victim.job);
  CloseHandle(installer.info.hProcess);
  CloseHandle(installer.info.hThread);
  CloseHandle(installer.job); /* last: what the installer started may be in it */
  DeleteFileW(note);
  DeleteFileW(key_path);
}

static void dies_before_it_names_the_program(void) {
  check_hook(RSM__HOOK_CREATED);
}

static void dies_before_it_sets_it_free(void) {
  check_hook(RSM__HOOK_INTENDED);
}

static void dies_before_it_decides(void) {
  check_hook(RSM__HOOK_FREED);
}

static void dies_before_it_lets_it_go(void) {
  check_hook(RSM__HOOK_DECIDED);
}

static void dies_before_it_notes_it(void) {
  check_hook(RSM__HOOK_RESUMED);
}

static const check_test tests[] = {
    CHECK_TEST(dies_before_it_names_the_program), CHECK_TEST(dies_before_it_sets_it_free),
    CHECK_TEST(dies_before_it_decides),           CHECK_TEST(dies_before_it_lets_it_go),
    CHECK_TEST(dies_before_it_notes_it),
};

static int count_a_run(const wchar_t *note) {
  FILE *to = _wfopen(note, L"ab");
  if (!to) return 3;
  fprintf(to, "%lu\n", GetCurrentProcessId());
  fclose(to);
  Sleep(CHILD_LIMIT_MS);
  return 0;
}

int main(int argc, char **argv) {
  int count = 0;
  wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (argc > 2 && strcmp(argv[1], "counted") == 0) return count_a_run(words[2]);
  if (argc > 4 && strcmp(argv[1], "installer") == 0) return run_installer(argv, words[4]);
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
