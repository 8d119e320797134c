/* registration.c: RegisterApplicationRestart's own, where the system keeps it: in the process, for as long as it lives,
 * for whoever may read its memory. Where it does not (Wine answers "not implemented"), registration_section.h.
 *
 * call                          | purpose               | blocks on
 * GetApplicationRestartSettings | another's registration| its pages being read back from the disk
 * all others                    |                       | nothing
 * SPDX-License-Identifier: MIT */
#include "os/registration.h"

#include <string.h>
#include <windows.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/windows/command_line.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"
#include "os/windows/program.h"
#include "os/windows/registration_section.h"
#include "os/windows/wide.h"

static const uint32_t KNOWN_FLAGS =
    RSM_RESTART_NO_CRASH | RSM_RESTART_NO_HANG | RSM_RESTART_NO_PATCH | RSM_RESTART_NO_REBOOT;
/* A name for the program, which the system's line is without; and what it takes of a line that is joined. */
static const char PROGRAM[] = "x";
enum { PROGRAM_UNITS = 2, LINE_UNITS = RSM_RESTART_MAX_LINE + 1 };

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

/* ---- The system's calls ---- */

typedef HRESULT WINAPI get_settings(HANDLE process, PWSTR line, DWORD *size, DWORD *flags);
typedef HRESULT WINAPI register_restart(PCWSTR line, DWORD flags);
typedef HRESULT WINAPI unregister_restart(void);

typedef struct system_calls {
  get_settings *get;
  register_restart *set;
  unregister_restart *clear;
} system_calls;

static FARPROC kernel_call(const char *name) {
  HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
  return kernel ? GetProcAddress(kernel, name) : NULL;
}

/* False: this system keeps no registrations. Asked about ourselves, which is always allowed. */
static bool find_calls(system_calls *ret) {
  system_calls calls = {(get_settings *)(void *)kernel_call("GetApplicationRestartSettings"),
                        (register_restart *)(void *)kernel_call("RegisterApplicationRestart"),
                        (unregister_restart *)(void *)kernel_call("UnregisterApplicationRestart")};
  DWORD size = 0, flags = 0;
  if (!calls.get || !calls.set || !calls.clear) return false;
  if (calls.get(GetCurrentProcess(), NULL, &size, &flags) == E_NOTIMPL) return false;
  *ret = calls;
  return true;
}

/* ---- This process ---- */

static rsm_status open_self(rsm__process **ret_self, rsm_error *reterr) {
  return rsm__process_open(&(rsm_process){.pid = rsm__process_self()}, ret_self, reterr);
}

static rsm_status read_exe(const rsm__process *process, rsm__arena *arena, const char **ret_exe, rsm_error *reterr) {
  const wchar_t *path = NULL;
  rsm_status status = rsm__program_path(process, arena, &path, reterr);
  if (status != RSM_OK) return status;
  if (!path) return rsm__fail(reterr, RSM_ACCESS_DENIED, NULL, "its program file cannot be read");
  *ret_exe = rsm__narrow_text_in(arena, path);
  return *ret_exe ? RSM_OK : rsm__fail_memory(reterr);
}

static rsm_status present_arguments(rsm__arena *arena, rsm__registration *wish, rsm_error *reterr) {
  const char *const *texts = NULL;
  size_t count = 0;
  rsm_status status = rsm__command_line_split(GetCommandLineW(), arena, &texts, &count, reterr);
  if (status != RSM_OK) return status;
  wish->args = count ? texts + 1 : texts;
  wish->arg_count = count ? count - 1 : 0;
  return RSM_OK;
}

/* The arguments as one line, quotes and all: that is what counts against the limit. */
static rsm_status join_line(const rsm__registration *wish, wchar_t **ret_line, rsm_error *reterr) {
  RSM_CLEAN_FREE const char **args = rsm__calloc(wish->arg_count + 1, sizeof *args);
  if (!args) return rsm__fail_memory(reterr);
  args[0] = PROGRAM;
  for (size_t i = 0; i < wish->arg_count; i++) args[i + 1] = wish->args[i];
  RSM_CLEAN_WIDE line = NULL;
  rsm_status status = rsm__command_line_join(args, wish->arg_count + 1, &line, reterr);
  if (status != RSM_OK) return status;
  size_t before = wish->arg_count ? PROGRAM_UNITS : PROGRAM_UNITS - 1, length = wcslen(line) - before;
  if (length > RSM_RESTART_MAX_LINE)
    return rsm__fail(reterr, RSM_INVALID_PARAMETER, NULL,
                     "the arguments are %zu characters long, quotes and blanks included; at most %d are allowed",
                     length, RSM_RESTART_MAX_LINE);
  wmemmove(line, line + before, length + 1);
  *ret_line = line;
  line = NULL;
  return RSM_OK;
}

static rsm_status set_by_system(const system_calls *calls, const wchar_t *line, uint32_t flags, rsm_error *reterr) {
  HRESULT code = calls->set(line, flags);
  if (SUCCEEDED(code)) return RSM_OK;
  if (code == E_INVALIDARG)
    return rsm__fail(reterr, RSM_INVALID_PARAMETER, NULL, "the system does not take so long a line of arguments");
  return rsm__fail_hresult(reterr, (int32_t)code, "RegisterApplicationRestart", NULL);
}

rsm_status rsm__registration_set(const char *const *args, size_t count, uint32_t flags, rsm_error *reterr) {
  if (flags & ~KNOWN_FLAGS)
    return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "unknown flags 0x%x", (unsigned)(flags & ~KNOWN_FLAGS));
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN(close_process) rsm__process *self = NULL;
  RSM_CLEAN_WIDE line = NULL;
  system_calls calls;
  rsm__registration wish = {.args = args, .arg_count = count, .flags = flags};
  rsm_status status = args ? RSM_OK : present_arguments(&arena, &wish, reterr);
  if (status == RSM_OK) status = join_line(&wish, &line, reterr);
  if (status != RSM_OK) return status;
  if (find_calls(&calls)) return set_by_system(&calls, line, flags, reterr);
  status = open_self(&self, reterr);
  if (status == RSM_OK) status = read_exe(self, &arena, &wish.exe, reterr);
  return status == RSM_OK ? rsm__registration_section_set(self, &wish, reterr) : status;
}

/* ---- Anybody ---- */

static rsm_status fail_none(const rsm__process *process, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_NOT_FOUND, NULL, "process %u has not registered for restart",
                   (unsigned)rsm__process_id(process)->pid);
}

/* line: of LINE_UNITS units. It may register anew at any time, so the size is not asked for first. */
static rsm_status get_by_system(const system_calls *calls, const rsm__process *process, wchar_t *line,
                                uint32_t *ret_flags, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE readable = NULL;
  rsm_status status = rsm__process_open_rights(process, PROCESS_QUERY_INFORMATION | PROCESS_VM_READ, &readable, reterr);
  /* Whose memory we may not read, we could not start again either. */
  if (status == RSM_ACCESS_DENIED) return fail_none(process, reterr);
  if (status != RSM_OK) return status;
  DWORD size = LINE_UNITS, flags = 0;
  HRESULT code = calls->get(readable, line, &size, &flags);
  if (code == HRESULT_FROM_WIN32(ERROR_NOT_FOUND)) return fail_none(process, reterr);
  if (FAILED(code)) return rsm__fail_hresult(reterr, (int32_t)code, "GetApplicationRestartSettings", NULL);
  line[LINE_UNITS - 1] = L'\0';
  *ret_flags = flags;
  return RSM_OK;
}

/* By the rules for arguments: the first word of a line would be a program's name. */
static rsm_status split_line(const wchar_t *line, rsm__arena *arena, rsm__registration *wish, rsm_error *reterr) {
  wchar_t whole[LINE_UNITS + PROGRAM_UNITS] = L"x ";
  const char *const *texts = NULL;
  size_t count = 0;
  wcscat(whole, line);
  rsm_status status = rsm__command_line_split(whole, arena, &texts, &count, reterr);
  if (status != RSM_OK) return status;
  wish->args = texts + 1;
  wish->arg_count = count - 1;
  return RSM_OK;
}

/* known NULL: this system keeps none. */
static rsm_status get_of(const system_calls *known, const rsm__process *process, const char *exe, rsm__arena *arena,
                         rsm__registration *ret_registration, rsm_error *reterr) {
  rsm__registration wish = {.exe = exe};
  wchar_t line[LINE_UNITS] = L"";
  if (!known) return rsm__registration_section_get(process, exe, arena, ret_registration, reterr);
  rsm_status status = get_by_system(known, process, line, &wish.flags, reterr);
  if (status == RSM_OK) status = split_line(line, arena, &wish, reterr);
  if (status == RSM_OK) *ret_registration = wish;
  return status;
}

rsm_status rsm__registration_get(const rsm__process *process, rsm__arena *arena, rsm__registration *ret_registration,
                                 rsm_error *reterr) {
  const char *exe = NULL;
  system_calls calls;
  rsm_status status = read_exe(process, arena, &exe, reterr);
  /* A program that we may not look at cannot be shown to be the one that registered. */
  if (status != RSM_OK) return rsm__is_shortage(status) ? status : fail_none(process, reterr);
  return get_of(find_calls(&calls) ? &calls : NULL, process, exe, arena, ret_registration, reterr);
}

struct rsm__registrations {
  system_calls calls;
  bool has_calls;
};

rsm_status rsm__registrations_new(rsm__registrations **ret_registrations, rsm_error *reterr) {
  rsm__registrations *fresh = rsm__calloc(1, sizeof *fresh);
  if (!fresh) return rsm__fail_memory(reterr);
  fresh->has_calls = find_calls(&fresh->calls);
  *ret_registrations = fresh;
  return RSM_OK;
}

void rsm__registrations_free(rsm__registrations *registrations) {
  rsm__free(registrations);
}

rsm_status rsm__registrations_get(rsm__registrations *registrations, const rsm__process *process,
                                  const rsm__process_facts *facts, rsm__arena *arena,
                                  rsm__registration *ret_registration, rsm_error *reterr) {
  const system_calls *calls = registrations->has_calls ? &registrations->calls : NULL;
  if (!facts->exe) return fail_none(process, reterr);
  return get_of(calls, process, facts->exe, arena, ret_registration, reterr);
}

rsm_status rsm__registration_clear(rsm_error *reterr) {
  RSM_CLEAN(close_process) rsm__process *self = NULL;
  wchar_t line[LINE_UNITS] = L"";
  uint32_t flags;
  system_calls calls;
  rsm_status status = open_self(&self, reterr);
  if (status != RSM_OK) return status;
  if (!find_calls(&calls)) {
    status = rsm__registration_section_clear(self, reterr);
  } else {
    status = get_by_system(&calls, self, line, &flags, reterr);
    HRESULT code = status == RSM_OK ? calls.clear() : S_OK;
    if (FAILED(code)) return rsm__fail_hresult(reterr, (int32_t)code, "UnregisterApplicationRestart", NULL);
  }
  return status == RSM_NOT_FOUND ? rsm__fail(reterr, RSM_NOT_FOUND, NULL, "this process was not registered") : status;
}
