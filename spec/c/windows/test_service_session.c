/* test_service_session.c: a session stops a service with what depends on it, and brings both back.
 * SPDX-License-Identifier: MIT */
#include "made_service.h"

#include "base/cleanup.h"
#include "os/windows/wide.h"
#include "rsm.h"

static rsm_error problem;

static void must(rsm_status status) {
  char words[384];
  if (status != RSM_OK) fprintf(stderr, "%s\n", rsm_error_format(&problem, words, sizeof words));
  CHECK_INT(status, RSM_OK);
}

static const rsm_app *find_app(const rsm_list *list, const char *service) {
  for (size_t i = 0; i < rsm_list_count(list); i++) {
    const rsm_app *app = rsm_list_at(list, i);
    if (app->service && strcmp(app->service, service) == 0) return app;
  }
  return NULL;
}

static size_t position(const char *text, const char *words, const char *after) {
  const char *at = strstr(after ? after : text, words);
  CHECK(at);
  return (size_t)(at - text);
}

static void check_listed(rsm_session *session, const made *base, const made *top) {
  rsm_list *list = NULL;
  must(rsm_session_list(session, NULL, &list, &problem));
  CHECK_INT(rsm_list_count(list), 1);
  const rsm_app *app = find_app(list, base->narrow);
  CHECK(app);
  CHECK_INT(app->type, RSM_APP_SERVICE);
  CHECK(app->restartable && app->restart_by == RSM_RESTART_BY_SERVICE);
  CHECK_INT(app->reboot_reasons, 0);
  CHECK_INT(app->process.pid, state_of(base).dwProcessId);
  CHECK_INT(app->dependent_count, 1);
  CHECK_TEXT(app->dependents[0], top->narrow);
  rsm_list_free(list);
}

static void stops_and_brings_back_in_order(void) {
  wchar_t words[1024], needs[160] = {0};
  const wchar_t *file = child_path(L"data"), *note = child_path(L"story");
  rsm_session *session = NULL;
  rsm_report *report = NULL;
  DeleteFileW(note);
  CloseHandle(CreateFileW(file, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL));
  swprintf(words, 1024, L"note \"%ls\" open \"%ls\"", note, file);
  made base = make_service(L"holds", words, NULL);
  wcscpy(needs, base.name);
  swprintf(words, 1024, L"note \"%ls\" slow 0.5", note);
  made top = make_service(L"leans", words, needs);
  bring_up(&base);
  bring_up(&top);
  RSM_CLEAN_FREE char *path = rsm__narrow_new(file, wcslen(file));
  const char *const files[] = {path};
  must(rsm_session_start(&(rsm_start_options){.manager = "builtin"}, &session, &problem));
  must(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = 1}, &problem));
  check_listed(session, &base, &top);
  must(rsm_session_shutdown(session, NULL, &report, &problem));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 2);
  rsm_report_free(report);
  CHECK_INT(state_of(&base).dwCurrentState, SERVICE_STOPPED);
  CHECK_INT(state_of(&top).dwCurrentState, SERVICE_STOPPED);
  must(rsm_session_restart(session, NULL, &report, &problem));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 2);
  rsm_report_free(report);
  CHECK_INT(state_of(&base).dwCurrentState, SERVICE_RUNNING);
  CHECK_INT(state_of(&top).dwCurrentState, SERVICE_RUNNING);
  must(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &problem));
  rsm_session_free(session);
  /* start base, start top, stop, stop, start base, start top: the second pair by the words of each. */
  const char *story = child_read_note(note, 1000);
  const char *again = strstr(strstr(story, "stop") + 1, "stop");
  CHECK(again);
  CHECK(position(story, base.narrow, again) < position(story, top.narrow, again));
  unmake(&top);
  unmake(&base);
  DeleteFileW(note);
  DeleteFileW(file);
}

static void kills_what_goes_on_too_long(void) {
  rsm_session *session = NULL;
  rsm_report *report = NULL;
  made slow = make_service(L"stays", L"slow 60", NULL);
  bring_up(&slow);
  const char *const names[] = {slow.narrow};
  must(rsm_session_start(&(rsm_start_options){.manager = "builtin"}, &session, &problem));
  must(rsm_session_register(session, &(rsm_resources){.services = names, .service_count = 1}, &problem));
  rsm_shutdown_options polite = {.service_timeout_ms = 700};
  CHECK_INT(rsm_session_shutdown(session, &polite, &report, &problem), RSM_FAIL_SHUTDOWN);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE), 1);
  report = rsm_report_free(report);
  rsm_shutdown_options forced = {.service_timeout_ms = 700, .force = true};
  must(rsm_session_shutdown(session, &forced, &report, &problem));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  report = rsm_report_free(report);
  must(rsm_session_restart(session, NULL, &report, &problem));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_report_free(report);
  must(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &problem));
  rsm_session_free(session);
  CHECK(reaches(&slow, SERVICE_RUNNING));
  unmake(&slow);
}

static void stops_nobody_for_the_deaf(void) {
  rsm_session *session = NULL;
  rsm_list *list = NULL;
  made deaf = make_service(L"refuses", L"deaf", NULL);
  bring_up(&deaf);
  const char *const names[] = {deaf.narrow};
  must(rsm_session_start(&(rsm_start_options){.manager = "builtin"}, &session, &problem));
  must(rsm_session_register(session, &(rsm_resources){.services = names, .service_count = 1}, &problem));
  must(rsm_session_list(session, NULL, &list, &problem));
  CHECK_INT(rsm_list_reboot_reasons(list), RSM_REBOOT_PERMISSION_DENIED);
  CHECK(strstr(find_app(list, deaf.narrow)->note, "does not accept"));
  rsm_list_free(list);
  CHECK_INT(rsm_session_shutdown(session, NULL, NULL, &problem), RSM_NOACTION_REBOOT);
  CHECK_INT(state_of(&deaf).dwCurrentState, SERVICE_RUNNING);
  must(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &problem));
  rsm_session_free(session);
  unmake(&deaf);
}

static const check_test tests[] = {
    CHECK_TEST(stops_and_brings_back_in_order),
    CHECK_TEST(kills_what_goes_on_too_long),
    CHECK_TEST(stops_nobody_for_the_deaf),
};

int main(int argc, char **argv) {
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
