/* named.c: see named.h. SPDX-License-Identifier: MIT
 *
 * call   | purpose                  | blocks on
 * statx  | when the file was changed | nothing: not done where a server might be asked for it
 */
#define _GNU_SOURCE
#include "os/linux/named.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/alloc.h"
#include "base/cleanup.h"

/* The kernel's stamps are up to a tick older than the change, and a process' start is rounded down to one. */
enum { MOST_FILES = 32 * 1024, SLACK_NS = 20 * 1000 * 1000, NANO = 1000000000 };

/* Asking for a time writes dirty pages back first on some network file systems. */
static bool is_local(const rsm__mount *mount) {
  static const char *const types[] = {"ext2",  "ext3",  "ext4",     "xfs",   "btrfs",   "f2fs", "bcachefs",
                                      "tmpfs", "erofs", "squashfs", "ramfs", "overlay", "zfs",  "vfat"};
  for (size_t i = 0; mount && i < RSM_COUNT(types); i++)
    if (strcmp(mount->type, types[i]) == 0) return true;
  return false;
}

static rsm__named_file *find(const rsm__named *named, uint64_t dev, uint64_t ino) {
  uint32_t i = rsm__index_first(&named->index, rsm__hash_numbers(dev, ino));
  for (; i != RSM_INDEX_END; i = rsm__index_next(&named->index, i))
    if (named->items[i].dev == dev && named->items[i].ino == ino) return &named->items[i];
  return NULL;
}

bool rsm__named_meet(rsm__named *named, uint64_t dev, uint64_t ino) {
  size_t count = named->index.count;
  if (find(named, dev, ino)) return true;
  if (count >= MOST_FILES || rsm__grow(&named->items, &named->capacity, count + 1, sizeof *named->items) < 0)
    return false;
  named->items[count] = (rsm__named_file){.dev = dev, .ino = ino, .changed = INT64_MAX};
  (void)rsm__index_add(&named->index, rsm__hash_numbers(dev, ino)); /* failed: the entry is written anew */
  return false;
}

void rsm__named_add(rsm__named *named, const rsm__mounts *mounts, int dir, const char *name, const rsm__stat *stat) {
  struct statx now;
  const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;
  rsm__named_file *file = find(named, stat->dev, stat->ino);
  if (!file || stat->links == 0 || !stat->mount_id || !is_local(rsm__mounts_find(mounts, stat->mount_id))) return;
  if (statx(dir, name, flags, STATX_INO | STATX_CTIME, &now) != 0 || !(now.stx_mask & STATX_CTIME)) return;
  if (now.stx_ino != stat->ino || makedev(now.stx_dev_major, now.stx_dev_minor) != stat->dev) return;
  file->changed = now.stx_ctime.tv_sec * NANO + now.stx_ctime.tv_nsec;
}

bool rsm__named_has(const rsm__named *named, uint64_t dev, uint64_t ino, int64_t started) {
  const rsm__named_file *known = find(named, dev, ino);
  return known && known->changed < started - SLACK_NS;
}

void rsm__named_done(rsm__named *named) {
  rsm__free(named->items);
  rsm__index_done(&named->index);
}
