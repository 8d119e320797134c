/* own_mounts.h: a mount namespace of the test's own, so that what it mounts and hides is nobody else's.
 * SPDX-License-Identifier: MIT */
#ifndef OWN_MOUNTS_H
#define OWN_MOUNTS_H

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs the program anew, with the same arguments. */
static inline void run_anew(const char *program) {
  static char words[65536];
  char *argv[256];
  size_t count = 0;
  int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, words, sizeof words - 1);
  for (ssize_t at = 0; at < length && count < sizeof argv / sizeof *argv - 1; at += (ssize_t)strlen(words + at) + 1)
    argv[count++] = words + at;
  argv[count] = NULL;
  execv(program, argv);
}

/* Else no mount can be kept from being passed on: a chroot into a plain folder. */
static inline bool root_is_a_mount(void) {
  struct statx root;
  return statx(AT_FDCWD, "/", 0, 0, &root) == 0 && (root.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* False: not possible here. Call it first in main: where the root directory is not that of the mount namespace
 * (chroot), the program that runs keeps a name from outside, so it is run anew from inside. */
static inline bool own_mounts(void) {
  char before[PATH_MAX], after[PATH_MAX];
  if (geteuid() != 0 || !root_is_a_mount()) return false;
  ssize_t length = readlink("/proc/self/exe", before, sizeof before - 1);
  if (length < 0 || unshare(CLONE_NEWNS) < 0) return false;
  if (mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) < 0) return false;
  before[length] = '\0';
  if (readlink("/proc/self/exe", after, sizeof after) != length || memcmp(before, after, (size_t)length) != 0)
    run_anew(before);
  return true;
}

#endif
