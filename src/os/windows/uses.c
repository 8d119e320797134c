/* uses.c: a process' program file and handles; its mappings are in uses_mappings.c. SPDX-License-Identifier: MIT
 *
 * call                          | purpose                       | blocks on
 * OpenProcess, GetProcessTimes  | who it is                     | nothing
 * QueryFullProcessImageNameW    | its program                   | nothing: the kernel's own names
 * DuplicateHandle               | a handle of its, for a moment | nothing
 * NtQueryInformationFile        | which file it is              | a read or write that waits on the same handle's pipe,
 *                               |                               | for as long as that does; a dead server
 * GetFinalPathNameByHandleW     | its name, if it has no number | the same
 * ReadProcessMemory             | its working directory         | its pages being read back from the disk
 *
 * All of it runs in threads that can be given up (scan.c). Nothing tells a pipe from a file without that question.
 * While it hangs, our duplicate keeps that end of the pipe open, which nobody sees: whoever waits there has it open as
 * well, and when he goes the question is answered. A race remains: a handle closed or opened while we look is seen or
 * not. What stays open is always seen. */
#include "os/windows/uses.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/windows/filetime.h"
#include "os/windows/handle.h"
#include "os/windows/nt.h"
#include "os/windows/os_error.h"

enum { LONGEST_IMAGE = 32768 };

static const uint64_t HANDLE_FLAGS = 3; /* what Windows keeps in the lowest bits of a directory's handle */

void rsm__uses_begin(rsm__uses *uses) {
  rsm__arena_done(&uses->arena);
  uses->count = 0;
  uses->steps++;
  uses->program_refused = uses->mappings_refused = uses->handles_refused = 0;
}

void rsm__uses_done(rsm__uses *uses) {
  rsm__free(uses->items);
  rsm__known_done(&uses->known);
  rsm__free(uses->matches.items);
  rsm__name_done(&uses->name);
  rsm__buffer_done(&uses->text);
  rsm__arena_done(&uses->arena);
}

/* ---- The process ---- */

static HANDLE open_with(uint32_t pid, DWORD rights) {
  return pid == GetCurrentProcessId() ? GetCurrentProcess() : OpenProcess(rights, FALSE, pid);
}

static bool is_still(HANDLE process, const rsm_process *id) {
  FILETIME created, ended, kernel, user;
  return GetProcessTimes(process, &created, &ended, &kernel, &user) && rsm__filetime_number(created) == id->start_time;
}

/* With all the rights that we may have; what its owner, or the system, refuses is told by whoever misses it. */
void rsm__looked_open(rsm__looked *looked, const rsm_process *id, bool secret) {
  static const DWORD rights[] = {
      PROCESS_DUP_HANDLE | PROCESS_QUERY_INFORMATION | PROCESS_VM_READ,
      PROCESS_DUP_HANDLE | PROCESS_QUERY_LIMITED_INFORMATION,
      PROCESS_QUERY_INFORMATION | PROCESS_VM_READ,
      PROCESS_QUERY_LIMITED_INFORMATION,
  };
  *looked = (rsm__looked){0};
  for (size_t i = secret ? RSM_COUNT(rights) - 1 : 0; i < RSM_COUNT(rights) && !looked->handle; i++) {
    looked->handle = open_with(id->pid, rights[i]);
    if (!looked->handle && !looked->code) looked->code = GetLastError();
    if (!looked->handle && looked->code != ERROR_ACCESS_DENIED) break;
    looked->may_duplicate = (rights[i] & PROCESS_DUP_HANDLE) != 0;
    looked->may_read = (rights[i] & PROCESS_VM_READ) != 0;
  }
  if (!looked->handle) looked->may_duplicate = looked->may_read = false;
  looked->ended = looked->handle ? !is_still(looked->handle, id) : looked->code != ERROR_ACCESS_DENIED;
}

void rsm__looked_again(rsm__looked *looked) {
  DWORD code;
  if (looked->handle && GetExitCodeProcess(looked->handle, &code) && code != STILL_ACTIVE) looked->ended = true;
}

void rsm__looked_close(rsm__looked *looked) {
  if (looked->handle != GetCurrentProcess()) rsm__handle_close(&looked->handle);
  looked->handle = NULL;
}

/* ---- Uses ---- */

rsm_status rsm__uses_add(rsm__uses *uses, const rsm_use *use, bool section, rsm_error *reterr) {
  if (uses->matches.failed) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < uses->matches.count; i++) {
    rsm__found_use added = {.use = *use, .section = section};
    added.use.resource = uses->targets->paths.given[uses->matches.items[i].target];
    added.use.path = rsm__match_path(uses->targets, &uses->matches.items[i], &uses->arena);
    if (!added.use.path || rsm__grow(&uses->items, &uses->capacity, uses->count + 1, sizeof *uses->items) < 0)
      return rsm__fail_memory(reterr);
    uses->items[uses->count++] = added;
  }
  return RSM_OK;
}

/* Looks for it, as the first of its kind in this step. */
static rsm_status match_known(rsm__uses *uses, rsm__known_file *known, const rsm_use *use, bool section,
                              rsm_error *reterr) {
  rsm_use found = *use;
  uses->matches.count = 0;
  if (known->has_id) rsm__targets_match_identity(uses->targets, &known->id, &uses->matches);
  if (uses->matches.count > 0 && !uses->targets->has_snapshot &&
      rsm__name_in_snapshot(rsm__name_plain(&uses->name), rsm__name_length(&uses->name)))
    uses->matches.count = 0; /* an older picture of the file, not the file */
  if (!known->has_id) {      /* deleted, or it may not be opened: the name has to do */
    rsm__targets_match_name(uses->targets, &uses->name, &uses->matches);
    found.deleted = known->missing;
  }
  known->asked = uses->steps;
  known->first = uses->count;
  rsm_status status = rsm__uses_add(uses, &found, section, reterr);
  known->count = uses->count - known->first;
  return status;
}

rsm_status rsm__uses_named(rsm__uses *uses, const wchar_t *name, size_t length, const rsm_use *use, bool section,
                           bool *ret_hit, rsm_error *reterr) {
  if (!rsm__name_set(&uses->name, &uses->targets->letters, name, length)) return rsm__fail_memory(reterr);
  rsm__known_file *known = rsm__known_get(&uses->known, &uses->name);
  rsm_status status = RSM_OK;
  if (!known) return rsm__fail_memory(reterr);
  if (known->asked == uses->steps) /* several views of one file, or of the running program's */
    for (size_t i = 0; i < known->count; i++) uses->items[known->first + i].use.access |= use->access;
  else
    status = match_known(uses, known, use, section, reterr);
  if (ret_hit) *ret_hit = known->count > 0;
  return status;
}

rsm_status rsm__uses_program(rsm__uses *uses, const rsm__looked *looked, rsm_error *reterr) {
  const rsm_use use = {.how = RSM_USE_EXEC, .access = RSM_ACCESS_READ, .fd = -1};
  if (rsm__grow(&uses->text.data, &uses->text.capacity, LONGEST_IMAGE * sizeof(wchar_t), 1) < 0)
    return rsm__fail_memory(reterr);
  DWORD length = LONGEST_IMAGE;
  wchar_t *path = (wchar_t *)(void *)uses->text.data;
  if (QueryFullProcessImageNameW(looked->handle, 0, path, &length))
    return rsm__uses_named(uses, path, length, &use, false, NULL, reterr);
  length = LONGEST_IMAGE; /* on a volume without a letter, or whose letter we do not see */
  if (QueryFullProcessImageNameW(looked->handle, PROCESS_NAME_NATIVE, path, &length))
    return rsm__uses_named(uses, path, length, &use, false, NULL, reterr);
  DWORD code = GetLastError();
  if (code == ERROR_NOT_ENOUGH_MEMORY) return rsm__fail_memory(reterr);
  if (code == ERROR_ACCESS_DENIED) uses->program_refused = code;
  return RSM_OK;
}

/* ---- The working directory: one of its handles ---- */

/* Which one stands in the parameters that the process' environment block points to, in the two layouts that there are.
 * A process of 32 bits in a 64-bit system has both. */
static uint64_t read_directory(HANDLE process, uintptr_t block, bool wide) {
  uint64_t parameters = 0, handle = 0;
  SIZE_T done = 0, size = wide ? 8 : 4;
  if (!block || !ReadProcessMemory(process, (const char *)block + (wide ? 0x20 : 0x10), &parameters, size, &done))
    return 0;
  if (!ReadProcessMemory(process, (const char *)(uintptr_t)parameters + (wide ? 0x48 : 0x2C), &handle, size, &done))
    return 0;
  return handle & ~HANDLE_FLAGS;
}

static bool is_working_directory(rsm__looked *looked, uint64_t value) {
  if (!looked->has_directory && looked->may_read) {
    PROCESS_BASIC_INFORMATION basic = {0};
    ULONG_PTR narrow = 0;
    if (NtQueryInformationProcess(looked->handle, (PROCESSINFOCLASS)RSM__NT_PROCESS_BASIC, &basic, sizeof basic,
                                  NULL) >= 0)
      looked->directories[0] =
          read_directory(looked->handle, (uintptr_t)basic.PebBaseAddress, sizeof(void *) == sizeof(uint64_t));
    if (sizeof(void *) == sizeof(uint64_t) &&
        NtQueryInformationProcess(looked->handle, (PROCESSINFOCLASS)RSM__NT_PROCESS_WOW64, &narrow, sizeof narrow,
                                  NULL) >= 0)
      looked->directories[1] = read_directory(looked->handle, narrow, false);
  }
  looked->has_directory = true;
  return value == looked->directories[0] || value == looked->directories[1];
}

/* ---- Handles ---- */

/* Fills uses->matches by the name that the file has now, or had when it was deleted. */
static rsm_status match_by_name(rsm__uses *uses, HANDLE file, rsm_error *reterr) {
  rsm__file_real_path(file, &uses->text);
  if (uses->text.failed) return rsm__fail_memory(reterr);
  size_t length = uses->text.length / sizeof(wchar_t);
  if (length == 0) return RSM_OK;
  if (!rsm__name_set(&uses->name, &uses->targets->letters, (const wchar_t *)(void *)uses->text.data, length - 1))
    return rsm__fail_memory(reterr);
  rsm__targets_match_name(uses->targets, &uses->name, &uses->matches);
  return RSM_OK;
}

/* The number is one of ours. */
static void match_id(rsm__uses *uses, HANDLE file, rsm__file_id *id) {
  if (GetFileType(file) != FILE_TYPE_DISK || !rsm__file_volume(file, &id->volume)) return;
  rsm__targets_match_identity(uses->targets, id, &uses->matches);
  if (uses->matches.count == 0 || uses->targets->has_snapshot) return;
  if (rsm__file_in_snapshot(file, &uses->text)) uses->matches.count = 0;
  if (uses->text.failed) uses->matches.failed = true;
}

/* Identity first; a file without one of ours may still be a deleted predecessor, or one that we may not open. */
static rsm_status match_file(rsm__uses *uses, HANDLE file, rsm__file_state *ret_state, rsm_error *reterr) {
  rsm__file_id id;
  *ret_state = (rsm__file_state){0};
  uses->matches.count = 0;
  if (!rsm__file_index(file, &id.index)) return RSM_OK; /* no file of a volume */
  rsm__bounded_tick(uses->job);
  if (rsm__targets_has_index(uses->targets, id.index)) match_id(uses, file, &id);
  bool hit = uses->matches.count > 0, numberless = id.index == 0 && uses->targets->has_numberless;
  if (!rsm__file_state_of(file, ret_state) || hit || uses->matches.failed) return RSM_OK;
  if (!ret_state->gone && !uses->targets->has_closed && !numberless) return RSM_OK;
  if (GetFileType(file) != FILE_TYPE_DISK) return RSM_OK;
  return match_by_name(uses, file, reterr);
}

static uint32_t access_of(uint32_t granted) {
  uint32_t access = 0;
  if (granted & (FILE_READ_DATA | FILE_EXECUTE)) access |= RSM_ACCESS_READ;
  if (granted & (FILE_WRITE_DATA | FILE_APPEND_DATA)) access |= RSM_ACCESS_WRITE;
  return access;
}

static rsm_status take_file(rsm__uses *uses, rsm__looked *looked, const rsm__listed_handle *listed, HANDLE file,
                            rsm_error *reterr) {
  rsm__file_state state;
  rsm_status status = match_file(uses, file, &state, reterr);
  if (status != RSM_OK || uses->matches.count == 0) return uses->matches.failed ? rsm__fail_memory(reterr) : status;
  rsm_use use = {.how = RSM_USE_OPEN, .fd = (int)listed->value, .deleted = state.gone};
  use.access = access_of(listed->access);
  if (state.directory && is_working_directory(looked, listed->value)) {
    use.how = RSM_USE_CWD;
    use.access = 0;
    use.fd = -1;
  }
  return rsm__uses_add(uses, &use, false, reterr);
}

/* What a section is of shows only in a view of it. Those of program files are left alone: whoever has one has it
 * mapped, and mapping a program would be told to every scanner of the system. */
static rsm_status take_section(rsm__uses *uses, const rsm__listed_handle *listed, HANDLE section, rsm_error *reterr) {
  rsm_use use = {.how = RSM_USE_MAP, .fd = -1, .access = RSM_ACCESS_READ};
  rsm__nt_section info = {0};
  if (NtQuerySection(section, RSM__NT_SECTION_BASIC, &info, sizeof info, NULL) >= 0 &&
      (!(info.attributes & SEC_FILE) || (info.attributes & SEC_IMAGE)))
    return RSM_OK;
  void *view = MapViewOfFile(section, FILE_MAP_READ, 0, 0, 1);
  if (!view) return RSM_OK;
  const UNICODE_STRING *name = rsm__mapped_name(GetCurrentProcess(), view, &uses->text);
  UnmapViewOfFile(view);
  if (uses->text.failed) return rsm__fail_memory(reterr);
  if (listed->access & SECTION_MAP_WRITE) use.access |= RSM_ACCESS_WRITE;
  return name ? rsm__uses_named(uses, name->Buffer, name->Length / sizeof(wchar_t), &use, true, NULL, reterr) : RSM_OK;
}

rsm_status rsm__uses_handle(rsm__uses *uses, rsm__looked *looked, const rsm__listed_handle *listed, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE ours = NULL;
  DWORD rights = listed->access & (listed->section ? RSM__ASK_SECTION : RSM__LOOK_FILE);
  if (!DuplicateHandle(looked->handle, (HANDLE)(uintptr_t)listed->value, GetCurrentProcess(), &ours, rights, FALSE,
                       0)) {
    DWORD code = GetLastError();
    if (code == ERROR_NOT_ENOUGH_MEMORY || code == ERROR_NO_SYSTEM_RESOURCES) return rsm__fail_memory(reterr);
    if (code == ERROR_ACCESS_DENIED) uses->handles_refused = code;
    return RSM_OK; /* else it was closed meanwhile */
  }
  return listed->section ? take_section(uses, listed, ours, reterr) : take_file(uses, looked, listed, ours, reterr);
}
