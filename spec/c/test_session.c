/* test_session.c: roles, resources, listing, stopping, starting, step by step: through the public header,
 * with real processes. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>

#include "programs.h"

static void a_key_is_32_digits(void) {
  rsm_session *session = start(), *other = start();
  CHECK_INT(strlen(rsm_session_key(session)), RSM_KEY_LENGTH);
  CHECK_INT(strspn(rsm_session_key(session), "0123456789abcdef"), RSM_KEY_LENGTH);
  CHECK(strcmp(rsm_session_key(session), rsm_session_key(other)) != 0);
  finish(session);
  CHECK_INT(count_stored() > 0, 1); /* the other is not touched */
  finish(other);
}

static void options_are_checked(void) {
  rsm_session *session = NULL;
  char name[300];
  memset(name, 'n', sizeof name);
  name[256] = '\0';
  CHECK_INT(rsm_session_start(&(rsm_start_options){.name = name}, &session, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm_session_start(&(rsm_start_options){.manager = "nobody"}, &session, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm_session_start(&(rsm_start_options){.manager = "system"}, &session, &error), RSM_NOT_SUPPORTED);
  CHECK_INT(
      rsm_session_start(&(rsm_start_options){.stoppable = &(rsm_process){0}, .stoppable_count = 1}, &session, &error),
      RSM_BAD_ARGUMENTS);
  CHECK(!session);
  CHECK(rsm_manager_known("builtin") && rsm_manager_known("fake") && !rsm_manager_known("nobody"));
  name[255] = '\0';
  MUST(rsm_session_start(&(rsm_start_options){.name = name, .manager = "builtin"}, &session, &error));
  rsm_sessions *sessions = NULL;
  MUST(rsm_sessions_list(&sessions, &error));
  bool found = false;
  for (size_t i = 0; i < rsm_sessions_count(sessions); i++) {
    const rsm_session_info *info = rsm_sessions_at(sessions, i);
    if (strcmp(info->key, rsm_session_key(session)) != 0) continue;
    found = true;
    CHECK_TEXT(info->name, name);
    CHECK(!info->abandoned && info->primary.pid == (uint32_t)getpid() && rsm_list_count(info->stopped) == 0);
    CHECK(info->started_at <= time(NULL) && info->started_at > time(NULL) - 60);
  }
  CHECK(found);
  rsm_sessions_free(sessions);
  finish(session);
}

static void only_a_running_session_can_be_joined(void) {
  static const char *const malformed[] = {"",
                                          "0",
                                          "0123456789abcdef0123456789abcde",
                                          "0123456789abcdef0123456789abcdef0",
                                          "0123456789abcdef0123456789abcdeg",
                                          "../../../../../../../../../../../etc",
                                          "0123456789abcdef 123456789abcdef",
                                          "00000000000000000000000000000000"};
  rsm_session *session = NULL;
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    CHECK_INT(rsm_session_join(malformed[i], &session, &error), RSM_CREDENTIAL_CONFLICT);
    CHECK_INT(rsm_session_adopt(malformed[i], &session, &error), RSM_CREDENTIAL_CONFLICT);
    CHECK(!session && error.status == RSM_CREDENTIAL_CONFLICT);
  }
  unsetenv(RSM_KEY_VARIABLE);
  CHECK_INT(rsm_session_join(NULL, &session, &error), RSM_ENVVAR_NOT_FOUND);
  CHECK_INT(rsm_session_adopt(NULL, &session, &error), RSM_BAD_ARGUMENTS);
  rsm_session *primary = start();
  char key[RSM_KEY_LENGTH + 1];
  memcpy(key, rsm_session_key(primary), sizeof key);
  CHECK_INT(rsm_session_adopt(key, &session, &error), RSM_BUSY); /* its primary lives */
  for (char *c = key; *c; c++)
    if (*c >= 'a') *c = (char)(*c - 'a' + 'A');
  MUST(rsm_session_join(key, &session, &error)); /* either case, in the same process, too */
  CHECK(rsm_session_role(session) == RSM_SECONDARY);
  CHECK_TEXT(rsm_session_key(session), rsm_session_key(primary));
  rsm_session_free(session);
  session = NULL;
  setenv(RSM_KEY_VARIABLE, key, 1);
  MUST(rsm_session_join(NULL, &session, &error));
  unsetenv(RSM_KEY_VARIABLE);
  rsm_session_free(session);
  session = NULL;
  finish(primary);
  CHECK_INT(rsm_session_join(key, &session, &error), RSM_CREDENTIAL_CONFLICT); /* has ended */
  CHECK(!session);
}

static void a_secondary_only_registers(void) {
  rsm_session *primary = start(), *secondary = NULL;
  MUST(rsm_session_join(rsm_session_key(primary), &secondary, &error));
  const rsm_filter filter = {.exe = "/none", .action = RSM_NO_RESTART};
  rsm_list *list = NULL;
  rsm_report *report = NULL;
  rsm_filter_list *filters = NULL;
  rsm_resource_list *resources = NULL;
  CHECK_INT(rsm_session_list(secondary, NULL, &list, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_shutdown(secondary, NULL, &report, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_restart(secondary, NULL, &report, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_add_filter(secondary, &filter, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_remove_filter(secondary, &filter, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_filters(secondary, &filters, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_resources(secondary, &resources, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_cancel(secondary, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK(!list && !report && !filters && !resources && !rsm_session_owes_restart(secondary));
  MUST(add_file(secondary, file));
  finish(secondary); /* leaves; what it registered stays */
  MUST(rsm_session_resources(primary, &resources, &error));
  CHECK_INT(rsm_resource_list_count(resources), 1);
  CHECK_TEXT(rsm_resource_list_at(resources, 0)->name, file);
  CHECK_INT(rsm_resource_list_at(resources, 0)->by.pid, getpid());
  rsm_resource_list_free(resources);
  finish(primary);
}

static void a_session_ends_once(void) {
  rsm_session *primary = start(), *secondary = NULL;
  MUST(rsm_session_join(rsm_session_key(primary), &secondary, &error));
  MUST(rsm_session_end(primary, RSM_END_LEAVE_ABANDONED, &error)); /* owes nothing: is removed */
  CHECK_INT(rsm_session_end(primary, RSM_END_LEAVE_ABANDONED, &error), RSM_INVALID_HANDLE);
  CHECK(!rsm_session_is_open(primary) && !rsm_session_owes_restart(primary));
  CHECK_INT(strlen(rsm_session_key(primary)), RSM_KEY_LENGTH);
  CHECK_INT(add_file(primary, file), RSM_INVALID_HANDLE);
  CHECK_INT(rsm_session_list(primary, NULL, NULL, &error), RSM_INVALID_HANDLE);
  CHECK_INT(add_file(secondary, file), RSM_INVALID_HANDLE); /* the primary has gone */
  CHECK_INT(rsm_session_register(secondary, &(rsm_resources){0}, &error), RSM_INVALID_HANDLE);
  rsm_session_free(secondary);
  rsm_session_free(primary);
  CHECK(!rsm_session_free(NULL));
}

static void registering_is_all_or_nothing(void) {
  rsm_session *session = start();
  const char *files[] = {file, ""}, *services[] = {"none.service"};
  rsm_process nobody = {.pid = 4194304 + 77}, mine = {.pid = (uint32_t)getpid()};
  rsm_resource_list *list = NULL;
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = 2}, &error),
            RSM_BAD_ARGUMENTS);
  CHECK_INT(
      rsm_session_register(
          session, &(rsm_resources){.files = files, .file_count = 1, .processes = &nobody, .process_count = 1}, &error),
      RSM_NOT_FOUND);
  CHECK(error.subject[0]);
  CHECK(rsm_session_register(
            session, &(rsm_resources){.files = files, .file_count = 1, .services = services, .service_count = 1},
            &error) != RSM_OK);
  MUST(rsm_session_resources(session, &list, &error));
  CHECK_INT(rsm_resource_list_count(list), 0);
  rsm_resource_list_free(list);
  MUST(rsm_session_register(session, &(rsm_resources){.processes = &mine, .process_count = 1}, &error));
  MUST(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = 1}, &error));
  MUST(rsm_session_resources(session, &list, &error));
  CHECK_INT(rsm_resource_list_count(list), 2);
  CHECK(rsm_resource_list_at(list, 0)->kind == RSM_RESOURCE_PROCESS &&
        rsm_resource_list_at(list, 0)->process.start_time);
  rsm_resource_list_free(list);
  finish(session);
}

/* ---- Listing, stopping, starting ---- */

static void the_list_has_exactly_the_users(void) {
  char other[sizeof file + 8];
  snprintf(other, sizeof other, "%s.other", file);
  close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  pid_t child = hold("r"), second = hold_another(file, ""), stranger = hold_another(other, "");
  rsm_session *session = start_with_file();
  rsm_list *list = NULL;
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK_INT(rsm_list_count(list), 2);
  for (size_t i = 0; i < 2; i++) {
    const rsm_app *app = rsm_list_at(list, i);
    CHECK(app->process.pid == (uint32_t)child || app->process.pid == (uint32_t)second);
    CHECK(app->process.start_time && app->affected && app->status == RSM_APP_RUNNING && app->use_count == 1);
    CHECK_TEXT(app->uses[0].path, file);
    CHECK(app->uses[0].how == RSM_USE_OPEN && app->uses[0].access == RSM_ACCESS_READ && !app->uses[0].deleted);
    CHECK_INT(app->restartable, app->process.pid == (uint32_t)child);
    CHECK(app->command_count == 5 && strcmp(app->command[1], "--hold") == 0 && app->reboot_reasons == 0);
  }
  CHECK_INT(rsm_list_reboot_reasons(list), 0);
  rsm_list_free(list);
  CHECK_INT(rsm_session_restart(session, NULL, NULL, &error), RSM_OUT_OF_SEQUENCE);
  end_child(child);
  end_child(second);
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK_INT(rsm_list_count(list), 0);
  rsm_list_free(list);
  end_child(stranger);
  unlink(other);
  finish(session);
}

static void what_is_stopped_comes_back_once(void) {
  pid_t child = hold("r");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  rsm_list *list = NULL;
  MUST(shut_down(session, false, &report));
  CHECK(!runs(child) && rsm_session_owes_restart(session));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_STOPPED, 0)->process.pid, child);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE) + rsm_report_count(report, RSM_OUTCOME_NEW), 0);
  report = rsm_report_free(report);
  end_child(child);
  MUST(rsm_session_list(session, NULL, &list, &error)); /* is remembered */
  CHECK(rsm_list_count(list) == 1 && rsm_list_at(list, 0)->status == RSM_APP_STOPPED);
  list = rsm_list_free(list);
  MUST(shut_down(session, false, NULL)); /* nobody is left: nothing is done to it a second time */
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_process again = rsm_report_at(report, RSM_OUTCOME_RESTARTED, 0)->restarted_as;
  report = rsm_report_free(report);
  wait_for_starts(2);
  CHECK(!rsm_session_owes_restart(session));
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK(rsm_list_count(list) == 1 && rsm_process_equal(&rsm_list_at(list, 0)->process, &again));
  CHECK_INT(rsm_list_at(list, 0)->status, RSM_APP_RUNNING | RSM_APP_STOPPED | RSM_APP_RESTARTED);
  list = rsm_list_free(list);
  MUST(rsm_session_restart(session, NULL, &report, &error)); /* a second time there is nothing to do */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 0);
  rsm_report_free(report);
  finish(session);
  end_last(2);
}

static void one_that_did_not_register_is_left(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  MUST(shut_down(session, false, NULL));
  end_child(child);
  MUST(rsm_session_restart(session, &(rsm_restart_options){.has_unregistered = true}, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_LEFT_STOPPED), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_LEFT_STOPPED, 0)->left_why, RSM_LEFT_NOT_REGISTERED);
  report = rsm_report_free(report);
  CHECK_INT(count_starts(NULL), 1);
  MUST(rsm_session_restart(session, NULL, &report, &error)); /* as start said: those, too */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_report_free(report);
  finish(session);
  end_last(2);
}

static void nothing_is_touched_when_we_hold_the_file(void) {
  pid_t child = hold("r");
  rsm_session *session = start_with_file();
  rsm_list *list = NULL;
  rsm_report *report = NULL;
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK_INT(rsm_list_reboot_reasons(list), RSM_REBOOT_DETECTED_SELF);
  CHECK_INT(rsm_list_count(list), 2);
  for (size_t i = 0; i < 2; i++) {
    const rsm_app *app = rsm_list_at(list, i);
    bool self = app->process.pid == (uint32_t)getpid();
    CHECK_INT(app->reboot_reasons, self ? RSM_REBOOT_DETECTED_SELF : 0);
    CHECK_INT(app->type == RSM_APP_CRITICAL, self);
  }
  rsm_list_free(list);
  CHECK_INT(shut_down(session, true, &report), RSM_NOACTION_REBOOT);
  CHECK(error.subject[0] && error.detail[0]);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 0);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE), 2);
  report = rsm_report_free(report);
  sleep_ms(50);
  CHECK(runs(child) && !rsm_session_owes_restart(session));
  MUST(rsm_session_restart(session, NULL, &report, &error)); /* after 350: there is nothing to bring back */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 0);
  rsm_report_free(report);
  rsm_process mine;
  MUST(rsm_process_find((uint32_t)getpid(), &mine, &error));
  MUST(rsm_session_add_filter(session, &(rsm_filter){.process = mine, .action = RSM_NO_SHUTDOWN}, &error));
  MUST(shut_down(session, false, NULL)); /* a filter on ourselves removes the reason */
  CHECK(!runs(child));
  close(fd);
  end_child(child);
  finish(session);
}

static void conditions_are_looked_at_before_anybody_is_touched(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  rsm_process other = {.pid = (uint32_t)child, .start_time = 1};
  CHECK_INT(rsm_session_shutdown(session, &(rsm_shutdown_options){.only_restartable = true}, NULL, &error),
            RSM_FAIL_SHUTDOWN);
  CHECK_INT(rsm_session_shutdown(
                session, &(rsm_shutdown_options){.confirmed = &other, .confirmed_count = 1, .has_confirmed = true},
                &report, &error),
            RSM_MORE_DATA);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_NEW), 1);
  rsm_report_free(report);
  sleep_ms(30);
  CHECK(runs(child));
  MUST(rsm_process_find((uint32_t)child, &other, &error));
  MUST(rsm_session_shutdown(session,
                            &(rsm_shutdown_options){.confirmed = &other, .confirmed_count = 1, .has_confirmed = true},
                            NULL, &error));
  CHECK(!runs(child));
  end_child(child);
  finish(session);
}

static void filtered_ones_survive(void) {
  pid_t kept = hold("r"), masked = hold_another(file, "r");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  rsm_filter keep = {.process = {.pid = (uint32_t)kept}, .action = RSM_NO_SHUTDOWN}; /* bound to who has the pid now */
  rsm_filter leave = {.process = {.pid = (uint32_t)masked}, .action = RSM_NO_RESTART};
  MUST(rsm_session_add_filter(session, &keep, &error));
  MUST(rsm_session_add_filter(session, &leave, &error));
  rsm_filter_list *filters = NULL;
  MUST(rsm_session_filters(session, &filters, &error));
  CHECK(rsm_filter_list_count(filters) == 2 && rsm_filter_list_at(filters, 0)->process.start_time);
  rsm_filter_list_free(filters);
  MUST(shut_down(session, true, &report));
  CHECK(runs(kept) && !runs(masked));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_KEPT), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_KEPT, 0)->process.pid, kept);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  report = rsm_report_free(report);
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_LEFT_STOPPED), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_LEFT_STOPPED, 0)->left_why, RSM_LEFT_RESTART_MASKED);
  rsm_report_free(report);
  MUST(rsm_session_remove_filter(session, &keep, &error));
  CHECK_INT(rsm_session_remove_filter(session, &keep, &error), RSM_FILE_NOT_FOUND);
  CHECK_INT(rsm_session_add_filter(session, &(rsm_filter){.action = RSM_NO_RESTART}, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(count_starts(NULL), 2);
  end_child(kept);
  end_child(masked);
  finish(session);
}

/* First it is deaf, then it is killed: there are two plans for it in the journal, and one start. */
static void a_second_shutdown_does_not_start_twice(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  CHECK_INT(shut_down(session, false, &report), RSM_FAIL_SHUTDOWN);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE), 1);
  report = rsm_report_free(report);
  CHECK(runs(child) && !rsm_session_owes_restart(session));
  MUST(shut_down(session, true, &report));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  report = rsm_report_free(report);
  end_child(child);
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_report_free(report);
  CHECK(!rsm_session_owes_restart(session));
  finish(session);
  sleep_ms(50);
  end_last(2);
}

/* ---- Step by step ---- */

/* Steps to the end; the actions in order as letters. */
static rsm_status step_all(rsm_op *op, char *actions, size_t size) {
  static const char letters[] = "-awkSKFsR";
  rsm_event event;
  unsigned last = 0;
  size_t count = 0;
  long end = now_ms() + LIMIT_MS;
  CHECK_INT(rsm_op_status(op, NULL), RSM_PENDING);
  CHECK(!rsm_op_take_report(op));
  while (rsm_op_step(op, 1000, &event) == RSM_PENDING) {
    CHECK(rsm_op_percent(op) >= last && rsm_op_percent(op) < 100 && now_ms() < end);
    last = rsm_op_percent(op);
    if (event.action == RSM_ACTION_NONE) continue;
    CHECK(event.app && event.app->name && event.app->process.pid && count + 1 < size);
    actions[count++] = letters[event.action];
  }
  actions[count] = '\0';
  CHECK_INT(rsm_op_step(op, 0, &event), RSM_OK); /* for ever after */
  rsm_status status = rsm_op_status(op, &error);
  CHECK_INT(rsm_op_percent(op) == 100, status == RSM_OK);
  return status;
}

static void events_come_in_order(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  rsm_op *op = NULL, *other = NULL;
  char actions[64];
  MUST(rsm_session_begin_shutdown(session, NULL, &op, &error));
  CHECK_INT(rsm_session_begin_list(session, NULL, &other, &error), RSM_BUSY);
  CHECK_INT(add_file(session, file), RSM_BUSY);
  CHECK(runs(child)); /* it moves only when it is stepped */
  MUST(step_all(op, actions, sizeof actions));
  CHECK_TEXT(actions, "awS");
  rsm_report *report = rsm_op_take_report(op);
  CHECK(report && !rsm_op_take_report(op)); /* once */
  rsm_report_free(report);
  CHECK(!rsm_op_free(op));
  end_child(child);
  MUST(rsm_session_begin_restart(session, NULL, &op, &error));
  MUST(step_all(op, actions, sizeof actions));
  CHECK_TEXT(actions, "sR");
  rsm_op_free(op);
  finish(session);
  end_last(2);
}

static void the_deaf_are_killed_after_their_grace(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_op *op = NULL;
  char actions[64];
  long began = now_ms();
  MUST(rsm_session_begin_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 200}, &op, &error));
  CHECK_INT(step_all(op, actions, sizeof actions), RSM_FAIL_SHUTDOWN);
  CHECK_TEXT(actions, "awF");
  CHECK(now_ms() - began >= 200);
  rsm_op_free(op);
  MUST(rsm_session_begin_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 200, .force = true}, &op, &error));
  MUST(step_all(op, actions, sizeof actions));
  CHECK_TEXT(actions, "awkS");
  rsm_op_free(op);
  CHECK(!runs(child));
  end_child(child);
  finish(session);
}

static void an_operation_left_halfway_is_settled(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_op *op = NULL;
  rsm_event event;
  CHECK_INT(rsm_session_begin_shutdown(session, NULL, &op, &error), RSM_OK);
  do CHECK_INT(rsm_op_step(op, 1000, &event), RSM_PENDING);
  while (event.action != RSM_ACTION_ASK);
  long began = now_ms();
  rsm_op_free(op);
  CHECK(now_ms() - began < 3000);
  MUST(rsm_session_list(session, NULL, NULL, &error)); /* not busy any more */
  MUST(rsm_session_begin_shutdown(session, NULL, &op, &error));
  MUST(rsm_session_end(session, RSM_END_LEAVE_STOPPED, &error)); /* settles it */
  CHECK_INT(rsm_op_status(op, &error), RSM_CANCELLED);
  rsm_op_free(op);
  rsm_session_free(session);
  CHECK(runs(child));
  end_child(child);
}

static void *cancel_later(void *session) {
  sleep_ms(200);
  rsm_session_cancel(session, NULL);
  return NULL;
}

static void another_thread_cancels(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  pthread_t thread;
  MUST(rsm_session_cancel(session, &error)); /* nothing runs: success, and the next one is not affected */
  long began = now_ms();
  CHECK_INT(pthread_create(&thread, NULL, cancel_later, session), 0);
  rsm_status status = rsm_session_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 10000}, &report, &error);
  long took = now_ms() - began;
  pthread_join(thread, NULL);
  CHECK_INT(status, RSM_CANCELLED);
  CHECK(took >= 200 && took < 1200);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE), 1);
  report = rsm_report_free(report);
  CHECK(runs(child));
  MUST(shut_down(session, true, &report)); /* not affected by it, and not a second application */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  report = rsm_report_free(report);
  end_child(child);
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_report_free(report);
  finish(session);
  sleep_ms(50);
  end_last(2);
}

static const check_test tests[] = {
    CHECK_TEST(a_key_is_32_digits),
    CHECK_TEST(options_are_checked),
    CHECK_TEST(only_a_running_session_can_be_joined),
    CHECK_TEST(a_secondary_only_registers),
    CHECK_TEST(a_session_ends_once),
    CHECK_TEST(registering_is_all_or_nothing),
    CHECK_TEST(the_list_has_exactly_the_users),
    CHECK_TEST(what_is_stopped_comes_back_once),
    CHECK_TEST(one_that_did_not_register_is_left),
    CHECK_TEST(nothing_is_touched_when_we_hold_the_file),
    CHECK_TEST(conditions_are_looked_at_before_anybody_is_touched),
    CHECK_TEST(filtered_ones_survive),
    CHECK_TEST(a_second_shutdown_does_not_start_twice),
    CHECK_TEST(events_come_in_order),
    CHECK_TEST(the_deaf_are_killed_after_their_grace),
    CHECK_TEST(an_operation_left_halfway_is_settled),
    CHECK_TEST(another_thread_cancels),
};

int main(int argc, char **argv) {
  return run_with_programs(tests, sizeof tests / sizeof *tests, argc, argv);
}
