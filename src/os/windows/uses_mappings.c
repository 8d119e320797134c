/* uses_mappings.c: the files that are mapped into a process, libraries and data alike, whether or not their handles are
 * still open. SPDX-License-Identifier: MIT
 *
 * call                    | purpose                        | blocks on
 * VirtualQueryEx          | what is mapped where           | nothing; in Wine the process itself, if it is stopped
 * NtQueryVirtualMemory    | the name of what is mapped     | nothing: the kernel's own names
 * ReadProcessMemory       | how large a library is         | its pages being read back from the disk
 * rsm__known_get          | which file that is             | the file system, once a name and listing
 *
 * All of it runs in a thread that can be given up (scan.c). One walk finds what the lists of modules have, too, and for
 * processes of either word size; and a library that was hidden from those lists. */
#include <string.h>

#include "base/cleanup.h"
#include "os/windows/nt.h"
#include "os/windows/os_error.h"
#include "os/windows/uses.h"

enum { LONGEST_NAME = 32768, HEADER_SIZE = 1024, PAGE = 4096 };

/* The size that a library says it has: one question saves one for each of its parts. 0: not known. It is believed for
 * this process alone, which could hide nothing but what it maps itself. */
static size_t image_size(HANDLE process, const char *base) {
  const size_t nt_offset_at = 0x3C, size_at = 0x50; /* of both kinds of program files */
  unsigned char header[HEADER_SIZE];
  SIZE_T done = 0;
  uint32_t start, size;
  if (!ReadProcessMemory(process, base, header, sizeof header, &done) || done != sizeof header) return 0;
  memcpy(&start, header + nt_offset_at, sizeof start);
  if (start > HEADER_SIZE - size_at - sizeof size || memcmp(header + start, "PE\0\0", 4) != 0) return 0;
  memcpy(&size, header + start + size_at, sizeof size);
  return ((size_t)size + PAGE - 1) / PAGE * PAGE;
}

const UNICODE_STRING *rsm__mapped_name(HANDLE process, const void *address, rsm__buffer *text) {
  const size_t size = sizeof(UNICODE_STRING) + LONGEST_NAME * sizeof(wchar_t);
  if (rsm__grow(&text->data, &text->capacity, size, 1) < 0) text->failed = true;
  if (text->failed) return NULL;
  UNICODE_STRING *name = (UNICODE_STRING *)(void *)text->data;
  if (NtQueryVirtualMemory(process, address, RSM__NT_MAPPED_NAME, name, size, NULL) < 0) return NULL;
  return name->Buffer && name->Length > 0 ? name : NULL;
}

static bool is_writable(DWORD protection) {
  return (protection & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0;
}

/* The first part of something that is mapped. */
static rsm_status take_mapping(rsm__uses *uses, HANDLE process, const MEMORY_BASIC_INFORMATION *region,
                               rsm_error *reterr) {
  rsm_use use = {.how = RSM_USE_MAP, .access = RSM_ACCESS_READ, .fd = -1};
  const UNICODE_STRING *name = rsm__mapped_name(process, region->BaseAddress, &uses->text);
  if (uses->text.failed) return rsm__fail_memory(reterr);
  if (!name) return RSM_OK; /* memory that is shared, but no file's */
  if (region->Type == MEM_MAPPED && is_writable(region->AllocationProtect)) use.access |= RSM_ACCESS_WRITE;
  return rsm__uses_named(uses, name->Buffer, name->Length / sizeof(wchar_t), &use, false, reterr);
}

/* Is it a process of 64 bits, and we are of 32? Most of its memory is beyond what we can name. */
static bool is_beyond_us(HANDLE process) {
  BOOL ours = FALSE, its = FALSE;
  return sizeof(void *) == 4 && IsWow64Process(GetCurrentProcess(), &ours) && ours && IsWow64Process(process, &its) &&
         !its;
}

rsm_status rsm__uses_mappings(rsm__uses *uses, const rsm__looked *looked, rsm_error *reterr) {
  MEMORY_BASIC_INFORMATION region;
  const char *at = NULL;
  for (bool first = true; VirtualQueryEx(looked->handle, at, &region, sizeof region) != 0; first = false) {
    bool begins =
        region.AllocationBase == region.BaseAddress && (region.Type == MEM_IMAGE || region.Type == MEM_MAPPED);
    const char *base = region.BaseAddress, *next = base + region.RegionSize;
    rsm__bounded_tick(uses->job);
    if (begins && region.State != MEM_FREE) {
      rsm_status status = take_mapping(uses, looked->handle, &region, reterr);
      if (status != RSM_OK) return status;
      size_t size = region.Type == MEM_IMAGE ? image_size(looked->handle, base) : 0;
      if (size > region.RegionSize && size <= UINTPTR_MAX - (uintptr_t)base) next = base + size;
    }
    if (next <= at && !first) return RSM_OK;
    at = next;
  }
  DWORD code = GetLastError();
  if (at == NULL && code == ERROR_ACCESS_DENIED) uses->mappings_refused = code;
  if (is_beyond_us(looked->handle)) uses->mappings_refused = ERROR_NOT_SUPPORTED;
  return RSM_OK;
}
