/* test_task.c: a task moves only when it is stepped, and can be left at any point. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check.h"
#include "os/clock.h"
#include "os/linux/task_wake.h"
#include "os/task.h"
#include "os/wait.h"
#include "until.h"

enum { LONG_MS = 10000 };

typedef struct counters {
  atomic_int yields;
  atomic_int acts;
  int wanted;
} counters;

static bool is_readable(int fd, int timeout_ms) {
  struct pollfd element = {.fd = fd, .events = POLLIN};
  return poll(&element, 1, timeout_ms) == 1;
}

static int count_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

static rsm__task *make(rsm__task_run *run, void *argument) {
  rsm__task *task = NULL;
  CHECK_INT(rsm__task_new(run, argument, &task, NULL), RSM_OK);
  return task;
}

static void run_yields(rsm__task *task, void *argument) {
  counters *c = argument;
  for (int i = 0; i < c->wanted; i++) {
    atomic_fetch_add(&c->yields, 1);
    rsm__task_yield(task);
  }
}

static void run_acts(rsm__task *task, void *argument) {
  counters *c = argument;
  for (int i = 0; i < c->wanted; i++) {
    rsm__task_checkpoint(task);
    if (rsm__task_cancelled(task)) return;
    atomic_fetch_add(&c->acts, 1);
  }
}

static void run_until_cancelled(rsm__task *task, void *argument) {
  (void)argument;
  while (!rsm__task_cancelled(task)) (void)rsm__wait_any(NULL, 0, UINT64_MAX, task, NULL);
}

static void run_signal_mask(rsm__task *task, void *argument) {
  (void)task;
  pthread_sigmask(SIG_BLOCK, NULL, argument);
}

static void run_slowly(rsm__task *task, void *argument) {
  counters *c = argument;
  sleep_ms(150);
  rsm__task_checkpoint(task);
  atomic_fetch_add(&c->acts, 1);
}

static void test_task__each_step_shows_one_yield(void) {
  counters c = {.wanted = 3};
  bool yielded;
  rsm__task *task = make(run_yields, &c);
  for (int i = 1; i <= 3; i++) {
    CHECK(!rsm__task_step(task, UINT32_MAX, &yielded));
    CHECK(yielded);
    CHECK_INT(c.yields, i);
  }
  CHECK(rsm__task_step(task, UINT32_MAX, &yielded));
  CHECK(!yielded);
  CHECK(rsm__task_done(task));
  CHECK(rsm__task_step(task, UINT32_MAX, NULL));
  CHECK(!rsm__task_free(task));
}

static void test_task__nothing_runs_before_the_first_step(void) {
  counters c = {.wanted = 3};
  rsm__task *task = make(run_yields, &c);
  sleep_ms(50);
  CHECK_INT(c.yields, 0);
  CHECK(is_readable(rsm__task_fd(task), 0));
  rsm__task_free(task);
  CHECK_INT(c.yields, 0);
}

static void test_task__step_zero_and_the_fd_drive_it(void) {
  counters c = {.wanted = 3};
  bool yielded = false;
  rsm__task *task = make(run_yields, &c);
  int seen = 0;
  for (int i = 0; i < 100 && !rsm__task_step(task, 0, &yielded); i++) {
    if (yielded) CHECK_INT(c.yields, ++seen);
    CHECK(is_readable(rsm__task_fd(task), LONG_MS));
  }
  CHECK(rsm__task_done(task));
  CHECK_INT(seen, 3);
  CHECK(is_readable(rsm__task_fd(task), 0));
  rsm__task_free(task);
}

static void test_task__checkpoint_parks_while_nobody_steps(void) {
  counters c = {.wanted = 3};
  rsm__task *task = make(run_acts, &c);
  for (int i = 0; i < 3; i++) {
    CHECK(!rsm__task_step(task, 0, NULL));
    CHECK(is_readable(rsm__task_fd(task), LONG_MS));
    sleep_ms(30);
    CHECK_INT(c.acts, i);
  }
  CHECK(rsm__task_step(task, UINT32_MAX, NULL)); /* stepped, it passes them */
  CHECK_INT(c.acts, 3);
  rsm__task_free(task);
}

static void test_task__fd_is_silent_while_it_moves(void) {
  counters c = {0};
  bool yielded = true;
  rsm__task *task = make(run_slowly, &c);
  uint64_t begin = rsm__clock_ms();
  CHECK(!rsm__task_step(task, 20, &yielded));
  CHECK(!yielded);
  CHECK(rsm__clock_ms() - begin < 140);
  CHECK(!is_readable(rsm__task_fd(task), 0));
  CHECK(is_readable(rsm__task_fd(task), LONG_MS)); /* at the checkpoint */
  sleep_ms(30);
  CHECK_INT(c.acts, 0);
  CHECK(rsm__task_step(task, UINT32_MAX, NULL));
  CHECK_INT(c.acts, 1);
  rsm__task_free(task);
}

static void test_task__cancel_wakes_a_wait(void) {
  rsm__task *task = make(run_until_cancelled, NULL);
  CHECK(!rsm__task_step(task, 20, NULL));
  CHECK(!is_readable(rsm__task_wake_fd(task), 0));
  rsm__task_cancel(task);
  rsm__task_cancel(task);
  CHECK(rsm__task_cancelled(task));
  CHECK(rsm__task_step(task, LONG_MS, NULL));
  rsm__task_free(task);
}

static void *cancel_soon(void *task) {
  sleep_ms(50);
  rsm__task_cancel(task);
  return NULL;
}

static void test_task__cancel_from_another_thread_ends_a_step(void) {
  rsm__task *task = make(run_until_cancelled, NULL);
  pthread_t thread;
  CHECK_INT(pthread_create(&thread, NULL, cancel_soon, task), 0);
  CHECK(rsm__task_step(task, UINT32_MAX, NULL));
  pthread_join(thread, NULL);
  rsm__task_free(task);
}

static void test_task__cancel_lets_nothing_act_unstepped(void) {
  counters c = {.wanted = 5};
  rsm__task *task = make(run_acts, &c);
  CHECK(!rsm__task_step(task, 0, NULL));
  CHECK(is_readable(rsm__task_fd(task), LONG_MS));
  rsm__task_cancel(task);
  sleep_ms(30);
  CHECK(!rsm__task_done(task));
  rsm__task_free(task);
  CHECK_INT(c.acts, 0);
}

static void test_task__free_in_the_middle_runs_it_to_its_end(void) {
  counters c = {.wanted = 50};
  bool yielded;
  rsm__task *task = make(run_yields, &c);
  CHECK(!rsm__task_step(task, UINT32_MAX, &yielded));
  CHECK(yielded);
  CHECK(!rsm__task_free(task));
  CHECK_INT(c.yields, 50);
  CHECK(!rsm__task_free(NULL));
}

static void test_task__its_thread_takes_no_signals(void) {
  sigset_t before, inside, after;
  pthread_sigmask(SIG_BLOCK, NULL, &before);
  rsm__task *task = make(run_signal_mask, &inside);
  CHECK(rsm__task_step(task, UINT32_MAX, NULL));
  pthread_sigmask(SIG_BLOCK, NULL, &after);
  CHECK(sigismember(&inside, SIGTERM) && sigismember(&inside, SIGCHLD) && sigismember(&inside, SIGINT));
  CHECK_INT(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
  CHECK_INT(sigismember(&after, SIGCHLD), 0);
  rsm__task_free(task);
}

/* In the child: whatever the parent's thread held at the fork, nothing hangs and nothing of the parent's is touched. */
static int use_in_child(rsm__task *task) {
  alarm(20);
  rsm__task_cancel(task);
  if (!rsm__task_step(task, UINT32_MAX, NULL)) return 1;
  (void)rsm__task_done(task);
  rsm__task_free(task);
  return 0;
}

static void test_task__a_forked_child_only_frees(void) {
  for (int i = 0; i < 20; i++) {
    rsm__task *task = make(run_until_cancelled, NULL);
    CHECK(!rsm__task_step(task, (uint32_t)(i % 3), NULL));
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) _exit(use_in_child(task));
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(!rsm__task_cancelled(task));
    CHECK(!is_readable(rsm__task_wake_fd(task), 0));
    rsm__task_free(task);
  }
}

static void test_task__a_thousand_leave_nothing(void) {
  long blocks = rsm__alloc_live();
  int fds = count_fds();
  for (int i = 0; i < 1000; i++) {
    counters c = {.wanted = i % 4};
    rsm__task *task = make(i % 2 ? run_yields : run_acts, &c);
    for (int step = 0; step < i % 3; step++) (void)rsm__task_step(task, i % 5 ? 0 : UINT32_MAX, NULL);
    rsm__task_free(task);
  }
  CHECK_INT(rsm__alloc_live(), blocks);
  CHECK_INT(count_fds(), fds);
}

static void test_task__no_memory_is_a_status(void) {
  rsm__task *task = NULL;
  rsm_error error;
  rsm__alloc_fail_at(1, 0);
  CHECK_INT(rsm__task_new(run_yields, NULL, &task, &error), RSM_OUT_OF_MEMORY);
  rsm__alloc_fail_at(0, 0);
  CHECK(!task);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_task__each_step_shows_one_yield),
      CHECK_TEST(test_task__nothing_runs_before_the_first_step),
      CHECK_TEST(test_task__step_zero_and_the_fd_drive_it),
      CHECK_TEST(test_task__checkpoint_parks_while_nobody_steps),
      CHECK_TEST(test_task__fd_is_silent_while_it_moves),
      CHECK_TEST(test_task__cancel_wakes_a_wait),
      CHECK_TEST(test_task__cancel_from_another_thread_ends_a_step),
      CHECK_TEST(test_task__cancel_lets_nothing_act_unstepped),
      CHECK_TEST(test_task__free_in_the_middle_runs_it_to_its_end),
      CHECK_TEST(test_task__its_thread_takes_no_signals),
      CHECK_TEST(test_task__a_forked_child_only_frees),
      CHECK_TEST(test_task__a_thousand_leave_nothing),
      CHECK_TEST(test_task__no_memory_is_a_status),
  };
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
