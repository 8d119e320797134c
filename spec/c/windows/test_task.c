/* test_task.c: tasks that move only when stepped, and work that may never come back. SPDX-License-Identifier: MIT */
#include <windows.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "../check.h"
#include "base/cleanup.h"
#include "os/clock.h"
#include "os/wait.h"
#include "os/common/bounded.h"
#include "os/windows/task_wake.h"

enum { SOON_MS = 5000 };

static atomic_int reached;

static rsm__task *new_task(rsm__task_run *run, void *argument) {
  rsm__task *task = NULL;
  atomic_store(&reached, 0);
  CHECK_INT(rsm__task_new(run, argument, &task, NULL), RSM_OK);
  return task;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static void show_two(rsm__task *task, void *argument) {
  (void)argument;
  for (int i = 1; i <= 2; i++) {
    atomic_store(&reached, i);
    rsm__task_yield(task);
  }
  atomic_store(&reached, 3);
}

static void test_one_event_a_step(void) {
  rsm__task *task = new_task(show_two, NULL);
  bool yielded;
  Sleep(50);
  CHECK_INT(atomic_load(&reached), 0); /* nothing happens before the first step */
  CHECK(!rsm__task_done(task));
  CHECK_INT(rsm__task_fd(task), -1);
  for (int i = 1; i <= 2; i++) {
    CHECK(!rsm__task_step(task, UINT32_MAX, &yielded) && yielded);
    Sleep(30);
    CHECK_INT(atomic_load(&reached), i); /* nor between two */
  }
  CHECK(rsm__task_step(task, UINT32_MAX, &yielded) && !yielded);
  CHECK(rsm__task_done(task) && rsm__task_step(task, 0, NULL));
  CHECK_INT(atomic_load(&reached), 3);
  rsm__task_free(task);
}

static void test_steps_that_do_not_wait(void) {
  rsm__task *task = new_task(show_two, NULL);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  int shown = 0;
  bool yielded = false, done = false;
  while (!done && rsm__clock_ms() < until) {
    done = rsm__task_step(task, 0, &yielded);
    shown += yielded;
    Sleep(1);
  }
  CHECK(done);
  CHECK_INT(shown, 2);
  rsm__task_free(task);
}

static void work_long(rsm__task *task, void *argument) {
  (void)argument;
  while (!rsm__task_cancelled(task)) rsm__wait_any(NULL, 0, UINT64_MAX, task, NULL);
}

static void test_a_step_has_a_limit(void) {
  rsm__task *task = new_task(work_long, NULL);
  uint64_t begin = rsm__clock_ms();
  CHECK(!rsm__task_step(task, 100, NULL));
  CHECK(rsm__clock_ms() - begin >= 80 && rsm__clock_ms() - begin < 2000);
  rsm__task_free(task);
}

static void act_often(rsm__task *task, void *argument) {
  (void)argument;
  while (!rsm__task_cancelled(task)) {
    rsm__task_checkpoint(task);
    atomic_fetch_add(&reached, 1);
    Sleep(1);
  }
}

static void test_nothing_is_done_between_steps(void) {
  rsm__task *task = new_task(act_often, NULL);
  CHECK(!rsm__task_step(task, 50, NULL));
  Sleep(50); /* it comes to its next checkpoint and stays there */
  int before = atomic_load(&reached);
  CHECK(before > 1);
  Sleep(100);
  CHECK_INT(atomic_load(&reached), before);
  rsm__task_free(task);
}

/* ---- Cancelling -------------------------------------------------------------------------------------------------- */

static DWORD WINAPI cancel_soon(void *task) {
  Sleep(100);
  rsm__task_cancel(task);
  return 0;
}

static void test_cancel_from_another_thread(void) {
  rsm__task *task = new_task(work_long, NULL);
  uint64_t begin = rsm__clock_ms();
  HANDLE thread = CreateThread(NULL, 0, cancel_soon, task, 0, NULL);
  CHECK(rsm__task_step(task, SOON_MS, NULL));
  CHECK(rsm__clock_ms() - begin < 2000);
  CHECK_INT(WaitForSingleObject(rsm__task_wake_handle(task), 0), WAIT_OBJECT_0);
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
  rsm__task_free(task);
}

static void test_free_at_any_time(void) {
  rsm__task_free(NULL);
  rsm__task_free(new_task(show_two, NULL)); /* never stepped */
  CHECK_INT(atomic_load(&reached), 0);
  rsm__task *task = new_task(show_two, NULL);
  rsm__task_step(task, UINT32_MAX, NULL);
  rsm__task_free(task); /* parked: runs to its end */
  CHECK_INT(atomic_load(&reached), 3);
  for (int i = 0; i < 200; i++) {
    task = new_task(act_often, NULL);
    rsm__task_step(task, (uint32_t)(i % 3), NULL);
    rsm__task_free(task);
  }
  CHECK_INT(rsm__alloc_live(), 0);
}

static DWORD handle_count(void) {
  DWORD count = 0;
  GetProcessHandleCount(GetCurrentProcess(), &count);
  return count;
}

static void test_no_handle_is_left(void) {
  rsm__task_free(new_task(show_two, NULL));
  DWORD before = handle_count();
  for (int i = 0; i < 20; i++) rsm__task_free(new_task(show_two, NULL));
  CHECK(handle_count() <= before + 2);
}

/* ---- Work that may never come back ------------------------------------------------------------------------------- */

typedef struct job {
  HANDLE go;
  atomic_int *freed;
  int result;
} job;

static atomic_int freed;

static void free_job(void *argument) {
  job *j = argument;
  atomic_fetch_add(j->freed, 1);
  rsm__free(j);
}

static job *new_job(HANDLE go) {
  job *j = rsm__calloc(1, sizeof *j);
  CHECK(j);
  j->go = go;
  j->freed = &freed;
  return j;
}

static void hang(rsm__bounded *bounded, void *argument) {
  job *j = argument;
  rsm__bounded_touch(bounded, "C:\\slow");
  WaitForSingleObject(j->go, INFINITE);
  j->result = 1 + !rsm__bounded_touch(bounded, "C:\\more");
}

static void compute(rsm__bounded *bounded, void *argument) {
  rsm__bounded_tick(bounded);
  ((job *)argument)->result = 42;
}

static void progress(rsm__bounded *bounded, void *argument) {
  for (int i = 0; i < 10; i++) {
    Sleep(60);
    rsm__bounded_tick(bounded);
  }
  ((job *)argument)->result = 43;
}

static void test_bounded_in_time(void) {
  job *j = new_job(NULL);
  rsm__bounded *stuck = NULL;
  CHECK_INT(rsm__bounded_run(compute, free_job, j, 2000, NULL, &stuck, NULL), RSM_OK);
  CHECK_INT(j->result, 42);
  CHECK_INT(rsm__bounded_run(progress, free_job, j, 400, NULL, &stuck, NULL), RSM_OK); /* slow is not stuck */
  CHECK_INT(j->result, 43);
  CHECK(stuck == NULL);
  rsm__free(j);
  CHECK_INT(rsm__alloc_live(), 0);
}

static void expect_returned(rsm__bounded *stuck, HANDLE go) {
  CHECK_TEXT(rsm__bounded_stuck_at(stuck), "C:\\slow");
  CHECK(!rsm__bounded_returned(stuck));
  SetEvent(go);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (!(rsm__bounded_returned(stuck) && atomic_load(&freed)) && rsm__clock_ms() < until) Sleep(5);
  CHECK(rsm__bounded_returned(stuck));
  CHECK_INT(atomic_load(&freed), 1);
  rsm__bounded_unref(stuck);
}

static void test_bounded_given_up(void) {
  HANDLE go = CreateEventW(NULL, TRUE, FALSE, NULL);
  rsm__bounded *stuck = NULL;
  atomic_store(&freed, 0);
  CHECK_INT(rsm__bounded_run(hang, free_job, new_job(go), 200, NULL, &stuck, NULL), RSM_TIMEOUT);
  expect_returned(stuck, go);
  Sleep(50); /* its thread's last instructions */
  CHECK_INT(rsm__alloc_live(), 0);
  CloseHandle(go);
}

static void hang_in_task(rsm__task *task, void *argument) {
  rsm__bounded *stuck = NULL;
  rsm_error error;
  rsm_status status = rsm__bounded_run(hang, free_job, new_job(argument), 60000, task, &stuck, &error);
  atomic_store(&reached, (int)status);
}

static void test_bounded_cancelled(void) {
  HANDLE go = CreateEventW(NULL, TRUE, FALSE, NULL);
  rsm__task *task = new_task(hang_in_task, go);
  atomic_store(&freed, 0);
  CHECK(!rsm__task_step(task, 100, NULL));
  rsm__task_cancel(task);
  CHECK(rsm__task_step(task, SOON_MS, NULL));
  CHECK_INT(atomic_load(&reached), RSM_CANCELLED);
  rsm__task_free(task);
  SetEvent(go);
  uint64_t until = rsm__clock_ms() + SOON_MS;
  while (!atomic_load(&freed) && rsm__clock_ms() < until) Sleep(5);
  CHECK_INT(atomic_load(&freed), 1);
  Sleep(50);
  CloseHandle(go);
}

static void test_worker(void) {
  HANDLE go = CreateEventW(NULL, TRUE, FALSE, NULL);
  rsm__bounded_worker *worker = NULL;
  rsm__bounded *stuck = NULL;
  job *j = new_job(NULL);
  for (int i = 0; i < 300; i++) {
    j->result = 0;
    CHECK_INT(rsm__bounded_run_by(&worker, compute, free_job, j, 2000, NULL, &stuck, NULL), RSM_OK);
    CHECK_INT(j->result, 42);
    if (i % 100 == 50) Sleep(60); /* it has gone home meanwhile */
  }
  atomic_store(&freed, 0);
  CHECK_INT(rsm__bounded_run_by(&worker, hang, free_job, new_job(go), 200, NULL, &stuck, NULL), RSM_TIMEOUT);
  CHECK(worker == NULL);
  CHECK_INT(rsm__bounded_run_by(&worker, compute, free_job, j, 2000, NULL, &stuck, NULL), RSM_OK); /* a new one */
  expect_returned(stuck, go);
  rsm__bounded_worker_free(worker);
  rsm__free(j);
  Sleep(50);
  CHECK_INT(rsm__alloc_live(), 0);
  CloseHandle(go);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_one_event_a_step),
      CHECK_TEST(test_steps_that_do_not_wait),
      CHECK_TEST(test_a_step_has_a_limit),
      CHECK_TEST(test_nothing_is_done_between_steps),
      CHECK_TEST(test_cancel_from_another_thread),
      CHECK_TEST(test_free_at_any_time),
      CHECK_TEST(test_no_handle_is_left),
      CHECK_TEST(test_bounded_in_time),
      CHECK_TEST(test_bounded_given_up),
      CHECK_TEST(test_bounded_cancelled),
      CHECK_TEST(test_worker),
  };
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
