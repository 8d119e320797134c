/* spec_windows.c: the Lua module spec_windows, by which spec/support_windows.lua does what Lua's own library cannot do
 * on Windows, and what os.execute and io.popen do inexactly under Wine: processes with pipes, waiting, folders, links,
 * the environment. Text is UTF-8. Failures raise, with the call and the system's number. SPDX-License-Identifier: MIT
 */
#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include "os/windows/create_process.h"
#include "scripted_rstrtmgr.h"

#define PROCESS "spec_windows.process"

struct process {
  HANDLE handle;
  HANDLE input; /* our end of its standard input, or NULL */
  DWORD pid;
};

static int fail(lua_State *L, const char *call, const char *subject) {
  return luaL_error(L, "%s %s: error %d", call, subject, (int)GetLastError());
}

/* A userdata, so that it goes whatever is raised meanwhile. */
static wchar_t *widen(lua_State *L, const char *text) {
  int length = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
  if (length == 0) fail(L, "UTF-8", text);
  wchar_t *wide = lua_newuserdatauv(L, (size_t)length * sizeof *wide, 0);
  MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, length);
  return wide;
}

/* A path of any length: absolute, and from some length on with the prefix that makes that possible. */
static wchar_t *check_path(lua_State *L, int index) {
  const wchar_t *wide = widen(L, luaL_checkstring(L, index));
  if (wcsncmp(wide, L"\\\\", 2) == 0) return (wchar_t *)wide;
  DWORD length = GetFullPathNameW(wide, 0, NULL, NULL);
  wchar_t *full = lua_newuserdatauv(L, (length + 5) * sizeof *full, 0);
  wchar_t *start = full;
  if (length > 240) {
    wmemcpy(full, L"\\\\?\\", 4);
    start += 4;
  }
  if (!GetFullPathNameW(wide, length, start, NULL)) fail(L, "GetFullPathName", lua_tostring(L, index));
  return full;
}

static void push_wide(lua_State *L, const wchar_t *wide) {
  luaL_Buffer buffer;
  int length = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
  WideCharToMultiByte(CP_UTF8, 0, wide, -1, luaL_buffinitsize(L, &buffer, (size_t)length), length, NULL, NULL);
  luaL_pushresultsize(&buffer, (size_t)length - 1);
}

/* ---- Starting a process ---- */

/* Adds a word to the command line in the buffer so that the C library of the program takes it as it is. */
static void add_word(luaL_Buffer *line, const char *word) {
  size_t backslashes = 0;
  luaL_addchar(line, '"');
  for (; *word; word++) {
    if (*word == '"') {
      for (; backslashes > 0; backslashes--) luaL_addstring(line, "\\");
      luaL_addchar(line, '\\');
    }
    backslashes = *word == '\\' ? backslashes + 1 : 0;
    luaL_addchar(line, *word);
  }
  for (; backslashes > 0; backslashes--) luaL_addchar(line, '\\');
  luaL_addchar(line, '"');
}

static void push_command_line(lua_State *L, int words) {
  luaL_Buffer line;
  lua_Integer count = luaL_len(L, words);
  luaL_buffinit(L, &line);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, words, i);
    const char *word = luaL_checkstring(L, -1);
    lua_pop(L, 1); /* the table keeps it */
    if (i > 1) luaL_addchar(&line, ' ');
    add_word(&line, word);
  }
  luaL_pushresult(&line);
}

static const char *option(lua_State *L, int table, const char *name, const char *fallback) {
  lua_getfield(L, table, name);
  const char *value = luaL_optstring(L, -1, fallback);
  lua_pop(L, 1); /* the table keeps it */
  return value;
}

static HANDLE open_output(lua_State *L, const char *path) {
  SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
  HANDLE file = CreateFileW(widen(L, path), FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                            &inheritable, CREATE_ALWAYS, 0, NULL);
  if (file == INVALID_HANDLE_VALUE) fail(L, "CreateFile", path);
  return file;
}

/* A pipe of which only the reading end goes to the child; or the device that has ended. */
static HANDLE open_input(lua_State *L, struct process *process, const char *kind) {
  SECURITY_ATTRIBUTES inheritable = {.nLength = sizeof inheritable, .bInheritHandle = TRUE};
  HANDLE input;
  if (strcmp(kind, "null") == 0) return CreateFileW(L"NUL", GENERIC_READ, 7, &inheritable, OPEN_EXISTING, 0, NULL);
  if (!CreatePipe(&input, &process->input, &inheritable, 0)) fail(L, "CreatePipe", "");
  SetHandleInformation(process->input, HANDLE_FLAG_INHERIT, 0);
  return input;
}

static DWORD console_flags(lua_State *L, const char *kind) {
  if (strcmp(kind, "new") == 0) return CREATE_NEW_CONSOLE;
  if (strcmp(kind, "hidden") == 0) return CREATE_NO_WINDOW;
  if (strcmp(kind, "none") == 0) return DETACHED_PROCESS;
  if (strcmp(kind, "ours") == 0) return 0;
  return (DWORD)luaL_error(L, "console: new, hidden, none or ours, not %s", kind);
}

/* start{ PROGRAM, WORD..., out = PATH, input = "pipe"|"null", console = ..., directory = PATH }: a process. Nothing is
 * inherited but the three standard handles. */
static int start(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  struct process *process = lua_newuserdatauv(L, sizeof *process, 0);
  *process = (struct process){0};
  luaL_setmetatable(L, PROCESS);
  int result = lua_gettop(L);
  push_command_line(L, 1);
  wchar_t *line = widen(L, lua_tostring(L, -1));
  const char *directory = option(L, 1, "directory", NULL);
  const wchar_t *place = directory ? widen(L, directory) : NULL;
  DWORD flags = console_flags(L, option(L, 1, "console", "hidden"));
  STARTUPINFOW how = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES};
  PROCESS_INFORMATION made;
  how.hStdOutput = how.hStdError = open_output(L, option(L, 1, "out", "NUL"));
  how.hStdInput = open_input(L, process, option(L, 1, "input", "pipe"));
  BOOL worked = rsm__create_process(NULL, line, TRUE, flags, NULL, place, &how, &made);
  DWORD code = GetLastError();
  CloseHandle(how.hStdInput);
  CloseHandle(how.hStdOutput);
  SetLastError(code);
  if (!worked) fail(L, "CreateProcess", lua_tostring(L, result + 1));
  CloseHandle(made.hThread);
  process->handle = made.hProcess;
  process->pid = made.dwProcessId;
  lua_settop(L, result);
  return 1;
}

/* ---- A started process ---- */

static struct process *check_process(lua_State *L) {
  return luaL_checkudata(L, 1, PROCESS);
}

static int process_pid(lua_State *L) {
  lua_pushinteger(L, check_process(L)->pid);
  return 1;
}

static int process_write(lua_State *L) {
  const struct process *process = check_process(L);
  size_t length;
  DWORD written;
  const char *text = luaL_checklstring(L, 2, &length);
  if (!WriteFile(process->input, text, (DWORD)length, &written, NULL)) fail(L, "WriteFile", "");
  return 0;
}

static int process_end_input(lua_State *L) {
  struct process *process = check_process(L);
  if (process->input) CloseHandle(process->input);
  process->input = NULL;
  return 0;
}

static DWORD check_milliseconds(lua_State *L, int index) {
  return (DWORD)(luaL_checknumber(L, index) * 1000);
}

/* wait(SECONDS): its exit status, or nil if it has not ended by then. */
static int process_wait(lua_State *L) {
  const struct process *process = check_process(L);
  DWORD status;
  if (WaitForSingleObject(process->handle, check_milliseconds(L, 2)) != WAIT_OBJECT_0) return 0;
  GetExitCodeProcess(process->handle, &status);
  lua_pushinteger(L, status);
  return 1;
}

static int process_kill(lua_State *L) {
  TerminateProcess(check_process(L)->handle, (UINT)luaL_checkinteger(L, 2));
  return 0;
}

static int process_gc(lua_State *L) {
  struct process *process = check_process(L);
  process_end_input(L);
  if (process->handle) CloseHandle(process->handle);
  process->handle = NULL;
  return 0;
}

/* ---- Other processes ---- */

/* identity(PID): the time of its start as a number and whether it runs; nil: there is none. */
static int identity(lua_State *L) {
  DWORD pid = (DWORD)luaL_checkinteger(L, 1);
  FILETIME times[4];
  HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, pid);
  if (!process) return 0;
  BOOL known = GetProcessTimes(process, &times[0], &times[1], &times[2], &times[3]) && GetProcessId(process) == pid;
  BOOL ended = WaitForSingleObject(process, 0) == WAIT_OBJECT_0;
  CloseHandle(process);
  if (!known) return 0;
  lua_pushinteger(L, (lua_Integer)((uint64_t)times[0].dwHighDateTime << 32 | times[0].dwLowDateTime));
  lua_pushboolean(L, !ended);
  return 2;
}

static struct {
  DWORD milliseconds;
  UINT status;
} late_end;

static DWORD WINAPI end_late(void *nothing) {
  (void)nothing;
  Sleep(late_end.milliseconds);
  TerminateProcess(GetCurrentProcess(), late_end.status);
  return 0;
}

/* kill_self(STATUS[, SECONDS]): without any of the courtesies of a normal end; so much later by a thread of its own. */
static int kill_self(lua_State *L) {
  late_end.status = (UINT)luaL_checkinteger(L, 1);
  if (lua_isnoneornil(L, 2)) TerminateProcess(GetCurrentProcess(), late_end.status);
  late_end.milliseconds = check_milliseconds(L, 2);
  CloseHandle(CreateThread(NULL, 0, end_late, NULL, 0, NULL));
  return 0;
}

static BOOL WINAPI end_now(DWORD event) {
  (void)event;
  ExitProcess(0);
}

/* obey(): CTRL+C ends this program at once, also while it waits for its input, where lua.exe would not hear of it. */
static int obey(lua_State *L) {
  if (!SetConsoleCtrlHandler(end_now, TRUE)) fail(L, "SetConsoleCtrlHandler", "");
  return 0;
}

/* open_desktop(): whoever needs a window first in Wine starts its Explorer, which keeps that one's standard error open
 * and stays as long as anybody has windows: a file of a spec, if that is a program of it. So it is us, and without one.
 */
static int open_desktop(lua_State *L) {
  (void)L;
  HANDLE errors = GetStdHandle(STD_ERROR_HANDLE);
  SetStdHandle(STD_ERROR_HANDLE, NULL);
  GetDesktopWindow();
  SetStdHandle(STD_ERROR_HANDLE, errors);
  return 0;
}

/* ---- Time ---- */

static int sleep_seconds(lua_State *L) {
  Sleep(check_milliseconds(L, 1));
  return 0;
}

static int now(lua_State *L) {
  LARGE_INTEGER count;
  LARGE_INTEGER frequency;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&frequency);
  lua_pushnumber(L, (lua_Number)count.QuadPart / (lua_Number)frequency.QuadPart);
  return 1;
}

static int unix_time(lua_State *L) {
  FILETIME time;
  GetSystemTimeAsFileTime(&time);
  uint64_t ticks = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
  lua_pushnumber(L, ((lua_Number)ticks - 116444736000000000.0) / 1e7);
  return 1;
}

/* ---- Files ---- */

static int done(lua_State *L, BOOL worked, const char *call) {
  if (!worked) fail(L, call, lua_tostring(L, 1));
  return 0;
}

static int make_folder(lua_State *L) {
  return done(L, CreateDirectoryW(check_path(L, 1), NULL), "CreateDirectory");
}

/* copy_rights(FROM, TO): who may do what with it. */
static int copy_rights(lua_State *L) {
  DWORD size = 0;
  const wchar_t *from = check_path(L, 1);
  GetFileSecurityW(from, DACL_SECURITY_INFORMATION, NULL, 0, &size);
  PSECURITY_DESCRIPTOR rights = lua_newuserdatauv(L, size, 0);
  if (!GetFileSecurityW(from, DACL_SECURITY_INFORMATION, rights, size, &size)) return done(L, FALSE, "GetFileSecurity");
  return done(L, SetFileSecurityW(check_path(L, 2), DACL_SECURITY_INFORMATION, rights), "SetFileSecurity");
}

static int remove_folder(lua_State *L) {
  return done(L, RemoveDirectoryW(check_path(L, 1)), "RemoveDirectory");
}

/* Or a link; one to a folder goes as folders do, and leaves that alone. */
static int remove_file(lua_State *L) {
  const wchar_t *path = check_path(L, 1);
  DWORD attributes = GetFileAttributesW(path);
  if (attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY) return remove_folder(L);
  SetFileAttributesW(path, FILE_ATTRIBUTE_NORMAL);
  return done(L, DeleteFileW(path), "DeleteFile");
}

static int copy(lua_State *L) {
  return done(L, CopyFileW(check_path(L, 1), check_path(L, 2), FALSE), "CopyFile");
}

static int rename_file(lua_State *L) {
  return done(L, MoveFileExW(check_path(L, 1), check_path(L, 2), MOVEFILE_REPLACE_EXISTING), "MoveFileEx");
}

static int hard_link(lua_State *L) {
  return done(L, CreateHardLinkW(check_path(L, 2), check_path(L, 1), NULL), "CreateHardLink");
}

/* sym_link(TARGET, PATH, IS_FOLDER): the target's text stays as it is. */
static int sym_link(lua_State *L) {
  const wchar_t *target = widen(L, luaL_checkstring(L, 1));
  DWORD flags = lua_toboolean(L, 3) ? SYMBOLIC_LINK_FLAG_DIRECTORY : 0;
  return done(L, CreateSymbolicLinkW(check_path(L, 2), target, flags), "CreateSymbolicLink");
}

/* kind(PATH): "file", "folder" or "link"; nil: nothing is there. */
static int kind(lua_State *L) {
  DWORD attributes = GetFileAttributesW(check_path(L, 1));
  if (attributes == INVALID_FILE_ATTRIBUTES) return 0;
  if (attributes & FILE_ATTRIBUTE_REPARSE_POINT)
    lua_pushliteral(L, "link");
  else if (attributes & FILE_ATTRIBUTE_DIRECTORY)
    lua_pushliteral(L, "folder");
  else
    lua_pushliteral(L, "file");
  return 1;
}

/* list(FOLDER): the names in it. */
static int list(lua_State *L) {
  WIN32_FIND_DATAW found;
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_pushfstring(L, "%s\\*", lua_tostring(L, 1));
  lua_replace(L, 1);
  const wchar_t *pattern = check_path(L, 1);
  lua_newtable(L);
  int names = lua_gettop(L);
  HANDLE search = FindFirstFileW(pattern, &found);
  if (search == INVALID_HANDLE_VALUE) fail(L, "FindFirstFile", lua_tostring(L, 1));
  do {
    if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0) continue;
    push_wide(L, found.cFileName);
    lua_seti(L, names, luaL_len(L, names) + 1);
  } while (FindNextFileW(search, &found));
  FindClose(search);
  return 1;
}

static HANDLE open_file(lua_State *L, DWORD access, DWORD disposition) {
  return CreateFileW(check_path(L, 1), access, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                     disposition, 0, NULL);
}

/* read(PATH): its bytes; nil: it cannot be opened. Sharing all, where C's own fopen would disturb others. */
static int read_file(lua_State *L) {
  char block[4096];
  DWORD length;
  luaL_Buffer text;
  HANDLE file = open_file(L, GENERIC_READ, OPEN_EXISTING);
  if (file == INVALID_HANDLE_VALUE) return 0;
  luaL_buffinit(L, &text);
  while (ReadFile(file, block, sizeof block, &length, NULL) && length > 0) luaL_addlstring(&text, block, length);
  CloseHandle(file);
  luaL_pushresult(&text);
  return 1;
}

static int write_file(lua_State *L) {
  size_t length;
  DWORD written;
  const char *text = luaL_checklstring(L, 2, &length);
  HANDLE file = open_file(L, GENERIC_WRITE, CREATE_ALWAYS);
  if (file == INVALID_HANDLE_VALUE) fail(L, "CreateFile", lua_tostring(L, 1));
  BOOL worked = WriteFile(file, text, (DWORD)length, &written, NULL) && written == length;
  CloseHandle(file);
  return done(L, worked, "WriteFile");
}

/* lock(PATH): its first byte, until this program ends. The file is made if it is missing. */
static int lock_file(lua_State *L) {
  OVERLAPPED start = {0};
  HANDLE file = open_file(L, GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS);
  if (file == INVALID_HANDLE_VALUE) fail(L, "CreateFile", lua_tostring(L, 1));
  return done(L, LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &start), "LockFile");
}

/* ---- Where and who we are ---- */

static int working_folder(lua_State *L) {
  wchar_t path[32768];
  if (!GetCurrentDirectoryW(32768, path)) fail(L, "GetCurrentDirectory", "");
  push_wide(L, path);
  return 1;
}

static int program(lua_State *L) {
  wchar_t path[32768];
  if (!GetModuleFileNameW(NULL, path, 32768)) fail(L, "GetModuleFileName", "");
  push_wide(L, path);
  return 1;
}

static int temporary_folder(lua_State *L) {
  wchar_t path[MAX_PATH + 1];
  wchar_t full[32768];
  if (!GetTempPathW(MAX_PATH + 1, path)) fail(L, "GetTempPath", "");
  if (!GetLongPathNameW(path, full, 32768)) fail(L, "GetLongPathName", "");
  push_wide(L, full);
  return 1;
}

/* set_variable(NAME, VALUE): what processes that are started from now on inherit; nil: without it. */
static int set_variable(lua_State *L) {
  const wchar_t *value = lua_isnoneornil(L, 2) ? NULL : widen(L, luaL_checkstring(L, 2));
  return done(L, SetEnvironmentVariableW(widen(L, luaL_checkstring(L, 1)), value), "SetEnvironmentVariable");
}

/* script_application(TYPE, STATUS, REASONS): the one whom the scripted rstrtmgr.dll lists from now on. False: the
 * system has another DLL. */
static int script_application(lua_State *L) {
  RM_PROCESS_INFO info = {.Process.dwProcessId = 0x7FFFFFF0,
                          .strAppName = L"somebody",
                          .ApplicationType = (RM_APP_TYPE)luaL_checkinteger(L, 1),
                          .AppStatus = (ULONG)luaL_checkinteger(L, 2)};
  DWORD reasons = (DWORD)luaL_checkinteger(L, 3);
  HMODULE module = LoadLibraryExW(L"rstrtmgr.dll", NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
  scripted_function *scripted = module ? (scripted_function *)(void (*)(void))GetProcAddress(module, "scripted") : NULL;
  if (scripted) {
    script *orders = scripted();
    *orders = (script){.key = L"0123456789abcdef0123456789abcdef", .before = {.count = 1, .reasons = reasons}};
    orders->before.apps[0] = info;
  } else if (module) {
    FreeLibrary(module);
  }
  lua_pushboolean(L, scripted != NULL);
  return 1;
}

static const luaL_Reg methods[] = {{"pid", process_pid},
                                   {"write", process_write},
                                   {"end_input", process_end_input},
                                   {"wait", process_wait},
                                   {"kill", process_kill},
                                   {"__gc", process_gc},
                                   {NULL, NULL}};

static const luaL_Reg functions[] = {{"start", start},
                                     {"identity", identity},
                                     {"kill_self", kill_self},
                                     {"obey", obey},
                                     {"open_desktop", open_desktop},
                                     {"sleep", sleep_seconds},
                                     {"now", now},
                                     {"unix_time", unix_time},
                                     {"make_folder", make_folder},
                                     {"copy_rights", copy_rights},
                                     {"remove_folder", remove_folder},
                                     {"remove_file", remove_file},
                                     {"copy", copy},
                                     {"rename", rename_file},
                                     {"hard_link", hard_link},
                                     {"sym_link", sym_link},
                                     {"kind", kind},
                                     {"list", list},
                                     {"read", read_file},
                                     {"write", write_file},
                                     {"lock", lock_file},
                                     {"working_folder", working_folder},
                                     {"program", program},
                                     {"temporary_folder", temporary_folder},
                                     {"set_variable", set_variable},
                                     {"script_application", script_application},
                                     {NULL, NULL}};

__declspec(dllexport) int luaopen_spec_windows(lua_State *L);

int luaopen_spec_windows(lua_State *L) {
  luaL_newmetatable(L, PROCESS);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_setfuncs(L, methods, 0);
  luaL_newlib(L, functions);
  return 1;
}
