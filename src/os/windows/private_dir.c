/* private_dir.c: opening and checking the folders. Every step is opened below the step before it, never through a link,
 * and what was opened is checked (not what the name meant a moment ago). SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winternl.h>

#include "os/windows/file_id.h"
#include "os/windows/filetime.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/private.h"
#include "os/windows/wide.h"

enum { MAX_TEXT = 512, TEMPORARY_AGE_S = 3600, REMOVE_ROUNDS = 8, PASSING_TRIES = 20, PASSING_MS = 10 };
enum { LIST_ROOM = 16384 };

static const ACCESS_MASK folder_access = FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | READ_CONTROL;

const char *rsm__dir_text(const rsm__dir *dir, const char *name, char *text, size_t size) {
  snprintf(text, size, "%s\\%s", dir->path, name);
  return text;
}

/* Neither a way out, nor another stream of a file, nor what Win32 would take for another name. */
rsm_status rsm__dir_check_name(const rsm__dir *dir, const char *name, wchar_t **ret_wide, rsm_error *reterr) {
  size_t length = name ? strlen(name) : 0;
  bool good = length > 0 && length <= 255 && !strpbrk(name, "/\\:*?\"<>|") && name[length - 1] != '.' &&
              name[length - 1] != ' ';
  for (size_t i = 0; i < length; i++) good = good && (unsigned char)name[i] >= ' ';
  if (good) return rsm__wide_new(name, ret_wide, reterr);
  return rsm__fail(reterr, RSM_BAD_ARGUMENTS, dir->path, "'%s' is not a file's name", name ? name : "");
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Takes *handle on success. */
static rsm_status new_dir(HANDLE *handle, const rsm__sid *owner, const char *path, rsm__dir **ret_dir,
                          rsm_error *reterr) {
  rsm__dir *dir = rsm__calloc(1, sizeof *dir);
  char *copy = rsm__strdup(path);
  if (!dir || !copy) {
    rsm__free(dir);
    rsm__free(copy);
    return rsm__fail_memory(reterr);
  }
  *dir = (rsm__dir){.handle = rsm__handle_take(handle), .owner = *owner, .path = copy};
  *ret_dir = dir;
  return RSM_OK;
}

rsm_status rsm__dir_open_below(HANDLE parent, const wchar_t *name, const char *path, const rsm__sid *owner, bool create,
                               rsm__dir **ret_dir, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  const rsm__private_open how = {.access = folder_access,
                                 .disposition = create ? FILE_OPEN_IF : FILE_OPEN,
                                 .options = FILE_OPEN_FOR_BACKUP_INTENT | (create ? FILE_DIRECTORY_FILE : 0)};
  int32_t code = rsm__private_open_at(parent, name, &how, &handle, NULL);
  rsm_status status = code < 0 ? rsm__fail_nt(reterr, code, "NtCreateFile", path) : RSM_OK;
  if (status == RSM_FILE_NOT_FOUND) return rsm__fail(reterr, RSM_NOT_FOUND, path, "there is no such folder");
  if (status == RSM_OK) status = rsm__private_check(handle, owner, true, path, reterr);
  return status == RSM_OK ? new_dir(&handle, owner, path, ret_dir, reterr) : status;
}

rsm_status rsm__dir_open(rsm__dir *parent, const char *name, bool create, rsm__dir **ret_dir, rsm_error *reterr) {
  RSM_CLEAN_WIDE wide = NULL;
  char path[MAX_TEXT];
  rsm_status status = rsm__dir_check_name(parent, name, &wide, reterr);
  if (status != RSM_OK) return status;
  rsm__dir_text(parent, name, path, sizeof path);
  return rsm__dir_open_below(parent->handle, wide, path, &parent->owner, create, ret_dir, reterr);
}

rsm__dir *rsm__dir_close(rsm__dir *dir) {
  if (!dir) return NULL;
  rsm__handle_close(&dir->handle);
  rsm__free(dir->path);
  rsm__free(dir);
  return NULL;
}

static bool is_gone(int32_t code) {
  rsm_status status = rsm__windows_status(RtlNtStatusToDosError(code));
  return code < 0 && status == RSM_FILE_NOT_FOUND;
}

/* A handle of its own for each listing: Wine reads a folder once a handle. */
static int32_t open_again(const rsm__dir *dir, ACCESS_MASK access, HANDLE *ret_handle) {
  const rsm__private_open how = {.access = access, .disposition = FILE_OPEN, .options = FILE_DIRECTORY_FILE};
  return rsm__private_open_at(dir->handle, L"", &how, ret_handle, NULL);
}

/* Where a folder that somebody has open goes at once, its handle says so. Wine's does not, but has still the name that
 * it was opened by: is that another's now, or nobody's? */
bool rsm__dir_is_removed(const rsm__dir *dir) {
  rsm__file_state state;
  rsm__file_id ours, found;
  RSM_CLEAN_BUFFER rsm__buffer path = {0};
  RSM_CLEAN_HANDLE HANDLE there = NULL;
  if (rsm__file_state_of(dir->handle, &state) && state.gone) return true;
  rsm__file_real_path(dir->handle, &path);
  if (path.failed || path.length == 0) return false;
  int32_t code = rsm__file_look((const wchar_t *)(const void *)path.data, FILE_READ_ATTRIBUTES, true, &there);
  if (code < 0) return is_gone(code);
  return rsm__file_id_of(dir->handle, &ours) && rsm__file_id_of(there, &found) &&
         (ours.volume != found.volume || ours.index != found.index);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

typedef struct names {
  const char **items;
  size_t count, capacity;
} names;

static void clean_names(names *list) {
  rsm__free(list->items);
}

static bool is_dots(const wchar_t *name, size_t length) {
  return (length == 1 || length == 2) && name[0] == L'.' && name[length - 1] == L'.';
}

static bool is_temporary(const wchar_t *name, size_t length) {
  const size_t prefix = sizeof RSM__TEMPORARY_PREFIX - 1;
  return length > prefix && wcsncmp(name, L"" RSM__TEMPORARY_PREFIX, prefix) == 0;
}

/* What a writer left that died before it renamed. */
static void sweep_temporary(rsm__dir *dir, const char *name, uint64_t written) {
  FILETIME now;
  GetSystemTimeAsFileTime(&now);
  if (rsm__filetime_unix(rsm__filetime_number(now)) - rsm__filetime_unix(written) > TEMPORARY_AGE_S)
    rsm__dir_remove(dir, name, NULL);
}

static rsm_status take_name(rsm__dir *dir, const FILE_ID_BOTH_DIR_INFO *entry, rsm__arena *arena, names *list,
                            rsm_error *reterr) {
  size_t length = entry->FileNameLength / sizeof(wchar_t);
  if (is_dots(entry->FileName, length)) return RSM_OK;
  const char *name = rsm__narrow_in(arena, entry->FileName, length);
  if (!name) return rsm__fail_memory(reterr);
  if (is_temporary(entry->FileName, length)) {
    sweep_temporary(dir, name, (uint64_t)entry->LastWriteTime.QuadPart);
    return RSM_OK;
  }
  if (rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
    return rsm__fail_memory(reterr);
  list->items[list->count++] = name;
  return RSM_OK;
}

static rsm_status read_names(rsm__dir *dir, size_t limit, rsm__arena *arena, names *list, rsm_error *reterr) {
  RSM_CLEAN_FREE unsigned char *room = rsm__malloc(LIST_ROOM);
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  if (!room) return rsm__fail_memory(reterr);
  int32_t opened = open_again(dir, FILE_LIST_DIRECTORY, &handle);
  if (opened < 0) return rsm__fail_nt(reterr, opened, "NtCreateFile", dir->path);
  FILE_INFO_BY_HANDLE_CLASS kind = FileIdBothDirectoryRestartInfo;
  while (GetFileInformationByHandleEx(handle, kind, room, LIST_ROOM)) {
    kind = FileIdBothDirectoryInfo;
    for (const unsigned char *at = room;;) {
      const FILE_ID_BOTH_DIR_INFO *entry = (const void *)at;
      if (list->count >= limit) return RSM_OK;
      rsm_status status = take_name(dir, entry, arena, list, reterr);
      if (status != RSM_OK) return status;
      if (entry->NextEntryOffset == 0) break;
      at += entry->NextEntryOffset;
    }
  }
  DWORD code = GetLastError();
  if (code == ERROR_NO_MORE_FILES || code == ERROR_FILE_NOT_FOUND) return RSM_OK;
  return rsm__fail_windows(reterr, code, "GetFileInformationByHandleEx", dir->path);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

rsm_status rsm__dir_names(rsm__dir *dir, size_t limit, rsm__arena *arena, const char *const **ret_names,
                          size_t *ret_count, rsm_error *reterr) {
  RSM_CLEAN(clean_names) names list = {0};
  rsm_status status = read_names(dir, limit, arena, &list, reterr);
  if (status != RSM_OK) return status;
  const char **kept = rsm__arena_alloc(arena, (list.count + 1) * sizeof *kept);
  if (!kept) return rsm__fail_memory(reterr);
  if (list.count) {
    memcpy(kept, list.items, list.count * sizeof *kept);
    qsort(kept, list.count, sizeof *kept, compare_names);
  }
  *ret_names = kept;
  *ret_count = list.count;
  return RSM_OK;
}

/* ---- Renaming and removing --------------------------------------------------------------------------------------- */

static int32_t open_to_change(HANDLE folder, const wchar_t *name, HANDLE *ret_handle) {
  const rsm__private_open how = {.access = DELETE | FILE_READ_ATTRIBUTES | FILE_LIST_DIRECTORY,
                                 .disposition = FILE_OPEN,
                                 .options = FILE_OPEN_FOR_BACKUP_INTENT};
  return rsm__private_open_at(folder, name, &how, ret_handle, NULL);
}

rsm_status rsm__dir_rename(rsm__dir *dir, const char *from, const char *to, rsm_error *reterr) {
  RSM_CLEAN_WIDE from_wide = NULL;
  RSM_CLEAN_WIDE to_wide = NULL;
  char text[MAX_TEXT];
  rsm_status status = rsm__dir_check_name(dir, from, &from_wide, reterr);
  if (status == RSM_OK) status = rsm__dir_check_name(dir, to, &to_wide, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  int32_t code = open_to_change(dir->handle, from_wide, &handle);
  if (code < 0) return rsm__fail_nt(reterr, code, "NtCreateFile", rsm__dir_text(dir, from, text, sizeof text));
  for (unsigned i = 0; i < PASSING_TRIES; i++) {
    code = rsm__private_rename_at(handle, dir->handle, to_wide, false);
    if (!rsm__private_is_passing(code)) break;
    Sleep(PASSING_MS);
  }
  if (code >= 0) return RSM_OK;
  return rsm__fail_nt(reterr, code, "NtSetInformationFile", rsm__dir_text(dir, to, text, sizeof text));
}

/* An NTSTATUS. A file that somebody has open goes when he closes it, at the latest. */
static int32_t remove_plain(HANDLE folder, const wchar_t *name) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  int32_t code = open_to_change(folder, name, &handle);
  return code < 0 ? code : rsm__private_delete(handle);
}

static void remove_content(HANDLE folder) {
  unsigned char room[LIST_ROOM / 4];
  FILE_INFO_BY_HANDLE_CLASS kind = FileIdBothDirectoryRestartInfo;
  while (GetFileInformationByHandleEx(folder, kind, room, sizeof room)) {
    kind = FileIdBothDirectoryInfo;
    for (unsigned char *at = room;;) {
      const FILE_ID_BOTH_DIR_INFO *entry = (const void *)at;
      size_t length = entry->FileNameLength / sizeof(wchar_t);
      wchar_t name[256];
      if (length < RSM_COUNT(name) && !is_dots(entry->FileName, length)) {
        wmemcpy(name, entry->FileName, length);
        name[length] = 0;
        remove_plain(folder, name);
      }
      if (entry->NextEntryOffset == 0) break;
      at += entry->NextEntryOffset;
    }
  }
}

/* One level: a folder of ours holds files only. Others may still write in it, so a few rounds. */
static int32_t remove_folder(HANDLE parent, const wchar_t *name) {
  int32_t code = 0;
  for (unsigned round = 0; round < REMOVE_ROUNDS; round++) {
    RSM_CLEAN_HANDLE HANDLE handle = NULL;
    code = open_to_change(parent, name, &handle);
    if (code < 0) return code;
    remove_content(handle);
    code = rsm__private_delete(handle);
    if (code >= 0) return code;
    Sleep(PASSING_MS);
  }
  return code;
}

rsm_status rsm__dir_remove(rsm__dir *dir, const char *name, rsm_error *reterr) {
  RSM_CLEAN_WIDE wide = NULL;
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  char text[MAX_TEXT];
  rsm_status status = rsm__dir_check_name(dir, name, &wide, reterr);
  if (status != RSM_OK) return status;
  int32_t code = open_to_change(dir->handle, wide, &handle);
  rsm__file_state state;
  uint32_t tag = 0;
  bool folder =
      code >= 0 && rsm__file_state_of(handle, &state) && state.directory &&
      !(rsm__file_attributes(handle, &tag) & FILE_ATTRIBUTE_REPARSE_POINT); /* of a link only itself is ours */
  rsm__handle_close(&handle);
  if (code >= 0) code = folder ? remove_folder(dir->handle, wide) : remove_plain(dir->handle, wide);
  if (code >= 0 || is_gone(code)) return RSM_OK;
  return rsm__fail_nt(reterr, code, "NtSetInformationFile", rsm__dir_text(dir, name, text, sizeof text));
}
