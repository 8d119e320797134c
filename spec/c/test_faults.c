/* test_faults.c: every system call of every operation fails, one after the other, once and for ever; then the promises
 * are looked at: nothing is leaked, nothing is stopped and forgotten, nothing runs twice, nobody is overlooked in
 * silence.
 *
 * The test lives in a pid namespace of its own with its own /proc, so that the number of calls does not depend on what
 * else runs. A ladder too long is climbed in strides; with RSM_EVERY_RUNG set, step by step.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "check.h"
#include "faults.h"
#include "os/linux/launch_hooks.h"
#include "os/private_dir.h"
#include "own_folders.h"
#include "rsm.h"

#ifdef RSM_TEST_HOOKS
#include "base/alloc.h"
#endif

enum { LIMIT_MS = 5000, GRACE_MS = 200, LAUNCH_LIMIT_MS = 300 };

#define FILE_HELD "/run/faults/held"
#define FILE_LOG "/run/faults/log"

static char holder[4096];
static rsm_error error;

static void sleep_us(long us) {
  nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- A rung ---- */

static struct {
  const char *ladder;
  fault fault;
  bool done; /* with everything: no more to tell */
} rung;

static void arm(void) {
  faults_arm(&rung.fault);
}

static void tell_rung(void) {
  if (rung.done || !rung.ladder) return;
  faults_disarm();
  fprintf(stderr, "on the ladder of %s; last error: %s\n", rung.ladder,
          rsm_error_format(&error, (char[1024]){0}, 1024));
  faults_tell();
}

static int count_entries(const char *path) {
  DIR *dir = opendir(path);
  int count = 0;
  CHECK(dir);
  while (readdir(dir)) count++;
  closedir(dir);
  return count;
}

typedef struct leavings {
  int descriptors;
  long blocks;
} leavings;

static leavings look_around(void) {
  leavings now = {.descriptors = count_entries("/proc/self/fd")};
#ifdef RSM_TEST_HOOKS
  now.blocks = rsm__alloc_live();
#endif
  return now;
}

/* A thread that was given up ends a moment later. */
static void check_nothing_left(const leavings *before) {
  for (long end = now_ms() + LIMIT_MS; count_entries("/proc/self/task") > 3 && now_ms() < end;) sleep_us(200);
  CHECK_INT(count_entries("/proc/self/task"), 3); /* with . and .. */
  leavings now = look_around();
  CHECK_INT(now.descriptors, before->descriptors);
  CHECK_INT(now.blocks, before->blocks);
  CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

/* most: rungs; 0: every one. turns: how often the ladder is climbed, each time with other errors. */
static void climb_once(void (*run)(void), unsigned long most, bool for_ever, unsigned turn) {
  leavings before = look_around();
  long began = now_ms();
  unsigned long rungs = 0;
  rung.fault = (fault){.for_ever = for_ever};
  run();
  unsigned long total = faults_disarm(), stride = most && total > most ? (total + most - 1) / most : 1;
  if (getenv("RSM_EVERY_RUNG")) stride = 1;
  do {
    rung.fault = (fault){.at = 1 + rungs * stride, .for_ever = for_ever, .turn = turn + (unsigned)(rungs * stride)};
    run();
    check_nothing_left(&before);
    rungs++;
  } while (faults_hit());
  printf("  %s, %s: %lu calls, %lu rungs, %ld ms\n", rung.ladder, for_ever ? "for ever" : "once", total, rungs,
         now_ms() - began);
}

static void climb(const char *name, void (*run)(void), unsigned long most, unsigned turns) {
  rung.ladder = name;
  run(); /* what is only done the first time (time zones, threads of a sanitizer) is no leak */
  for (unsigned turn = 0; turn < turns; turn++) {
    climb_once(run, most, false, turn);
    climb_once(run, most, true, turn);
  }
  rung.ladder = NULL;
}

/* ---- The store ---- */

/* Sessions, and what is left of some. remove: those go, and all registrations. */
static int count_stored(bool remove) {
  int count = 0;
  for (unsigned place = 0; place < 2; place++) {
    rsm__dir *dir = NULL;
    rsm__arena arena = {0};
    const char *const *names;
    size_t found = 0;
    if (rsm__private_place_open(0, place, false, &dir, NULL) != RSM_OK) continue;
    CHECK_INT(rsm__dir_names(dir, 1000, &arena, &names, &found, NULL), RSM_OK);
    for (size_t i = 0; i < found; i++) {
      if (strcmp(names[i], "registered") != 0) count++;
      if (remove) CHECK_INT(rsm__dir_remove(dir, names[i], NULL), RSM_OK);
    }
    rsm__arena_done(&arena);
    rsm__dir_close(dir);
  }
  return count;
}

static void must(int line, const char *what, rsm_status status) {
  char text[1024];
  if (status == RSM_OK) return;
  fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, line, what, rsm_status_code(status),
          rsm_error_format(&error, text, sizeof text));
  exit(1);
}

#define MUST(call) must(__LINE__, #call, (call))

static rsm_session *start(void) {
  rsm_session *session = NULL;
  MUST(rsm_session_start(&(rsm_start_options){.restart_unregistered = true}, &session, &error));
  return session;
}

static void finish(rsm_session *session) {
  MUST(rsm_session_end(session, RSM_END_LEAVE_STOPPED, &error));
  rsm_session_free(session);
}

static rsm_status add_file(rsm_session *session, const char *path) {
  return rsm_session_register(session, &(rsm_resources){.files = &path, .file_count = 1}, &error);
}

/* What a failed end or a crash leaves, the next start sweeps. Where nothing can be removed at all, only we can. */
static void check_store(void) {
  if (rung.fault.for_ever) {
    count_stored(true);
    return;
  }
  finish(start());
  CHECK_INT(count_stored(false), 0);
}

/* A failure is told, with its own status. */
static void check_told(rsm_status status) {
  if (status != RSM_OK) CHECK_INT(error.status, status);
}

/* ---- A program that uses the file ---- */

static bool is_holder(const char *pid) {
  char path[300], target[sizeof holder];
  if (pid[0] < '1' || pid[0] > '9') return false;
  snprintf(path, sizeof path, "/proc/%s/exe", pid);
  ssize_t length = readlink(path, target, sizeof target - 1); /* one that has ended has none */
  if (length <= 0) return false;
  target[length] = '\0';
  return strcmp(target, holder) == 0;
}

/* Who was killed last. One that ends closes its files a moment after its program's name is gone. */
static struct {
  pid_t pids[64];
  size_t count;
} killed;

/* How many run; with a signal they get it. */
static int count_running(int number) {
  DIR *proc = opendir("/proc");
  int count = 0;
  CHECK(proc);
  for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
    if (!is_holder(entry->d_name)) continue;
    count++;
    if (!number) continue;
    pid_t pid = (pid_t)atoi(entry->d_name);
    kill(pid, number);
    if (killed.count < sizeof killed.pids / sizeof *killed.pids) killed.pids[killed.count++] = pid;
  }
  closedir(proc);
  return count;
}

static int count_starts(void) {
  FILE *in = fopen(FILE_LOG, "re");
  char line[4096];
  int count = 0;
  CHECK(in);
  while (fgets(line, sizeof line, in)) count += strncmp(line, "start ", 6) == 0;
  fclose(in);
  return count;
}

static void wait_for_starts(int count) {
  for (long end = now_ms() + LIMIT_MS; count_starts() < count; sleep_us(200)) CHECK(now_ms() < end);
}

static pid_t hold(void) {
  int log = open(FILE_LOG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(log >= 0);
  close(log);
  /* Not fork: that copies the tables of a sanitizer's huge memory, once a rung. */
  static const char *const argv[] = {"holder", "open", FILE_HELD, "note", FILE_LOG, "until", FILE_HELD, NULL};
  posix_spawn_file_actions_t streams;
  pid_t pid;
  CHECK_INT(posix_spawn_file_actions_init(&streams), 0);
  for (int i = 0; i < 3; i++) CHECK_INT(posix_spawn_file_actions_addopen(&streams, i, "/dev/null", O_RDWR, 0), 0);
  CHECK_INT(posix_spawn(&pid, holder, &streams, NULL, (char *const *)argv, environ), 0);
  posix_spawn_file_actions_destroy(&streams);
  wait_for_starts(1);
  return pid;
}

static bool runs(pid_t child) {
  siginfo_t info = {0};
  CHECK_INT(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
  return info.si_pid == 0;
}

static void end_all(pid_t child) {
  while (count_running(SIGKILL)) sleep_us(200);
  CHECK_INT(waitpid(child, NULL, 0), child);
  for (; killed.count; killed.count--)
    while (kill(killed.pids[killed.count - 1], 0) == 0) sleep_us(200);
}

/* ---- Sessions alone ---- */

static void start_and_end(void) {
  rsm_session *session = NULL;
  arm();
  rsm_status status = rsm_session_start(NULL, &session, &error);
  check_told(status);
  CHECK((status == RSM_OK) == (session != NULL));
  if (status == RSM_OK) check_told(rsm_session_end(session, RSM_END_LEAVE_STOPPED, &error));
  rsm_session_free(session);
  faults_disarm();
  check_store();
}

static void test_start_and_end(void) {
  climb("start, end", start_and_end, 0, 3);
}

static void join_and_register(void) {
  static const char *const files[] = {FILE_HELD, "/run/faults/none/at/all", FILE_LOG};
  rsm_session *primary = start(), *secondary = NULL;
  rsm_resource_list *list = NULL;
  arm();
  rsm_status status = rsm_session_join(rsm_session_key(primary), &secondary, &error);
  check_told(status);
  if (status == RSM_OK) {
    status = rsm_session_register(secondary, &(rsm_resources){.files = files, .file_count = 3}, &error);
    check_told(status);
    check_told(rsm_session_end(secondary, RSM_END_LEAVE_ABANDONED, &error));
  }
  rsm_session_free(secondary);
  faults_disarm();
  MUST(rsm_session_resources(primary, &list, &error));
  CHECK_INT(rsm_resource_list_count(list), status == RSM_OK ? 3 : 0);
  rsm_resource_list_free(list);
  finish(primary);
  check_store();
}

static void test_join_and_register(void) {
  climb("join, register, end", join_and_register, 0, 3);
}

/* ---- Listing ---- */

static pid_t listed;

static bool has_app(const rsm_list *list, pid_t pid) {
  for (size_t i = 0; i < rsm_list_count(list); i++)
    if (rsm_list_at(list, i)->process.pid == (uint32_t)pid) return true;
  return false;
}

/* In a pid namespace of one's own every list has a gap, and says so. */
static void list_one(void) {
  static size_t usual_gaps;
  listed = hold();
  rsm_session *session = start();
  MUST(add_file(session, FILE_HELD));
  rsm_list *list = NULL;
  arm();
  rsm_status status = rsm_session_list(session, NULL, &list, &error);
  faults_disarm();
  check_told(status);
  CHECK((status == RSM_OK) == (list != NULL));
  if (status == RSM_OK) {
    size_t gaps = rsm_list_unreadable_count(list);
    CHECK_INT(rsm_list_complete(list), gaps == 0);
    if (!rung.fault.at) usual_gaps = gaps;
    CHECK(gaps >= usual_gaps);
    CHECK(has_app(list, listed) || gaps > usual_gaps);
  }
  rsm_list_free(list);
  finish(session);
  end_all(listed);
}

static void test_list(void) {
  climb("list", list_one, 0, 1);
}

/* ---- Stopping and starting ---- */

typedef enum armed_part { IN_SHUTDOWN, IN_RESTART, IN_BOTH } armed_part;

/* Left stopped for good only if the report says so, and not for want of what would have been there a moment later. */
static bool is_left_aloud(const rsm_report *report) {
  if (!report || rsm_report_count(report, RSM_OUTCOME_LEFT_STOPPED) != 1) return false;
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_LEFT_STOPPED, 0)->left_why, RSM_LEFT_NOT_RESTORABLE);
  CHECK(rsm_report_at(report, RSM_OUTCOME_LEFT_STOPPED, 0)->note);
  int code = faults_code();
  CHECK(code != EMFILE && code != ENOMEM && code != EINTR);
  return true;
}

/* undone: starts that failed, of programs that may have run for a moment before they were ended again. */
static void check_one_runs(pid_t child, const rsm_report *report, int undone) {
  bool untouched = runs(child);
  if (is_left_aloud(report)) {
    CHECK_INT(count_running(0), 0);
    return;
  }
  if (!untouched) wait_for_starts(2);
  CHECK_INT(count_running(0), 1);
  int more = count_starts() - (untouched ? 1 : 2);
  CHECK(more >= 0 && more <= undone);
}

static rsm_status shut_down(rsm_session *session) {
  rsm_report *report = NULL;
  rsm_status status = rsm_session_shutdown(session, &(rsm_shutdown_options){.timeout_ms = GRACE_MS}, &report, &error);
  check_told(status);
  rsm_report_free(report);
  return status;
}

/* How many could not be started. */
static int restart(rsm_session *session) {
  rsm_report *report = NULL;
  rsm_status status = rsm_session_restart(session, NULL, &report, &error);
  check_told(status);
  int failed = status == RSM_OK || status == RSM_OUT_OF_SEQUENCE ? 0 : 1;
  rsm_report_free(report);
  return failed;
}

/* Without faults everything comes back that is not there, to whoever has the session now. */
static void bring_back(rsm_session *session, pid_t child, int undone) {
  rsm_report *report = NULL;
  rsm__launch_limit_ms = RSM__LAUNCH_LIMIT_MS; /* nothing is made to fail here: a busy machine may take its time */
  rsm_status status = rsm_session_restart(session, NULL, &report, &error);
  rsm__launch_limit_ms = LAUNCH_LIMIT_MS;
  if (status == RSM_OUT_OF_SEQUENCE)
    CHECK(runs(child));
  else
    must(__LINE__, "restart", status);
  CHECK(!rsm_session_owes_restart(session));
  check_one_runs(child, report, undone);
  rsm_report_free(report);
  finish(session);
}

/* Ended as by a crash: all that is known is in the store. */
static rsm_session *adopt_own(rsm_session *session) {
  rsm_session *adopted = NULL;
  char key[RSM_KEY_LENGTH + 1];
  memcpy(key, rsm_session_key(session), sizeof key);
  MUST(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &error));
  MUST(rsm_session_adopt(key, &adopted, &error));
  rsm_session_free(session);
  return adopted;
}

static void update(armed_part part, bool by_adoption) {
  pid_t child = hold();
  rsm_session *session = start();
  MUST(add_file(session, FILE_HELD));
  if (part != IN_RESTART) arm();
  shut_down(session);
  if (part == IN_RESTART) arm();
  int undone = part != IN_SHUTDOWN ? restart(session) : 0;
  faults_disarm();
  if (by_adoption && rsm_session_owes_restart(session)) session = adopt_own(session);
  bring_back(session, child, undone);
  end_all(child);
  check_store();
}

static void update_in_shutdown(void) {
  update(IN_SHUTDOWN, false);
}

static void update_in_restart(void) {
  update(IN_RESTART, false);
}

static void update_and_adopt(void) {
  update(IN_BOTH, true);
}

static void test_shutdown(void) {
  climb("shutdown", update_in_shutdown, 100, 1);
}

static void test_restart(void) {
  climb("restart", update_in_restart, 100, 1);
}

static void test_shutdown_restart_adopt(void) {
  climb("shutdown, restart, adoption", update_and_adopt, 60, 1);
}

/* ---- Leaving and adopting with a debt ---- */

static void adopt(void) {
  pid_t child = hold();
  rsm_session *session = start(), *adopted = NULL;
  char key[RSM_KEY_LENGTH + 1];
  memcpy(key, rsm_session_key(session), sizeof key);
  MUST(add_file(session, FILE_HELD));
  MUST(shut_down(session));
  MUST(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &error));
  rsm_session_free(session);
  arm();
  rsm_status status = rsm_session_adopt(key, &adopted, &error);
  faults_disarm();
  check_told(status);
  if (status != RSM_OK) status = rsm_session_adopt(key, &adopted, &error);
  if (status == RSM_BUSY && rung.fault.for_ever) { /* ours, and it could not be given back: we would have to die */
    end_all(child);
    check_store();
    return;
  }
  must(__LINE__, "adopt", status);
  bring_back(adopted, child, 0);
  end_all(child);
  check_store();
}

static void test_adopt(void) {
  climb("adopt", adopt, 100, 1);
}

/* ---- Registering for restart ---- */

static bool has_args(const rsm_restart_settings *settings, const char *only) {
  return settings->arg_count == 1 && strcmp(settings->args[0], only) == 0;
}

static void register_and_unregister(void) {
  static const char *const first[] = {"first"}, *const second[] = {"second"};
  const rsm_process self = {.pid = (uint32_t)getpid()};
  rsm_restart_settings *settings = NULL;
  MUST(rsm_register_restart(first, 1, 0, &error));
  arm();
  rsm_status status = rsm_register_restart(second, 1, 0, &error);
  check_told(status);
  rsm_status got = rsm_restart_settings_get(&self, &settings, &error);
  check_told(got);
  if (got == RSM_OK) CHECK(has_args(settings, "second") || (status != RSM_OK && has_args(settings, "first")));
  if (got == RSM_NOT_FOUND) CHECK(faults_hit() && (rung.fault.for_ever || faults_code() == EACCES));
  settings = rsm_restart_settings_free(settings);
  rsm_status cleared = rsm_unregister_restart(&error);
  check_told(cleared);
  faults_disarm();
  if (cleared == RSM_OK) CHECK_INT(rsm_restart_settings_get(&self, &settings, &error), RSM_NOT_FOUND);
  if (cleared == RSM_NOT_FOUND) CHECK(faults_hit());
  cleared = rsm_unregister_restart(&error);
  if (cleared != RSM_NOT_FOUND) must(__LINE__, "unregister", cleared);
  CHECK_INT(rsm_restart_settings_get(&self, &settings, &error), RSM_NOT_FOUND);
  check_store(); /* a temporary file that cannot be removed goes by its age: too late for us */
}

static void test_register(void) {
  climb("register, settings, unregister", register_and_unregister, 0, 2);
}

/* ---- The test's own world ---- */

/* The first process of the namespace: reaps what is started again, which is not the test's child. */
static void be_init(pid_t test) {
  int status = 0;
  for (pid_t ended; (ended = waitpid(-1, &status, __WALL)) != test;)
    if (ended < 0 && errno != EINTR) _exit(1);
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* False: not possible here; the reason has been printed. Only the test itself comes back with true. */
static bool own_world(void) {
  if (!own_folders()) return false;
  fflush(stdout);
  if (unshare(CLONE_NEWPID) < 0) {
    perror("skipped: no pid namespace of its own");
    return false;
  }
  pid_t init = fork();
  if (init > 0) be_init(init);
  if (init < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || mount("proc", "/proc", "proc", 0, NULL) < 0) {
    perror("skipped: no /proc of its own");
    _exit(0);
  }
  pid_t test = fork();
  if (test > 0) be_init(test);
  return test == 0;
}

/* Its folder is a neighbour of the program's. */
static void find_holder(void) {
  char program[4000];
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  CHECK(length > 0);
  program[length] = '\0';
  for (int i = 0; i < 2; i++) *strrchr(program, '/') = '\0';
  snprintf(holder, sizeof holder, "%s/holder", program);
  CHECK_INT(access(holder, X_OK), 0);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_start_and_end), CHECK_TEST(test_join_and_register), CHECK_TEST(test_list),
      CHECK_TEST(test_shutdown),      CHECK_TEST(test_restart),           CHECK_TEST(test_shutdown_restart_adopt),
      CHECK_TEST(test_adopt),         CHECK_TEST(test_register),
  };
  if (!own_world()) return 0;
  find_holder();
  CHECK_INT(mkdir("/run/faults", 0755), 0);
  close(open(FILE_HELD, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  close(open(FILE_LOG, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  setvbuf(stdout, NULL, _IOLBF, 0);
  atexit(tell_rung);
#ifdef RSM_TEST_HOOKS
  rsm__launch_limit_ms = LAUNCH_LIMIT_MS;
#endif
  int status = check_run(tests, sizeof tests / sizeof *tests, argc, argv);
  rung.done = true;
  return status;
}
