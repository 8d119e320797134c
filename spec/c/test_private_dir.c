/* test_private_dir.c: folders that are not what they should be are refused; files are whole or not there; the lock
 * works between processes. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/clock.h"
#include "os/linux/private.h"
#include "os/linux/private_file.h"
#include "own_folders.h"

static const char HOME[] = "/run/restartmanager";

static rsm__dir *open_home(void) {
  rsm__dir *dir = NULL;
  CHECK_INT(rsm__private_place_open(0, 0, true, &dir, NULL), RSM_OK);
  return dir;
}

static void refuse(unsigned place, rsm_status status, const char *subject, const char *detail) {
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__private_place_open(0, place, true, &dir, &error), status);
  CHECK(dir == NULL);
  CHECK_TEXT(error.subject, subject);
  CHECK_TEXT(error.detail, detail);
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void expect_content(rsm__dir *dir, const char *name, const char *text) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  CHECK_INT(rsm__dir_read(dir, name, 100, &content, NULL), RSM_OK);
  CHECK_INT(content.length, strlen(text));
  CHECK(content.length == 0 || memcmp(content.data, text, content.length) == 0);
}

static void places(void) {
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__private_place_open(0, 0, false, &dir, &error), RSM_NOT_FOUND);
  CHECK_INT(rsm__private_place_open(0, 2, true, &dir, &error), RSM_INVALID_PARAMETER);
  CHECK(!rsm__private_place_in_memory(0));
  for (unsigned place = 0; place < 2; place++) {
    mode_t before = umask(0777);
    CHECK_INT(rsm__private_place_open(0, place, true, &dir, &error), RSM_OK);
    umask(before);
    struct stat st;
    CHECK_INT(fstat(dir->fd, &st), 0);
    CHECK_INT(st.st_mode & 07777, 0700);
    CHECK(fcntl(dir->fd, F_GETFD) & FD_CLOEXEC);
    dir = rsm__dir_close(dir);
    CHECK(rsm__private_place_in_memory(place));
  }
  CHECK(access(HOME, F_OK) == 0 && access("/var/tmp/restartmanager-0", F_OK) == 0);
  CHECK_INT(rsm__private_place_open(1234, 1, true, &dir, &error), RSM_ACCESS_DENIED);
  CHECK_INT(rsm__private_place_open(1234, 1, false, &dir, &error), RSM_NOT_FOUND);
}

static void other_users_place(void) {
  rsm__dir *dir = NULL;
  rsm_error error = {0};
  CHECK(mkdir("/run/user/1234", 0700) == 0 && mkdir("/run/user/1234/restartmanager", 0700) == 0);
  CHECK_INT(rsm__private_place_open(1234, 0, false, &dir, &error), RSM_ACCESS_DENIED);
  CHECK_TEXT(error.subject, "/run/user/1234");
  CHECK_TEXT(error.detail, "belongs to uid 0, must belong to uid 1234");
  CHECK(chown("/run/user/1234", 1234, 1234) == 0);
  CHECK_INT(rsm__private_place_open(1234, 0, false, &dir, &error), RSM_ACCESS_DENIED);
  CHECK_TEXT(error.subject, "/run/user/1234/restartmanager");
  CHECK(chown("/run/user/1234/restartmanager", 1234, 1234) == 0);
  CHECK_INT(rsm__private_place_open(1234, 0, false, &dir, &error), RSM_OK);
  rsm__dir_close(dir);
}

static void refusals(void) {
  CHECK(rename(HOME, "/run/real") == 0 && symlink("/run/real", HOME) == 0);
  refuse(0, RSM_ACCESS_DENIED, HOME, "is a symbolic link");
  CHECK(unlink(HOME) == 0);
  write_file(HOME, "x");
  refuse(0, RSM_ACCESS_DENIED, HOME, "is not a folder");
  CHECK(unlink(HOME) == 0 && rename("/run/real", HOME) == 0 && chmod(HOME, 0755) == 0);
  refuse(0, RSM_ACCESS_DENIED, HOME, "can be read or written by others (mode 0755); must be 0700");
  CHECK(chmod(HOME, 0700) == 0 && chown(HOME, 5, 0) == 0);
  refuse(0, RSM_ACCESS_DENIED, HOME, "belongs to uid 5, must belong to uid 0");
  CHECK(chown(HOME, 0, 0) == 0 && chmod("/run", 0777) == 0);
  refuse(0, RSM_ACCESS_DENIED, "/run", "can be changed by others (mode 0777)");
  CHECK(chmod("/run", 0755) == 0 && chown("/var/tmp", 5, 5) == 0);
  refuse(1, RSM_ACCESS_DENIED, "/var/tmp", "belongs to uid 5, must belong to uid 0");
  CHECK(chown("/var/tmp", 0, 0) == 0);
}

static void names_and_removal(void) {
  rsm__dir *home = open_home(), *dir = NULL;
  rsm_error error = {0};
  CHECK_INT(rsm__dir_open(home, "absent", false, &dir, &error), RSM_NOT_FOUND);
  CHECK_INT(rsm__dir_open(home, "../x", true, &dir, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm__dir_open(home, "..", true, &dir, &error), RSM_BAD_ARGUMENTS);
  CHECK_INT(rsm__dir_open(home, "s", true, &dir, &error), RSM_OK);
  static const char *const files[] = {"c", "a", ".tmp-fresh", ".tmp-old", "b"};
  for (size_t i = 0; i < RSM_COUNT(files); i++) {
    int fd = openat(dir->fd, files[i], O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    close(fd);
  }
  struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
  CHECK_INT(utimensat(dir->fd, ".tmp-old", old, 0), 0);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char *const *names = NULL;
  size_t count = 0;
  CHECK_INT(rsm__dir_names(dir, 100, &arena, &names, &count, &error), RSM_OK);
  CHECK_INT(count, 3);
  CHECK_TEXT(names[0], "a");
  CHECK_TEXT(names[2], "c");
  CHECK(faccessat(dir->fd, ".tmp-old", F_OK, 0) < 0 && faccessat(dir->fd, ".tmp-fresh", F_OK, 0) == 0);
  CHECK_INT(rsm__dir_names(dir, 2, &arena, &names, &count, &error), RSM_OK);
  CHECK_INT(count, 2);
  CHECK_INT(rsm__dir_rename(dir, "a", "b", &error), RSM_ACCESS_DENIED);
  CHECK_INT(rsm__dir_rename(dir, "a", "d", &error), RSM_OK);
  CHECK_INT(rsm__dir_rename(dir, "a", "e", &error), RSM_FILE_NOT_FOUND);
  CHECK(!rsm__dir_is_removed(dir));
  CHECK_INT(rsm__dir_remove(dir, "d", &error), RSM_OK);
  CHECK_INT(rsm__dir_remove(dir, "d", &error), RSM_OK);
  CHECK_INT(rsm__dir_remove(home, "s", &error), RSM_OK);
  CHECK_INT(rsm__dir_remove(home, "s", &error), RSM_OK);
  CHECK(rsm__dir_is_removed(dir));
  rsm__dir_close(dir);
  rsm__dir_close(home);
}

static void reading_garbage(void) {
  rsm__dir *dir = open_home();
  rsm_error error = {0};
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  CHECK_INT(rsm__dir_read(dir, "absent", 10, &content, &error), RSM_FILE_NOT_FOUND);
  CHECK(symlinkat("/etc/passwd", dir->fd, "link") == 0 && mkfifoat(dir->fd, "fifo", 0600) == 0);
  CHECK_INT(rsm__dir_read(dir, "link", 100000, &content, &error), RSM_ACCESS_DENIED);
  CHECK_TEXT(error.detail, "is a symbolic link");
  CHECK_INT(rsm__dir_read(dir, "fifo", 10, &content, &error), RSM_ACCESS_DENIED);
  CHECK_TEXT(error.detail, "is not a plain file");
  CHECK_INT(rsm__dir_write(dir, "file", "0123456789", 10, &error), RSM_OK);
  CHECK_INT(rsm__dir_read(dir, "file", 9, &content, &error), RSM_MORE_DATA);
  CHECK(content.data == NULL);
  expect_content(dir, "file", "0123456789");
  CHECK(fchownat(dir->fd, "file", 7, 7, 0) == 0);
  CHECK_INT(rsm__dir_read(dir, "file", 10, &content, &error), RSM_ACCESS_DENIED);
  CHECK_TEXT(error.detail, "belongs to uid 7, must belong to uid 0");
  CHECK_INT(rsm__dir_write(dir, "file", "new", 3, &error), RSM_OK);
  expect_content(dir, "file", "new");
  CHECK_INT(rsm__dir_write(dir, "link", "", 0, &error), RSM_OK); /* replaces the link, not what it names */
  expect_content(dir, "link", "");
  rsm__dir_close(dir);
}

static void growing(void) {
  rsm__dir *dir = open_home();
  rsm_error error = {0};
  rsm__file *file = NULL, *again = NULL;
  CHECK_INT(rsm__file_create(dir, "journal", &file, &error), RSM_OK);
  CHECK_INT(rsm__file_create(dir, "journal", &again, &error), RSM_ACCESS_DENIED);
  CHECK_INT(rsm__file_append(file, "one", 3, &error), RSM_OK);
  CHECK_INT(rsm__file_append(file, "two", 3, &error), RSM_OK);
  CHECK_INT(rsm__file_sync(file, &error), RSM_OK);
  CHECK(fcntl(rsm__file_descriptor(file), F_GETFD) & FD_CLOEXEC);
  rsm__file_close(file);
  expect_content(dir, "journal", "onetwo");
  CHECK_INT(rsm__file_reopen(dir, "journal", 7, &file, &error), RSM_WRITE_FAULT);
  CHECK_INT(rsm__file_reopen(dir, "journal", 3, &file, &error), RSM_OK);
  CHECK_INT(rsm__file_append(file, "!", 1, &error), RSM_OK);
  rsm__file_close(file);
  expect_content(dir, "journal", "one!");
  CHECK_INT(rsm__file_reopen(dir, "absent", 0, &file, &error), RSM_FILE_NOT_FOUND);
  rsm__dir_close(dir);
}

/* A limit on file size in the middle of a record makes the kernel write a part of it. */
static void short_write_is_undone(void) {
  rsm__dir *dir = open_home();
  rsm__file *file = NULL;
  CHECK_INT(rsm__file_create(dir, "short", &file, NULL), RSM_OK);
  CHECK_INT(rsm__file_append(file, "whole", 5, NULL), RSM_OK);
  pid_t pid = fork();
  if (pid == 0) {
    struct rlimit limit = {.rlim_cur = 8, .rlim_max = 8};
    signal(SIGXFSZ, SIG_IGN);
    _exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 && rsm__file_append(file, "record", 6, NULL) == RSM_WRITE_FAULT ? 0 : 1);
  }
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && how == 0);
  expect_content(dir, "short", "whole");
  rsm__file_close(file);
  rsm__dir_close(dir);
}

static void lock_between_processes(void) {
  rsm__dir *dir = open_home();
  rsm_error error = {0};
  rsm__lock *lock = NULL, *second = NULL;
  CHECK_INT(rsm__lock_acquire(dir, "lock", 0, &lock, &error), RSM_OK);
  uint64_t before = rsm__clock_ms();
  CHECK_INT(rsm__lock_acquire(dir, "lock", 50, &second, &error), RSM_SEM_TIMEOUT);
  CHECK(rsm__clock_ms() - before >= 50 && rsm__clock_ms() - before < 2000);
  pid_t pid = fork();
  if (pid == 0) { /* what a forked child gives back it does not take from us; what it keeps does not hold us up */
    int copy = dup(rsm__lock_descriptor(lock));
    rsm__lock_release(lock);
    if (rsm__lock_acquire(dir, "lock", 0, &second, NULL) != RSM_SEM_TIMEOUT) _exit(1);
    (void)copy;
    alarm(60);
    for (;;) pause();
  }
  usleep(50000);
  CHECK_INT(waitpid(pid, NULL, WNOHANG), 0);
  rsm__lock_release(lock);
  CHECK_INT(rsm__lock_acquire(dir, "lock", 0, &second, &error), RSM_OK);
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  CHECK_INT(rsm__dir_remove(dir, "lock", &error), RSM_OK); /* a removed lock file locks nobody out */
  CHECK_INT(rsm__lock_acquire(dir, "lock", 0, &lock, &error), RSM_OK);
  rsm__lock_release(lock);
  rsm__lock_release(second);
  rsm__dir_close(dir);
}

/* Dies with its holder, and at exec. */
static void lock_ends_at_exec(void) {
  rsm__dir *dir = open_home();
  rsm__lock *lock = NULL;
  pid_t pid = fork();
  if (pid == 0) {
    if (rsm__lock_acquire(dir, "lock2", 0, &lock, NULL) != RSM_OK) _exit(1);
    execl("/bin/sleep", "sleep", "60", (char *)NULL);
    _exit(1);
  }
  CHECK_INT(rsm__lock_acquire(dir, "lock2", 5000, &lock, NULL), RSM_OK);
  kill(pid, SIGKILL);
  int how = 0;
  CHECK(waitpid(pid, &how, 0) == pid && WIFSIGNALED(how));
  rsm__lock_release(lock);
  rsm__dir_close(dir);
}

static void random_bytes(void) {
  unsigned char a[64] = {0}, b[64] = {0};
  CHECK(rsm__random(a, sizeof a, NULL) == RSM_OK && rsm__random(b, sizeof b, NULL) == RSM_OK);
  CHECK(memcmp(a, b, sizeof a) != 0);
}

int main(int argc, char **argv) {
  static const check_test tests[] = {
      CHECK_TEST(places),
      CHECK_TEST(other_users_place),
      CHECK_TEST(refusals),
      CHECK_TEST(names_and_removal),
      CHECK_TEST(reading_garbage),
      CHECK_TEST(growing),
      CHECK_TEST(short_write_is_undone),
      CHECK_TEST(lock_between_processes),
      CHECK_TEST(lock_ends_at_exec),
      CHECK_TEST(random_bytes),
  };
  return own_folders() ? check_run(tests, RSM_COUNT(tests), argc, argv) : 0;
}
