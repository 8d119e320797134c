/* tree.c: see tree.h. SPDX-License-Identifier: MIT
 *
 * call                   | purpose                      | blocks on
 * rsm__directory_open    | a directory                  | the file system's server; the caller gives this thread up
 * rsm__directory_next    | names, and what each is      | the same
 * rsm__file_look         | a file whose number is not   | the same
 *                        | told; where a link leads     |
 *
 * Directories are opened by their whole path without following a link, and compared with what the parent's listing said
 * they are: whoever swaps one for a link meanwhile makes it a gap, not a walk through somebody else's files. One handle
 * is open at a time, and none of them when the processes are looked at. */
#include "os/windows/tree.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/windows/directory.h"
#include "os/windows/handle.h"
#include "os/windows/nt.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"

static const char other_volume[] = "another volume is mounted here; it was not searched";
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
    uint64_t index; /* 0: not told */
  } * pending;      /* directories of the present root that are still to be read */
  size_t pending_count;
  size_t pending_capacity;
  const rsm__tree_root *root;
  rsm__buffer path;
  rsm__buffer real;
  rsm__directory directory;
  bool proven; /* the numbers in this root's listings are those that opened files show */
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
  rsm__buffer_done(&job->real);
  rsm__directory_done(&job->directory);
  rsm__free(job);
}

/* ---- Results ---- */

static void put_below(rsm__buffer *text, const char *below) {
  if (below[0] == '\0') return;
  if (text->length > 0 && text->data[text->length - 1] != '\\') rsm__buffer_put_u8(text, '\\');
  rsm__buffer_put(text, below, strlen(below));
}

/* "base\folder\name", each may be empty. Valid until the next call; NULL: out of memory. */
static const char *join(tree_job *job, const char *base, const char *folder, const char *name) {
  job->path.length = 0;
  put_below(&job->path, base);
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

static void add_gap_code(tree_job *job, const char *folder, uint32_t code) {
  rsm_error error = {0};
  rsm__fail_windows(&error, code, NULL, NULL);
  const char *words = rsm__arena_strdup(&job->trees.arena, error.os_text);
  if (words)
    add_gap(job, folder, "", words);
  else
    job->failed = true;
}

static void add_file(tree_job *job, const char *folder, const char *name, uint64_t index, bool directory) {
  rsm__trees *trees = &job->trees;
  if (rsm__grow(&trees->files, &trees->capacity, trees->count + 1, sizeof *trees->files) < 0) {
    job->failed = true;
    return;
  }
  trees->files[trees->count++] = (rsm__tree_file){.id = {.volume = job->root->id.volume, .index = index},
                                                  .target = job->root->target,
                                                  .directory = directory,
                                                  .folder = folder,
                                                  .name = name};
}

static void add_pending(tree_job *job, const char *folder, uint64_t index) {
  if (!folder || rsm__grow(&job->pending, &job->pending_capacity, job->pending_count + 1, sizeof *job->pending) < 0) {
    job->failed = true;
    return;
  }
  job->pending[job->pending_count++] = (struct pending){.folder = folder, .index = index};
}

/* ---- The walk ---- */

/* The path below the root with \\?\ before it, to be freed with rsm__free. NULL: out of memory. */
static wchar_t *path_of(tree_job *job, const char *folder, const char *name) {
  wchar_t *wide = NULL;
  const char *path = join(job, job->root->real, folder, name);
  if (!path || rsm__wide_verbatim(path, &wide) != RSM_OK) job->failed = true;
  return wide;
}

/* False: it cannot be looked at, or was removed since its name was read. */
static bool look(tree_job *job, const wchar_t *path, bool at_link, HANDLE *ret_handle) {
  int32_t status = rsm__file_look(path, RSM__LOOK_FILE, at_link, ret_handle);
  if (status == RSM__STATUS_NO_MEMORY) job->failed = true;
  return status >= 0;
}

/* "E:\" or "\\?\Volume{...}\". */
static bool is_volume_root(const char *path) {
  size_t root = rsm__root_length(path);
  return path[root] == '\0' || path[root + 1] == '\0';
}

/* Of a link: is it a volume that is mounted here, or any other? What it leads to is that volume's root then, or has the
 * very path of the link. */
static bool is_mounted(tree_job *job, const char *folder, const char *name) {
  RSM_CLEAN_WIDE path = path_of(job, folder, name);
  if (!path || !rsm__bounded_touch(job->bounded, (const char *)job->path.data)) return false;
  RSM_CLEAN_HANDLE HANDLE there = NULL;
  uint64_t volume;
  if (!look(job, path, false, &there) || !rsm__file_volume(there, &volume) || volume == job->root->id.volume)
    return false;
  rsm__file_real_path(there, &job->real);
  if (job->real.failed) job->failed = true;
  if (job->failed || job->real.length == 0) return false;
  const char *real = rsm__outward(&job->trees.arena, (const wchar_t *)(void *)job->real.data);
  if (!real) job->failed = true;
  return real && (is_volume_root(real) || _stricmp(real, (const char *)job->path.data) == 0);
}

static bool ask_index(tree_job *job, const char *folder, const char *name, uint64_t *ret_index) {
  RSM_CLEAN_WIDE path = path_of(job, folder, name);
  if (!path) return false;
  RSM_CLEAN_HANDLE HANDLE file = NULL;
  return look(job, path, true, &file) && rsm__file_index(file, ret_index);
}

static void take_entry(tree_job *job, const char *folder, const rsm__entry *entry) {
  bool directory = (entry->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  const char *name = rsm__narrow_in(&job->trees.arena, entry->name, entry->length);
  rsm__bounded_tick(job->bounded);
  if (!name) {
    job->failed = true;
    return;
  }
  if (rsm__entry_is_link(entry)) {
    if (directory && is_mounted(job, folder, name)) add_gap(job, folder, name, other_volume);
    return;
  }
  if (directory) { /* what it is shows when it is opened */
    const char *below = folder[0] ? join(job, folder, name, "") : name;
    add_pending(job, rsm__arena_strdup(&job->trees.arena, below), entry->index);
    return;
  }
  uint64_t index = entry->index;
  if (!job->proven || index == 0) {
    if (!ask_index(job, folder, name, &index)) return;
    job->proven = index == entry->index;
  }
  add_file(job, folder, name, index, false);
}

/* Is the directory that was opened the one that was listed, and none that leads elsewhere? Adds it if so. */
static bool take_directory(tree_job *job, const struct pending *listed) {
  uint32_t tag;
  uint64_t index;
  HANDLE handle = job->directory.handle;
  const rsm__entry itself = {.attributes = rsm__file_attributes(handle, &tag), .tag = tag};
  bool is_root = listed->folder[0] == '\0', same = rsm__file_index(handle, &index);
  if (same && is_root) same = index == job->root->id.index;
  if (same && !is_root) same = !rsm__entry_is_link(&itself);
  if (same && job->proven && listed->index != 0) same = index == listed->index;
  if (!same) {
    add_gap(job, listed->folder, "", "was replaced while it was searched");
    return false;
  }
  const char *slash = strrchr(listed->folder, '\\');
  size_t length = slash ? (size_t)(slash - listed->folder) : 0;
  const char *parent = rsm__arena_copy(&job->trees.arena, listed->folder, length);
  if (!parent) job->failed = true;
  if (!job->failed) add_file(job, parent, slash ? slash + 1 : listed->folder, index, true);
  return !job->failed;
}

static void read_names(tree_job *job, const struct pending *listed) {
  rsm__entry entry;
  if (!take_directory(job, listed)) return;
  while (!job->failed && rsm__directory_next(&job->directory, &entry)) take_entry(job, listed->folder, &entry);
  if (job->directory.error != 0 && !job->failed) add_gap_code(job, listed->folder, job->directory.error);
}

/* False: nobody waits any more. */
static bool read_directory(tree_job *job, const struct pending *listed) {
  RSM_CLEAN_WIDE path = path_of(job, listed->folder, "");
  if (!path) return true;
  if (!rsm__bounded_touch(job->bounded, (const char *)job->path.data)) return false;
  /* a root's real path may be a folder in which its volume is mounted: that is followed */
  uint32_t code = rsm__directory_open(&job->directory, path, listed->folder[0] != '\0');
  if (!job->directory.buffer)
    job->failed = true;
  else if (code == 0)
    read_names(job, listed);
  else if (code != ERROR_FILE_NOT_FOUND && code != ERROR_PATH_NOT_FOUND)
    add_gap_code(job, listed->folder, code);
  rsm__handle_close(&job->directory.handle);
  return true;
}

static void walk_roots(rsm__bounded *bounded, void *argument) {
  tree_job *job = argument;
  job->bounded = bounded;
  for (size_t i = 0; i < job->root_count && !job->failed; i++) {
    job->root = &job->roots[i];
    job->pending_count = 0;
    job->proven = false;
    if (rsm__dead_covers(&job->dead, job->root->real)) {
      add_gap(job, "", "", no_answer);
      continue;
    }
    add_pending(job, "", 0);
    while (job->pending_count > 0 && !job->failed) {
      struct pending next = job->pending[--job->pending_count];
      if (!read_directory(job, &next)) return;
    }
  }
}

static tree_job *new_tree_job(const rsm__tree_root *roots, size_t count) {
  tree_job *job = rsm__calloc(1, sizeof *job);
  if (!job) return NULL;
  rsm__arena *arena = &job->trees.arena;
  job->root_count = count;
  job->roots = rsm__arena_alloc(arena, count * sizeof *roots);
  bool whole = job->roots != NULL;
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

/* One thread's attempt. RSM_TIMEOUT: another is due, without the drive or share that hung. */
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
