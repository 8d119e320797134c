/* views.c: see views.h. SPDX-License-Identifier: MIT
 *
 * call            | purpose                                | blocks on
 * VirtualAlloc2   | may mappings begin at any page?        | nothing
 * IsWow64Process  | the same, on 32-bit systems            | nothing */
#include "os/windows/views.h"

#include <wchar.h>

#include "base/cleanup.h"

/* ---- What was seen ---- */

void rsm__views_done(rsm__views *views) {
  rsm__free(views->items);
  rsm__index_done(&views->by_base);
  rsm__arena_done(&views->arena);
}

static uint64_t hash_base(const char *base) {
  return rsm__hash_numbers(0, (uintptr_t)base);
}

bool rsm__view_has_name(const rsm__view *view, const UNICODE_STRING *name) {
  return name && name->Length == view->length * sizeof *view->name &&
         wmemcmp(name->Buffer, view->name, view->length) == 0;
}

/* Lock held. name NULL: whatever it is called. NULL: none. */
static const rsm__view *find(const rsm__views *views, const char *base, const UNICODE_STRING *name) {
  for (uint32_t i = rsm__index_first(&views->by_base, hash_base(base)); i != RSM_INDEX_END;
       i = rsm__index_next(&views->by_base, i))
    if (views->items[i].base == base && (!name || rsm__view_has_name(&views->items[i], name))) return &views->items[i];
  return NULL;
}

bool rsm__views_begin_at(rsm__views *views, const char *base) {
  AcquireSRWLockShared(&views->lock);
  bool found = find(views, base, NULL) != NULL;
  ReleaseSRWLockShared(&views->lock);
  return found;
}

bool rsm__views_find(rsm__views *views, const char *base, const UNICODE_STRING *name, rsm__view *ret_view) {
  AcquireSRWLockShared(&views->lock);
  const rsm__view *found = find(views, base, name);
  if (found) *ret_view = *found;
  ReleaseSRWLockShared(&views->lock);
  return found != NULL;
}

/* Lock held. */
static bool add(rsm__views *views, const rsm__view *view) {
  size_t count = views->by_base.count;
  wchar_t *name = rsm__arena_alloc(&views->arena, (view->length + 1) * sizeof *name);
  if (!name || rsm__grow(&views->items, &views->capacity, count + 1, sizeof *views->items) < 0) return false;
  wmemcpy(name, view->name, view->length);
  views->items[count] = *view;
  views->items[count].name = name;
  return rsm__index_add(&views->by_base, hash_base(view->base));
}

bool rsm__views_add(rsm__views *views, const rsm__view *view) {
  AcquireSRWLockExclusive(&views->lock);
  bool added = add(views, view);
  ReleaseSRWLockExclusive(&views->lock);
  return added;
}

/* ---- Where there may be any ---- */

typedef PVOID WINAPI virtual_alloc_2(HANDLE process, PVOID base, SIZE_T size, ULONG kind, ULONG protection,
                                     void *parameters, ULONG count);

/* Since Windows 10 memory may be reserved as a placeholder, and parts of one, of any pages, be replaced by a mapping.
 * Wine 8 knows the call, but has no placeholders. */
static bool has_placeholders(size_t size) {
  const ULONG reserve_placeholder = 0x00040000;
  HMODULE base = GetModuleHandleW(L"kernelbase.dll");
  virtual_alloc_2 *reserve = base ? (virtual_alloc_2 *)(void *)GetProcAddress(base, "VirtualAlloc2") : NULL;
  if (!reserve) return false;
  void *memory = reserve(NULL, NULL, size, MEM_RESERVE | reserve_placeholder, PAGE_NOACCESS, NULL, 0);
  DWORD code = GetLastError();
  if (memory) VirtualFree(memory, 0, MEM_RELEASE);
  return memory || code != ERROR_INVALID_PARAMETER; /* in want of memory nothing is known */
}

/* Only that maps at any page for whoever asks for it (AT_ROUND_TO_PAGE). */
static bool is_32_bit_system(void) {
  BOOL below = FALSE;
  return sizeof(void *) == 4 && !(IsWow64Process(GetCurrentProcess(), &below) && below);
}

void rsm__view_places_get(rsm__view_places *ret_places) {
  SYSTEM_INFO system;
  GetSystemInfo(&system);
  bool any_page = is_32_bit_system() || has_placeholders(system.dwAllocationGranularity);
  ret_places->lowest = (uintptr_t)system.lpMinimumApplicationAddress;
  /* Of a 32-bit program it is its own end, and others may have more. */
  ret_places->highest = sizeof(void *) == 4 ? UINTPTR_MAX : (uintptr_t)system.lpMaximumApplicationAddress;
  ret_places->apart = any_page ? system.dwPageSize : system.dwAllocationGranularity;
}
