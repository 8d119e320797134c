/* test_dll_threads.c: the DLL's functions from several threads and from inside the status callback.
 * SPDX-License-Identifier: MIT */
#include "scripted.h"

enum { SOON_MS = 3000 };

static DWORD started(void) {
  DWORD handle;
  WCHAR key[CCH_RM_SESSION_KEY + 1];
  CHECK_INT(RmStartSession(&handle, 0, key), 0);
  return handle;
}

static void end(DWORD handle) {
  CHECK_INT(RmEndSession(handle), 0);
}

/* ---- Progress ---- */

static int seen[32];
static size_t seen_count;
static DWORD ours, another; /* sessions that callbacks use */
static DWORD answers[3];

static void note(UINT percent) {
  if (seen_count < ARRAYSIZE(seen)) seen[seen_count++] = (int)percent;
}

static void check_seen(const int *expected, size_t count) {
  CHECK_INT(seen_count, count);
  for (size_t i = 0; i < count; i++) CHECK_INT(seen[i], expected[i]);
  seen_count = 0;
}

static void percentages_rise(void) {
  static const int whole[] = {0, 10, 40, 100}, part[] = {0, 10, 40}, nothing[] = {0, 100};
  script = (scripted){.percents = {0, 10, 10, 40, 40}, .percent_count = 5};
  DWORD handle = started();
  CHECK_INT(RmShutdown(handle, 0, note), 0);
  check_seen(whole, ARRAYSIZE(whole));
  CHECK_INT(RmRestart(handle, 0, note), 0);
  check_seen(whole, ARRAYSIZE(whole));
  script.operation = RSM_FAIL_SHUTDOWN;
  CHECK_INT(RmShutdown(handle, 0, note), 351);
  check_seen(part, ARRAYSIZE(part));
  script = (scripted){.sessions = script.sessions};
  CHECK_INT(RmShutdown(handle, 0, note), 0);
  check_seen(nothing, ARRAYSIZE(nothing));
  CHECK_INT(RmShutdown(handle, 0x100, note), ERROR_BAD_ARGUMENTS);
  check_seen(nothing, 0);
  end(handle);
}

#if defined(__i386__)
static void __attribute__((stdcall)) note_as_the_system(UINT percent) {
  note(percent);
}

static void callbacks_of_both_conventions(void) {
  static const int whole[] = {0, 10, 100};
  script = (scripted){.percents = {10}, .percent_count = 1};
  DWORD handle = started();
  CHECK_INT(RmShutdown(handle, 0, (RM_WRITE_STATUS_CALLBACK)(void *)note_as_the_system), 0);
  check_seen(whole, ARRAYSIZE(whole));
  end(handle);
}
#endif

static void call_back(UINT percent) {
  UINT needed, count = 0;
  DWORD reasons;
  note(percent);
  if (percent != 0) return;
  answers[0] = RmGetList(ours, &needed, &count, NULL, &reasons);
  answers[1] = RmEndSession(ours);
  answers[2] = RmGetList(another, &needed, &count, NULL, &reasons);
}

static void callback_may_use_other_sessions(void) {
  script = (scripted){.percents = {50}, .percent_count = 1};
  ours = started(), another = started();
  CHECK_INT(RmShutdown(ours, 0, call_back), 0);
  CHECK_INT(answers[0], ERROR_BUSY);
  CHECK_INT(answers[1], ERROR_BUSY);
  CHECK_INT(answers[2], 0);
  CHECK_INT(RmShutdown(ours, 0, NULL), 0); /* and the session is as good as before */
  seen_count = 0;
  end(ours);
  end(another);
}

static void cancel_now(UINT percent) {
  if (percent == 0) answers[0] = RmCancelCurrentTask(ours);
}

static void callback_may_cancel(void) {
  script = (scripted){.wait_for_cancel = true};
  ours = started();
  CHECK_INT(RmShutdown(ours, 0, cancel_now), ERROR_CANCELLED);
  CHECK_INT(answers[0], 0);
  script.wait_for_cancel = false;
  CHECK_INT(RmRestart(ours, 0, NULL), 0);
  end(ours);
}

/* ---- Threads ---- */

typedef struct worker {
  HANDLE thread;
  DWORD handle;
  DWORD (*call)(DWORD handle);
  DWORD code;
} worker;

static DWORD shut_down(DWORD handle) {
  return RmShutdown(handle, 0, NULL);
}

static DWORD list(DWORD handle) {
  UINT needed, count = 0;
  DWORD reasons;
  return RmGetList(handle, &needed, &count, NULL, &reasons);
}

static DWORD end_it(DWORD handle) {
  return RmEndSession(handle);
}

static DWORD WINAPI work(void *argument) {
  worker *w = argument;
  w->code = w->call(w->handle);
  return 0;
}

static void begin(worker *w, DWORD handle, DWORD (*call)(DWORD)) {
  *w = (worker){.handle = handle, .call = call, .code = 0xFFFFFFFF};
  w->thread = CreateThread(NULL, 0, work, w, 0, NULL);
  CHECK(w->thread != NULL);
}

static DWORD finish(worker *w) {
  CHECK_INT(WaitForSingleObject(w->thread, SOON_MS), WAIT_OBJECT_0);
  CloseHandle(w->thread);
  return w->code;
}

/* A session with a shutdown that waits to be cancelled. */
static DWORD stuck(worker *w) {
  script = (scripted){.wait_for_cancel = true, .running = CreateEventW(NULL, FALSE, FALSE, NULL)};
  DWORD handle = started();
  begin(w, handle, shut_down);
  CHECK_INT(WaitForSingleObject(script.running, SOON_MS), WAIT_OBJECT_0);
  return handle;
}

static void cancel_from_another_thread(void) {
  worker w;
  DWORD handle = stuck(&w);
  CHECK_INT(RmCancelCurrentTask(handle), 0);
  CHECK_INT(finish(&w), ERROR_CANCELLED);
  CHECK_INT(RmCancelCurrentTask(handle), 0); /* nothing to cancel */
  script.wait_for_cancel = false;
  CHECK_INT(shut_down(handle), 0); /* which does not reach the next one */
  CloseHandle(script.running);
  end(handle);
}

static void end_does_not_wait_for_a_long_call(void) {
  worker w, waiting[3], second;
  DWORD handle = stuck(&w);
  for (size_t i = 0; i < ARRAYSIZE(waiting); i++) begin(&waiting[i], handle, list);
  Sleep(100);
  begin(&second, handle, end_it);
  CHECK_INT(finish(&w), ERROR_CANCELLED);
  CHECK_INT(finish(&second), 0);
  for (size_t i = 0; i < ARRAYSIZE(waiting); i++) CHECK_INT(finish(&waiting[i]), ERROR_INVALID_HANDLE);
  CHECK_INT(RmEndSession(handle), ERROR_INVALID_HANDLE);
  CHECK(script.ended == 1 && script.sessions == 0);
  CHECK_INT(script.at_once, 1);
  CloseHandle(script.running);
}

/* A call that is about to begin when the session is ended has nothing yet that could be cancelled. */
static void end_between_a_call_and_its_operation(void) {
  worker w, ending;
  script = (scripted){.wait_for_cancel = true, .may_begin = CreateEventW(NULL, TRUE, FALSE, NULL)};
  DWORD handle = started();
  begin(&w, handle, shut_down);
  Sleep(100);
  begin(&ending, handle, end_it);
  Sleep(100);
  SetEvent(script.may_begin);
  CHECK_INT(finish(&w), ERROR_CANCELLED);
  CHECK_INT(finish(&ending), 0);
  CloseHandle(script.may_begin);
}

static void sessions_do_not_disturb_each_other(void) {
  worker w;
  DWORD handle = stuck(&w);
  HANDLE running = script.running;
  script.wait_for_cancel = false; /* of what begins from now on */
  DWORD other = started();
  CHECK_INT(list(other), 0);
  end(other);
  CHECK_INT(RmCancelCurrentTask(handle), 0);
  CHECK_INT(finish(&w), ERROR_CANCELLED);
  CloseHandle(running);
  end(handle);
}

static DWORD hammer(DWORD handle) {
  for (int i = 0; i < 500; i++) {
    DWORD code = i % 3 ? list(handle) : RmCancelCurrentTask(handle);
    if (code != 0) return code;
  }
  return 0;
}

static DWORD churn(DWORD unused) {
  (void)unused;
  for (int i = 0; i < 300; i++) {
    DWORD handle = started();
    if (list(handle) != 0 || RmEndSession(handle) != 0) return 1;
  }
  return 0;
}

static void many_threads(void) {
  worker workers[8];
  script = (scripted){0};
  DWORD handle = started();
  for (size_t i = 0; i < ARRAYSIZE(workers); i++) begin(&workers[i], handle, i < 6 ? hammer : churn);
  for (size_t i = 0; i < ARRAYSIZE(workers); i++) CHECK_INT(finish(&workers[i]), 0);
  CHECK_INT(script.at_once, 1);
  end(handle);
  CHECK_INT(script.sessions, 0);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
    CHECK_TEST(percentages_rise),
#if defined(__i386__)
    CHECK_TEST(callbacks_of_both_conventions),
#endif
    CHECK_TEST(callback_may_use_other_sessions),
    CHECK_TEST(callback_may_cancel),
    CHECK_TEST(cancel_from_another_thread),
    CHECK_TEST(end_does_not_wait_for_a_long_call),
    CHECK_TEST(end_between_a_call_and_its_operation),
    CHECK_TEST(sessions_do_not_disturb_each_other),
    CHECK_TEST(many_threads)
  };
  return check_run(tests, ARRAYSIZE(tests), argc, argv);
}
