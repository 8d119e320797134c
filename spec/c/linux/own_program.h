/* own_program.h: the test's own program as one that uses a file (spec/c/programs.h): what it does, its start and its
 * end, and what is in the store. spec/c/windows/own_program.h has the same names. Needs _GNU_SOURCE.
 * SPDX-License-Identifier: MIT */
#ifndef OWN_PROGRAM_H
#define OWN_PROGRAM_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "rsm.h"

enum { LIFE_S = 30, GRACE_MS = 300 }; /* GRACE_MS: in which who obeys has surely obeyed */

/* argv: PROGRAM --hold FILE LOG HOW */
static inline int run_hold(char **argv) {
  alarm(LIFE_S); /* whatever becomes of the test */
  if (strchr(argv[4], 'i')) signal(SIGTERM, SIG_IGN);
  if (open(argv[2], O_RDONLY | O_CLOEXEC) < 0) return 2;
  if (strchr(argv[4], 'r') && rsm_register_restart(NULL, 0, 0, NULL) != RSM_OK) return 3;
  char line[32];
  int length = snprintf(line, sizeof line, "start %d\n", (int)getpid());
  int log = open(argv[3], O_WRONLY | O_APPEND | O_CLOEXEC);
  if (log < 0 || write(log, line, (size_t)length) != length) return 4;
  for (;;) pause();
}

/* Our child, which may not have begun yet. */
static inline pid_t start_hold(const char *what, const char *log, const char *how) {
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl("/proc/self/exe", "test_session", "--hold", what, log, how, (char *)NULL);
    _exit(127);
  }
  CHECK(pid > 0);
  return pid;
}

/* Does our child still run? */
static inline bool runs(pid_t child) {
  siginfo_t info = {0};
  CHECK_INT(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
  return info.si_pid == 0;
}

static inline void end_child(pid_t child) {
  kill(child, SIGKILL); /* not reaped yet: it is the same process, dead or alive */
  CHECK_INT(waitpid(child, NULL, 0), child);
}

static inline void make_own_folder(char *ret_path, size_t size) {
  snprintf(ret_path, size, "/tmp/test_session.XXXXXX");
  CHECK(mkdtemp(ret_path));
}

/* How many names in the places for sessions are like that. */
static inline int count_names(bool (*is_like_that)(const char *name)) {
  char places[2][64];
  int count = 0;
  if (geteuid() == 0)
    snprintf(places[0], sizeof places[0], "/run/restartmanager");
  else
    snprintf(places[0], sizeof places[0], "/run/user/%u/restartmanager", (unsigned)geteuid());
  snprintf(places[1], sizeof places[1], "/var/tmp/restartmanager-%u", (unsigned)geteuid());
  for (int i = 0; i < 2; i++) {
    DIR *dir = opendir(places[i]);
    struct dirent *entry;
    while (dir && (entry = readdir(dir)) != NULL) count += is_like_that(entry->d_name);
    if (dir) closedir(dir);
  }
  return count;
}

#endif
