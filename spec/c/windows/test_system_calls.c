/* test_system_calls.c: the `system` manager's native calls over the scripted rstrtmgr.dll: progress, cancelling, and
 * that one at a time has a callback. SPDX-License-Identifier: MIT */
#include "system_fixture.h"

/* ---- Progress, events, cancelling ---- */

#ifdef _WIN64 /* in 32 bits the system gets no callback: calls.c tells why */
static void test_progress(void) {
  static const UINT percents[] = {0, 10, 10, 5, 50, 250, 100};
  static const unsigned seen[] = {10, 50, 99};
  begin_script();
  one_app(RUN, STOPPED, STOPPED, TRUE);
  memcpy(orders->percents, percents, sizeof percents);
  orders->percent_count = 7;
  rsm_session *session = begin_session();
  rsm_op *op;
  rsm_event event;
  CHECK_INT(rsm_session_begin_shutdown(session, NULL, &op, NULL), RSM_OK);
  Sleep(50);
  CHECK_INT(orders->lists, 0); /* it moves only when stepped */
  CHECK_INT(rsm_op_step(op, 0, &event), RSM_PENDING);
  for (int i = 0; i < 100 && orders->lists == 0; i++) Sleep(10);
  Sleep(100);
  CHECK_INT(orders->lists, 1);     /* it looks around by itself then, */
  CHECK_INT(orders->shutdowns, 0); /* but acts only while somebody steps */
  for (size_t i = 0; i < 3; i++) {
    CHECK_INT(rsm_op_step(op, 10000, &event), RSM_PENDING);
    CHECK_INT(event.action, RSM_ACTION_NONE);
    CHECK_INT(rsm_op_percent(op), seen[i]);
    Sleep(30);
    CHECK_INT(rsm_op_percent(op), seen[i]);
    CHECK_INT(orders->state, 0);
  }
  CHECK(orders->call_thread != GetCurrentThreadId());
  CHECK_INT(rsm_op_step(op, 10000, &event), RSM_PENDING);
  CHECK_INT(event.action, RSM_ACTION_STOPPED);
  CHECK_TEXT(event.app->name, "editor");
  CHECK_INT(rsm_op_step(op, 10000, &event), RSM_OK);
  CHECK_INT(rsm_op_percent(op), 100);
  CHECK_INT(rsm_op_status(op, NULL), RSM_OK);
  rsm_op_free(op);
  rsm_session_free(session);
}

/* Windows calls back on the calling thread, so far. If not, the progress is seen all the same, and nothing hangs. */
static void test_foreign_callback(void) {
  begin_script();
  one_app(RUN, STOPPED, STOPPED, TRUE);
  orders->percents[0] = 40;
  orders->percent_count = 1;
  orders->foreign_callback = TRUE;
  orders->shutdown_code = 351;
  rsm_session *session = begin_session();
  rsm_op *op;
  rsm_event event;
  CHECK_INT(rsm_session_begin_shutdown(session, NULL, &op, NULL), RSM_OK);
  CHECK_INT(rsm_op_step(op, 10000, &event), RSM_PENDING);
  CHECK_INT(event.action, RSM_ACTION_STOPPED); /* the other thread was not held up for a step */
  CHECK_INT(rsm_op_percent(op), 40);
  finish(op);
  rsm_op_free(op);
  rsm_session_free(session);
}

static void test_busy(void) {
  rsm_op *first, *second;
  rsm_error error;
  rsm_event event;
  begin_script();
  orders->percents[0] = 50;
  orders->percent_count = 1;
  rsm_session *one = begin_session(), *two = begin_session();
  CHECK_INT(rsm_session_begin_shutdown(one, NULL, &first, &error), RSM_OK);
  CHECK_INT(rsm_session_begin_shutdown(two, NULL, &second, &error), RSM_BUSY);
  CHECK_WORDS(error.detail, "another session of this process");
  CHECK_INT(rsm_op_step(first, 10000, &event), RSM_PENDING); /* inside the callback */
  CHECK_INT(rsm_session_begin_shutdown(two, NULL, &second, &error), RSM_BUSY);
  CHECK_INT(rsm_session_begin_list(two, NULL, &second, &error), RSM_OK); /* has no callback */
  while (rsm_op_step(second, 10000, &event) == RSM_PENDING) continue;
  rsm_op_free(second);
  while (rsm_op_step(first, 10000, &event) == RSM_PENDING) continue;
  CHECK_INT(rsm_session_begin_shutdown(two, NULL, &second, &error), RSM_OK); /* done is done, freed or not */
  rsm_op_free(first);
  CHECK_INT(rsm_session_begin_shutdown(one, NULL, &first, &error), RSM_BUSY);
  rsm_op_free(second);
  CHECK_INT(rsm_session_begin_shutdown(one, NULL, &first, &error), RSM_OK);
  rsm_op_free(first);
  rsm_session_free(one);
  rsm_session_free(two);
}
#endif

typedef rsm_status begin_function(rsm_session *session, rsm_op **ret_op);
static rsm_status begin_list(rsm_session *session, rsm_op **ret_op) {
  return rsm_session_begin_list(session, NULL, ret_op, NULL);
}
static rsm_status begin_shutdown(rsm_session *session, rsm_op **ret_op) {
  return rsm_session_begin_shutdown(session, NULL, ret_op, NULL);
}

/* Begins it and steps until its native call, which would take 20 s, is under way. */
static rsm_op *into_call(rsm_session *session, begin_function *begin) {
  rsm_op *op;
  rsm_event event;
  const LONG *called = begin == begin_list ? &orders->lists : &orders->shutdowns;
  orders->list_waits_ms = begin == begin_list ? 20000 : 0;
  orders->waits_ms = 20000;
  CHECK_INT(begin(session, &op), RSM_OK);
  for (int i = 0; i < 100 && *called == 0; i++) CHECK_INT(rsm_op_step(op, 20, &event), RSM_PENDING);
  CHECK_INT(*called, 1);
  return op;
}

static void cancel_in_call(begin_function *begin, DWORD deaf_ms, BOOL waits) {
  begin_script();
  one_app(RUN, RUN, RUN, TRUE);
  rsm_session *session = begin_session();
  orders->deaf_ms = deaf_ms;
  orders->cancel_waits = waits;
  ULONGLONG from = GetTickCount64();
  rsm_op *op = into_call(session, begin);
  rsm_op_cancel(op);
  rsm_op_cancel(op);
  finish(op);
  CHECK(GetTickCount64() - from < 5000);
  CHECK_INT(rsm_op_status(op, NULL), RSM_CANCELLED);
  LONG cancels = orders->cancels;
  CHECK(deaf_ms ? cancels > 1 : cancels >= 1);
  rsm_op_free(op);
  orders->list_waits_ms = 0;
  CHECK_INT(rsm_session_cancel(session, NULL), RSM_OK); /* nothing is under way */
  rsm_list_free(list_now(session));                     /* and the next one is not affected */
  CHECK_INT(orders->cancels, cancels);
  rsm_session_free(session);
}

static void test_cancel(void) {
  begin_function *const functions[] = {begin_list, begin_shutdown};
  for (size_t i = 0; i < 2; i++) {
    cancel_in_call(functions[i], 0, FALSE);
    cancel_in_call(functions[i], 0, TRUE);    /* RmCancelCurrentTask waits for the call */
    cancel_in_call(functions[i], 500, FALSE); /* the first requests are lost */
  }
}

static void test_cancel_before(void) {
  rsm_op *op;
  begin_script();
  rsm_session *session = begin_session();
  CHECK_INT(begin_shutdown(session, &op), RSM_OK);
  rsm_op_cancel(op);
  finish(op);
  CHECK_INT(rsm_op_status(op, NULL), RSM_CANCELLED);
  CHECK_INT(orders->shutdowns, 0);
  rsm_op_free(op);
  rsm_session_free(session);
}

#ifdef _WIN64 /* in 32 bits the system gets no callback: calls.c tells why */
/* Cancelled while the native call stands in our callback: also where RmCancelCurrentTask waits for that call. */
static void cancel_in_callback(BOOL waits) {
  rsm_op *op;
  rsm_event event;
  begin_script();
  one_app(RUN, RUN, RUN, TRUE);
  orders->percents[0] = 50;
  orders->percent_count = 1;
  orders->cancel_waits = waits;
  orders->waits_ms = 20000;
  rsm_session *session = begin_session();
  CHECK_INT(begin_shutdown(session, &op), RSM_OK);
  CHECK_INT(rsm_op_step(op, 10000, &event), RSM_PENDING);
  CHECK_INT(rsm_op_percent(op), 50);
  ULONGLONG from = GetTickCount64();
  CHECK_INT(rsm_session_cancel(session, NULL), RSM_OK);
  Sleep(50);
  finish(op);
  CHECK(GetTickCount64() - from < 5000);
  CHECK_INT(rsm_op_status(op, NULL), RSM_CANCELLED);
  rsm_report *report = rsm_op_take_report(op);
  check_one(report, RSM_OUTCOME_ALIVE, "editor");
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_ALIVE, 0)->error.status, RSM_CANCELLED);
  rsm_report_free(report);
  rsm_op_free(op);
  rsm_session_free(session);
}

static void test_cancel_in_callback(void) {
  cancel_in_callback(FALSE);
  cancel_in_callback(TRUE);
}
#endif

/* Freed, or its session closed, while the native call is under way. */
static void test_free_in_call(void) {
  begin_script();
  ULONGLONG from = GetTickCount64();
  rsm_session *session = begin_session();
  rsm_op_free(into_call(session, begin_shutdown));
  orders->shutdowns = 0;
  rsm_op *op = into_call(session, begin_shutdown);
  CHECK_INT(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, NULL), RSM_OK);
  rsm_op_free(op);
  rsm_session_free(session);
  CHECK(GetTickCount64() - from < 5000);
}

static const check_test tests[] = {
#ifdef _WIN64
    CHECK_TEST(test_progress),     CHECK_TEST(test_foreign_callback),
    CHECK_TEST(test_busy),         CHECK_TEST(test_cancel_in_callback),
#endif
    CHECK_TEST(test_cancel),       CHECK_TEST(test_cancel_before),
    CHECK_TEST(test_free_in_call),
};

int main(int argc, char **argv) {
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
