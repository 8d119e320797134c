/* known.c: see known.h. SPDX-License-Identifier: MIT
 *
 * call             | purpose                  | blocks on
 * rsm__file_look   | what the name leads to   | the file system; the caller gives this thread up
 *
 * A race remains: the file that is mapped may have been renamed, and another one have got its name, since its name was
 * read. */
#include "os/windows/known.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/windows/handle.h"
#include "os/windows/nt.h"

void rsm__known_done(rsm__known *known) {
  rsm__free(known->files);
  rsm__index_done(&known->by_key);
  rsm__arena_done(&known->arena);
  rsm__buffer_done(&known->path);
}

static bool starts(const wchar_t *text, const wchar_t *start) {
  return _wcsnicmp(text, start, wcslen(start)) == 0;
}

/* In the form that CreateFileW takes at any length; NULL: out of memory. */
static const wchar_t *open_form(rsm__known *known, const rsm__name *name) {
  const wchar_t *plain = rsm__name_plain(name), *prefix = L"\\\\?\\";
  size_t skip = 0;
  if (starts(plain, L"\\Device\\")) {
    prefix = L"\\\\?\\GLOBALROOT";
  } else if (rsm__name_is_remote(name)) {
    prefix = L"\\\\?\\UNC\\";
    skip = 2;
  }
  known->path.length = 0;
  rsm__buffer_put(&known->path, prefix, wcslen(prefix) * sizeof *prefix);
  rsm__buffer_put(&known->path, plain + skip, (rsm__name_length(name) - skip + 1) * sizeof *plain);
  return known->path.failed ? NULL : (const wchar_t *)(void *)known->path.data;
}

/* A 64-bit system shows its programs of 32 bits another System32, which is not what the kernel's names mean. */
static int32_t look_as_named(const wchar_t *path, HANDLE *ret_handle) {
  PVOID before = NULL;
  bool shown = sizeof(void *) == 4 && Wow64DisableWow64FsRedirection(&before);
  int32_t status = rsm__file_look(path, RSM__LOOK_FILE, true, ret_handle);
  if (shown) Wow64RevertWow64FsRedirection(before);
  return status;
}

static bool look(rsm__known *known, const rsm__name *name, rsm__known_file *file) {
  if (rsm__name_is_remote(name) && !known->targets->has_remote) return true;
  const wchar_t *path = open_form(known, name);
  if (!path) return false;
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  int32_t status = look_as_named(path, &handle);
  if (status == RSM__STATUS_NO_MEMORY) return false;
  if (status >= 0) {
    /* In Wine another process, the mount manager, tells the volume: it is asked only where it may decide. */
    file->has_id =
        rsm__file_index(handle, &file->id.index) && file->id.index != 0 &&
        (!rsm__targets_has_index(known->targets, file->id.index) || rsm__file_volume(handle, &file->id.volume));
    return true;
  }
  uint32_t code = rsm__look_error(status);
  file->missing = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND || status == RSM__STATUS_DELETE_PENDING;
  return true;
}

rsm__known_file *rsm__known_get(rsm__known *known, const rsm__name *name) {
  const wchar_t *key = rsm__name_key(name);
  size_t length = rsm__name_length(name), count = known->by_key.count;
  uint64_t hash = rsm__hash_text((const char *)key, length * sizeof *key);
  for (uint32_t i = rsm__index_first(&known->by_key, hash); i != RSM_INDEX_END; i = rsm__index_next(&known->by_key, i))
    if (known->files[i].length == length && wmemcmp(known->files[i].key, key, length) == 0) return &known->files[i];
  rsm__known_file file = {.length = length};
  wchar_t *kept = rsm__arena_alloc(&known->arena, (length + 1) * sizeof *kept);
  if (!kept || rsm__grow(&known->files, &known->capacity, count + 1, sizeof *known->files) < 0) return NULL;
  memcpy(kept, key, length * sizeof *kept);
  file.key = kept;
  if (!look(known, name, &file) || !rsm__index_add(&known->by_key, hash)) return NULL;
  known->files[count] = file;
  return &known->files[count];
}
