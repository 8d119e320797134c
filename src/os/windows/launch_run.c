/* launch_run.c: running a program as our own child, to its end: a secondary installer.
 *
 * call                | purpose              | blocks on
 * GetFileAttributesW  | where the program is | the volumes of PATH
 * CreateProcessW      | the start            | the volume of the program
 * WaitForSingleObject | the program's end    | as long as it runs: that is what the caller asked for
 * SPDX-License-Identifier: MIT */
#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/launch.h"
#include "os/windows/command_line.h"
#include "os/windows/create_process.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/search_path.h"
#include "os/windows/wide.h"

/* ---- Where the program is ---- */

/* Found by name, it is looked for where CreateProcess looks, but for the working directory: whoever can put a file
 * there is not who says what we run. */
typedef struct search {
  const wchar_t *name;
  bool has_type; /* ".exe" or another: as it is; else ".exe" is added */
  wchar_t *found;
} search;

static bool is_file(const wchar_t *path) {
  DWORD attributes = GetFileAttributesW(path);
  return attributes != INVALID_FILE_ATTRIBUTES && !(attributes & FILE_ATTRIBUTE_DIRECTORY);
}

static bool is_separator(wchar_t unit) {
  return unit == L'\\' || unit == L'/';
}

static const wchar_t *last_part(const wchar_t *path) {
  const wchar_t *part = path;
  for (const wchar_t *at = path; *at; at++)
    if (is_separator(*at) || *at == L':') part = at + 1;
  return part;
}

/* A folder that is named in full: "C:\..." or "\\server\...". */
static bool is_absolute(const wchar_t *folder, size_t length) {
  if (length >= 2 && is_separator(folder[0]) && is_separator(folder[1])) return true;
  return length >= 3 && folder[1] == L':' && is_separator(folder[2]);
}

static rsm_status look_in(search *program, const wchar_t *folder, size_t length, rsm_error *reterr) {
  size_t size = length + wcslen(program->name) + 6;
  if (program->found || !is_absolute(folder, length)) return RSM_OK;
  RSM_CLEAN_WIDE path = rsm__calloc(size, sizeof *path);
  if (!path) return rsm__fail_memory(reterr);
  wmemcpy(path, folder, length);
  if (!is_separator(path[length - 1])) wcscat(path, L"\\");
  wcscat(path, program->name);
  if (!program->has_type) wcscat(path, L".exe");
  if (!is_file(path)) return RSM_OK;
  program->found = path;
  path = NULL;
  return RSM_OK;
}

static rsm_status look_beside_us(search *program, rsm_error *reterr) {
  RSM_CLEAN_WIDE path = rsm__module_path(NULL);
  if (!path) return rsm__fail_memory(reterr);
  return look_in(program, path, (size_t)(last_part(path) - path), reterr);
}

static rsm_status look_in_system(search *program, rsm_error *reterr) {
  wchar_t folder[MAX_PATH];
  UINT length = GetSystemDirectoryW(folder, MAX_PATH);
  rsm_status status = length < MAX_PATH ? look_in(program, folder, length, reterr) : RSM_OK;
  length = GetWindowsDirectoryW(folder, MAX_PATH);
  return status == RSM_OK && length < MAX_PATH ? look_in(program, folder, length, reterr) : status;
}

/* Elements may stand in quotes. */
static rsm_status look_in_path(search *program, rsm_error *reterr) {
  DWORD size = GetEnvironmentVariableW(L"PATH", NULL, 0);
  RSM_CLEAN_WIDE list = rsm__calloc((size_t)size + 1, sizeof *list);
  if (!list) return rsm__fail_memory(reterr);
  if (size == 0 || GetEnvironmentVariableW(L"PATH", list, size) >= size) return RSM_OK;
  rsm_status status = RSM_OK;
  for (wchar_t *at = list; *at && status == RSM_OK;) {
    bool quoted = *at == L'"';
    if (quoted) at++;
    size_t length = wcscspn(at, quoted ? L"\"" : L";");
    status = look_in(program, at, length, reterr);
    at += length;
    at += wcscspn(at, L";");
    if (*at) at++;
  }
  return status;
}

static rsm_status copy_name(search *program, rsm_error *reterr) {
  size_t length = wcslen(program->name);
  RSM_CLEAN_WIDE path = rsm__calloc(length + 5, sizeof *path);
  if (!path) return rsm__fail_memory(reterr);
  wmemcpy(path, program->name, length);
  if (!program->has_type && !is_file(path)) wcscat(path, L".exe");
  program->found = path;
  path = NULL;
  return RSM_OK;
}

/* A batch file is run by a shell, which makes of arguments what it likes. */
static bool is_batch(const wchar_t *path) {
  const wchar_t *type = wcsrchr(last_part(path), L'.');
  return type && (rsm__wide_same_name(type, L".bat") || rsm__wide_same_name(type, L".cmd"));
}

static rsm_status find_program(const char *name, wchar_t **ret_path, rsm_error *reterr) {
  RSM_CLEAN_WIDE wide = NULL;
  rsm_status status = rsm__wide_new(name, &wide, reterr);
  if (status != RSM_OK) return status;
  search program = {.name = wide, .has_type = wcschr(last_part(wide), L'.') != NULL};
  if (last_part(wide) != wide) {
    status = copy_name(&program, reterr);
  } else {
    status = look_beside_us(&program, reterr);
    if (status == RSM_OK) status = look_in_system(&program, reterr);
    if (status == RSM_OK) status = look_in_path(&program, reterr);
  }
  if (status == RSM_OK && !program.found)
    status = rsm__fail(reterr, RSM_FILE_NOT_FOUND, name, "there is no such program in PATH");
  else if (status == RSM_OK && is_batch(program.found))
    status = rsm__fail(reterr, RSM_BAD_ARGUMENTS, name, "a batch file needs a shell: name that, as in cmd.exe /c");
  if (status == RSM_OK)
    *ret_path = program.found;
  else
    rsm__free(program.found);
  return status;
}

/* ---- Its environment ---- */

static bool is_variable(const wchar_t *entry, const wchar_t *name, size_t length) {
  return CompareStringOrdinal(entry, (int)length, name, (int)length, TRUE) == CSTR_EQUAL && entry[length] == L'=';
}

static void put_wide(rsm__buffer *to, const wchar_t *text) {
  rsm__buffer_put(to, text, wcslen(text) * sizeof *text);
}

static void clean_environment(wchar_t **block) {
  if (*block) FreeEnvironmentStringsW(*block);
}

/* Ours with that one variable, which comes last: only its new value is in the block, so its place does not matter. */
static rsm_status extend_environment(const char *variable, const char *value, rsm__buffer *block, rsm_error *reterr) {
  RSM_CLEAN_WIDE name = NULL;
  RSM_CLEAN_WIDE text = NULL;
  RSM_CLEAN(clean_environment) wchar_t *ours = GetEnvironmentStringsW();
  if (!ours) return rsm__fail_memory(reterr);
  rsm_status status = rsm__wide_new(variable, &name, reterr);
  if (status == RSM_OK) status = rsm__wide_new(value, &text, reterr);
  if (status != RSM_OK) return status;
  size_t length = wcslen(name);
  for (const wchar_t *at = ours; *at; at += wcslen(at) + 1) {
    bool longer = wcslen(at) > length;
    if (!longer || !is_variable(at, name, length)) rsm__buffer_put(block, at, (wcslen(at) + 1) * sizeof *at);
  }
  put_wide(block, name);
  put_wide(block, L"=");
  put_wide(block, text);
  rsm__buffer_put(block, L"\0", 2 * sizeof(wchar_t));
  return block->failed ? rsm__fail_memory(reterr) : RSM_OK;
}

/* ---- What it inherits ---- */

enum { STREAMS = 3 };

/* Our own three streams and nothing else that somebody in this process may have left inheritable. */
typedef struct streams {
  HANDLE copies[STREAMS]; /* inheritable; NULL: we have none */
  HANDLE inherited[STREAMS];
  LPPROC_THREAD_ATTRIBUTE_LIST attributes;
} streams;

static void streams_done(streams *these) {
  if (these->attributes) DeleteProcThreadAttributeList(these->attributes);
  rsm__free(these->attributes);
  for (int i = 0; i < STREAMS; i++) rsm__handle_close(&these->copies[i]);
}

static size_t copy_streams(streams *these) {
  static const DWORD names[STREAMS] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
  size_t count = 0;
  for (int i = 0; i < STREAMS; i++) {
    HANDLE ours = GetStdHandle(names[i]), self = GetCurrentProcess();
    if (!ours || ours == INVALID_HANDLE_VALUE) continue;
    if (!DuplicateHandle(self, ours, self, &these->copies[i], 0, TRUE, DUPLICATE_SAME_ACCESS)) continue;
    these->inherited[count++] = these->copies[i];
  }
  return count;
}

static rsm_status prepare_streams(streams *these, rsm_error *reterr) {
  SIZE_T size = 0;
  size_t count = copy_streams(these);
  InitializeProcThreadAttributeList(NULL, 1, 0, &size);
  LPPROC_THREAD_ATTRIBUTE_LIST list = rsm__calloc(1, size);
  if (!list) return rsm__fail_memory(reterr);
  if (!InitializeProcThreadAttributeList(list, 1, 0, &size)) {
    DWORD code = GetLastError();
    rsm__free(list);
    return rsm__fail_windows(reterr, code, "InitializeProcThreadAttributeList", NULL);
  }
  these->attributes = list;
  if (count == 0) return RSM_OK;
  if (UpdateProcThreadAttribute(list, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, these->inherited, count * sizeof(HANDLE),
                                NULL, NULL))
    return RSM_OK;
  return rsm__fail_windows(reterr, GetLastError(), "UpdateProcThreadAttribute", NULL);
}

/* ---- The run ---- */

static rsm_status fail_run(DWORD code, const char *name, rsm_error *reterr) {
  enum { NEEDS_ELEVATION = 740 }; /* ERROR_ELEVATION_REQUIRED, which older headers do not name */
  if (code == NEEDS_ELEVATION)
    return rsm__fail(reterr, RSM_ACCESS_DENIED, name, "this program asks for more rights than we have: run elevated");
  rsm_status status = rsm__fail_windows(reterr, code, "CreateProcessW", name);
  if (code == ERROR_BAD_EXE_FORMAT || code == ERROR_EXE_MACHINE_TYPE_MISMATCH) {
    status = RSM_ACCESS_DENIED;
    if (reterr) reterr->status = status;
    if (reterr) rsm__error_explain(reterr, "this is not a program for this system");
  }
  return status;
}

static rsm_status start(const wchar_t *path, wchar_t *line, const rsm__buffer *environment, streams *these,
                        const char *name, HANDLE *ret_process, rsm_error *reterr) {
  STARTUPINFOEXW how = {.StartupInfo = {.cb = sizeof how, .dwFlags = STARTF_USESTDHANDLES},
                        .lpAttributeList = these->attributes};
  PROCESS_INFORMATION process = {0};
  how.StartupInfo.hStdInput = these->copies[0];
  how.StartupInfo.hStdOutput = these->copies[1];
  how.StartupInfo.hStdError = these->copies[2];
  bool inherit = these->copies[0] || these->copies[1] || these->copies[2];
  if (!rsm__create_process(path, line, inherit, CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT,
                           environment->data, NULL, &how.StartupInfo, &process))
    return fail_run(GetLastError(), name, reterr);
  CloseHandle(process.hThread);
  *ret_process = process.hProcess;
  return RSM_OK;
}

static rsm_status wait_end(HANDLE process, const char *name, rsm_exit *ret_exit, rsm_error *reterr) {
  DWORD code = 0;
  if (WaitForSingleObject(process, INFINITE) != WAIT_OBJECT_0)
    return rsm__fail_windows(reterr, GetLastError(), "WaitForSingleObject", name);
  if (!GetExitCodeProcess(process, &code)) return rsm__fail_windows(reterr, GetLastError(), "GetExitCodeProcess", name);
  *ret_exit = (rsm_exit){.code = (int)code};
  return RSM_OK;
}

rsm_status rsm__launch_run(const char *const *argv, size_t argc, const char *variable, const char *value,
                           rsm_exit *ret_exit, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer environment = {0};
  RSM_CLEAN(streams_done) streams these = {0};
  RSM_CLEAN_WIDE path = NULL;
  RSM_CLEAN_WIDE line = NULL;
  RSM_CLEAN_HANDLE HANDLE process = NULL;
  if (argc == 0 || !argv[0][0]) return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "there is no program to run");
  rsm_status status = find_program(argv[0], &path, reterr);
  if (status == RSM_OK) status = rsm__command_line_join(argv, argc, &line, reterr);
  if (status == RSM_OK) status = extend_environment(variable, value, &environment, reterr);
  if (status == RSM_OK) status = prepare_streams(&these, reterr);
  if (status == RSM_OK) status = start(path, line, &environment, &these, argv[0], &process, reterr);
  return status == RSM_OK ? wait_end(process, argv[0], ret_exit, reterr) : status;
}
