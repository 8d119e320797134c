/* targets.c: see targets.h. SPDX-License-Identifier: MIT
 *
 * call                | purpose                       | blocks on
 * rsm__wanted_make    | what the paths lead to        | the lookup's limit, once a drive or share
 * rsm__wanted_walk    | what the directories hold     | the same
 * rsm__letters_read   | the drive letters             | nothing
 */
#include "os/windows/targets.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"
#include "os/windows/wine.h"

static bool same_id(const rsm__file_id *a, const rsm__file_id *b) {
  return a->volume == b->volume && a->index == b->index;
}

static uint64_t hash_id(const rsm__file_id *id) {
  return rsm__hash_numbers(id->volume, id->index);
}

static bool has_target(const rsm__targets *t, const rsm__target_file *file) {
  uint32_t i = rsm__index_first(&t->by_identity, hash_id(&file->id));
  for (; i != RSM_INDEX_END; i = rsm__index_next(&t->by_identity, i))
    if (same_id(&t->files[i].id, &file->id) && t->files[i].target == file->target) return true;
  return false;
}

/* Each identity once a target: a second hard link in a tree adds nothing. */
static bool add_file(rsm__targets *t, const rsm__target_file *file) {
  if (has_target(t, file)) return true;
  size_t count = t->by_identity.count;
  if (rsm__grow(&t->files, &t->file_capacity, count + 1, sizeof *t->files) < 0) return false;
  t->files[count] = *file;
  return rsm__index_add(&t->by_index, rsm__hash_numbers(0, file->id.index)) &&
         rsm__index_add(&t->by_identity, hash_id(&file->id));
}

/* Fills t->name. RSM_BAD_ARGUMENTS: the text is no path. */
static rsm_status set_name(rsm__targets *t, const char *text) {
  RSM_CLEAN_WIDE wide = NULL;
  rsm_status status = rsm__wide_new(text, &wide, NULL);
  if (status != RSM_OK) return status;
  return rsm__name_set(&t->name, &t->letters, wide, wcslen(wide)) ? RSM_OK : RSM_OUT_OF_MEMORY;
}

static uint64_t hash_key(const wchar_t *key, size_t length) {
  return rsm__hash_text((const char *)key, length * sizeof *key);
}

static bool add_name(rsm__targets *t, uint32_t target, const char *text, bool tree) {
  rsm_status status = set_name(t, text);
  if (status != RSM_OK) return status == RSM_BAD_ARGUMENTS;
  const wchar_t *key = rsm__name_key(&t->name);
  size_t length = rsm__name_length(&t->name), count = t->by_name.count;
  while (length > 0 && key[length - 1] == L'\\') length--;
  if (rsm__name_is_remote(&t->name)) t->has_remote = true;
  if (rsm__name_in_snapshot(rsm__name_plain(&t->name), length)) t->has_snapshot = true;
  uint64_t hash = hash_key(key, length);
  for (uint32_t i = rsm__index_first(&t->by_name, hash); i != RSM_INDEX_END; i = rsm__index_next(&t->by_name, i))
    if (t->names[i].target == target && t->names[i].length == length && wmemcmp(t->names[i].key, key, length) == 0) {
      t->names[i].tree |= tree;
      return true;
    }
  wchar_t *kept = rsm__arena_alloc(&t->arena, (length + 1) * sizeof *kept);
  if (!kept || rsm__grow(&t->names, &t->name_capacity, count + 1, sizeof *t->names) < 0) return false;
  memcpy(kept, key, length * sizeof *kept);
  t->names[count] = (rsm__target_name){.key = kept, .length = length, .target = target, .tree = tree};
  return rsm__index_add(&t->by_name, hash);
}

static bool add_gap(rsm__targets *t, const char *path, const char *reason) {
  rsm__trees *trees = &t->trees;
  if (rsm__grow(&trees->gaps, &trees->gap_capacity, trees->gap_count + 1, sizeof *trees->gaps) < 0) return false;
  trees->gaps[trees->gap_count++] = (rsm__tree_gap){.path = path, .reason = reason};
  return true;
}

/* A path that we may not look at is told, though its name may still find it; one that does not exist, or is no path,
 * has nothing to tell. */
static bool add_refused(rsm__targets *t, uint32_t target, const rsm__place *place) {
  if (place->deleted || rsm__windows_status(place->error) == RSM_FILE_NOT_FOUND) return true;
  rsm_error error = {0};
  rsm__fail_windows(&error, place->error, NULL, NULL);
  const char *words = rsm__arena_strdup(&t->trees.arena, error.os_text);
  return words && add_gap(t, t->paths.items[target].path, words);
}

/* One registered path (or its real path of then) as an identity and a name. */
static bool add_place(rsm__targets *t, uint32_t target, const rsm__place *place) {
  if (!place->real) return add_gap(t, t->paths.items[target].path, "did not answer in time");
  bool tree = place->error != 0 || place->directory;
  if (tree) t->has_directories = true;
  if (!add_name(t, target, place->real, tree)) return false;
  if (place->error != 0) {
    if (place->deleted || rsm__windows_status(place->error) != RSM_FILE_NOT_FOUND) t->has_closed = true;
    return add_refused(t, target, place);
  }
  if (!place->has_id) {
    t->has_numberless = true;
    return true;
  }
  const rsm__target_file file = {
      .id = place->id, .target = target, .directory = place->directory, .folder = "", .name = ""};
  return add_file(t, &file);
}

static bool add_trees(rsm__targets *t) {
  for (size_t i = 0; i < t->trees.count; i++) {
    const rsm__tree_file *found = &t->trees.files[i];
    const rsm__target_file file = {.id = found->id,
                                   .target = found->target,
                                   .directory = found->directory,
                                   .folder = found->folder,
                                   .name = found->name};
    if (!add_file(t, &file)) return false;
  }
  return true;
}

static bool add_paths(rsm__targets *t) {
  for (size_t i = 0; i < t->paths.count; i++) {
    const rsm__place *place = &t->paths.now.items[i];
    const char *path = t->paths.items[i].path;
    if (t->paths.firsts[i] != i) continue;
    if (!add_place(t, (uint32_t)i, place)) return false;
    if (place->real && strcmp(place->real, path) == 0) continue; /* that name is there already */
    if (!add_name(t, (uint32_t)i, path, place->error != 0 || place->directory)) return false;
  }
  /* That one did not answer was said of the path itself, or is of the past. */
  for (size_t i = 0; i < t->paths.real.count; i++)
    if (t->paths.real.items[i].real && !add_place(t, t->paths.others[i], &t->paths.real.items[i])) return false;
  return true;
}

bool rsm__place_root(const rsm__place *places, size_t i, rsm__tree_root *ret_root) {
  const rsm__place *place = &places[i];
  if (!place->real || !place->has_id || !place->directory) return false;
  *ret_root = (rsm__tree_root){.real = place->real, .dev = place->id.volume, .ino = place->id.index};
  return true;
}

rsm_status rsm__targets_build(rsm__targets *t, const rsm__target *items, size_t count, rsm__lookup *lookup,
                              rsm__task *task, rsm_error *reterr) {
  *t = (rsm__targets){.lookup = lookup, .may_lack_volume = rsm__under_wine()};
  rsm__letters_read(&t->letters);
  rsm_status status = rsm__wanted_make(&t->paths, items, count, lookup, task, reterr);
  if (status == RSM_OK) status = rsm__wanted_walk(&t->paths, lookup, task, &t->trees, reterr);
  if (status != RSM_OK) return status;
  return add_paths(t) && add_trees(t) ? RSM_OK : rsm__fail_memory(reterr);
}

void rsm__targets_done(rsm__targets *t) {
  rsm__free(t->files);
  rsm__free(t->names);
  rsm__index_done(&t->by_identity);
  rsm__index_done(&t->by_index);
  rsm__index_done(&t->by_name);
  rsm__wanted_done(&t->paths);
  rsm__trees_done(&t->trees);
  rsm__name_done(&t->name);
  rsm__arena_done(&t->arena);
}

/* ---- Questions ---- */

static void add_match(rsm__matches *matches, rsm__match match) {
  if (rsm__grow(&matches->items, &matches->capacity, matches->count + 1, sizeof match) < 0) {
    matches->failed = true;
    return;
  }
  matches->items[matches->count++] = match;
}

bool rsm__targets_has_index(const rsm__targets *t, uint64_t index) {
  uint32_t i = rsm__index_first(&t->by_index, rsm__hash_numbers(0, index));
  while (i != RSM_INDEX_END && t->files[i].id.index != index) i = rsm__index_next(&t->by_index, i);
  return i != RSM_INDEX_END;
}

static rsm__match match_of(const rsm__target_file *file) {
  return (rsm__match){.target = file->target, .folder = file->folder, .name = file->name};
}

void rsm__targets_match_identity(const rsm__targets *t, const rsm__file_id *id, rsm__matches *matches) {
  matches->count = 0;
  uint32_t i = rsm__index_first(&t->by_identity, hash_id(id));
  for (; i != RSM_INDEX_END; i = rsm__index_next(&t->by_identity, i))
    if (same_id(&t->files[i].id, id)) add_match(matches, match_of(&t->files[i]));
  if (id->volume != 0 || !t->may_lack_volume || matches->count > 0) return;
  i = rsm__index_first(&t->by_index, rsm__hash_numbers(0, id->index));
  for (; i != RSM_INDEX_END; i = rsm__index_next(&t->by_index, i))
    if (t->files[i].id.index == id->index) add_match(matches, match_of(&t->files[i]));
}

void rsm__targets_match_name(const rsm__targets *t, const rsm__name *name, rsm__matches *matches) {
  const wchar_t *key = rsm__name_key(name), *plain = rsm__name_plain(name);
  size_t length = rsm__name_length(name);
  while (length > 0 && key[length - 1] == L'\\') length--;
  matches->count = 0;
  for (size_t end = 1; end <= length; end++) {
    if (end < length && key[end] != L'\\') continue;
    uint64_t hash = hash_key(key, end);
    for (uint32_t i = rsm__index_first(&t->by_name, hash); i != RSM_INDEX_END; i = rsm__index_next(&t->by_name, i)) {
      const rsm__target_name *own = &t->names[i];
      if (own->length != end || wmemcmp(own->key, key, end) != 0 || (end < length && !own->tree)) continue;
      add_match(matches, (rsm__match){.target = own->target, .rest = plain + (end < length ? end + 1 : length)});
    }
  }
}

static const char *join_path(rsm__arena *arena, const char *base, const char *folder, const char *name) {
  size_t at = strlen(base), below = strlen(folder), last = strlen(name);
  char *path = rsm__arena_alloc(arena, at + below + last + 3);
  if (!path) return NULL;
  memcpy(path, base, at);
  if ((below > 0 || last > 0) && path[at - 1] != '\\') path[at++] = '\\';
  memcpy(path + at, folder, below);
  at += below;
  if (below > 0 && last > 0) path[at++] = '\\';
  memcpy(path + at, name, last);
  return path; /* arenas are zeroed */
}

const char *rsm__match_path(const rsm__targets *t, const rsm__match *match, rsm__arena *arena) {
  const char *base = t->paths.items[match->target].path;
  if (!match->rest) return join_path(arena, base, match->folder, match->name);
  RSM_CLEAN_FREE char *rest = rsm__narrow_new(match->rest, wcslen(match->rest));
  return rest ? join_path(arena, base, rest, "") : NULL;
}
