/* test_parse_procfs.c: the pure parsers, on recorded and on hostile texts. Every text is parsed in a heap block of
 * exactly its size, so that the address sanitizer sees a read past its end. SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/linux/os_error.h"
#include "os/linux/procfs.h"
#include "os/linux/session_core.h"
#include "os/linux/shell.h"
#include "os/linux/unit.h"

#include <errno.h>

static const char stat_tail[] = " S 15303 15310 3487 34816 15310 4194304 113 0 0 0 1 2 0 0 20 0 3 0 171322 3133440 441 "
                                "18446744073709551615 1 1 0\n";

static const char recorded_status[] =
    "Name:\ta\\nUid:\t0\t0\t0\t0\n"
    "Umask:\t0022\nState:\tR (running)\nTgid:\t15310\nPid:\t15310\nPPid:\t15303\n"
    "Uid:\t1000\t1001\t1002\t1003\nGid:\t4\t5\t6\t7\nFDSize:\t256\nGroups:\t4 24 1000 \n"
    "NStgid:\t15310\t7\nNSpid:\t15310\t7\nCapInh:\t0000000000000001\nCapPrm:\t000001fffeffffff\n"
    "CapEff:\t00000000a80425fb\nCapBnd:\tffffffffffffffff\nCapAmb:\t0000000000000000\n"
    "NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";

static char *exact(const char *text, size_t length) {
  char *copy = malloc(length ? length : 1);
  CHECK(copy);
  memcpy(copy, text, length);
  return copy;
}

static bool parse_stat(const char *text, size_t length, rsm__proc_stat *stat) {
  char *copy = exact(text, length);
  bool whole = rsm__parse_stat(copy, length, stat);
  free(copy);
  return whole;
}

static bool parse_stat_of_name(const char *name, rsm__proc_stat *stat) {
  char text[512];
  int length = snprintf(text, sizeof text, "15310 (%s)%s", name, stat_tail);
  return parse_stat(text, (size_t)length, stat);
}

static void test_stat__recorded(void) {
  rsm__proc_stat stat;
  CHECK(parse_stat_of_name("cat", &stat));
  CHECK_INT(stat.pid, 15310);
  CHECK_TEXT(stat.name, "cat");
  CHECK_INT(stat.state, 'S');
  CHECK_INT(stat.parent, 15303);
  CHECK_INT(stat.group, 15310);
  CHECK_INT(stat.session, 3487);
  CHECK_INT(stat.terminal, 34816);
  CHECK_INT(stat.terminal_group, 15310);
  CHECK_INT(stat.flags, 4194304);
  CHECK_INT(stat.threads, 3);
  CHECK_INT(stat.start_time, 171322);
}

static void test_stat__name_may_hold_anything(void) {
  static const char *const names[] = {"a) b (c", ") R 1 1 1 1", "((((",     "))))", "new\nline",
                                      "",        " ",           "\x80\xff", "a\\n"};
  rsm__proc_stat stat;
  for (size_t i = 0; i < RSM_COUNT(names); i++) {
    CHECK(parse_stat_of_name(names[i], &stat));
    CHECK_TEXT(stat.name, names[i]);
    CHECK_INT(stat.parent, 15303);
    CHECK_INT(stat.start_time, 171322);
  }
  char longer[200];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  CHECK(parse_stat_of_name(longer, &stat));
  CHECK_INT(strlen(stat.name), sizeof stat.name - 1);
}

static void test_stat__no_terminal_and_kernel_thread(void) {
  static const char text[] =
      "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 7 0 0 20 0 1 0 5 0 0 18446744073709551615 0\n";
  rsm__proc_stat stat;
  CHECK(parse_stat(text, sizeof text - 1, &stat));
  CHECK_INT(stat.terminal, 0);
  CHECK_INT(stat.terminal_group, -1);
  CHECK_INT(stat.parent, 0);
  CHECK(stat.flags & RSM__PF_KTHREAD);
}

static void test_stat__cut_off_is_never_taken_for_whole(void) {
  char text[512];
  int length = snprintf(text, sizeof text, "15310 (a) b)%s", stat_tail);
  size_t enough = (size_t)(strstr(text, "171322") - text) + strlen("171322 ");
  rsm__proc_stat stat;
  for (size_t cut = 0; cut <= (size_t)length; cut++) CHECK_INT(parse_stat(text, cut, &stat), cut >= enough);
}

static void test_stat__malformed(void) {
  static const char *const texts[] = {"1",
                                      "1 (",
                                      "1 )",
                                      ")(",
                                      "()",
                                      "1 ()",
                                      "x (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 ",
                                      "1 (a) SS 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 ",
                                      "1 (a) S -1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 ",
                                      "1 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 99999999999999999999 1 ",
                                      "1 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 - 1 ",
                                      "99999999999 (a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 "};
  rsm__proc_stat stat;
  for (size_t i = 0; i < RSM_COUNT(texts); i++) CHECK(!parse_stat(texts[i], strlen(texts[i]), &stat));
}

static bool parse_status(const char *text, size_t length, rsm__arena *arena, rsm__proc_status *status) {
  char *copy = exact(text, length);
  bool whole = rsm__parse_status(copy, length, arena, status);
  free(copy);
  return whole;
}

static void test_status__recorded(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__proc_status status;
  CHECK(parse_status(recorded_status, sizeof recorded_status - 1, &arena, &status));
  CHECK_INT(status.uid[RSM__REAL], 1000);
  CHECK_INT(status.uid[RSM__EFFECTIVE], 1001);
  CHECK_INT(status.uid[RSM__FILESYSTEM], 1003);
  CHECK_INT(status.gid[RSM__SAVED], 6);
  CHECK_INT(status.group_count, 3);
  CHECK_INT(status.groups[1], 24);
  CHECK_INT(status.groups[2], 1000);
  CHECK_INT(status.cap_inheritable, 1);
  CHECK_INT(status.cap_permitted, 0x1fffeffffff);
  CHECK_INT(status.cap_effective, 0xa80425fb);
  CHECK(status.cap_bounding == UINT64_MAX);
  CHECK(status.no_new_privs);
  CHECK_INT(status.seccomp, 2);
  CHECK(status.has_umask);
  CHECK_INT(status.umask, 022);
  CHECK_INT(status.pid_levels, 2);
  CHECK_INT(status.inner_pid, 7);
}

static void test_status__old_kernel_and_no_groups(void) {
  static const char text[] = "Name:\tx\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t \n";
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__proc_status status;
  CHECK(parse_status(text, sizeof text - 1, &arena, &status));
  CHECK_INT(status.group_count, 0);
  CHECK(!status.has_umask);
  CHECK_INT(status.pid_levels, 0);
}

static void test_status__cut_off_and_malformed(void) {
  static const char *const bad[] = {"",
                                    "\n",
                                    "Uid:",
                                    "Uid:\t0\t0\t0\t0\n",
                                    "Uid:\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
                                    "Uid:\t0\t0\t0\tx\nGid:\t0\t0\t0\t0\n",
                                    "Uid:\t0\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n",
                                    "Uid:\t0\t0\t0\t99999999999\nGid:\t0\t0\t0\t0\n",
                                    "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nCapEff:\tzz\n",
                                    "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t1 a\n",
                                    "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nCapEff:\t11111111111111111\n"};
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__proc_status status;
  for (size_t i = 0; i < RSM_COUNT(bad); i++) CHECK(!parse_status(bad[i], strlen(bad[i]), &arena, &status));
  for (size_t cut = 0; cut < sizeof recorded_status; cut++) {
    if (!parse_status(recorded_status, cut, &arena, &status)) continue;
    CHECK_INT(status.uid[RSM__EFFECTIVE], 1001);
    CHECK_INT(status.gid[RSM__FILESYSTEM], 7);
  }
}

static const char *cgroup_of(const char *text, size_t length, char *to) {
  char *copy = exact(text, length);
  const char *path;
  size_t path_length;
  bool found = rsm__parse_cgroup(copy, length, &path, &path_length);
  if (found) {
    memcpy(to, path, path_length);
    to[path_length] = '\0';
  }
  free(copy);
  return found ? to : NULL;
}

static void check_cgroup(const char *text, const char *path) {
  char found[512];
  CHECK_TEXT(cgroup_of(text, strlen(text), found), path);
}

static void test_cgroup__which_line_counts(void) {
  check_cgroup("0::/system.slice/a.service\n", "/system.slice/a.service");
  check_cgroup("9:name=systemd:/user.slice\n4:memory:/x\n0::/\n", "/user.slice");
  check_cgroup("9:name=systemd:/old\n0::/new\n", "/new");
  check_cgroup("9:name=systemd:/\n0::/\n", "/");
  check_cgroup("4:memory:/x\n0::/\n", "/");
  check_cgroup("4:memory:/x\n", NULL);
  check_cgroup("0::/with:colon\n", "/with:colon");
  check_cgroup("", NULL);
  check_cgroup("\n\n::\n:::\n0:\n0::\n", NULL);
  check_cgroup("0::/cut.off", NULL);
}

static void test_texts__split_at_each_nul(void) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  size_t count;
  const char *const *texts = rsm__parse_texts("a\0\0bc\0", 6, &arena, &count);
  CHECK_INT(count, 3);
  CHECK_TEXT(texts[0], "a");
  CHECK_TEXT(texts[1], "");
  CHECK_TEXT(texts[2], "bc");
  CHECK(!texts[3]);
  texts = rsm__parse_texts("title", 5, &arena, &count); /* setproctitle leaves no NUL */
  CHECK_INT(count, 1);
  CHECK_TEXT(texts[0], "title");
  texts = rsm__parse_texts(NULL, 0, &arena, &count);
  CHECK_INT(count, 0);
  CHECK(texts && !texts[0]);
}

static void test_number__whole_text_only(void) {
  uint64_t number;
  CHECK(rsm__parse_number("18446744073709551615", 20, &number) && number == UINT64_MAX);
  CHECK(!rsm__parse_number("18446744073709551616", 20, &number));
  CHECK(!rsm__parse_number("", 0, &number));
  CHECK(!rsm__parse_number("-1", 2, &number));
  CHECK(!rsm__parse_number("1a", 2, &number));
  CHECK(!rsm__parse_number("a", 1, &number));
}

/* name NULL: none. owner -1: the system's manager. */
static void check_unit(const char *path, const char *name, int owner, bool is_manager) {
  rsm__unit unit = rsm__parse_unit(path);
  char found[256] = "";
  if (unit.name) memcpy(found, unit.name, unit.name_length);
  CHECK_TEXT(unit.name ? found : NULL, name);
  CHECK_INT(unit.user_manager ? (int)unit.owner : -1, owner);
  CHECK_INT(unit.is_manager, is_manager);
}

static void test_unit__the_first_that_is_no_slice_decides(void) {
  check_unit("/system.slice/foo.service", "foo.service", -1, false);
  check_unit("/system.slice/foo.service/worker", "foo.service", -1, false);
  check_unit("system.slice//foo.service/", "foo.service", -1, false);
  check_unit("/foo.service", "foo.service", -1, false);
  check_unit("/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", -1, false);
  check_unit("/system.slice/a\\x2db.service", "a\\x2db.service", -1, false);
  check_unit("/user.slice/user-1000.slice/session-3.scope", NULL, -1, false);
  check_unit("/init.scope", NULL, -1, false);
  check_unit("/system.slice", NULL, -1, false);
  check_unit("/", NULL, -1, false);
  check_unit("", NULL, -1, false);
}

/* A service's and a container's own groups may have any name; they are not to steer us to another unit. */
static void test_unit__what_lies_deeper_never_matters(void) {
  check_unit("/system.slice/foo.service/nginx.service", "foo.service", -1, false);
  check_unit("/system.slice/foo.service/system.slice/nginx.service", "foo.service", -1, false);
  check_unit("/system.slice/foo.service/bar.scope", "foo.service", -1, false);
  check_unit("/system.slice/foo.service/user@1000.service/nginx.service", "foo.service", -1, false);
  check_unit("/system.slice/docker-0f.scope/system.slice/nginx.service", NULL, -1, false);
  check_unit("/machine.slice/libpod-0f.scope/nginx.service", NULL, -1, false);
  check_unit("/user.slice/user-1000.slice/session-3.scope/nginx.service", NULL, -1, false);
  check_unit("/lxc/box/system.slice/nginx.service", NULL, -1, false);
  check_unit("/../system.slice/nginx.service", NULL, -1, false);
  check_unit("/system.slice/x.mount/nginx.service", NULL, -1, false);
}

static void test_unit__names(void) {
  char path[600] = "/system.slice/";
  check_unit("/system.slice/_cpu.service", "cpu.service", -1, false);
  check_unit("/system.slice/__x.service", "_x.service", -1, false);
  check_unit("/_cpu.slice/foo.service", "foo.service", -1, false);
  check_unit("/system.slice/_", NULL, -1, false);
  check_unit("/system.slice/_.service", NULL, -1, false);
  check_unit("/.service/.scope", NULL, -1, false);
  check_unit("/service/foo.service.d", NULL, -1, false);
  check_unit("/system.slice/a b.service", NULL, -1, false);
  check_unit("/system.slice/a\n.service", NULL, -1, false);
  check_unit("/system.slice/\xff.service", NULL, -1, false);
  size_t length = strlen(path);
  memset(path + length, 'a', 247);
  memcpy(path + length + 247, ".service", 9);
  check_unit(path, path + length, -1, false);
  memcpy(path + length + 247, "a.service", 10);
  check_unit(path, NULL, -1, false);
}

static void test_unit__user_managers(void) {
#define USER "/user.slice/user-1000.slice/user@1000.service"
  check_unit(USER "/app.slice/foo.service", "foo.service", 1000, false);
  check_unit(USER "/app.slice/foo.service/sub", "foo.service", 1000, false);
  check_unit(USER "/app.slice/_cpu.service", "cpu.service", 1000, false);
  check_unit(USER "/app.slice/app-gnome-x-12.scope", NULL, 1000, false);
  check_unit(USER "/app.slice/app-gnome-x-12.scope/nginx.service", NULL, 1000, false);
  check_unit(USER "/app.slice", NULL, 1000, false);
  check_unit(USER, NULL, 1000, true);
  check_unit(USER "/", NULL, 1000, true);
  check_unit(USER "/init.scope", NULL, 1000, true);
  check_unit(USER "/init.scope/nginx.service", NULL, 1000, true);
  check_unit(USER "/stray", NULL, 1000, false);
  check_unit(USER "/app.slice/user@0.service/nginx.service", "user@0.service", 1000, false);
  check_unit("/system.slice/user@bob.service", "user@bob.service", -1, false);
  check_unit("/system.slice/user@4294967295.service", "user@4294967295.service", -1, false);
#undef USER
  rsm__unit unit = rsm__parse_unit("/system.slice/foo.service/worker");
  CHECK_INT(unit.path_length, strlen("/system.slice/foo.service"));
  unit = rsm__parse_unit("/user.slice/user@7.service/app.slice/_cpu.service/x");
  CHECK_INT(unit.path_length, strlen("/user.slice/user@7.service/app.slice/_cpu.service"));
}

static void test_unit__below_the_managers_root(void) {
  static const char *const first[] = {"/lxc/box/init.scope", "/lxc/box", "/lxc/box/"};
  for (size_t i = 0; i < 3; i++) {
    CHECK_TEXT(rsm__unit_path_below("/lxc/box/system.slice/a.service", first[i]), "/system.slice/a.service");
    CHECK_TEXT(rsm__unit_path_below("/lxc/box", first[i]), "");
    CHECK_TEXT(rsm__unit_path_below("/lxc/boxes/system.slice/a.service", first[i]), NULL);
    CHECK_TEXT(rsm__unit_path_below("/system.slice/a.service", first[i]), NULL);
  }
  CHECK_TEXT(rsm__unit_path_below("/system.slice/a.service", "/init.scope"), "/system.slice/a.service");
  CHECK_TEXT(rsm__unit_path_below("/system.slice/a.service", "/"), "/system.slice/a.service");
  CHECK_TEXT(rsm__unit_path_below("/x", ""), "/x");
}

static void test_unit__user_slices(void) {
  CHECK(rsm__parse_user_slice("/user.slice/user-1000.slice/session-3.scope", 1000));
  CHECK(rsm__parse_user_slice("/user.slice/user-1000.slice", 1000));
  CHECK(!rsm__parse_user_slice("/user.slice/user-1000.slice/session-3.scope", 100));
  CHECK(!rsm__parse_user_slice("/user.slice/user-.slice/x", 0));
  CHECK(!rsm__parse_user_slice("/system.slice/user-1000.slice/x", 1000));
  CHECK(!rsm__parse_user_slice("/user.slice", 1000));
  CHECK(!rsm__parse_user_slice("", 0));
}

static void test_unit__logon_session(void) {
  const char *id;
  size_t length;
  CHECK(rsm__parse_logon_session("/user.slice/user-1000.slice/session-c2.scope/x", &id, &length));
  CHECK(length == 2 && memcmp(id, "c2", 2) == 0);
  CHECK(!rsm__parse_logon_session("/user.slice/session-.scope", &id, &length));
  CHECK(!rsm__parse_logon_session("/session-3.service", &id, &length));
  CHECK(!rsm__parse_logon_session("/machine.slice/box.scope/user.slice/session-3.scope", &id, &length));
}

static void check_shell(bool interactive, const char *exe, const char *const *args) {
  size_t count = 0;
  while (args[count]) count++;
  CHECK_INT(rsm__shell_is_interactive(exe, args, count), interactive);
}
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_shell__interactive_or_not(void) {
  check_shell(true, "/usr/bin/bash", ARGS("bash"));
  check_shell(true, "/usr/bin/bash", ARGS("-bash"));
  check_shell(true, "/usr/bin/bash", ARGS("bash", "--rcfile", "/etc/x", "-l"));
  check_shell(true, "/usr/bin/bash", ARGS("bash", "-ic", "make"));
  check_shell(true, "/usr/bin/dash", ARGS("sh", "-"));
  check_shell(true, "/usr/bin/fish", ARGS("fish", "--interactive"));
  check_shell(true, "/bin/busybox", ARGS("sh"));
  check_shell(true, "/bin/busybox", ARGS("-ash"));
  check_shell(true, "/bin/busybox.static", ARGS("busybox", "sh"));
  check_shell(false, "/bin/busybox", ARGS("busybox", "vi"));
  check_shell(false, "/bin/busybox", ARGS("sleep", "9"));
  check_shell(false, "/usr/bin/bash", ARGS("bash", "script", "-i"));
  check_shell(false, "/usr/bin/bash", ARGS("bash", "-ec", "sleep 9"));
  check_shell(false, "/usr/bin/bash", ARGS("bash", "--", "script"));
  check_shell(false, "/usr/bin/fish", ARGS("fish", "--command=x"));
  check_shell(false, "/usr/bin/sleep", ARGS("-bash"));
  CHECK(!rsm__shell_is_interactive("/bin/sh", NULL, 0));
  CHECK(!rsm__shell_is_interactive(NULL, NULL, 0));
}

static const char *core(const char *exe, bool is_systems, const char *name, uint32_t parent, const char *argument) {
  const char *const args[] = {"x", argument};
  rsm__core_question question = {.pid = 500,
                                 .parent = parent,
                                 .exe = exe,
                                 .exe_is_systems = is_systems,
                                 .name = name,
                                 .args = args,
                                 .arg_count = argument ? 2 : 1};
  return rsm__session_core(&question);
}

static void test_session_core__who_belongs_to_it(void) {
  CHECK_TEXT(core("/usr/bin/sway", true, "sway", 9, NULL), "the desktop's compositor");
  CHECK_TEXT(core("/home/me/sway", false, "sway", 9, NULL), NULL);
  CHECK_TEXT(core("/usr/libexec/gdm-x-session", true, "gdm-x-session", 9, NULL), "the display manager");
  CHECK_TEXT(core("/usr/bin/dbus-daemon", true, "dbus-daemon", 9, "--session"), "the message bus");
  CHECK_TEXT(core("/usr/bin/dbus-daemon", true, "dbus-daemon", 9, "--config-file=x"), NULL);
  CHECK_TEXT(core("/usr/lib/systemd/systemd", true, "systemd", 1, "--user"), "the user's service manager");
  CHECK_TEXT(core("/usr/sbin/sshd", true, "sshd", 1, "-D"), "the ssh server");
  CHECK_TEXT(core("/usr/sbin/sshd", true, "sshd", 700, NULL), NULL);
  CHECK_TEXT(core(NULL, false, "systemd-journal", 1, NULL), "the system's journal"); /* the kernel's cut name */
  CHECK_TEXT(core(NULL, false, "(sd-pam)", 1, NULL), "the user's service manager");
  CHECK_TEXT(core(NULL, false, "cat", 1, NULL), NULL);
  rsm__core_question manager = {
      .pid = 500, .exe = "/opt/x", .name = "x", .cgroup = "/user.slice/user@7.service/init.scope"};
  CHECK_TEXT(rsm__session_core(&manager), "the user's service manager");
  CHECK_TEXT(rsm__session_core(&(rsm__core_question){.pid = 1, .name = "x"}), "the system's first process");
}

static void test_errno__status_and_words(void) {
  rsm_error error;
  errno = 7;
  CHECK_INT(rsm__fail_errno(&error, EACCES, "openat", "a"), RSM_ACCESS_DENIED);
  CHECK_INT(errno, 7);
  CHECK_INT(error.os_code, EACCES);
  CHECK_TEXT(error.call, "openat");
  CHECK_TEXT(error.subject, "a");
  CHECK(error.os_text[0]);
  CHECK_INT(rsm__fail_errno(NULL, ENOENT, "openat", NULL), RSM_FILE_NOT_FOUND);
  CHECK_INT(rsm__errno_status(ESRCH), RSM_NOT_FOUND);
  CHECK_INT(rsm__errno_status(EMFILE), RSM_BUSY);
  CHECK_INT(rsm__errno_status(ENOSPC), RSM_WRITE_FAULT);
  CHECK_INT(rsm__fail_errno(&error, 123456, "x", NULL), RSM_GEN_FAILURE);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(test_stat__recorded),
      CHECK_TEST(test_stat__name_may_hold_anything),
      CHECK_TEST(test_stat__no_terminal_and_kernel_thread),
      CHECK_TEST(test_stat__cut_off_is_never_taken_for_whole),
      CHECK_TEST(test_stat__malformed),
      CHECK_TEST(test_status__recorded),
      CHECK_TEST(test_status__old_kernel_and_no_groups),
      CHECK_TEST(test_status__cut_off_and_malformed),
      CHECK_TEST(test_cgroup__which_line_counts),
      CHECK_TEST(test_texts__split_at_each_nul),
      CHECK_TEST(test_number__whole_text_only),
      CHECK_TEST(test_unit__the_first_that_is_no_slice_decides),
      CHECK_TEST(test_unit__what_lies_deeper_never_matters),
      CHECK_TEST(test_unit__names),
      CHECK_TEST(test_unit__user_managers),
      CHECK_TEST(test_unit__below_the_managers_root),
      CHECK_TEST(test_unit__user_slices),
      CHECK_TEST(test_unit__logon_session),
      CHECK_TEST(test_shell__interactive_or_not),
      CHECK_TEST(test_session_core__who_belongs_to_it),
      CHECK_TEST(test_errno__status_and_words),
  };
  return check_run(tests, sizeof tests / sizeof *tests, argc, argv);
}
