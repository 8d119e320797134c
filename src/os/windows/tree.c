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

const char rsm__tree_separator = '\\';

struct rsm__tree_reader {
  rsm__directory directory;
  rsm__buffer real;
  bool proven; /* the numbers in this root's listings are those that opened files show */
};

rsm__tree_reader *rsm__tree_reader_new(void) {
  return rsm__calloc(1, sizeof(rsm__tree_reader));
}

void rsm__tree_reader_free(rsm__tree_reader *reader) {
  if (!reader) return;
  rsm__directory_done(&reader->directory);
  rsm__buffer_done(&reader->real);
  rsm__free(reader);
}

/* ---- Results ---- */

static void add_gap_code(rsm__tree_walk *walk, const char *folder, uint32_t code) {
  rsm_error error = {0};
  rsm__fail_windows(&error, code, NULL, NULL);
  rsm__tree_add_gap_error(walk, folder, &error);
}

static void add_file(rsm__tree_walk *walk, const char *folder, const char *name, uint64_t index, bool directory) {
  rsm__trees *trees = &walk->trees;
  if (rsm__grow(&trees->files, &trees->capacity, trees->count + 1, sizeof *trees->files) < 0) {
    walk->failed = true;
    return;
  }
  trees->files[trees->count++] = (rsm__tree_file){.id = {.volume = walk->root->dev, .index = index},
                                                  .target = walk->root->target,
                                                  .directory = directory,
                                                  .folder = folder,
                                                  .name = name};
}

/* ---- The walk ---- */

/* The path below the root with \\?\ before it, to be freed with rsm__free. NULL: out of memory. */
static wchar_t *path_of(rsm__tree_walk *walk, const char *folder, const char *name) {
  wchar_t *wide = NULL;
  const char *path = rsm__tree_join(walk, walk->root->real, folder, name);
  if (!path || rsm__wide_verbatim(path, &wide) != RSM_OK) walk->failed = true;
  return wide;
}

/* False: it cannot be looked at, or was removed since its name was read. */
static bool look(rsm__tree_walk *walk, const wchar_t *path, bool at_link, HANDLE *ret_handle) {
  int32_t status = rsm__file_look(path, RSM__LOOK_FILE, at_link, ret_handle);
  if (status == RSM__STATUS_NO_MEMORY) walk->failed = true;
  return status >= 0;
}

/* "E:\" or "\\?\Volume{...}\". */
static bool is_volume_root(const char *path) {
  size_t root = rsm__root_length(path);
  return path[root] == '\0' || path[root + 1] == '\0';
}

/* Of a link: is it a volume that is mounted here, or any other? What it leads to is that volume's root then, or has the
 * very path of the link. */
static bool is_mounted(rsm__tree_walk *walk, const char *folder, const char *name) {
  RSM_CLEAN_WIDE path = path_of(walk, folder, name);
  if (!path || !rsm__bounded_touch(walk->bounded, (const char *)walk->path.data)) return false;
  RSM_CLEAN_HANDLE HANDLE there = NULL;
  uint64_t volume;
  if (!look(walk, path, false, &there) || !rsm__file_volume(there, &volume) || volume == walk->root->dev) return false;
  rsm__file_real_path(there, &walk->reader->real);
  if (walk->reader->real.failed) walk->failed = true;
  if (walk->failed || walk->reader->real.length == 0) return false;
  const char *real = rsm__outward(&walk->trees.arena, (const wchar_t *)(void *)walk->reader->real.data);
  if (!real) walk->failed = true;
  return real && (is_volume_root(real) || _stricmp(real, (const char *)walk->path.data) == 0);
}

static const char no_number[] = "its volume gave it no number; it was not searched for";

static bool ask_index(rsm__tree_walk *walk, const char *folder, const char *name, uint64_t *ret_index) {
  RSM_CLEAN_WIDE path = path_of(walk, folder, name);
  if (!path) return false;
  RSM_CLEAN_HANDLE HANDLE file = NULL;
  return look(walk, path, true, &file) && rsm__file_index(file, ret_index);
}

static void take_entry(rsm__tree_walk *walk, const char *folder, const rsm__entry *entry) {
  bool directory = (entry->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  const char *name = rsm__narrow_in(&walk->trees.arena, entry->name, entry->length);
  rsm__bounded_tick(walk->bounded);
  if (!name) {
    walk->failed = true;
    return;
  }
  if (rsm__entry_is_link(entry)) {
    if (directory && is_mounted(walk, folder, name)) rsm__tree_add_gap(walk, folder, name, other_volume);
    return;
  }
  if (directory) { /* what it is shows when it is opened */
    const char *below = folder[0] ? rsm__tree_join(walk, folder, name, "") : name;
    rsm__tree_add_pending(walk, rsm__arena_strdup(&walk->trees.arena, below), 0, entry->index);
    return;
  }
  uint64_t index = entry->index;
  if (!walk->reader->proven || index == 0) {
    if (!ask_index(walk, folder, name, &index)) return;
    walk->reader->proven = index == entry->index;
  }
  if (index == 0) {
    rsm__tree_add_gap(walk, folder, name, no_number);
    return;
  }
  add_file(walk, folder, name, index, false);
}

/* Is the directory that was opened the one that was listed, and none that leads elsewhere? Adds it if so. */
static bool take_directory(rsm__tree_walk *walk, const rsm__tree_pending *listed) {
  uint32_t tag;
  uint64_t index;
  HANDLE handle = walk->reader->directory.handle;
  const rsm__entry itself = {.attributes = rsm__file_attributes(handle, &tag), .tag = tag};
  bool is_root = listed->folder[0] == '\0', same = rsm__file_index(handle, &index);
  if (same && is_root) same = index == walk->root->ino;
  if (same && !is_root) same = !rsm__entry_is_link(&itself);
  if (same && walk->reader->proven && listed->ino != 0) same = index == listed->ino;
  if (!same) {
    rsm__tree_add_gap(walk, listed->folder, "", "was replaced while it was searched");
    return false;
  }
  const char *slash = strrchr(listed->folder, '\\');
  size_t length = slash ? (size_t)(slash - listed->folder) : 0;
  const char *parent = rsm__arena_copy(&walk->trees.arena, listed->folder, length);
  if (!parent) walk->failed = true;
  if (!walk->failed && index != 0) add_file(walk, parent, slash ? slash + 1 : listed->folder, index, true);
  return !walk->failed;
}

static void read_names(rsm__tree_walk *walk, const rsm__tree_pending *listed) {
  rsm__entry entry;
  if (!take_directory(walk, listed)) return;
  while (!walk->failed && rsm__directory_next(&walk->reader->directory, &entry))
    take_entry(walk, listed->folder, &entry);
  if (walk->reader->directory.error != 0 && !walk->failed)
    add_gap_code(walk, listed->folder, walk->reader->directory.error);
}

bool rsm__tree_read(rsm__tree_walk *walk, const rsm__tree_pending *listed) {
  RSM_CLEAN_WIDE path = path_of(walk, listed->folder, "");
  if (!path) return true;
  if (!rsm__bounded_touch(walk->bounded, (const char *)walk->path.data)) return false;
  /* a root's real path may be a folder in which its volume is mounted: that is followed */
  uint32_t code = rsm__directory_open(&walk->reader->directory, path, listed->folder[0] != '\0');
  if (!walk->reader->directory.buffer)
    walk->failed = true;
  else if (code == 0)
    read_names(walk, listed);
  else if (code != ERROR_FILE_NOT_FOUND && code != ERROR_PATH_NOT_FOUND)
    add_gap_code(walk, listed->folder, code);
  rsm__handle_close(&walk->reader->directory.handle);
  return true;
}

void rsm__tree_begin(rsm__tree_walk *walk) {
  walk->reader->proven = false;
  rsm__tree_add_pending(walk, "", 0, 0);
}
