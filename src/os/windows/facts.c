/* facts.c: what Windows tells about a process. What may not be read is not known; only memory and the end of the
 * process are failures.
 *
 * call                       | purpose                 | blocks on
 * rsm__program_description   | what it calls itself    | its file's server: within the lookup's limit (program.c)
 * rsm__sid_name              | its user                | nothing beyond this machine (user.c)
 * rsm__parameters_read       | its arguments           | its pages being read back from the disk
 * all others                 |                         | nothing
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <windows.h>
#include <winternl.h>

#include "os/windows/account.h"
#include "os/windows/command_line.h"
#include "os/windows/filetime.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"
#include "os/windows/process_list.h"
#include "os/windows/program.h"
#include "os/windows/session_core.h"
#include "os/windows/wide.h"
#include "os/windows/window.h"
#include "os/windows/wine.h"

enum { COMMAND_LINE_INFORMATION = 60 }; /* since Windows 8.1; needs no right to the process' memory */

/* What we are not told is no failure. */
static rsm_status only_memory(rsm_status status) {
  return status == RSM_OUT_OF_MEMORY || status == RSM_CANCELLED ? status : RSM_OK;
}

/* ---- The program ------------------------------------------------------------------------------------------------- */

static const wchar_t *file_name(const wchar_t *path) {
  const wchar_t *slash = wcsrchr(path, L'\\');
  return slash && slash[1] ? slash + 1 : path;
}

static bool is_below(const wchar_t *path, UINT WINAPI folder_of(LPWSTR, UINT)) {
  wchar_t folder[MAX_PATH];
  UINT length = folder_of(folder, MAX_PATH);
  if (length == 0 || length >= MAX_PATH || wcsnlen(path, length + 1u) <= length || path[length] != L'\\') return false;
  return CompareStringOrdinal(path, (int)length, folder, (int)length, TRUE) == CSTR_EQUAL &&
         !wcschr(path + length + 1, L'\\');
}

/* The system's folder, and the one above it, which has the desktop's shell. Others may write in neither. */
static bool is_systems_program(const wchar_t *path) {
  return is_below(path, GetSystemDirectoryW) || is_below(path, GetSystemWindowsDirectoryW);
}

/* Where we may not look the list of all processes has the file's name at least. */
static rsm_status read_listed_name(const rsm__process *process, rsm__arena *arena, const char **ret_name,
                                   rsm_error *reterr) {
  RSM_CLEAN(rsm__process_list_done) rsm__process_list list = {0};
  rsm_status status = rsm__process_list_read(&list, reterr);
  if (status != RSM_OK) return status;
  const rsm__listed_process *listed = rsm__process_list_find(&list, rsm__process_id(process)->pid);
  *ret_name = rsm__arena_strdup(arena, listed && listed->name[0] ? listed->name : "System");
  return *ret_name ? RSM_OK : rsm__fail_memory(reterr);
}

/* *ret_file: the file's name, whatever the program calls itself. */
static rsm_status read_program(const rsm__process *process, rsm__arena *arena, rsm__process_facts *facts,
                               const wchar_t **ret_path, const char **ret_file, rsm_error *reterr) {
  rsm_status status = rsm__program_path(process, arena, ret_path, reterr);
  if (status != RSM_OK) return status;
  if (!*ret_path) {
    status = read_listed_name(process, arena, ret_file, reterr);
    facts->name = *ret_file;
    return status;
  }
  facts->exe = rsm__narrow_text_in(arena, *ret_path);
  *ret_file = rsm__narrow_text_in(arena, file_name(*ret_path));
  if (!facts->exe || !*ret_file) return rsm__fail_memory(reterr);
  status = only_memory(rsm__program_description(process, *ret_path, arena, &facts->name, reterr));
  if (!facts->name) facts->name = *ret_file;
  return status;
}

/* ---- The arguments ----------------------------------------------------------------------------------------------- */

/* *ret_line NULL: this system does not tell it so. */
static rsm_status ask_command_line(HANDLE handle, rsm__arena *arena, const wchar_t **ret_line, rsm_error *reterr) {
  ULONG size = 0;
  NtQueryInformationProcess(handle, (PROCESSINFOCLASS)COMMAND_LINE_INFORMATION, NULL, 0, &size);
  if (size < sizeof(UNICODE_STRING) || size > 2 * UINT16_MAX) return RSM_OK;
  RSM_CLEAN_FREE UNICODE_STRING *text = rsm__malloc(size);
  if (!text) return rsm__fail_memory(reterr);
  if (NtQueryInformationProcess(handle, (PROCESSINFOCLASS)COMMAND_LINE_INFORMATION, text, size, &size) < 0)
    return RSM_OK;
  size_t length = text->Length / sizeof(wchar_t);
  wchar_t *line = rsm__arena_alloc(arena, (length + 1) * sizeof *line);
  if (!line) return rsm__fail_memory(reterr);
  if (length) wmemcpy(line, text->Buffer, length);
  *ret_line = line;
  return RSM_OK;
}

/* *ret_line is the note's; NULL: may not be read. */
static rsm_status read_command_line(const rsm__process *process, const wchar_t **ret_line, rsm_error *reterr) {
  RSM_CLEAN(rsm__clean_parameters_note) rsm__parameters_note *note = rsm__calloc(1, sizeof *note);
  if (!note) return rsm__fail_memory(reterr);
  rsm_status status = rsm__parameters_read(process, false, &note->arena, &note->read, reterr);
  if (status != RSM_OK) return only_memory(status);
  *ret_line = note->read.command_line;
  rsm__process_note(process, note);
  note = NULL;
  return RSM_OK;
}

static rsm_status read_command(const rsm__process *process, rsm__arena *arena, rsm__process_facts *facts,
                               rsm_error *reterr) {
  const wchar_t *line = NULL;
  rsm_status status = RSM_OK;
  if (rsm__process_can_query(process)) status = ask_command_line(rsm__process_handle(process), arena, &line, reterr);
  if (status == RSM_OK && !line) status = read_command_line(process, &line, reterr);
  if (status != RSM_OK || !line) return status;
  return rsm__command_line_split(line, arena, &facts->command, &facts->command_count, reterr);
}

/* ---- Whose it is, and where it lives ----------------------------------------------------------------------------- */

static rsm_status read_account(const rsm__process *process, rsm__arena *arena, rsm__process_facts *facts,
                               rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE token = NULL;
  rsm__sid sid;
  if (!rsm__process_can_query(process) || !OpenProcessToken(rsm__process_handle(process), TOKEN_QUERY, &token) ||
      rsm__sid_of_token(token, &sid, NULL) != RSM_OK)
    return RSM_OK;
  facts->uid = rsm__sid_number(&sid);
  facts->user = rsm__sid_name(&sid, arena);
  return facts->user ? RSM_OK : rsm__fail_memory(reterr);
}

static bool find_listed_session(const rsm__process *process, DWORD *ret_session) {
  RSM_CLEAN(rsm__process_list_done) rsm__process_list list = {0};
  if (rsm__process_list_read(&list, NULL) != RSM_OK) return false;
  const rsm__listed_process *listed = rsm__process_list_find(&list, rsm__process_id(process)->pid);
  if (listed) *ret_session = listed->session;
  return listed != NULL;
}

static rsm_status read_session(const rsm__process *process, rsm__arena *arena, rsm__process_facts *facts,
                               rsm_error *reterr) {
  DWORD theirs, ours;
  char number[16];
  facts->same_namespaces = true;
  if (!ProcessIdToSessionId(rsm__process_id(process)->pid, &theirs) && !find_listed_session(process, &theirs))
    return RSM_OK;
  if (ProcessIdToSessionId(GetCurrentProcessId(), &ours)) facts->same_namespaces = theirs == ours;
  snprintf(number, sizeof number, "%lu", theirs);
  facts->logon_session = rsm__arena_strdup(arena, number);
  return facts->logon_session ? RSM_OK : rsm__fail_memory(reterr);
}

/* ---- What it is -------------------------------------------------------------------------------------------------- */

/* IsProcessCritical is Windows 8.1's; what it asks is older, but needs another right. */
static bool is_marked_critical(const rsm__process *process) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  ULONG marked = 0;
  if (!rsm__process_can_query(process)) return false;
  if (NtQueryInformationProcess(rsm__process_handle(process), ProcessBreakOnTermination, &marked, sizeof marked,
                                NULL) >= 0)
    return marked != 0;
  return rsm__process_open_rights(process, PROCESS_QUERY_INFORMATION, &handle, NULL) == RSM_OK &&
         NtQueryInformationProcess(handle, ProcessBreakOnTermination, &marked, sizeof marked, NULL) >= 0 && marked != 0;
}

static void read_kind(const rsm__process *process, const wchar_t *path, const char *file, rsm__process_facts *facts) {
  RSM_CLEAN(rsm__windows_done) rsm__windows windows = {0};
  uint32_t pid = rsm__process_id(process)->pid;
  bool systems = !path || is_systems_program(path);
  facts->session_core = rsm__session_core(&(rsm__core_question){.pid = pid,
                                                                .name = file,
                                                                .is_systems = systems,
                                                                .is_marked = is_marked_critical(process),
                                                                .under_wine = rsm__under_wine(),
                                                                .args = facts->command,
                                                                .arg_count = facts->command_count});
  facts->system_core = facts->session_core != NULL;
  rsm__windows_find(&windows, pid);
  facts->windows = windows.kind;
  bool shows_desktop = rsm__shell_process() == pid;
  facts->desktop_shell = shows_desktop || (path && systems && rsm__wide_same_name(file_name(path), L"explorer.exe"));
  facts->has_terminal = rsm__program_is_console(process);
}

/* ---- All together ------------------------------------------------------------------------------------------------ */

static rsm_status read_facts(const rsm__process *process, rsm__arena *arena, rsm__process_facts *facts,
                             rsm_error *reterr) {
  const wchar_t *path = NULL;
  const char *file = NULL;
  facts->started_at = rsm__filetime_unix(rsm__process_id(process)->start_time);
  rsm_status status = rsm__process_parent(process, &facts->parent, reterr);
  if (status == RSM_OK) status = read_account(process, arena, facts, reterr);
  if (status == RSM_OK) status = read_session(process, arena, facts, reterr);
  if (status == RSM_OK) status = read_program(process, arena, facts, &path, &file, reterr);
  if (status == RSM_OK) status = read_command(process, arena, facts, reterr);
  if (status == RSM_OK) read_kind(process, path, file, facts);
  return status;
}

rsm_status rsm__process_facts_get(const rsm__process *process, rsm__arena *arena, rsm__process_facts *ret_facts,
                                  rsm_error *reterr) {
  rsm__process_facts facts = {0};
  rsm_error error = {0};
  rsm_status status = read_facts(process, arena, &facts, &error);
  if (status != RSM_OUT_OF_MEMORY && status != RSM_CANCELLED && !rsm__process_alive(process))
    return rsm__fail(reterr, RSM_NOT_FOUND, facts.name, "it ended while it was looked at");
  if (status != RSM_OK) {
    if (reterr) *reterr = error;
    return status;
  }
  *ret_facts = facts;
  return RSM_OK;
}
