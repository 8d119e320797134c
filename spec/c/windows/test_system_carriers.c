/* test_system_carriers.c: the `system` manager, when the system's Restart Manager would stop who has started us: each
 * test runs in a child of this program, whose parent is shown as affected. SPDX-License-Identifier: MIT */
#include "os/windows/create_process.h"
#include "system_fixture.h"

#include <stdlib.h>
#include <wchar.h>

enum { LIMIT_MS = 60000 };

static DWORD parent;

static RM_PROCESS_INFO shown_parent(void) {
  rsm_process process;
  CHECK_INT(rsm_process_find(parent, &process, NULL), RSM_OK);
  RM_PROCESS_INFO info = nobody(parent, L"shell", RmConsole, RUN);
  info.Process.ProcessStartTime = file_time(process.start_time);
  return info;
}

static void show_parent(ULONG status) {
  RM_PROCESS_INFO info = shown_parent();
  begin_script();
  info.AppStatus = status;
  show(&orders->before, &info);
  info.AppStatus = status == RUN ? STOPPED : status;
  show(&orders->after_shutdown, &info);
}

static void check_critical(rsm_session *session, uint32_t of_the_list) {
  rsm_list *list = list_now(session);
  CHECK_INT(rsm_list_count(list), 1);
  CHECK_INT(rsm_list_at(list, 0)->type, RSM_APP_CRITICAL);
  CHECK_INT(rsm_list_at(list, 0)->reboot_reasons, RSM_REBOOT_DETECTED_SELF);
  CHECK_INT(rsm_list_reboot_reasons(list), of_the_list);
  rsm_list_free(list);
}

static void a_parent_is_not_stopped(void) {
  rsm_report *report = NULL;
  rsm_error error;
  show_parent(RUN);
  rsm_session *session = begin_session();
  check_critical(session, RSM_REBOOT_DETECTED_SELF);
  CHECK_INT(rsm_session_shutdown(session, NULL, &report, &error), RSM_NOACTION_REBOOT);
  CHECK_WORDS(error.detail, "what carries it");
  check_one(report, RSM_OUTCOME_ALIVE, "shell");
  CHECK_INT(orders->shutdowns, 0); /* the system was not even asked */
  CHECK(!rsm_session_owes_restart(session));
  rsm_report_free(report);
  rsm_session_free(session);
}

static void one_that_a_filter_keeps_is_in_nobodys_way(void) {
  rsm_report *report = NULL;
  rsm_error error;
  show_parent(RUN | RmStatusShutdownMasked);
  rsm_session *session = begin_session();
  check_critical(session, 0);
  CHECK_INT(rsm_session_shutdown(session, NULL, &report, &error), RSM_OK);
  check_one(report, RSM_OUTCOME_KEPT, "shell");
  rsm_report_free(report);
  rsm_session_free(session);
}

static void one_that_was_excepted_is_stopped(void) {
  rsm_process process;
  rsm_report *report = NULL;
  rsm_session *session;
  rsm_error error;
  show_parent(RUN);
  CHECK_INT(rsm_process_find(parent, &process, NULL), RSM_OK);
  const rsm_start_options options = {.manager = "system", .stoppable = &process, .stoppable_count = 1};
  CHECK_INT(rsm_session_start(&options, &session, &error), RSM_OK);
  CHECK_INT(rsm_session_shutdown(session, NULL, &report, &error), RSM_OK);
  check_one(report, RSM_OUTCOME_STOPPED, "shell");
  CHECK_INT(orders->shutdowns, 1);
  rsm_report_free(report);
  rsm_session_end(session, RSM_END_LEAVE_STOPPED, NULL);
  rsm_session_free(session);
}

static const check_test tests[] = {
    CHECK_TEST(a_parent_is_not_stopped),
    CHECK_TEST(one_that_a_filter_keeps_is_in_nobodys_way),
    CHECK_TEST(one_that_was_excepted_is_stopped),
};

static int run_child(void) {
  WCHAR program[MAX_PATH], line[2 * MAX_PATH];
  STARTUPINFOW how = {.cb = sizeof how};
  PROCESS_INFORMATION made;
  DWORD code = 1;
  CHECK(GetModuleFileNameW(NULL, program, MAX_PATH));
  swprintf(line, ARRAYSIZE(line), L"\"%ls\"", program);
  swprintf(program, ARRAYSIZE(program), L"%lu", GetCurrentProcessId());
  CHECK(SetEnvironmentVariableW(L"CHILD_OF", program));
  CHECK(rsm__create_process(NULL, line, TRUE, 0, NULL, NULL, &how, &made));
  CHECK_INT(WaitForSingleObject(made.hProcess, LIMIT_MS), WAIT_OBJECT_0);
  CHECK(GetExitCodeProcess(made.hProcess, &code));
  CloseHandle(made.hThread);
  CloseHandle(made.hProcess);
  return (int)code;
}

int main(int argc, char **argv) {
  const char *child_of = getenv("CHILD_OF");
  if (!child_of) return run_child();
  parent = (DWORD)strtoul(child_of, NULL, 10);
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
