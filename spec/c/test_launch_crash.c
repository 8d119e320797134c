/* test_launch_crash.c: whoever dies, and whatever fails, either the record is complete and the program was started, or
 * the record is empty and it was not; and the host of the library notices nothing. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "launch_fixture.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "os/linux/launch_hooks.h"

static char *const ENVIRONMENT[] = {(char *)"A=1", NULL};
static int fatal_hook = -1;
static volatile sig_atomic_t child_signals;

static void die_at_hook(int hook) {
  if (hook == fatal_hook) kill(getpid(), SIGKILL);
}

/* Waits until nothing of a start is under way any more, which the lock tells: starter, child and its child hold it. */
static void wait_until_settled(fixture *f) {
  f->lock = rsm__lock_release(f->lock);
  CHECK_INT(rsm__lock_acquire(f->dir, "lock", 15000, &f->lock, NULL), RSM_OK);
}

/* The one thing that this file is about. Returns whether it was started. */
static bool record_and_world_agree(fixture *f) {
  rsm_process id;
  bool recorded = read_record(f, &id);
  pid_t pid = 0;
  (void)UNTIL(1000, count_running(FIXTURE_PROGRAM, NULL) == recorded);
  CHECK_INT(count_running(FIXTURE_PROGRAM, &pid), recorded);
  if (recorded) {
    CHECK_INT(pid, id.pid);
    kill_process(&id);
  }
  return recorded;
}

/* The starter runs in a process of its own, which takes the lock itself: releasing ours must not help it. */
static void start_in_child(fixture *f, int hook, int delay_us) {
  f->lock = rsm__lock_release(f->lock);
  int ready[2];
  CHECK_INT(pipe2(ready, O_CLOEXEC), 0);
  pid_t pid = fork();
  if (pid == 0) {
    fatal_hook = hook;
    rsm__launch_hook_function = die_at_hook;
    if (rsm__lock_acquire(f->dir, "lock", 5000, &f->lock, NULL) != RSM_OK || write(ready[1], "", 1) != 1) _exit(1);
    fixture_start(f, NULL, 0);
    _exit(0);
  }
  char byte;
  CHECK_INT(read(ready[0], &byte, 1), 1);
  if (hook < 0) {
    usleep((useconds_t)delay_us);
    CHECK(pid > 0);
    kill(pid, SIGKILL);
  }
  CHECK_INT(waitpid(pid, NULL, 0), pid);
  close(ready[0]);
  close(ready[1]);
}

static void starter_killed_at_each_step(void) {
  for (int hook = 0; hook < RSM__HOOK_COUNT; hook++) {
    fixture f;
    fixture_open(&f);
    run_and_capture(&f, NULL, ENVIRONMENT, true);
    start_in_child(&f, hook, 0);
    wait_until_settled(&f);
    CHECK(record_and_world_agree(&f) == (hook >= RSM__HOOK_AFTER_GO));
    fixture_close(&f);
  }
}

static void starter_killed_at_any_moment(void) {
  int started = 0, not_started = 0;
  for (int i = 0; i < 60; i++) {
    fixture f;
    fixture_open(&f);
    run_and_capture(&f, NULL, ENVIRONMENT, true);
    start_in_child(&f, -1, i * 150);
    wait_until_settled(&f);
    *(record_and_world_agree(&f) ? &started : &not_started) += 1;
    fixture_close(&f);
  }
  printf("  started %d, not started %d\n", started, not_started);
}

/* ---- Failures ---- */

static void expect_failure(fixture *f, rsm_status status, const char *detail, const char *subject) {
  CHECK_INT(fixture_start(f, NULL, 0), status);
  CHECK_TEXT(f->error.detail, detail);
  CHECK_TEXT(f->error.subject, subject);
  rsm_process id;
  CHECK(!read_record(f, &id));
  CHECK_INT(count_running(FIXTURE_PROGRAM, NULL), 0);
}

static void sit_in_home(void) {
  if (chdir(FIXTURE_FOLDER "/home") < 0) _exit(97);
}

static void failures_say_which_step(void) {
  fixture f;
  CHECK(mkdir(FIXTURE_FOLDER "/home", 0755) == 0 || errno == EEXIST);
  fixture_open(&f);
  run_and_capture(&f, sit_in_home, ENVIRONMENT, true);
  CHECK_INT(rmdir(FIXTURE_FOLDER "/home"), 0);
  expect_failure(&f, RSM_FILE_NOT_FOUND, "its working directory cannot be entered", FIXTURE_FOLDER "/home");
  CHECK(mkdir(FIXTURE_FOLDER "/home", 0755) == 0 && unlink(FIXTURE_PROGRAM) == 0);
  expect_failure(&f, RSM_FILE_NOT_FOUND, "its program cannot be run", FIXTURE_PROGRAM);
  CHECK_TEXT(f.error.call, "execve");
  copy_program(FIXTURE_PROGRAM);
  CHECK_INT(chmod(FIXTURE_PROGRAM, 0644), 0);
  expect_failure(&f, RSM_ACCESS_DENIED, "its program cannot be run", FIXTURE_PROGRAM);
  CHECK_INT(chmod(FIXTURE_PROGRAM, 0755), 0);
  f.capture.data[0] ^= 1;
  expect_failure(&f, RSM_BAD_ARGUMENTS, "what was recorded of the application is not understood", "");
  f.capture.data[0] ^= 1;
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  CHECK(record_and_world_agree(&f));
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_BAD_ARGUMENTS); /* a record is used once */
  fixture_close(&f);
}

static void no_descriptors_left(void) {
  fixture f;
  fixture_open(&f);
  run_and_capture(&f, NULL, ENVIRONMENT, true);
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit limit = {.rlim_cur = 0, .rlim_max = 1024};
    for (limit.rlim_cur = 3;; limit.rlim_cur++) {
      if (setrlimit(RLIMIT_NOFILE, &limit) < 0) _exit(1);
      if (fixture_start(&f, NULL, 0) == RSM_OK) break;
      rsm_process id;
      struct rlimit enough = {.rlim_cur = 1024, .rlim_max = 1024};
      if (setrlimit(RLIMIT_NOFILE, &enough) < 0 || read_record(&f, &id)) _exit(2);
      if (count_running(FIXTURE_PROGRAM, NULL) != 0) _exit(3);
    }
    _exit(0);
  }
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && how == 0);
  CHECK(record_and_world_agree(&f));
  fixture_close(&f);
}

static void no_memory(void) {
  fixture f;
  fixture_open(&f);
  run_and_capture(&f, NULL, ENVIRONMENT, true);
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status != RSM_OK; n++) {
    long live = rsm__alloc_live();
    rsm__arena arena = f.arena;
    f.arena = (rsm__arena){0};
    rsm__alloc_fail_at(n, 0);
    status = fixture_start(&f, NULL, 0);
    rsm__alloc_fail_at(0, 0);
    CHECK(n < 200 && (status == RSM_OK || status == RSM_OUT_OF_MEMORY || status == RSM_BAD_ARGUMENTS));
    if (status != RSM_OK) CHECK_INT(count_running(FIXTURE_PROGRAM, NULL), 0);
    rsm__arena_done(&f.arena);
    CHECK_INT(rsm__alloc_live(), live);
    f.arena = arena;
  }
  CHECK(record_and_world_agree(&f));
  fixture_close(&f);
}

/* ---- The host ---- */

static void count_signal(int number) {
  (void)number;
  child_signals++;
}

static void host_sees_no_child(void) {
  fixture f;
  fixture_open(&f);
  run_and_capture(&f, NULL, ENVIRONMENT, true);
  struct sigaction action = {.sa_handler = count_signal}, before;
  CHECK_INT(sigaction(SIGCHLD, &action, &before), 0);
  child_signals = 0;
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
  CHECK(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
  CHECK(record_and_world_agree(&f));
  usleep(50000);
  CHECK_INT(child_signals, 0);
  sigaction(SIGCHLD, &before, NULL);
  fixture_close(&f);
}

/* ---- Time ---- */

static void signal_our_copies(int number) {
  char ours[256], path[300], target[256];
  ssize_t length = readlink("/proc/self/exe", ours, sizeof ours - 1);
  CHECK(length > 0);
  ours[length] = 0;
  DIR *proc = opendir("/proc"); /* all of them: pids may have wrapped around since our own */
  CHECK(proc);
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
    pid_t pid = (pid_t)atoi(entry->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
    length = readlink(path, target, sizeof target - 1);
    if (length <= 0) continue;
    target[length] = 0;
    if (strcmp(ours, target) == 0 && is_of_this_test(entry->d_name)) kill(pid, number);
  }
  closedir(proc);
}

static void stop_our_copies(int hook) {
  if (hook == RSM__HOOK_BEFORE_GO) signal_our_copies(SIGSTOP);
}

static void hanging_start_is_given_up(void) {
  fixture f;
  fixture_open(&f);
  run_and_capture(&f, NULL, ENVIRONMENT, true);
  rsm__launch_hook_function = stop_our_copies;
  rsm__launch_limit_ms = 1000;
  uint64_t before = rsm__clock_ms();
  expect_failure(&f, RSM_TIMEOUT, "did not start within 1 s", "");
  rsm__launch_hook_function = NULL;
  rsm__launch_limit_ms = RSM__LAUNCH_LIMIT_MS;
  CHECK(rsm__clock_ms() - before >= 1000 && rsm__clock_ms() - before < 5000);
  wait_until_settled(&f);
  fixture_close(&f);
}

static void kill_our_copies(int hook) {
  if (hook == fatal_hook) signal_our_copies(SIGKILL);
}

/* As its user may, once it is that user's. */
static void waiting_child_is_killed(void) {
  static const int hooks[] = {RSM__HOOK_PID_KNOWN, RSM__HOOK_BEFORE_GO};
  for (size_t i = 0; i < RSM_COUNT(hooks); i++) {
    fixture f;
    fixture_open(&f);
    run_and_capture(&f, NULL, ENVIRONMENT, true);
    fatal_hook = hooks[i];
    rsm__launch_hook_function = kill_our_copies;
    rsm_status status = fixture_start(&f, NULL, 0);
    rsm__launch_hook_function = NULL;
    CHECK(status == RSM_GEN_FAILURE || status == RSM_NOT_FOUND);
    CHECK(!record_and_world_agree(&f));
    fixture_close(&f);
  }
}

static pid_t bystander;

static void fork_bystander(int hook) {
  if (hook != RSM__HOOK_BEFORE_FORK || (bystander = fork()) != 0) return;
  alarm(60);
  for (;;) pause();
}

/* A process that the host forks in the middle of a start keeps all our descriptors: that must neither make a running
 * program look like a hanging one nor keep the lock from the next. */
static void forked_bystander_is_harmless(void) {
  fixture f;
  fixture_open(&f);
  run_and_capture(&f, NULL, ENVIRONMENT, true);
  rsm__launch_hook_function = fork_bystander;
  uint64_t before = rsm__clock_ms();
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  rsm__launch_hook_function = NULL;
  CHECK(rsm__clock_ms() - before < 5000);
  wait_until_settled(&f);
  CHECK(record_and_world_agree(&f));
  end_child(bystander);
  fixture_close(&f);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(starter_killed_at_each_step),
      CHECK_TEST(starter_killed_at_any_moment),
      CHECK_TEST(failures_say_which_step),
      CHECK_TEST(no_descriptors_left),
      CHECK_TEST(no_memory),
      CHECK_TEST(host_sees_no_child),
      CHECK_TEST(hanging_start_is_given_up),
      CHECK_TEST(waiting_child_is_killed),
      CHECK_TEST(forked_bystander_is_harmless),
  };
  if (!own_folders()) return 0;
  copy_program(FIXTURE_PROGRAM);
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
