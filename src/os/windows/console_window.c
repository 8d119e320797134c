/* console_window.c: SPDX-License-Identifier: MIT */
#include "os/windows/console_window.h"

#include <windows.h>

#include "base/cleanup.h"
#include "os/windows/wide.h"

enum { MOST_CONSOLES = 512, MOST_ANCESTORS = 16 };

typedef struct consoles {
  uint32_t owners[MOST_CONSOLES];
  size_t count;
} consoles;

/* Whose console it is, if that is shown. A pseudo console's own window never is: its terminal is, which has another. */
static bool is_console_window(HWND window) {
  wchar_t name[32];
  if (GetClassNameW(window, name, RSM_COUNT(name)) == 0) return false;
  if (rsm__wide_same_name(name, L"PseudoConsoleWindow")) return true;
  bool console = rsm__wide_same_name(name, L"ConsoleWindowClass") || rsm__wide_same_name(name, L"WineConsoleClass");
  return console && IsWindowVisible(window);
}

static BOOL CALLBACK note_window(HWND window, LPARAM argument) {
  consoles *found = (consoles *)argument;
  DWORD pid = 0;
  if (!is_console_window(window)) return TRUE;
  GetWindowThreadProcessId(window, &pid);
  if (pid && found->count < MOST_CONSOLES) found->owners[found->count++] = pid;
  return TRUE;
}

static bool is_owner(const consoles *found, const rsm_process *process) {
  for (size_t i = 0; i < found->count; i++)
    if (found->owners[i] == process->pid) return true;
  return false;
}

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

/* Under Wine the window belongs to the console's own program, a child of the one that it was made for. */
static void add_parents(consoles *found) {
  size_t count = found->count;
  for (size_t i = 0; i < count && found->count < MOST_CONSOLES; i++) {
    RSM_CLEAN(close_process) rsm__process *owner = NULL;
    rsm_process parent = {0};
    if (rsm__process_open(&(rsm_process){.pid = found->owners[i]}, &owner, NULL) != RSM_OK) continue;
    if (rsm__process_parent(owner, &parent, NULL) == RSM_OK && parent.pid) found->owners[found->count++] = parent.pid;
  }
}

static bool is_owned_by_ancestor(const consoles *found, const rsm__process *process) {
  rsm_process at = {0};
  if (rsm__process_parent(process, &at, NULL) != RSM_OK) return false;
  for (int i = 0; i < MOST_ANCESTORS && at.pid; i++) {
    RSM_CLEAN(close_process) rsm__process *ancestor = NULL;
    if (is_owner(found, &at)) return true;
    if (rsm__process_open(&at, &ancestor, NULL) != RSM_OK) return false;
    if (rsm__process_parent(ancestor, &at, NULL) != RSM_OK) return false;
  }
  return false;
}

bool rsm__console_is_shown(const rsm__process *process) {
  consoles found = {0};
  EnumWindows(note_window, (LPARAM)&found);
  if (found.count == 0) return false;
  add_parents(&found);
  return is_owner(&found, rsm__process_id(process)) || is_owned_by_ancestor(&found, process);
}
