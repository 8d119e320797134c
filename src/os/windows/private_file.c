/* private_file.c: the files in a private folder: read whole, replaced at once, grown at the end, locked.
 *
 * call             | purpose                        | blocks
 * LockFileEx       | the lock between processes     | never, it fails at once; asked every 10 ms until the limit
 * FlushFileBuffers | what was written survives      | as long as the disk takes
 * Sleep            | somebody has the file open     | PASSING_TRIES times PASSING_MS, then it is told as it is
 *
 * The waiting form of LockFileEx has no limit. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <ntsecapi.h>
#include <winternl.h>

#include "os/clock.h"
#include "os/windows/file_id.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/private.h"
#include "os/windows/wide.h"

enum { LOCK_POLL_MS = 10, MAX_TEXT = 512, PASSING_TRIES = 50, PASSING_MS = 10 };

struct rsm__file {
  HANDLE handle;
  char *path;
};

struct rsm__lock {
  HANDLE handle;
};

/* ---- Opening one file -------------------------------------------------------------------------------------------- */

/* A plain file of the folder's owner. */
static rsm_status open_plain(rsm__dir *dir, const char *name, const rsm__private_open *how, HANDLE *ret_handle,
                             bool *ret_created, rsm_error *reterr) {
  RSM_CLEAN_WIDE wide = NULL;
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  char text[MAX_TEXT];
  rsm_status status = rsm__dir_check_name(dir, name, &wide, reterr);
  if (status != RSM_OK) return status;
  rsm__dir_text(dir, name, text, sizeof text);
  int32_t code = rsm__private_open_at(dir->handle, wide, how, &handle, ret_created);
  if (code < 0) return rsm__fail_nt(reterr, code, "NtCreateFile", text);
  status = rsm__private_check(handle, &dir->owner, false, text, reterr);
  if (status == RSM_OK) *ret_handle = rsm__handle_take(&handle);
  return status;
}

/* Reads to the end but never more than limit + 1 bytes: the file may be growing. ERROR_SUCCESS or why not. */
static DWORD read_all(HANDLE handle, size_t limit, rsm__buffer *content) {
  char chunk[16384];
  while (content->length <= limit) {
    size_t want = limit + 1 - content->length;
    DWORD got = 0;
    if (!ReadFile(handle, chunk, (DWORD)(want < sizeof chunk ? want : sizeof chunk), &got, NULL)) return GetLastError();
    if (got == 0) break;
    rsm__buffer_put(content, chunk, got);
    if (content->failed) return ERROR_NOT_ENOUGH_MEMORY;
  }
  return ERROR_SUCCESS;
}

rsm_status rsm__dir_read(rsm__dir *dir, const char *name, size_t limit, rsm__buffer *ret_content, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  char text[MAX_TEXT];
  const rsm__private_open how = {.access = GENERIC_READ, .disposition = FILE_OPEN};
  rsm_status status = open_plain(dir, name, &how, &handle, NULL, reterr);
  if (status != RSM_OK) return status;
  DWORD code = read_all(handle, limit, &content);
  rsm__dir_text(dir, name, text, sizeof text);
  if (code != ERROR_SUCCESS) return rsm__fail_windows(reterr, code, "ReadFile", text);
  if (content.length > limit)
    return rsm__fail(reterr, RSM_MORE_DATA, text, "is longer than the %zu bytes that are read", limit);
  rsm__buffer_done(ret_content);
  *ret_content = content;
  content = (rsm__buffer){0};
  return RSM_OK;
}

/* ---- Replacing a file -------------------------------------------------------------------------------------------- */

/* ERROR_SUCCESS or why not. */
static DWORD write_all(HANDLE handle, const void *data, size_t length) {
  const char *bytes = data;
  while (length > 0) {
    DWORD want = length > (1u << 30) ? 1u << 30 : (DWORD)length, put = 0;
    if (!WriteFile(handle, bytes, want, &put, NULL)) return GetLastError();
    if (put == 0) return ERROR_DISK_FULL;
    bytes += put;
    length -= put;
  }
  return ERROR_SUCCESS;
}

/* Who reads the old one at this moment may be in the way. */
static rsm_status replace(rsm__dir *dir, HANDLE handle, const wchar_t *name, const char *text, rsm_error *reterr) {
  int32_t code = 0;
  for (unsigned i = 0; i < PASSING_TRIES; i++) {
    code = rsm__private_rename_at(handle, dir->handle, name, true);
    if (!rsm__private_is_passing(code)) break;
    Sleep(PASSING_MS);
  }
  return code < 0 ? rsm__fail_nt(reterr, code, "NtSetInformationFile", text) : RSM_OK;
}

rsm_status rsm__dir_write(rsm__dir *dir, const char *name, const void *data, size_t length, rsm_error *reterr) {
  RSM_CLEAN_WIDE wide = NULL;
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  char temporary[40], text[MAX_TEXT];
  uint64_t unique = 0;
  const rsm__private_open how = {.access = GENERIC_READ | GENERIC_WRITE | DELETE, .disposition = FILE_CREATE};
  rsm_status status = rsm__dir_check_name(dir, name, &wide, reterr);
  if (status == RSM_OK) status = rsm__random(&unique, sizeof unique, reterr);
  if (status != RSM_OK) return status;
  snprintf(temporary, sizeof temporary, RSM__TEMPORARY_PREFIX "%016llx", (unsigned long long)unique);
  rsm__dir_text(dir, name, text, sizeof text);
  status = open_plain(dir, temporary, &how, &handle, NULL, reterr);
  if (status != RSM_OK) return status;
  DWORD code = write_all(handle, data, length);
  if (code != ERROR_SUCCESS)
    status = rsm__fail_windows(reterr, code, "WriteFile", text);
  else if (!FlushFileBuffers(handle))
    status = rsm__fail_windows(reterr, GetLastError(), "FlushFileBuffers", text);
  if (status == RSM_OK) status = replace(dir, handle, wide, text, reterr);
  if (status != RSM_OK) rsm__private_delete(handle);
  return status;
}

/* ---- A file that grows ------------------------------------------------------------------------------------------- */

/* Takes *handle on success. */
static rsm_status new_file(HANDLE *handle, const rsm__dir *dir, const char *name, rsm__file **ret_file,
                           rsm_error *reterr) {
  char text[MAX_TEXT];
  rsm__file *file = rsm__calloc(1, sizeof *file);
  char *path = rsm__strdup(rsm__dir_text(dir, name, text, sizeof text));
  if (!file || !path) {
    rsm__free(file);
    rsm__free(path);
    return rsm__fail_memory(reterr);
  }
  *file = (rsm__file){.handle = rsm__handle_take(handle), .path = path};
  *ret_file = file;
  return RSM_OK;
}

rsm_status rsm__file_create(rsm__dir *dir, const char *name, rsm__file **ret_file, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  const rsm__private_open how = {.access = GENERIC_READ | GENERIC_WRITE | DELETE, .disposition = FILE_CREATE};
  rsm_status status = open_plain(dir, name, &how, &handle, NULL, reterr);
  if (status != RSM_OK) return status;
  status = new_file(&handle, dir, name, ret_file, reterr);
  if (status != RSM_OK) rsm__private_delete(handle);
  return status;
}

static DWORD cut(HANDLE handle, uint64_t length) {
  FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)length};
  return SetFileInformationByHandle(handle, FileEndOfFileInfo, &end, sizeof end) ? ERROR_SUCCESS : GetLastError();
}

rsm_status rsm__file_reopen(rsm__dir *dir, const char *name, uint64_t length, rsm__file **ret_file, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  char text[MAX_TEXT];
  LARGE_INTEGER size;
  const rsm__private_open how = {.access = GENERIC_READ | GENERIC_WRITE | DELETE, .disposition = FILE_OPEN};
  rsm_status status = open_plain(dir, name, &how, &handle, NULL, reterr);
  if (status != RSM_OK) return status;
  rsm__dir_text(dir, name, text, sizeof text);
  if (!GetFileSizeEx(handle, &size)) return rsm__fail_windows(reterr, GetLastError(), "GetFileSizeEx", text);
  if ((uint64_t)size.QuadPart < length)
    return rsm__fail(reterr, RSM_WRITE_FAULT, text, "is shorter than the %llu bytes that it had",
                     (unsigned long long)length);
  DWORD code = (uint64_t)size.QuadPart > length ? cut(handle, length) : ERROR_SUCCESS;
  if (code != ERROR_SUCCESS) return rsm__fail_windows(reterr, code, "SetFileInformationByHandle", text);
  return new_file(&handle, dir, name, ret_file, reterr);
}

/* One writer a file: so its end stays where it is found, and what stands there after a failure is ours, and can be cut
 * off again. If even that fails the reader sees a torn record and ignores it. */
rsm_status rsm__file_append(rsm__file *file, const void *data, size_t length, rsm_error *reterr) {
  LARGE_INTEGER end = {0};
  DWORD put = 0;
  if (!SetFilePointerEx(file->handle, (LARGE_INTEGER){0}, &end, FILE_END))
    return rsm__fail_windows(reterr, GetLastError(), "SetFilePointerEx", file->path);
  if (length > UINT32_MAX) return rsm__fail(reterr, RSM_WRITE_FAULT, file->path, "is to grow by too much at once");
  DWORD code = WriteFile(file->handle, data, (DWORD)length, &put, NULL) ? ERROR_SUCCESS : GetLastError();
  if (code == ERROR_SUCCESS && put == length) return RSM_OK;
  DWORD undone = cut(file->handle, (uint64_t)end.QuadPart);
  if (undone != ERROR_SUCCESS) return rsm__fail_windows(reterr, undone, "SetFileInformationByHandle", file->path);
  return rsm__fail_windows(reterr, code == ERROR_SUCCESS ? ERROR_DISK_FULL : code, "WriteFile", file->path);
}

rsm_status rsm__file_sync(rsm__file *file, rsm_error *reterr) {
  if (FlushFileBuffers(file->handle)) return RSM_OK;
  return rsm__fail_windows(reterr, GetLastError(), "FlushFileBuffers", file->path);
}

rsm__file *rsm__file_close(rsm__file *file) {
  if (!file) return NULL;
  rsm__handle_close(&file->handle);
  rsm__free(file->path);
  rsm__free(file);
  return NULL;
}

/* ---- The lock ---------------------------------------------------------------------------------------------------- */

/* RSM_PENDING: held by somebody else, or removed under us: ask again. */
static rsm_status try_lock(rsm__dir *dir, const char *name, HANDLE *ret_handle, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  OVERLAPPED first_byte = {0};
  rsm__file_state state;
  char text[MAX_TEXT];
  rsm_error error;
  const rsm__private_open how = {.access = GENERIC_READ | GENERIC_WRITE, .disposition = FILE_OPEN_IF};
  rsm_status status = open_plain(dir, name, &how, &handle, NULL, &error);
  if (status != RSM_OK && rsm__private_is_passing(error.os_code)) return RSM_PENDING; /* it is being removed */
  if (status != RSM_OK && reterr) *reterr = error;
  if (status != RSM_OK) return status;
  if (!LockFileEx(handle, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &first_byte)) {
    DWORD code = GetLastError();
    if (code == ERROR_LOCK_VIOLATION || code == ERROR_IO_PENDING) return RSM_PENDING;
    return rsm__fail_windows(reterr, code, "LockFileEx", rsm__dir_text(dir, name, text, sizeof text));
  }
  if (rsm__file_state_of(handle, &state) && state.gone) return RSM_PENDING;
  *ret_handle = rsm__handle_take(&handle);
  return RSM_OK;
}

rsm_status rsm__lock_acquire(rsm__dir *dir, const char *name, uint32_t timeout_ms, rsm__lock **ret_lock,
                             rsm_error *reterr) {
  uint64_t deadline = rsm__clock_ms() + timeout_ms;
  rsm__lock *lock = rsm__calloc(1, sizeof *lock);
  if (!lock) return rsm__fail_memory(reterr);
  rsm_status status;
  while ((status = try_lock(dir, name, &lock->handle, reterr)) == RSM_PENDING && rsm__clock_ms() < deadline)
    Sleep(LOCK_POLL_MS);
  if (status == RSM_OK) {
    *ret_lock = lock;
    return RSM_OK;
  }
  rsm__free(lock);
  char text[MAX_TEXT];
  if (status == RSM_PENDING)
    status = rsm__fail(reterr, RSM_SEM_TIMEOUT, rsm__dir_text(dir, name, text, sizeof text),
                       "somebody else has held the lock for %u ms", (unsigned)timeout_ms);
  return status;
}

/* Unlocked in so many words: the system frees the lock of a closed handle when it finds the time. */
rsm__lock *rsm__lock_release(rsm__lock *lock) {
  if (!lock) return NULL;
  OVERLAPPED first_byte = {0};
  UnlockFileEx(lock->handle, 0, 1, 0, &first_byte);
  rsm__handle_close(&lock->handle);
  rsm__free(lock);
  return NULL;
}

rsm_status rsm__random(void *bytes, size_t length, rsm_error *reterr) {
  if (length <= UINT32_MAX && RtlGenRandom(bytes, (ULONG)length)) return RSM_OK;
  return rsm__fail_windows(reterr, GetLastError(), "RtlGenRandom", NULL);
}
