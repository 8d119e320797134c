/* targets.c: see targets.h. SPDX-License-Identifier: MIT
 *
 * call                | purpose                       | blocks on
 * rsm__wanted_make    | what the paths lead to        | the lookup's limit, once a mount
 * rsm__wanted_walk    | what the directories hold     | the same
 */
#define _GNU_SOURCE
#include "os/linux/targets.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "os/linux/os_error.h"

static uint64_t super_of(const rsm__targets *t, uint64_t mount_id, uint64_t dev) {
  const rsm__mount *mount = mount_id ? rsm__mounts_find(&t->mounts, mount_id) : NULL;
  return mount ? mount->dev : dev;
}

static bool has_target(const rsm__targets *t, const rsm__target_file *file) {
  uint32_t i = rsm__index_first(&t->by_identity, rsm__hash_numbers(file->dev, file->ino));
  for (; i != RSM_INDEX_END; i = rsm__index_next(&t->by_identity, i))
    if (t->files[i].dev == file->dev && t->files[i].ino == file->ino && t->files[i].target == file->target) return true;
  return false;
}

/* Each identity once a target: a second hard link in a tree adds nothing. */
static bool add_file(rsm__targets *t, const rsm__target_file *file) {
  if (has_target(t, file)) return true;
  size_t count = t->by_identity.count;
  if (rsm__grow(&t->files, &t->file_capacity, count + 1, sizeof *t->files) < 0) return false;
  t->files[count] = *file;
  t->has_special |= file->special;
  return rsm__index_add(&t->by_ino, rsm__hash_numbers(0, file->ino)) &&
         rsm__index_add(&t->by_identity, rsm__hash_numbers(file->dev, file->ino));
}

static bool add_name(rsm__targets *t, uint32_t target, const char *text, bool tree) {
  size_t length = strlen(text), count = t->by_name.count;
  if (length <= 1) tree = false; /* "/": the tree of everything is searched by identity only */
  uint64_t hash = rsm__hash_text(text, length);
  for (uint32_t i = rsm__index_first(&t->by_name, hash); i != RSM_INDEX_END; i = rsm__index_next(&t->by_name, i))
    if (t->names[i].target == target && strcmp(t->names[i].text, text) == 0) {
      t->names[i].tree |= tree;
      return true;
    }
  if (rsm__grow(&t->names, &t->name_capacity, count + 1, sizeof *t->names) < 0) return false;
  t->names[count] = (rsm__target_name){.text = text, .length = length, .target = target, .tree = tree};
  return rsm__index_add(&t->by_name, hash);
}

static bool add_device(rsm__targets *t, uint64_t dev) {
  if (rsm__targets_on_device(t, dev)) return true;
  if (rsm__grow(&t->devices, &t->device_capacity, t->device_count + 1, sizeof *t->devices) < 0) return false;
  t->devices[t->device_count++] = dev;
  return true;
}

static bool add_stat_devices(rsm__targets *t, const rsm__stat *stat) {
  return add_device(t, stat->dev) && add_device(t, super_of(t, stat->mount_id, stat->dev));
}

static bool add_gap(rsm__targets *t, const char *path, const char *reason) {
  rsm__trees *trees = &t->trees;
  if (rsm__grow(&trees->gaps, &trees->gap_capacity, trees->gap_count + 1, sizeof *trees->gaps) < 0) return false;
  trees->gaps[trees->gap_count++] = (rsm__tree_gap){.path = path, .reason = reason};
  return true;
}

/* A path that we may not look at is told; one that does not exist, or is no path, has nothing to tell. */
static bool add_refused(rsm__targets *t, uint32_t target, int code) {
  if (code == ENOENT || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG) return true;
  rsm_error error;
  rsm__fail_errno(&error, code, NULL, NULL);
  const char *words = rsm__arena_strdup(&t->trees.arena, error.os_text);
  return words && add_gap(t, t->paths.items[target].path, words);
}

/* One registered path (or its real path of then) as an identity and a name. */
static bool add_place(rsm__targets *t, uint32_t target, const rsm__place *place) {
  if (!place->real) return add_gap(t, t->paths.items[target].path, "did not answer in time");
  bool tree = place->error != 0 || S_ISDIR(place->stat.mode);
  if (tree) t->has_directories = true;
  if (!add_name(t, target, place->real, tree)) return false;
  if (place->dir && !add_stat_devices(t, &place->dir->stat)) return false;
  if (place->error != 0) return add_refused(t, target, place->error);
  const rsm__target_file file = {.dev = place->stat.dev,
                                 .ino = place->stat.ino,
                                 .super = super_of(t, place->stat.mount_id, place->stat.dev),
                                 .target = target,
                                 .directory = S_ISDIR(place->stat.mode),
                                 .special = !S_ISDIR(place->stat.mode) && !S_ISREG(place->stat.mode),
                                 .folder = "",
                                 .name = ""};
  return add_stat_devices(t, &place->stat) && add_file(t, &file);
}

static bool add_trees(rsm__targets *t) {
  for (size_t i = 0; i < t->trees.count; i++) {
    const rsm__tree_file *found = &t->trees.files[i];
    const rsm__target_file file = {.dev = found->dev,
                                   .ino = found->ino,
                                   .super = super_of(t, found->mount_id, found->dev),
                                   .target = found->target,
                                   .directory = found->directory,
                                   .special = found->special,
                                   .folder = found->folder,
                                   .name = found->name};
    if (!add_file(t, &file)) return false;
  }
  return true;
}

static bool add_paths(rsm__targets *t) {
  for (size_t i = 0; i < t->paths.count; i++) {
    if (t->paths.firsts[i] != i) continue;
    if (!add_place(t, (uint32_t)i, &t->paths.now.items[i]) ||
        !add_name(t, (uint32_t)i, t->paths.items[i].path,
                  t->paths.now.items[i].error != 0 || S_ISDIR(t->paths.now.items[i].stat.mode)))
      return false;
  }
  /* That one did not answer was said of the path itself, or is of the past. */
  for (size_t i = 0; i < t->paths.real.count; i++)
    if (t->paths.real.items[i].real && !add_place(t, t->paths.others[i], &t->paths.real.items[i])) return false;
  return true;
}

bool rsm__place_root(const rsm__place *places, size_t i, rsm__tree_root *ret_root) {
  const rsm__place *place = &places[i];
  if (!place->real || place->error != 0 || !S_ISDIR(place->stat.mode)) return false;
  *ret_root = (rsm__tree_root){
      .real = place->real, .dev = place->stat.dev, .ino = place->stat.ino, .mount_id = place->stat.mount_id};
  return true;
}

rsm_status rsm__targets_build(rsm__targets *t, const rsm__target *items, size_t count, rsm__lookup *lookup,
                              rsm__task *task, rsm_error *reterr) {
  *t = (rsm__targets){.lookup = lookup};
  rsm_status status = rsm__mounts_read(&t->mounts, reterr);
  if (status == RSM_OK) status = rsm__wanted_make(&t->paths, items, count, lookup, task, reterr);
  if (status == RSM_OK) status = rsm__wanted_walk(&t->paths, lookup, task, &t->trees, reterr);
  if (status != RSM_OK) return status;
  return add_paths(t) && add_trees(t) ? RSM_OK : rsm__fail_memory(reterr);
}

void rsm__targets_done(rsm__targets *t) {
  rsm__free(t->files);
  rsm__free(t->names);
  rsm__free(t->devices);
  rsm__index_done(&t->by_identity);
  rsm__index_done(&t->by_ino);
  rsm__index_done(&t->by_name);
  rsm__mounts_done(&t->mounts);
  rsm__wanted_done(&t->paths);
  rsm__trees_done(&t->trees);
}

bool rsm__targets_on_device(const rsm__targets *t, uint64_t dev) {
  for (size_t i = 0; i < t->device_count; i++) /* as many as there are mounts with registered files: few */
    if (t->devices[i] == dev) return true;
  return false;
}

/* ---- Questions ---- */

static void add_match(rsm__matches *matches, rsm__match match) {
  if (rsm__grow(&matches->items, &matches->capacity, matches->count + 1, sizeof match) < 0)
    matches->failed = true;
  else
    matches->items[matches->count++] = match;
}

static rsm__match match_of(const rsm__target_file *file) {
  return (rsm__match){
      .target = file->target, .folder = file->folder, .name = file->name, .name_length = strlen(file->name)};
}

void rsm__targets_match_identity(const rsm__targets *t, uint64_t dev, uint64_t ino, rsm__matches *matches) {
  matches->count = 0;
  uint32_t i = rsm__index_first(&t->by_identity, rsm__hash_numbers(dev, ino));
  for (; i != RSM_INDEX_END; i = rsm__index_next(&t->by_identity, i))
    if (t->files[i].dev == dev && t->files[i].ino == ino) add_match(matches, match_of(&t->files[i]));
}

rsm__mapped rsm__targets_match_mapping(const rsm__targets *t, uint64_t dev, uint64_t ino, rsm__matches *matches) {
  rsm__mapped answer = RSM__MAPPED_NO;
  matches->count = 0;
  uint32_t i = rsm__index_first(&t->by_ino, rsm__hash_numbers(0, ino));
  for (; i != RSM_INDEX_END; i = rsm__index_next(&t->by_ino, i)) {
    const rsm__target_file *file = &t->files[i];
    if (file->ino != ino || file->directory) continue;
    if (file->super == dev && file->dev == dev) {
      add_match(matches, match_of(file));
      answer = RSM__MAPPED_YES;
    } else if (answer == RSM__MAPPED_NO) {
      answer = RSM__MAPPED_PERHAPS;
    }
  }
  return answer;
}

bool rsm__targets_has_inode(const rsm__targets *t, uint64_t ino) {
  uint32_t i = rsm__index_first(&t->by_ino, rsm__hash_numbers(0, ino));
  while (i != RSM_INDEX_END && t->files[i].ino != ino) i = rsm__index_next(&t->by_ino, i);
  return i != RSM_INDEX_END;
}

void rsm__targets_keep_inode(const rsm__targets *t, uint64_t ino, rsm__matches *matches) {
  size_t kept = 0;
  for (size_t m = 0; m < matches->count; m++) {
    bool same = false;
    uint32_t i = rsm__index_first(&t->by_ino, rsm__hash_numbers(0, ino));
    for (; i != RSM_INDEX_END && !same; i = rsm__index_next(&t->by_ino, i))
      same = t->files[i].ino == ino && t->files[i].target == matches->items[m].target;
    if (same) matches->items[kept++] = matches->items[m];
  }
  matches->count = kept;
}

void rsm__targets_match_name(const rsm__targets *t, const char *text, size_t length, rsm__matches *matches) {
  matches->count = 0;
  for (size_t end = 1; end <= length; end++) {
    if (end < length && text[end] != '/') continue;
    uint64_t hash = rsm__hash_text(text, end);
    for (uint32_t i = rsm__index_first(&t->by_name, hash); i != RSM_INDEX_END; i = rsm__index_next(&t->by_name, i)) {
      const rsm__target_name *name = &t->names[i];
      if (name->length != end || memcmp(name->text, text, end) != 0 || (end < length && !name->tree)) continue;
      size_t rest = end < length ? end + 1 : length;
      add_match(matches,
                (rsm__match){.target = name->target, .folder = "", .name = text + rest, .name_length = length - rest});
    }
  }
}

bool rsm__targets_is_place(const rsm__targets *t, const rsm__place *place, uint64_t dev, uint64_t ino) {
  return place->real && place->error == 0 && place->stat.ino == ino &&
         (place->stat.dev == dev || super_of(t, place->stat.mount_id, place->stat.dev) == dev);
}

const char *rsm__match_path(const rsm__targets *t, const rsm__match *match, rsm__arena *arena) {
  const char *base = t->paths.items[match->target].path;
  size_t folder = strlen(match->folder), at = strlen(base);
  if (folder == 0 && match->name_length == 0) return rsm__arena_strdup(arena, base);
  if (at == 1) at = 0; /* "/": its slash comes with what follows */
  char *path = rsm__arena_alloc(arena, at + folder + match->name_length + 3);
  if (!path) return NULL;
  memcpy(path, base, at);
  path[at++] = '/';
  memcpy(path + at, match->folder, folder);
  at += folder;
  if (folder > 0) path[at++] = '/';
  memcpy(path + at, match->name, match->name_length);
  return path; /* arenas are zeroed */
}

size_t rsm__deleted_name(const char *text, size_t length) {
  static const char suffix[] = " (deleted)";
  const size_t size = sizeof suffix - 1;
  if (length <= size || memcmp(text + length - size, suffix, size) != 0) return 0;
  return length - size;
}
