/* folders.c: SPDX-License-Identifier: MIT
 *
 * call                               | purpose                        | blocks
 * FindFirstFileExW, FindNextFileW    | what is in a directory         | as long as its volume takes; a share that does
 *                                    |                                | not answer: until Windows gives it up
 * CreateFileW                        | may a file be opened at all?   | the same
 * GetVolumeNameForVolumeMountPointW  | is a junction another volume?  | the same */
#include "system/folders.h"

#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/wide.h"

enum { FIRST_SLOTS = 1024, SUBJECT_SIZE = 256 };

/* ---- What is registered already ---------------------------------------------------------------------------------- */

void rsm__folders_done(rsm__folders *folders) {
  rsm__paths_done(&folders->roots);
  rsm__paths_done(&folders->known);
  rsm__paths_done(&folders->refused);
  rsm__arena_done(&folders->arena);
}

/* The slot where it is, or would be. The table has free ones. */
static const wchar_t **slot_of(const rsm__paths *table, const wchar_t *file) {
  size_t at = rsm__crc32c(file, wcslen(file) * sizeof *file) & (table->capacity - 1);
  while (table->items[at] && wcscmp(table->items[at], file) != 0) at = (at + 1) & (table->capacity - 1);
  return &table->items[at];
}

static bool grow_table(rsm__paths *table) {
  if (table->count * 2 < table->capacity) return true;
  rsm__paths wider = {.count = table->count, .capacity = table->capacity ? table->capacity * 2 : FIRST_SLOTS};
  wider.items = rsm__calloc(wider.capacity, sizeof *wider.items);
  if (!wider.items) return false;
  for (size_t i = 0; i < table->capacity; i++)
    if (table->items[i]) *slot_of(&wider, table->items[i]) = table->items[i];
  rsm__free(table->items);
  *table = wider;
  return true;
}

static const wchar_t *copy_path(rsm__arena *arena, const wchar_t *path) {
  size_t size = (wcslen(path) + 1) * sizeof *path;
  wchar_t *copy = rsm__arena_alloc(arena, size);
  return copy ? memcpy(copy, path, size) : NULL;
}

void rsm__folders_know(rsm__folders *folders, const wchar_t *file) {
  if (!grow_table(&folders->known)) return;
  const wchar_t **slot = slot_of(&folders->known, file);
  if (*slot) return;
  *slot = copy_path(&folders->arena, file);
  if (*slot) folders->known.count++;
}

size_t rsm__folders_known(const rsm__folders *folders) {
  return folders->known.count;
}

static bool is_known(const rsm__folders *folders, const wchar_t *file) {
  return folders->known.capacity && *slot_of(&folders->known, file);
}

rsm_status rsm__folders_add_root(rsm__folders *folders, const wchar_t *full, rsm_error *reterr) {
  for (size_t i = 0; i < folders->roots.count; i++)
    if (rsm__wide_same_name(folders->roots.items[i], full)) return RSM_OK;
  const wchar_t *copy = copy_path(&folders->arena, full);
  return copy ? rsm__paths_add(&folders->roots, copy, reterr) : rsm__fail_memory(reterr);
}

/* ---- The walk ---------------------------------------------------------------------------------------------------- */

typedef struct walk {
  const rsm__folders *folders;
  const wchar_t *root;
  size_t limit;
  rsm__arena *arena;
  rsm__paths *files;
  rsm__paths pending; /* directories not yet read */
  rsm_list *list;
} walk;

static void walk_done(walk *w) {
  rsm__paths_done(&w->pending);
}

static rsm_status note(const walk *w, const wchar_t *path, const char *reason, rsm_error *reterr) {
  if (!w->list) return RSM_OK;
  RSM_CLEAN_FREE char *text = rsm__narrow_new(path, wcslen(path));
  if (!text) return rsm__fail_memory(reterr);
  return rsm__list_add_unreadable(w->list, &(rsm_unreadable){.path = text, .reason = reason}, reterr);
}

rsm_status rsm__folders_refuse(rsm__folders *folders, const wchar_t *file, rsm_error *reterr) {
  const wchar_t *copy = copy_path(&folders->arena, file);
  return copy ? rsm__paths_add(&folders->refused, copy, reterr) : rsm__fail_memory(reterr);
}

rsm_status rsm__folders_tell(const rsm__folders *folders, rsm_list *list, rsm_error *reterr) {
  const walk w = {.list = list};
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < folders->refused.count; i++) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    const wchar_t *file = folders->refused.items[i], *full;
    status = rsm__path_prefix(file, &arena, &full, reterr);
    if (status != RSM_OK || GetFileAttributesW(full) == INVALID_FILE_ATTRIBUTES) continue;
    status = note(&w, file, "the path is too long for the system's Restart Manager and has no short name", reterr);
  }
  return status;
}

static rsm_status join(const walk *w, const wchar_t *directory, const wchar_t *name, const wchar_t **ret_path,
                       rsm_error *reterr) {
  size_t length = wcslen(directory), name_length = wcslen(name);
  bool bare = length > 0 && directory[length - 1] == L'\\'; /* the root of a drive */
  wchar_t *path = rsm__arena_alloc(w->arena, (length + name_length + 2) * sizeof *path);
  if (!path) return rsm__fail_memory(reterr);
  memcpy(path, directory, length * sizeof *path);
  if (!bare) path[length++] = L'\\';
  memcpy(path + length, name, name_length * sizeof *path);
  *ret_path = path;
  return RSM_OK;
}

/* Links and junctions stand for something else; placeholders of a cloud's files are reparse points, too, and do not. */
static bool is_link(const WIN32_FIND_DATAW *found) {
  return (found->dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) && IsReparseTagNameSurrogate(found->dwReserved0);
}

static rsm_status add_link(const walk *w, const wchar_t *path, const WIN32_FIND_DATAW *found, rsm_error *reterr) {
  wchar_t volume[64];
  const wchar_t *inside;
  if (found->dwReserved0 != IO_REPARSE_TAG_MOUNT_POINT) return RSM_OK;
  rsm_status status = join(w, path, L"", &inside, reterr); /* the call wants a backslash at the end */
  if (status != RSM_OK || !GetVolumeNameForVolumeMountPointW(inside, volume, RSM_COUNT(volume))) return status;
  return note(w, path, "another volume below a registered directory; it was not looked into", reterr);
}

static bool is_refused(const wchar_t *path) {
  DWORD flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
  DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  HANDLE file = CreateFileW(path, FILE_READ_ATTRIBUTES, share, NULL, OPEN_EXISTING, flags, NULL);
  if (file == INVALID_HANDLE_VALUE) return GetLastError() == ERROR_ACCESS_DENIED;
  CloseHandle(file);
  return false;
}

static rsm_status add_file(const walk *w, const wchar_t *path, rsm_error *reterr) {
  const wchar_t *spelled;
  rsm_status status = rsm__path_spell(path, w->arena, &spelled, reterr);
  if (status != RSM_OK || is_known(w->folders, spelled)) return status;
  if (is_refused(path)) return note(w, path, "the file may not be opened, or is about to be removed", reterr);
  if (w->files->count < w->limit) return rsm__paths_add(w->files, spelled, reterr);
  char subject[SUBJECT_SIZE];
  return rsm__fail(
      reterr, RSM_INVALID_PARAMETER, rsm__narrow_to(subject, sizeof subject, w->root, wcslen(w->root)),
      "the registered directories hold more than %d files: the system's Restart Manager takes single files "
      "only; register fewer, or use manager = 'builtin'",
      RSM__FOLDERS_LIMIT);
}

static rsm_status add_found(walk *w, const wchar_t *directory, const WIN32_FIND_DATAW *found, rsm_error *reterr) {
  const wchar_t *name = found->cFileName, *path;
  if (wcscmp(name, L".") == 0 || wcscmp(name, L"..") == 0) return RSM_OK;
  rsm_status status = join(w, directory, name, &path, reterr);
  if (status != RSM_OK) return status;
  if (is_link(found)) return add_link(w, path, found, reterr);
  if (found->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) return rsm__paths_add(&w->pending, path, reterr);
  return add_file(w, path, reterr);
}

static rsm_status read_directory(walk *w, const wchar_t *directory, rsm_error *reterr) {
  WIN32_FIND_DATAW found;
  const wchar_t *pattern;
  rsm_status status = join(w, directory, L"*", &pattern, reterr);
  if (status != RSM_OK) return status;
  HANDLE search =
      FindFirstFileExW(pattern, FindExInfoBasic, &found, FindExSearchNameMatch, NULL, FIND_FIRST_EX_LARGE_FETCH);
  if (search == INVALID_HANDLE_VALUE) {
    DWORD code = GetLastError();
    bool gone = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
    return gone ? RSM_OK : note(w, directory, "the directory may not be read", reterr);
  }
  do status = add_found(w, directory, &found, reterr);
  while (status == RSM_OK && FindNextFileW(search, &found));
  FindClose(search);
  return status;
}

rsm_status rsm__folders_find_new(const rsm__folders *folders, const wchar_t *root, size_t limit, rsm__arena *arena,
                                 rsm__paths *ret_files, rsm_list *list, rsm_error *reterr) {
  RSM_CLEAN(walk_done)
  walk w = {.folders = folders, .root = root, .limit = limit, .arena = arena, .files = ret_files, .list = list};
  rsm_status status = rsm__paths_add(&w.pending, root, reterr);
  while (status == RSM_OK && w.pending.count > 0)
    status = read_directory(&w, w.pending.items[--w.pending.count], reterr);
  return status;
}
