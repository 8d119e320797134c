/* test_scope.c: what is started again lives in a unit of its own. The names, and whom to ask, everywhere; the rest
 * under a real systemd, in a machine of the test's own (IN_SYSTEMD=1).
 *
 * There the test program is an installer, too: as "--install RESULT UID HOW" it starts PROGRAM as UID, ends it,
 * starts it again through the library, tells in RESULT how that went and stays. HOW: "twice", "slice" (the program's
 * group is in its user's slice), "die" (the installer is killed between scope and record), or "-".
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "launch_fixture.h"

#include <grp.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "os/linux/launch_hooks.h"
#include "os/linux/scope.h"

#define FOLDER "/run/scopes"
#define PROGRAM FOLDER "/.my na-pp\xff\xc3\xa9r"
#define ESCAPED "\\x2emy\\x20na\\x2dpp\\xff\\xc3\\xa9r"

enum { ALICE = 4321, BOB = 4322, CAROL = 4323, LIMIT_MS = RSM__SCOPE_LIMIT_MS * 2 };

/* ---- Pure ---- */

static void check_name(const char *program, const char *wanted) {
  char name[RSM__SCOPE_NAME_SIZE];
  rsm__scope_name(program, 77, name);
  CHECK_TEXT(name, wanted);
}

static void names(void) {
  char name[RSM__SCOPE_NAME_SIZE], program[600] = "/bin/";
  check_name("/usr/bin/firefox", "app-restartmanager-firefox-77.scope");
  check_name("player", "app-restartmanager-player-77.scope");
  check_name("/a-b c/g++-12.1_x:y", "app-restartmanager-g\\x2b\\x2b\\x2d12.1_x:y-77.scope");
  check_name("/x/.hidden", "app-restartmanager-\\x2ehidden-77.scope");
  check_name("/x/\xff@%\\\n", "app-restartmanager-\\xff\\x40\\x25\\x5c\\x0a-77.scope");
  check_name("/", "app-restartmanager-program-77.scope");
  check_name("", "app-restartmanager-program-77.scope");
  for (int plain = 0; plain < 2; plain++) { /* long ones are cut, between two escapes */
    memset(program + 5, plain ? 'x' : '-', sizeof program - 6);
    rsm__scope_name(program, UINT32_MAX, name);
    CHECK(strlen(name) < RSM__SCOPE_NAME_SIZE - 1 && strlen(name) > 200);
    const char *end = strstr(name, plain ? "x-4294967295.scope" : "\\x2d-4294967295.scope");
    CHECK(end && strlen(end) == (plain ? 18 : 21));
  }
}

static void whom_to_ask(void) {
  CHECK(rsm__scope_choose(1000, NULL) == RSM__SCOPE_USERS_THEN_SYSTEMS);
  CHECK(rsm__scope_choose(1000, "/system.slice/a.service") == RSM__SCOPE_USERS_THEN_SYSTEMS);
  CHECK(rsm__scope_choose(0, "/user.slice/user-0.slice/session-1.scope") == RSM__SCOPE_USERS_THEN_SYSTEMS);
  CHECK(rsm__scope_choose(0, "/user.slice/user-1000.slice/session-1.scope") == RSM__SCOPE_SYSTEMS);
  CHECK(rsm__scope_choose(0, "/system.slice/cron.service") == RSM__SCOPE_SYSTEMS);
  CHECK(rsm__scope_choose(0, NULL) == RSM__SCOPE_SYSTEMS);
}

/* Here only: where systemd runs it would be asked. */
static void without_systemd_there_is_none(void) {
  rsm_error error;
  if (access("/run/systemd/system", F_OK) == 0) return;
  CHECK_INT(rsm__scope_start(&(rsm__scope_request){.pid = 1, .program = "/x"}, &error), RSM_NOT_SUPPORTED);
}

/* ---- The installer, in a unit ---- */

static void become(uint32_t uid) {
  if (uid == geteuid()) return;
  if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) _exit(97);
}

/* As a login without a manager of the user's own would be. */
static void enter_users_slice(uint32_t uid) {
  char command[256];
  snprintf(command, sizeof command,
           "systemd-run -q --scope --slice=user-%u.slice sleep 60 & for i in $(seq 100); do sleep 0.05; "
           "for d in /sys/fs/cgroup/user.slice/user-%u.slice/run-*.scope; do "
           "echo %d >$d/cgroup.procs && exit; done; done",
           (unsigned)uid, (unsigned)uid, (int)getpid());
  if (system(command) != 0) _exit(96);
}

static void run_program(fixture *f, uint32_t uid, const char *how) {
  pid_t pid = fork();
  if (pid == 0) {
    if (chdir("/") < 0) _exit(95);
    if (strcmp(how, "slice") == 0) enter_users_slice(uid);
    become(uid);
    execl(PROGRAM, "napper", "600", (char *)NULL);
    _exit(99);
  }
  wait_for_exe(pid, PROGRAM);
  capture_process(f, &(rsm_process){.pid = (uint32_t)pid}, false);
  CHECK_TEXT(f->obstacle, NULL);
  end_child(pid);
}

static void open_own_record(fixture *f) {
  if (f->dir) {
    f->record = rsm__file_close(f->record);
  } else {
    CHECK_INT(rsm__private_place_open(geteuid(), 1, true, &f->dir, &f->error), RSM_OK);
    CHECK_INT(rsm__lock_acquire(f->dir, "lock", 5000, &f->lock, NULL), RSM_OK);
  }
  CHECK_INT(rsm__dir_remove(f->dir, "record", NULL), RSM_OK);
  CHECK_INT(rsm__file_create(f->dir, "record", &f->record, NULL), RSM_OK);
}

#ifdef RSM_TEST_HOOKS
static void die_before_go(int hook) {
  if (hook == RSM__HOOK_BEFORE_GO) kill(getpid(), SIGKILL);
}
#endif

_Noreturn static void install(char **argv) {
  fixture f = {0};
  uint32_t uid = (uint32_t)atoi(argv[3]);
  open_own_record(&f);
  run_program(&f, uid, argv[4]);
#ifdef RSM_TEST_HOOKS
  if (strcmp(argv[4], "die") == 0) rsm__launch_hook_function = die_before_go;
#endif
  uint64_t before = rsm__clock_ms();
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  if (strcmp(argv[4], "twice") == 0) {
    rsm_process first = f.launched.process;
    rsm__buffer_done(&f.capture);
    wait_for_exe((pid_t)first.pid, PROGRAM);
    capture_process(&f, &first, false);
    kill_process(&first);
    open_own_record(&f);
    CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  }
  char part[300];
  snprintf(part, sizeof part, "%s.part", argv[2]);
  FILE *result = fopen(part, "we");
  CHECK(result);
  fprintf(result, "%u %u %s\n", (unsigned)f.launched.process.pid, (unsigned)(rsm__clock_ms() - before),
          f.launched.note ? f.launched.note : "-");
  CHECK(fclose(result) == 0 && rename(part, argv[2]) == 0);
  for (;;) pause();
}

/* ---- Under systemd ---- */

static void command(const char *line) {
  if (system(line) != 0) check_fail(__FILE__, __LINE__, line);
}

typedef struct outcome {
  unsigned pid, ms;
  char note[128];
  char group[512]; /* the program's cgroup */
  unsigned uid;
} outcome;

static void read_line_of(unsigned pid, const char *file, const char *key, char *to, size_t size) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%u/%s", pid, file);
  FILE *in = fopen(path, "re");
  to[0] = '\0';
  while (in && fgets(line, sizeof line, in)) {
    if (strncmp(line, key, strlen(key)) != 0) continue;
    line[strcspn(line, "\n")] = '\0';
    snprintf(to, size, "%s", line + strlen(key));
  }
  if (in) fclose(in);
}

/* Runs an installer as a unit and gives what it did; the unit is still there. */
static outcome run_installer(uint32_t installer, uint32_t user, const char *how) {
  char line[1024], text[64];
  outcome done = {0};
  unlink(FOLDER "/result");
  char self[256];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  CHECK(length > 0);
  self[length] = '\0';
  snprintf(line, sizeof line,
           "systemd-run -q --unit=installer --service-type=exec -p User=%u -p Group=%u "
           "-p StandardError=append:" FOLDER "/errors -- '%s' --install " FOLDER "/result %u %s",
           (unsigned)installer, (unsigned)installer, self, (unsigned)user, how);
  command(line);
  FILE *result = NULL;
  if (!UNTIL(20000, (result = fopen(FOLDER "/result", "re")) != NULL)) command("cat " FOLDER "/errors >&2; false");
  CHECK_INT(fscanf(result, "%u %u %127[^\n]", &done.pid, &done.ms, done.note), 3);
  fclose(result);
  wait_for_exe((pid_t)done.pid, PROGRAM);
  read_line_of(done.pid, "cgroup", "0::", done.group, sizeof done.group);
  read_line_of(done.pid, "status", "Uid:", text, sizeof text);
  done.uid = (unsigned)atoi(text);
  CHECK_INT(done.uid, user);
  printf("  %u ms, %s, note %s\n", done.ms, done.group, done.note);
  return done;
}

static void end_program(const outcome *done) {
  kill_process(&(rsm_process){.pid = done->pid});
}

/* It is in a scope of its own in that slice, outlives the installer's unit, and its scope goes with it. */
static void expect_scope(const outcome *done, const char *slice) {
  char wanted[512], line[700];
  snprintf(wanted, sizeof wanted, "%s/app-restartmanager-%s-%u.scope", slice, ESCAPED, done->pid);
  CHECK_TEXT(done->group, wanted);
  CHECK_TEXT(done->note, "-");
  command("systemctl stop installer");
  usleep(200000);
  wait_for_exe((pid_t)done->pid, PROGRAM);
  end_program(done);
  snprintf(line, sizeof line, "for i in $(seq 100); do test -d '/sys/fs/cgroup%s' || exit 0; sleep 0.05; done; exit 1",
           wanted);
  command(line);
}

static void expect_beside(const outcome *done) {
  CHECK_TEXT(done->note, "in the installer's group");
  CHECK_TEXT(done->group, "/system.slice/installer.service");
  CHECK(done->ms < LIMIT_MS + 1000);
  command("systemctl stop installer");
}

/* Asked of her manager: what is left of a group for a moment is no unit. */
static void expect_no_scope_of_alice(void) {
  command("for i in $(seq 50); do test -z \"$(su alice -s /bin/sh -c 'XDG_RUNTIME_DIR=/run/user/4321 "
          "systemctl --user list-units --all --no-legend app-restartmanager*')\" && exit 0; sleep 0.1; done; exit 1");
}

#define MANAGER_OF(uid) "/user.slice/user-" #uid ".slice/user@" #uid ".service/app.slice"

static void of_root(void) {
  outcome done = run_installer(0, 0, "-");
  expect_scope(&done, "/system.slice");
}

static void of_a_user_by_root(void) {
  outcome done = run_installer(0, ALICE, "-");
  expect_scope(&done, MANAGER_OF(4321));
}

static void of_a_user_alone(void) {
  outcome done = run_installer(ALICE, ALICE, "-");
  expect_scope(&done, MANAGER_OF(4321));
}

static void from_a_scope_into_a_new_one(void) {
  outcome done = run_installer(0, ALICE, "twice");
  expect_scope(&done, MANAGER_OF(4321));
}

/* What root runs as a part of the system does not go when root logs out. */
static void of_root_who_is_logged_in(void) {
  command("systemctl start user@0");
  outcome done = run_installer(0, 0, "-");
  expect_scope(&done, "/system.slice");
  done = run_installer(0, 0, "slice");
  expect_scope(&done, MANAGER_OF(0));
  command("systemctl stop user@0");
}

static void of_a_user_without_a_manager(void) {
  outcome done = run_installer(0, BOB, "-");
  expect_scope(&done, "/system.slice");
  done = run_installer(0, BOB, "slice");
  expect_scope(&done, "/user.slice/user-4322.slice");
  done = run_installer(BOB, BOB, "-");
  expect_beside(&done);
}

static void hanging_manager(void) {
  static const uint32_t installers[] = {0, CAROL};
  command("systemctl start user@4323 && systemctl kill --kill-whom=main -s STOP user@4323");
  for (size_t i = 0; i < RSM_COUNT(installers); i++) {
    outcome done = run_installer(installers[i], CAROL, "-");
    CHECK(done.ms >= RSM__SCOPE_LIMIT_MS - 500);
    expect_beside(&done);
  }
  command("systemctl kill --kill-whom=main -s CONT user@4323");
  outcome done = run_installer(0, CAROL, "-");
  expect_scope(&done, MANAGER_OF(4323));
}

static void refusing_manager(void) {
  rsm_error error;
  command("systemctl stop user@4323 && mkdir -p /etc/systemd/user && ln -sf /dev/null /etc/systemd/user/app.slice && "
          "systemctl start user@4323");
  outcome done = run_installer(0, CAROL, "-");
  expect_beside(&done);
  pid_t pid = fork();
  if (pid == 0) {
    become(CAROL);
    for (;;) pause();
  }
  usleep(100000);
  rsm__scope_request request = {.pid = (uint32_t)pid, .uid = CAROL, .program = PROGRAM};
  CHECK_INT(rsm__scope_start(&request, &error), RSM_GEN_FAILURE);
  end_child(pid);
  printf("  %s: %s\n", error.os_text, error.detail);
  CHECK(strstr(error.detail, "masked"));
  command("rm /etc/systemd/user/app.slice && systemctl stop user@4323");
}

/* Nothing was started, and the empty scope is gone soon. */
static void starter_that_dies_leaves_nothing(void) {
#ifdef RSM_TEST_HOOKS
  char line[700], self[256];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  self[length < 0 ? 0 : length] = '\0';
  snprintf(line, sizeof line, "! systemd-run -q --wait --unit=installer '%s' --install " FOLDER "/result %d die", self,
           ALICE);
  command(line);
  expect_no_scope_of_alice();
  CHECK_INT(count_running(PROGRAM, NULL), 0);
  command("test -f /var/tmp/restartmanager-0/record && ! test -s /var/tmp/restartmanager-0/record");
#endif
}

/* Either recorded and running, or neither; and no scope is left of those that never ran. */
static void starter_killed_at_any_moment(void) {
  enum { TIMES = 40, STEP_US = 2500 };
  int started = 0;
  for (int i = 0; i < TIMES; i++) {
    fixture f = {0};
    rsm_process id;
    open_own_record(&f);
    run_program(&f, ALICE, "-");
    f.lock = rsm__lock_release(f.lock);
    pid_t pid = fork();
    if (pid == 0) {
      if (rsm__lock_acquire(f.dir, "lock", 5000, &f.lock, NULL) == RSM_OK) fixture_start(&f, NULL, 0);
      _exit(0);
    }
    usleep((useconds_t)(i * STEP_US));
    end_child(pid);
    CHECK_INT(rsm__lock_acquire(f.dir, "lock", 15000, &f.lock, NULL), RSM_OK); /* nothing is under way any more */
    bool recorded = read_record(&f, &id);
    (void)UNTIL(1000, count_running(PROGRAM, NULL) == recorded);
    CHECK_INT(count_running(PROGRAM, NULL), recorded);
    if (recorded) kill_process(&id);
    started += recorded;
    fixture_close(&f);
  }
  printf("  started %d of %d\n", started, TIMES);
  expect_no_scope_of_alice();
}

/* ---- Want ---- */

/* What is wanting is said, and never taken for a machine without a manager. */
static rsm_status try_scope(uint32_t uid) {
  rsm_error error = {0};
  pid_t pid = fork();
  if (pid == 0) {
    become(uid);
    for (;;) pause();
  }
  rsm_status status = RSM_OK;
  rsm__scope_request request = {.pid = (uint32_t)pid, .uid = uid, .program = PROGRAM};
  usleep(20000);
  status = rsm__scope_start(&request, &error);
  end_child(pid);
  if (status != RSM_OK && status != RSM_OUT_OF_MEMORY && status != RSM_BUSY) {
    printf("  %d: %s\n", (int)status, error.detail);
    CHECK(false);
  }
  return status;
}

static void no_memory(void) {
#ifdef RSM_TEST_HOOKS
  rsm_status status = RSM_OUT_OF_MEMORY;
  unsigned long n = 0;
  while (status != RSM_OK) {
    long live = rsm__alloc_live();
    rsm__alloc_fail_at(++n, 0);
    status = try_scope(ALICE);
    rsm__alloc_fail_at(0, 0);
    CHECK_INT(rsm__alloc_live(), live);
  }
  printf("  %lu requests\n", n - 1);
  CHECK(n > 2 && n < 100);
#endif
}

static void no_descriptors(void) {
  pid_t pid = fork();
  if (pid == 0) {
    rsm_status status = RSM_BUSY;
    struct rlimit limit = {.rlim_cur = 0, .rlim_max = 1024};
    for (limit.rlim_cur = 3; status != RSM_OK; limit.rlim_cur++) {
      CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
      status = try_scope(ALICE);
    }
    printf("  %u descriptors\n", (unsigned)limit.rlim_cur - 1);
    fflush(stdout);
    _exit(0);
  }
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && how == 0);
}

int main(int argc, char **argv) {
  static const check_test pure[] = {
      CHECK_TEST(names),
      CHECK_TEST(whom_to_ask),
      CHECK_TEST(without_systemd_there_is_none),
  };
  static const check_test real[] = {
      CHECK_TEST(of_root),
      CHECK_TEST(of_a_user_by_root),
      CHECK_TEST(of_a_user_alone),
      CHECK_TEST(from_a_scope_into_a_new_one),
      CHECK_TEST(of_root_who_is_logged_in),
      CHECK_TEST(of_a_user_without_a_manager),
      CHECK_TEST(hanging_manager),
      CHECK_TEST(refusing_manager),
      CHECK_TEST(starter_that_dies_leaves_nothing),
      CHECK_TEST(starter_killed_at_any_moment),
      CHECK_TEST(no_memory),
      CHECK_TEST(no_descriptors),
  };
  if (argc == 5 && strcmp(argv[1], "--install") == 0) install(argv);
  if (check_run(pure, RSM_COUNT(pure), argc, argv) != 0) return 1;
  if (!getenv("IN_SYSTEMD") || geteuid() != 0) {
    printf("skipped: the rest needs root and a systemd of its own (IN_SYSTEMD=1)\n");
    return 0;
  }
  /* We may lie below a folder that is root's alone; here that can be changed: the layer is thrown away. */
  command("at=$(readlink /proc/$PPID/exe) && while at=${at%/*} && test -n \"$at\"; do chmod o+x \"$at\"; done");
  mkdir(FOLDER, 0755);
  CHECK_INT(chmod(FOLDER, 01777), 0);
  command("cp -fL /bin/sleep '" PROGRAM "' && useradd -m -u 4321 alice && useradd -m -u 4322 bob && "
          "useradd -m -u 4323 carol && systemctl start user@4321");
  return check_run(real, RSM_COUNT(real), argc, argv);
}
