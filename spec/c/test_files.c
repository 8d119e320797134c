/* test_files.c: absolute text, real paths, many files, a mount that does not answer.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/clock.h"
#include "os/files.h"
#include "os/linux/lookup.h"

static char folder[PATH_MAX];

static void check_absolute(const char *path, const char *expected) {
  char *text = NULL;
  CHECK(rsm__files_absolute(path, &text, NULL) == RSM_OK);
  CHECK_TEXT(text, expected);
  rsm__free(text);
}

static void test_absolute_text(void) {
  char expected[PATH_MAX + 64];
  rsm_error error;
  char *text = NULL;
  check_absolute("/", "/");
  check_absolute("//a///b/./c/", "/a/b/c");
  check_absolute("/a/../b", "/a/../b");
  check_absolute("/.", "/");
  check_absolute("/...", "/...");
  snprintf(expected, sizeof expected, "%s/x/../y", folder);
  check_absolute("x//./../y", expected);
  check_absolute(".", folder);
  CHECK(rsm__files_absolute("", &text, &error) == RSM_BAD_ARGUMENTS);
  CHECK(text == NULL);
}

static void put_file(const char *name) {
  int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  CHECK(fd >= 0);
  close(fd);
}

static const char *real_of(rsm__lookup *lookup, const char *path, rsm__arena *arena) {
  const char *real = NULL;
  CHECK(rsm__lookup_real(lookup, &path, 1, arena, &real, NULL) == RSM_OK);
  return real;
}

static void check_real(rsm__lookup *lookup, const char *name, const char *expected) {
  char path[PATH_MAX + 64], wanted[PATH_MAX + 64];
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  snprintf(path, sizeof path, name[0] == '/' ? "%.0s%s" : "%s/%s", folder, name);
  snprintf(wanted, sizeof wanted, expected[0] == '/' ? "%.0s%s" : "%s/%s", folder, expected);
  CHECK_TEXT(real_of(lookup, path, &arena), wanted);
}

static void test_real_paths(rsm__lookup *lookup) {
  CHECK(mkdir("v1", 0755) == 0 && mkdir("v1/bin", 0755) == 0);
  put_file("v1/bin/app");
  CHECK(symlink("v1", "current") == 0 && symlink("bin/app", "v1/link") == 0 && symlink("loop", "loop") == 0);
  CHECK(symlink("../../v1", "v1/bin/back") == 0 && symlink("nowhere/far", "dangling") == 0);
  check_real(lookup, "/", "/");
  check_real(lookup, "v1/bin/app", "v1/bin/app");
  check_real(lookup, "current/bin/app", "v1/bin/app");
  check_real(lookup, "current/link", "v1/bin/app");
  check_real(lookup, "current/bin/back/bin/back/link", "v1/bin/app");
  check_real(lookup, "v1/bin/..", "v1");
  check_real(lookup, "current/bin/../link/", "v1/bin/app");
  check_real(lookup, "current/missing", "v1/missing");
  check_real(lookup, "current/missing/deep/er", "v1/missing/deep/er");
  check_real(lookup, "current/bin/app/below", "v1/bin/app/below");
  check_real(lookup, "dangling", "nowhere/far");
  check_real(lookup, "loop", "loop");
  check_real(lookup, "loop/x", "loop/x");
}

static void test_a_deep_path_is_no_danger(rsm__lookup *lookup) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN_BUFFER rsm__buffer path = {0};
  for (int i = 0; i < 50000; i++) rsm__buffer_put(&path, "/../x", 5);
  rsm__buffer_put_u8(&path, 0);
  CHECK(real_of(lookup, (const char *)path.data, &arena) != NULL);
}

static void test_a_hundred_thousand_files(rsm__lookup *lookup) {
  enum { COUNT = 100000, REAL = 2000 };
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN_FREE const char **paths = rsm__malloc(COUNT * sizeof *paths);
  RSM_CLEAN_FREE const char **reals = rsm__malloc(COUNT * sizeof *reals);
  CHECK(mkdir("many", 0755) == 0);
  for (int i = 0; i < COUNT; i++) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/many/%d", folder, i);
    if (i < REAL) put_file(path);
    paths[i] = rsm__arena_strdup(&arena, path);
  }
  uint64_t before = rsm__clock_ms();
  CHECK(rsm__lookup_real(lookup, paths, COUNT, &arena, reals, NULL) == RSM_OK);
  printf("100,000 paths of one folder: %d ms\n", (int)(rsm__clock_ms() - before));
  for (int i = 0; i < COUNT; i += 777) CHECK_TEXT(reals[i], paths[i]);
}

static void test_out_of_memory(rsm__lookup *lookup) {
  char path[PATH_MAX + 64];
  snprintf(path, sizeof path, "%s/current/link", folder);
  const char *asked = path, *real = NULL;
  long live = rsm__alloc_live();
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status != RSM_OK; n++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    rsm__alloc_fail_at(n, 0);
    status = rsm__lookup_real(lookup, &asked, 1, &arena, &real, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || (status == RSM_OUT_OF_MEMORY && !real));
    CHECK(n < 1000);
  }
  CHECK_INT(rsm__alloc_live(), live);
}

/* So many that two threads share them. */
static const char **many_paths(rsm__arena *arena, const char *parent, int count) {
  const char **paths = rsm__arena_alloc(arena, (size_t)count * sizeof *paths);
  for (int i = 0; i < count; i++) {
    char path[PATH_MAX + 96];
    snprintf(path, sizeof path, "%s/%d", parent, i);
    paths[i] = rsm__arena_strdup(arena, path);
  }
  return paths;
}

static void test_out_of_memory_with_many(rsm__lookup *lookup) {
  enum { COUNT = 4200 };
  RSM_CLEAN_ARENA rsm__arena asked = {0};
  const char **paths = many_paths(&asked, "/nowhere", COUNT);
  RSM_CLEAN_FREE const char **reals = rsm__calloc(COUNT, sizeof *reals);
  long live = rsm__alloc_live();
  rsm_status status = RSM_OUT_OF_MEMORY;
  for (unsigned long n = 1; status != RSM_OK; n += n < 40 ? 1 : 37) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    rsm__alloc_fail_at(n, 0);
    status = rsm__lookup_real(lookup, paths, COUNT, &arena, reals, NULL);
    rsm__alloc_fail_at(0, 0);
    CHECK(status == RSM_OK || (status == RSM_OUT_OF_MEMORY && !reals[0]));
    CHECK(n < 10000);
  }
  CHECK_TEXT(reals[COUNT - 1], "/nowhere/4199");
  CHECK_INT(rsm__alloc_live(), live);
}

/* ---- A mount that does not answer: FUSE, spoken by hand ---- */

/* In a child: answers FUSE_INIT and then nothing any more. Any system that lets us mount FUSE can run it. */
static pid_t start_dead_mount(const char *point) {
  char options[128];
  int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  int ready[2];
  char none;
  if (fuse < 0) return -1;
  CHECK(pipe2(ready, O_CLOEXEC) == 0);
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
  if (mount("dead", point, "fuse.dead", MS_NOSUID | MS_NODEV, options) < 0) {
    close(fuse);
    close(ready[0]);
    close(ready[1]);
    return -1;
  }
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever looks there would hang for ever if a failed test left it behind */
    struct {
      uint32_t length, opcode;
      uint64_t unique, rest[16384];
    } request;
    ssize_t got = read(fuse, &request, sizeof request);
    struct {
      uint32_t length;
      int32_t error;
      uint64_t unique;
      uint32_t major, minor, read_ahead, flags;
      uint16_t background, threshold;
      uint32_t max_write, words[9];
    } answer = {.length = sizeof answer, .unique = request.unique, .major = 7, .minor = 31, .max_write = 4096};
    if (got > 0 && write(fuse, &answer, sizeof answer) != sizeof answer) _exit(1);
    close(ready[1]); /* the parent's read ends */
    for (;;) pause();
  }
  close(fuse);
  close(ready[1]);
  CHECK(read(ready[0], &none, 1) == 0);
  close(ready[0]);
  return child;
}

static void end_dead_mount(pid_t child, const char *point) {
  umount2(point, MNT_FORCE | MNT_DETACH);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
}

/* Both threads hang there, or only the second: what is elsewhere is found all the same, and the next time at once. */
static void test_many_on_a_dead_mount(const char *point, const char *good) {
  enum { LIMIT = 1000, COUNT = 10000 };
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  const char **paths = many_paths(&arena, point, COUNT);
  RSM_CLEAN_FREE const char **reals = rsm__calloc(COUNT, sizeof *reals);
  for (int goods = 1; goods < COUNT; goods += COUNT - 2) {
    rsm__lookup *lookup = NULL;
    CHECK(rsm__lookup_new(LIMIT, &lookup, NULL) == RSM_OK);
    for (int i = 0; i < goods; i++) paths[i] = good;
    for (int round = 0; round < 2; round++) {
      uint64_t before = rsm__clock_ms();
      CHECK(rsm__lookup_real(lookup, paths, COUNT, &arena, reals, NULL) == RSM_OK);
      uint64_t took = rsm__clock_ms() - before;
      CHECK_TEXT(reals[0], good);
      CHECK(!reals[COUNT - 1]);
      CHECK(round == 0 ? took >= LIMIT && took < 3000 : took < LIMIT);
    }
    CHECK(rsm__lookup_free(lookup) == NULL);
  }
}

static void test_a_dead_mount_costs_one_wait(void) {
  enum { LIMIT = 300 };
  char point[PATH_MAX + 64], one[PATH_MAX + 80], two[PATH_MAX + 80], link[PATH_MAX + 64], good[PATH_MAX + 64];
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__lookup *lookup = NULL;
  snprintf(point, sizeof point, "%s/dead", folder);
  snprintf(one, sizeof one, "%s/one", point);
  snprintf(two, sizeof two, "%s/two/x", point);
  snprintf(link, sizeof link, "%s/to_dead", folder);
  snprintf(good, sizeof good, "%s/v1/bin/app", folder);
  CHECK(mkdir(point, 0755) == 0 && symlink("dead/three", link) == 0);
  pid_t child = start_dead_mount(point);
  if (child < 0) {
    printf("skipped: a dead mount (%s)\n", strerror(errno));
    return;
  }
  CHECK(rsm__lookup_new(LIMIT, &lookup, NULL) == RSM_OK);
  const char *paths[] = {good, one, two, link, good};
  const char *reals[5];
  for (int round = 0; round < 3; round++) {
    uint64_t before = rsm__clock_ms();
    CHECK(rsm__lookup_real(lookup, paths, 5, &arena, reals, NULL) == RSM_OK);
    uint64_t took = rsm__clock_ms() - before;
    CHECK(reals[0] && reals[4] && !reals[1] && !reals[2] && !reals[3]);
    CHECK(round == 0 ? took >= LIMIT && took < 3000 : took < LIMIT);
  }
  lookup = rsm__lookup_free(lookup);
  test_many_on_a_dead_mount(point, good);
  end_dead_mount(child, point);
}

int main(void) {
  const char *base = getenv("TMPDIR");
  char made[PATH_MAX];
  rsm__lookup *lookup = NULL;
  snprintf(made, sizeof made, "%s/rsm-files-XXXXXX", base ? base : "/tmp");
  CHECK(mkdtemp(made) && realpath(made, folder) && chdir(folder) == 0);
  CHECK(rsm__lookup_new(5000, &lookup, NULL) == RSM_OK);
  test_absolute_text();
  test_real_paths(lookup);
  test_a_deep_path_is_no_danger(lookup);
  test_a_hundred_thousand_files(lookup);
  test_out_of_memory(lookup);
  test_out_of_memory_with_many(lookup);
  test_a_dead_mount_costs_one_wait();
  CHECK(rsm__lookup_free(lookup) == NULL);
  char command[PATH_MAX + 32];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  CHECK(chdir("/") == 0 && system(command) == 0);
  return 0;
}
