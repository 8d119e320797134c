/* shows.c: see shows.h. SPDX-License-Identifier: MIT
 *
 * call                  | purpose                          | blocks on
 * open O_PATH, statx    | a registered file, its directory | the file system's server: then this thread is given up
 * open O_RDONLY, mmap   | the file below one of an overlay | the same
 */
#define _GNU_SOURCE
#include "os/linux/shows.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "os/linux/fd.h"
#include "os/linux/scanner.h"

enum { PAGE = 4096 };

static const rsm__mount *mount_of(const rsm__targets *t, uint64_t device) {
  for (size_t i = 0; i < t->mounts.count; i++)
    if (t->mounts.items[i].dev == device) return &t->mounts.items[i];
  return NULL;
}

/* NULL: known. */
static const char *check_mount(rsm__shows *s, const rsm__mount *mount) {
  if (rsm__scanner_knows(mount->type)) return NULL;
  if (strcmp(mount->type, "overlay") != 0) return mount->type;
  s->overlay = true;
  return NULL;
}

const char *rsm__shows_check(rsm__shows *s, const rsm__targets *t) {
  uint64_t last = 0;
  for (size_t i = 0; i < t->by_identity.count; i++) {
    if (i > 0 && t->files[i].super == last) continue;
    last = t->files[i].super;
    const rsm__mount *mount = mount_of(t, last);
    const char *unknown = mount ? check_mount(s, mount) : "one that is not mounted here";
    if (unknown) return unknown;
  }
  for (size_t i = 0; i < t->device_count; i++) { /* those of removed predecessors; a btrfs volume's own is no mount's */
    const rsm__mount *mount = mount_of(t, t->devices[i]);
    const char *unknown = mount ? check_mount(s, mount) : NULL;
    if (unknown) return unknown;
  }
  return NULL;
}

static bool is_still(int fd, const rsm__stat *stat) {
  rsm__stat now;
  return rsm__stat_at(fd, "", AT_EMPTY_PATH, &now) == 0 && now.dev == stat->dev && now.ino == stat->ino;
}

/* The file below: its mapping's. NULL: it cannot be had. */
static void *map_file(const char *path, const rsm__stat *stat) {
  RSM_CLEAN_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 || !is_still(fd, stat)) return NULL;
  void *at = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  return at == MAP_FAILED ? NULL : at;
}

/* False: given up. */
static bool open_one(rsm__shows *s, const char *path, const rsm__stat *stat, rsm__bounded *job) {
  rsm__show show = {.ino = stat->ino, .file = S_ISREG(stat->mode)};
  if (s->count == RSM__SHOWS_MOST) {
    s->whole = false;
    return true;
  }
  if (!rsm__bounded_touch(job, path)) return false;
  show.fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (show.fd < 0 || !is_still(show.fd, stat)) {
    rsm__fd_close(&show.fd);
    s->whole = false;
    return true;
  }
  if (s->overlay && show.file) show.at = map_file(path, stat);
  s->items[s->count++] = show;
  return true;
}

static bool open_place(rsm__shows *s, const rsm__place *place, rsm__bounded *job) {
  const rsm__place_dir *dir = place->dir;
  if (!place->real) return true; /* did not answer: said already */
  if (place->error == 0 && !open_one(s, place->real, &place->stat, job)) return false;
  if (!dir || (place->error == 0 && dir->stat.dev == place->stat.dev)) return true;
  return open_one(s, dir->real, &dir->stat, job); /* where what it has replaced would lie */
}

bool rsm__shows_open(rsm__shows *s, const rsm__targets *t, rsm__bounded *job) {
  size_t places = t->paths.now.count + t->paths.real.count;
  s->whole = t->trees.count == 0 && places <= RSM__SHOWS_MOST / 2;
  if (!s->whole) return true;
  for (size_t i = 0; i < t->paths.now.count; i++)
    if (t->paths.firsts[i] == i && !open_place(s, &t->paths.now.items[i], job)) return false;
  for (size_t i = 0; i < t->paths.real.count; i++)
    if (!open_place(s, &t->paths.real.items[i], job)) return false;
  return true;
}

void rsm__shows_close(rsm__shows *s) {
  for (size_t i = 0; i < s->count; i++) {
    rsm__fd_close(&s->items[i].fd);
    if (s->items[i].at) munmap(s->items[i].at, PAGE);
  }
  s->count = 0;
}
