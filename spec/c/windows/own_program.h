/* own_program.h: the test's own program as one that uses a file (spec/c/programs.h): what it does, its start and its
 * end, and what is in the store. spec/c/linux/own_program.h has the same names. It has a window, since one is asked
 * faster than a console. SPDX-License-Identifier: MIT */
#ifndef OWN_PROGRAM_H
#define OWN_PROGRAM_H

#include "child.h"

#include <sys/types.h>

#include "rsm.h"

enum { LIFE_MS = 100000, MOST_CHILDREN = 4, GRACE_MS = 4000 }; /* GRACE_MS: in which who obeys has surely obeyed */

static bool is_deaf;

static inline LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam) {
  switch (message) {
  case WM_QUERYENDSESSION:
    return !is_deaf;
  case WM_ENDSESSION:
    if (wparam) PostQuitMessage(0);
    return 0;
  case WM_CLOSE:
    if (!is_deaf) PostQuitMessage(0);
    return 0;
  default:
    return DefWindowProcW(window, message, wparam, lparam);
  }
}

static inline void open_window(void) {
  WNDCLASSW class = {.lpfnWndProc = on_message, .hInstance = GetModuleHandleW(NULL), .lpszClassName = L"hold"};
  RegisterClassW(&class);
  CreateWindowExW(0, class.lpszClassName, L"Hold", WS_OVERLAPPEDWINDOW | WS_VISIBLE, 0, 0, 99, 99, NULL, NULL,
                  class.hInstance, NULL);
  SetTimer(NULL, 1, LIFE_MS, NULL); /* whatever becomes of the test */
}

/* argv: PROGRAM --hold FILE LOG HOW */
static inline int run_hold(char **argv) {
  const DWORD share_all = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  char line[32];
  MSG message;
  DWORD written;
  is_deaf = strchr(argv[4], 'i') != NULL;
  if (CreateFileA(argv[2], GENERIC_READ, share_all, NULL, OPEN_EXISTING, 0, NULL) == INVALID_HANDLE_VALUE) return 2;
  if (strchr(argv[4], 'r') && rsm_register_restart(NULL, 0, 0, NULL) != RSM_OK) return 3;
  open_window();
  int length = snprintf(line, sizeof line, "start %lu\n", GetCurrentProcessId());
  HANDLE log = CreateFileA(argv[3], FILE_APPEND_DATA, share_all, NULL, OPEN_EXISTING, 0, NULL);
  if (!WriteFile(log, line, (DWORD)length, &written, NULL)) return 4;
  CloseHandle(log);
  while (GetMessageW(&message, NULL, 0, 0) > 0 && (message.hwnd || message.message != WM_TIMER))
    DispatchMessageW(&message);
  return 0;
}

/* Those that are known by their pids. */
static child own_children[MOST_CHILDREN];

static inline child *find_child(pid_t pid) {
  for (int i = 0; i < MOST_CHILDREN; i++)
    if (own_children[i].info.dwProcessId == (DWORD)pid) return &own_children[i];
  check_fail(__FILE__, __LINE__, "a child of ours, or room for one");
  return NULL;
}

/* Our child, which may not have begun yet. */
static inline pid_t start_hold(const char *what, const char *log, const char *how) {
  wchar_t line[2048];
  child *started = find_child(0);
  swprintf(line, RSM_COUNT(line), L"\"%ls\" --hold \"%hs\" \"%hs\" \"%hs\"", child_program(), what, log, how);
  *started = child_start(line, CREATE_NO_WINDOW, NULL, NULL);
  return (pid_t)started->info.dwProcessId;
}

/* Does our child still run? */
static inline bool runs(pid_t pid) {
  return WaitForSingleObject(find_child(pid)->info.hProcess, 0) != WAIT_OBJECT_0;
}

static inline void end_child(pid_t pid) {
  child *started = find_child(pid);
  child_end(started);
  *started = (child){0};
}

static inline void make_own_folder(char *ret_path, size_t size) {
  char temporary[MAX_PATH], unique[MAX_PATH];
  CHECK(GetTempPathA(MAX_PATH, temporary) > 0 && GetTempFileNameA(temporary, "rsm", 0, unique) != 0);
  CHECK(DeleteFileA(unique) && CreateDirectoryA(unique, NULL));
  CHECK(strlen(unique) < size);
  snprintf(ret_path, size, "%s", unique);
}

/* How many names in the place for sessions are like that. */
static inline int count_names(bool (*is_like_that)(const char *name)) {
  char pattern[MAX_PATH];
  WIN32_FIND_DATAA found;
  int count = 0;
  snprintf(pattern, sizeof pattern, "%s\\restartmanager\\*", getenv("LOCALAPPDATA"));
  HANDLE search = FindFirstFileA(pattern, &found);
  if (search == INVALID_HANDLE_VALUE) return 0;
  do count += is_like_that(found.cFileName);
  while (FindNextFileA(search, &found));
  FindClose(search);
  return count;
}

#endif
