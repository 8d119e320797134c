/* programs.h: for tests of whole sessions: a file, programs that use it, a log of their starts, and sessions on it.
 *
 * The test program is such a program itself: called as "--hold FILE LOG HOW" it opens FILE, adds "start PID" to LOG and
 * waits for its end; HOW may contain i (does not obey) and r (registers for restart). Define _GNU_SOURCE first.
 * SPDX-License-Identifier: MIT */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <unistd.h>

#include "check.h"
#include "os/clock.h"
#include "os/process.h"
#include "own_program.h"
#include "own_store.h"
#include "rsm.h"
#include "until.h"

enum { LIMIT_MS = 5000 };

static char folder[256], file[280], log_file[280];

static inline long now_ms(void) {
  return (long)rsm__clock_ms();
}

/* ---- Programs that use the file ---- */

/* How many have been started since the log was new; *ret_last: the last one. */
static inline int count_starts(pid_t *ret_last) {
  FILE *in = fopen(log_file, "r");
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

static inline void new_file(const char *path) {
  FILE *out = fopen(path, "w");
  CHECK(out && fclose(out) == 0);
}

static inline pid_t hold_another(const char *what, const char *how) {
  int before = count_starts(NULL);
  pid_t pid = start_hold(what, log_file, how);
  wait_for_starts(before + 1);
  return pid;
}

static inline pid_t hold(const char *how) {
  new_file(log_file);
  return hold_another(file, how);
}

static inline bool is_there(const rsm_process *process) {
  rsm_process found;
  return rsm_process_find(process->pid, &found, NULL) == RSM_OK && rsm_process_equal(&found, process);
}

/* Ends one that was started again: not our child, so only if it is still the same process. */
static inline void end_process(const rsm_process *id) {
  rsm__process *process;
  CHECK(id->pid > 1 && id->pid != rsm__process_self());
  if (rsm__process_open(id, &process, NULL) != RSM_OK) return;
  rsm__process_kill(process, NULL);
  rsm__process_close(process);
  (void)UNTIL(LIMIT_MS, !is_there(id));
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
  MUST(rsm_session_start(&(rsm_start_options){.manager = "builtin", .name = "test", .restart_unregistered = true},
                         &session, &error));
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

static inline bool is_sessions(const char *name) {
  if (strncmp(name, ".new-", 5) == 0 || strncmp(name, ".old-", 5) == 0) return true;
  return strspn(name, "0123456789abcdef") == RSM_KEY_LENGTH && strlen(name) == RSM_KEY_LENGTH;
}

/* Sessions in the store, whole, half made or half removed. */
static inline int count_stored(void) {
  return count_names(is_sessions);
}

/* ---- The test program ---- */

static uint32_t main_pid;

static inline void remove_folder(void) {
  if (rsm__process_self() != main_pid) return;
  remove(file);
  remove(log_file);
  rmdir(folder);
}

/* What main does: argv as it came. */
static inline int run_with_programs(const check_test *tests, size_t count, int argc, char **argv) {
  if (argc == 5 && strcmp(argv[1], "--hold") == 0) return run_hold(argv);
  hide_real_places();
  main_pid = rsm__process_self();
  make_own_folder(folder, sizeof folder);
  snprintf(file, sizeof file, "%s/file", folder);
  snprintf(log_file, sizeof log_file, "%s/log", folder);
  atexit(remove_folder);
  new_file(file);
  return check_run(tests, count, argc, argv);
}

#endif
