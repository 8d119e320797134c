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

static bool begins_mapping(const MEMORY_BASIC_INFORMATION *region) {
  return region->State != MEM_FREE && region->AllocationBase == region->BaseAddress &&
         (region->Type == MEM_IMAGE || region->Type == MEM_MAPPED);
}

static bool is_writable(DWORD protection) {
  return (protection & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0;
}

/* ---- What another process has, too ---- */

/* Of what an earlier process had at the same address only the name is asked, since in Wine a question of any other kind
 * interrupts the process: of a library at both ends, of another file wherever something else could begin. False: it is
 * something else, or out of memory (uses->text.failed). */
static bool find_seen(rsm__uses *uses, HANDLE process, const char *base, rsm__view *ret_view) {
  if (!rsm__views_begin_at(uses->views, base)) return false;
  const UNICODE_STRING *name = rsm__mapped_name(process, base, &uses->text);
  if (!name || !rsm__views_find(uses->views, base, name, ret_view)) return false;
  if (ret_view->size <= uses->places.apart) return true;
  return rsm__view_has_name(ret_view, rsm__mapped_name(process, base + ret_view->size - PAGE, &uses->text));
}

/* Its name is in uses->text. Of a file that is searched for it counts how it is mapped, which no name tells; of a large
 * one something else could begin between the two names. False: out of memory. */
static bool remember(rsm__uses *uses, const MEMORY_BASIC_INFORMATION *region, size_t size, bool hit) {
  const UNICODE_STRING *name = (const UNICODE_STRING *)(const void *)uses->text.data;
  if (region->Type != MEM_IMAGE && (hit || size > 2 * uses->places.apart)) return true;
  const rsm__view view = {.base = region->BaseAddress,
                          .size = size,
                          .hit = hit,
                          .name = name->Buffer,
                          .length = name->Length / sizeof(wchar_t)};
  return rsm__views_add(uses->views, &view);
}

/* ---- The walk ---- */

/* The first part of something that is mapped. *ret_size: of all of it, if that is more than this part. */
static rsm_status take_mapping(rsm__uses *uses, HANDLE process, const MEMORY_BASIC_INFORMATION *region,
                               size_t *ret_size, rsm_error *reterr) {
  rsm_use use = {.how = RSM_USE_MAP, .access = RSM_ACCESS_READ, .fd = -1};
  const UNICODE_STRING *name = rsm__mapped_name(process, region->BaseAddress, &uses->text);
  bool image = region->Type == MEM_IMAGE, hit = false;
  if (uses->text.failed) return rsm__fail_memory(reterr);
  size_t size = image ? image_size(process, region->BaseAddress) : 0;
  bool whole = size > region->RegionSize && size <= UINTPTR_MAX - (uintptr_t)region->BaseAddress;
  if (whole) *ret_size = size;
  if (!name) return RSM_OK; /* memory that is shared, but no file's */
  if (!image && is_writable(region->AllocationProtect)) use.access |= RSM_ACCESS_WRITE;
  rsm_status status = rsm__uses_named(uses, name->Buffer, name->Length / sizeof(wchar_t), &use, false, &hit, reterr);
  if (status == RSM_OK && (whole || !image) && !remember(uses, region, *ret_size, hit)) return rsm__fail_memory(reterr);
  return status;
}

/* Is it a process of 64 bits, and we are of 32? Most of its memory is beyond what we can name. */
static bool is_beyond_us(HANDLE process) {
  BOOL ours = FALSE, its = FALSE;
  return sizeof(void *) == 4 && IsWow64Process(GetCurrentProcess(), &ours) && ours && IsWow64Process(process, &its) &&
         !its;
}

/* Where something may begin next, behind the end of what was there. NULL: nowhere. */
static const char *next_place(const rsm__uses *uses, const char *end) {
  uintptr_t at = ((uintptr_t)end + uses->places.apart - 1) / uses->places.apart * uses->places.apart;
  return at < (uintptr_t)end || at > uses->places.highest ? NULL : (const char *)at;
}

static rsm_status take_seen(rsm__uses *uses, const rsm__view *view, rsm_error *reterr) {
  static const rsm_use library = {.how = RSM_USE_MAP, .access = RSM_ACCESS_READ, .fd = -1};
  return view->hit ? rsm__uses_named(uses, view->name, view->length, &library, false, NULL, reterr) : RSM_OK;
}

/* What is at *at, and moves it behind that. *ret_code: 0, or why there is nothing more. */
static rsm_status take_next(rsm__uses *uses, HANDLE process, const char **at, DWORD *ret_code, rsm_error *reterr) {
  MEMORY_BASIC_INFORMATION region;
  rsm__view view;
  rsm_status status = RSM_OK;
  const char *end;
  bool seen = find_seen(uses, process, *at, &view);
  if (uses->text.failed) return rsm__fail_memory(reterr);
  rsm__bounded_tick(uses->job);
  if (seen) {
    status = take_seen(uses, &view, reterr);
    end = view.base + view.size;
  } else if (VirtualQueryEx(process, *at, &region, sizeof region)) {
    size_t size = region.RegionSize;
    if (begins_mapping(&region)) status = take_mapping(uses, process, &region, &size, reterr);
    end = (const char *)region.BaseAddress + size;
  } else {
    *ret_code = GetLastError();
    return RSM_OK;
  }
  const char *next = next_place(uses, end);
  if (next <= *at) *ret_code = ERROR_INVALID_PARAMETER; /* the end */
  *at = next;
  return status;
}

rsm_status rsm__uses_mappings(rsm__uses *uses, const rsm__looked *looked, rsm_error *reterr) {
  const char *at = (const char *)uses->places.lowest;
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
