/* test_process.c: handles of real processes, and our own surroundings.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "children.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/service.h"
#include "os/user.h"
#include "os/wait.h"

enum { LONG_MS = 10000 };

static rsm_status try_open(rsm_process id) {
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  rsm_error error = {0};
  rsm_status status = rsm__process_open(&id, &process, &error);
  CHECK_INT(process != NULL, status == RSM_OK);
  CHECK_INT(error.status, status);
  return status;
}

/* ---- Identity ---------------------------------------------------------------------------------------------------- */

static void test_open__a_wrong_start_time_or_instance_is_nobody(void) {
  pid_t pid = start(child_sleep, NULL);
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  rsm_process id = *rsm__process_id(process);
  CHECK_INT(id.pid, pid);
  CHECK(id.start_time > 0);
  CHECK_INT(try_open(id), RSM_OK);
  rsm_process later = id, other = id, bare = id;
  later.start_time++;
  CHECK_INT(try_open(later), RSM_NOT_FOUND);
  other.instance++;
  CHECK_INT(try_open(other), id.instance ? RSM_NOT_FOUND : RSM_OK);
  bare.instance = 0;
  CHECK_INT(try_open(bare), RSM_OK);
  end(pid);
  CHECK_INT(try_open(id), RSM_NOT_FOUND);
}

static void test_open__no_such_process(void) {
  CHECK_INT(try_open((rsm_process){.pid = 0}), RSM_NOT_FOUND);
  CHECK_INT(try_open((rsm_process){.pid = 1 << 22}), RSM_NOT_FOUND);
  CHECK_INT(try_open((rsm_process){.pid = UINT32_MAX}), RSM_NOT_FOUND);
}

static void test_open__two_children_have_two_instances(void) {
  pid_t pids[2] = {start(child_sleep, NULL), start(child_sleep, NULL)};
  RSM_CLEAN_PROCESS rsm__process *a = open_pid(pids[0]);
  RSM_CLEAN_PROCESS rsm__process *b = open_pid(pids[1]);
  if (rsm__process_id(a)->instance) CHECK(rsm__process_id(a)->instance != rsm__process_id(b)->instance);
  end(pids[0]);
  end(pids[1]);
}

static void test_open__a_zombie_has_ended(void) {
  pid_t pid = start(child_sleep, NULL);
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  CHECK(rsm__process_alive(process));
  kill(pid, SIGKILL);
  CHECK_INT(rsm__wait_any(&process, 1, rsm__clock_ms() + LONG_MS, NULL, NULL), 1);
  for (int reaped = 0; reaped < 2; reaped++) {
    CHECK(!rsm__process_alive(process));
    CHECK_INT(try_open(*rsm__process_id(process)), RSM_NOT_FOUND);
    CHECK_INT(rsm__process_permit(process, NULL), RSM_NOT_FOUND);
    CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_NOT_FOUND);
    CHECK_INT(rsm__process_kill(process, NULL), RSM_NOT_FOUND);
    CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_NOT_FOUND);
    if (!reaped) reap(pid);
  }
}

static void *report_tid(void *argument) {
  *(pid_t *)argument = (pid_t)syscall(SYS_gettid);
  while (*(volatile pid_t *)argument) pause();
  return NULL;
}

static void test_open__a_thread_is_no_process(void) {
  volatile pid_t tid = 0;
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, report_tid, (void *)&tid), 0);
  while (!tid) sleep_ms(1);
  CHECK_INT(try_open((rsm_process){.pid = (uint32_t)tid}), RSM_NOT_FOUND);
  pthread_cancel(thread);
  pthread_join(thread, NULL);
}

static void child_dead_leader(void *argument) {
  static pid_t tid;
  pthread_t thread;
  (void)argument;
  if (pthread_create(&thread, NULL, report_tid, &tid) == 0) pthread_exit(NULL);
}

static void test_alive__until_its_last_thread_has_ended(void) {
  pid_t pid = start(child_dead_leader, NULL);
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  (void)UNTIL(10000, state_of(pid) == 'Z');
  CHECK_INT(state_of(pid), 'Z');
  CHECK(rsm__process_alive(process));
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(WTERMSIG(reap(pid)), SIGTERM);
}

static void test_open__no_descriptors_left_is_busy(void) {
  pid_t pid = start(child_sleep, NULL);
  struct rlimit before, none;
  CHECK_INT(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
  rsm_status status = try_open((rsm_process){.pid = (uint32_t)pid});
  size_t budget = rsm__process_budget();
  CHECK_INT(setrlimit(RLIMIT_NOFILE, &before), 0);
  CHECK_INT(status, RSM_BUSY);
  CHECK_INT(budget, 8);
  CHECK(rsm__process_budget() >= 8 && rsm__process_budget() <= before.rlim_cur);
  end(pid);
}

static void child_inner(void *argument) {
  (void)argument;
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) _exit(77);
  pid_t inner = fork();
  if (inner == 0) {
    rsm_process self = {.pid = (uint32_t)getpid()};
    RSM_CLEAN_PROCESS rsm__process *process = NULL;
    _exit(rsm__process_open(&self, &process, NULL) == RSM_NOT_SUPPORTED ? 0 : 1);
  }
  _exit(inner < 0 ? 77 : WEXITSTATUS(reap(inner)));
}

static void test_open__a_foreign_proc_is_refused(void) {
  int status = reap(start(child_inner, NULL));
  CHECK(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    printf("  (skipped: no pid namespaces here)\n");
  else
    CHECK_INT(WEXITSTATUS(status), 0);
}

/* ---- Signals ----------------------------------------------------------------------------------------------------- */

static void test_ask__ends_by_term(void) {
  pid_t pid = start(child_sleep, NULL);
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  CHECK_INT(rsm__process_permit(process, NULL), RSM_OK);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(WTERMSIG(reap(pid)), SIGTERM);
}

static void test_ask__wakes_a_stopped_job(void) {
  pid_t pid = start(child_sleep, NULL);
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  int status;
  kill(pid, SIGSTOP);
  CHECK_INT(waitpid(pid, &status, WUNTRACED), pid);
  CHECK(WIFSTOPPED(status));
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(WTERMSIG(reap(pid)), SIGTERM);
}

static void test_kill__ends_the_deaf(void) {
  signal(SIGTERM, SIG_IGN); /* inherited */
  pid_t pid = start(child_sleep, NULL);
  signal(SIGTERM, SIG_DFL);
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(rsm__wait_any(&process, 1, rsm__clock_ms() + 50, NULL, NULL), 0);
  CHECK_INT(rsm__process_kill(process, NULL), RSM_OK);
  CHECK_INT(WTERMSIG(reap(pid)), SIGKILL);
}

static void child_shell(void *argument) {
  int *terminal = argument;
  int fd = open(ptsname(*terminal), O_RDWR | O_NOCTTY);
  setsid();
  ioctl(fd, TIOCSCTTY, 0);
  for (int i = 0; i < 3; i++) dup2(fd, i);
  execl("/bin/sh", "sh", "-i", (char *)NULL);
}

static void test_ask__an_interactive_shell_obeys(void) {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) {
    perror("skipped: no pseudo-terminal");
    return;
  }
  CHECK(grantpt(terminal) == 0 && unlockpt(terminal) == 0);
  pid_t pid = start(child_shell, &terminal);
  char prompt[64];
  CHECK(read(terminal, prompt, sizeof prompt) > 0); /* now it ignores SIGTERM */
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__process_facts facts;
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  CHECK(facts.has_terminal);
  CHECK_INT(rsm__process_ask(process, NULL, 0, NULL), RSM_OK);
  CHECK_INT(rsm__wait_any(&process, 1, rsm__clock_ms() + LONG_MS, NULL, NULL), 1);
  reap(pid);
  close(terminal);
}

static void child_asks_stranger(void *argument) {
  rsm_process stranger = {.pid = *(uint32_t *)argument};
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(1);
  rsm_status status = rsm__process_open(&stranger, &process, NULL);
  if (status == RSM_ACCESS_DENIED) _exit(0); /* hidepid */
  if (status != RSM_OK) _exit(2);
  _exit(rsm__process_permit(process, NULL) == RSM_ACCESS_DENIED ? 0 : 3);
}

static void test_permit__says_no_for_strangers(void) {
  uint32_t pid = geteuid() == 0 ? (uint32_t)getpid() : 1;
  int status = reap(start(child_asks_stranger, &pid));
  CHECK(WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

static void test_wait__tells_who_has_ended(void) {
  pid_t pids[2] = {start(child_sleep, NULL), start(child_sleep, NULL)};
  RSM_CLEAN_PROCESS rsm__process *a = open_pid(pids[0]);
  RSM_CLEAN_PROCESS rsm__process *b = open_pid(pids[1]);
  rsm__process *both[] = {a, NULL, b};
  bool ended[3] = {true, true, true};
  uint64_t begin = rsm__clock_ms();
  CHECK_INT(rsm__wait_any(both, 3, begin + 60, NULL, ended), 0);
  CHECK(rsm__clock_ms() >= begin + 60);
  CHECK(!ended[0] && !ended[1] && !ended[2]);
  kill(pids[1], SIGKILL);
  CHECK_INT(rsm__wait_any(both, 3, UINT64_MAX, NULL, ended), 1);
  CHECK(!ended[0] && !ended[1] && ended[2]);
  rsm__alloc_fail_at(1, 1); /* without memory it is slower, not wrong */
  both[2] = NULL;
  kill(pids[0], SIGKILL);
  CHECK_INT(rsm__wait_any(both, 3, UINT64_MAX, NULL, ended), 1);
  rsm__alloc_fail_at(0, 0);
  CHECK(ended[0] && !ended[2]);
  reap(pids[0]);
  reap(pids[1]);
}

/* ---- Ourselves and our surroundings ------------------------------------------------------------------------------ */

static void test_ancestors__from_ourselves_up(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const rsm_process *ancestors;
  size_t count;
  CHECK_INT(rsm__process_carriers(&arena, &ancestors, &count, NULL), RSM_OK);
  CHECK(count >= 1);
  CHECK_INT(ancestors[0].pid, getpid());
  if (count > 1) CHECK_INT(ancestors[1].pid, getppid()); /* not where the parent is hidden from us */
  for (size_t i = 1; i < count; i++) CHECK(ancestors[i].start_time <= ancestors[i - 1].start_time);
  CHECK_INT(rsm__process_self(), getpid());
}

static void test_here__names_boot_and_namespace(void) {
  rsm__here here;
  CHECK_INT(rsm__process_here(&here, NULL), RSM_OK);
  CHECK_INT(strlen(here.boot), 36);
  CHECK(here.pid_namespace > 0);
}

static void test_user__by_number_if_it_has_no_name(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  CHECK_TEXT(rsm__user_name(0, &arena), "root");
  CHECK_TEXT(rsm__user_name(3999999999u, &arena), "3999999999");
}

static void test_service__of_a_child_is_ours(void) {
  pid_t pid = start(child_sleep, NULL);
  RSM_CLEAN_PROCESS rsm__process *process = open_pid(pid);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__service_place service;
  rsm__services *services = NULL;
  CHECK_INT(rsm__services_new(NULL, &services, NULL), RSM_OK);
  CHECK_INT(rsm__service_of(services, process, &arena, &service, NULL), RSM_OK);
  if (service.id.name) CHECK(service.carries_us);
  rsm__services_free(services);
  end(pid);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_open__a_wrong_start_time_or_instance_is_nobody),
      CHECK_TEST(test_open__no_such_process),
      CHECK_TEST(test_open__two_children_have_two_instances),
      CHECK_TEST(test_open__a_zombie_has_ended),
      CHECK_TEST(test_open__a_thread_is_no_process),
      CHECK_TEST(test_alive__until_its_last_thread_has_ended),
      CHECK_TEST(test_open__no_descriptors_left_is_busy),
      CHECK_TEST(test_open__a_foreign_proc_is_refused),
      CHECK_TEST(test_ask__ends_by_term),
      CHECK_TEST(test_ask__wakes_a_stopped_job),
      CHECK_TEST(test_kill__ends_the_deaf),
      CHECK_TEST(test_ask__an_interactive_shell_obeys),
      CHECK_TEST(test_permit__says_no_for_strangers),
      CHECK_TEST(test_wait__tells_who_has_ended),
      CHECK_TEST(test_ancestors__from_ourselves_up),
      CHECK_TEST(test_here__names_boot_and_namespace),
      CHECK_TEST(test_user__by_number_if_it_has_no_name),
      CHECK_TEST(test_service__of_a_child_is_ours),
  };
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
