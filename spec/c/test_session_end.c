/* test_session_end.c: how sessions end: in forked children, by crashes, in the store. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "builtin/journal.h"
#include "programs.h"

static void a_forked_child_has_no_session(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  MUST(shut_down(session, false, NULL));
  end_child(child);
  pid_t pid = fork();
  if (pid == 0) {
    int wrong = 0;
    wrong |= add_file(session, file) != RSM_INVALID_HANDLE;
    wrong |= (rsm_session_list(session, NULL, NULL, &error) != RSM_INVALID_HANDLE) << 1;
    wrong |= (rsm_session_restart(session, NULL, NULL, &error) != RSM_INVALID_HANDLE) << 2;
    wrong |= rsm_session_is_open(session) << 3;
    wrong |= rsm_session_owes_restart(session) << 4;
    wrong |= (rsm_session_free(session) != NULL) << 5;
    _exit(wrong);
  }
  int status;
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
  CHECK(rsm_session_is_open(session) && rsm_session_owes_restart(session) && count_stored() > 0);
  MUST(rsm_session_restart(session, NULL, NULL, &error));
  finish(session);
  end_last(2);
}

static void nothing_stays_behind(void) {
  int before = count_stored();
  rsm_session *sessions[50];
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 50; i++) {
      sessions[i] = start_with_file();
      if (i % 3 == 0) {
        rsm_session *secondary = NULL;
        MUST(rsm_session_join(rsm_session_key(sessions[i]), &secondary, &error));
        MUST(add_file(secondary, "/none"));
        rsm_session_free(secondary);
      }
    }
    CHECK_INT(count_stored(), before + 50);
    for (int i = 0; i < 50; i++) {
      if (i % 2) MUST(rsm_session_end(sessions[i], RSM_END_LEAVE_STOPPED, &error));
      rsm_session_free(sessions[i]);
    }
    CHECK_INT(count_stored(), before);
  }
}

/* A session that owes a restart stays for others when it is closed, and goes when it is given up. */
static void a_debt_stays_in_the_store(void) {
  int before = count_stored();
  pid_t child = hold("");
  rsm_session *session = start_with_file(), *adopted = NULL, *other = NULL;
  char key[RSM_KEY_LENGTH + 1];
  memcpy(key, rsm_session_key(session), sizeof key);
  MUST(shut_down(session, false, NULL));
  end_child(child);
  rsm_session_free(session);
  CHECK_INT(count_stored(), before + 1);
  rsm_session_free(start()); /* sweeps what is dead: not this one */
  CHECK_INT(count_stored(), before + 1);
  CHECK_INT(rsm_session_join(key, &other, &error), RSM_CREDENTIAL_CONFLICT); /* has no primary */
  MUST(rsm_session_adopt(key, &adopted, &error));
  CHECK_INT(rsm_session_adopt(key, &other, &error), RSM_BUSY);
  CHECK(rsm_session_role(adopted) == RSM_PRIMARY && rsm_session_owes_restart(adopted));
  CHECK_INT(count_starts(NULL), 1);
  finish(adopted);
  CHECK_INT(count_stored(), before);
  CHECK_INT(rsm_session_adopt(key, &other, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(count_starts(NULL), 1);
}

/* In a process of its own: goes as far as so many events, and dies. */
static void die_on_the_way(int key_pipe, int shutdown_events, int restart_events) {
  rsm_session *session = start_with_file();
  rsm_op *op = NULL;
  rsm_event event = {0};
  if (write(key_pipe, rsm_session_key(session), RSM_KEY_LENGTH) != RSM_KEY_LENGTH) _exit(1);
  MUST(rsm_session_begin_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 1000}, &op, &error));
  while (shutdown_events > 0 && rsm_op_step(op, 1000, &event) == RSM_PENDING)
    if (event.action != RSM_ACTION_NONE) shutdown_events--;
  if (restart_events < 0) kill(getpid(), SIGKILL);
  rsm_op_free(op);
  MUST(rsm_session_begin_restart(session, NULL, &op, &error));
  while (restart_events > 0 && rsm_op_step(op, 1000, &event) == RSM_PENDING)
    if (event.action != RSM_ACTION_NONE) restart_events--;
  kill(getpid(), SIGKILL);
}

static void killed_primaries_leave_one_program(void) {
  static const struct {
    int shutdown_events, restart_events; /* -1: not begun */
  } deaths[] = {{0, -1}, {1, -1}, {2, -1}, {3, -1}, {9, -1}, {9, 0}, {9, 1}, {9, 2}, {9, 9}};
  int before = count_stored();
  for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
    int ends[2], status;
    char key[RSM_KEY_LENGTH + 1] = "";
    pid_t child = hold("r");
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    pid_t primary = fork();
    if (primary == 0) {
      die_on_the_way(ends[1], deaths[i].shutdown_events, deaths[i].restart_events);
      _exit(1);
    }
    CHECK_INT(waitpid(primary, &status, 0), primary);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_INT(read(ends[0], key, RSM_KEY_LENGTH), RSM_KEY_LENGTH);
    close(ends[0]);
    close(ends[1]);
    int starts = count_starts(NULL);
    rsm_session *session = NULL;
    MUST(rsm_session_adopt(key, &session, &error));
    if (deaths[i].restart_events <= 0) CHECK_INT(count_starts(NULL), starts); /* starts nothing by itself */
    MUST(rsm_session_restart(session, NULL, NULL, &error));
    CHECK(!rsm_session_owes_restart(session));
    bool untouched = runs(child);
    CHECK_INT(untouched, deaths[i].shutdown_events == 0);
    finish(session);
    if (!untouched) {
      sleep_ms(20); /* for one too many to show */
      end_last(2);
    }
    CHECK_INT(count_starts(NULL), untouched ? 1 : 2);
    end_child(child);
    CHECK_INT(count_stored(), before);
  }
}

static void a_dead_session_that_owes_nothing_is_swept(void) {
  int before = count_stored();
  pid_t primary = fork();
  if (primary == 0) {
    start_with_file();
    kill(getpid(), SIGKILL);
  }
  CHECK_INT(waitpid(primary, NULL, 0), primary);
  CHECK_INT(count_stored(), before + 1);
  rsm_session_free(start());
  CHECK_INT(count_stored(), before);
}

static void a_secondary_runs_with_the_key(void) {
  rsm_session *session = start();
  char script[128];
  rsm_exit result = {0};
  snprintf(script, sizeof script, "test \"$" RSM_KEY_VARIABLE "\" = %s", rsm_session_key(session));
  const char *good[] = {"sh", "-c", script}, *bad[] = {"sh", "-c", "exit 3"}, *none[] = {"/none/at/all"};
  MUST(rsm_session_run(session, good, 3, &result, &error));
  CHECK(!result.signaled && result.code == 0);
  CHECK_INT(rsm_session_run(session, bad, 3, &result, &error), RSM_INSTALL_FAILURE);
  CHECK(!result.signaled && result.code == 3);
  CHECK_INT(rsm_session_run(session, none, 1, NULL, &error), RSM_FILE_NOT_FOUND);
  CHECK_INT(rsm_session_run(session, good, 0, NULL, &error), RSM_BAD_ARGUMENTS);
  finish(session);
}

static void who_was_asked_in_vain_and_lives_is_owed_nothing(void) {
  rsm__entry entry = {.fate = RSM__FATE_ALIVE}, *entries[] = {&entry};
  rsm__journal journal = {.entries = entries, .count = 1};
  CHECK_INT(rsm_process_find(rsm__process_self(), &entry.app.process, NULL), RSM_OK);
  CHECK(!rsm__journal_owes(&journal));
  entry.app.process.start_time++;
  CHECK(rsm__journal_owes(&journal));
  entry.service.name = "a.service"; /* that one stays "asked" */
  CHECK(!rsm__journal_owes(&journal));
}

static const check_test tests[] = {
    CHECK_TEST(a_forked_child_has_no_session),      CHECK_TEST(nothing_stays_behind),
    CHECK_TEST(a_debt_stays_in_the_store),          CHECK_TEST(who_was_asked_in_vain_and_lives_is_owed_nothing),
    CHECK_TEST(killed_primaries_leave_one_program), CHECK_TEST(a_dead_session_that_owes_nothing_is_swept),
    CHECK_TEST(a_secondary_runs_with_the_key),
};

int main(int argc, char **argv) {
  return run_with_programs(tests, sizeof tests / sizeof *tests, argc, argv);
}
