/* test_process.c: handles and facts of real processes: children of this test, each ended by its own pid.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/clock.h"
#include "os/linux/procfs.h"
#include "os/process.h"
#include "os/service.h"
#include "os/user.h"
#include "os/wait.h"
#include "until.h"

enum { LONG_MS = 10000 };

static int count_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

/* Whatever becomes of this test, no child outlives it. */
static void tie_to_parent(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(60);
}

typedef void child_main(void *argument);

/* Returns when the child says that it is about to run its part. */
static pid_t start(child_main *run, void *argument) {
  int ready[2];
  CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    tie_to_parent();
    if (write(ready[1], "r", 1) == 1) run(argument);
    _exit(9);
  }
  char byte;
  close(ready[1]);
  CHECK_INT(read(ready[0], &byte, 1), 1);
  /* Programs: the pipe ends at exec. Functions keep it open, and are not waited for. */
  close(ready[0]);
  return pid;
}

static void child_sleep(void *argument) {
  (void)argument;
  for (;;) pause();
}

static void child_exec(void *argument) {
  char *const *argv = argument;
  execv(argv[0], argv + 1);
}

/* The kernel shows the new program a moment before its arguments: both are waited for, in that order. */
static bool runs(pid_t pid, const char *name) {
  char path[64], target[PATH_MAX], byte;
  snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
  ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0) return false;
  target[length] = '\0';
  if (!strstr(target, name)) return false;
  snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool has_arguments = read(fd, &byte, 1) == 1;
  close(fd);
  return has_arguments;
}

/* file: what to run; then argv. Returns when it runs. */
static pid_t start_program(const char *file, const char *name, const char *argument) {
  const char *const argv[] = {file, name, argument, NULL};
  pid_t pid = start(child_exec, (void *)argv);
  const char *slash = strrchr(file, '/');
  CHECK(UNTIL(10000, runs(pid, slash)));
  return pid;
}

static int reap(pid_t pid) {
  int status = 0;
  CHECK_INT(waitpid(pid, &status, 0), pid);
  return status;
}

static void end(pid_t pid) {
  kill(pid, SIGKILL);
  reap(pid);
}

static rsm__process *open_pid(pid_t pid) {
  rsm_process id = {.pid = (uint32_t)pid};
  rsm__process *process = NULL;
  CHECK_INT(rsm__process_open(&id, &process, NULL), RSM_OK);
  return process;
}

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

static char state_of(pid_t pid) {
  rsm__proc_stat stat = {0};
  int dir = -1;
  CHECK_INT(rsm__procfs_open((uint32_t)pid, &dir, NULL), RSM_OK);
  CHECK_INT(rsm__procfs_stat(dir, &stat, NULL), RSM_OK);
  close(dir);
  return stat.state;
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

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

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

static void test_facts__a_kernel_thread_is_one(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm_process id = {.pid = 2};
  RSM_CLEAN_PROCESS rsm__process *process = NULL;
  rsm__process_facts facts = {0};
  if (rsm__process_open(&id, &process, NULL) != RSM_OK) return; /* an inner pid namespace has none */
  CHECK_INT(rsm__process_facts_get(process, &arena, &facts, NULL), RSM_OK);
  if (strcmp(facts.name, "kthreadd") == 0) CHECK(facts.kernel_thread && !facts.exe && facts.command_count == 0);
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
  rsm_status status = rsm__process_facts_get(process, &arena, &facts, NULL);
  if (status == RSM_OK) status = rsm__process_ancestors(&arena, &ancestors, &count, NULL);
  if (status == RSM_OK) status = rsm__service_of(NULL, process, &arena, &service, NULL);
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

/* ---- Ourselves and our surroundings ------------------------------------------------------------------------------ */

static void test_ancestors__from_ourselves_up(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const rsm_process *ancestors;
  size_t count;
  CHECK_INT(rsm__process_ancestors(&arena, &ancestors, &count, NULL), RSM_OK);
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
  CHECK_INT(rsm__service_of(NULL, process, &arena, &service, NULL), RSM_OK);
  if (service.id.name) CHECK(service.carries_us);
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
      CHECK_TEST(test_facts__of_a_program),
      CHECK_TEST(test_facts__a_removed_program_keeps_its_name),
      CHECK_TEST(test_facts__another_user_namespace_shows),
      CHECK_TEST(test_facts__a_kernel_thread_is_one),
      CHECK_TEST(test_facts__the_first_process_is_core),
      CHECK_TEST(test_facts__no_memory_leaves_nothing_behind),
      CHECK_TEST(test_ancestors__from_ourselves_up),
      CHECK_TEST(test_here__names_boot_and_namespace),
      CHECK_TEST(test_user__by_number_if_it_has_no_name),
      CHECK_TEST(test_service__of_a_child_is_ours),
  };
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
