/* search_path.c: SPDX-License-Identifier: MIT */
#include "os/windows/search_path.h"

#include <psapi.h>
#include <string.h>

#include "base/cleanup.h"
#include "os/windows/wide.h"

enum { FIRST_ROOM = 300, MOST_ROOM = 32768, MOST_MODULES = 1024, MOST_FOLDERS = 16 };

wchar_t *rsm__module_path(HMODULE module) {
  for (DWORD room = FIRST_ROOM; room <= 2 * MOST_ROOM; room *= 4) {
    wchar_t *path = rsm__calloc(room, sizeof *path);
    if (!path) return NULL;
    DWORD length = GetModuleFileNameW(module, path, room);
    if (length > 0 && length < room) return path;
    rsm__free(path);
    if (length == 0) return NULL;
  }
  return NULL;
}

wchar_t *rsm__system_program(const wchar_t *name) {
  UINT length = GetSystemDirectoryW(NULL, 0);
  size_t room = (size_t)length + (name ? wcslen(name) : 0) + 2;
  wchar_t *path = rsm__calloc(room, sizeof *path);
  if (!path || !length || GetSystemDirectoryW(path, length) >= length) {
    rsm__free(path);
    return NULL;
  }
  if (name) {
    wcscat(path, L"\\");
    wcscat(path, name);
  }
  return path;
}

/* ---- The folders of our modules ---------------------------------------------------------------------------------- */

static void put_text(rsm__buffer *text, const wchar_t *piece, size_t length) {
  rsm__buffer_put(text, piece, length * sizeof *piece);
}

static bool lies_below(const wchar_t *path, const wchar_t *folder) {
  size_t length = wcslen(folder);
  return CompareStringOrdinal(path, (int)wcsnlen(path, length), folder, (int)length, TRUE) == CSTR_EQUAL;
}

typedef struct folders {
  wchar_t *items[MOST_FOLDERS];
  size_t count;
} folders;

static void clean_folders(folders *list) {
  for (size_t i = 0; i < list->count; i++) rsm__free(list->items[i]);
}

/* Cuts the file's name off. One with a semicolon would be taken for two. */
static void add_folder(folders *list, wchar_t *path) {
  wchar_t *slash = wcsrchr(path, L'\\');
  if (slash) *slash = 0;
  bool wanted = slash && list->count < MOST_FOLDERS && !wcschr(path, L';');
  for (size_t i = 0; wanted && i < list->count; i++) wanted = !rsm__wide_same_name(list->items[i], path);
  if (wanted)
    list->items[list->count++] = path;
  else
    rsm__free(path);
}

static void find_folders(folders *list) {
  HMODULE modules[MOST_MODULES];
  DWORD bytes = 0;
  wchar_t windows[MAX_PATH];
  UINT length = GetSystemWindowsDirectoryW(windows, MAX_PATH);
  if (length == 0 || length >= MAX_PATH) return;
  if (!K32EnumProcessModules(GetCurrentProcess(), modules, sizeof modules, &bytes)) return;
  size_t count = bytes / sizeof *modules;
  for (size_t i = 0; i < count && i < MOST_MODULES; i++) {
    wchar_t *path = rsm__module_path(modules[i]);
    if (path && !lies_below(path, windows))
      add_folder(list, path);
    else
      rsm__free(path);
  }
}

/* ---- The environment --------------------------------------------------------------------------------------------- */

static bool is_path_variable(const wchar_t *entry) {
  return _wcsnicmp(entry, L"PATH=", 5) == 0;
}

static void put_path(rsm__buffer *block, const folders *list, const wchar_t *before) {
  put_text(block, L"PATH=", 5);
  for (size_t i = 0; i < list->count; i++) {
    put_text(block, list->items[i], wcslen(list->items[i]));
    put_text(block, L";", 1);
  }
  put_text(block, before, wcslen(before) + 1);
}

wchar_t *rsm__search_path_environment(void) {
  RSM_CLEAN(clean_folders) folders list = {0};
  rsm__buffer block = {0};
  bool has_path = false;
  wchar_t *ours = GetEnvironmentStringsW();
  if (!ours) return NULL;
  find_folders(&list);
  for (const wchar_t *entry = ours; *entry; entry += wcslen(entry) + 1) {
    if (!is_path_variable(entry)) {
      put_text(&block, entry, wcslen(entry) + 1);
      continue;
    }
    put_path(&block, &list, entry + 5);
    has_path = true;
  }
  if (!has_path) put_path(&block, &list, L"");
  put_text(&block, L"", 1);
  FreeEnvironmentStringsW(ours);
  if (block.failed) rsm__buffer_done(&block);
  return (wchar_t *)(void *)block.data;
}
