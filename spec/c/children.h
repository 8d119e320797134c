/* children.h: processes of a test's own: functions or programs, each ended by its own pid. SPDX-License-Identifier: MIT
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "os/linux/procfs.h"
#include "os/process.h"
#include "until.h"

static inline int count_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

/* Whatever becomes of this test, no child outlives it. */
static inline void tie_to_parent(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(60);
}

typedef void child_main(void *argument);

/* Returns when the child says that it is about to run its part. */
static inline pid_t start(child_main *run, void *argument) {
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

static inline void child_sleep(void *argument) {
  (void)argument;
  for (;;) pause();
}

static inline void child_exec(void *argument) {
  char *const *argv = argument;
  execv(argv[0], argv + 1);
}

/* The kernel shows the new program a moment before its arguments: both are waited for, in that order. */
static inline bool runs(pid_t pid, const char *name) {
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
static inline pid_t start_program(const char *file, const char *name, const char *argument) {
  const char *const argv[] = {file, name, argument, NULL};
  pid_t pid = start(child_exec, (void *)argv);
  const char *slash = strrchr(file, '/');
  CHECK(UNTIL(10000, runs(pid, slash)));
  return pid;
}

static inline int reap(pid_t pid) {
  int status = 0;
  CHECK_INT(waitpid(pid, &status, 0), pid);
  return status;
}

static inline void end(pid_t pid) {
  kill(pid, SIGKILL);
  reap(pid);
}

static inline rsm__process *open_pid(pid_t pid) {
  rsm_process id = {.pid = (uint32_t)pid};
  rsm__process *process = NULL;
  CHECK_INT(rsm__process_open(&id, &process, NULL), RSM_OK);
  return process;
}

static inline char state_of(pid_t pid) {
  rsm__proc_stat stat = {0};
  int dir = -1;
  CHECK_INT(rsm__procfs_open((uint32_t)pid, &dir, NULL), RSM_OK);
  CHECK_INT(rsm__procfs_stat(dir, &stat, NULL), RSM_OK);
  close(dir);
  return stat.state;
}

#endif
