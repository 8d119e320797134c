/* places.c: follows registered paths. SPDX-License-Identifier: MIT
 *
 * call                      | purpose                     | blocks on
 * rsm__file_look            | is it there, what is it     | the file system's server; the caller gives this thread up
 * rsm__file_real_path       | where it really is          | the same
 * rsm__directory_next       | many files of one directory | the same
 *
 * Before each of them the thread says which path it is about, and what lies on a drive or share that did not answer is
 * not touched at all. Opening a file costs far more than reading its line in a directory, so from WORTH_LISTING files
 * of one directory on that is read instead, if the numbers that it tells are those that an opened file shows. A race
 * remains, as with every path: what a name leads to may change the moment after.
 *
 * Every loop over the paths ticks, also where it only computes: a hundred thousand of them take longer on a busy
 * machine than a drive that hangs is waited for. */
#include <string.h>

#include "base/cleanup.h"
#include "base/index.h"
#include "os/windows/directory.h"
#include "os/windows/handle.h"
#include "os/windows/lookup.h"
#include "os/windows/name.h"
#include "os/windows/nt.h"
#include "os/windows/wide.h"

enum { WORTH_LISTING = 8, LISTING_SLACK = 4096, LISTING_RATE = 64 };

/* The directory in which files lie, by its text. */
typedef struct folder {
  const wchar_t *path; /* without \\?\ unless that is how it is known; ends with \ only as a root */
  size_t length;
  const wchar_t *real; /* with \\?\; NULL: not looked at yet */
  size_t real_length;
  uint32_t error;
  uint64_t volume;
  uint32_t members; /* paths that lie in it */
  bool dead;
  bool has_volume;
} folder;

typedef struct follower {
  rsm__bounded *job;
  const rsm__dead_mounts *dead;
  rsm__arena *arena; /* of what is kept */
  const char *const *paths;
  rsm__place *places;
  size_t count;
  const wchar_t **wides;
  uint32_t *homes; /* by path: its folder; RSM_INDEX_END: a root has none */
  folder *folders;
  size_t folder_capacity;
  rsm__index by_path; /* of folders */
  rsm__buffer text;
  rsm__buffer real;
  rsm__directory directory;
  bool failed; /* out of memory */
  bool given_up;
} follower;

static void follower_done(follower *f) {
  rsm__free(f->wides);
  rsm__free(f->homes);
  rsm__free(f->folders);
  rsm__index_done(&f->by_path);
  rsm__buffer_done(&f->text);
  rsm__buffer_done(&f->real);
  rsm__directory_done(&f->directory);
}

/* ---- Text ---- */

/* Where the last name begins; 0: the path is a root. */
static size_t leaf_of(const wchar_t *path, size_t length) {
  size_t at = length;
  while (at > 0 && path[at - 1] != L'\\') at--;
  if (at <= 2 || at == length) return 0; /* "name", "\\server", "C:\" */
  if (path[0] == L'\\' && path[1] == L'\\') {
    bool verbatim_share = path[2] == L'?' && _wcsnicmp(path + 4, L"UNC\\", 4) == 0;
    size_t names = 0, need = verbatim_share ? 4 : 2;
    for (size_t i = 2; i < at; i++) names += path[i] == L'\\';
    if (names < need) return 0; /* "\\server\share", "\\?\Volume{...}" */
  }
  return at;
}

/* The directory's own text: "C:\" keeps its backslash. */
static size_t folder_length(const wchar_t *path, size_t leaf) {
  return path[leaf - 2] == L':' || path[leaf - 2] == L'}' ? leaf : leaf - 1;
}

/* The form without limits, in f->text; NULL: out of memory. */
static const wchar_t *open_form(follower *f, const wchar_t *path, size_t length) {
  static const wchar_t drive[] = L"\\\\?\\", share[] = L"\\\\?\\UNC\\";
  f->text.length = 0;
  if (length > 1 && path[0] == L'\\' && path[1] == L'\\') {
    if (path[2] != L'?' && path[2] != L'.') {
      rsm__buffer_put(&f->text, share, sizeof share - sizeof *share);
      path += 2;
      length -= 2;
    }
  } else {
    rsm__buffer_put(&f->text, drive, sizeof drive - sizeof *drive);
  }
  rsm__buffer_put(&f->text, path, length * sizeof *path);
  rsm__buffer_put(&f->text, L"", sizeof(wchar_t));
  if (f->text.failed) f->failed = true;
  return f->failed ? NULL : (const wchar_t *)(void *)f->text.data;
}

static const wchar_t *keep(follower *f, const wchar_t *text, size_t length) {
  wchar_t *kept = rsm__arena_alloc(f->arena, (length + 1) * sizeof *text);
  if (kept) memcpy(kept, text, length * sizeof *text);
  if (!kept) f->failed = true;
  return kept;
}

static bool touch(follower *f, const wchar_t *path, size_t length) {
  char text[512];
  if (!rsm__bounded_touch(f->job, rsm__narrow_to(text, sizeof text, path, length))) f->given_up = true;
  return !f->given_up;
}

/* 0 or Win32's number; want of memory is no answer. */
static uint32_t look(follower *f, const wchar_t *path, HANDLE *ret_handle, bool *ret_deleted) {
  int32_t status = rsm__file_look(path, RSM__LOOK_FILE, false, ret_handle);
  if (status == RSM__STATUS_NO_MEMORY) f->failed = true;
  *ret_deleted = status == RSM__STATUS_DELETE_PENDING;
  return rsm__look_error(status);
}

/* "real\leaf" in f->real; NULL: out of memory. */
static const wchar_t *join_real(follower *f, const folder *home, const wchar_t *leaf, size_t length) {
  f->real.length = 0;
  rsm__buffer_put(&f->real, home->real, home->real_length * sizeof *leaf);
  if (home->real[home->real_length - 1] != L'\\') rsm__buffer_put(&f->real, L"\\", sizeof *leaf);
  rsm__buffer_put(&f->real, leaf, length * sizeof *leaf);
  rsm__buffer_put(&f->real, L"", sizeof *leaf);
  if (f->real.failed) f->failed = true;
  return f->failed ? NULL : (const wchar_t *)(void *)f->real.data;
}

/* The same as people write it. */
static const char *outward_below(follower *f, const folder *home, const wchar_t *leaf, size_t length) {
  const wchar_t *path = join_real(f, home, leaf, length);
  const char *text = path ? rsm__outward(f->arena, path) : NULL;
  if (!text) f->failed = true;
  return text;
}

/* ---- Folders ---- */

static uint32_t find_folder(follower *f, const wchar_t *path, size_t length) {
  uint64_t hash = rsm__hash_text((const char *)path, length * sizeof *path);
  uint32_t i = f->folders ? rsm__index_first(&f->by_path, hash) : RSM_INDEX_END;
  while (i != RSM_INDEX_END && (f->folders[i].length != length || wmemcmp(f->folders[i].path, path, length) != 0))
    i = rsm__index_next(&f->by_path, i);
  if (i != RSM_INDEX_END) return i;
  size_t count = f->by_path.count;
  const wchar_t *kept = keep(f, path, length);
  if (!kept || rsm__grow(&f->folders, &f->folder_capacity, count + 1, sizeof *f->folders) < 0 ||
      !rsm__index_add(&f->by_path, hash)) {
    f->failed = true;
    return RSM_INDEX_END;
  }
  f->folders[count] = (folder){.path = kept, .length = length};
  return (uint32_t)count;
}

static void take_folder(follower *f, folder *home, HANDLE handle) {
  home->has_volume = rsm__file_volume(handle, &home->volume);
  rsm__file_real_path(handle, &f->real);
  const wchar_t *path = (const wchar_t *)(void *)f->real.data;
  size_t length = f->real.length / sizeof *path;
  if (f->real.failed) f->failed = true;
  if (length == 0 && !f->failed) { /* a file system that cannot tell */
    path = open_form(f, home->path, home->length);
    length = path ? wcslen(path) + 1 : 0;
  }
  if (f->failed || length == 0) return;
  home->real = keep(f, path, length - 1);
  home->real_length = length - 1;
}

static bool open_folder(follower *f, uint32_t number);

/* One that is not there lies where the nearest that is leads, plus the rest. */
static bool place_missing_folder(follower *f, uint32_t number, uint32_t error) {
  folder *home = &f->folders[number];
  size_t leaf = leaf_of(home->path, home->length);
  uint32_t parent = leaf > 0 ? find_folder(f, home->path, folder_length(home->path, leaf)) : RSM_INDEX_END;
  if (f->failed || (parent != RSM_INDEX_END && !open_folder(f, parent))) return false;
  home = &f->folders[number]; /* may have moved */
  home->error = error;
  home->dead = parent != RSM_INDEX_END && f->folders[parent].dead;
  if (home->dead) return true;
  const wchar_t *path = parent == RSM_INDEX_END
                            ? open_form(f, home->path, home->length)
                            : join_real(f, &f->folders[parent], home->path + leaf, home->length - leaf);
  if (!path) return false;
  home->real_length = wcslen(path);
  home->real = keep(f, path, home->real_length);
  return !f->failed;
}

/* False: given up, or out of memory. */
static bool open_folder(follower *f, uint32_t number) {
  folder *home = &f->folders[number];
  if (home->real || home->dead) return true;
  char root[128];
  rsm__narrow_to(root, sizeof root, home->path, home->length);
  home->dead = rsm__dead_covers(f->dead, root);
  if (home->dead) return true;
  const wchar_t *path = open_form(f, home->path, home->length);
  if (!path || !touch(f, home->path, home->length)) return false;
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  uint32_t error = look(f, path, &handle, &(bool){false});
  if (error == 0) take_folder(f, home, handle);
  if (error == 0 || f->failed) return !f->failed;
  return place_missing_folder(f, number, error);
}

/* ---- Paths ---- */

static void take_opened(follower *f, rsm__place *place, HANDLE handle) {
  uint32_t tag;
  place->has_id = GetFileType(handle) == FILE_TYPE_DISK && rsm__file_id_of(handle, &place->id);
  place->directory = (rsm__file_attributes(handle, &tag) & FILE_ATTRIBUTE_DIRECTORY) != 0;
  rsm__file_real_path(handle, &f->real);
  if (f->real.failed) f->failed = true;
  if (f->failed || f->real.length == 0) return;
  place->real = rsm__outward(f->arena, (const wchar_t *)(void *)f->real.data);
  if (!place->real) f->failed = true;
}

static void follow_one(follower *f, size_t i) {
  rsm__place *place = &f->places[i];
  const wchar_t *wide = f->wides[i];
  size_t length = wcslen(wide);
  const folder *home = f->homes[i] == RSM_INDEX_END ? NULL : &f->folders[f->homes[i]];
  rsm__bounded_tick(f->job);
  if (rsm__dead_covers(f->dead, f->paths[i])) return;
  if (!rsm__is_file_path(f->paths[i])) {
    place->error = ERROR_BAD_PATHNAME;
  } else if (home && home->error != 0) {
    place->error = home->error;
  } else {
    const wchar_t *path = open_form(f, wide, length);
    if (!path || !touch(f, wide, length)) return;
    RSM_CLEAN_HANDLE HANDLE handle = NULL;
    place->error = look(f, path, &handle, &place->deleted);
    if (place->error == 0) take_opened(f, place, handle);
  }
  if (place->real || f->failed) return;
  size_t leaf = leaf_of(wide, length);
  place->real =
      home && leaf > 0 ? outward_below(f, home, wide + leaf, length - leaf) : rsm__arena_strdup(f->arena, f->paths[i]);
  if (!place->real) f->failed = true;
}

/* ---- Many of one directory ---- */

/* Names that are looked for in a directory, by their keys. */
typedef struct wanted {
  uint32_t home;
  size_t *numbers; /* of the paths, by entry of the index */
  size_t capacity;
  bool *there; /* by entry: the directory has that name */
  rsm__index by_key;
  rsm__buffer key;
} wanted;

static void wanted_done(wanted *w) {
  rsm__free(w->numbers);
  rsm__free(w->there);
  rsm__index_done(&w->by_key);
  rsm__buffer_done(&w->key);
}

/* The name's key, in w->key. False: out of memory. */
static bool set_key(wanted *w, const wchar_t *name, size_t length) {
  w->key.length = 0;
  rsm__buffer_put(&w->key, name, length * sizeof *name);
  if (w->key.failed) return false;
  rsm__upcase((wchar_t *)(void *)w->key.data, length);
  return true;
}

static uint64_t key_hash(const wanted *w) {
  return rsm__hash_text((const char *)w->key.data, w->key.length);
}

static bool add_wanted(follower *f, wanted *w, size_t i) {
  size_t length = wcslen(f->wides[i]), leaf = leaf_of(f->wides[i], length);
  rsm__bounded_tick(f->job);
  if (!set_key(w, f->wides[i] + leaf, length - leaf) ||
      rsm__grow(&w->numbers, &w->capacity, w->by_key.count + 1, sizeof *w->numbers) < 0)
    return false;
  w->numbers[w->by_key.count] = i;
  return rsm__index_add(&w->by_key, key_hash(w));
}

static bool is_named(const follower *f, size_t i, const wchar_t *name, size_t size) {
  size_t length = wcslen(f->wides[i]), leaf = leaf_of(f->wides[i], length);
  return length - leaf == size &&
         CompareStringOrdinal(f->wides[i] + leaf, (int)size, name, (int)size, TRUE) == CSTR_EQUAL;
}

/* Does the directory tell the same number as the file itself? Some file systems make them up. */
static bool tells_truly(follower *f, size_t i, const rsm__entry *entry) {
  uint64_t index;
  const wchar_t *path = open_form(f, f->wides[i], wcslen(f->wides[i]));
  if (!path || !touch(f, f->wides[i], wcslen(f->wides[i]))) return false;
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  return look(f, path, &handle, &(bool){false}) == 0 && rsm__file_index(handle, &index) && index == entry->index;
}

/* The entry's file has one of the names that are wanted. False: this directory's numbers are of no use. */
static bool take_named(follower *f, wanted *w, uint32_t at, const rsm__entry *entry, bool *proven) {
  folder *home = &f->folders[w->home];
  rsm__place *place = &f->places[w->numbers[at]];
  w->there[at] = true;
  if (place->real || (entry->attributes & FILE_ATTRIBUTE_REPARSE_POINT) || entry->index == 0) return true;
  if (!*proven && !tells_truly(f, w->numbers[at], entry)) return false;
  *proven = true;
  place->id = (rsm__file_id){.volume = home->volume, .index = entry->index};
  place->has_id = true;
  place->directory = (entry->attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
  place->real = outward_below(f, home, entry->name, entry->length);
  return !f->failed;
}

static bool take_entry(follower *f, wanted *w, const rsm__entry *entry, bool *proven) {
  bool useful = true;
  if (!set_key(w, entry->name, entry->length)) f->failed = true;
  if (f->failed) return false;
  uint32_t at = rsm__index_first(&w->by_key, key_hash(w));
  for (; useful && at != RSM_INDEX_END; at = rsm__index_next(&w->by_key, at))
    if (is_named(f, w->numbers[at], entry->name, entry->length)) useful = take_named(f, w, at, entry, proven);
  if (entry->short_length == 0 || !useful) return useful;
  if (!set_key(w, entry->short_name, entry->short_length)) f->failed = true;
  if (f->failed) return false;
  at = rsm__index_first(&w->by_key, key_hash(w));
  for (; at != RSM_INDEX_END; at = rsm__index_next(&w->by_key, at))
    if (is_named(f, w->numbers[at], entry->short_name, entry->short_length)) w->there[at] = true;
  return true;
}

/* The directory was read to its end: what is not in it is not there. */
static void take_missing(follower *f, const wanted *w) {
  for (size_t i = 0; i < w->by_key.count && !f->failed; i++) {
    rsm__place *place = &f->places[w->numbers[i]];
    const wchar_t *wide = f->wides[w->numbers[i]];
    size_t length = wcslen(wide), leaf = leaf_of(wide, length);
    rsm__bounded_tick(f->job);
    if (place->real || w->there[i] || wcschr(wide + leaf, L':')) continue; /* a stream of a file is not listed */
    place->error = ERROR_FILE_NOT_FOUND;
    place->real = outward_below(f, &f->folders[w->home], wide + leaf, length - leaf);
  }
}

/* What is there, but was not placed by this, is opened afterwards. */
static void follow_listed(follower *f, wanted *w) {
  const folder *home = &f->folders[w->home];
  const wchar_t *path = open_form(f, home->path, home->length);
  if (!path || !touch(f, home->path, home->length)) return;
  rsm__entry entry;
  bool proven = false, ended = false;
  size_t most = (size_t)home->members * LISTING_RATE + LISTING_SLACK; /* else opening them is cheaper after all */
  if (rsm__directory_open(&f->directory, path, false) == 0)
    while (!ended && most-- > 0) {
      rsm__bounded_tick(f->job);
      ended = !rsm__directory_next(&f->directory, &entry);
      if (!ended && !take_entry(f, w, &entry, &proven)) break;
    }
  if (!f->directory.buffer) f->failed = true;
  if (ended && f->directory.error == 0) take_missing(f, w);
  rsm__handle_close(&f->directory.handle);
}

/* Paths by folder, so that each folder's are together: numbers[] in the order of their folders. */
static size_t *sort_by_folder(const follower *f, size_t **ret_starts) {
  size_t folders = f->by_path.count;
  RSM_CLEAN_FREE size_t *starts = rsm__calloc(folders + 2, sizeof *starts);
  size_t *sorted = rsm__calloc(f->count, sizeof *sorted);
  if (!starts || !sorted) {
    rsm__free(sorted);
    return NULL;
  }
  for (size_t i = 0; i < f->count; i++)
    if (f->homes[i] != RSM_INDEX_END) starts[f->homes[i] + 2]++;
  for (size_t i = 2; i < folders + 2; i++) starts[i] += starts[i - 1];
  for (size_t i = 0; i < f->count; i++)
    if (f->homes[i] != RSM_INDEX_END) sorted[starts[f->homes[i] + 1]++] = i;
  *ret_starts = starts;
  starts = NULL;
  return sorted;
}

static void follow_folder(follower *f, uint32_t number, const size_t *paths, size_t count) {
  RSM_CLEAN(wanted_done) wanted w = {.home = number};
  if (count == 0 || !open_folder(f, number)) return;
  const folder *home = &f->folders[number];
  if (!home->dead && home->error == 0 && home->has_volume && count >= WORTH_LISTING) {
    w.there = rsm__calloc(count, sizeof *w.there);
    if (!w.there) f->failed = true;
    for (size_t i = 0; i < count && !f->failed; i++)
      if (!add_wanted(f, &w, paths[i])) f->failed = true;
    if (!f->failed) follow_listed(f, &w);
  }
  for (size_t i = 0; i < count && !f->failed && !f->given_up; i++)
    if (!f->places[paths[i]].real) follow_one(f, paths[i]);
}

static void follow_all(follower *f) {
  size_t *allocated_starts = NULL;
  RSM_CLEAN_FREE size_t *sorted = sort_by_folder(f, &allocated_starts);
  RSM_CLEAN_FREE size_t *starts = allocated_starts;
  if (!sorted) f->failed = true;
  size_t folders = f->by_path.count; /* open_folder adds others, in which no path lies */
  for (size_t i = 0; i < folders && !f->failed && !f->given_up; i++)
    follow_folder(f, (uint32_t)i, sorted + starts[i], starts[i + 1] - starts[i]);
  for (size_t i = 0; i < f->count && !f->failed && !f->given_up; i++)
    if (f->homes[i] == RSM_INDEX_END) follow_one(f, i);
}

static bool place_paths(follower *f) {
  f->wides = rsm__calloc(f->count, sizeof *f->wides);
  f->homes = rsm__calloc(f->count, sizeof *f->homes);
  if (!f->wides || !f->homes) return false;
  for (size_t i = 0; i < f->count; i++) {
    f->places[i] = (rsm__place){0};
    f->homes[i] = RSM_INDEX_END;
    rsm__bounded_tick(f->job);
    rsm_status status = rsm__wide_in(f->arena, f->paths[i], &f->wides[i], NULL);
    if (status == RSM_OUT_OF_MEMORY) return false;
    if (status != RSM_OK) f->wides[i] = L""; /* no text, so no path: it came from a store that was tampered with */
    size_t length = wcslen(f->wides[i]), leaf = leaf_of(f->wides[i], length);
    if (leaf == 0 || !rsm__is_file_path(f->paths[i])) continue;
    f->homes[i] = find_folder(f, f->wides[i], folder_length(f->wides[i], leaf));
    if (f->failed) return false;
    f->folders[f->homes[i]].members++;
  }
  return true;
}

const size_t rsm__place_size = sizeof(rsm__place);

/* Two would read the same directories. */
unsigned rsm__places_threads(size_t count) {
  (void)count;
  return 1;
}

bool rsm__places_follow(rsm__bounded *job, const rsm__dead_mounts *dead, const rsm__paths *paths, rsm__arena *arena,
                        rsm__place **ret_places) {
  const size_t count = paths->count;
  *ret_places = rsm__arena_alloc(arena, count * sizeof **ret_places);
  RSM_CLEAN(follower_done)
  follower f = {.job = job, .dead = dead, .arena = arena, .paths = paths->items, .places = *ret_places, .count = count};
  if (!f.places || !place_paths(&f)) return false;
  follow_all(&f);
  return !f.failed;
}
