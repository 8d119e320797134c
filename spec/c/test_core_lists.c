/* test_core_lists.c: lists, reports and filters, also when memory runs out. SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "check.h"
#include "core/filter.h"
#include "core/list.h"

#ifdef RSM_TEST_HOOKS
/* Runs climb with the 1st, 2nd, ... request failing until one run needs fewer. climb frees what it made: it returns
 * false if a call said that memory ran out, and checks by itself that nothing else has changed then. */
static void ladder(bool (*climb)(void)) {
  long before = rsm__alloc_live();
  for (unsigned long at = 1;; at++) {
    rsm__alloc_fail_at(at, 0);
    bool whole = climb();
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), before);
    if (whole) {
      CHECK(at > 1); /* or nothing was asked for */
      return;
    }
    CHECK(at < 1000);
  }
}
#endif

/* ---- Applications ---- */

static const rsm_use some_uses[] = {
    {.path = "/srv/a", .resource = "/srv", .how = RSM_USE_OPEN, .access = RSM_ACCESS_READ, .fd = 3},
    {.path = "/srv/b", .resource = "/srv", .how = RSM_USE_MAP, .fd = -1, .deleted = true}};
static const char *const some_command[] = {"prog", "", "--option"};
static const rsm_process some_processes[] = {{.pid = 10, .start_time = 100}, {.pid = 11, .start_time = 110}};

static rsm_app sample(uint32_t pid) {
  return (rsm_app){.process = {.pid = pid, .start_time = 10 * (uint64_t)pid, .instance = 7},
                   .started_at = 1234567890,
                   .name = "prog",
                   .service = "prog.service",
                   .type = RSM_APP_SERVICE,
                   .status = RSM_APP_RUNNING | RSM_APP_RESTART_MASKED,
                   .logon_session = "c1",
                   .restartable = true,
                   .restart_by = RSM_RESTART_BY_SERVICE,
                   .reboot_reasons = RSM_REBOOT_PERMISSION_DENIED,
                   .affected = true,
                   .uses = some_uses,
                   .use_count = RSM_COUNT(some_uses),
                   .user = "root",
                   .exe = "/usr/bin/prog",
                   .command = some_command,
                   .command_count = RSM_COUNT(some_command),
                   .processes = some_processes,
                   .process_count = RSM_COUNT(some_processes),
                   .note = "a note"};
}

static void is_same_text(const char *a, const char *b) {
  CHECK_TEXT(a, b);
  CHECK(!a || a != b); /* a copy */
}

static void is_copy(const rsm_app *a, const rsm_app *b) {
  CHECK(rsm_process_equal(&a->process, &b->process) && a->process.instance == b->process.instance);
  CHECK(a->started_at == b->started_at && a->type == b->type && a->status == b->status);
  CHECK(a->restartable == b->restartable && a->restart_by == b->restart_by && a->affected == b->affected);
  CHECK_INT(a->reboot_reasons, b->reboot_reasons);
  is_same_text(a->name, b->name);
  is_same_text(a->service, b->service);
  is_same_text(a->logon_session, b->logon_session);
  is_same_text(a->user, b->user);
  is_same_text(a->exe, b->exe);
  is_same_text(a->note, b->note);
  CHECK_INT(a->use_count, b->use_count);
  for (size_t i = 0; i < a->use_count; i++) {
    is_same_text(a->uses[i].path, b->uses[i].path);
    is_same_text(a->uses[i].resource, b->uses[i].resource);
    CHECK(a->uses[i].how == b->uses[i].how && a->uses[i].fd == b->uses[i].fd);
    CHECK(a->uses[i].access == b->uses[i].access && a->uses[i].deleted == b->uses[i].deleted);
  }
  CHECK_INT(a->command_count, b->command_count);
  for (size_t i = 0; i < a->command_count; i++) is_same_text(a->command[i], b->command[i]);
  CHECK_INT(a->process_count, b->process_count);
  for (size_t i = 0; i < a->process_count; i++) CHECK(rsm_process_equal(&a->processes[i], &b->processes[i]));
}

static void processes_are_compared_by_what_is_known(void) {
  static const struct {
    rsm_process a, b;
    bool same;
  } pairs[] = {{{1, 2, 3}, {1, 2, 3}, true},  {{1, 2, 0}, {1, 2, 3}, true},  {{1, 2, 3}, {1, 2, 0}, true},
               {{1, 2, 3}, {1, 2, 4}, false}, {{1, 2, 3}, {1, 3, 3}, false}, {{1, 2, 3}, {2, 2, 3}, false},
               {{1, 0, 0}, {1, 2, 0}, false}, {{0, 0, 0}, {0, 0, 0}, true}};
  for (size_t i = 0; i < RSM_COUNT(pairs); i++) {
    CHECK_INT(rsm_process_equal(&pairs[i].a, &pairs[i].b), pairs[i].same);
    CHECK_INT(rsm_process_equal(&pairs[i].b, &pairs[i].a), pairs[i].same);
  }
}

static void a_list_owns_what_it_holds(void) {
  rsm_list *list = rsm__list_new();
  CHECK(list && rsm_list_count(list) == 0 && !rsm_list_at(list, 0) && rsm_list_complete(list));
  for (uint32_t pid = 1; pid <= 500; pid++) {
    rsm_app app = sample(pid);
    CHECK_INT(rsm__list_add_copy(list, &app, NULL), RSM_OK);
  }
  CHECK_INT(rsm_list_count(list), 500);
  for (uint32_t pid = 1; pid <= 500; pid++) {
    rsm_app app = sample(pid);
    is_copy(rsm_list_at(list, pid - 1), &app);
  }
  CHECK(!rsm_list_at(list, 500) && !rsm_list_at(list, SIZE_MAX));
  CHECK_INT(rsm_list_reboot_reasons(list), 0);
  list->reboot_reasons = 5;
  CHECK_INT(rsm_list_reboot_reasons(list), 5);
  CHECK(!rsm_list_free(list));
  CHECK(!rsm_list_free(NULL));
}

static void an_empty_application_stays_empty(void) {
  rsm_list *list = rsm__list_new();
  rsm_app *added = rsm__list_add(list);
  CHECK(added);
  CHECK_TEXT(added->name, ""); /* the one text that is never NULL */
  rsm_app bare = {.name = "x"};
  CHECK_INT(rsm__list_add_copy(list, &bare, NULL), RSM_OK);
  is_copy(rsm_list_at(list, 1), &bare);
  CHECK(!rsm_list_at(list, 1)->uses && !rsm_list_at(list, 1)->command && !rsm_list_at(list, 1)->processes);
  rsm_list_free(list);
}

static void an_entry_is_found_by_its_process(void) {
  rsm_list *list = rsm__list_new();
  rsm_app service = sample(20), other = {.name = "other", .process = {.pid = 30, .start_time = 5}},
          none = {.name = "m"};
  CHECK_INT(rsm__list_add_copy(list, &none, NULL), RSM_OK);
  CHECK_INT(rsm__list_add_copy(list, &service, NULL), RSM_OK);
  CHECK_INT(rsm__list_add_copy(list, &other, NULL), RSM_OK);
  CHECK(rsm__list_find(list, &other.process) == rsm_list_at(list, 2));
  CHECK(rsm__list_find(list, &service.process) == rsm_list_at(list, 1));
  CHECK(rsm__list_find(list, &some_processes[1]) == rsm_list_at(list, 1)); /* as one of a service's */
  CHECK(!rsm__list_find(list, &(rsm_process){.pid = 30, .start_time = 6}));
  CHECK(!rsm__list_find(list, &(rsm_process){0})); /* "no process" is nobody */
  rsm_list_free(list);
}

static void what_is_unreadable_makes_a_list_incomplete(void) {
  rsm_list *list = rsm__list_new();
  const rsm_unreadable what[] = {{.process = {.pid = 5, .start_time = 6}, .name = "n", .user = "u", .reason = "denied"},
                                 {.path = "/mnt/x", .reason = "timed out"}};
  for (size_t i = 0; i < RSM_COUNT(what); i++) CHECK_INT(rsm__list_add_unreadable(list, &what[i], NULL), RSM_OK);
  CHECK(!rsm_list_complete(list));
  CHECK_INT(rsm_list_unreadable_count(list), 2);
  for (size_t i = 0; i < RSM_COUNT(what); i++) {
    const rsm_unreadable *one = rsm_list_unreadable_at(list, i);
    CHECK(rsm_process_equal(&one->process, &what[i].process));
    is_same_text(one->name, what[i].name);
    is_same_text(one->user, what[i].user);
    is_same_text(one->path, what[i].path);
    is_same_text(one->reason, what[i].reason);
  }
  CHECK(!rsm_list_unreadable_at(list, 2));
  CHECK_INT(rsm_list_count(list), 0);
  rsm_list_free(list);
}

/* ---- Reports, sessions, resources ---- */

static void a_report_has_a_list_for_each_outcome(void) {
  rsm_report *report = rsm__report_new();
  for (int outcome = 0; outcome < RSM_OUTCOME_COUNT; outcome++) {
    CHECK_INT(rsm_report_count(report, (rsm_outcome)outcome), 0);
    CHECK(!rsm_report_at(report, (rsm_outcome)outcome, 0));
    for (int i = 0; i <= outcome; i++) {
      rsm_app app = sample((uint32_t)(100 * outcome + i + 1));
      CHECK_INT(rsm__report_add(report, (rsm_outcome)outcome, &app, NULL), RSM_OK);
    }
  }
  for (int outcome = 0; outcome < RSM_OUTCOME_COUNT; outcome++) {
    CHECK_INT(rsm_report_count(report, (rsm_outcome)outcome), outcome + 1);
    for (int i = 0; i <= outcome; i++)
      CHECK_INT(rsm_report_at(report, (rsm_outcome)outcome, (size_t)i)->process.pid, 100 * outcome + i + 1);
    CHECK(!rsm_report_at(report, (rsm_outcome)outcome, (size_t)outcome + 1));
  }
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_COUNT), 0);
  CHECK_INT(rsm_report_count(report, (rsm_outcome)-1), 0);
  CHECK(!rsm_report_at(report, RSM_OUTCOME_COUNT, 0));
  CHECK(!rsm_report_free(report) && !rsm_report_free(NULL));
}

static void sessions_take_what_was_stopped(void) {
  rsm_sessions *sessions = rsm__calloc(1, sizeof *sessions);
  rsm_session_info info = {.key = "k", .name = NULL, .abandoned = true, .primary = {.pid = 9, .start_time = 8}};
  rsm_list *stopped = rsm__list_new();
  rsm_app app = sample(1);
  CHECK_INT(rsm__list_add_copy(stopped, &app, NULL), RSM_OK);
  CHECK_INT(rsm__sessions_add_take(sessions, &info, stopped, NULL), RSM_OK);
  CHECK_INT(rsm_sessions_count(sessions), 1);
  const rsm_session_info *one = rsm_sessions_at(sessions, 0);
  is_same_text(one->key, "k");
  CHECK(!one->name && one->abandoned && one->primary.pid == 9 && rsm_list_count(one->stopped) == 1);
  CHECK(!rsm_sessions_at(sessions, 1));
  CHECK(!rsm_sessions_free(sessions) && !rsm_sessions_free(NULL));
}

static void resources_are_copied(void) {
  rsm_resource_list *list = rsm__resource_list_new();
  char path[] = "/srv/a";
  rsm_resource file = {.kind = RSM_RESOURCE_FILE, .name = path, .by = {.pid = 4}};
  rsm_resource process = {.kind = RSM_RESOURCE_PROCESS, .process = {.pid = 3, .start_time = 2}};
  CHECK_INT(rsm__resource_list_add(list, &file, NULL), RSM_OK);
  CHECK_INT(rsm__resource_list_add(list, &process, NULL), RSM_OK);
  path[5] = 'x';
  CHECK_INT(rsm_resource_list_count(list), 2);
  CHECK_TEXT(rsm_resource_list_at(list, 0)->name, "/srv/a");
  CHECK_INT(rsm_resource_list_at(list, 0)->by.pid, 4);
  CHECK(rsm_resource_list_at(list, 1)->kind == RSM_RESOURCE_PROCESS && !rsm_resource_list_at(list, 1)->name);
  CHECK(!rsm_resource_list_at(list, 2));
  CHECK(!rsm_resource_list_free(list) && !rsm_resource_list_free(NULL));
}

/* ---- Filters ---- */

static const rsm_filter by_exe = {.exe = "/usr/bin/prog", .action = RSM_NO_RESTART};
static const rsm_filter by_service = {.service = "prog.service", .action = RSM_NO_SHUTDOWN};
static const rsm_filter by_process = {.process = {.pid = 20, .start_time = 200}, .action = RSM_NO_RESTART};

static void a_filter_names_one_target(void) {
  static const struct {
    rsm_filter filter;
    bool good, good_to_remove;
  } all[] = {{{.exe = "/a", .action = RSM_NO_RESTART}, true, true},
             {{.exe = "/a", .action = RSM_NO_SHUTDOWN}, true, true},
             {{.service = "s", .action = RSM_NO_SHUTDOWN}, true, true},
             {{.process = {.pid = 1}, .action = RSM_NO_SHUTDOWN}, true, true},
             {{.exe = "/a"}, false, true},
             {{.exe = "/a", .action = (rsm_filter_action)3}, false, true},
             {{.action = RSM_NO_RESTART}, false, false},
             {{.exe = "/a", .service = "s", .action = RSM_NO_RESTART}, false, false},
             {{.exe = "/a", .process = {.pid = 1}, .action = RSM_NO_RESTART}, false, false},
             {{.exe = "", .action = RSM_NO_RESTART}, false, false},
             {{.service = "", .action = RSM_NO_RESTART}, false, false}};
  for (size_t i = 0; i < RSM_COUNT(all); i++) {
    rsm_error error = {0};
    CHECK_INT(rsm__filter_check(&all[i].filter, true, &error), all[i].good ? RSM_OK : RSM_BAD_ARGUMENTS);
    CHECK_INT(error.detail[0] != 0, !all[i].good);
    CHECK_INT(rsm__filter_check(&all[i].filter, false, NULL), all[i].good_to_remove ? RSM_OK : RSM_BAD_ARGUMENTS);
  }
}

static bool same_first_letter(const char *a, const char *b) {
  return a[0] == b[0];
}

/* What a name means is the operating system's to say: here the first letter counts. */
static void a_list_may_have_its_own_idea_of_names(void) {
  rsm_filter_list list = {.same_name = same_first_letter};
  const rsm_filter again = {.exe = "/other", .action = RSM_NO_SHUTDOWN};
  const rsm_app app = {.exe = "/third", .process = {.pid = 1, .start_time = 1}};
  CHECK_INT(rsm__filter_add(&list, &by_exe, NULL), RSM_OK);
  CHECK_INT(rsm__filter_add(&list, &again, NULL), RSM_OK);
  CHECK_INT(rsm_filter_list_count(&list), 1);
  CHECK_TEXT(rsm_filter_list_at(&list, 0)->exe, "/usr/bin/prog"); /* as it was named first */
  rsm_filter_list *copy = rsm__filter_list_copy(&list);
  CHECK(copy);
  CHECK_INT(rsm__filter_match(copy, &app), RSM_NO_SHUTDOWN);
  CHECK_INT(rsm__filter_remove(copy, &again, NULL), RSM_OK);
  CHECK_INT(rsm_filter_list_count(copy), 0);
  rsm_filter_list_free(copy);
  rsm__filter_list_done(&list);
}

static void filters_come_back_as_given(void) {
  rsm_filter_list list = {0};
  char exe[] = "/usr/bin/prog";
  rsm_filter mine = by_exe;
  mine.exe = exe;
  CHECK_INT(rsm__filter_add(&list, &mine, NULL), RSM_OK);
  exe[1] = 'X'; /* the caller's text is the caller's */
  CHECK_INT(rsm__filter_add(&list, &by_service, NULL), RSM_OK);
  CHECK_INT(rsm__filter_add(&list, &by_process, NULL), RSM_OK);
  rsm_filter_list *copy = rsm__filter_list_copy(&list);
  rsm__filter_list_done(&list);
  CHECK(copy && rsm_filter_list_count(copy) == 3 && !rsm_filter_list_at(copy, 3));
  CHECK_TEXT(rsm_filter_list_at(copy, 0)->exe, "/usr/bin/prog");
  CHECK_INT(rsm_filter_list_at(copy, 0)->action, RSM_NO_RESTART);
  CHECK_TEXT(rsm_filter_list_at(copy, 1)->service, "prog.service");
  CHECK_INT(rsm_filter_list_at(copy, 1)->action, RSM_NO_SHUTDOWN);
  CHECK(rsm_process_equal(&rsm_filter_list_at(copy, 2)->process, &by_process.process));
  CHECK(!rsm_filter_list_at(copy, 2)->exe && !rsm_filter_list_at(copy, 2)->service);
  CHECK(!rsm_filter_list_free(copy) && !rsm_filter_list_free(NULL));
}

static void a_second_filter_for_a_target_replaces_the_first(void) {
  const rsm_filter *all[] = {&by_exe, &by_service, &by_process};
  rsm_filter_list list = {0};
  for (size_t i = 0; i < RSM_COUNT(all); i++) CHECK_INT(rsm__filter_add(&list, all[i], NULL), RSM_OK);
  for (size_t i = 0; i < RSM_COUNT(all); i++) {
    rsm_filter other = *all[i];
    other.action = all[i]->action == RSM_NO_RESTART ? RSM_NO_SHUTDOWN : RSM_NO_RESTART;
    CHECK_INT(rsm__filter_add(&list, &other, NULL), RSM_OK);
    CHECK_INT(list.count, 3);
    CHECK_INT(list.items[i].action, other.action);
  }
  rsm_filter recycled = by_process;
  recycled.process.start_time++;
  CHECK_INT(rsm__filter_add(&list, &recycled, NULL), RSM_OK);
  CHECK_INT(list.count, 4); /* the same pid, another process */
  rsm__filter_list_done(&list);
}

static void removing_twice_finds_nothing(void) {
  const rsm_filter *all[] = {&by_exe, &by_service, &by_process};
  for (size_t first = 0; first < RSM_COUNT(all); first++) {
    rsm_filter_list list = {0};
    rsm_error error = {0};
    for (size_t i = 0; i < RSM_COUNT(all); i++) CHECK_INT(rsm__filter_add(&list, all[i], NULL), RSM_OK);
    for (size_t i = 0; i < RSM_COUNT(all); i++) {
      rsm_filter target = *all[(first + i) % RSM_COUNT(all)];
      target.action = 0; /* not looked at */
      CHECK_INT(rsm__filter_remove(&list, &target, &error), RSM_OK);
      CHECK_INT(rsm__filter_remove(&list, &target, &error), RSM_FILE_NOT_FOUND);
      CHECK_INT(error.status, RSM_FILE_NOT_FOUND);
      CHECK_INT(list.count, RSM_COUNT(all) - 1 - i);
    }
    rsm__filter_list_done(&list);
  }
}

static void the_most_telling_target_decides(void) {
  /* In what order they were added plays no part. */
  static const rsm_filter filters[] = {
      {.exe = "/usr/bin/prog", .action = RSM_NO_RESTART},
      {.service = "prog.service", .action = RSM_NO_SHUTDOWN},
      {.process = {.pid = 20, .start_time = 200}, .action = RSM_NO_RESTART},
      {.process = {.pid = 11, .start_time = 110}, .action = RSM_NO_SHUTDOWN}, /* one of the service's others */
  };
  static const struct {
    unsigned present; /* bits */
    rsm_filter_action action;
  } cases[] = {{0, 0},
               {1, RSM_NO_RESTART},
               {2, RSM_NO_SHUTDOWN},
               {3, RSM_NO_SHUTDOWN},
               {4, RSM_NO_RESTART},
               {6, RSM_NO_RESTART},
               {7, RSM_NO_RESTART},
               {8, RSM_NO_SHUTDOWN},
               {9, RSM_NO_SHUTDOWN}};
  rsm_app app = sample(20);
  for (size_t c = 0; c < RSM_COUNT(cases); c++)
    for (int backwards = 0; backwards < 2; backwards++) {
      rsm_filter_list list = {0};
      for (size_t i = 0; i < RSM_COUNT(filters); i++) {
        size_t at = backwards ? RSM_COUNT(filters) - 1 - i : i;
        if (cases[c].present & 1u << at) CHECK_INT(rsm__filter_add(&list, &filters[at], NULL), RSM_OK);
      }
      CHECK_INT(rsm__filter_match(&list, &app), cases[c].action);
      rsm__filter_list_done(&list);
    }
}

static void filters_match_nobody_else(void) {
  rsm_filter_list list = {0};
  CHECK_INT(rsm__filter_add(&list, &by_exe, NULL), RSM_OK);
  CHECK_INT(rsm__filter_add(&list, &by_service, NULL), RSM_OK);
  CHECK_INT(rsm__filter_add(&list, &by_process, NULL), RSM_OK);
  const rsm_app others[] = {{.name = "x"},
                            {.name = "x", .exe = "/usr/bin/prog2"},
                            {.name = "x", .exe = "/usr/bin/pro", .service = "prog"},
                            {.name = "prog", .process = {.pid = 20, .start_time = 201}},
                            {.name = "prog", .process = {.pid = 21, .start_time = 200}}};
  for (size_t i = 0; i < RSM_COUNT(others); i++) CHECK_INT(rsm__filter_match(&list, &others[i]), 0);
  rsm__filter_list_done(&list);
}

/* ---- When memory runs out ---- */

#ifdef RSM_TEST_HOOKS
static bool climb_list(void) {
  rsm_list *list = rsm__list_new();
  bool failed = !list;
  const rsm_unreadable what = {.name = "n", .user = "u", .path = "/p", .reason = "r"};
  for (uint32_t pid = 1; !failed && pid <= 20; pid++) {
    rsm_app app = sample(pid);
    rsm_error error = {0};
    size_t before = rsm_list_count(list);
    failed = rsm__list_add_copy(list, &app, &error) != RSM_OK;
    CHECK_INT(rsm_list_count(list), before + !failed); /* all or nothing */
    if (failed) CHECK_INT(error.status, RSM_OUT_OF_MEMORY);
  }
  if (!failed) {
    failed = rsm__list_add_unreadable(list, &what, NULL) != RSM_OK;
    CHECK_INT(rsm_list_unreadable_count(list), !failed);
    CHECK_INT(rsm_list_complete(list), failed);
  }
  for (size_t i = 0; list && i < rsm_list_count(list); i++) {
    rsm_app app = sample((uint32_t)i + 1);
    is_copy(rsm_list_at(list, i), &app);
  }
  rsm_list_free(list);
  return !failed;
}

static void a_list_survives_a_full_memory(void) {
  ladder(climb_list);
}

static bool climb_report(void) {
  rsm_report *report = rsm__report_new();
  bool failed = !report;
  for (int outcome = 0; !failed && outcome < RSM_OUTCOME_COUNT; outcome++) {
    rsm_app app = sample(5);
    failed = rsm__report_add(report, (rsm_outcome)outcome, &app, NULL) != RSM_OK;
    CHECK_INT(rsm_report_count(report, (rsm_outcome)outcome), !failed);
  }
  rsm_report_free(report);
  return !failed;
}

static void a_report_survives_a_full_memory(void) {
  ladder(climb_report);
}

static bool climb_sessions(void) {
  rsm_sessions *sessions = rsm__calloc(1, sizeof *sessions);
  bool failed = !sessions;
  for (int i = 0; !failed && i < 20; i++) {
    rsm_session_info info = {.key = "0123", .name = "name"};
    rsm_list *stopped = rsm__list_new();
    failed = !stopped || rsm__sessions_add_take(sessions, &info, stopped, NULL) != RSM_OK;
    if (failed) rsm_list_free(stopped); /* taken over on success only */
    CHECK_INT(rsm_sessions_count(sessions), i + !failed);
  }
  rsm_sessions_free(sessions);
  return !failed;
}

static void sessions_survive_a_full_memory(void) {
  ladder(climb_sessions);
}

static bool climb_resources(void) {
  rsm_resource_list *list = rsm__resource_list_new();
  bool failed = !list;
  for (size_t i = 0; !failed && i < 20; i++) {
    const rsm_resource resource = {.kind = RSM_RESOURCE_FILE, .name = "/srv/a"};
    failed = rsm__resource_list_add(list, &resource, NULL) != RSM_OK;
    CHECK_INT(rsm_resource_list_count(list), i + !failed);
  }
  rsm_resource_list_free(list);
  return !failed;
}

static void resources_survive_a_full_memory(void) {
  ladder(climb_resources);
}

static bool climb_filters(void) {
  const rsm_filter *all[] = {&by_exe, &by_service, &by_process, &by_exe};
  rsm_filter_list list = {0};
  bool failed = false;
  for (size_t i = 0; !failed && i < RSM_COUNT(all); i++) {
    size_t before = list.count;
    failed = rsm__filter_add(&list, all[i], NULL) != RSM_OK;
    CHECK_INT(list.count, before + (!failed && i < 3));
  }
  for (uint32_t pid = 100; !failed && pid < 120; pid++) {
    const rsm_filter more = {.process = {.pid = pid, .start_time = 1}, .action = RSM_NO_RESTART};
    failed = rsm__filter_add(&list, &more, NULL) != RSM_OK;
  }
  rsm_filter_list *copy = failed ? NULL : rsm__filter_list_copy(&list);
  if (copy) CHECK_INT(copy->count, list.count);
  if (!failed) CHECK_INT(rsm__filter_remove(&list, &by_service, NULL), RSM_OK); /* needs no memory */
  failed = failed || !copy;
  rsm_filter_list_free(copy);
  rsm__filter_list_done(&list);
  return !failed;
}

static void filters_survive_a_full_memory(void) {
  ladder(climb_filters);
}
#endif

static const check_test tests[] = {
    CHECK_TEST(processes_are_compared_by_what_is_known),
    CHECK_TEST(a_list_owns_what_it_holds),
    CHECK_TEST(an_empty_application_stays_empty),
    CHECK_TEST(an_entry_is_found_by_its_process),
    CHECK_TEST(what_is_unreadable_makes_a_list_incomplete),
    CHECK_TEST(a_report_has_a_list_for_each_outcome),
    CHECK_TEST(sessions_take_what_was_stopped),
    CHECK_TEST(resources_are_copied),
    CHECK_TEST(a_filter_names_one_target),
    CHECK_TEST(a_list_may_have_its_own_idea_of_names),
    CHECK_TEST(filters_come_back_as_given),
    CHECK_TEST(a_second_filter_for_a_target_replaces_the_first),
    CHECK_TEST(removing_twice_finds_nothing),
    CHECK_TEST(the_most_telling_target_decides),
    CHECK_TEST(filters_match_nobody_else),
#ifdef RSM_TEST_HOOKS
    CHECK_TEST(a_list_survives_a_full_memory),
    CHECK_TEST(a_report_survives_a_full_memory),
    CHECK_TEST(sessions_survive_a_full_memory),
    CHECK_TEST(resources_survive_a_full_memory),
    CHECK_TEST(filters_survive_a_full_memory),
#endif
};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
