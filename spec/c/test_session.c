/* test_session.c: sessions from end to end, through the public header, with real processes.
 *
 * Called as "test_session --hold FILE LOG HOW" it is a program that uses FILE: it adds "start PID" to LOG and waits for
 * its end; HOW may contain i (ignores TERM) and r (registers for restart). SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "rsm.h"

#ifdef RSM_TEST_HOOKS
#include "base/alloc.h"
#endif

enum { LIFE_S = 30, LIMIT_MS = 5000, GRACE_MS = 300 };

static char folder[64], file[80], log_file[80];

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As root in folders of our own, so that the machine's are not touched. */
static void hide_real_places(void) {
  if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) return;
  if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return;
  CHECK_INT(mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"), 0);
  CHECK_INT(mount("tmpfs", "/var/tmp", "tmpfs", 0, "mode=1777"), 0);
}

/* ---- Programs that use the file ---- */

static int run_hold(char **argv) {
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
static int count_starts(pid_t *ret_last) {
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

static void wait_for_starts(int count) {
  for (long end = now_ms() + LIMIT_MS; count_starts(NULL) < count;) {
    CHECK(now_ms() < end);
    sleep_ms(2);
  }
}

static void new_log(void) {
  int fd = open(log_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  CHECK(fd >= 0);
  close(fd);
}

static pid_t hold_another(const char *what, const char *how) {
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

static pid_t hold(const char *how) {
  new_log();
  return hold_another(file, how);
}

/* Does our child still run? */
static bool runs(pid_t child) {
  siginfo_t info = {0};
  CHECK_INT(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
  return info.si_pid == 0;
}

static void end_child(pid_t child) {
  kill(child, SIGKILL); /* not reaped yet: it is the same process, dead or alive */
  CHECK_INT(waitpid(child, NULL, 0), child);
}

/* Ends one that was started again: not our child, so only if it is still the same process. */
static void end_process(const rsm_process *process) {
  rsm_process found;
  CHECK(process->pid > 1 && process->pid != (uint32_t)getpid());
  if (rsm_process_find(process->pid, &found, NULL) == RSM_OK && rsm_process_equal(&found, process))
    kill((pid_t)process->pid, SIGKILL);
  for (long end = now_ms() + LIMIT_MS; kill((pid_t)process->pid, 0) == 0 && now_ms() < end;) {
    if (rsm_process_find(process->pid, &found, NULL) != RSM_OK || !rsm_process_equal(&found, process)) break;
    sleep_ms(2);
  }
}

/* Ends the last one that the log tells of, which runs no more than so many were started. */
static void end_last(int starts) {
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

static void must(int line, const char *what, rsm_status status, const rsm_error *why) {
  char text[1024];
  if (status == RSM_OK) return;
  fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, line, what, rsm_status_code(status),
          rsm_error_format(why, text, sizeof text));
  exit(1);
}

static rsm_session *start(void) {
  rsm_session *session = NULL;
  MUST(rsm_session_start(&(rsm_start_options){.name = "test", .restart_unregistered = true}, &session, &error));
  CHECK(session && rsm_session_is_open(session) && rsm_session_role(session) == RSM_PRIMARY);
  return session;
}

static rsm_status add_file(rsm_session *session, const char *path) {
  return rsm_session_register(session, &(rsm_resources){.files = &path, .file_count = 1}, &error);
}

static rsm_session *start_with_file(void) {
  rsm_session *session = start();
  MUST(add_file(session, file));
  return session;
}

static rsm_status shut_down(rsm_session *session, bool force, rsm_report **ret_report) {
  return rsm_session_shutdown(session, &(rsm_shutdown_options){.force = force, .timeout_ms = GRACE_MS}, ret_report,
                              &error);
}

static void finish(rsm_session *session) {
  MUST(rsm_session_end(session, RSM_END_LEAVE_STOPPED, &error));
  CHECK(!rsm_session_free(session));
}

/* Sessions in the store, whole, half made or half removed. */
static int count_stored(void) {
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

static void a_key_is_32_digits(void) {
  rsm_session *session = start(), *other = start();
  CHECK_INT(strlen(rsm_session_key(session)), RSM_KEY_LENGTH);
  CHECK_INT(strspn(rsm_session_key(session), "0123456789abcdef"), RSM_KEY_LENGTH);
  CHECK(strcmp(rsm_session_key(session), rsm_session_key(other)) != 0);
  finish(session);
  CHECK_INT(count_stored() > 0, 1); /* the other is not touched */
  finish(other);
}

static void options_are_checked(void) {
  rsm_session *session = NULL;
  char name[300];
  memset(name, 'n', sizeof name);
  name[256] = '\0';
  CHECK_INT(rsm_session_start(&(rsm_start_options){.name = name}, &session, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm_session_start(&(rsm_start_options){.manager = "nobody"}, &session, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm_session_start(&(rsm_start_options){.manager = "system"}, &session, &error), RSM_NOT_SUPPORTED);
  CHECK_INT(rsm_session_start(&(rsm_start_options){.stoppable = &(rsm_process){0}, .stoppable_count = 1}, &session,
                              &error),
            RSM_BAD_ARGUMENTS);
  CHECK(!session);
  CHECK(rsm_manager_known("builtin") && rsm_manager_known("fake") && !rsm_manager_known("nobody"));
  name[255] = '\0';
  MUST(rsm_session_start(&(rsm_start_options){.name = name, .manager = "builtin"}, &session, &error));
  rsm_sessions *sessions = NULL;
  MUST(rsm_sessions_list(&sessions, &error));
  bool found = false;
  for (size_t i = 0; i < rsm_sessions_count(sessions); i++) {
    const rsm_session_info *info = rsm_sessions_at(sessions, i);
    if (strcmp(info->key, rsm_session_key(session)) != 0) continue;
    found = true;
    CHECK_TEXT(info->name, name);
    CHECK(!info->abandoned && info->primary.pid == (uint32_t)getpid() && rsm_list_count(info->stopped) == 0);
    CHECK(info->started_at <= time(NULL) && info->started_at > time(NULL) - 60);
  }
  CHECK(found);
  rsm_sessions_free(sessions);
  finish(session);
}

static void only_a_running_session_can_be_joined(void) {
  static const char *const malformed[] = {"", "0", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
                                          "0123456789abcdef0123456789abcdeg", "../../../../../../../../../../../etc",
                                          "0123456789abcdef 123456789abcdef", "00000000000000000000000000000000"};
  rsm_session *session = NULL;
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    CHECK_INT(rsm_session_join(malformed[i], &session, &error), RSM_CREDENTIAL_CONFLICT);
    CHECK_INT(rsm_session_adopt(malformed[i], &session, &error), RSM_CREDENTIAL_CONFLICT);
    CHECK(!session && error.status == RSM_CREDENTIAL_CONFLICT);
  }
  unsetenv(RSM_KEY_VARIABLE);
  CHECK_INT(rsm_session_join(NULL, &session, &error), RSM_ENVVAR_NOT_FOUND);
  CHECK_INT(rsm_session_adopt(NULL, &session, &error), RSM_BAD_ARGUMENTS);
  rsm_session *primary = start();
  char key[RSM_KEY_LENGTH + 1];
  memcpy(key, rsm_session_key(primary), sizeof key);
  CHECK_INT(rsm_session_adopt(key, &session, &error), RSM_BUSY); /* its primary lives */
  for (char *c = key; *c; c++)
    if (*c >= 'a') *c = (char)(*c - 'a' + 'A');
  MUST(rsm_session_join(key, &session, &error)); /* either case, in the same process, too */
  CHECK(rsm_session_role(session) == RSM_SECONDARY);
  CHECK_TEXT(rsm_session_key(session), rsm_session_key(primary));
  rsm_session_free(session);
  session = NULL;
  setenv(RSM_KEY_VARIABLE, key, 1);
  MUST(rsm_session_join(NULL, &session, &error));
  unsetenv(RSM_KEY_VARIABLE);
  rsm_session_free(session);
  session = NULL;
  finish(primary);
  CHECK_INT(rsm_session_join(key, &session, &error), RSM_CREDENTIAL_CONFLICT); /* has ended */
  CHECK(!session);
}

static void a_secondary_only_registers(void) {
  rsm_session *primary = start(), *secondary = NULL;
  MUST(rsm_session_join(rsm_session_key(primary), &secondary, &error));
  const rsm_filter filter = {.exe = "/none", .action = RSM_NO_RESTART};
  rsm_list *list = NULL;
  rsm_report *report = NULL;
  rsm_filter_list *filters = NULL;
  rsm_resource_list *resources = NULL;
  CHECK_INT(rsm_session_list(secondary, NULL, &list, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_shutdown(secondary, NULL, &report, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_restart(secondary, NULL, &report, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_add_filter(secondary, &filter, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_remove_filter(secondary, &filter, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_filters(secondary, &filters, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_resources(secondary, &resources, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(rsm_session_cancel(secondary, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK(!list && !report && !filters && !resources && !rsm_session_owes_restart(secondary));
  MUST(add_file(secondary, file));
  finish(secondary); /* leaves; what it registered stays */
  MUST(rsm_session_resources(primary, &resources, &error));
  CHECK_INT(rsm_resource_list_count(resources), 1);
  CHECK_TEXT(rsm_resource_list_at(resources, 0)->name, file);
  CHECK_INT(rsm_resource_list_at(resources, 0)->by.pid, getpid());
  rsm_resource_list_free(resources);
  finish(primary);
}

static void a_session_ends_once(void) {
  rsm_session *primary = start(), *secondary = NULL;
  MUST(rsm_session_join(rsm_session_key(primary), &secondary, &error));
  MUST(rsm_session_end(primary, RSM_END_LEAVE_ABANDONED, &error)); /* owes nothing: is removed */
  CHECK_INT(rsm_session_end(primary, RSM_END_LEAVE_ABANDONED, &error), RSM_INVALID_HANDLE);
  CHECK(!rsm_session_is_open(primary) && !rsm_session_owes_restart(primary));
  CHECK_INT(strlen(rsm_session_key(primary)), RSM_KEY_LENGTH);
  CHECK_INT(add_file(primary, file), RSM_INVALID_HANDLE);
  CHECK_INT(rsm_session_list(primary, NULL, NULL, &error), RSM_INVALID_HANDLE);
  CHECK_INT(add_file(secondary, file), RSM_INVALID_HANDLE); /* the primary has gone */
  CHECK_INT(rsm_session_register(secondary, &(rsm_resources){0}, &error), RSM_INVALID_HANDLE);
  rsm_session_free(secondary);
  rsm_session_free(primary);
  CHECK(!rsm_session_free(NULL));
}

static void registering_is_all_or_nothing(void) {
  rsm_session *session = start();
  const char *files[] = {file, ""}, *services[] = {"none.service"};
  rsm_process nobody = {.pid = 4194304 + 77}, mine = {.pid = (uint32_t)getpid()};
  rsm_resource_list *list = NULL;
  CHECK_INT(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = 2}, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm_session_register(
                session, &(rsm_resources){.files = files, .file_count = 1, .processes = &nobody, .process_count = 1},
                &error),
            RSM_NOT_FOUND);
  CHECK(error.subject[0]);
  CHECK(rsm_session_register(
            session, &(rsm_resources){.files = files, .file_count = 1, .services = services, .service_count = 1},
            &error) != RSM_OK);
  MUST(rsm_session_resources(session, &list, &error));
  CHECK_INT(rsm_resource_list_count(list), 0);
  rsm_resource_list_free(list);
  MUST(rsm_session_register(session, &(rsm_resources){.processes = &mine, .process_count = 1}, &error));
  MUST(rsm_session_register(session, &(rsm_resources){.files = files, .file_count = 1}, &error));
  MUST(rsm_session_resources(session, &list, &error));
  CHECK_INT(rsm_resource_list_count(list), 2);
  CHECK(rsm_resource_list_at(list, 0)->kind == RSM_RESOURCE_PROCESS && rsm_resource_list_at(list, 0)->process.start_time);
  rsm_resource_list_free(list);
  finish(session);
}

/* ---- Listing, stopping, starting ---- */

static void the_list_has_exactly_the_users(void) {
  char other[96];
  snprintf(other, sizeof other, "%s.other", file);
  close(open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  pid_t child = hold("r"), second = hold_another(file, ""), stranger = hold_another(other, "");
  rsm_session *session = start_with_file();
  rsm_list *list = NULL;
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK_INT(rsm_list_count(list), 2);
  for (size_t i = 0; i < 2; i++) {
    const rsm_app *app = rsm_list_at(list, i);
    CHECK(app->process.pid == (uint32_t)child || app->process.pid == (uint32_t)second);
    CHECK(app->process.start_time && app->affected && app->status == RSM_APP_RUNNING && app->use_count == 1);
    CHECK_TEXT(app->uses[0].path, file);
    CHECK(app->uses[0].how == RSM_USE_OPEN && app->uses[0].access == RSM_ACCESS_READ && !app->uses[0].deleted);
    CHECK_INT(app->restartable, app->process.pid == (uint32_t)child);
    CHECK(app->command_count == 5 && strcmp(app->command[1], "--hold") == 0 && app->reboot_reasons == 0);
  }
  CHECK_INT(rsm_list_reboot_reasons(list), 0);
  rsm_list_free(list);
  CHECK_INT(rsm_session_restart(session, NULL, NULL, &error), RSM_OUT_OF_SEQUENCE);
  end_child(child);
  end_child(second);
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK_INT(rsm_list_count(list), 0);
  rsm_list_free(list);
  end_child(stranger);
  unlink(other);
  finish(session);
}

static void what_is_stopped_comes_back_once(void) {
  pid_t child = hold("r");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  rsm_list *list = NULL;
  MUST(shut_down(session, false, &report));
  CHECK(!runs(child) && rsm_session_owes_restart(session));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_STOPPED, 0)->process.pid, child);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE) + rsm_report_count(report, RSM_OUTCOME_NEW), 0);
  report = rsm_report_free(report);
  end_child(child);
  MUST(rsm_session_list(session, NULL, &list, &error)); /* is remembered */
  CHECK(rsm_list_count(list) == 1 && rsm_list_at(list, 0)->status == RSM_APP_STOPPED);
  list = rsm_list_free(list);
  MUST(shut_down(session, false, NULL)); /* nobody is left: nothing is done to it a second time */
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_process again = rsm_report_at(report, RSM_OUTCOME_RESTARTED, 0)->restarted_as;
  report = rsm_report_free(report);
  wait_for_starts(2);
  CHECK(!rsm_session_owes_restart(session));
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK(rsm_list_count(list) == 1 && rsm_process_equal(&rsm_list_at(list, 0)->process, &again));
  CHECK_INT(rsm_list_at(list, 0)->status, RSM_APP_RUNNING | RSM_APP_STOPPED | RSM_APP_RESTARTED);
  list = rsm_list_free(list);
  MUST(rsm_session_restart(session, NULL, &report, &error)); /* a second time there is nothing to do */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 0);
  rsm_report_free(report);
  finish(session);
  end_last(2);
}

static void one_that_did_not_register_is_left(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  MUST(shut_down(session, false, NULL));
  end_child(child);
  MUST(rsm_session_restart(session, &(rsm_restart_options){.has_unregistered = true}, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_LEFT_STOPPED), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_LEFT_STOPPED, 0)->left_why, RSM_LEFT_NOT_REGISTERED);
  report = rsm_report_free(report);
  CHECK_INT(count_starts(NULL), 1);
  MUST(rsm_session_restart(session, NULL, &report, &error)); /* as start said: those, too */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_report_free(report);
  finish(session);
  end_last(2);
}

static void nothing_is_touched_when_we_hold_the_file(void) {
  pid_t child = hold("r");
  rsm_session *session = start_with_file();
  rsm_list *list = NULL;
  rsm_report *report = NULL;
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  MUST(rsm_session_list(session, NULL, &list, &error));
  CHECK_INT(rsm_list_reboot_reasons(list), RSM_REBOOT_DETECTED_SELF);
  CHECK_INT(rsm_list_count(list), 2);
  for (size_t i = 0; i < 2; i++) {
    const rsm_app *app = rsm_list_at(list, i);
    bool self = app->process.pid == (uint32_t)getpid();
    CHECK_INT(app->reboot_reasons, self ? RSM_REBOOT_DETECTED_SELF : 0);
    CHECK_INT(app->type == RSM_APP_CRITICAL, self);
  }
  rsm_list_free(list);
  CHECK_INT(shut_down(session, true, &report), RSM_NOACTION_REBOOT);
  CHECK(error.subject[0] && error.detail[0]);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 0);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE), 2);
  report = rsm_report_free(report);
  sleep_ms(50);
  CHECK(runs(child) && !rsm_session_owes_restart(session));
  MUST(rsm_session_restart(session, NULL, &report, &error)); /* after 350: there is nothing to bring back */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 0);
  rsm_report_free(report);
  rsm_process mine;
  MUST(rsm_process_find((uint32_t)getpid(), &mine, &error));
  MUST(rsm_session_add_filter(session, &(rsm_filter){.process = mine, .action = RSM_NO_SHUTDOWN}, &error));
  MUST(shut_down(session, false, NULL)); /* a filter on ourselves removes the reason */
  CHECK(!runs(child));
  close(fd);
  end_child(child);
  finish(session);
}

static void conditions_are_looked_at_before_anybody_is_touched(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  rsm_process other = {.pid = (uint32_t)child, .start_time = 1};
  CHECK_INT(rsm_session_shutdown(session, &(rsm_shutdown_options){.only_restartable = true}, NULL, &error),
            RSM_FAIL_SHUTDOWN);
  CHECK_INT(rsm_session_shutdown(
                session,
                &(rsm_shutdown_options){.confirmed = &other, .confirmed_count = 1, .has_confirmed = true}, &report, &error),
            RSM_MORE_DATA);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_NEW), 1);
  rsm_report_free(report);
  sleep_ms(30);
  CHECK(runs(child));
  MUST(rsm_process_find((uint32_t)child, &other, &error));
  MUST(rsm_session_shutdown(
      session, &(rsm_shutdown_options){.confirmed = &other, .confirmed_count = 1, .has_confirmed = true}, NULL, &error));
  CHECK(!runs(child));
  end_child(child);
  finish(session);
}

static void filtered_ones_survive(void) {
  pid_t kept = hold("r"), masked = hold_another(file, "r");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  rsm_filter keep = {.process = {.pid = (uint32_t)kept}, .action = RSM_NO_SHUTDOWN}; /* bound to who has the pid now */
  rsm_filter leave = {.process = {.pid = (uint32_t)masked}, .action = RSM_NO_RESTART};
  MUST(rsm_session_add_filter(session, &keep, &error));
  MUST(rsm_session_add_filter(session, &leave, &error));
  rsm_filter_list *filters = NULL;
  MUST(rsm_session_filters(session, &filters, &error));
  CHECK(rsm_filter_list_count(filters) == 2 && rsm_filter_list_at(filters, 0)->process.start_time);
  rsm_filter_list_free(filters);
  MUST(shut_down(session, true, &report));
  CHECK(runs(kept) && !runs(masked));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_KEPT), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_KEPT, 0)->process.pid, kept);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  report = rsm_report_free(report);
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_LEFT_STOPPED), 1);
  CHECK_INT(rsm_report_at(report, RSM_OUTCOME_LEFT_STOPPED, 0)->left_why, RSM_LEFT_RESTART_MASKED);
  rsm_report_free(report);
  MUST(rsm_session_remove_filter(session, &keep, &error));
  CHECK_INT(rsm_session_remove_filter(session, &keep, &error), RSM_FILE_NOT_FOUND);
  CHECK_INT(rsm_session_add_filter(session, &(rsm_filter){.action = RSM_NO_RESTART}, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(count_starts(NULL), 2);
  end_child(kept);
  end_child(masked);
  finish(session);
}

/* First it is deaf, then it is killed: there are two plans for it in the journal, and one start. */
static void a_second_shutdown_does_not_start_twice(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  CHECK_INT(shut_down(session, false, &report), RSM_FAIL_SHUTDOWN);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE), 1);
  report = rsm_report_free(report);
  CHECK(runs(child) && !rsm_session_owes_restart(session));
  MUST(shut_down(session, true, &report));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  report = rsm_report_free(report);
  end_child(child);
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_report_free(report);
  CHECK(!rsm_session_owes_restart(session));
  finish(session);
  sleep_ms(50);
  end_last(2);
}

/* ---- Step by step ---- */

/* Steps to the end; the actions in order as letters. */
static rsm_status step_all(rsm_op *op, char *actions, size_t size) {
  static const char letters[] = "-awkSKFsR";
  rsm_event event;
  unsigned last = 0;
  size_t count = 0;
  long end = now_ms() + LIMIT_MS;
  CHECK_INT(rsm_op_status(op, NULL), RSM_PENDING);
  CHECK(!rsm_op_take_report(op));
  while (rsm_op_step(op, 1000, &event) == RSM_PENDING) {
    CHECK(rsm_op_percent(op) >= last && rsm_op_percent(op) < 100 && now_ms() < end);
    last = rsm_op_percent(op);
    if (event.action == RSM_ACTION_NONE) continue;
    CHECK(event.app && event.app->name && event.app->process.pid && count + 1 < size);
    actions[count++] = letters[event.action];
  }
  actions[count] = '\0';
  CHECK_INT(rsm_op_step(op, 0, &event), RSM_OK); /* for ever after */
  rsm_status status = rsm_op_status(op, &error);
  CHECK_INT(rsm_op_percent(op) == 100, status == RSM_OK);
  return status;
}

static void events_come_in_order(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  rsm_op *op = NULL, *other = NULL;
  char actions[64];
  MUST(rsm_session_begin_shutdown(session, NULL, &op, &error));
  CHECK_INT(rsm_session_begin_list(session, NULL, &other, &error), RSM_BUSY);
  CHECK_INT(add_file(session, file), RSM_BUSY);
  CHECK(runs(child)); /* it moves only when it is stepped */
  MUST(step_all(op, actions, sizeof actions));
  CHECK_TEXT(actions, "awS");
  rsm_report *report = rsm_op_take_report(op);
  CHECK(report && !rsm_op_take_report(op)); /* once */
  rsm_report_free(report);
  CHECK(!rsm_op_free(op));
  end_child(child);
  MUST(rsm_session_begin_restart(session, NULL, &op, &error));
  MUST(step_all(op, actions, sizeof actions));
  CHECK_TEXT(actions, "sR");
  rsm_op_free(op);
  finish(session);
  end_last(2);
}

static void the_deaf_are_killed_after_their_grace(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_op *op = NULL;
  char actions[64];
  long began = now_ms();
  MUST(rsm_session_begin_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 200}, &op, &error));
  CHECK_INT(step_all(op, actions, sizeof actions), RSM_FAIL_SHUTDOWN);
  CHECK_TEXT(actions, "awF");
  CHECK(now_ms() - began >= 200);
  rsm_op_free(op);
  MUST(rsm_session_begin_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 200, .force = true}, &op, &error));
  MUST(step_all(op, actions, sizeof actions));
  CHECK_TEXT(actions, "awkS");
  rsm_op_free(op);
  CHECK(!runs(child));
  end_child(child);
  finish(session);
}

static void an_operation_left_halfway_is_settled(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_op *op = NULL;
  rsm_event event;
  CHECK_INT(rsm_session_begin_shutdown(session, NULL, &op, &error), RSM_OK);
  do CHECK_INT(rsm_op_step(op, 1000, &event), RSM_PENDING);
  while (event.action != RSM_ACTION_ASK);
  long began = now_ms();
  rsm_op_free(op);
  CHECK(now_ms() - began < 3000);
  MUST(rsm_session_list(session, NULL, NULL, &error)); /* not busy any more */
  MUST(rsm_session_begin_shutdown(session, NULL, &op, &error));
  MUST(rsm_session_end(session, RSM_END_LEAVE_STOPPED, &error)); /* settles it */
  CHECK_INT(rsm_op_status(op, &error), RSM_CANCELLED);
  rsm_op_free(op);
  rsm_session_free(session);
  CHECK(runs(child));
  end_child(child);
}

static void *cancel_later(void *session) {
  sleep_ms(200);
  rsm_session_cancel(session, NULL);
  return NULL;
}

static void another_thread_cancels(void) {
  pid_t child = hold("i");
  rsm_session *session = start_with_file();
  rsm_report *report = NULL;
  pthread_t thread;
  MUST(rsm_session_cancel(session, &error)); /* nothing runs: success, and the next one is not affected */
  long began = now_ms();
  CHECK_INT(pthread_create(&thread, NULL, cancel_later, session), 0);
  rsm_status status = rsm_session_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 10000}, &report, &error);
  long took = now_ms() - began;
  pthread_join(thread, NULL);
  CHECK_INT(status, RSM_CANCELLED);
  CHECK(took >= 200 && took < 1200);
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_ALIVE), 1);
  report = rsm_report_free(report);
  CHECK(runs(child));
  MUST(shut_down(session, true, &report)); /* not affected by it, and not a second application */
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_STOPPED), 1);
  report = rsm_report_free(report);
  end_child(child);
  MUST(rsm_session_restart(session, NULL, &report, &error));
  CHECK_INT(rsm_report_count(report, RSM_OUTCOME_RESTARTED), 1);
  rsm_report_free(report);
  finish(session);
  sleep_ms(50);
  end_last(2);
}

/* ---- Forked children, crashes, the store ---- */

static void a_forked_child_has_no_session(void) {
  pid_t child = hold("");
  rsm_session *session = start_with_file();
  MUST(shut_down(session, false, NULL));
  end_child(child);
  pid_t pid = fork();
  if (pid == 0) {
    int wrong = 0;
    wrong |= add_file(session, file) != RSM_INVALID_HANDLE;
    wrong |= (rsm_session_list(session, NULL, NULL, &error) != RSM_INVALID_HANDLE) << 1;
    wrong |= (rsm_session_restart(session, NULL, NULL, &error) != RSM_INVALID_HANDLE) << 2;
    wrong |= rsm_session_is_open(session) << 3;
    wrong |= rsm_session_owes_restart(session) << 4;
    wrong |= (rsm_session_free(session) != NULL) << 5;
    _exit(wrong);
  }
  int status;
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK(WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
  CHECK(rsm_session_is_open(session) && rsm_session_owes_restart(session) && count_stored() > 0);
  MUST(rsm_session_restart(session, NULL, NULL, &error));
  finish(session);
  end_last(2);
}

static void nothing_stays_behind(void) {
  int before = count_stored();
  rsm_session *sessions[50];
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 50; i++) {
      sessions[i] = start_with_file();
      if (i % 3 == 0) {
        rsm_session *secondary = NULL;
        MUST(rsm_session_join(rsm_session_key(sessions[i]), &secondary, &error));
        MUST(add_file(secondary, "/none"));
        rsm_session_free(secondary);
      }
    }
    CHECK_INT(count_stored(), before + 50);
    for (int i = 0; i < 50; i++) {
      if (i % 2) MUST(rsm_session_end(sessions[i], RSM_END_LEAVE_STOPPED, &error));
      rsm_session_free(sessions[i]);
    }
    CHECK_INT(count_stored(), before);
  }
}

/* A session that owes a restart stays for others when it is closed, and goes when it is given up. */
static void a_debt_stays_in_the_store(void) {
  int before = count_stored();
  pid_t child = hold("");
  rsm_session *session = start_with_file(), *adopted = NULL, *other = NULL;
  char key[RSM_KEY_LENGTH + 1];
  memcpy(key, rsm_session_key(session), sizeof key);
  MUST(shut_down(session, false, NULL));
  end_child(child);
  rsm_session_free(session);
  CHECK_INT(count_stored(), before + 1);
  rsm_session_free(start()); /* sweeps what is dead: not this one */
  CHECK_INT(count_stored(), before + 1);
  CHECK_INT(rsm_session_join(key, &other, &error), RSM_CREDENTIAL_CONFLICT); /* has no primary */
  MUST(rsm_session_adopt(key, &adopted, &error));
  CHECK_INT(rsm_session_adopt(key, &other, &error), RSM_BUSY);
  CHECK(rsm_session_role(adopted) == RSM_PRIMARY && rsm_session_owes_restart(adopted));
  CHECK_INT(count_starts(NULL), 1);
  finish(adopted);
  CHECK_INT(count_stored(), before);
  CHECK_INT(rsm_session_adopt(key, &other, &error), RSM_CREDENTIAL_CONFLICT);
  CHECK_INT(count_starts(NULL), 1);
}

/* In a process of its own: goes as far as so many events, and dies. */
static void die_on_the_way(int key_pipe, int shutdown_events, int restart_events) {
  rsm_session *session = start_with_file();
  rsm_op *op = NULL;
  rsm_event event = {0};
  if (write(key_pipe, rsm_session_key(session), RSM_KEY_LENGTH) != RSM_KEY_LENGTH) _exit(1);
  MUST(rsm_session_begin_shutdown(session, &(rsm_shutdown_options){.timeout_ms = 1000}, &op, &error));
  while (shutdown_events > 0 && rsm_op_step(op, 1000, &event) == RSM_PENDING)
    if (event.action != RSM_ACTION_NONE) shutdown_events--;
  if (restart_events < 0) kill(getpid(), SIGKILL);
  rsm_op_free(op);
  MUST(rsm_session_begin_restart(session, NULL, &op, &error));
  while (restart_events > 0 && rsm_op_step(op, 1000, &event) == RSM_PENDING)
    if (event.action != RSM_ACTION_NONE) restart_events--;
  kill(getpid(), SIGKILL);
}

static void killed_primaries_leave_one_program(void) {
  static const struct {
    int shutdown_events, restart_events; /* -1: not begun */
  } deaths[] = {{0, -1}, {1, -1}, {2, -1}, {3, -1}, {9, -1}, {9, 0}, {9, 1}, {9, 2}, {9, 9}};
  int before = count_stored();
  for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
    int ends[2], status;
    char key[RSM_KEY_LENGTH + 1] = "";
    pid_t child = hold("r");
    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    pid_t primary = fork();
    if (primary == 0) {
      die_on_the_way(ends[1], deaths[i].shutdown_events, deaths[i].restart_events);
      _exit(1);
    }
    CHECK_INT(waitpid(primary, &status, 0), primary);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_INT(read(ends[0], key, RSM_KEY_LENGTH), RSM_KEY_LENGTH);
    close(ends[0]);
    close(ends[1]);
    int starts = count_starts(NULL);
    rsm_session *session = NULL;
    MUST(rsm_session_adopt(key, &session, &error));
    CHECK_INT(count_starts(NULL), starts); /* starts nothing by itself */
    MUST(rsm_session_restart(session, NULL, NULL, &error));
    CHECK(!rsm_session_owes_restart(session));
    bool untouched = runs(child);
    CHECK_INT(untouched, deaths[i].shutdown_events == 0);
    finish(session);
    if (!untouched) {
      sleep_ms(20); /* for one too many to show */
      end_last(2);
    }
    CHECK_INT(count_starts(NULL), untouched ? 1 : 2);
    end_child(child);
    CHECK_INT(count_stored(), before);
  }
}

static void a_dead_session_that_owes_nothing_is_swept(void) {
  int before = count_stored();
  pid_t primary = fork();
  if (primary == 0) {
    start_with_file();
    kill(getpid(), SIGKILL);
  }
  CHECK_INT(waitpid(primary, NULL, 0), primary);
  CHECK_INT(count_stored(), before + 1);
  rsm_session_free(start());
  CHECK_INT(count_stored(), before);
}

static void a_secondary_runs_with_the_key(void) {
  rsm_session *session = start();
  char script[128];
  rsm_exit result = {0};
  snprintf(script, sizeof script, "test \"$" RSM_KEY_VARIABLE "\" = %s", rsm_session_key(session));
  const char *good[] = {"sh", "-c", script}, *bad[] = {"sh", "-c", "exit 3"}, *none[] = {"/none/at/all"};
  MUST(rsm_session_run(session, good, 3, &result, &error));
  CHECK(!result.signaled && result.code == 0);
  CHECK_INT(rsm_session_run(session, bad, 3, &result, &error), RSM_INSTALL_FAILURE);
  CHECK(!result.signaled && result.code == 3);
  CHECK_INT(rsm_session_run(session, none, 1, NULL, &error), RSM_FILE_NOT_FOUND);
  CHECK_INT(rsm_session_run(session, good, 0, NULL, &error), RSM_BAD_ARGUMENTS);
  finish(session);
}

/* ---- When memory runs out ---- */

#ifdef RSM_TEST_HOOKS
enum { LADDER_MS = 1000, ENOUGH = 15 };

/* The next rung: each one, as long as the time lasts, then in larger and larger strides. */
static unsigned long next_rung(unsigned long at, long began) {
  return now_ms() - began < LADDER_MS ? at + 1 : at + at / 3 + 1;
}

/* Fails the requests of try one after the other until that changes nothing any more, ENOUGH times in a row. */
static void ladder(bool (*try)(unsigned long at)) {
  long began = now_ms();
  int whole = 0;
  for (unsigned long at = 1; whole < ENOUGH; at = next_rung(at, began)) {
    long before = rsm__alloc_live();
    whole = try(at) ? whole + 1 : 0;
    CHECK_INT(rsm__alloc_live(), before);
    CHECK(at < 200000);
  }
}

/* All of it, or a failure: never a part. */
static void same_lists(const rsm_list *some, const rsm_list *whole) {
  CHECK_INT(rsm_list_count(some), rsm_list_count(whole));
  CHECK_INT(rsm_list_complete(some), rsm_list_complete(whole));
  for (size_t i = 0; i < rsm_list_count(some); i++) {
    const rsm_app *a = rsm_list_at(some, i), *b = rsm_list_at(whole, i);
    CHECK(rsm_process_equal(&a->process, &b->process) && a->type == b->type && a->use_count == b->use_count);
    CHECK(a->restart_by == b->restart_by && a->restartable == b->restartable && a->command_count == b->command_count);
    CHECK(a->reboot_reasons == b->reboot_reasons && a->affected == b->affected);
    CHECK_TEXT(a->exe, b->exe);
    CHECK_TEXT(a->user, b->user);
    CHECK_TEXT(a->note, b->note);
  }
}

static bool try_listing(unsigned long at) {
  static int stored = -1;
  rsm_session *session = NULL, *secondary = NULL;
  rsm_list *list = NULL;
  rsm_sessions *sessions = NULL;
  const rsm_filter filter = {.exe = "/bin/sh", .action = RSM_NO_RESTART};
  if (stored < 0) stored = count_stored();
  rsm__alloc_fail_at(at, 0);
  rsm_status status = rsm_session_start(NULL, &session, &error);
  if (status == RSM_OK) status = add_file(session, file);
  if (status == RSM_OK) status = rsm_session_join(rsm_session_key(session), &secondary, &error);
  if (status == RSM_OK) status = add_file(secondary, log_file);
  if (status == RSM_OK) status = rsm_session_add_filter(session, &filter, &error);
  if (status == RSM_OK) status = rsm_session_list(session, NULL, &list, &error);
  if (status == RSM_OK) status = rsm_sessions_list(&sessions, &error);
  rsm__alloc_fail_at(0, 0);
  if (status != RSM_OK) CHECK_INT(status, RSM_OUT_OF_MEMORY);
  if (sessions) CHECK(rsm_sessions_count(sessions) > 0);
  if (session) {
    rsm_list *again = NULL;
    MUST(rsm_session_list(session, NULL, &again, &error));
    if (list) same_lists(list, again);
    rsm_list_free(again);
  }
  rsm_list_free(list);
  rsm_sessions_free(sessions);
  rsm_session_free(secondary);
  rsm_session_free(session);
  if (count_stored() != stored) fprintf(stderr, "request %lu: a session was left in the store\n", at);
  CHECK_INT(count_stored(), stored);
  return status == RSM_OK;
}

static void listing_survives_a_full_memory(void) {
  pid_t child = hold("");
  ladder(try_listing);
  CHECK(runs(child));
  end_child(child);
}

static struct {
  rsm_process running; /* the program that uses the file now */
  pid_t child;         /* the same, if it is our child */
  int starts;
} only;

static bool only_runs(void) {
  rsm_process found;
  if (only.child) return runs(only.child);
  return rsm_process_find(only.running.pid, &found, NULL) == RSM_OK && rsm_process_equal(&found, &only.running);
}

/* Whatever failed: with memory again, the program comes back, once, or was not touched. */
static void bring_back(rsm_session *session) {
  bool untouched = only_runs() && !rsm_session_owes_restart(session);
  rsm_report *report = NULL;
  pid_t last = 0;
  rsm_status status = rsm_session_restart(session, NULL, &report, &error);
  if (status != RSM_OUT_OF_SEQUENCE) must(__LINE__, "restart", status, &error);
  rsm_report_free(report);
  CHECK(!rsm_session_owes_restart(session));
  if (untouched) CHECK(only_runs());
  if (only_runs()) return;
  wait_for_starts(only.starts + 1);
  CHECK_INT(count_starts(&last), only.starts + 1);
  only.starts++;
  if (only.child) end_child(only.child);
  only.child = 0;
  MUST(rsm_process_find((uint32_t)last, &only.running, &error));
}

static bool try_update(unsigned long at, bool in_shutdown, bool in_restart) {
  rsm_session *session = start_with_file();
  rsm_report *stopped = NULL, *started = NULL;
  rsm__alloc_fail_at(in_shutdown ? at : 0, 0);
  rsm_status status = shut_down(session, false, &stopped);
  rsm__alloc_fail_at(in_restart ? at : 0, 0);
  if (status == RSM_OK) status = rsm_session_restart(session, NULL, &started, &error);
  rsm__alloc_fail_at(0, 0);
  if (status != RSM_OK) CHECK(error.status == status);
  rsm_report_free(stopped);
  rsm_report_free(started);
  bring_back(session);
  finish(session);
  return status == RSM_OK;
}

static bool try_shutdown(unsigned long at) {
  return try_update(at, true, false);
}

static bool try_restart(unsigned long at) {
  return try_update(at, false, true);
}

static void stopping_and_starting_survive_a_full_memory(void) {
  only.child = hold("r");
  only.starts = 1;
  ladder(try_shutdown);
  ladder(try_restart);
  if (only.child)
    end_child(only.child);
  else
    end_process(&only.running);
}
#endif

static const check_test tests[] = {
    CHECK_TEST(a_key_is_32_digits),
    CHECK_TEST(options_are_checked),
    CHECK_TEST(only_a_running_session_can_be_joined),
    CHECK_TEST(a_secondary_only_registers),
    CHECK_TEST(a_session_ends_once),
    CHECK_TEST(registering_is_all_or_nothing),
    CHECK_TEST(the_list_has_exactly_the_users),
    CHECK_TEST(what_is_stopped_comes_back_once),
    CHECK_TEST(one_that_did_not_register_is_left),
    CHECK_TEST(nothing_is_touched_when_we_hold_the_file),
    CHECK_TEST(conditions_are_looked_at_before_anybody_is_touched),
    CHECK_TEST(filtered_ones_survive),
    CHECK_TEST(a_second_shutdown_does_not_start_twice),
    CHECK_TEST(events_come_in_order),
    CHECK_TEST(the_deaf_are_killed_after_their_grace),
    CHECK_TEST(an_operation_left_halfway_is_settled),
    CHECK_TEST(another_thread_cancels),
    CHECK_TEST(a_forked_child_has_no_session),
    CHECK_TEST(nothing_stays_behind),
    CHECK_TEST(a_debt_stays_in_the_store),
    CHECK_TEST(killed_primaries_leave_one_program),
    CHECK_TEST(a_dead_session_that_owes_nothing_is_swept),
    CHECK_TEST(a_secondary_runs_with_the_key),
#ifdef RSM_TEST_HOOKS
    CHECK_TEST(listing_survives_a_full_memory),
    CHECK_TEST(stopping_and_starting_survive_a_full_memory),
#endif
};

static pid_t main_pid;

static void remove_folder(void) {
  if (getpid() != main_pid) return;
  unlink(file);
  unlink(log_file);
  rmdir(folder);
}

int main(int argc, char **argv) {
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
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
