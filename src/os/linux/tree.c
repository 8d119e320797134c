/* tree.c: see tree.h. SPDX-License-Identifier: MIT
 *
 * call              | purpose                    | blocks on
 * open, getdents64  | a directory's names         | the file system's server; the caller gives this thread up
 * statx             | what each name is           | the same
 *
 * Directories are opened by their whole path and compared with what the parent's listing said they are: whoever swaps
 * one for a link meanwhile makes it a gap, not a walk through somebody else's files. One descriptor is open at a time,
 * and none of them when the processes are looked at. */
#define _GNU_SOURCE
#include "os/linux/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"

enum { NAMES_SIZE = 64 * 1024 };

static const char other_mount[] = "another file system is mounted here; it was not searched";

const char rsm__tree_separator = '/';

struct rsm__tree_reader {
  char names[NAMES_SIZE];
};

rsm__tree_reader *rsm__tree_reader_new(void) {
  return rsm__malloc(sizeof(rsm__tree_reader));
}

void rsm__tree_reader_free(rsm__tree_reader *reader) {
  rsm__free(reader);
}

static void add_gap_errno(rsm__tree_walk *walk, const char *folder, int code) {
  rsm_error error;
  rsm__fail_errno(&error, code, NULL, NULL);
  rsm__tree_add_gap_error(walk, folder, &error);
}

static void add_file(rsm__tree_walk *walk, const char *folder, const char *name, const rsm__stat *stat) {
  rsm__trees *trees = &walk->trees;
  if (rsm__grow(&trees->files, &trees->capacity, trees->count + 1, sizeof *trees->files) < 0) {
    walk->failed = true;
    return;
  }
  trees->files[trees->count++] = (rsm__tree_file){.dev = stat->dev,
                                                  .ino = stat->ino,
                                                  .mount_id = stat->mount_id,
                                                  .target = walk->root->target,
                                                  .directory = S_ISDIR(stat->mode),
                                                  .special = !S_ISDIR(stat->mode) && !S_ISREG(stat->mode),
                                                  .folder = folder,
                                                  .name = name};
}

/* A btrfs subvolume has a device of its own and is no other mount; without mount ids only the device can tell. */
static bool is_other_mount(const rsm__tree_root *root, const rsm__stat *found) {
  if (root->mount_id != 0 && found->mount_id != 0) return root->mount_id != found->mount_id;
  return root->dev != found->dev;
}

static void take_name(rsm__tree_walk *walk, int dir, const char *folder, const char *name) {
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return;
  rsm__stat stat;
  rsm__bounded_tick(walk->bounded);
  if (rsm__stat_at(dir, name, AT_SYMLINK_NOFOLLOW, &stat) != 0) return; /* removed since its name was read */
  if (S_ISLNK(stat.mode)) return;
  if (is_other_mount(walk->root, &stat)) {
    rsm__tree_add_gap(walk, folder, name, other_mount);
    return;
  }
  const char *kept = rsm__arena_strdup(&walk->trees.arena, name);
  if (!kept) {
    walk->failed = true;
    return;
  }
  add_file(walk, folder, kept, &stat);
  if (!S_ISDIR(stat.mode)) return;
  const char *below = folder[0] ? rsm__tree_join(walk, folder, name, "") : name;
  rsm__tree_add_pending(walk, rsm__arena_strdup(&walk->trees.arena, below), stat.dev, stat.ino);
}

static void read_names(rsm__tree_walk *walk, int dir, const char *folder) {
  for (;;) {
    ssize_t length = getdents64(dir, walk->reader->names, NAMES_SIZE);
    if (length < 0) add_gap_errno(walk, folder, errno);
    if (length <= 0) return;
    for (ssize_t at = 0; at < length && !walk->failed;) {
      const struct dirent64 *entry = (const void *)(walk->reader->names + at);
      take_name(walk, dir, folder, entry->d_name);
      at += entry->d_reclen;
    }
    if (walk->failed) return;
  }
}

bool rsm__tree_read(rsm__tree_walk *walk, const rsm__tree_pending *listed) {
  const char *path = rsm__tree_join(walk, walk->root->real, listed->folder, "");
  if (!path) return true;
  if (!rsm__bounded_touch(walk->bounded, path)) return false;
  RSM_CLEAN_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (dir < 0) {
    if (errno != ENOENT) add_gap_errno(walk, listed->folder, errno);
    return true;
  }
  rsm__stat stat;
  if (rsm__stat_at(dir, "", AT_EMPTY_PATH, &stat) != 0 || stat.dev != listed->dev || stat.ino != listed->ino)
    rsm__tree_add_gap(walk, listed->folder, "", "was replaced while it was searched");
  else
    read_names(walk, dir, listed->folder);
  return true;
}

void rsm__tree_begin(rsm__tree_walk *walk) {
  const rsm__tree_root *root = walk->root;
  const rsm__stat stat = {.dev = root->dev, .ino = root->ino, .mount_id = root->mount_id, .mode = S_IFDIR};
  add_file(walk, "", "", &stat);
  rsm__tree_add_pending(walk, "", root->dev, root->ino);
}
