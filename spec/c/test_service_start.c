/* test_service_start.c: starting services under a real systemd, and what is said when they do not start.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "service_fixture.h"

#include <pthread.h>

static void expect_failure(const char *name, const char *words) {
  rsm_process process = {.pid = 77};
  rsm_status status = start(name, &process);
  if (status != RSM_GEN_FAILURE || !strstr(problem.detail, words)) printf("%s: %s\n", name, problem.detail);
  CHECK_INT(status, RSM_GEN_FAILURE);
  CHECK(strstr(problem.detail, words));
  CHECK(process.pid == 77 && strstr(problem.subject, name));
}

static void failures(void) {
  if (!in_systemd()) return;
  unit("rsm-exit.service", "[Service]\nExecStart=/bin/sh -c 'exit 3'\n");
  unit("rsm-exit-notify.service", "[Service]\nType=notify\nExecStart=/bin/sh -c 'exit 4'\n");
  unit("rsm-killed.service", "[Service]\nType=notify\nExecStart=/bin/sh -c 'kill -KILL $$$$'\n");
  unit("rsm-noexec.service", "[Service]\nExecStart=/no/such/program\n");
  unit("rsm-again.service", "[Service]\nRestart=always\nRestartSec=10\nExecStart=/bin/false\n");
  unit("rsm-slow.service", "[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/bin/sleep 1000\n");
  unit("rsm-needs.service", "[Unit]\nRequires=rsm-exit-notify.service\nAfter=rsm-exit-notify.service\n" SLEEPER);
  unit("rsm-condition.service", "[Unit]\nConditionPathExists=/no/such/file\n" SLEEPER);
  unit("rsm-assert.service", "[Unit]\nAssertPathExists=/no/such/file\n" SLEEPER);
  SHELL("ln -sf /dev/null /run/systemd/system/rsm-mask.service");
  reload();
  begin();
  expect_failure("rsm-exit.service", "exit status 3");
  CHECK(strstr(problem.detail, "journalctl -u rsm-exit.service"));
  expect_failure("rsm-exit-notify.service", "exit status 4");
  expect_failure("rsm-killed.service", "signal KILL");
  expect_failure("rsm-noexec.service", "exit status 203");
  expect_failure("rsm-again.service", "exit status 1");
  expect_failure("rsm-slow.service", "timeout");
  expect_failure("rsm-needs.service", "something that it needs");
  expect_failure("rsm-condition.service", "condition");
  expect_failure("rsm-assert.service", "assert");
  expect_failure("rsm-mask.service", "masked");
  CHECK_INT(start("rsm-unheard-of.service", &(rsm_process){0}), RSM_NO_SUCH_SERVICE);
  SHELL("systemctl stop rsm-again.service");
  finish();
}

static void failed_before(void) {
  if (!in_systemd()) return;
  rsm_process process = {0};
  unit("rsm-often.service", "[Unit]\nStartLimitBurst=2\nStartLimitIntervalSec=1h\n" SLEEPER);
  reload();
  SHELL("systemctl start rsm-often.service && systemctl kill -s KILL rsm-often.service; sleep 0.2; "
        "systemctl start rsm-often.service && systemctl kill -s KILL rsm-often.service; sleep 0.2; "
        "! systemctl start rsm-often.service 2>/dev/null");
  begin();
  must(start("rsm-often.service", &process));
  CHECK(process.pid && look("rsm-often.service") == RSM__SERVICE_RUNNING);
  finish();
}

static void one_shots(void) {
  if (!in_systemd()) return;
  rsm_process process = {0};
  unit("rsm-shot.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
  unit("rsm-shot-stays.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n");
  unit("rsm-shot-long.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\n");
  unit("rsm-shot-fails.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 9'\n");
  unit("rsm-done.service", "[Service]\nExecStart=/bin/true\n");
  reload();
  begin();
  must(start("rsm-shot.service", &process));
  CHECK(process.pid == 0);
  must(start("rsm-shot-stays.service", &process));
  CHECK_INT(look("rsm-shot-stays.service"), RSM__SERVICE_RUNNING);
  uint64_t before = rsm__clock_ms();
  must(start("rsm-shot-long.service", &process));
  CHECK(rsm__clock_ms() - before < 3000);
  CHECK(process.pid && look("rsm-shot-long.service") == RSM__SERVICE_RUNNING);
  expect_failure("rsm-shot-fails.service", "exit status 9");
  expect_failure("rsm-done.service", "ended at once");
  must(stop("rsm-shot-long.service"));
  CHECK(becomes("rsm-shot-long.service", RSM__SERVICE_DOWN));
  finish();
}

/* A target that went down with a service comes back alone, not with all that it wants. */
static void targets(void) {
  if (!in_systemd()) return;
  unit("rsm-t.target",
       "[Unit]\nRequires=rsm-t-needed.service\nAfter=rsm-t-needed.service\nWants=rsm-t-wanted.service\n");
  unit("rsm-t-needed.service", SLEEPER);
  unit("rsm-t-wanted.service", SLEEPER);
  reload();
  SHELL("systemctl start rsm-t.target && systemctl stop rsm-t-wanted.service");
  begin();
  inspect("rsm-t-needed.service");
  CHECK(has_link("rsm-t.target", RSM__SERVICE_DEPENDENT, 1));
  must(stop("rsm-t-needed.service"));
  CHECK(becomes("rsm-t-needed.service", RSM__SERVICE_DOWN) && becomes("rsm-t.target", RSM__SERVICE_DOWN));
  must(start("rsm-t-needed.service", &(rsm_process){0}));
  must(start("rsm-t.target", &(rsm_process){0}));
  CHECK_INT(look("rsm-t.target"), RSM__SERVICE_RUNNING);
  CHECK_INT(look("rsm-t-needed.service"), RSM__SERVICE_RUNNING);
  CHECK_INT(look("rsm-t-wanted.service"), RSM__SERVICE_DOWN);
  finish();
}

/* ---- In a task ---- */

static rsm_status task_status;

static void start_slowly(rsm__task *task, void *argument) {
  rsm__services *own = NULL;
  const rsm__service_id id = system_id(argument);
  must(rsm__services_new(task, &own, &problem));
  task_status = rsm__service_start(own, &id, &(rsm_process){0}, &problem);
  rsm__services_free(own);
}

static void cancelled(void) {
  if (!in_systemd()) return;
  static char name[] = "rsm-never.service";
  rsm__task *task = NULL;
  unit(name, "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep 1000\n");
  reload();
  must(rsm__task_new(start_slowly, name, &task, &problem));
  CHECK(!rsm__task_step(task, 500, NULL));
  uint64_t before = rsm__clock_ms();
  rsm__task_cancel(task);
  CHECK(rsm__task_step(task, 5000, NULL));
  CHECK(rsm__clock_ms() - before < 1000);
  CHECK_INT(task_status, RSM_CANCELLED);
  task = rsm__task_free(task);
  SHELL("systemctl stop %s", name);
  CHECK_INT(rsm__alloc_live(), 0);
}

/* systemd closes its private connections when it re-executes itself, as its own update does. */
static void manager_reexecutes(void) {
  if (!in_systemd()) return;
  unit("rsm-kept.service", SLEEPER);
  reload();
  begin();
  must(start("rsm-kept.service", &(rsm_process){0}));
  SHELL("systemctl daemon-reexec");
  const rsm__service_id id = system_id("rsm-kept.service");
  rsm__service_activity activity = RSM__SERVICE_DOWN;
  rsm_status status = rsm__service_look(services, &id, &activity, &problem);
  CHECK(status == RSM_OK || status == RSM_GEN_FAILURE);
  CHECK_INT(look("rsm-kept.service"), RSM__SERVICE_RUNNING);
  must(stop("rsm-kept.service"));
  CHECK(becomes("rsm-kept.service", RSM__SERVICE_DOWN));
  finish();
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(failures), CHECK_TEST(failed_before), CHECK_TEST(one_shots),
                                     CHECK_TEST(targets),  CHECK_TEST(cancelled),     CHECK_TEST(manager_reexecutes)};
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
