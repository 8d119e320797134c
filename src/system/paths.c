/* paths.c: SPDX-License-Identifier: MIT
 *
 * call               | purpose                       | blocks
 * GetShortPathNameW  | a path of 260 units or longer | as long as its volume takes to look up its parts */
#include "system/paths.h"

#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/wide.h"

static const wchar_t PREFIX[] = L"\\\\?\\", UNC[] = L"\\\\?\\UNC\\";
enum { PREFIX_LENGTH = 4, UNC_LENGTH = 8 };

rsm_status rsm__paths_add(rsm__paths *paths, const wchar_t *path, rsm_error *reterr) {
  if (rsm__grow(&paths->items, &paths->capacity, paths->count + 1, sizeof *paths->items) < 0)
    return rsm__fail_memory(reterr);
  paths->items[paths->count++] = path;
  return RSM_OK;
}

void rsm__paths_done(rsm__paths *paths) {
  rsm__free(paths->items);
  *paths = (rsm__paths){0};
}

bool rsm__path_is_long(const wchar_t *path) {
  return wcslen(path) >= MAX_PATH;
}

static bool has_drive(const wchar_t *path) {
  return ((path[0] | 0x20) >= L'a' && (path[0] | 0x20) <= L'z') && path[1] == L':' && path[2] == L'\\';
}

/* How much of it the plain form leaves out; what then has to stand in front. Names that only the prefix can spell (a
 * volume's GUID, a device) stay as they are. */
static size_t prefix_of(const wchar_t *full, const wchar_t **ret_instead) {
  *ret_instead = L"";
  if (wcsncmp(full, UNC, UNC_LENGTH) == 0) {
    *ret_instead = L"\\\\";
    return UNC_LENGTH;
  }
  return wcsncmp(full, PREFIX, PREFIX_LENGTH) == 0 && has_drive(full + PREFIX_LENGTH) ? PREFIX_LENGTH : 0;
}

/* From `from` on, with `start` in front. */
static rsm_status compose(const wchar_t *start, const wchar_t *from, rsm__arena *arena, const wchar_t **ret_path,
                          rsm_error *reterr) {
  size_t lead = wcslen(start), length = wcslen(from);
  wchar_t *path = rsm__arena_alloc(arena, (lead + length + 1) * sizeof *path);
  if (!path) return rsm__fail_memory(reterr);
  memcpy(path, start, lead * sizeof *path);
  memcpy(path + lead, from, length * sizeof *path);
  *ret_path = path;
  return RSM_OK;
}

rsm_status rsm__path_prefix(const wchar_t *full, rsm__arena *arena, const wchar_t **ret_path, rsm_error *reterr) {
  bool has_one = wcsncmp(full, PREFIX, PREFIX_LENGTH) == 0 || wcsncmp(full, L"\\\\.\\", PREFIX_LENGTH) == 0;
  if (!has_one && full[0] == L'\\' && full[1] == L'\\') return compose(UNC, full + 2, arena, ret_path, reterr);
  return compose(has_one ? L"" : PREFIX, full, arena, ret_path, reterr);
}

static rsm_status plain(const wchar_t *full, rsm__arena *arena, const wchar_t **ret_path, rsm_error *reterr) {
  const wchar_t *instead;
  size_t length = prefix_of(full, &instead);
  return compose(instead, full + length, arena, ret_path, reterr);
}

/* The short form of what exists at `path`, with the rest behind it. NULL: nothing exists there, or no memory; the
 * caller goes on with less of the path, or with the long form. */
static wchar_t *shorten(const wchar_t *path, const wchar_t *rest) {
  DWORD size = GetShortPathNameW(path, NULL, 0);
  size_t tail = wcslen(rest);
  wchar_t *result = size ? rsm__calloc(size + tail + 1, sizeof *result) : NULL;
  if (!result) return NULL;
  DWORD length = GetShortPathNameW(path, result, size);
  if (length == 0 || length >= size) { /* it has changed in between */
    rsm__free(result);
    return NULL;
  }
  memcpy(result + length, rest, tail * sizeof *result);
  return result;
}

/* A file that does not exist yet has no short name, but the directory that it will be in has one. */
static wchar_t *shorten_existing(const wchar_t *full) {
  const wchar_t *instead;
  size_t root = prefix_of(full, &instead) + 3;
  RSM_CLEAN_FREE wchar_t *part = rsm__calloc(wcslen(full) + 1, sizeof *part);
  if (!part) return NULL;
  wcscpy(part, full);
  for (size_t end = wcslen(full); end > root; end--) {
    if (full[end] != L'\\' && full[end] != 0) continue;
    part[end] = 0;
    wchar_t *result = shorten(part, full + end);
    if (result) return result;
  }
  return NULL;
}

rsm_status rsm__path_spell(const wchar_t *full, rsm__arena *arena, const wchar_t **ret_path, rsm_error *reterr) {
  const wchar_t *path;
  rsm_status status = plain(full, arena, &path, reterr);
  if (status == RSM_OK && rsm__path_is_long(path)) {
    RSM_CLEAN_FREE wchar_t *short_form = shorten_existing(full);
    const wchar_t *short_path = NULL;
    if (short_form) status = plain(short_form, arena, &short_path, reterr);
    if (short_path && !rsm__path_is_long(short_path)) path = short_path;
  }
  if (status == RSM_OK) *ret_path = path;
  return status;
}
