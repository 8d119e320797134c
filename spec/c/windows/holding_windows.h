/* holding_windows.h: children that hold files, and listings of who does: for the tests of os/holders.h on Windows. A
 * child is the test program itself, started again with its orders in the environment. SPDX-License-Identifier: MIT */
#ifndef HOLDING_WINDOWS_H
#define HOLDING_WINDOWS_H

#include <windows.h>

#include "base/cleanup.h"
#include "below_wine.h"
#include "check.h"
#include "os/clock.h"
#include "os/holders.h"
#include "os/windows/create_process.h"
#include "os/windows/wide.h"

enum { HOLDING_LIMIT_MS = 20000, HOLDING_PATH = 2048 };

static wchar_t folder[MAX_PATH]; /* of this run, without a backslash at its end, by its real name */
static rsm__lookup *lookup;
static rsm__arena arena;
static rsm__holders found;

/* ---- Files ---- */

/* "folder\name" for Windows' calls, without a limit; four at a time stay valid. */
static inline const wchar_t *win(const wchar_t *name) {
  static wchar_t paths[4][HOLDING_PATH];
  static unsigned next;
  wchar_t *path = paths[next++ % 4];
  swprintf(path, HOLDING_PATH, L"\\\\?\\%ls%ls%ls", folder, name[0] ? L"\\" : L"", name);
  return path;
}

/* The same as registered text; four at a time stay valid. */
static inline const char *in(const wchar_t *name) {
  static char paths[4][HOLDING_PATH * 3];
  static unsigned next;
  const wchar_t *path = win(name) + 4;
  return rsm__narrow_to(paths[next++ % 4], sizeof paths[0], path, wcslen(path));
}

static inline void put(const wchar_t *name) {
  DWORD written;
  HANDLE file = CreateFileW(win(name), GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  CHECK(WriteFile(file, "some bytes", 10, &written, NULL));
  CloseHandle(file);
}

static inline void put_folder(const wchar_t *name) {
  CHECK(CreateDirectoryW(win(name), NULL));
}

static inline void put_large(const wchar_t *name, LONG size) {
  HANDLE file = CreateFileW(win(name), GENERIC_WRITE, 7, NULL, CREATE_ALWAYS, 0, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  CHECK(SetFilePointer(file, size, NULL, FILE_BEGIN) == (DWORD)size && SetEndOfFile(file));
  CloseHandle(file);
}

/* A program, and a library, of our own. */
static inline void put_program(const wchar_t *name) {
  wchar_t self[MAX_PATH];
  CHECK(GetModuleFileNameW(NULL, self, MAX_PATH) < MAX_PATH);
  CHECK(CopyFileW(self, win(name), TRUE));
}

static inline void put_library(const wchar_t *name) {
  wchar_t system[MAX_PATH];
  CHECK(GetSystemDirectoryW(system, MAX_PATH - 20) > 0);
  wcscat(system, L"\\version.dll");
  CHECK(CopyFileW(system, win(name), TRUE));
}

static inline bool remove_below(const wchar_t *path);

static inline void remove_tree(const wchar_t *path) {
  wchar_t pattern[HOLDING_PATH];
  WIN32_FIND_DATAW entry;
  swprintf(pattern, HOLDING_PATH, L"%ls\\*", path);
  HANDLE search = FindFirstFileW(pattern, &entry);
  if (search == INVALID_HANDLE_VALUE) return;
  do {
    if (wcscmp(entry.cFileName, L".") == 0 || wcscmp(entry.cFileName, L"..") == 0) continue;
    wchar_t below[HOLDING_PATH];
    swprintf(below, HOLDING_PATH, L"%ls\\%ls", path, entry.cFileName);
    bool directory = (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    if (directory && !(entry.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT)) remove_tree(below);
    if (directory && !RemoveDirectoryW(below))
      remove_below(below); /* a link that Wine does not remove */
    else if (!directory)
      DeleteFileW(below);
  } while (FindNextFileW(search, &entry));
  FindClose(search);
  RemoveDirectoryW(path);
}

/* ---- Children ---- */

typedef struct child {
  HANDLE process;
  uint32_t pid;
  unsigned number;
} child;

static HANDLE children; /* a job: none of them outlives us */

static inline void order(const wchar_t *act, const wchar_t *path, unsigned argument) {
  wchar_t number[16];
  swprintf(number, 16, L"%u", argument);
  CHECK(SetEnvironmentVariableW(L"HOLDING_ACT", act) && SetEnvironmentVariableW(L"HOLDING_PATH", path) &&
        SetEnvironmentVariableW(L"HOLDING_ARGUMENT", number));
}

/* program NULL: ourselves. Returns when the child has done what it was told; its command line ends with "held-" and a
 * number of its own. */
static inline child start_program(const wchar_t *program, const wchar_t *act, const wchar_t *path, unsigned argument) {
  static unsigned count;
  wchar_t self[HOLDING_PATH], number[32], line[64];
  STARTUPINFOW startup = {.cb = sizeof startup};
  PROCESS_INFORMATION info;
  SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
  HANDLE ready = CreateEventW(&inherited, TRUE, FALSE, NULL);
  CHECK(ready && GetModuleFileNameW(NULL, self, HOLDING_PATH) < HOLDING_PATH);
  swprintf(number, 32, L"%llu", (unsigned long long)(uintptr_t)ready);
  order(act, path, argument);
  CHECK(SetEnvironmentVariableW(L"HOLDING_READY", number));
  if (program) wcscpy(self, program);
  swprintf(line, 64, L"holder held-%lu-%u", GetCurrentProcessId(), ++count);
  CHECK(rsm__create_process(self, line, TRUE, CREATE_NO_WINDOW | CREATE_SUSPENDED, NULL, NULL, &startup, &info));
  CHECK(AssignProcessToJobObject(children, info.hProcess));
  ResumeThread(info.hThread);
  CloseHandle(info.hThread);
  CHECK(SetEnvironmentVariableW(L"HOLDING_ACT", NULL));
  const HANDLE either[] = {ready, info.hProcess};
  CHECK_INT(WaitForMultipleObjects(2, either, FALSE, HOLDING_LIMIT_MS), WAIT_OBJECT_0);
  CloseHandle(ready);
  return (child){.process = info.hProcess, .pid = info.dwProcessId, .number = count};
}

static inline child start(const wchar_t *act, const wchar_t *path, unsigned argument) {
  return start_program(NULL, act, path, argument);
}

static inline void end(child victim) {
  CHECK(TerminateProcess(victim.process, 1));
  CHECK_INT(WaitForSingleObject(victim.process, HOLDING_LIMIT_MS), WAIT_OBJECT_0);
  CloseHandle(victim.process);
}

/* ---- Below Wine ---- */

/* Removes the file as a program of the system below does, whatever is open. False: this is no Wine. */
static inline bool remove_below(const wchar_t *path) {
  wchar_t line[HOLDING_PATH];
  char *name = name_below(path);
  if (!name) return false;
  swprintf(line, HOLDING_PATH, L"rm -f %hs", name);
  HeapFree(GetProcessHeap(), 0, name);
  run_below(L"Z:\\bin\\rm", line);
  for (int i = 0; i < 500 && GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES; i++) Sleep(10);
  return true;
}

/* A link to the folder `to`. Wine makes none, and says that it did: the system below does. False: not permitted. */
static inline bool put_link(const wchar_t *name, const wchar_t *to) {
  wchar_t line[HOLDING_PATH * 2];
  if (!CreateSymbolicLinkW(win(name), win(to), SYMBOLIC_LINK_FLAG_DIRECTORY)) return false;
  if (GetFileAttributesW(win(name)) != INVALID_FILE_ATTRIBUTES) return true;
  char *there = name_below(win(to)), *here = name_below(win(name));
  if (!there || !here) return false;
  swprintf(line, (size_t)HOLDING_PATH * 2, L"ln -s %hs %hs", there, here);
  HeapFree(GetProcessHeap(), 0, there);
  HeapFree(GetProcessHeap(), 0, here);
  run_below(L"Z:\\bin\\ln", line);
  for (int i = 0; i < 2000 && GetFileAttributesW(win(name)) == INVALID_FILE_ATTRIBUTES; i++) Sleep(10);
  return GetFileAttributesW(win(name)) != INVALID_FILE_ATTRIBUTES;
}

/* Stops the child as the system below can, so that it answers nothing any more, or lets it go on. False: this is no
 * Wine. */
static inline bool freeze(child who, bool stop) {
  wchar_t word[64];
  swprintf(word, 64, L"held-%lu-%u", GetCurrentProcessId(), who.number);
  return freeze_below(word, win(L"done"), stop);
}

/* ---- The child's side ---- */

static inline HANDLE act_open(const wchar_t *path, DWORD access, DWORD share) {
  HANDLE file = CreateFileW(path, access, share, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  CHECK(file != INVALID_HANDLE_VALUE);
  return file;
}

/* A view whose file and section are closed. writable: and may be written through. keep: the section stays, not the
 * view. */
static inline void act_map(const wchar_t *path, bool writable, bool keep) {
  HANDLE file = act_open(path, writable ? GENERIC_READ | GENERIC_WRITE : GENERIC_READ, 7);
  HANDLE section = CreateFileMappingW(file, NULL, writable ? PAGE_READWRITE : PAGE_READONLY, 0, 0, NULL);
  CHECK(section);
  if (!keep) {
    CHECK(MapViewOfFile(section, writable ? FILE_MAP_WRITE : FILE_MAP_READ, 0, 0, 0));
    CloseHandle(section);
  }
  CloseHandle(file);
}

enum { VIEWS_AT = 0x20000000, VIEW_SIZE = 0x10000 };

/* A view of that many VIEW_SIZEs, from the place'th of the file on, at that place. */
static inline void act_view(const wchar_t *path, unsigned place, unsigned count) {
  HANDLE file = act_open(path, GENERIC_READ, 7);
  HANDLE section = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
  void *at = (void *)(uintptr_t)(VIEWS_AT + place * VIEW_SIZE);
  CHECK(section);
  CHECK(MapViewOfFileEx(section, FILE_MAP_READ, 0, place * VIEW_SIZE, (SIZE_T)count * VIEW_SIZE, at) == at);
  CloseHandle(section);
  CloseHandle(file);
}

/* count > 0: so much of the folder's "table". 0: the same at both ends, and its "file" in between. */
static inline void act_views(const wchar_t *path, unsigned count) {
  wchar_t table[HOLDING_PATH], file[HOLDING_PATH];
  swprintf(table, HOLDING_PATH, L"%ls\\table", path);
  swprintf(file, HOLDING_PATH, L"%ls\\file", path);
  act_view(table, 0, count ? count : 1);
  if (count) return;
  act_view(file, 1, 1);
  act_view(table, 2, 1);
}

/* Nobody, not even whoever runs as the same user, may open us from now on. */
static inline void act_shut(void) {
  ACL nobody;
  SECURITY_DESCRIPTOR descriptor;
  CHECK(InitializeAcl(&nobody, sizeof nobody, ACL_REVISION));
  CHECK(InitializeSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION));
  CHECK(SetSecurityDescriptorDacl(&descriptor, TRUE, &nobody, FALSE));
  CHECK(SetKernelObjectSecurity(GetCurrentProcess(), DACL_SECURITY_INFORMATION, &descriptor));
}

/* A pipe of ours, from which another thread reads for ever: who asks what it is may hang. */
static inline DWORD WINAPI read_for_ever(void *pipe) {
  char byte;
  DWORD length;
  ReadFile(pipe, &byte, 1, &length, NULL);
  return 0;
}

static inline void act_wait_on_pipe(void) {
  HANDLE reading, writing;
  CHECK(CreatePipe(&reading, &writing, NULL, 0));
  CHECK(CreateThread(NULL, 0, read_for_ever, reading, 0, NULL));
  Sleep(50);
}

static inline void do_orders(const wchar_t *act, const wchar_t *path, unsigned argument) {
  if (wcscmp(act, L"read") == 0) act_open(path, GENERIC_READ, 7);
  if (wcscmp(act, L"write") == 0) act_open(path, GENERIC_WRITE, 7);
  if (wcscmp(act, L"both") == 0) act_open(path, GENERIC_READ | GENERIC_WRITE, 7);
  if (wcscmp(act, L"alone") == 0) act_open(path, GENERIC_READ, 0);
  if (wcscmp(act, L"attributes") == 0) act_open(path, FILE_READ_ATTRIBUTES, 7);
  if (wcscmp(act, L"map") == 0) act_map(path, argument != 0, false);
  if (wcscmp(act, L"views") == 0) act_views(path, argument);
  if (wcscmp(act, L"section") == 0) act_map(path, argument != 0, true);
  if (wcscmp(act, L"load") == 0) CHECK(LoadLibraryExW(path, NULL, 0));
  if (wcscmp(act, L"cwd") == 0) CHECK(SetCurrentDirectoryW(path));
  if (wcscmp(act, L"shut") == 0) act_shut();
  if (wcscmp(act, L"pipe") == 0) {
    act_open(path, GENERIC_READ, 7);
    act_wait_on_pipe();
  }
}

/* Does not return in a child. */
static inline void be_child(void) {
  wchar_t act[32], path[HOLDING_PATH], text[32];
  if (GetEnvironmentVariableW(L"HOLDING_ACT", act, 32) == 0) return;
  path[0] = 0;
  GetEnvironmentVariableW(L"HOLDING_PATH", path, HOLDING_PATH);
  GetEnvironmentVariableW(L"HOLDING_ARGUMENT", text, 32);
  do_orders(act, path, (unsigned)wcstoul(text, NULL, 10));
  GetEnvironmentVariableW(L"HOLDING_READY", text, 32);
  CHECK(SetEvent((HANDLE)(uintptr_t)wcstoull(text, NULL, 10)));
  for (;;) Sleep(INFINITE);
}

/* ---- Listings ---- */

static inline void find_real(const char *path, const char *real) {
  const rsm__target target = {.path = path, .real = real};
  rsm_error error = {0};
  rsm__arena_done(&arena);
  if (rsm__holders_find(&target, 1, lookup, NULL, &arena, &found, &error) != RSM_OK) {
    char text[600];
    check_fail(__FILE__, __LINE__, rsm_error_format(&error, text, sizeof text));
  }
}

static inline void find(const wchar_t *name) {
  find_real(in(name), NULL);
}

static inline const rsm__holder *holder_of(child who) {
  for (size_t i = 0; i < found.count; i++)
    if (found.holders[i].process.pid == who.pid) return &found.holders[i];
  return NULL;
}

static inline const rsm_use *use_of(child who, rsm_use_how how) {
  const rsm__holder *holder = holder_of(who);
  for (size_t i = 0; holder && i < holder->use_count; i++)
    if (holder->uses[i].how == how) return &holder->uses[i];
  return NULL;
}

static inline const rsm_use *only_use(child who, rsm_use_how how, const char *path) {
  const rsm_use *use = use_of(who, how);
  CHECK(use);
  CHECK_INT(holder_of(who)->use_count, 1);
  CHECK_TEXT(use->path, path);
  return use;
}

static inline const rsm_unreadable *unreadable_path(const char *path) {
  for (size_t i = 0; i < found.unreadable_count; i++)
    if (found.unreadable[i].path && strcmp(found.unreadable[i].path, path) == 0) return &found.unreadable[i];
  return NULL;
}

static inline const rsm_unreadable *unreadable_process(child who) {
  for (size_t i = 0; i < found.unreadable_count; i++)
    if (found.unreadable[i].process.pid == who.pid) return &found.unreadable[i];
  return NULL;
}

/* Removes what a test left. */
static inline void clean(void) {
  wchar_t path[MAX_PATH + 8];
  swprintf(path, MAX_PATH + 8, L"\\\\?\\%ls", folder);
  remove_tree(path);
  CHECK(CreateDirectoryW(path, NULL));
}

static inline void begin(void) {
  wchar_t base[MAX_PATH], made[MAX_PATH], real[MAX_PATH];
  CHECK(GetTempPathW(MAX_PATH - 64, base) > 0);
  swprintf(made, MAX_PATH, L"%lsrsm-holders-%lu-%u", base, GetCurrentProcessId(), (unsigned)rsm__clock_ms());
  CHECK(CreateDirectoryW(made, NULL));
  HANDLE handle = CreateFileW(made, 0, 7, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  CHECK(GetFinalPathNameByHandleW(handle, real, MAX_PATH, 0) > 4);
  CloseHandle(handle);
  wcscpy(folder, real + 4);
  children = CreateJobObjectW(NULL, NULL);
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
      .BasicLimitInformation = {.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE}};
  CHECK(SetInformationJobObject(children, JobObjectExtendedLimitInformation, &limits, sizeof limits));
  CHECK(rsm__lookup_new(5000, &lookup, NULL) == RSM_OK);
}

static inline void finish(void) {
  rsm__arena_done(&arena);
  lookup = rsm__lookup_free(lookup);
  CHECK_INT(rsm__alloc_live(), 0);
  clean();
  wchar_t path[MAX_PATH + 8];
  swprintf(path, MAX_PATH + 8, L"\\\\?\\%ls", folder);
  RemoveDirectoryW(path);
}

#endif
