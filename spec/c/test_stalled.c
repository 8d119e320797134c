/* test_stalled.c: processes that hang whoever looks at them: the listing ends all the same, says so, and is fast the
 * next time. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "stalling.h"

#include "builtin/classify.h"
#include "os/clock.h"
#include "os/launch.h"
#include "os/linux/look.h"
#include "os/process.h"

enum { LIMIT = 700, SMALL = 2500 };

static rsm__lookup *patient; /* the 5 s one */

static void begin_stalls(uint32_t limit_ms) {
  patient = lookup;
  CHECK(rsm__lookup_new(limit_ms, &lookup, NULL) == RSM_OK);
}

/* Everything that hangs comes back, and takes its memory with it. */
static void end_stalls(long live) {
  lookup = rsm__lookup_free(lookup);
  lookup = patient;
  rsm__arena_done(&arena);
  wait_for_threads(live);
}

static uint64_t time_find(const char *name) {
  uint64_t before = rsm__clock_ms();
  find(name);
  return rsm__clock_ms() - before;
}

static const rsm_unreadable *unreadable_pid(pid_t pid) {
  for (size_t i = 0; i < found.unreadable_count; i++)
    if (found.unreadable[i].process.pid == (uint32_t)pid) return &found.unreadable[i];
  return NULL;
}

static rsm__process *open_process(pid_t pid, rsm__task *task) {
  rsm__process *process = NULL;
  CHECK(rsm__process_open(&(rsm_process){.pid = (uint32_t)pid}, &process, NULL) == RSM_OK);
  rsm__process_within(process, lookup, task);
  return process;
}

static rsm__subject classify(const rsm__process *process, rsm__arena *to) {
  rsm__classifier classifier;
  rsm__service_groups groups = {.arena = to};
  rsm__subject subject;
  CHECK(rsm__services_new(NULL, &groups.services, NULL) == RSM_OK);
  CHECK(rsm__classifier_init(&classifier, NULL, 0, &groups, NULL) == RSM_OK);
  CHECK(rsm__classify(&classifier, process, to, &subject, NULL) == RSM_OK);
  rsm__services_free(groups.services);
  rsm__service_groups_done(&groups);
  rsm__classifier_done(&classifier);
  return subject;
}

/* ---- Arguments ---- */

static void check_facts_and_capture(const rsm__process *process, bool first) {
  RSM_CLEAN_ARENA rsm__arena texts = {0};
  RSM_CLEAN_BUFFER rsm__buffer capture = {0};
  rsm__process_facts facts;
  const char *obstacle = NULL;
  uint64_t before = rsm__clock_ms();
  CHECK(rsm__process_facts_get(process, &texts, &facts, NULL) == RSM_OK);
  CHECK(rsm__launch_capture(process, true, &texts, &capture, &obstacle, NULL) == RSM_OK);
  rsm__subject subject = classify(process, &texts);
  uint64_t took = rsm__clock_ms() - before;
  CHECK(first ? took >= LIMIT && took < LIMIT + SMALL : took < LIMIT); /* one wait for all of it */
  CHECK(!facts.command && facts.name && facts.exe && facts.user && facts.parent.pid == (uint32_t)getpid());
  CHECK_TEXT(obstacle, "its arguments could not be read in time");
  CHECK_TEXT(subject.app.note, obstacle);
  CHECK(!subject.app.restartable && subject.app.restart_by == RSM_RESTART_BY_NONE);
  CHECK(subject.app.type != RSM_APP_CRITICAL && subject.app.reboot_reasons == 0); /* it can be stopped */
}

static bool stalls_at_arguments(pid_t child) {
  usleep(200000);
  if (hangs(child, "cmdline") && !hangs(child, "maps")) return true;
  printf("skipped: arguments that do not answer (this kernel brings them, or no mappings either)\n");
  return false;
}

static void test_arguments_that_do_not_answer(void) {
  long live = rsm__alloc_live();
  if (!start_server()) return;
  begin_stalls(LIMIT);
  put("held");
  pid_t child = start(act_stall_memory, in("held"), 0), other = start(act_open, in("held"), O_RDONLY);
  bool stalls = stalls_at_arguments(child);
  for (int round = 0; stalls && round < 2; round++) {
    CHECK(time_find("held") < LIMIT); /* what it uses can be seen, before and after */
    CHECK(use_of(child, RSM_USE_OPEN) && use_of(other, RSM_USE_OPEN) && !unreadable_pid(child));
    rsm__process *process = open_process(child, NULL);
    check_facts_and_capture(process, round == 0);
    rsm__process_close(process);
  }
  end_server();
  end(child);
  end(other);
  end_stalls(live);
}

static size_t count_threads(void) {
  RSM_CLEAN(rsm__numbers_done) rsm__numbers threads = {0};
  CHECK(rsm__numbers_list(AT_FDCWD, "/proc/self/task", &threads, NULL) == RSM_OK);
  return threads.count;
}

/* Both are read beside us; who answers is not kept waiting by who does not. */
static void check_reading_ahead(const rsm__process *silent, const rsm__process *other) {
  RSM_CLEAN_ARENA rsm__arena texts = {0};
  rsm__process_facts facts;
  uint64_t before = rsm__clock_ms();
  CHECK(rsm__process_facts_get(other, &texts, &facts, NULL) == RSM_OK && facts.command_count > 0);
  CHECK(rsm__clock_ms() - before < LIMIT);
  CHECK(rsm__process_facts_get(silent, &texts, &facts, NULL) == RSM_OK && !facts.command && facts.exe);
  rsm__subject subject = classify(silent, &texts);
  CHECK_TEXT(subject.app.note, "its arguments could not be read in time");
  CHECK(rsm__clock_ms() - before < LIMIT + SMALL); /* one wait for all of it */
}

static void test_reading_ahead_of_who_does_not_answer(void) {
  long live = rsm__alloc_live();
  if (!start_server()) return;
  begin_stalls(LIMIT);
  put("held");
  pid_t child = start(act_stall_memory, in("held"), 0), answers = start(act_open, in("held"), O_RDONLY);
  if (stalls_at_arguments(child)) {
    rsm__process *unasked = open_process(child, NULL), *silent = open_process(child, NULL);
    rsm__process *other = open_process(answers, NULL);
    size_t threads = count_threads();
    rsm__process_read_ahead(unasked);
    CHECK(UNTIL(LIMIT, count_threads() > threads));
    rsm__process_close(unasked); /* the thread keeps what it needs */
    rsm__process_read_ahead(silent);
    rsm__process_read_ahead(other);
    check_reading_ahead(silent, other);
    rsm__process_close(silent);
    rsm__process_close(other);
  }
  end_server();
  end(child);
  end(answers);
  end_stalls(live);
}

static void get_facts(rsm__task *task, void *argument) {
  RSM_CLEAN_ARENA rsm__arena texts = {0};
  rsm__process_facts facts;
  pid_t *pid = argument;
  rsm__process *process = open_process(*pid, task);
  *pid = (pid_t)rsm__process_facts_get(process, &texts, &facts, NULL);
  rsm__process_close(process);
}

static void test_cancelling_ends_the_wait_for_arguments(void) {
  long live = rsm__alloc_live();
  if (!start_server()) return;
  begin_stalls(60000);
  put("held");
  pid_t child = start(act_stall_memory, in("held"), 0), status = child;
  if (stalls_at_arguments(child)) {
    rsm__task *task = NULL;
    CHECK(rsm__task_new(get_facts, &status, &task, NULL) == RSM_OK);
    CHECK(!rsm__task_step(task, 200, NULL));
    uint64_t before = rsm__clock_ms();
    rsm__task_free(task);
    CHECK(rsm__clock_ms() - before < SMALL);
    CHECK_INT(status, RSM_CANCELLED);
  }
  end_server();
  end(child);
  end_stalls(live);
}

/* ---- Mappings ---- */

static bool stalls_in_exec(pid_t child) {
  usleep(100000);
  if (hangs(child, "maps")) return true;
  printf("skipped: a process whose mappings hang (this kernel lets an exec under way be looked at)\n");
  return false;
}

static void check_a_stalled_listing(pid_t child, pid_t before, pid_t after) {
  CHECK(use_of(before, RSM_USE_OPEN) && use_of(after, RSM_USE_OPEN) && !holder_of(child));
  CHECK(!found.complete && found.count == 2);
  const rsm_unreadable *entry = unreadable_pid(child);
  CHECK(entry && entry->name && (entry->process.start_time || entry->process.instance));
  CHECK_TEXT(entry->reason, "did not answer in time");
  CHECK_TEXT(entry->user, "root");
}

static void test_mappings_that_do_not_answer(void) {
  long live = rsm__alloc_live();
  if (!start_server()) return;
  begin_stalls(LIMIT);
  put("held");
  pid_t before = start(act_open, in("held"), O_RDONLY), child = start(act_stall_exec, in("held"), 0);
  pid_t after = start(act_open, in("held"), O_RDONLY);
  bool stalls = stalls_in_exec(child);
  if (stalls) {
    uint64_t took = time_find("held");
    CHECK(took >= LIMIT && took < LIMIT + SMALL);
    check_a_stalled_listing(child, before, after);
    CHECK(time_find("held") < LIMIT);
    check_a_stalled_listing(child, before, after);
  }
  end_server();
  if (stalls) (void)UNTIL(2000, (find("held"), use_of(child, RSM_USE_OPEN) != NULL)); /* now it answers */
  CHECK(!stalls || (found.count == 3 && !unreadable_pid(child)));
  end(child);
  end(before);
  end(after);
  end_stalls(live);
}

/* Numbers begin anew at times: not among those that are started now, which are looked at in their order. */
static void pass_the_last_pids(void) {
  enum { ENOUGH = 200 };
  long most = 0, pid = 0;
  FILE *file = fopen("/proc/sys/kernel/pid_max", "re");
  CHECK(file && fscanf(file, "%ld", &most) == 1);
  fclose(file);
  do {
    pid = fork();
    if (pid == 0) _exit(0);
    CHECK(pid > 0 && waitpid((pid_t)pid, NULL, 0) == pid);
  } while (pid + ENOUGH > most);
}

static void test_too_many_that_do_not_answer(void) {
  enum { COUNT = 6, MOST = 4 };
  long live = rsm__alloc_live();
  pid_t children[COUNT];
  if (!start_server()) return;
  begin_stalls(LIMIT);
  put("held");
  pass_the_last_pids();
  for (int i = 0; i < COUNT; i++) children[i] = start(act_stall_exec, in("held"), 0);
  pid_t other = start(act_open, in("held"), O_RDONLY);
  if (stalls_in_exec(children[COUNT - 1])) {
    uint64_t took = time_find("held");
    CHECK(took >= (uint64_t)MOST * LIMIT && took < (uint64_t)MOST * LIMIT + SMALL);
    for (int i = 0; i < COUNT; i++)
      CHECK(!holder_of(children[i]) && (unreadable_pid(children[i]) != NULL) == (i < MOST));
    CHECK(!found.complete && !holder_of(other));
    CHECK(strstr(found.unreadable[found.unreadable_count - 1].reason, "too many processes did not answer in time: "));
    took = time_find("held"); /* the next one gets behind them */
    CHECK(took >= 2ULL * LIMIT && took < 2ULL * LIMIT + SMALL && holder_of(other));
    for (int i = 0; i < COUNT; i++) CHECK(unreadable_pid(children[i]));
    CHECK(time_find("held") < LIMIT && holder_of(other) && found.count == 1);
  }
  end_server();
  for (int i = 0; i < COUNT; i++) end(children[i]);
  end(other);
  end_stalls(live);
}

static void find_held(rsm__task *task, void *ret_status) {
  const rsm__target target = {.path = in("held")};
  rsm__arena_done(&arena);
  *(rsm_status *)ret_status = rsm__holders_find(&target, 1, lookup, task, &arena, &found, NULL);
}

static void test_freeing_a_listing_that_hangs(void) {
  long live = rsm__alloc_live();
  if (!start_server()) return;
  begin_stalls(60000);
  put("held");
  pid_t child = start(act_stall_exec, in("held"), 0);
  if (stalls_in_exec(child)) {
    rsm_status status = RSM_OK;
    rsm__task *task = NULL;
    CHECK(rsm__task_new(find_held, &status, &task, NULL) == RSM_OK);
    CHECK(!rsm__task_step(task, 500, NULL));
    uint64_t before = rsm__clock_ms();
    rsm__task_free(task);
    CHECK(rsm__clock_ms() - before < SMALL);
    CHECK_INT(status, RSM_CANCELLED);
  }
  end_server();
  end(child);
  end_stalls(live);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_arguments_that_do_not_answer),
      CHECK_TEST(test_reading_ahead_of_who_does_not_answer),
      CHECK_TEST(test_cancelling_ends_the_wait_for_arguments),
      CHECK_TEST(test_mappings_that_do_not_answer),
      CHECK_TEST(test_too_many_that_do_not_answer),
      CHECK_TEST(test_freeing_a_listing_that_hangs),
  };
  begin();
  int code = check_run(tests, RSM_COUNT(tests), argc, argv);
  finish();
  return code;
}
