/* below_wine.h: what only the system below Wine can do to files and processes. SPDX-License-Identifier: MIT */
#ifndef BELOW_WINE_H
#define BELOW_WINE_H

#include <stdbool.h>
#include <stdio.h>
#include <wchar.h>
#include <windows.h>

#include "check.h"
#include "os/windows/create_process.h"

enum { BELOW_LIMIT_MS = 20000, BELOW_LINE = 2048 };

/* What Wine calls a file there, to be freed with HeapFree; NULL: this is no Wine. */
static inline char *name_below(const wchar_t *path) {
  typedef char *CDECL unix_name(const wchar_t *);
  FARPROC found_name = GetProcAddress(GetModuleHandleW(L"kernel32"), "wine_get_unix_file_name");
  return found_name ? ((unix_name *)(void *)found_name)(path) : NULL;
}

static inline void run_below(const wchar_t *program, wchar_t *line) {
  STARTUPINFOW startup = {.cb = sizeof startup};
  PROCESS_INFORMATION info;
  CHECK(rsm__create_process(program, line, FALSE, 0, NULL, NULL, &startup, &info));
  WaitForSingleObject(info.hProcess, BELOW_LIMIT_MS);
  CloseHandle(info.hProcess);
  CloseHandle(info.hThread);
}

/* Stops the processes that have a word with that end on their command line, so that they answer nothing any more, or
 * lets them go on. done: a file that may be made and removed for it. False: this is no Wine. */
static inline bool freeze_below(const wchar_t *word, const wchar_t *done, bool stop) {
  wchar_t line[BELOW_LINE];
  char *name = name_below(done);
  if (!name) return false;
  swprintf(line, BELOW_LINE, /* the bracket: so that sh does not find itself */
           L"sh -c \"for p in /proc/[0-9]*; do if grep -qaz '[%lc]%ls$' $p/cmdline 2>/dev/null; then kill -%ls "
           L"${p#/proc/}; fi; done; touch '%hs'\"",
           (wint_t)*word, word + 1, stop ? L"STOP" : L"CONT", name);
  HeapFree(GetProcessHeap(), 0, name);
  run_below(L"Z:\\bin\\sh", line); /* whose end Wine does not tell */
  for (int i = 0; i < 2000 && GetFileAttributesW(done) == INVALID_FILE_ATTRIBUTES; i++) Sleep(10);
  CHECK(DeleteFileW(done));
  return true;
}

#endif
