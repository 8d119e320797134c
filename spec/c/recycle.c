/* recycle.c: gives a pid to a second process, by clone3 with set_tid, in a pid namespace where the
 * caller may do that (unshare --pid --fork --mount-proc, as root).
 *
 *   recycle hold FILE   starts a process that holds FILE, prints "first PID"; at a line on standard
 *                       input ends it and starts another one with the same pid, which holds FILE as
 *                       well, prints "second PID", and ends it when standard input ends
 *   recycle tick FILE   does the same so fast that the start times agree, and lists the first one by
 *                       the identity it had; prints what came of it
 *
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rsm.h"

enum { ATTEMPTS = 500, HARD_LIMIT_SECONDS = 60 };

static void die(const char *what) {
  fprintf(stderr, "recycle: %s: %s\n", what, strerror(errno));
  exit(2);
}

static void succeed(rsm_status status, const rsm_error *error) {
  char line[512];
  if (status == RSM_OK) return;
  fprintf(stderr, "recycle: %s\n", rsm_error_format(error, line, sizeof line));
  exit(2);
}

/* pid 0: whichever comes. Returns when the child holds the file. */
static pid_t start(pid_t pid, const char *path) {
  int ends[2];
  char byte;
  struct clone_args args = {.exit_signal = SIGCHLD};
  if (pid) {
    args.set_tid = (uint64_t)(uintptr_t)&pid;
    args.set_tid_size = 1;
  }
  if (pipe2(ends, O_CLOEXEC) < 0) die("pipe");
  pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (child < 0) die("clone3");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(HARD_LIMIT_SECONDS);
    if (open(path, O_RDONLY) < 0 || write(ends[1], "", 1) != 1) _exit(2);
    for (;;) pause();
  }
  close(ends[1]);
  if (read(ends[0], &byte, 1) != 1) die("the child does not hold the file");
  close(ends[0]);
  return child;
}

static void end(pid_t pid) {
  if (kill(pid, SIGKILL) < 0 || waitpid(pid, NULL, 0) != pid) die("ending the child");
}

static void wait_for_line(void) {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') {
  }
}

static int hold(const char *path) {
  pid_t pid = start(0, path);
  printf("first %d\n", (int)pid);
  fflush(stdout);
  wait_for_line();
  end(pid);
  start(pid, path);
  printf("second %d\n", (int)pid);
  fflush(stdout);
  wait_for_line();
  end(pid);
  return 0;
}

/* Two processes, one pid, one start time. False: the clock always ticked in between. */
static bool make_twins(const char *path, rsm_process *ret_first, rsm_process *ret_second) {
  rsm_error error;
  for (int i = 0; i < ATTEMPTS; i++) {
    pid_t pid = start(0, path);
    succeed(rsm_process_find((uint32_t)pid, ret_first, &error), &error);
    end(pid);
    start(pid, path);
    succeed(rsm_process_find((uint32_t)pid, ret_second, &error), &error);
    if (ret_first->start_time == ret_second->start_time) return true;
    end(pid);
  }
  return false;
}

static void shut_down(const rsm_process *process) {
  rsm_session *session = NULL;
  rsm_list *list = NULL;
  rsm_report *report = NULL;
  rsm_error error;
  const rsm_resources resources = {.processes = process, .process_count = 1};
  const rsm_shutdown_options options = {.force = true};
  succeed(rsm_session_start(NULL, &session, &error), &error);
  succeed(rsm_session_register(session, &resources, &error), &error);
  succeed(rsm_session_list(session, NULL, &list, &error), &error);
  succeed(rsm_session_shutdown(session, &options, &report, &error), &error);
  printf("listed %zu stopped %zu\n", rsm_list_count(list), rsm_report_count(report, RSM_OUTCOME_STOPPED));
  rsm_list_free(list);
  rsm_report_free(report);
  succeed(rsm_session_end(session, RSM_END_LEAVE_STOPPED, &error), &error);
  rsm_session_free(session);
}

static bool is_running(pid_t pid) {
  return waitpid(pid, NULL, WNOHANG) == 0;
}

static int tick(const char *path) {
  rsm_process first, second;
  if (!make_twins(path, &first, &second)) {
    printf("no twins\n");
    return 0;
  }
  if (!first.instance || !second.instance) {
    printf("no instance\n");
    end((pid_t)second.pid);
    return 0;
  }
  printf("twins %s\n", rsm_process_equal(&first, &second) ? "equal" : "different");
  shut_down(&first);
  printf("first %s\n", is_running((pid_t)second.pid) ? "touched nobody" : "touched the second");
  shut_down(&second); /* the same, with who is really there */
  printf("second %s\n", is_running((pid_t)second.pid) ? "still runs" : "stopped");
  return 0;
}

int main(int argc, char **argv) {
  alarm(HARD_LIMIT_SECONDS);
  if (argc == 3 && strcmp(argv[1], "hold") == 0) return hold(argv[2]);
  if (argc == 3 && strcmp(argv[1], "tick") == 0) return tick(argv[2]);
  fprintf(stderr, "usage: recycle hold|tick FILE\n");
  return 2;
}
