/* test_outcome.c: what has become of applications, by their status before and after. SPDX-License-Identifier: MIT */
#include "check.h"
#include "system/outcome.h"

enum {
  RUN = RSM_APP_RUNNING,
  STOPPED = RSM_APP_STOPPED,
  OTHER = RSM_APP_STOPPED_OTHER,
  AGAIN = RSM_APP_RESTARTED,
  NO_STOP = RSM_APP_ERROR_ON_STOP,
  NO_START = RSM_APP_ERROR_ON_RESTART,
  KEEP = RSM_APP_SHUTDOWN_MASKED,
  STAY_DOWN = RSM_APP_RESTART_MASKED
};

static void test_stop(void) {
  static const struct {
    uint32_t before, after;
    rsm_outcome outcome;
  } cases[] = {
      {RUN, STOPPED, RSM_OUTCOME_STOPPED},
      {RUN, RUN | STOPPED, RSM_OUTCOME_STOPPED}, /* an implementation that never takes a bit back */
      {RUN, OTHER, RSM_OUTCOME_GONE},
      {RUN, 0, RSM_OUTCOME_GONE}, /* not listed any more */
      {RUN, RUN, RSM_OUTCOME_ALIVE},
      {RUN, RUN | NO_STOP, RSM_OUTCOME_ALIVE},
      {RUN, NO_STOP | STOPPED | RUN, RSM_OUTCOME_ALIVE},
      {RUN | KEEP, RUN | KEEP, RSM_OUTCOME_KEPT},
      {RUN | STAY_DOWN, STOPPED | STAY_DOWN, RSM_OUTCOME_STOPPED},
      /* Once more, after it was stopped and brought back. */
      {RUN | STOPPED | AGAIN, STOPPED | AGAIN, RSM_OUTCOME_STOPPED},
      {RUN | STOPPED | AGAIN, RUN | STOPPED | AGAIN, RSM_OUTCOME_ALIVE},
      {RUN | STOPPED | AGAIN, 0, RSM_OUTCOME_GONE},
      /* Down since an earlier shutdown. */
      {STOPPED, STOPPED, RSM_OUTCOME_COUNT},
      {STOPPED | AGAIN, STOPPED | AGAIN, RSM_OUTCOME_COUNT},
      {OTHER, OTHER, RSM_OUTCOME_COUNT},
      /* Not listed before. */
      {0, STOPPED, RSM_OUTCOME_STOPPED},
      {0, RUN, RSM_OUTCOME_NEW},
      {0, RUN | KEEP, RSM_OUTCOME_KEPT},
      {0, OTHER, RSM_OUTCOME_GONE},
      {0, STOPPED | RUN | NO_STOP, RSM_OUTCOME_ALIVE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rsm_outcome outcome = rsm__outcome_of_stop(cases[i].before, cases[i].after);
    if (outcome != cases[i].outcome) fprintf(stderr, "case %zu\n", i);
    CHECK_INT(outcome, cases[i].outcome);
  }
}

static rsm_app app(uint32_t pid, const char *name, const char *service, uint32_t status) {
  return (rsm_app){.process = {.pid = pid, .start_time = pid},
                   .name = name,
                   .service = service,
                   .type = service ? RSM_APP_SERVICE : RSM_APP_CONSOLE,
                   .status = status,
                   .restartable = true};
}

static void test_start(void) {
  static const struct {
    uint32_t stopped, now;
    bool restartable, succeeded;
    rsm_outcome outcome;
    rsm_left_why why;
  } cases[] = {
      {STOPPED, STOPPED | AGAIN, true, true, RSM_OUTCOME_RESTARTED, RSM_LEFT_NONE},
      {STOPPED, STOPPED | AGAIN, true, false, RSM_OUTCOME_RESTARTED, RSM_LEFT_NONE},
      {STOPPED, STOPPED | NO_START, true, false, RSM_OUTCOME_FAILED, RSM_LEFT_NONE},
      {STOPPED, STOPPED, false, true, RSM_OUTCOME_LEFT_STOPPED, RSM_LEFT_NOT_REGISTERED},
      {STOPPED, STOPPED, false, false, RSM_OUTCOME_LEFT_STOPPED, RSM_LEFT_NOT_REGISTERED},
      {STOPPED | STAY_DOWN, STOPPED | STAY_DOWN, true, true, RSM_OUTCOME_LEFT_STOPPED, RSM_LEFT_RESTART_MASKED},
      {STOPPED, STOPPED | STAY_DOWN, false, true, RSM_OUTCOME_LEFT_STOPPED, RSM_LEFT_RESTART_MASKED},
      {STOPPED, STOPPED, true, true, RSM_OUTCOME_LEFT_STOPPED, RSM_LEFT_NOT_RESTORABLE},
      {STOPPED, STOPPED, true, false, RSM_OUTCOME_FAILED, RSM_LEFT_NONE},
      /* Restarted before, stopped again, restarted again. */
      {STOPPED | AGAIN, STOPPED | AGAIN, true, true, RSM_OUTCOME_RESTARTED, RSM_LEFT_NONE},
      {STOPPED | AGAIN, STOPPED | AGAIN, true, false, RSM_OUTCOME_FAILED, RSM_LEFT_NONE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rsm_app stopped = app(8, "editor", NULL, cases[i].stopped), now = app(8, "editor", NULL, cases[i].now);
    rsm_left_why why = RSM_LEFT_BY_PARENT;
    stopped.restartable = cases[i].restartable;
    rsm_outcome outcome = rsm__outcome_of_start(&stopped, &now, cases[i].succeeded, &why);
    if (outcome != cases[i].outcome || why != cases[i].why) fprintf(stderr, "case %zu\n", i);
    CHECK_INT(outcome, cases[i].outcome);
    CHECK_INT(why, cases[i].why);
  }
}

static void test_start_without_entry(void) {
  rsm_app stopped = app(8, "editor", NULL, STOPPED), service = app(0, "Spooler", "spooler", RUN);
  rsm_app stopped_service = app(12, "Spooler", "spooler", STOPPED);
  rsm_left_why why;
  CHECK_INT(rsm__outcome_of_start(&stopped, NULL, true, &why), RSM_OUTCOME_LEFT_STOPPED);
  CHECK_INT(why, RSM_LEFT_NOT_RESTORABLE);
  CHECK_INT(rsm__outcome_of_start(&stopped, NULL, false, &why), RSM_OUTCOME_FAILED);
  CHECK_INT(rsm__outcome_of_start(&stopped_service, &service, true, &why), RSM_OUTCOME_RESTARTED);
}

static void test_find(void) {
  rsm_app apps[] = {app(4, "editor", NULL, RUN), app(8, "host", "first", RUN), app(8, "host", "second", RUN),
                    app(12, "editor", NULL, RUN | STOPPED | AGAIN), app(16, "other", NULL, RUN | AGAIN)};
  rsm_list list = {.apps = apps, .count = 5}, none = {0};
  rsm_app second = app(20, "host", "second", STOPPED), gone = app(24, "editor", NULL, STOPPED);
  rsm_app stopped = app(0, "mount", NULL, STOPPED);
  CHECK(rsm__outcome_find(&list, &apps[0]) == &apps[0]);
  CHECK(rsm__outcome_find(&list, &second) == &apps[2]); /* a service is its name, whatever process it has */
  CHECK(rsm__outcome_find(&list, &gone) == NULL);
  CHECK(rsm__outcome_find(&list, &stopped) == NULL);
  CHECK(rsm__outcome_find_successor(&list, &gone, &none) == &apps[3]);
  rsm_list taken = {.apps = &apps[3], .count = 1};
  CHECK(rsm__outcome_find_successor(&list, &gone, &taken) == NULL);
  CHECK(rsm__outcome_find_successor(&list, &apps[3], &none) == NULL); /* nobody succeeds himself */
  gone.type = RSM_APP_MAIN_WINDOW;
  CHECK(rsm__outcome_find_successor(&list, &gone, &none) == NULL);
}

static const check_test tests[] = {CHECK_TEST(test_stop), CHECK_TEST(test_start), CHECK_TEST(test_start_without_entry),
                                   CHECK_TEST(test_find)};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
