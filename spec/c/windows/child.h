/* child.h: the test's own program in other roles: a program to be looked at and started again, which notes how it was
 * started; one that starts another and dies in the middle of it. SPDX-License-Identifier: MIT */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "../check.h"
#include "os/process.h"
#include "os/windows/create_process.h"

enum { CHILD_LIMIT_MS = 60000 };

static inline const wchar_t *child_program(void) {
  static wchar_t path[MAX_PATH];
  CHECK(GetModuleFileNameW(NULL, path, MAX_PATH) > 0);
  return path;
}

/* A file beside the test that only this process has. */
static inline const wchar_t *child_path(const wchar_t *name) {
  static wchar_t paths[4][MAX_PATH];
  static int next;
  wchar_t *path = paths[next++ % 4];
  wchar_t folder[MAX_PATH];
  CHECK(GetTempPathW(MAX_PATH, folder) > 0);
  swprintf(path, MAX_PATH, L"%lsrm-%lu-%ls", folder, GetCurrentProcessId(), name);
  return path;
}

static inline void child_put(FILE *to, const char *name, const wchar_t *value) {
  char text[8192];
  int length = WideCharToMultiByte(CP_UTF8, 0, value, -1, text, sizeof text, NULL, NULL);
  fprintf(to, "%s=%s\n", name, length > 0 ? text : "?");
}

/* The child's side: notes itself into a file that appears at once, whole. note: the file. */
static inline void child_note(const wchar_t *note) {
  wchar_t text[8192], part[MAX_PATH];
  swprintf(part, MAX_PATH, L"%ls.part", note);
  FILE *to = _wfopen(part, L"wb");
  if (!to) ExitProcess(3);
  STARTUPINFOW start = {.cb = sizeof start};
  GetStartupInfoW(&start);
  child_put(to, "line", GetCommandLineW());
  GetCurrentDirectoryW(8192, text);
  child_put(to, "directory", text);
  if (!GetEnvironmentVariableW(L"RM_TEST", text, 8192)) wcscpy(text, L"(none)");
  child_put(to, "variable", text);
  if (!GetEnvironmentVariableW(L"USERPROFILE", text, 8192)) wcscpy(text, L"(none)");
  child_put(to, "profile", text);
  fprintf(to, "console=%d\nwindow=%d\n", GetConsoleCP() != 0, GetConsoleWindow() != NULL);
  fprintf(to, "priority=%lu\nshow=%d\n", GetPriorityClass(GetCurrentProcess()),
          start.dwFlags & STARTF_USESHOWWINDOW ? start.wShowWindow : -1);
  BOOL inside = FALSE;
  IsProcessInJob(GetCurrentProcess(), NULL, &inside);
  fprintf(to, "pid=%lu\njob=%d\n", GetCurrentProcessId(), inside);
  fclose(to);
  MoveFileExW(part, note, MOVEFILE_REPLACE_EXISTING);
}

/* The note, once it is there; "" if it does not come within the limit. */
static inline const char *child_read_note(const wchar_t *note, DWORD limit_ms) {
  static char text[16384];
  text[0] = '\0';
  for (DWORD waited = 0; waited <= limit_ms; waited += 10) {
    FILE *from = _wfopen(note, L"rb");
    if (from) {
      size_t length = fread(text, 1, sizeof text - 1, from);
      text[length] = '\0';
      fclose(from);
      return text;
    }
    Sleep(10);
  }
  return text;
}

/* A line of a note, without its name. */
static inline const char *child_value(const char *note, const char *name) {
  static char values[4][8192];
  static int next;
  char *value = values[next++ % 4];
  char line[64];
  snprintf(line, sizeof line, "\n%s=", name);
  const char *at = strncmp(note, line + 1, strlen(line + 1)) == 0 ? note : strstr(note, line);
  if (!at) return "(missing)";
  at = strchr(at + (at == note ? 0 : 1), '=') + 1;
  snprintf(value, 8192, "%.*s", (int)strcspn(at, "\n"), at);
  return value;
}

typedef struct child {
  PROCESS_INFORMATION info;
  HANDLE job; /* ends it with the test */
} child;

/* line: all of it. flags: CreateProcessW's. limit: its job's. */
static inline child child_start_limited(const wchar_t *line, DWORD flags, const wchar_t *directory, STARTUPINFOW *how,
                                        JOBOBJECT_EXTENDED_LIMIT_INFORMATION *limit) {
  child started = {0};
  STARTUPINFOW plain = {.cb = sizeof plain};
  wchar_t copy[8192];
  wcscpy(copy, line);
  started.job = CreateJobObjectW(NULL, NULL);
  CHECK(SetInformationJobObject(started.job, JobObjectExtendedLimitInformation, limit, sizeof *limit));
  CHECK(rsm__create_process(child_program(), copy, FALSE, flags | CREATE_SUSPENDED, NULL, directory, how ? how : &plain,
                            &started.info));
  CHECK(AssignProcessToJobObject(started.job, started.info.hProcess));
  /* Wine passes the flag over. */
  if (flags & BELOW_NORMAL_PRIORITY_CLASS) SetPriorityClass(started.info.hProcess, BELOW_NORMAL_PRIORITY_CLASS);
  ResumeThread(started.info.hThread);
  return started;
}

static inline child child_start(const wchar_t *line, DWORD flags, const wchar_t *directory, STARTUPINFOW *how) {
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
  return child_start_limited(line, flags, directory, how, &limit);
}

static inline void child_end(child *started) {
  TerminateProcess(started->info.hProcess, 0);
  CHECK_INT(WaitForSingleObject(started->info.hProcess, 10000), WAIT_OBJECT_0);
  CloseHandle(started->info.hThread);
  CloseHandle(started->info.hProcess);
  CloseHandle(started->job);
}

static inline rsm__process *child_open(DWORD pid) {
  rsm__process *process = NULL;
  CHECK_INT(rsm__process_open(&(rsm_process){.pid = pid}, &process, NULL), RSM_OK);
  return process;
}

/* Ends a process that the library started, by its identity. */
static inline void child_end_started(const rsm_process *id) {
  rsm__process *process = NULL;
  if (rsm__process_open(id, &process, NULL) != RSM_OK) return;
  rsm__process_kill(process, NULL);
  for (int i = 0; i < 500 && rsm__process_alive(process); i++) Sleep(10);
  CHECK(!rsm__process_alive(process));
  rsm__process_close(process);
}

#endif
