/* holder_report.c: what the program `holder` sees of itself, one fact a line, so that what comes back after a restart
 * can be compared with what was there before. SPDX-License-Identifier: MIT */
#include "holder.h"

#include <stdio.h>
#include <wchar.h>

/* As UTF-8; a line break becomes \n, a backslash stays. */
static void fact(FILE *out, const char *key, const wchar_t *text) {
  static char narrow[32768 * 3];
  holder_narrow(narrow, sizeof narrow, text);
  fprintf(out, "%s ", key);
  for (const char *at = narrow; *at; at++) {
    if (*at == '\n')
      fputs("\\n", out);
    else
      fputc(*at, out);
  }
  fputc('\n', out);
}

static void report_place(FILE *out) {
  static wchar_t text[32768];
  DWORD size = 32768;
  if (GetModuleFileNameW(NULL, text, 32768)) fact(out, "exe", text);
  if (GetCurrentDirectoryW(32768, text)) fact(out, "cwd", text);
  if (GetUserNameW(text, &size)) fact(out, "user", text);
}

static void report_process(FILE *out) {
  DWORD session = 0;
  DWORD_PTR own = 0;
  DWORD_PTR all = 0;
  static const struct {
    const char *name;
    DWORD which;
  } handles[] = {{"stdin", STD_INPUT_HANDLE}, {"stdout", STD_OUTPUT_HANDLE}, {"stderr", STD_ERROR_HANDLE}};
  ProcessIdToSessionId(GetCurrentProcessId(), &session);
  GetProcessAffinityMask(GetCurrentProcess(), &own, &all);
  fprintf(out, "pid %lu\nsession %lu\n", GetCurrentProcessId(), session);
  fprintf(out, "priority %lx\naffinity %llx\n", GetPriorityClass(GetCurrentProcess()), (unsigned long long)own);
  fprintf(out, "console %s\n", GetConsoleCP() ? "yes" : "no");
  for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
    fprintf(out, "%s %lu\n", handles[i].name, GetFileType(GetStdHandle(handles[i].which)));
}

static FILE *open_or_die(const wchar_t *path) {
  FILE *out = _wfopen(path, L"wb");
  if (out) return out;
  holder_die("report", path);
}

void holder_report(const wchar_t *path, wchar_t **words) {
  wchar_t name[32768];
  swprintf(name, 32768, L"%ls.%lu", path, GetCurrentProcessId());
  FILE *out = open_or_die(name);
  report_process(out);
  report_place(out);
  for (; *words; words++) fact(out, "arg", *words);
  wchar_t *environment = GetEnvironmentStringsW();
  for (const wchar_t *at = environment; at && *at; at += wcslen(at) + 1) fact(out, "env", at);
  FreeEnvironmentStringsW(environment);
  if (fclose(out) != 0) holder_die("write", name);
  if (!MoveFileExW(name, path, MOVEFILE_REPLACE_EXISTING)) holder_die("rename", path);
}
