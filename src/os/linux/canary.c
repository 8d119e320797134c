/* canary.c: see canary.h. SPDX-License-Identifier: MIT
 *
 * call                    | purpose                          | blocks on
 * memfd_create, mmap      | nameless files, in memory        | nothing
 * open /proc/self/exe, .  | what we run, and where we stand  | nothing: O_PATH, and they are in use
 */
#define _GNU_SOURCE
#include "os/linux/canary.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "os/linux/fd.h"

enum { SIZE = 4096 };
enum { SEEN_OPEN = 1, SEEN_MAPPED = 2, SEEN_EXE = 4, SEEN_CWD = 8, SEEN_ROOT = 16, SEEN_NUMBER = 32 };

/* -1: errno. The memory is the caller's to unmap. */
static int make_file(void **ret_at, uint64_t *ret_ino, uint64_t *ret_device) {
  struct stat stat;
  RSM_CLEAN_FD int fd = memfd_create("restartmanager", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, SIZE) < 0 || fstat(fd, &stat) < 0) return -1;
  void *at = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return -1;
  *ret_at = at;
  *ret_ino = stat.st_ino;
  *ret_device = stat.st_dev;
  return rsm__fd_take(&fd);
}

bool rsm__canaries_plant(rsm__canaries *c, bool directories) {
  static const char *const paths[RSM__CANARY_FDS] = {NULL, "/proc/self/exe", ".", "/"};
  *c = (rsm__canaries){.fds = {-1, -1, -1, -1}, .directories = directories};
  c->fds[RSM__CANARY_OPEN] = make_file(&c->open_at, &c->inos[0], &c->device);
  if (c->fds[RSM__CANARY_OPEN] < 0) return false;
  RSM_CLEAN_FD int mapped = make_file(&c->mapped_at, &c->inos[1], &c->device);
  if (mapped < 0) return false;
  for (int i = RSM__CANARY_EXE; i < RSM__CANARY_FDS; i++) {
    c->fds[i] = open(paths[i], O_PATH | O_CLOEXEC);
    if (c->fds[i] < 0) return false;
  }
  return true;
}

void rsm__canaries_remove(rsm__canaries *c) {
  for (int i = 0; i < RSM__CANARY_FDS; i++) rsm__fd_close(&c->fds[i]);
  if (c->open_at) munmap(c->open_at, SIZE);
  if (c->mapped_at) munmap(c->mapped_at, SIZE);
  c->open_at = c->mapped_at = NULL;
}

static uint64_t device_of(uint32_t kernels) {
  return makedev(kernels >> 20, kernels & 0xfffff);
}

bool rsm__canaries_know(rsm__canaries *c, const volatile rsm__walk_shown *shown) {
  for (int i = 0; i < RSM__CANARY_FDS; i++) c->shown[i] = shown[i].ino;
  const volatile rsm__walk_shown *open = &shown[RSM__CANARY_OPEN];
  return open->ino == c->inos[0] && device_of(open->device) == c->device && open->removed >= 2;
}

void rsm__canaries_numbers(const rsm__canaries *c, uint64_t ret_numbers[RSM__CANARY_NUMBERS]) {
  ret_numbers[0] = c->inos[0];
  ret_numbers[1] = c->inos[1];
  ret_numbers[2] = c->shown[RSM__CANARY_EXE];
}

rsm__canaries_seen rsm__canaries_meet(const rsm__canaries *c, const rsm__walk_record *r) {
  bool nameless = r->removed && device_of(r->device) == c->device;
  switch (r->kind) {
  case RSM__WALK_FD:
    if (r->value == (uint64_t)c->fds[RSM__CANARY_EXE]) return r->ino == c->shown[RSM__CANARY_EXE] ? SEEN_NUMBER : 0;
    return nameless && r->value == (uint64_t)c->fds[RSM__CANARY_OPEN] && r->ino == c->inos[0] ? SEEN_OPEN : 0;
  case RSM__WALK_MAP:
    return nameless && r->value == (uintptr_t)c->mapped_at && r->ino == c->inos[1] ? SEEN_MAPPED : 0;
  case RSM__WALK_EXE:
    return r->ino == c->shown[RSM__CANARY_EXE] ? SEEN_EXE : 0;
  case RSM__WALK_CWD:
    return r->ino == c->shown[RSM__CANARY_CWD] ? SEEN_CWD : 0;
  case RSM__WALK_ROOT:
    return r->ino == c->shown[RSM__CANARY_ROOT] ? SEEN_ROOT : 0;
  default:
    return 0;
  }
}

const char *rsm__canaries_missing(const rsm__canaries *c, rsm__canaries_seen seen) {
  if (!(seen & SEEN_OPEN)) return "the walk missed a descriptor of our own";
  if (!(seen & SEEN_NUMBER)) return "the walk missed an inode number of our own";
  if (!(seen & SEEN_MAPPED)) return "the walk missed a mapping of our own";
  if (!(seen & SEEN_EXE)) return "the walk missed our own program";
  if (c->directories && (~seen & (SEEN_CWD | SEEN_ROOT))) return "the walk missed our own directories";
  return NULL;
}
