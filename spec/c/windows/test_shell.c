/* test_shell.c: the desktop's shell: it carries no installer that it has started, is stopped as such, and not at all if
 * it would not come back. A shell is this program started again, which says that it is one; not on a desktop that has
 * one. SPDX-License-Identifier: MIT */
#include <windows.h>
/* After it. */
#include <winternl.h>

#include "base/cleanup.h"
#include "child.h"
#include "os/windows/handle.h"
#include "rsm.h"
#include "shell_window.h"

enum { LIMIT_MS = 20000, NOT_HERE = 3 };

/* ---- The children ---- */

/* False: there is a shell already. */
static bool become_shell(void) {
  HWND window = CreateWindowExW(0, L"STATIC", L"shell", WS_POPUP | WS_VISIBLE, 0, 0, 10, 10, NULL, NULL, NULL, NULL);
  return window && shell_window_set(window) && GetShellWindow() == window;
}

static child start(const wchar_t *orders) {
  wchar_t line[MAX_PATH * 2];
  swprintf(line, ARRAYSIZE(line), L"\"%ls\"", child_program());
  CHECK(SetEnvironmentVariableW(L"SHELL_ORDERS", orders));
  child started = child_start(line, 0, NULL, NULL);
  CHECK(SetEnvironmentVariableW(L"SHELL_ORDERS", NULL));
  return started;
}

static DWORD code_of(child *started) {
  DWORD code = 1;
  CHECK_INT(WaitForSingleObject(started->info.hProcess, LIMIT_MS), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(started->info.hProcess, &code));
  child_end(started);
  return code;
}

static DWORD run(const wchar_t *orders) {
  child started = start(orders);
  return code_of(&started);
}

/* Is whoever started us among those who carry us? */
static int child_counts(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const rsm_process *carriers;
  size_t count;
  CHECK_INT(rsm__process_carriers(&arena, &carriers, &count, NULL), RSM_OK);
  CHECK_INT(carriers[0].pid, GetCurrentProcessId());
  return count > 1;
}

static int shell_with_child(void) {
  if (!become_shell()) return NOT_HERE;
  return (int)run(L"count");
}

/* Says "ready" by the event, then waits. forgetful: nobody can read its command line any more. */
static int shell_that_waits(bool forgetful) {
  HANDLE ready = OpenEventW(EVENT_MODIFY_STATE, FALSE, L"Local\\rm-test-shell");
  if (!ready || !become_shell()) return NOT_HERE;
  RTL_USER_PROCESS_PARAMETERS *parameters = NtCurrentTeb()->ProcessEnvironmentBlock->ProcessParameters;
  if (forgetful) parameters->CommandLine.Buffer = (PWSTR)(uintptr_t)16;
  CHECK(SetEvent(ready));
  for (MSG message; GetMessageW(&message, NULL, 0, 0) > 0;) DispatchMessageW(&message);
  return 0;
}

static int obey(const wchar_t *orders) {
  if (wcscmp(orders, L"count") == 0) return child_counts();
  if (wcscmp(orders, L"parent") == 0) return (int)run(L"count");
  if (wcscmp(orders, L"shell") == 0) return shell_with_child();
  return shell_that_waits(wcscmp(orders, L"forgetful") == 0);
}

/* ---- The tests ---- */

static void a_shell_carries_nobody(void) {
  CHECK_INT(run(L"parent"), 1);
  DWORD code = run(L"shell");
  if (code == NOT_HERE)
    printf("skipped: this desktop has a shell\n");
  else
    CHECK_INT(code, 0);
}

/* A shell, and the list that it is alone in. */
typedef struct listed {
  child shell;
  rsm_session *session;
  rsm_list *list;
} listed;

/* False: not here. */
static bool list_shell(const wchar_t *orders, listed *ret) {
  RSM_CLEAN_HANDLE HANDLE ready = CreateEventW(NULL, TRUE, FALSE, L"Local\\rm-test-shell");
  ret->shell = start(orders);
  const HANDLE either[] = {ready, ret->shell.info.hProcess};
  DWORD first = WaitForMultipleObjects(2, either, FALSE, LIMIT_MS);
  CHECK(first != WAIT_TIMEOUT);
  if (first != WAIT_OBJECT_0) {
    CHECK_INT(code_of(&ret->shell), NOT_HERE);
    printf("skipped: this desktop has a shell\n");
    return false;
  }
  const rsm_process id = {.pid = ret->shell.info.dwProcessId};
  const rsm_start_options options = {.manager = "builtin"};
  CHECK_INT(rsm_session_start(&options, &ret->session, NULL), RSM_OK);
  CHECK_INT(rsm_session_register(ret->session, &(rsm_resources){.processes = &id, .process_count = 1}, NULL), RSM_OK);
  CHECK_INT(rsm_session_list(ret->session, NULL, &ret->list, NULL), RSM_OK);
  CHECK_INT(rsm_list_count(ret->list), 1);
  CHECK_INT(rsm_list_at(ret->list, 0)->type, RSM_APP_EXPLORER);
  return true;
}

static void end_listed(listed *all) {
  rsm_list_free(all->list);
  rsm_session_end(all->session, RSM_END_LEAVE_STOPPED, NULL);
  rsm_session_free(all->session);
  child_end(&all->shell);
}

static void a_shell_is_an_application(void) {
  listed all;
  if (!list_shell(L"wait", &all)) return;
  CHECK_INT(rsm_list_reboot_reasons(all.list), 0);
  CHECK_INT(rsm_list_at(all.list, 0)->restart_by, RSM_RESTART_BY_COMMAND);
  end_listed(&all);
}

static void one_that_would_not_come_back_is_left_alone(void) {
  listed all;
  rsm_report *report = NULL;
  const rsm_shutdown_options force = {.force = true, .timeout_ms = 1000};
  if (!list_shell(L"forgetful", &all)) return;
  CHECK_INT(rsm_list_reboot_reasons(all.list), RSM_REBOOT_PERMISSION_DENIED);
  CHECK(strstr(rsm_list_at(all.list, 0)->note, "command line"));
  CHECK_INT(rsm_session_shutdown(all.session, &force, &report, NULL), RSM_NOACTION_REBOOT);
  CHECK_INT(WaitForSingleObject(all.shell.info.hProcess, 0), WAIT_TIMEOUT);
  rsm_report_free(report);
  end_listed(&all);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(a_shell_carries_nobody),
      CHECK_TEST(a_shell_is_an_application),
      CHECK_TEST(one_that_would_not_come_back_is_left_alone),
  };
  wchar_t orders[32];
  if (GetEnvironmentVariableW(L"SHELL_ORDERS", orders, ARRAYSIZE(orders))) return obey(orders);
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
