/* victims.h: for tests of processes: the program `holder` in one of its many roles (spec/c/windows/holder.c).
 * SPDX-License-Identifier: MIT */
#ifndef VICTIMS_H
#define VICTIMS_H

#include <stdint.h>
#include <windows.h>

#include "check.h"
#include "os/process.h"
#include "os/windows/create_process.h"

typedef struct victim {
  rsm_process id; /* start_time 0 */
  HANDLE process; /* with all rights */
  HANDLE input;   /* its end ends it */
} victim;

/* Beside the test, or one folder above. */
static inline void find_program(const wchar_t *name, wchar_t path[MAX_PATH]) {
  CHECK(GetModuleFileNameW(NULL, path, MAX_PATH) < MAX_PATH);
  for (int up = 0; up < 2; up++) {
    wchar_t *slash = wcsrchr(path, L'\\');
    CHECK(slash && wcslen(name) + 1 < (size_t)(MAX_PATH - (slash - path)));
    wcscpy(slash + 1, name);
    if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES) return;
    *slash = 0;
  }
  fprintf(stderr, "%ls is missing\n", name);
  exit(1);
}

/* Reads up to the end of the line that begins with "ready". */
static inline uint32_t read_ready(HANDLE output) {
  char text[4096];
  size_t length = 0;
  DWORD got;
  while (length < sizeof text - 1 && ReadFile(output, text + length, 1, &got, NULL) && got == 1) {
    text[++length] = '\0';
    const char *ready = strstr(text, "ready ");
    if (ready && text[length - 1] == '\n') return (uint32_t)strtoul(ready + 6, NULL, 10);
  }
  fprintf(stderr, "the victim is not ready: %s\n", text);
  exit(1);
}

static inline victim victim_run(const wchar_t *program, const wchar_t *orders, DWORD flags) {
  wchar_t path[MAX_PATH], line[1024];
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  HANDLE input, output, to_victim, from_victim;
  find_program(program, path);
  CHECK(CreatePipe(&input, &to_victim, &inherited, 0) && CreatePipe(&from_victim, &output, &inherited, 0));
  SetHandleInformation(to_victim, HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(from_victim, HANDLE_FLAG_INHERIT, 0);
  STARTUPINFOW startup = {.cb = sizeof startup,
                          .dwFlags = STARTF_USESTDHANDLES,
                          .hStdInput = input,
                          .hStdOutput = output,
                          .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
  PROCESS_INFORMATION started;
  _snwprintf(line, 1024, L"\"%ls\" %ls", path, orders);
  CHECK(rsm__create_process(path, line, TRUE, flags, NULL, NULL, &startup, &started));
  CloseHandle(started.hThread);
  CloseHandle(input);
  CloseHandle(output);
  uint32_t pid = read_ready(from_victim);
  CloseHandle(from_victim);
  CHECK_INT(pid, started.dwProcessId);
  return (victim){.id = {.pid = pid}, .process = started.hProcess, .input = to_victim};
}

static inline bool victim_ends(const victim *v, DWORD within_ms) {
  return WaitForSingleObject(v->process, within_ms) == WAIT_OBJECT_0;
}

static inline void victim_end(victim *v) {
  TerminateProcess(v->process, 9);
  CHECK(victim_ends(v, 5000));
  CloseHandle(v->process);
  CloseHandle(v->input);
}

static inline rsm__process *victim_open(const victim *v) {
  rsm__process *process = NULL;
  CHECK_INT(rsm__process_open(&v->id, &process, NULL), RSM_OK);
  return process;
}

#endif
