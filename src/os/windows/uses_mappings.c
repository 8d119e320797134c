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

/* ---- Libraries that another process has, too ---- */

/* Nearly all processes have the same libraries at the same addresses. Of one that an earlier process had there its name
 * is asked, at both ends, and nothing else: in Wine each other question interrupts the process. */
static uint64_t hash_base(const char *base) {
  return rsm__hash_numbers(0, (uintptr_t)base);
}

static bool has_name(const UNICODE_STRING *name, const rsm__seen_image *image) {
  return name && name->Length == image->length * sizeof *image->name &&
         wmemcmp(name->Buffer, image->name, image->length) == 0;
}

/* The one that begins there and has its old size; NULL: none, or out of memory (uses->text.failed). */
static const rsm__seen_image *find_seen(rsm__uses *uses, HANDLE process, const char *base) {
  uint32_t i = rsm__index_first(&uses->images_by_base, hash_base(base));
  const UNICODE_STRING *name = i != RSM_INDEX_END ? rsm__mapped_name(process, base, &uses->text) : NULL;
  while (i != RSM_INDEX_END && !(uses->images[i].base == base && has_name(name, &uses->images[i])))
    i = rsm__index_next(&uses->images_by_base, i);
  if (i == RSM_INDEX_END) return NULL;
  const rsm__seen_image *image = &uses->images[i];
  return has_name(rsm__mapped_name(process, base + image->size - PAGE, &uses->text), image) ? image : NULL;
}

/* Its name is in uses->text. False: out of memory. */
static bool remember_image(rsm__uses *uses, const char *base, size_t size) {
  const UNICODE_STRING *name = (const UNICODE_STRING *)(const void *)uses->text.data;
  size_t count = uses->images_by_base.count;
  rsm__seen_image image = {.base = base, .size = size, .length = name->Length / sizeof(wchar_t)};
  wchar_t *kept = rsm__arena_alloc(&uses->known.arena, (image.length + 1) * sizeof *kept);
  if (!kept || rsm__grow(&uses->images, &uses->image_capacity, count + 1, sizeof *uses->images) < 0) return false;
  wmemcpy(kept, name->Buffer, image.length);
  image.name = kept;
  uses->images[count] = image;
  return rsm__index_add(&uses->images_by_base, hash_base(base));
}

/* ---- The walk ---- */

/* The first part of something that is mapped. *ret_size: of all of it, if that is more than this part. */
static rsm_status take_mapping(rsm__uses *uses, HANDLE process, const MEMORY_BASIC_INFORMATION *region,
                               size_t *ret_size, rsm_error *reterr) {
  rsm_use use = {.how = RSM_USE_MAP, .access = RSM_ACCESS_READ, .fd = -1};
  const UNICODE_STRING *name = rsm__mapped_name(process, region->BaseAddress, &uses->text);
  if (uses->text.failed) return rsm__fail_memory(reterr);
  size_t size = region->Type == MEM_IMAGE ? image_size(process, region->BaseAddress) : 0;
  if (size > region->RegionSize && size <= UINTPTR_MAX - (uintptr_t)region->BaseAddress) *ret_size = size;
  if (!name) return RSM_OK; /* memory that is shared, but no file's */
  if (*ret_size == size && size > 0 && !remember_image(uses, region->BaseAddress, size))
    return rsm__fail_memory(reterr);
  if (region->Type == MEM_MAPPED && is_writable(region->AllocationProtect)) use.access |= RSM_ACCESS_WRITE;
  return rsm__uses_named(uses, name->Buffer, name->Length / sizeof(wchar_t), &use, false, reterr);
}

/* Is it a process of 64 bits, and we are of 32? Most of its memory is beyond what we can name. */
static bool is_beyond_us(HANDLE process) {
  BOOL ours = FALSE, its = FALSE;
  return sizeof(void *) == 4 && IsWow64Process(GetCurrentProcess(), &ours) && ours && IsWow64Process(process, &its) &&
         !its;
}

/* What is at *at, and moves it behind that. *ret_code: 0, or why there is nothing more. */
static rsm_status take_next(rsm__uses *uses, HANDLE process, const char **at, DWORD *ret_code, rsm_error *reterr) {
  static const rsm_use library = {.how = RSM_USE_MAP, .access = RSM_ACCESS_READ, .fd = -1};
  MEMORY_BASIC_INFORMATION region;
  rsm_status status = RSM_OK;
  const rsm__seen_image *seen = find_seen(uses, process, *at);
  if (uses->text.failed) return rsm__fail_memory(reterr);
  rsm__bounded_tick(uses->job);
  if (seen) {
    *at += seen->size;
    return rsm__uses_named(uses, seen->name, seen->length, &library, false, reterr);
  }
  if (VirtualQueryEx(process, *at, &region, sizeof region) == 0) {
    *ret_code = GetLastError();
    return RSM_OK;
  }
  size_t size = region.RegionSize;
  bool begins = region.AllocationBase == region.BaseAddress && (region.Type == MEM_IMAGE || region.Type == MEM_MAPPED);
  if (begins && region.State != MEM_FREE) status = take_mapping(uses, process, &region, &size, reterr);
  const char *next = (const char *)region.BaseAddress + size;
  if (next <= *at) *ret_code = ERROR_INVALID_PARAMETER; /* the end */
  *at = next;
  return status;
}

rsm_status rsm__uses_mappings(rsm__uses *uses, const rsm__looked *looked, rsm_error *reterr) {
  const char *at = NULL;
  DWORD code = 0;
  bool readable = false;
  for (rsm_status status; code == 0; readable = readable || code == 0) {
    status = take_next(uses, looked->handle, &at, &code, reterr);
    if (status != RSM_OK) return status;
  }
  if (!readable && code == ERROR_ACCESS_DENIED) uses->mappings_refused = code;
  if (is_beyond_us(looked->handle)) uses->mappings_refused = ERROR_NOT_SUPPORTED;
  return RSM_OK;
}
