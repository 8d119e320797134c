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
static const char no_answer[] = "did not answer in time; it was not searched";

/* All that the thread reads and writes. */
typedef struct tree_job {
  rsm__tree_root *roots;
  size_t root_count;
  rsm__dead_mounts dead;
  rsm__trees trees;
  rsm__bounded *bounded;
  struct pending {
    const char *folder;
    rsm__stat stat;
  } * pending; /* directories of the present root that are still to be read */
  size_t pending_count;
  size_t pending_capacity;
  const rsm__tree_root *root;
  rsm__buffer path;
  char *names;
  bool failed; /* out of memory */
} tree_job;

void rsm__trees_done(rsm__trees *trees) {
  rsm__free(trees->files);
  rsm__free(trees->gaps);
  rsm__arena_done(&trees->arena);
  *trees = (rsm__trees){0};
}

static void free_tree_job(void *argument) {
  tree_job *job = argument;
  rsm__trees_done(&job->trees);
  rsm__free(job->pending);
  rsm__buffer_done(&job->path);
  rsm__free(job->names);
  rsm__free(job);
}

static void put_below(rsm__buffer *text, const char *below) {
  if (below[0] == '\0') return;
  if (text->length == 0 || text->data[text->length - 1] != '/') rsm__buffer_put_u8(text, '/');
  rsm__buffer_put(text, below, strlen(below));
}

/* "base/folder/name", each but the first may be empty. Valid until the next call; NULL: out of memory. */
static const char *join(tree_job *job, const char *base, const char *folder, const char *name) {
  job->path.length = 0;
  rsm__buffer_put(&job->path, base, strlen(base));
  put_below(&job->path, folder);
  put_below(&job->path, name);
  rsm__buffer_put_u8(&job->path, '\0');
  if (job->path.failed) job->failed = true;
  return job->failed ? NULL : (const char *)job->path.data;
}

static void add_gap(tree_job *job, const char *folder, const char *name, const char *reason) {
  rsm__trees *trees = &job->trees;
  const char *path = rsm__arena_strdup(&trees->arena, join(job, job->root->path, folder, name));
  if (!path || rsm__grow(&trees->gaps, &trees->gap_capacity, trees->gap_count + 1, sizeof *trees->gaps) < 0) {
    job->failed = true;
    return;
  }
  trees->gaps[trees->gap_count++] = (rsm__tree_gap){.path = path, .reason = reason};
}

static void add_gap_errno(tree_job *job, const char *folder, int code) {
  rsm_error error;
  rsm__fail_errno(&error, code, NULL, NULL);
  const char *words = rsm__arena_strdup(&job->trees.arena, error.os_text);
  if (words)
    add_gap(job, folder, "", words);
  else
    job->failed = true;
}

static void add_file(tree_job *job, const char *folder, const char *name, const rsm__stat *stat) {
  rsm__trees *trees = &job->trees;
  if (rsm__grow(&trees->files, &trees->capacity, trees->count + 1, sizeof *trees->files) < 0) {
    job->failed = true;
    return;
  }
  trees->files[trees->count++] = (rsm__tree_file){.dev = stat->dev,
                                                  .ino = stat->ino,
                                                  .mount_id = stat->mount_id,
                                                  .target = job->root->target,
                                                  .directory = S_ISDIR(stat->mode),
                                                  .special = !S_ISDIR(stat->mode) && !S_ISREG(stat->mode),
                                                  .folder = folder,
                                                  .name = name};
}

static void add_pending(tree_job *job, const char *folder, const rsm__stat *stat) {
  if (!folder || rsm__grow(&job->pending, &job->pending_capacity, job->pending_count + 1, sizeof *job->pending) < 0) {
    job->failed = true;
    return;
  }
  job->pending[job->pending_count].folder = folder;
  job->pending[job->pending_count++].stat = *stat;
}

/* A btrfs subvolume has a device of its own and is no other mount; without mount ids only the device can tell. */
static bool is_other_mount(const rsm__stat *root, const rsm__stat *found) {
  if (root->mount_id != 0 && found->mount_id != 0) return root->mount_id != found->mount_id;
  return root->dev != found->dev;
}

static void take_name(tree_job *job, int dir, const char *folder, const char *name) {
  if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return;
  rsm__stat stat;
  rsm__bounded_tick(job->bounded);
  if (rsm__stat_at(dir, name, AT_SYMLINK_NOFOLLOW, &stat) != 0) return; /* removed since its name was read */
  if (S_ISLNK(stat.mode)) return;
  if (is_other_mount(&job->root->stat, &stat)) {
    add_gap(job, folder, name, other_mount);
    return;
  }
  const char *kept = rsm__arena_strdup(&job->trees.arena, name);
  if (!kept) {
    job->failed = true;
    return;
  }
  add_file(job, folder, kept, &stat);
  if (!S_ISDIR(stat.mode)) return;
  const char *below = folder[0] ? join(job, folder, name, "") : name;
  add_pending(job, rsm__arena_strdup(&job->trees.arena, below), &stat);
}

static void read_names(tree_job *job, int dir, const char *folder) {
  for (;;) {
    ssize_t length = getdents64(dir, job->names, NAMES_SIZE);
    if (length < 0) add_gap_errno(job, folder, errno);
    if (length <= 0) return;
    for (ssize_t at = 0; at < length && !job->failed;) {
      const struct dirent64 *entry = (const void *)(job->names + at);
      take_name(job, dir, folder, entry->d_name);
      at += entry->d_reclen;
    }
    if (job->failed) return;
  }
}

/* False: nobody waits any more. */
static bool read_directory(tree_job *job, const char *folder, const rsm__stat *expected) {
  const char *path = join(job, job->root->real, folder, "");
  if (!path) return true;
  if (!rsm__bounded_touch(job->bounded, path)) return false;
  RSM_CLEAN_FD int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (dir < 0) {
    if (errno != ENOENT) add_gap_errno(job, folder, errno);
    return true;
  }
  rsm__stat stat;
  if (rsm__stat_at(dir, "", AT_EMPTY_PATH, &stat) != 0 || stat.dev != expected->dev || stat.ino != expected->ino)
    add_gap(job, folder, "", "was replaced while it was searched");
  else
    read_names(job, dir, folder);
  return true;
}

static void walk_roots(rsm__bounded *bounded, void *argument) {
  tree_job *job = argument;
  job->bounded = bounded;
  for (size_t i = 0; i < job->root_count && !job->failed; i++) {
    job->root = &job->roots[i];
    job->pending_count = 0;
    if (rsm__dead_covers(&job->dead, job->root->real)) {
      add_gap(job, "", "", no_answer);
      continue;
    }
    add_file(job, "", "", &job->root->stat);
    add_pending(job, "", &job->root->stat);
    while (job->pending_count > 0 && !job->failed) {
      struct pending next = job->pending[--job->pending_count];
      if (!read_directory(job, next.folder, &next.stat)) return;
    }
  }
}

static tree_job *new_tree_job(const rsm__tree_root *roots, size_t count) {
  tree_job *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  rsm__arena *arena = &job->trees.arena;
  job->root_count = count;
  job->names = rsm__malloc(NAMES_SIZE);
  job->roots = rsm__arena_alloc(arena, count * sizeof *roots);
  bool whole = job->names && job->roots;
  for (size_t i = 0; i < count && whole; i++) {
    job->roots[i] = roots[i];
    job->roots[i].real = rsm__arena_strdup(arena, roots[i].real);
    job->roots[i].path = rsm__arena_strdup(arena, roots[i].path);
    whole = job->roots[i].real && job->roots[i].path;
  }
  if (whole) return job;
  free_tree_job(job);
  return NULL;
}

/* One thread's attempt. RSM_TIMEOUT: another is due, without the mount that hung. */
static rsm_status try_walk(rsm__lookup *lookup, const rsm__tree_root *roots, size_t count, rsm__task *task,
                           rsm__trees *ret_trees, rsm_error *reterr) {
  tree_job *job = new_tree_job(roots, count);
  if (!job) return rsm__fail_memory(reterr);
  rsm_status status = rsm__lookup_dead(lookup, &job->trees.arena, &job->dead, reterr);
  if (status != RSM_OK) {
    free_tree_job(job);
    return status;
  }
  status = rsm__lookup_run(lookup, walk_roots, free_tree_job, job, task, reterr);
  if (status != RSM_OK) return status;
  if (job->failed) {
    status = rsm__fail_memory(reterr);
  } else {
    *ret_trees = job->trees;
    job->trees = (rsm__trees){0};
  }
  free_tree_job(job);
  return status;
}

rsm_status rsm__trees_walk(rsm__lookup *lookup, const rsm__tree_root *roots, size_t count, rsm__task *task,
                           rsm__trees *ret_trees, rsm_error *reterr) {
  if (count == 0) return RSM_OK;
  rsm_status status = RSM_TIMEOUT;
  rsm__lookup_refresh(lookup);
  while (status == RSM_TIMEOUT) status = try_walk(lookup, roots, count, task, ret_trees, reterr);
  return status;
}
