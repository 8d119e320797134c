/* directory.c: see directory.h. SPDX-License-Identifier: MIT
 *
 * call                  | purpose                     | blocks on
 * rsm__file_look        | the directory               | the file system; the caller gives this thread up
 * NtQueryDirectoryFile  | names, numbers, attributes  | the same */
#include "os/windows/directory.h"

#include <string.h>

#include "base/alloc.h"
#include "os/windows/handle.h"
#include "os/windows/nt.h"

enum { BUFFER_SIZE = 64 * 1024, NAME_SURROGATE = 0x20000000 };

uint32_t rsm__directory_open(rsm__directory *directory, const wchar_t *path, bool at_link) {
  if (!directory->buffer && !(directory->buffer = rsm__malloc(BUFFER_SIZE))) return ERROR_NOT_ENOUGH_MEMORY;
  if (!directory->event && !(directory->event = CreateEventW(NULL, FALSE, FALSE, NULL))) return GetLastError();
  directory->begun = directory->has_next = false;
  directory->error = 0;
  return rsm__look_error(rsm__file_look(path, RSM__LOOK_DIRECTORY, at_link, &directory->handle));
}

void rsm__directory_done(rsm__directory *directory) {
  rsm__handle_close(&directory->handle);
  rsm__handle_close(&directory->event);
  rsm__free(directory->buffer);
  directory->buffer = NULL;
}

/* By the kernel's call: Win32's waits on the handle, which has no right to that. */
static NTSTATUS query(rsm__directory *directory, HANDLE event) {
  IO_STATUS_BLOCK block = {0};
  NTSTATUS status = NtQueryDirectoryFile(directory->handle, event, NULL, NULL, &block, directory->buffer, BUFFER_SIZE,
                                         (FILE_INFORMATION_CLASS)RSM__NT_DIRECTORY, FALSE, NULL, !directory->begun);
  if (status != STATUS_PENDING) return status;
  WaitForSingleObject(event, INFINITE);
  return block.Status;
}

static bool fill_buffer(rsm__directory *directory) {
  NTSTATUS status = query(directory, directory->event);
  if (status == RSM__STATUS_NOT_IMPLEMENTED) status = query(directory, NULL); /* Wine, where it answers at once */
  directory->begun = true;
  directory->at = 0;
  directory->has_next = status >= 0;
  if (directory->has_next) return true;
  directory->error =
      status == RSM__STATUS_NO_MORE_FILES || status == RSM__STATUS_NO_SUCH_FILE ? 0 : rsm__look_error(status);
  return false;
}

static bool is_dots(const rsm__entry *entry) {
  return (entry->length == 1 && entry->name[0] == L'.') ||
         (entry->length == 2 && entry->name[0] == L'.' && entry->name[1] == L'.');
}

bool rsm__directory_next(rsm__directory *directory, rsm__entry *ret_entry) {
  do {
    if (!directory->has_next && !fill_buffer(directory)) return false;
    const FILE_ID_BOTH_DIR_INFO *info = (const void *)(directory->buffer + directory->at);
    *ret_entry = (rsm__entry){.name = info->FileName,
                              .length = info->FileNameLength / sizeof(wchar_t),
                              .short_name = info->ShortName,
                              .short_length = (size_t)info->ShortNameLength / sizeof(wchar_t),
                              .attributes = info->FileAttributes,
                              .index = rsm__file_number((uint64_t)info->FileId.QuadPart)};
    if (ret_entry->attributes & FILE_ATTRIBUTE_REPARSE_POINT) ret_entry->tag = info->EaSize;
    directory->has_next = info->NextEntryOffset != 0;
    directory->at += info->NextEntryOffset;
  } while (is_dots(ret_entry));
  return true;
}

bool rsm__entry_is_link(const rsm__entry *entry) {
  if (!(entry->attributes & FILE_ATTRIBUTE_REPARSE_POINT)) return false;
  return entry->tag == 0 /* not told */ || (entry->tag & NAME_SURROGATE) != 0;
}
