/* registered.c: a windowed program that says how it wants to be started again. It holds the file "held" of its own
 * folder open and tells in "note" there "start PID FOLDER ARGUMENTS", where FOLDER is its working directory. When the
 * session ends for an update it goes; asked whether it will, it tells "query". Its hard limit ends it in any case.
 *
 *   registered args | empty | nopatch | none [shell]
 *
 * It registers "again" and "with blank", nothing, the first but not for updates; or not at all. With "shell" its window
 * is the desktop's.
 *
 * SPDX-License-Identifier: MIT */
#include <windows.h>

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "rsm.h"
#include "shell_window.h"

enum { HARD_LIMIT_MS = 60000, SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

static const wchar_t *beside(const wchar_t *name) {
  static wchar_t path[MAX_PATH];
  if (GetModuleFileNameW(NULL, path, MAX_PATH - 16) == 0) return name;
  wcscpy(wcsrchr(path, L'\\') + 1, name);
  return path;
}

static void tell(const char *line) {
  DWORD written;
  HANDLE note = CreateFileW(beside(L"note"), FILE_APPEND_DATA, SHARE_ALL, NULL, OPEN_ALWAYS, 0, NULL);
  WriteFile(note, line, (DWORD)strlen(line), &written, NULL);
  CloseHandle(note);
}

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM wparam, LPARAM lparam) {
  if (message == WM_QUERYENDSESSION) tell("query\n");
  if (message == WM_QUERYENDSESSION) return TRUE;
  if ((message == WM_ENDSESSION && wparam) || message == WM_DESTROY) PostQuitMessage(0);
  return message == WM_ENDSESSION ? 0 : DefWindowProcW(window, message, wparam, lparam);
}

static int say(const char *mode) {
  static const char *const again[] = {"again", "with blank"};
  rsm_error error;
  rsm_status status = RSM_OK;
  if (strcmp(mode, "args") == 0) status = rsm_register_restart(again, 2, 0, &error);
  if (strcmp(mode, "empty") == 0) status = rsm_register_restart(again, 0, 0, &error);
  if (strcmp(mode, "nopatch") == 0) status = rsm_register_restart(again, 2, RSM_RESTART_NO_PATCH, &error);
  if (status == RSM_OK) return 0;
  char words[512];
  fprintf(stderr, "registered: %s\n", rsm_error_format(&error, words, sizeof words));
  return 1;
}

int main(int argc, char **argv) {
  char line[2048], folder[MAX_PATH];
  WNDCLASSW class = {.lpfnWndProc = on_message, .hInstance = GetModuleHandleW(NULL), .lpszClassName = L"registered"};
  MSG message;
  HANDLE held = CreateFileW(beside(L"held"), GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
  if (held == INVALID_HANDLE_VALUE || GetCurrentDirectoryA(MAX_PATH, folder) == 0) return 1;
  if (argc > 1 && say(argv[1]) != 0) return 1;
  RegisterClassW(&class);
  HWND window = CreateWindowExW(0, class.lpszClassName, L"Registered", WS_OVERLAPPEDWINDOW | WS_VISIBLE, 0, 0, 99, 99,
                                NULL, NULL, class.hInstance, NULL);
  if (argc > 2 && strcmp(argv[2], "shell") == 0 && !shell_window_set(window)) return 1;
  SetTimer(NULL, 1, HARD_LIMIT_MS, NULL);
  int used = snprintf(line, sizeof line, "start %lu %s", GetCurrentProcessId(), folder);
  for (int i = 1; i < argc; i++) used += snprintf(line + used, sizeof line - (size_t)used, " [%s]", argv[i]);
  snprintf(line + used, sizeof line - (size_t)used, "\n");
  tell(line);
  printf("ready %lu\n", GetCurrentProcessId());
  fflush(stdout);
  while (GetMessageW(&message, NULL, 0, 0) > 0 && (message.hwnd || message.message != WM_TIMER))
    DispatchMessageW(&message);
  return 0;
}
