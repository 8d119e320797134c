/* test_facts.c: what is known of real processes. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "children.h"
#include "os/clock.h"
#include "os/launch.h"
#include "os/service.h"
#include "os/user.h"

static void test_facts__of_a_program(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  int64_t now = rsm__clock_unix();
  pid_t pid = start_program("/bin/sleep", "my sleep", "60");
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  rsm__process_facts facts;
  char exe[PATH_MAX];
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  CHECK(realpath("/bin/sleep", exe));
  CHECK_TEXT(facts.exe, exe);
  CHECK_TEXT(facts.name, strrchr(exe, '/') + 1);
  CHECK_INT(facts.command_count, 2);
  CHECK_TEXT(facts.command[0], "my sleep");
  CHECK_TEXT(facts.command[1], "60");
  CHECK(!facts.command[2]);
  CHECK_INT(facts.parent.pid, getpid());
  CHECK(facts.parent.start_time > 0);
  CHECK_INT(facts.uid, geteuid());
  CHECK_TEXT(facts.user, rsm__user_name(rsm__user_current(), &arena));
  CHECK(facts.started_at >= now - 2 && facts.started_at <= rsm__clock_unix() + 1);
  CHECK(facts.same_namespaces);
  CHECK(!facts.kernel_thread && !facts.session_core);
  end(pid);
}

static void copy_file(const char *from, const char *to) {
  char command[2 * PATH_MAX + 32];
  snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
  CHECK_INT(system(command), 0);
}

static void check_exe(pid_t pid, const char *exe) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  rsm__process_facts facts;
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  CHECK_TEXT(facts.exe, exe);
  CHECK_TEXT(facts.name, strrchr(exe, '/') + 1);
}

/* A program of that name, removed while it runs and while it has another link, or none. */
static void check_removed(const char *folder, const char *name) {
  char file[PATH_MAX], other[PATH_MAX];
  snprintf(file, sizeof file, "%s/%s", folder, name);
  snprintf(other, sizeof other, "%s/other", folder);
  copy_file("/bin/sleep", file);
  pid_t pid = start_program(file, "x", "60");
  check_exe(pid, file);
  CHECK_INT(link(file, other), 0);
  check_exe(pid, file);
  CHECK_INT(unlink(file), 0);
  check_exe(pid, file);
  CHECK_INT(unlink(other), 0);
  check_exe(pid, file);
  end(pid);
}

static void test_facts__a_removed_program_keeps_its_name(void) {
  char base[] = "/tmp/rsm_test_process_XXXXXX", folder[PATH_MAX];
  CHECK(mkdtemp(base) && realpath(base, folder));
  check_removed(folder, "a) b (c");
  check_removed(folder, "real (deleted)");
  check_removed(folder, "new\nline");
  CHECK_INT(rmdir(folder), 0);
}

static void child_other_namespace(void *argument) {
  (void)argument;
  if (unshare(CLONE_NEWUSER) != 0) _exit(0);
  raise(SIGSTOP);
  for (;;) pause();
}

static void test_facts__another_user_namespace_shows(void) {
  pid_t pid = start(child_other_namespace, NULL);
  rsm_process id = {.pid = (uint32_t)pid};
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts = {0};
  (void)UNTIL(10000, state_of(pid) == 'Z' || state_of(pid) == 'T');
  if (rsm__process_open(&id, &process, NULL) == RSM_OK) {
    CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
    CHECK(!facts.same_namespaces);
  } else {
    printf("  (skipped: no user namespaces here)\n");
  }
  end(pid);
}

static void test_facts__a_kernel_thread_is_one(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm_process id = {.pid = 2};
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  rsm__process_facts facts = {0};
  if (rsm__process_open(&id, &process, NULL) != RSM_OK) return; /* an inner pid namespace has none */
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  if (strcmp(facts.name, "kthreadd") == 0) CHECK(facts.kernel_thread && !facts.exe && facts.command_count == 0);
}

static bool same_bytes(const rsm__buffer *a, const rsm__buffer *b) {
  return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

static void get_both(const rsm__process *process, rsm__arena *arena, rsm__process_facts *facts, rsm__buffer *capture) {
  const char *obstacle;
  CHECK_INT(rsm__process_facts_get(process, arena, facts, NULL), RSM_OK);
  CHECK_INT(rsm__launch_capture(process, false, arena, capture, &obstacle, NULL), RSM_OK);
}

static rsm__process *open_ahead(pid_t pid, rsm__lookup **ret_lookup) {
  rsm__process *process = open_pid(pid);
  CHECK_INT(rsm__lookup_new(5000, ret_lookup, NULL), RSM_OK);
  rsm__process_within(process, *ret_lookup, NULL);
  rsm__process_read_ahead(process);
  return process;
}

/* The first answer is what was read ahead, the second is asked anew. */
static void test_facts__read_ahead_are_the_same(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN_BUFFER rsm__buffer ahead = {0};
  RSM_CLEAN_BUFFER rsm__buffer anew = {0};
  rsm__process_facts facts[2];
  rsm__lookup *lookup = NULL;
  pid_t pid = start(child_sleep, NULL);
  rsm__process *process = open_ahead(pid, &lookup);
  get_both(process, &arena, &facts[0], &ahead);
  get_both(process, &arena, &facts[1], &anew);
  CHECK(same_bytes(&ahead, &anew));
  CHECK_TEXT(facts[0].exe, facts[1].exe);
  CHECK_TEXT(facts[0].name, facts[1].name);
  CHECK_TEXT(facts[0].user, facts[1].user);
  CHECK_INT(facts[0].command_count, facts[1].command_count);
  CHECK_INT(facts[0].started_at, facts[1].started_at);
  CHECK(facts[0].parent.pid == (uint32_t)getpid() && facts[0].same_namespaces);
  rsm__process_close(process);
  rsm__lookup_free(lookup);
  end(pid);
}

/* Whoever ends meanwhile is not told of. */
static void test_facts__read_ahead_of_one_that_ends(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  rsm__lookup *lookup = NULL;
  pid_t pid = start(child_sleep, NULL);
  rsm__process *process = open_ahead(pid, &lookup);
  end(pid);
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_NOT_FOUND);
  rsm__process_close(process);
  rsm__lookup_free(lookup);
}

static void test_facts__the_first_process_is_core(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  rsm_process id = {.pid = 1};
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  if (rsm__process_open(&id, &process, NULL) == RSM_ACCESS_DENIED) return; /* hidepid */
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  CHECK(facts.session_core);
  CHECK_INT(facts.parent.pid, 0);
}

static rsm_status ask_everything(const rsm__process *process) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  rsm__service_place service;
  const rsm_process *ancestors;
  size_t count;
  rsm__services *services = NULL;
  rsm_status status = rsm__process_facts_get(process, &arena, &facts, NULL);
  if (status == RSM_OK) status = rsm__process_carriers(&arena, &ancestors, &count, NULL);
  if (status == RSM_OK) status = rsm__services_new(NULL, &services, NULL);
  if (status == RSM_OK) status = rsm__service_of(services, process, &arena, &service, NULL);
  rsm__services_free(services);
  return status;
}

static void test_facts__no_memory_leaves_nothing_behind(void) {
  pid_t pid = start(child_sleep, NULL);
  rsm__process *process = open_pid(pid);
  long blocks = rsm__alloc_live();
  int fds = count_fds();
  rsm_status status = RSM_OUT_OF_MEMORY;
  unsigned long rung = 0;
  while (status != RSM_OK) {
    rsm__alloc_fail_at(++rung, 0);
    status = ask_everything(process);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || status == RSM_OUT_OF_MEMORY || rung > 1);
    CHECK_INT(rsm__alloc_live(), blocks);
    CHECK_INT(count_fds(), fds);
    CHECK(rung < 1000);
  }
  rsm__process_close(process);
  end(pid);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_facts__of_a_program),
      CHECK_TEST(test_facts__a_removed_program_keeps_its_name),
      CHECK_TEST(test_facts__another_user_namespace_shows),
      CHECK_TEST(test_facts__a_kernel_thread_is_one),
      CHECK_TEST(test_facts__read_ahead_are_the_same),
      CHECK_TEST(test_facts__read_ahead_of_one_that_ends),
      CHECK_TEST(test_facts__the_first_process_is_core),
      CHECK_TEST(test_facts__no_memory_leaves_nothing_behind),
  };
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
