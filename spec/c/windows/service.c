/* service.c: a real service of Windows for the tests, a program of its own.
 *
 *   service NAME [note PATH] [open PATH] [slow SECONDS] [linger SECONDS] [deaf]
 *
 * It notes "start PID WORDS" when it runs and "stop" when it is told to stop, holds PATH open for reading while it runs
 * (everybody else may do anything with it), takes SECONDS to stop, has a process that goes on for SECONDS after it, or,
 * deaf, does not accept to be stopped. Its hard limit ends it, whatever it was told. SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

enum { HARD_LIMIT_SECONDS = 120, SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

static struct {
  wchar_t **argv;
  wchar_t *name;
  const wchar_t *note;
  const wchar_t *open;
  DWORD slow_ms, linger_ms;
  bool deaf;
  SERVICE_STATUS_HANDLE handle;
  HANDLE stop;
} self;

static void note(const wchar_t *wide) {
  char line[8192];
  DWORD written;
  if (!self.note) return;
  int length = WideCharToMultiByte(CP_UTF8, 0, wide, (int)wcslen(wide), line, sizeof line - 1, NULL, NULL);
  line[length++] = '\n';
  HANDLE file = CreateFileW(self.note, FILE_APPEND_DATA, SHARE_ALL, NULL, OPEN_ALWAYS, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) return;
  WriteFile(file, line, (DWORD)length, &written, NULL);
  CloseHandle(file);
}

static void tell(DWORD state, DWORD exit_code) {
  SERVICE_STATUS status = {
      .dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state, .dwWin32ExitCode = exit_code};
  if (state == SERVICE_RUNNING && !self.deaf) status.dwControlsAccepted = SERVICE_ACCEPT_STOP;
  if (state == SERVICE_STOP_PENDING) status.dwWaitHint = self.slow_ms + 1000;
  SetServiceStatus(self.handle, &status);
}

static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *context) {
  (void)type;
  (void)data;
  (void)context;
  if (control != SERVICE_CONTROL_STOP)
    return control == SERVICE_CONTROL_INTERROGATE ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
  if (self.deaf) return ERROR_INVALID_SERVICE_CONTROL;
  note(L"stop");
  tell(SERVICE_STOP_PENDING, NO_ERROR);
  SetEvent(self.stop);
  return NO_ERROR;
}

static void WINAPI run(DWORD argc, wchar_t **argv) {
  wchar_t line[4096];
  HANDLE file = INVALID_HANDLE_VALUE;
  (void)argc;
  (void)argv;
  self.handle = RegisterServiceCtrlHandlerExW(self.name, on_control, NULL);
  self.stop = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (self.open) {
    file = CreateFileW(self.open, GENERIC_READ, SHARE_ALL, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE) {
      tell(SERVICE_STOPPED, GetLastError());
      return;
    }
  }
  swprintf(line, 4096, L"start %lu", GetCurrentProcessId());
  for (wchar_t **word = self.argv + 1; *word && wcslen(line) + wcslen(*word) + 2 < 4096; word++)
    wcscat(wcscat(line, L" "), *word);
  note(line);
  tell(SERVICE_RUNNING, NO_ERROR);
  WaitForSingleObject(self.stop, INFINITE);
  Sleep(self.slow_ms);
  if (file != INVALID_HANDLE_VALUE) CloseHandle(file);
  tell(SERVICE_STOPPED, NO_ERROR);
}

static DWORD WINAPI end_hard(void *nothing) {
  (void)nothing;
  Sleep(HARD_LIMIT_SECONDS * 1000);
  TerminateProcess(GetCurrentProcess(), 9);
  return 0;
}

static bool read_words(wchar_t **word) {
  for (; *word; word++) {
    if (wcscmp(*word, L"deaf") == 0) {
      self.deaf = true;
      continue;
    }
    if (!word[1]) return false;
    if (wcscmp(*word, L"note") == 0)
      self.note = *++word;
    else if (wcscmp(*word, L"open") == 0)
      self.open = *++word;
    else if (wcscmp(*word, L"slow") == 0)
      self.slow_ms = (DWORD)(wcstod(*++word, NULL) * 1000);
    else if (wcscmp(*word, L"linger") == 0)
      self.linger_ms = (DWORD)(wcstod(*++word, NULL) * 1000);
    else
      return false;
  }
  return true;
}

int wmain(int argc, wchar_t **argv); /* what mingw-w64's -municode calls */

int wmain(int argc, wchar_t **argv) {
  self.argv = argv;
  if (argc < 2 || !read_words(argv + 2)) {
    fprintf(stderr, "usage: service NAME [note PATH] [open PATH] [slow SECONDS] [linger SECONDS] [deaf]\n");
    return 2;
  }
  self.name = argv[1];
  SERVICE_TABLE_ENTRYW table[] = {{self.name, run}, {NULL, NULL}};
  CloseHandle(CreateThread(NULL, 0, end_hard, NULL, 0, NULL));
  bool done = StartServiceCtrlDispatcherW(table);
  Sleep(self.linger_ms);
  return done ? 0 : 1;
}
