/* file_id.c: see file_id.h. SPDX-License-Identifier: MIT
 *
 * call                          | purpose                     | blocks on
 * NtOpenFile                    | a handle to ask with        | the file system, a dead server for a minute
 * NtQueryInformationFile        | the file's number           | a read that waits on the same synchronous pipe
 * GetFileInformationByHandleEx  | volume, kind, is it deleted | the same
 * GetFinalPathNameByHandleW,    | its name now                | the same, and the mount manager
 * NtQueryObject                 |                             |
 *
 * So all of it runs in threads that can be given up. */
#include "os/windows/file_id.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/windows/name.h"
#include "os/windows/nt.h"

enum { FIRST_PATH = 512, LONGEST_PATH = 64 * 1024 };

int32_t rsm__file_look(const wchar_t *path, ACCESS_MASK rights, bool at_link, HANDLE *ret_handle) {
  const ULONG share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  const ULONG options = FILE_OPEN_FOR_BACKUP_INTENT | RSM__NT_OPEN_NO_RECALL;
  IO_STATUS_BLOCK block;
  size_t bytes = wcslen(path) * sizeof *path;
  if (bytes > LONGEST_PATH - 2) return RSM__STATUS_NAME_TOO_LONG;
  RSM_CLEAN_FREE wchar_t *kernels = rsm__malloc(bytes + sizeof *path);
  if (!kernels) return RSM__STATUS_NO_MEMORY;
  memcpy(kernels, path, bytes + sizeof *path);
  kernels[1] = L'?'; /* \\?\C:\x is \??\C:\x there */
  UNICODE_STRING name = {.Length = (USHORT)bytes, .MaximumLength = (USHORT)bytes, .Buffer = kernels};
  OBJECT_ATTRIBUTES object = {.Length = sizeof object, .ObjectName = &name, .Attributes = OBJ_CASE_INSENSITIVE};
  return NtOpenFile(ret_handle, rights, &object, &block, share, options | (at_link ? FILE_OPEN_REPARSE_POINT : 0));
}

uint32_t rsm__look_error(int32_t status) {
  return status >= 0 ? 0 : RtlNtStatusToDosError(status);
}

#ifdef RSM_TEST_HOOKS
bool rsm__file_hook_no_numbers;
#endif

static bool ask_id(HANDLE file, FILE_ID_INFO *ret_info) {
  return GetFileInformationByHandleEx(file, FileIdInfo, ret_info, sizeof *ret_info) != 0;
}

/* The 128 bits that ReFS has, in 64 of ours. */
static uint64_t fold(const FILE_ID_128 *id) {
  uint64_t low, high;
  memcpy(&low, id->Identifier, sizeof low);
  memcpy(&high, id->Identifier + sizeof low, sizeof high);
  if (low == high && (low == 0 || low == UINT64_MAX)) return 0;
  return low ^ high * 0x9E3779B97F4A7C15u;
}

uint64_t rsm__file_number(uint64_t told) {
  return told == UINT64_MAX || rsm__file_hook_no_numbers ? 0 : told;
}

bool rsm__file_index(HANDLE file, uint64_t *ret_index) {
  IO_STATUS_BLOCK block;
  uint64_t index = 0;
  FILE_ID_INFO info;
  if (NtQueryInformationFile(file, &block, &index, sizeof index, (FILE_INFORMATION_CLASS)RSM__NT_FILE_INTERNAL) < 0)
    return false;
  if (index == UINT64_MAX && ask_id(file, &info)) index = fold(&info.FileId); /* does not fit into 64 bits */
  *ret_index = rsm__file_number(index);
  return true;
}

bool rsm__file_volume(HANDLE file, uint64_t *ret_volume) {
  FILE_ID_INFO info;
  BY_HANDLE_FILE_INFORMATION plain;
  if (ask_id(file, &info))
    *ret_volume = info.VolumeSerialNumber;
  else if (GetFileInformationByHandle(file, &plain)) /* Windows 7, and file systems of others */
    *ret_volume = plain.dwVolumeSerialNumber;
  else
    return false;
  return true;
}

bool rsm__file_id_of(HANDLE file, rsm__file_id *ret_id) {
  return rsm__file_index(file, &ret_id->index) && ret_id->index != 0 && rsm__file_volume(file, &ret_id->volume);
}

bool rsm__file_state_of(HANDLE file, rsm__file_state *ret_state) {
  FILE_STANDARD_INFO info;
  if (!GetFileInformationByHandleEx(file, FileStandardInfo, &info, sizeof info)) return false;
  *ret_state =
      (rsm__file_state){.gone = info.DeletePending || info.NumberOfLinks == 0, .directory = info.Directory != 0};
  return true;
}

uint32_t rsm__file_attributes(HANDLE file, uint32_t *ret_tag) {
  FILE_ATTRIBUTE_TAG_INFO info;
  *ret_tag = 0;
  if (!GetFileInformationByHandleEx(file, FileAttributeTagInfo, &info, sizeof info)) return 0;
  if (info.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) *ret_tag = info.ReparseTag;
  return info.FileAttributes;
}

/* In units with the NUL; 0: it has no such name. */
static DWORD ask_path(HANDLE file, rsm__buffer *path, DWORD kind) {
  for (DWORD size = FIRST_PATH; size <= LONGEST_PATH; size *= 2) {
    if (rsm__grow(&path->data, &path->capacity, size * sizeof(wchar_t), 1) < 0) path->failed = true;
    if (path->failed) return 0;
    DWORD length = GetFinalPathNameByHandleW(file, (wchar_t *)(void *)path->data, size, kind);
    if (length < size) return length == 0 ? 0 : length + 1;
  }
  return 0;
}

/* The kernel's name of it, in the buffer. NULL: it has none, or buffer->failed: out of memory. */
static const UNICODE_STRING *object_name(HANDLE file, rsm__buffer *buffer) {
  const ULONG size = LONGEST_PATH + sizeof(UNICODE_STRING);
  ULONG used = 0;
  if (rsm__grow(&buffer->data, &buffer->capacity, size, 1) < 0) buffer->failed = true;
  if (buffer->failed) return NULL;
  const UNICODE_STRING *name = (const UNICODE_STRING *)(void *)buffer->data;
  if (NtQueryObject(file, (OBJECT_INFORMATION_CLASS)RSM__NT_OBJECT_NAME, buffer->data, size, &used) < 0) return NULL;
  return name->Buffer && name->Length > 0 ? name : NULL;
}

bool rsm__file_in_snapshot(HANDLE file, rsm__buffer *text) {
  const UNICODE_STRING *name = object_name(file, text);
  return name && rsm__name_in_snapshot(name->Buffer, name->Length / sizeof(wchar_t));
}

/* By the object's own name: of a file that was deleted, or whose path is too long for Wine's Win32. */
static void ask_object(HANDLE file, rsm__buffer *path) {
  rsm__letters letters;
  RSM_CLEAN(rsm__name_done) rsm__name name = {0};
  RSM_CLEAN(rsm__buffer_done) rsm__buffer told = {0};
  const UNICODE_STRING *object = object_name(file, &told);
  if (told.failed) path->failed = true;
  if (!object) return;
  rsm__letters_read(&letters);
  if (!rsm__name_set(&name, &letters, object->Buffer, object->Length / sizeof(wchar_t))) path->failed = true;
  if (path->failed) return;
  const wchar_t *plain = rsm__name_plain(&name), *prefix = L"\\\\?\\";
  size_t skip = 0, length = rsm__name_length(&name);
  if (_wcsnicmp(plain, L"\\Device\\", 8) == 0) prefix = L"\\\\?\\GLOBALROOT";
  if (rsm__name_is_remote(&name)) prefix = L"\\\\?\\UNC\\";
  if (rsm__name_is_remote(&name)) skip = 2;
  rsm__buffer_put(path, prefix, wcslen(prefix) * sizeof *prefix);
  rsm__buffer_put(path, plain + skip, (length - skip + 1) * sizeof *plain);
}

void rsm__file_real_path(HANDLE file, rsm__buffer *path) {
  DWORD units = ask_path(file, path, FILE_NAME_NORMALIZED | VOLUME_NAME_DOS);
  if (units == 0) units = ask_path(file, path, FILE_NAME_NORMALIZED | VOLUME_NAME_GUID); /* a volume without a letter */
  if (units == 0) units = ask_path(file, path, FILE_NAME_OPENED | VOLUME_NAME_DOS); /* a server that cannot normalize */
  path->length = units * sizeof(wchar_t);
  if (units == 0 && !path->failed) ask_object(file, path);
}
