/* holder.c: a program that does on order what real programs do to files, then waits. As spec/c/holder.c does on Linux.
 *
 *   holder COMMAND [ARGUMENT...] ...
 *
 * The commands are carried out from left to right (see the table at the end); then it prints "ready PID" and waits
 * until its standard input ends. A failing command ends it with status 2 and a line on standard error. It never
 * outlives its hard limit, whatever it was told. SPDX-License-Identifier: MIT */
#include "holder.h"

#include <aclapi.h>
#include <fcntl.h>
#include <io.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <wchar.h>

enum { HARD_LIMIT_SECONDS = 120, TICK_MS = 20, SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE };

static struct {
  wchar_t **argv;
  const wchar_t *until;  /* end when this file has gone */
  const wchar_t *note;   /* tell there when started and when asked to end */
  const wchar_t *report; /* describe the process there */
  double delay;          /* seconds from being asked to the end */
  bool stay;             /* the end of the input is not ours */
  bool child;            /* started by the order "fork" */
  bool deaf;             /* being asked does nothing */
} self;

static atomic_bool asked;

/* ---- Words ---- */

static void print_error(DWORD code, const char *what, const wchar_t *subject) {
  fprintf(stderr, "holder: %s %ls: error %lu\n", what, subject, code);
}

_Noreturn void holder_die(const char *what, const wchar_t *subject) {
  print_error(GetLastError(), what, subject);
  exit(2);
}

static void must(BOOL worked, const char *what, const wchar_t *subject) {
  if (!worked) holder_die(what, subject);
}

size_t holder_narrow(char *buffer, size_t size, const wchar_t *text) {
  int length = WideCharToMultiByte(CP_UTF8, 0, text, (int)wcslen(text), buffer, (int)size - 1, NULL, NULL);
  buffer[length] = '\0';
  return (size_t)length;
}

static void append(const wchar_t *path, const char *line, size_t length) {
  DWORD written;
  HANDLE file = CreateFileW(path, FILE_APPEND_DATA, SHARE_ALL, NULL, OPEN_ALWAYS, 0, NULL);
  must(file != INVALID_HANDLE_VALUE, "open", path);
  must(WriteFile(file, line, (DWORD)length, &written, NULL) && written == length, "write", path);
  CloseHandle(file);
}

void holder_note(const char *format, ...) {
  char line[8192];
  va_list arguments;
  if (!self.note) return;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  size_t size = (size_t)length < sizeof line - 1 ? (size_t)length : sizeof line - 2;
  line[size++] = '\n';
  append(self.note, line, size);
}

static DWORD WINAPI end_hard(void *nothing) {
  (void)nothing;
  Sleep(HARD_LIMIT_SECONDS * 1000);
  TerminateProcess(GetCurrentProcess(), 9);
  return 0;
}

/* ---- Holding ---- */

static HANDLE open_or_die(const wchar_t *path, DWORD access, DWORD sharing) {
  HANDLE file = CreateFileW(path, access, sharing, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  must(file != INVALID_HANDLE_VALUE, "open", path);
  return file;
}

static void do_open(wchar_t **args) {
  open_or_die(args[0], GENERIC_READ, SHARE_ALL);
}

static void do_noshare(wchar_t **args) {
  open_or_die(args[0], GENERIC_READ, 0);
}

static void do_write(wchar_t **args) {
  open_or_die(args[0], GENERIC_WRITE, SHARE_ALL);
}

static void do_rdwr(wchar_t **args) {
  open_or_die(args[0], GENERIC_READ | GENERIC_WRITE, SHARE_ALL);
}

static void do_attributes(wchar_t **args) {
  open_or_die(args[0], FILE_READ_ATTRIBUTES, SHARE_ALL);
}

static void map_file(const wchar_t *path, bool writable, bool keep) {
  HANDLE file = open_or_die(path, writable ? GENERIC_READ | GENERIC_WRITE : GENERIC_READ, SHARE_ALL);
  HANDLE section = CreateFileMappingW(file, NULL, writable ? PAGE_READWRITE : PAGE_READONLY, 0, 0, NULL);
  must(section != NULL, "CreateFileMapping", path);
  must(MapViewOfFile(section, writable ? FILE_MAP_WRITE : FILE_MAP_READ, 0, 0, 0) != NULL, "MapViewOfFile", path);
  if (keep) return;
  CloseHandle(section);
  CloseHandle(file);
}

static void do_map(wchar_t **args) {
  map_file(args[0], false, false);
}

static void do_mapw(wchar_t **args) {
  map_file(args[0], true, false);
}

static void do_mapopen(wchar_t **args) {
  map_file(args[0], false, true);
}

static void do_lock(wchar_t **args) {
  OVERLAPPED start = {0};
  HANDLE file = open_or_die(args[0], GENERIC_READ, SHARE_ALL);
  must(LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &start), "lock", args[0]);
}

static void do_load(wchar_t **args) {
  must(LoadLibraryW(args[0]) != NULL, "LoadLibrary", args[0]);
}

static void do_cwd(wchar_t **args) {
  must(SetCurrentDirectoryW(args[0]), "chdir", args[0]);
}

static void do_unlink(wchar_t **args) {
  must(DeleteFileW(args[0]), "delete", args[0]);
}

static void do_replace(wchar_t **args) {
  must(MoveFileExW(args[0], args[1], MOVEFILE_REPLACE_EXISTING), "rename", args[1]);
}

/* ---- Being asked to end ---- */

void holder_ask(void) {
  atomic_store(&asked, true);
}

bool holder_is_deaf(void) {
  return self.deaf;
}

static BOOL WINAPI on_console(DWORD event) {
  if (self.deaf) return TRUE;
  holder_ask();
  if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) Sleep(INFINITE); /* returning would be the end at once */
  return TRUE;
}

static void catch_console(void) {
  must(SetConsoleCtrlHandler(on_console, TRUE), "SetConsoleCtrlHandler", L"");
}

static void do_ignore(wchar_t **args) {
  (void)args;
  self.deaf = true;
  catch_console();
}

static void do_delay(wchar_t **args) {
  self.delay = wcstod(args[0], NULL);
  catch_console();
}

static void do_note(wchar_t **args) {
  char line[4096] = "";
  size_t used = 0;
  for (wchar_t **arg = self.argv + 1; *arg && used < sizeof line - 8; arg++) {
    line[used++] = ' ';
    used += holder_narrow(line + used, sizeof line - used, *arg);
  }
  self.note = args[0];
  catch_console();
  if (!self.child) holder_note("start %lu%s", GetCurrentProcessId(), line);
}

static void do_until(wchar_t **args) {
  self.until = args[0];
}

static void do_nopdeath(wchar_t **args) {
  (void)args;
  self.stay = true;
}

static void do_report(wchar_t **args) {
  self.report = args[0];
}

/* ---- What it is ---- */

static void do_name(wchar_t **args) {
  SetConsoleTitleW(args[0]); /* without a console it has none */
}

static void do_env(wchar_t **args) {
  wchar_t value[4096];
  char narrow[4096 * 3];
  DWORD length = GetEnvironmentVariableW(args[0], value, 4096);
  bool there = length > 0 && length < 4096;
  holder_narrow(narrow, sizeof narrow, there ? value : L"");
  printf("env %ls%s%s\n", args[0], there ? "=" : "", narrow);
}

static void do_console(wchar_t **args) {
  FreeConsole();
  if (wcscmp(args[0], L"new") == 0) must(AllocConsole(), "AllocConsole", L"");
}

/* An empty list of rights: nobody may open us, not even who started us. */
static void do_protect(wchar_t **args) {
  (void)args;
  ACL empty;
  must(InitializeAcl(&empty, sizeof empty, ACL_REVISION), "InitializeAcl", L"");
  DWORD code =
      SetSecurityInfo(GetCurrentProcess(), SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &empty, NULL);
  SetLastError(code);
  must(code == ERROR_SUCCESS, "SetSecurityInfo", L"");
}

static void do_look(wchar_t **args) {
  holder_look(args[0]);
}

static void do_window(wchar_t **args) {
  holder_open_window(args[0], 0);
}

static void do_window_late(wchar_t **args) {
  holder_open_window(L"late", wcstod(args[0], NULL));
}

static void do_as_child(wchar_t **args) {
  (void)args;
  self.child = true;
}

/* ---- Children ---- */

static void append_word(wchar_t *line, size_t size, const wchar_t *word) {
  size_t used = wcslen(line);
  if (used + wcslen(word) + 4 > size) {
    SetLastError(ERROR_FILENAME_EXCED_RANGE);
    holder_die("fork", word);
  }
  swprintf(line + used, size - used, L"%ls\"%ls\"", used ? L" " : L"", word); /* none of ours has quotes in it */
}

/* One that has carried out the orders before this one; it tells us so on a pipe. Returns its pid. */
static DWORD start_child(wchar_t *line) {
  HANDLE ends[2];
  char byte;
  DWORD length;
  SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
  must(CreatePipe(&ends[0], &ends[1], &inheritable, 0), "CreatePipe", L"");
  STARTUPINFOW how = {.cb = sizeof how,
                      .dwFlags = STARTF_USESTDHANDLES,
                      .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
                      .hStdOutput = ends[1],
                      .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
  PROCESS_INFORMATION child;
  SetHandleInformation(ends[0], HANDLE_FLAG_INHERIT, 0);
  SetHandleInformation(how.hStdInput, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
  SetHandleInformation(how.hStdError, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
  must(CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &how, &child), "CreateProcess", line);
  CloseHandle(ends[1]);
  must(ReadFile(ends[0], &byte, 1, &length, NULL), "read from a child", line);
  CloseHandle(ends[0]);
  CloseHandle(child.hThread);
  CloseHandle(child.hProcess);
  return child.dwProcessId;
}

static void do_fork(wchar_t **args) {
  wchar_t line[8192] = L"";
  wchar_t program[MAX_PATH * 4];
  must(GetModuleFileNameW(NULL, program, MAX_PATH * 4) > 0, "GetModuleFileName", L"");
  append_word(line, 8192, program);
  append_word(line, 8192, L"as-child");
  for (wchar_t **arg = self.argv + 1; arg < args - 1; arg++) append_word(line, 8192, *arg);
  for (long i = 0, count = wcstol(args[0], NULL, 10); i < count; i++) printf("child %lu\n", start_child(line));
}

/* ---- Waiting ---- */

static bool input_is_pipe(HANDLE input) {
  return GetFileType(input) == FILE_TYPE_PIPE;
}

/* Never by reading: a blocked read would hold up whoever asks for the name of our input. */
static bool input_has_ended(HANDLE input) {
  DWORD waiting;
  char byte;
  if (!input_is_pipe(input) || !PeekNamedPipe(input, NULL, 0, NULL, &waiting, NULL)) return true;
  if (waiting > 0) return !ReadFile(input, &byte, 1, &waiting, NULL) || waiting == 0;
  return false;
}

static void wait_for_the_end(void) {
  HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
  bool listen = !self.stay && (!self.until || input_is_pipe(input));
  ULONGLONG end = 0;
  for (;;) {
    if (listen && input_has_ended(input)) return;
    if (self.until && GetFileAttributesW(self.until) == INVALID_FILE_ATTRIBUTES) return;
    if (atomic_load(&asked) && end == 0) {
      end = GetTickCount64() + (ULONGLONG)(self.delay * 1000);
      holder_note("term");
    }
    if (end != 0 && GetTickCount64() >= end) return;
    Sleep(TICK_MS);
  }
}

static void say_ready(void) {
  if (self.report && !self.child) holder_report(self.report, self.argv);
  printf("ready %lu\n", GetCurrentProcessId());
  fflush(stdout);
}

/* ---- The table ---- */

static const struct command {
  const wchar_t *name;
  int arguments;
  void (*function)(wchar_t **args);
} commands[] = {
    {L"open", 1, do_open},               /* PATH: for reading; everybody else may do anything */
    {L"noshare", 1, do_noshare},         /* PATH: for reading; nobody else may open it */
    {L"write", 1, do_write},             /* PATH: for writing only */
    {L"rdwr", 1, do_rdwr},               /* PATH: for reading and writing */
    {L"attributes", 1, do_attributes},   /* PATH: only for reading its attributes */
    {L"map", 1, do_map},                 /* PATH: mapped for reading, handles closed */
    {L"mapw", 1, do_mapw},               /* PATH: mapped for writing, handles closed */
    {L"mapopen", 1, do_mapopen},         /* PATH: mapped for reading, handles kept */
    {L"lock", 1, do_lock},               /* PATH: open and its first byte locked */
    {L"load", 1, do_load},               /* PATH: a DLL */
    {L"cwd", 1, do_cwd},                 /* DIR: working directory */
    {L"fork", 1, do_fork},               /* N: children that have carried out what stands before; prints "child PID" */
    {L"name", 1, do_name},               /* TEXT: the console's title */
    {L"env", 1, do_env},                 /* NAME: print "env NAME=value", or "env NAME" */
    {L"unlink", 1, do_unlink},           /* PATH */
    {L"replace", 2, do_replace},         /* NEW PATH: rename NEW to PATH */
    {L"ignore", 1, do_ignore},           /* TERM: whoever asks asks in vain, by the console and by messages */
    {L"delay", 1, do_delay},             /* SECONDS: from being asked to the end, with status 0 */
    {L"note", 1, do_note},               /* PATH: append "start PID ARGS" now, "term" when asked, then end */
    {L"report", 1, do_report},           /* PATH: describe the process there, one fact a line, before "ready" */
    {L"until", 1, do_until},             /* PATH: end when it is gone; an input that is no pipe ends us no more */
    {L"nopdeath", 0, do_nopdeath},       /* the end of the input ends us not: needs until */
    {L"console", 1, do_console},         /* none: leave it; new: one of our own */
    {L"protect", 0, do_protect},         /* nobody may open this process any more */
    {L"look", 1, do_look},               /* of the window: hidden; owned, by one that is hidden; shell: the desktop's */
    {L"window", 1, do_window},           /* agree, veto, hang, or deaf (agrees and stays) when the session is to end */
    {L"window-late", 1, do_window_late}, /* SECONDS: agrees, and is destroyed so much later */
    {L"as-child", 0, do_as_child},       /* for the order "fork" only */
};

static const struct command *find_command(const wchar_t *name) {
  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    if (wcscmp(commands[i].name, name) == 0) return &commands[i];
  }
  return NULL;
}

int wmain(int argc, wchar_t **argv); /* what mingw-w64's -municode calls */

int wmain(int argc, wchar_t **argv) {
  self.argv = argv;
  _setmode(_fileno(stdout), _O_BINARY);
  CloseHandle(CreateThread(NULL, 0, end_hard, NULL, 0, NULL));
  for (int at = 1; at < argc;) {
    const struct command *command = find_command(argv[at]);
    if (!command || argc - at - 1 < command->arguments) {
      fprintf(stderr, "holder: %ls: unknown, or an argument is missing\n", argv[at]);
      return 2;
    }
    command->function(argv + at + 1);
    at += 1 + command->arguments;
  }
  say_ready();
  wait_for_the_end();
  return 0;
}
