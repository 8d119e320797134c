/* test_launch.c: what is started again is what was captured, in every respect. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "launch_fixture.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "os/linux/capture.h"
#include "os/linux/private_file.h"

enum { USER = 4321, GROUP = 4322, NET_BIND = 10, NET_RAW = 13 };

static char *const ENVIRONMENT[] = {(char *)"A=1", (char *)"EMPTY=", (char *)"B=\xff\n2", NULL};
static char *const NO_ENVIRONMENT[] = {NULL};

static void same_texts(const char *const *a, size_t a_count, const char *const *b, size_t b_count) {
  CHECK_INT(a_count, b_count);
  for (size_t i = 0; i < a_count; i++) CHECK_TEXT(a[i], b[i]);
}

/* Field by field: what must agree after a restart. */
static void same_captures(const rsm__capture *a, const rsm__capture *b) {
  CHECK_TEXT(a->exe, b->exe);
  CHECK_TEXT(a->directory, b->directory);
  same_texts(a->argv, a->argc, b->argv, b->argc);
  same_texts(a->environment, a->environment_count, b->environment, b->environment_count);
  CHECK(memcmp(a->uid, b->uid, sizeof a->uid) == 0 && memcmp(a->gid, b->gid, sizeof a->gid) == 0);
  CHECK_INT(a->group_count, b->group_count);
  for (size_t i = 0; i < a->group_count; i++) CHECK_INT(a->groups[i], b->groups[i]);
  CHECK_INT(a->cap_inheritable, b->cap_inheritable);
  CHECK_INT(a->cap_permitted, b->cap_permitted);
  CHECK_INT(a->cap_effective, b->cap_effective);
  CHECK_INT(a->cap_bounding, b->cap_bounding);
  CHECK_INT(a->cap_ambient, b->cap_ambient);
  CHECK_INT(a->no_new_privs, b->no_new_privs);
  CHECK(a->has_limits && b->has_limits && memcmp(a->limits, b->limits, sizeof a->limits) == 0);
  CHECK_INT(a->umask, b->umask);
  CHECK_INT(a->nice, b->nice);
  CHECK_TEXT(a->cgroup, b->cgroup);
}

static rsm__capture decoded(fixture *f) {
  rsm__capture capture;
  CHECK(rsm__capture_decode(f->capture.data, f->capture.length, &f->arena, &capture));
  return capture;
}

static unsigned long long status_number(const rsm_process *id, const char *key, int base) {
  char path[64], line[4096];
  unsigned long long number = ~0ULL;
  snprintf(path, sizeof path, "/proc/%u/status", (unsigned)id->pid);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, key, strlen(key)) == 0) number = strtoull(line + strlen(key), NULL, base);
  if (file) fclose(file);
  return number;
}

static void expect_descriptor(const rsm_process *id, int fd, const char *wanted) {
  char path[64], target[256];
  snprintf(path, sizeof path, "/proc/%u/fd/%d", (unsigned)id->pid, fd);
  ssize_t length = readlink(path, target, sizeof target - 1);
  target[length < 0 ? 0 : length] = 0;
  CHECK_TEXT(target, wanted);
}

static int count_descriptors(const rsm_process *id) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%u/fd", (unsigned)id->pid);
  DIR *dir = opendir(path);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(dir)) != NULL;) count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

static void expect_clean_process(const rsm_process *id) {
  (void)UNTIL(1000, count_descriptors(id) == 3); /* until then it may still be loading its libraries */
  CHECK_INT(count_descriptors(id), 3);
  CHECK_INT(status_number(id, "SigBlk:", 16), 0);
  CHECK_INT(status_number(id, "SigIgn:", 16), 0);
  CHECK_INT(getsid((pid_t)id->pid), id->pid);
  CHECK(status_number(id, "PPid:", 10) != (unsigned long long)getpid());
}

/* ---- A process with everything unusual ---- */

static void set_capabilities(uint64_t set) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {
      {.effective = (uint32_t)set, .permitted = (uint32_t)set, .inheritable = (uint32_t)set}, {0}};
  if (syscall(SYS_capset, &head, data) < 0) _exit(98);
}

static void be_unusual(void) {
  const gid_t groups[] = {5000, 5001, 70000};
  struct rlimit files = {.rlim_cur = 77, .rlim_max = 99}, size = {.rlim_cur = 16, .rlim_max = 1 << 20};
  sigset_t some;
  sigfillset(&some);
  sigprocmask(SIG_BLOCK, &some, NULL);
  signal(SIGHUP, SIG_IGN);
  umask(0137);
  if (chdir("/run/fixture/home") < 0 || setpriority(PRIO_PROCESS, 0, 7) < 0 || setrlimit(RLIMIT_NOFILE, &files) < 0 ||
      setrlimit(RLIMIT_FSIZE, &size) < 0 || prctl(PR_CAPBSET_DROP, NET_RAW, 0, 0, 0) < 0 ||
      setgroups(RSM_COUNT(groups), groups) < 0 || setresgid(GROUP, GROUP, GROUP) < 0 ||
      prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresuid(USER, USER, USER) < 0)
    _exit(97);
  set_capabilities(1u << NET_BIND);
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, NET_BIND, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    _exit(96);
}

static void unusual_process_comes_back(void) {
  fixture f, again;
  mkdir("/run/fixture/home", 0755);
  fixture_open(&f);
  int leaking = fcntl(open("/etc/passwd", O_RDONLY | O_CLOEXEC), F_DUPFD, 200); /* not close-on-exec, on purpose */
  run_and_capture(&f, be_unusual, ENVIRONMENT, true);
  CHECK_TEXT(f.obstacle, NULL);
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  CHECK_TEXT(f.launched.note, NULL);
  rsm_process id;
  CHECK(read_record(&f, &id));
  CHECK(id.pid == f.launched.process.pid && id.start_time == f.launched.process.start_time &&
        id.instance == f.launched.process.instance && id.start_time != 0);
  expect_clean_process(&id);
  for (int fd = 0; fd < 3; fd++) expect_descriptor(&id, fd, "/dev/null");
  again = (fixture){0};
  capture_process(&again, &id, true);
  rsm__capture a = decoded(&f), b = decoded(&again);
  same_captures(&a, &b);
  CHECK_INT(a.uid[1], USER);
  CHECK_INT(a.cap_ambient, 1 << NET_BIND);
  CHECK_INT(a.environment_count, 3);
  kill_process(&id);
  rsm__buffer_done(&again.capture);
  rsm__arena_done(&again.arena);
  fixture_close(&f);
  close(leaking);
}

/* ---- Arguments and environment ---- */

static void be_user(void) {
  if (chdir("/") < 0) _exit(96); /* where we are may not be for him to enter */
  if (setgroups(0, NULL) < 0 || setresgid(GROUP, GROUP, GROUP) < 0 || setresuid(USER, USER, USER) < 0) _exit(97);
}

static void given_arguments_and_least_environment(void) {
  fixture f, again = {0};
  fixture_open(&f);
  run_and_capture(&f, be_user, ENVIRONMENT, false);
  static const char *const args[] = {"59", "0.5"};
  CHECK_INT(fixture_start(&f, args, 2), RSM_OK);
  wait_for_exe((pid_t)f.launched.process.pid, FIXTURE_PROGRAM);
  capture_process(&again, &f.launched.process, true);
  rsm__capture capture = decoded(&again);
  static const char *const argv[] = {"a nap", "59", "0.5"};
  static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/"};
  same_texts(capture.argv, capture.argc, argv, 3);
  same_texts(capture.environment, capture.environment_count, environment, 2);
  CHECK_INT(capture.cap_permitted, 0);
  CHECK_INT(capture.group_count, 0);
  kill_process(&f.launched.process);
  rsm__buffer_done(&again.capture);
  rsm__arena_done(&again.arena);
  fixture_close(&f);
}

static void replaced_program_runs_the_new_version(void) {
  fixture f;
  fixture_open(&f);
  pid_t pid = fork();
  if (pid == 0) {
    execl(FIXTURE_PROGRAM, "nap", "60", (char *)NULL);
    _exit(99);
  }
  wait_for_exe(pid, FIXTURE_PROGRAM);
  CHECK(unlink(FIXTURE_PROGRAM) == 0);
  rsm_process id = {.pid = (uint32_t)pid};
  capture_process(&f, &id, false);
  end_child(pid);
  CHECK_TEXT(decoded(&f).exe, FIXTURE_PROGRAM);
  copy_program(FIXTURE_PROGRAM);
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  wait_for_exe((pid_t)f.launched.process.pid, FIXTURE_PROGRAM);
  kill_process(&f.launched.process);
  fixture_close(&f);
}

/* ---- Terminal, cgroup, descriptors of the host ---- */

static int slave_fd;

static void sit_at_terminal(void) {
  if (setsid() < 0 || dup2(slave_fd, 0) < 0 || dup2(slave_fd, 1) < 0 || dup2(slave_fd, 2) < 0) _exit(97);
}

static void terminal_only_while_it_is_the_same(void) {
  fixture f;
  char name[64];
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) {
    perror("skipped: no pseudo-terminal");
    return;
  }
  CHECK(grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0);
  slave_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  CHECK(slave_fd >= 0);
  for (int round = 0; round < 2; round++) {
    fixture_open(&f);
    run_and_capture(&f, sit_at_terminal, ENVIRONMENT, false);
    if (round == 1) CHECK(fchown(slave_fd, USER, GROUP) == 0); /* given to somebody else meanwhile */
    CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
    expect_descriptor(&f.launched.process, 0, "/dev/null");
    expect_descriptor(&f.launched.process, 1, round == 0 ? name : "/dev/null");
    expect_descriptor(&f.launched.process, 2, round == 0 ? name : "/dev/null");
    expect_clean_process(&f.launched.process);
    kill_process(&f.launched.process);
    fixture_close(&f);
  }
  close(master);
  close(slave_fd);
}

static char cgroup_path[256];

static bool make_cgroup(void) {
  static const char *const points[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
  for (size_t i = 0; i < RSM_COUNT(points); i++) {
    snprintf(cgroup_path, sizeof cgroup_path, "%s/cgroup.procs", points[i]);
    if (access(cgroup_path, W_OK) < 0) continue;
    snprintf(cgroup_path, sizeof cgroup_path, "%s/rsm-test-%d", points[i], (int)getpid());
    if (mkdir(cgroup_path, 0755) == 0) return true;
  }
  return false;
}

static void enter_test_cgroup(void) {
  char path[300];
  snprintf(path, sizeof path, "%s/cgroup.procs", cgroup_path);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "0", 1) != 1) _exit(97);
}

static void cgroup_if_it_still_exists(void) {
  fixture f;
  if (!make_cgroup()) {
    printf("skipped: no cgroup can be made here\n");
    return;
  }
  for (int round = 0; round < 2; round++) {
    fixture_open(&f);
    run_and_capture(&f, enter_test_cgroup, ENVIRONMENT, false);
    if (round == 1) CHECK_INT(rmdir(cgroup_path), 0);
    CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
    CHECK_TEXT(f.launched.note, round == 0 ? NULL : "in the installer's group");
    fixture again = {0};
    capture_process(&again, &f.launched.process, false);
    bool in_it = decoded(&again).cgroup && strstr(decoded(&again).cgroup, "rsm-test-");
    CHECK(in_it == (round == 0));
    kill_process(&f.launched.process);
    rsm__buffer_done(&again.capture);
    rsm__arena_done(&again.arena);
    fixture_close(&f);
    usleep(50000); /* the kernel empties the cgroup a moment after the end of its last process */
  }
}

static void host_without_streams(void) {
  fixture f;
  fixture_open(&f);
  run_and_capture(&f, NULL, ENVIRONMENT, false);
  fixture_close(&f);
  pid_t pid = fork();
  if (pid == 0) {
    close(0);
    close(1);
    close(2);
    fixture_open(&f);
    run_and_capture(&f, NULL, ENVIRONMENT, false);
    bool good = rsm__file_descriptor(f.record) < 3 && fixture_start(&f, NULL, 0) == RSM_OK;
    if (good) expect_clean_process(&f.launched.process);
    kill_process(&f.launched.process);
    _exit(good ? 0 : 1);
  }
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && how == 0);
}

/* ---- Obstacles ---- */

static void unshare_net(void) {
  if (unshare(CLONE_NEWNET) < 0) _exit(97);
}
static void unshare_mounts(void) {
  if (unshare(CLONE_NEWNS) < 0) _exit(97);
}
static void filter_calls(void) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {.len = 1, .filter = allow};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) _exit(97);
}
static void two_users(void) {
  if (setresuid(USER, 0, 0) < 0) _exit(97);
}
static void drop_user_keep_rights(void) {
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresuid(USER, USER, USER) < 0) _exit(97);
}

static void obstacles(void) {
  static const struct {
    void (*prepare)(void);
    const char *words;
  } cases[] = {
      {unshare_net, "runs in another network namespace"},
      {unshare_mounts, "runs in another mount namespace"},
      {filter_calls, "runs under another system call filter"},
      {two_users, "runs with the rights of two users"},
      {drop_user_keep_rights, NULL}, /* exec takes these rights away: nothing is left to miss */
      {NULL, NULL},
  };
  for (size_t i = 0; i < RSM_COUNT(cases); i++) {
    fixture f;
    fixture_open(&f);
    run_and_capture(&f, cases[i].prepare, NO_ENVIRONMENT, true);
    CHECK_TEXT(f.obstacle, cases[i].words);
    if (f.obstacle) { /* and it is not started by mistake */
      CHECK_INT(fixture_start(&f, NULL, 0), RSM_NOT_SUPPORTED);
      CHECK_TEXT(f.error.detail, cases[i].words);
      CHECK_INT(count_running(FIXTURE_PROGRAM, NULL), 0);
    }
    fixture_close(&f);
  }
}

/* Not root: nobody else's process can be made again; nothing is started. */
static void other_user_needs_root(void) {
  fixture f, g;
  fixture_open(&f);
  run_and_capture(&f, NULL, NO_ENVIRONMENT, true);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    for (;;) pause();
  }
  pid_t pid = fork();
  if (pid == 0) {
    be_user();
    g = (fixture){0};
    rsm_process id = {.pid = (uint32_t)child};
    capture_process(&g, &id, true);
    CHECK_TEXT(g.obstacle, "runs as another user");
    CHECK_INT(fixture_start(&f, NULL, 0), RSM_ACCESS_DENIED);
    CHECK_TEXT(f.error.subject, FIXTURE_PROGRAM);
    _exit(0);
  }
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && how == 0);
  end_child(child);
  rsm_process id;
  CHECK(!read_record(&f, &id));
  CHECK_INT(count_running(FIXTURE_PROGRAM, NULL), 0);
  fixture_close(&f);
}

/* A user restarts its own: no rights are needed, and none are gained. */
static void own_process_without_root(void) {
  fixture f;
  fixture_open(&f);
  pid_t pid = fork();
  if (pid == 0) {
    be_user();
    if (chdir("/") < 0) _exit(1);
    run_and_capture(&f, NULL, ENVIRONMENT, true);
    CHECK_TEXT(f.obstacle, NULL);
    CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
    CHECK_TEXT(f.launched.note, NULL);
    fixture again = {0};
    capture_process(&again, &f.launched.process, true);
    rsm__capture a = decoded(&f), b = decoded(&again);
    same_captures(&a, &b);
    CHECK_INT(b.cap_permitted, 0);
    kill_process(&f.launched.process);
    _exit(0);
  }
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && how == 0);
  fixture_close(&f);
}

/* As an older kernel, or a container's filter, would answer. */
static void forbid_new_calls(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
  };
  struct sock_fprog program = {.len = RSM_COUNT(filter), .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) _exit(97);
}

static void without_new_calls(void) {
  fixture f;
  pid_t pid = fork();
  if (pid == 0) {
    forbid_new_calls();
    CHECK(syscall(SYS_close_range, 1000, 1001, 0) < 0);
    fixture_open(&f);
    for (int fd = 100; fd < 400; fd++) dup2(2, fd);
    run_and_capture(&f, NULL, ENVIRONMENT, true);
    CHECK_TEXT(f.obstacle, NULL);
    CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
    expect_clean_process(&f.launched.process);
    kill_process(&f.launched.process);
    CHECK_INT(rsm__dir_write(f.dir, "from", "", 0, NULL), RSM_OK);
    CHECK_INT(rsm__dir_rename(f.dir, "from", "record", NULL), RSM_ACCESS_DENIED);
    CHECK_INT(rsm__dir_rename(f.dir, "from", "to", NULL), RSM_OK);
    CHECK_INT(rsm__dir_remove(f.dir, "to", NULL), RSM_OK);
    _exit(0);
  }
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && how == 0);
}

/* More than a megabyte each of arguments and environment. */
static void large_command(void) {
  enum { ARGUMENTS = 9, SIZE = 100000 };
  static char text[SIZE + 1], variable[SIZE + 1];
  char *argv[ARGUMENTS + 1] = {NULL}, *environment[ARGUMENTS + 1] = {NULL};
  memset(text, '0', SIZE); /* sleep adds up its arguments */
  memset(variable, 'v', SIZE);
  variable[3] = '=';
  for (int i = 0; i < ARGUMENTS; i++) {
    argv[i] = i == 0 ? (char *)"nap" : i == 1 ? (char *)"60" : text;
    environment[i] = variable;
  }
  fixture f, again = {0};
  fixture_open(&f);
  pid_t pid = fork();
  if (pid == 0) {
    execve(FIXTURE_PROGRAM, argv, environment);
    _exit(99);
  }
  wait_for_exe(pid, FIXTURE_PROGRAM);
  rsm_process id = {.pid = (uint32_t)pid};
  capture_process(&f, &id, true);
  end_child(pid);
  CHECK(f.capture.length > 1500000);
  CHECK_INT(fixture_start(&f, NULL, 0), RSM_OK);
  capture_process(&again, &f.launched.process, true);
  rsm__capture a = decoded(&f), b = decoded(&again);
  same_captures(&a, &b);
  kill_process(&f.launched.process);
  rsm__buffer_done(&again.capture);
  rsm__arena_done(&again.arena);
  fixture_close(&f);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(unusual_process_comes_back),
      CHECK_TEST(given_arguments_and_least_environment),
      CHECK_TEST(replaced_program_runs_the_new_version),
      CHECK_TEST(terminal_only_while_it_is_the_same),
      CHECK_TEST(cgroup_if_it_still_exists),
      CHECK_TEST(host_without_streams),
      CHECK_TEST(obstacles),
      CHECK_TEST(other_user_needs_root),
      CHECK_TEST(own_process_without_root),
      CHECK_TEST(without_new_calls),
      CHECK_TEST(large_command),
  };
  if (!own_folders()) return 0;
  copy_program(FIXTURE_PROGRAM);
  return check_run(tests, RSM_COUNT(tests), argc, argv);
}
