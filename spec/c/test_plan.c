/* test_plan.c: every decision that needs no operating system, as tables. SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "check.h"
#include "core/plan.h"

enum {
  RUNS = RSM_APP_RUNNING,
  KEPT = RSM_APP_RUNNING | RSM_APP_SHUTDOWN_MASKED,
  SELF = RSM_REBOOT_DETECTED_SELF,
  CORE = RSM_REBOOT_CRITICAL_PROCESS,
  DENIED = RSM_REBOOT_PERMISSION_DENIED
};

/* A list over an array of the test's own; nothing to free. */
static rsm_list over(rsm_app *apps, size_t count) {
  return (rsm_list){.apps = apps, .count = count};
}

static rsm_app app_of(uint32_t pid, uint32_t status, uint32_t reasons, bool affected, bool restartable) {
  return (rsm_app){.process = {.pid = pid, .start_time = 10 * (uint64_t)pid},
                   .name = "app",
                   .status = status,
                   .reboot_reasons = reasons,
                   .affected = affected,
                   .restartable = restartable};
}

/* ---- Who stands in the way ---- */

static void working_directories_count_only_on_demand(void) {
  for (int how = RSM_USE_OPEN; how <= RSM_USE_MOUNT; how++) {
    rsm_use use = {.how = (rsm_use_how)how};
    CHECK_INT(rsm__plan_use_counts(&use, false), how != RSM_USE_CWD && how != RSM_USE_ROOT);
    CHECK(rsm__plan_use_counts(&use, true));
  }
}

static void filters_set_the_masked_bits(void) {
  static const struct {
    rsm_filter_action action;
    uint32_t before, after;
  } cases[] = {
      {0, RUNS, RUNS},
      {RSM_NO_RESTART, RUNS, RUNS | RSM_APP_RESTART_MASKED},
      {RSM_NO_SHUTDOWN, RUNS, KEPT},
      {RSM_NO_RESTART, RSM_APP_STOPPED, RSM_APP_STOPPED | RSM_APP_RESTART_MASKED},
      {RSM_NO_SHUTDOWN, RUNS | RSM_APP_RESTARTED, KEPT | RSM_APP_RESTARTED},
  };
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    rsm_filter item = {.process = {.pid = 7, .start_time = 70}, .action = cases[i].action};
    rsm_filter_list filters = {.items = &item, .count = cases[i].action ? 1 : 0};
    rsm_app mine = app_of(7, cases[i].before, 0, true, true), other = app_of(8, cases[i].before, 0, true, true);
    rsm__plan_mask(&filters, &mine);
    rsm__plan_mask(&filters, &other);
    CHECK_INT(mine.status, cases[i].after);
    CHECK_INT(other.status, cases[i].before);
  }
}

static void reasons_are_those_of_who_stands_in_the_way(void) {
  static const struct {
    uint32_t status, reasons;
    bool affected;
    uint32_t counted;
    bool stops;
  } cases[] = {
      {RUNS, 0, true, 0, true},
      {RUNS, DENIED, true, DENIED, false},
      {RUNS, DENIED | SELF, true, DENIED | SELF, false},
      {RUNS, SELF, false, 0, false}, /* only stands in a folder */
      {RUNS, 0, false, 0, false},
      {RSM_APP_STOPPED, CORE, true, 0, false}, /* does not run any more */
      {RSM_APP_STOPPED_OTHER, 0, true, 0, false},
      {KEPT, SELF, true, 0, false}, /* a no_shutdown filter takes the reason away */
      {KEPT, 0, true, 0, false},
      {RUNS | RSM_APP_RESTART_MASKED, 0, true, 0, true}, /* no_restart stops it all the same */
      {RUNS | RSM_APP_RESTART_MASKED, CORE, true, CORE, false},
      {RUNS | RSM_APP_RESTARTED | RSM_APP_STOPPED, 0, true, 0, true},
      {RUNS | RSM_APP_ERROR_ON_STOP, 0, true, 0, true},
  };
  uint32_t all = 0;
  rsm_app apps[RSM_COUNT(cases)];
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    apps[i] = app_of((uint32_t)i + 1, cases[i].status, cases[i].reasons, cases[i].affected, true);
    rsm_list alone = over(&apps[i], 1);
    CHECK_INT(rsm__plan_reasons(&alone), cases[i].counted);
    CHECK_INT(rsm__plan_stops(&apps[i]), cases[i].stops);
    all |= cases[i].counted;
  }
  rsm_list list = over(apps, RSM_COUNT(cases)), none = over(apps, 0);
  CHECK_INT(rsm__plan_reasons(&list), all);
  CHECK_INT(rsm__plan_reasons(&none), 0);
}

/* ---- May a shutdown begin? ---- */

/* The applications of a case: a letter each, pids from 1 on. */
static rsm_app letter(char c, uint32_t pid) {
  switch (c) {
  case 'r': /* restartable */
    return app_of(pid, RUNS, 0, true, true);
  case 'n': /* not restartable */
    return app_of(pid, RUNS, 0, true, false);
  case 'c': /* critical */
    return app_of(pid, RUNS, CORE, true, true);
  case 'C': /* critical, kept by a filter */
    return app_of(pid, KEPT, CORE, true, true);
  case 'k': /* not restartable, kept by a filter */
    return app_of(pid, KEPT, 0, true, false);
  case 'w': /* only stands in a folder, critical and not restartable */
    return app_of(pid, RUNS, SELF, false, false);
  default: /* has ended */
    return app_of(pid, RSM_APP_STOPPED, CORE, true, false);
  }
}

static void a_shutdown_begins_or_touches_nothing(void) {
  enum { ANY = -1 };
  static const struct {
    const char *apps;
    bool only_restartable;
    int confirmed; /* bits of pids, ANY: not asked */
    rsm_status status;
    uint32_t culprit;
  } cases[] = {
      {"", false, ANY, RSM_OK, 0},
      {"", true, 0, RSM_OK, 0},
      {"rn", false, ANY, RSM_OK, 0},
      {"rn", true, ANY, RSM_FAIL_SHUTDOWN, 2},
      {"rr", true, ANY, RSM_OK, 0},
      {"rc", false, ANY, RSM_NOACTION_REBOOT, 2},
      {"rC", false, ANY, RSM_OK, 0},
      {"rk", true, ANY, RSM_OK, 0},
      {"wde", true, 0, RSM_OK, 0},
      {"r", false, 0, RSM_MORE_DATA, 1},
      {"rr", false, 2, RSM_MORE_DATA, 2},
      {"rr", false, 6, RSM_OK, 0},
      {"rCkwd", true, 2, RSM_OK, 0}, /* whom it does not stop needs no confirmation */
      {"r", false, 8, RSM_MORE_DATA, 1},
      /* 350 before 351 before 234, whatever comes first in the list */
      {"nc", true, 0, RSM_NOACTION_REBOOT, 2},
      {"cn", true, 0, RSM_NOACTION_REBOOT, 1},
      {"rn", true, 0, RSM_FAIL_SHUTDOWN, 2},
      {"nr", true, 0, RSM_FAIL_SHUTDOWN, 1},
      {"rc", false, 0, RSM_NOACTION_REBOOT, 2},
  };
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    rsm_app apps[8];
    rsm_process confirmed[8];
    size_t count = strlen(cases[i].apps), confirmed_count = 0;
    for (size_t k = 0; k < count; k++) apps[k] = letter(cases[i].apps[k], (uint32_t)k + 1);
    for (uint32_t pid = 1; cases[i].confirmed != ANY && pid < 8; pid++)
      if (cases[i].confirmed & 1 << pid) confirmed[confirmed_count++] = app_of(pid, 0, 0, false, false).process;
    rsm_list list = over(apps, count);
    rsm_shutdown_options options = {.only_restartable = cases[i].only_restartable,
                                    .confirmed = confirmed,
                                    .confirmed_count = confirmed_count,
                                    .has_confirmed = cases[i].confirmed != ANY};
    rsm_error error = {0};
    CHECK_INT(rsm__plan_check(&list, &options, &error), cases[i].status);
    CHECK_INT(rsm__plan_check(&list, &options, NULL), cases[i].status);
    CHECK_INT(error.status, cases[i].status);
    char culprit[32] = "";
    if (cases[i].culprit) snprintf(culprit, sizeof culprit, "app (pid %u)", (unsigned)cases[i].culprit);
    CHECK_TEXT(error.subject, culprit);
    CHECK_INT(error.detail[0] != 0, cases[i].status != RSM_OK);
  }
}

static void each_reason_has_words_of_its_own(void) {
  static const uint32_t reasons[] = {RSM_REBOOT_PERMISSION_DENIED, RSM_REBOOT_SESSION_MISMATCH,
                                     RSM_REBOOT_CRITICAL_PROCESS, RSM_REBOOT_CRITICAL_SERVICE,
                                     RSM_REBOOT_DETECTED_SELF};
  rsm_error errors[RSM_COUNT(reasons)] = {{0}};
  const rsm_shutdown_options options = {0};
  for (size_t i = 0; i < RSM_COUNT(reasons); i++) {
    rsm_app app = app_of(0, RUNS, reasons[i], true, true); /* no process: a mount, say */
    rsm_list list = over(&app, 1);
    CHECK_INT(rsm__plan_check(&list, &options, &errors[i]), RSM_NOACTION_REBOOT);
    CHECK_TEXT(errors[i].subject, "app");
    for (size_t k = 0; k < i; k++) CHECK(strcmp(errors[i].detail, errors[k].detail) != 0);
  }
}

static void an_application_is_confirmed_by_any_of_its_processes(void) {
  const rsm_process processes[] = {{.pid = 5, .start_time = 50}, {.pid = 6, .start_time = 60}};
  rsm_app app = app_of(4, RUNS, 0, true, true), none = app_of(0, RUNS, 0, true, true);
  app.processes = processes;
  app.process_count = RSM_COUNT(processes);
  static const struct {
    rsm_process confirmed;
    bool yes;
  } cases[] = {{{4, 40, 0}, true},  {{6, 60, 0}, true},  {{6, 60, 9}, true},
               {{4, 41, 0}, false}, {{7, 40, 0}, false}, {{0, 0, 0}, false}};
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    rsm_process all[] = {{99, 1, 0}, cases[i].confirmed};
    rsm_shutdown_options options = {.confirmed = all, .confirmed_count = 2, .has_confirmed = true};
    CHECK_INT(rsm__plan_confirmed(&app, &options), cases[i].yes);
    CHECK(!rsm__plan_confirmed(&none, &options)); /* "no process" confirms nobody */
    options.confirmed_count = 0;
    CHECK(!rsm__plan_confirmed(&app, &options));
  }
}

/* ---- Order ---- */

/* Pids say who it is here, start times how old: 1 is the manager, 10 its child of which we descend. */
static void the_main_process_of_our_unit_is_no_younger_than_us(void) {
  static const rsm_process ours[] = {{.pid = 12, .start_time = 70},
                                     {.pid = 11, .start_time = 60},
                                     {.pid = 10, .start_time = 50},
                                     {.pid = 1, .start_time = 1}};
  static const struct {
    rsm_process process, parent;
    bool is_main, of_user_manager;
  } cases[] = {
      {{.pid = 5, .start_time = 40}, {.pid = 1, .start_time = 1}, true, false},
      {{.pid = 5, .start_time = 50}, {.pid = 1, .start_time = 1}, true, false}, /* of the same tick: spared */
      {{.pid = 5, .start_time = 51}, {.pid = 1, .start_time = 1}, false, false},
      {{.pid = 5, .start_time = 40}, {.pid = 1, .start_time = 2}, false, false},   /* another process of that pid */
      {{.pid = 5, .start_time = 40}, {.pid = 4, .start_time = 30}, false, false},  /* a stranger's child */
      {{.pid = 5, .start_time = 60}, {.pid = 10, .start_time = 50}, false, true},  /* 10 is the user's manager */
      {{.pid = 5, .start_time = 61}, {.pid = 10, .start_time = 50}, false, false}, /* started by our shell, before us */
      {{.pid = 5, .start_time = 40}, {.pid = 0}, false, false},
  };
  const rsm__carriers all = {.items = ours, .count = RSM_COUNT(ours)}, alone = {.items = ours, .count = 1};
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    const rsm_process *process = &cases[i].process, *parent = &cases[i].parent;
    CHECK_INT(rsm__plan_is_main(process, parent, &all, false), cases[i].is_main);
    CHECK_INT(rsm__plan_is_main(process, parent, &all, true), cases[i].of_user_manager);
    CHECK(!rsm__plan_is_main(process, parent, &alone, false));
  }
}

static void who_carries_us_may_be_excepted_but_not_we(void) {
  static const rsm_process ours[] = {{.pid = 12, .start_time = 70}, {.pid = 11, .start_time = 60}};
  static const rsm_process reused = {.pid = 11, .start_time = 61};
  const rsm__carriers carriers = {.items = ours, .count = RSM_COUNT(ours)};
  const rsm__carriers excepted = {
      .items = ours, .count = RSM_COUNT(ours), .stoppable = ours, .stoppable_count = RSM_COUNT(ours)};
  CHECK(rsm__plan_carries_us(&carriers, &ours[0]) && rsm__plan_carries_us(&carriers, &ours[1]));
  CHECK(!rsm__plan_carries_us(&carriers, &reused));
  CHECK(rsm__plan_carries_us(&excepted, &ours[0]) && !rsm__plan_carries_us(&excepted, &ours[1]));
}

static void ranks_follow_the_type(void) {
  static const struct {
    rsm_app_type type;
    unsigned rank;
  } cases[] = {{RSM_APP_UNKNOWN, 0}, {RSM_APP_MAIN_WINDOW, 0}, {RSM_APP_OTHER_WINDOW, 0}, {RSM_APP_CONSOLE, 0},
               {RSM_APP_SERVICE, 1}, {RSM_APP_EXPLORER, 2},    {RSM_APP_CRITICAL, 0}};
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    rsm_app app = {.name = "", .type = cases[i].type};
    CHECK_INT(rsm__plan_rank(&app), cases[i].rank);
    CHECK(rsm__plan_rank(&app) < RSM__PLAN_RANKS);
  }
}

typedef struct placed {
  rsm_app app;
  rsm__plan_place place;
} placed;

static int compare_stop(const void *a, const void *b) {
  const placed *x = a, *y = b;
  return rsm__plan_compare_stop(&x->app, &x->place, &y->app, &y->place);
}

static int compare_start(const void *a, const void *b) {
  const placed *x = a, *y = b;
  return rsm__plan_compare_start(&x->app, &x->place, &y->app, &y->place);
}

enum { NOT_HELD, HELD, FIRST_UP };

/* In the order of stopping. start: place in the order of starting. */
static const struct {
  uint32_t pid;
  rsm_app_type type;
  unsigned depth;
  int held;
  unsigned start;
} in_order[] = {
    {900, RSM_APP_CONSOLE, 1, NOT_HELD, 15},    {10, RSM_APP_UNKNOWN, 2, NOT_HELD, 14},
    {11, RSM_APP_MAIN_WINDOW, 2, NOT_HELD, 13}, {12, RSM_APP_CONSOLE, 2, NOT_HELD, 12},
    {5, RSM_APP_OTHER_WINDOW, 7, NOT_HELD, 11}, {2, RSM_APP_SERVICE, 3, FIRST_UP, 4},
    {30, RSM_APP_SERVICE, 2, HELD, 10},         {3, RSM_APP_SERVICE, 1, FIRST_UP, 2},
    {4, RSM_APP_SERVICE, 1, FIRST_UP, 3},       {31, RSM_APP_SERVICE, 1, HELD, 9},
    {800, RSM_APP_SERVICE, 2, NOT_HELD, 8},     {6, RSM_APP_SERVICE, 1, NOT_HELD, 7},
    {7, RSM_APP_SERVICE, 0, NOT_HELD, 5},       {8, RSM_APP_SERVICE, 0, NOT_HELD, 6},
    {700, RSM_APP_EXPLORER, 1, NOT_HELD, 1},    {1, RSM_APP_EXPLORER, 2, NOT_HELD, 0},
};
enum { PLACED = RSM_COUNT(in_order) };

static void check_total_order(placed *items, int (*compare)(const void *, const void *)) {
  for (size_t i = 0; i < PLACED; i++)
    for (size_t k = 0; k < PLACED; k++) {
      int order = compare(&items[i], &items[k]);
      CHECK(i < k ? order < 0 : i > k ? order > 0 : order == 0);
    }
}

/* Processes: by rank, then parents, then pid. Services: what is held, then dependents, then what they depend on; they
 * are started with sockets first, then what others depend on, then what is held and no socket. */
static void stopped_and_started_in_good_order(void) {
  placed items[PLACED];
  for (unsigned turn = 0; turn < 50; turn++) { /* from any order to this one */
    for (unsigned i = 0; i < PLACED; i++) {
      unsigned at = (i * 7 + turn) % PLACED;
      items[i] = (placed){.app = {.name = "", .process = {.pid = in_order[at].pid}, .type = in_order[at].type},
                          .place = {.depth = in_order[at].depth,
                                    .held = in_order[at].held != NOT_HELD,
                                    .first_up = in_order[at].held == FIRST_UP}};
    }
    qsort(items, PLACED, sizeof *items, compare_stop);
    for (size_t i = 0; i < PLACED; i++) CHECK_INT(items[i].app.process.pid, in_order[i].pid);
    qsort(items, PLACED, sizeof *items, compare_start);
    for (size_t i = 0; i < PLACED; i++) CHECK_INT(items[in_order[i].start].app.process.pid, in_order[i].pid);
  }
  check_total_order(items, compare_start);
  qsort(items, PLACED, sizeof *items, compare_stop);
  check_total_order(items, compare_stop);
}

static void services_of_one_place_go_by_name(void) {
  rsm_app a = {.name = "", .service = "a", .type = RSM_APP_SERVICE}, b = a;
  rsm__plan_place place = {0};
  b.service = "b";
  CHECK(rsm__plan_compare_stop(&a, &place, &b, &place) < 0 && rsm__plan_compare_stop(&b, &place, &a, &place) > 0);
  CHECK(rsm__plan_compare_start(&a, &place, &b, &place) < 0 && rsm__plan_compare_start(&a, &place, &a, &place) == 0);
}

/* ---- The ladder ---- */

static void each_rung_follows_the_one_before(void) {
  enum { KILL_WAIT = RSM__PLAN_KILL_WAIT_MS };
  static const struct {
    rsm__ladder at;
    uint32_t grace;
    bool force;
    rsm__rung rung;
    uint32_t wait;
  } cases[] = {
      {{.ended = false}, 1000, false, RSM__RUNG_ASK, 0},
      {{.ended = false}, 1000, true, RSM__RUNG_ASK, 0}, /* force asks first, too */
      {{.ended = false}, 0, true, RSM__RUNG_ASK, 0},
      {{.asked = true, .since_asked = 0}, 1000, false, RSM__RUNG_WAIT, 1000},
      {{.asked = true, .since_asked = 1}, 1000, true, RSM__RUNG_WAIT, 999},
      {{.asked = true, .since_asked = 999}, 1000, false, RSM__RUNG_WAIT, 1},
      {{.asked = true, .since_asked = 1000}, 1000, false, RSM__RUNG_GIVE_UP, 0},
      {{.asked = true, .since_asked = 1000}, 1000, true, RSM__RUNG_KILL, 0},
      {{.asked = true, .since_asked = 1001}, 1000, true, RSM__RUNG_KILL, 0},
      {{.asked = true, .since_asked = UINT64_MAX}, 1000, false, RSM__RUNG_GIVE_UP, 0},
      {{.asked = true, .since_asked = 0}, 0, false, RSM__RUNG_GIVE_UP, 0},
      {{.asked = true, .since_asked = 0}, UINT32_MAX, false, RSM__RUNG_WAIT, UINT32_MAX},
      {{.asked = true, .killed = true, .since_asked = 9999}, 1000, true, RSM__RUNG_WAIT, KILL_WAIT},
      {{.asked = true, .killed = true, .since_killed = KILL_WAIT - 1}, 1000, true, RSM__RUNG_WAIT, 1},
      {{.asked = true, .killed = true, .since_killed = KILL_WAIT}, 1000, true, RSM__RUNG_GIVE_UP, 0},
      {{.asked = true, .killed = true, .since_killed = UINT64_MAX}, UINT32_MAX, true, RSM__RUNG_GIVE_UP, 0},
      {{.ended = true}, 1000, true, RSM__RUNG_DONE, 0},
      {{.ended = true, .asked = true, .since_asked = 5}, 1000, false, RSM__RUNG_DONE, 0},
      {{.ended = true, .asked = true, .killed = true}, 1000, true, RSM__RUNG_DONE, 0},
  };
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    uint32_t wait = 77;
    CHECK_INT(rsm__plan_rung(&cases[i].at, cases[i].grace, cases[i].force, &wait), cases[i].rung);
    CHECK_INT(wait, cases[i].wait);
  }
}

/* Whoever follows the rungs comes to an end, and waits no longer than the grace and the wait after a kill. */
static void the_ladder_ends(void) {
  for (int force = 0; force < 2; force++) {
    rsm__ladder at = {0};
    uint64_t waited = 0;
    unsigned asked = 0, killed = 0, steps = 0;
    for (rsm__rung rung = RSM__RUNG_WAIT; rung != RSM__RUNG_GIVE_UP; steps++) {
      uint32_t wait;
      CHECK(steps < 10);
      rung = rsm__plan_rung(&at, 300, force, &wait);
      CHECK_INT(wait != 0, rung == RSM__RUNG_WAIT);
      if (rung == RSM__RUNG_ASK) at.asked = ++asked;
      if (rung == RSM__RUNG_KILL) at.killed = ++killed;
      waited += wait;
      if (at.asked) at.since_asked += wait;
      if (at.killed) at.since_killed += wait;
    }
    CHECK_INT(asked, 1);
    CHECK_INT(killed, force);
    CHECK_INT(waited, force ? 300 + RSM__PLAN_KILL_WAIT_MS : 300);
  }
}

/* ---- Restart ---- */

typedef struct restart_case {
  bool masked, service, registered, no_patch, obstacle, other_user, by_parent, like_parent, unregistered;
} restart_case;

static rsm_left_why decide(restart_case c) {
  rsm_app app = app_of(1, RSM_APP_STOPPED | (c.masked ? RSM_APP_RESTART_MASKED : 0), 0, true, true);
  if (c.service) app.type = RSM_APP_SERVICE;
  rsm__plan_candidate candidate = {.app = &app,
                                   .registered = c.registered,
                                   .flags = RSM_RESTART_NO_CRASH | RSM_RESTART_NO_HANG |
                                            RSM_RESTART_NO_REBOOT, /* these are about other ends */
                                   .obstacle = c.obstacle || c.other_user ? "why" : NULL,
                                   .other_user = c.other_user,
                                   .parent_restarted = c.by_parent,
                                   .like_parent = c.like_parent};
  if (c.no_patch) candidate.flags = RSM_RESTART_NO_PATCH;
  return rsm__plan_restart(&candidate, c.unregistered);
}

static void restart_decisions(void) {
  static const struct {
    restart_case given;
    rsm_left_why why;
  } cases[] = {
      {{.registered = true}, RSM_LEFT_NONE},
      {{.unregistered = true}, RSM_LEFT_NONE},
      {{.service = true}, RSM_LEFT_NONE},
      {{.registered = false}, RSM_LEFT_NOT_REGISTERED},
      {{.registered = true, .masked = true}, RSM_LEFT_RESTART_MASKED},
      {{.unregistered = true, .masked = true}, RSM_LEFT_RESTART_MASKED},
      {{.registered = true, .no_patch = true}, RSM_LEFT_NO_PATCH},
      {{.registered = true, .no_patch = true, .unregistered = true}, RSM_LEFT_NO_PATCH}, /* its own wish counts */
      {{.no_patch = true}, RSM_LEFT_NOT_REGISTERED}, /* flags of no registration mean nothing */
      {{.registered = true, .other_user = true}, RSM_LEFT_OTHER_USER},
      {{.unregistered = true, .other_user = true}, RSM_LEFT_OTHER_USER},
      {{.registered = true, .obstacle = true}, RSM_LEFT_NOT_RESTORABLE},
      {{.unregistered = true, .obstacle = true}, RSM_LEFT_NOT_RESTORABLE},
      {{.by_parent = true, .like_parent = true}, RSM_LEFT_BY_PARENT},
      {{.by_parent = true, .like_parent = true, .registered = true}, RSM_LEFT_BY_PARENT}, /* a worker of its master */
      {{.by_parent = true, .unregistered = true}, RSM_LEFT_BY_PARENT},
      {{.by_parent = true, .registered = true}, RSM_LEFT_NONE}, /* another program that registered by itself */
      {{.by_parent = true, .registered = true, .obstacle = true}, RSM_LEFT_NOT_RESTORABLE},
  };
  for (size_t i = 0; i < RSM_COUNT(cases); i++) CHECK_INT(decide(cases[i].given), cases[i].why);
}

/* All reasons at once, then without the first, and so on. */
static void reasons_to_leave_have_an_order(void) {
  restart_case all = {.masked = true,
                      .registered = true,
                      .no_patch = true,
                      .obstacle = true,
                      .other_user = true,
                      .by_parent = true,
                      .like_parent = true};
  CHECK_INT(decide(all), RSM_LEFT_RESTART_MASKED);
  all.masked = false;
  CHECK_INT(decide(all), RSM_LEFT_BY_PARENT);
  all.by_parent = all.like_parent = false;
  CHECK_INT(decide(all), RSM_LEFT_NO_PATCH);
  all.no_patch = all.registered = false;
  CHECK_INT(decide(all), RSM_LEFT_NOT_REGISTERED);
  all.registered = true;
  CHECK_INT(decide(all), RSM_LEFT_OTHER_USER);
  all.other_user = false;
  CHECK_INT(decide(all), RSM_LEFT_NOT_RESTORABLE);
  all.obstacle = false;
  CHECK_INT(decide(all), RSM_LEFT_NONE);
}

static void only_success_is_a_hundred_percent(void) {
  static const struct {
    size_t done, total;
    bool finished;
    unsigned percent;
  } cases[] = {{0, 0, false, 0},  {0, 3, false, 0},  {1, 3, false, 33},      {2, 3, false, 66},
               {3, 3, false, 99}, {4, 3, false, 99}, {999, 1000, false, 99}, {0, 0, true, 100},
               {0, 3, true, 100}, {3, 3, true, 100}, {1, 100000, false, 0}};
  for (size_t i = 0; i < RSM_COUNT(cases); i++)
    CHECK_INT(rsm__plan_percent(cases[i].done, cases[i].total, cases[i].finished), cases[i].percent);
  unsigned last = 0;
  for (size_t done = 0; done <= 777; done++) {
    unsigned percent = rsm__plan_percent(done, 777, false);
    CHECK(percent >= last && percent < 100);
    last = percent;
  }
}

static const check_test tests[] = {
    CHECK_TEST(working_directories_count_only_on_demand),
    CHECK_TEST(filters_set_the_masked_bits),
    CHECK_TEST(reasons_are_those_of_who_stands_in_the_way),
    CHECK_TEST(a_shutdown_begins_or_touches_nothing),
    CHECK_TEST(each_reason_has_words_of_its_own),
    CHECK_TEST(an_application_is_confirmed_by_any_of_its_processes),
    CHECK_TEST(the_main_process_of_our_unit_is_no_younger_than_us),
    CHECK_TEST(who_carries_us_may_be_excepted_but_not_we),
    CHECK_TEST(ranks_follow_the_type),
    CHECK_TEST(stopped_and_started_in_good_order),
    CHECK_TEST(services_of_one_place_go_by_name),
    CHECK_TEST(each_rung_follows_the_one_before),
    CHECK_TEST(the_ladder_ends),
    CHECK_TEST(restart_decisions),
    CHECK_TEST(reasons_to_leave_have_an_order),
    CHECK_TEST(only_success_is_a_hundred_percent),
};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
