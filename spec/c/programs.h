/* programs.h: for tests of whole sessions: a file, programs that use it, a log of their starts, and sessions on it.
 *
 * The test program is such a program itself: called as "--hold FILE LOG HOW" it opens FILE, adds "start PID" to LOG and
 * waits for its end; HOW may contain i (ignores TERM) and r (registers for restart). Define _GNU_SOURCE first.
 * SPDX-License-Identifier: MIT */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "own_store.h"
#include "rsm.h"
#include "until.h"

enum { LIFE_S = 30, LIMIT_MS = 5000, GRACE_MS = 300 };

static char folder[64], file[80], log_file[80];

static inline long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Programs that use the file ---- */

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

/* How many have been started since the log was new; *ret_last: the last one. */
static inline int count_starts(pid_t *ret_last) {
  FILE *in = fopen(log_file, "re");
  int count = 0, pid;
  CHECK(in);
  while (fscanf(in, "start %d\n", &pid) == 1) {
    count++;
    if (ret_last) *ret_last = pid;
  }
  fclose(in);
  return count;
}

static inline void wait_for_starts(int count) {
  CHECK(UNTIL(LIMIT_MS, count_starts(NULL) >= count));
}

static inline void new_log(void) {
  int fd = open(log_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  close(fd);
}

static inline pid_t hold_another(const char *what, const char *how) {
  int before = count_starts(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execl("/proc/self/exe", "test_session", "--hold", what, log_file, how, (char *)NULL);
    _exit(127);
  }
  CHECK(pid > 0);
  wait_for_starts(before + 1);
  return pid;
}

static inline pid_t hold(const char *how) {
  new_log();
  return hold_another(file, how);
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

static inline bool is_there(const rsm_process *process) {
  rsm_process found;
  return rsm_process_find(process->pid, &found, NULL) == RSM_OK && rsm_process_equal(&found, process);
}

/* Ends one that was started again: not our child, so only if it is still the same process. */
static inline void end_process(const rsm_process *process) {
  CHECK(process->pid > 1 && process->pid != (uint32_t)getpid());
  if (is_there(process)) kill((pid_t)process->pid, SIGKILL);
  (void)UNTIL(LIMIT_MS, !is_there(process));
}

/* Ends the last one that the log tells of, which runs no more than so many were started. */
static inline void end_last(int starts) {
  pid_t last = 0;
  rsm_process process;
  wait_for_starts(starts);
  CHECK_INT(count_starts(&last), starts);
  CHECK_INT(rsm_process_find((uint32_t)last, &process, NULL), RSM_OK);
  end_process(&process);
}

/* ---- Sessions ---- */

#define MUST(call) must(__LINE__, #call, (call), &error)
static rsm_error error;

static inline void must(int line, const char *what, rsm_status status, const rsm_error *why) {
  char text[1024];
  if (status == RSM_OK) return;
  fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, line, what, rsm_status_code(status),
          rsm_error_format(why, text, sizeof text));
  check_exit();
}

static inline rsm_session *start(void) {
  rsm_session *session = NULL;
  MUST(rsm_session_start(&(rsm_start_options){.name = "test", .restart_unregistered = true}, &session, &error));
  CHECK(session && rsm_session_is_open(session) && rsm_session_role(session) == RSM_PRIMARY);
  return session;
}

static inline rsm_status add_file(rsm_session *session, const char *path) {
  return rsm_session_register(session, &(rsm_resources){.files = &path, .file_count = 1}, &error);
}

static inline rsm_session *start_with_file(void) {
  rsm_session *session = start();
  MUST(add_file(session, file));
  return session;
}

static inline rsm_status shut_down(rsm_session *session, bool force, rsm_report **ret_report) {
  return rsm_session_shutdown(session, &(rsm_shutdown_options){.force = force, .timeout_ms = GRACE_MS}, ret_report,
                              &error);
}

static inline void finish(rsm_session *session) {
  MUST(rsm_session_end(session, RSM_END_LEAVE_STOPPED, &error));
  CHECK(!rsm_session_free(session));
}

/* Sessions in the store, whole, half made or half removed. */
static inline int count_stored(void) {
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
    while (dir && (entry = readdir(dir)) != NULL) {
      const char *name = entry->d_name;
      if (strspn(name, "0123456789abcdef") == RSM_KEY_LENGTH && strlen(name) == RSM_KEY_LENGTH) count++;
      if (strncmp(name, ".new-", 5) == 0 || strncmp(name, ".old-", 5) == 0) count++;
    }
    if (dir) closedir(dir);
  }
  return count;
}

/* ---- The test program ---- */

static pid_t main_pid;

static inline void remove_folder(void) {
  if (getpid() != main_pid) return;
  unlink(file);
  unlink(log_file);
  rmdir(folder);
}

/* What main does: argv as it came. */
static inline int run_with_programs(const check_test *tests, size_t count, int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "--hold") == 0) return run_hold(argv);
  hide_real_places();
  main_pid = getpid();
  snprintf(folder, sizeof folder, "/tmp/test_session.XXXXXX");
  CHECK(mkdtemp(folder));
  snprintf(file, sizeof file, "%s/file", folder);
  snprintf(log_file, sizeof log_file, "%s/log", folder);
  atexit(remove_folder);
  int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  close(fd);
  return check_run(tests, count, argc, argv);
}

#endif
