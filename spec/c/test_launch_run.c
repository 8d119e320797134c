/* test_launch_run.c: running a program as our own child. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/launch.h"

static rsm_status run_shell(const char *command, rsm_exit *ret_exit) {
  const char *const argv[] = {"sh", "-c", command};
  return rsm__launch_run(argv, 3, "RSM_TEST_VARIABLE", "a value", ret_exit, NULL);
}

static void ends(void) {
  rsm_exit end = {0};
  CHECK_INT(run_shell("exit 0", &end), RSM_OK);
  CHECK(!end.signaled && end.code == 0);
  CHECK_INT(run_shell("exit 42", &end), RSM_OK);
  CHECK(!end.signaled && end.code == 42);
  CHECK_INT(run_shell("kill -TERM $$", &end), RSM_OK);
  CHECK(end.signaled && end.code == SIGTERM);
  CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void surroundings(void) {
  rsm_exit end = {0};
  setenv("RSM_TEST_VARIABLE", "an old one", 1);
  setenv("RSM_TEST_OTHER", "kept", 1);
  int leaking = fcntl(0, F_DUPFD, 50);
  sigset_t some, before;
  sigfillset(&some);
  sigprocmask(SIG_BLOCK, &some, &before);
  signal(SIGPIPE, SIG_IGN);
  CHECK_INT(run_shell("test \"$RSM_TEST_VARIABLE\" = 'a value' -a \"$RSM_TEST_OTHER\" = kept", &end), RSM_OK);
  CHECK_INT(end.code, 0);
  CHECK_INT(run_shell("test ! -e /proc/self/fd/50", &end), RSM_OK);
  CHECK_INT(end.code, 0);
  CHECK_INT(run_shell("grep -q 'SigBlk:.*0000000000000000' /proc/self/status && "
                      "grep -q 'SigIgn:.*0000000000000000' /proc/self/status",
                      &end),
            RSM_OK);
  CHECK_INT(end.code, 0);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (leaking >= 0) close(leaking);
}

static void expect(const char *program, rsm_status status) {
  rsm_exit end = {.code = 77};
  rsm_error error = {0};
  const char *const argv[] = {program};
  CHECK_INT(rsm__launch_run(argv, 1, "A", "B", &end, &error), status);
  CHECK_INT(end.code, 77);
  CHECK_TEXT(error.subject, program);
  CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void what_cannot_be_run(void) {
  setenv("PATH", "/usr/bin:/bin", 1); /* a folder in it that is closed to us would make "not found" uncertain */
  char path[] = "/tmp/rsm-test-XXXXXX";
  int fd = mkstemp(path);
  CHECK(fd >= 0 && write(fd, "exit 0\n", 7) == 7);
  expect("no-such-program-here", RSM_FILE_NOT_FOUND);
  expect("/no/such/program", RSM_FILE_NOT_FOUND);
  expect(path, RSM_ACCESS_DENIED);
  CHECK_INT(fchmod(fd, 0755), 0);
  close(fd);
  expect(path, RSM_GEN_FAILURE); /* no program, and no shell is asked to make something of it */
  unlink(path);
}

/* A host that collects the ends of all children takes ours, too: that is said, not guessed. */
static void host_that_ignores_children(void) {
  rsm_exit end = {0};
  signal(SIGCHLD, SIG_IGN);
  CHECK_INT(run_shell("exit 3", &end), RSM_GEN_FAILURE);
  signal(SIGCHLD, SIG_DFL);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {CHECK_TEST(ends), CHECK_TEST(surroundings), CHECK_TEST(what_cannot_be_run),
                                     CHECK_TEST(host_that_ignores_children)};
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
