/* window.c: nothing here sends a message, so nothing waits for a window's program.
 * SPDX-License-Identifier: MIT */
#include "os/windows/window.h"

#include "base/cleanup.h"

enum { CLASS_ROOM = 64 };

static bool has_class(HWND window, const wchar_t *const *names, size_t count) {
  wchar_t name[CLASS_ROOM];
  if (!GetClassNameW(window, name, CLASS_ROOM)) return false;
  for (size_t i = 0; i < count; i++)
    if (wcscmp(name, names[i]) == 0) return true;
  return false;
}

static bool is_systems(HWND window) {
  static const wchar_t *const names[] = {L"ConsoleWindowClass", L"PseudoConsoleWindow", L"IME", L"MSCTFIME UI"};
  return has_class(window, names, RSM_COUNT(names));
}

bool rsm__window_is_shells(HWND window) {
  static const wchar_t *const names[] = {L"Progman", L"WorkerW", L"Shell_TrayWnd", L"Shell_SecondaryTrayWnd"};
  return has_class(window, names, RSM_COUNT(names));
}

bool rsm__window_is_of(HWND window, uint32_t pid) {
  DWORD owner = 0;
  return GetWindowThreadProcessId(window, &owner) && owner == pid;
}

uint32_t rsm__shell_process(void) {
  DWORD owner = 0;
  HWND shell = GetShellWindow();
  return shell && GetWindowThreadProcessId(shell, &owner) ? owner : 0;
}

typedef struct search {
  rsm__windows *windows;
  uint32_t pid;
} search;

static BOOL CALLBACK take_window(HWND window, LPARAM argument) {
  search *wanted = (search *)argument;
  rsm__windows *windows = wanted->windows;
  if (!rsm__window_is_of(window, wanted->pid) || is_systems(window)) return TRUE;
  if (rsm__grow(&windows->items, &windows->capacity, windows->count + 1, sizeof *windows->items) < 0) {
    windows->failed = true;
    return FALSE;
  }
  windows->items[windows->count++] = window;
  bool main = IsWindowVisible(window) && !GetWindow(window, GW_OWNER);
  if (main || windows->kind == RSM__WINDOW_NONE) windows->kind = main ? RSM__WINDOW_MAIN : RSM__WINDOW_OTHER;
  return TRUE;
}

void rsm__windows_find(rsm__windows *windows, uint32_t pid) {
  search wanted = {windows, pid};
  EnumWindows(take_window, (LPARAM)&wanted);
}

void rsm__windows_done(rsm__windows *windows) {
  rsm__free(windows->items);
  *windows = (rsm__windows){0};
}
