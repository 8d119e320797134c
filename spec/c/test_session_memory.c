/* test_session_memory.c: each request for memory fails in turn: nothing is lost, left behind or done twice.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/alloc.h"
#include "programs.h"

#ifdef RSM_TEST_HOOKS
enum { LADDER_MS = 1000, ENOUGH = 15 };

/* The next rung: each one, as long as the time lasts, then in larger and larger strides. */
static unsigned long next_rung(unsigned long at, long began) {
  return now_ms() - began < LADDER_MS ? at + 1 : at + at / 3 + 1;
}

/* Fails the requests of try one after the other, until that has changed nothing for three times as far. */
static void ladder(bool (*try)(unsigned long at)) {
  long began = now_ms();
  unsigned long failed = 0;
  for (unsigned long at = 1; at <= 3 * failed + ENOUGH; at = next_rung(at, began)) {
    long before = rsm__alloc_live();
    if (!try(at)) failed = at;
    CHECK_INT(rsm__alloc_live(), before);
    CHECK(at < 200000);
  }
  CHECK(failed > ENOUGH);
}

/* All of it, or a failure: never a part. */
static void same_lists(const rsm_list *some, const rsm_list *whole) {
  CHECK_INT(rsm_list_count(some), rsm_list_count(whole));
  for (size_t i = 0; i < rsm_list_count(some); i++) {
    const rsm_app *a = rsm_list_at(some, i), *b = rsm_list_at(whole, i);
    CHECK(rsm_process_equal(&a->process, &b->process) && a->type == b->type && a->use_count == b->use_count);
    CHECK(a->restart_by == b->restart_by && a->restartable == b->restartable && a->command_count == b->command_count);
    CHECK(a->reboot_reasons == b->reboot_reasons && a->affected == b->affected);
    CHECK_TEXT(a->exe, b->exe);
    CHECK_TEXT(a->note, b->note);
  }
}

static bool try_listing(unsigned long at) {
  static int stored = -1;
  rsm_session *session = NULL, *secondary = NULL;
  rsm_list *list = NULL;
  rsm_sessions *sessions = NULL;
  const rsm_filter filter = {.exe = file, .action = RSM_NO_RESTART};
  if (stored < 0) stored = count_stored();
  rsm__alloc_fail_at(at, 0);
  rsm_status status = rsm_session_start(&(rsm_start_options){.manager = "builtin"}, &session, &error);
  if (status == RSM_OK) status = add_file(session, file);
  if (status == RSM_OK) status = rsm_session_join(rsm_session_key(session), &secondary, &error);
  if (status == RSM_OK) status = add_file(secondary, log_file);
  if (status == RSM_OK) status = rsm_session_add_filter(session, &filter, &error);
  if (status == RSM_OK) status = rsm_session_list(session, NULL, &list, &error);
  if (status == RSM_OK) status = rsm_sessions_list(&sessions, &error);
  rsm__alloc_fail_at(0, 0);
  if (status != RSM_OK) CHECK_INT(status, RSM_OUT_OF_MEMORY);
  if (sessions) CHECK(rsm_sessions_count(sessions) > 0);
  if (session) {
    rsm_list *again = NULL;
    MUST(rsm_session_list(session, NULL, &again, &error));
    if (list) same_lists(list, again);
    rsm_list_free(again);
  }
  rsm_list_free(list);
  rsm_sessions_free(sessions);
  rsm_session_free(secondary);
  rsm_session_free(session);
  if (count_stored() != stored) fprintf(stderr, "request %lu: a session was left in the store\n", at);
  CHECK_INT(count_stored(), stored);
  return status == RSM_OK;
}

static void listing_survives_a_full_memory(void) {
  pid_t holder = hold("");
  finish(start()); /* sweeps what an earlier run may have left */
  ladder(try_listing);
  CHECK(runs(holder));
  end_child(holder);
}

static struct {
  rsm_process running; /* the program that uses the file now */
  pid_t child;         /* the same, if it is our child */
  int starts;
} only;

static bool only_runs(void) {
  rsm_process found;
  if (only.child) return runs(only.child);
  return rsm_process_find(only.running.pid, &found, NULL) == RSM_OK && rsm_process_equal(&found, &only.running);
}

/* Whatever failed: with memory again, the program comes back, once, or was not touched. */
static void bring_back(rsm_session *session) {
  bool untouched = only_runs() && !rsm_session_owes_restart(session);
  rsm_report *report = NULL;
  pid_t last = 0;
  rsm_status status = rsm_session_restart(session, NULL, &report, &error);
  if (status != RSM_OUT_OF_SEQUENCE) must(__LINE__, "restart", status, &error);
  rsm_report_free(report);
  CHECK(!rsm_session_owes_restart(session));
  if (untouched) CHECK(only_runs());
  if (only_runs()) return;
  wait_for_starts(only.starts + 1);
  CHECK_INT(count_starts(&last), only.starts + 1);
  only.starts++;
  if (only.child) end_child(only.child);
  only.child = 0;
  MUST(rsm_process_find((uint32_t)last, &only.running, &error));
}

static bool try_update(unsigned long at, bool in_shutdown, bool in_restart) {
  rsm_session *session = start_with_file();
  rsm_report *stopped = NULL, *started = NULL;
  rsm__alloc_fail_at(in_shutdown ? at : 0, 0);
  rsm_status status = shut_down(session, false, &stopped);
  rsm__alloc_fail_at(in_restart ? at : 0, 0);
  if (status == RSM_OK) status = rsm_session_restart(session, NULL, &started, &error);
  rsm__alloc_fail_at(0, 0);
  if (status != RSM_OK) CHECK(error.status == status);
  rsm_report_free(stopped);
  rsm_report_free(started);
  bring_back(session);
  finish(session);
  return status == RSM_OK;
}

static bool try_shutdown(unsigned long at) {
  return try_update(at, true, false);
}

static bool try_restart(unsigned long at) {
  return try_update(at, false, true);
}

static void stopping_and_starting_survive_a_full_memory(void) {
  only.child = hold("r");
  only.starts = 1;
  ladder(try_shutdown);
  ladder(try_restart);
  if (only.child)
    end_child(only.child);
  else
    end_process(&only.running);
}
#endif

static const check_test tests[] = {
#ifdef RSM_TEST_HOOKS
    CHECK_TEST(listing_survives_a_full_memory),
    CHECK_TEST(stopping_and_starting_survive_a_full_memory),
#endif
    {NULL, NULL},
};

int main(int argc, char **argv) {
  return run_with_programs(tests, sizeof tests / sizeof *tests - 1, argc, argv);
}
