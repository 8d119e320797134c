/* holding.h: children that hold files, and listings of who does: for the tests of holders.h. Include it with
 * _GNU_SOURCE. As root a test works in a mount namespace of its own, so that nothing stays mounted.
 * SPDX-License-Identifier: MIT */
#ifndef HOLDING_H
#define HOLDING_H

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "check.h"
#include "os/holders.h"
#include "own_mounts.h"
#include "until.h"

static char folder[PATH_MAX];
static bool has_own_mounts; /* root, in a mount namespace of our own */
static rsm__lookup *lookup;
static rsm__arena arena;
static rsm__holders found;

/* ---- Files ---- */

/* "folder/name"; three at a time stay valid. */
static inline const char *in(const char *name) {
  static char paths[4][PATH_MAX + 256];
  static unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline void put(const char *name) {
  int fd = open(in(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
  CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
  close(fd);
}

static inline void copy_program(const char *name) {
  char command[PATH_MAX + 300];
  snprintf(command, sizeof command, "cp /bin/sleep '%s'", in(name));
  CHECK(system(command) == 0);
}

static inline void replace(const char *name) {
  put("fresh");
  CHECK(rename(in("fresh"), in(name)) == 0);
}

/* ---- Children ---- */

typedef void action(const char *path, int argument);

/* A child that did act(path, argument) and now waits to be killed. */
static inline pid_t start(action *act, const char *path, int argument) {
  int ready[2];
  char word;
  CHECK(pipe2(ready, O_CLOEXEC) == 0);
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ready[0]);
    fcntl(ready[1], F_DUPFD_CLOEXEC, 100);
    close(ready[1]);
    act(path, argument);
    if (write(100, "r", 1) != 1) _exit(1);
    close(100);
    for (;;) pause();
  }
  close(ready[1]);
  ssize_t got = read(ready[0], &word, 1); /* an exec closes it without a word */
  CHECK(got >= 0);
  close(ready[0]);
  return child;
}

/* Is it what /proc/PID/stat calls that: 'S' asleep (so no exec is under way), 'Z' ended? */
static inline bool is_in_state(pid_t pid, char state) {
  char path[32], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  const char *name_end = length > 0 ? strrchr(text, ')') : NULL;
  if (fd >= 0) close(fd);
  return name_end && name_end[1] == ' ' && name_end[2] == state;
}

static inline void await_state(pid_t pid, char state) {
  CHECK(UNTIL(10000, is_in_state(pid, state)));
}

static inline void end(pid_t child) {
  CHECK(kill(child, SIGKILL) == 0);
  CHECK(waitpid(child, NULL, 0) == child);
}

static inline void act_open(const char *path, int flags) {
  CHECK(open(path, flags) >= 0);
}

static inline void act_map(const char *path, int shared) {
  int fd = open(path, shared ? O_RDWR : O_RDONLY);
  int kind = shared ? MAP_SHARED : MAP_PRIVATE;
  CHECK(fd >= 0);
  CHECK(mmap(NULL, 4096, PROT_READ, kind, fd, 0) != MAP_FAILED);
  CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, kind, fd, 0) != MAP_FAILED);
  close(fd);
}

static inline void act_exec(const char *path, int unused) {
  (void)unused;
  execl(path, path, "1000", (char *)NULL);
  _exit(1);
}

static inline void act_chdir(const char *path, int unused) {
  (void)unused;
  CHECK(chdir(path) == 0);
}

static inline void act_chroot(const char *path, int unused) {
  (void)unused;
  CHECK(chroot(path) == 0 && chdir("/") == 0);
}

/* ---- Listings ---- */

static inline void find_real(const char *path, const char *real) {
  const rsm__target target = {.path = path, .real = real};
  rsm__arena_done(&arena);
  CHECK(rsm__holders_find(&target, 1, lookup, NULL, &arena, &found, NULL) == RSM_OK);
}

static inline void find(const char *name) {
  find_real(in(name), NULL);
}

static inline const rsm__holder *holder_of(pid_t pid) {
  for (size_t i = 0; i < found.count; i++)
    if (found.holders[i].process.pid == (uint32_t)pid) return &found.holders[i];
  return NULL;
}

static inline const rsm_use *use_of(pid_t pid, rsm_use_how how) {
  const rsm__holder *holder = holder_of(pid);
  for (size_t i = 0; holder && i < holder->use_count; i++)
    if (holder->uses[i].how == how) return &holder->uses[i];
  return NULL;
}

static inline const rsm_use *only_use(pid_t pid, rsm_use_how how, const char *path) {
  const rsm_use *use = use_of(pid, how);
  CHECK(use);
  CHECK_INT(holder_of(pid)->use_count, 1);
  CHECK_TEXT(use->path, path);
  return use;
}

static inline const rsm_unreadable *unreadable_path(const char *path) {
  for (size_t i = 0; i < found.unreadable_count; i++)
    if (found.unreadable[i].path && strcmp(found.unreadable[i].path, path) == 0) return &found.unreadable[i];
  return NULL;
}

static inline void begin(void) {
  const char *base = getenv("TMPDIR");
  char made[PATH_MAX];
  has_own_mounts = own_mounts();
  snprintf(made, sizeof made, "%s/rsm-holders-XXXXXX", base ? base : "/tmp");
  CHECK(mkdtemp(made) && realpath(made, folder) && chmod(folder, 0755) == 0);
  CHECK(rsm__lookup_new(5000, &lookup, NULL) == RSM_OK);
}

static inline void finish(void) {
  char command[PATH_MAX + 32];
  rsm__arena_done(&arena);
  lookup = rsm__lookup_free(lookup);
  CHECK_INT(rsm__alloc_live(), 0);
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  CHECK(system(command) == 0);
}

#endif
