/* console.c: SPDX-License-Identifier: MIT
 *
 * call                     | purpose               | blocks on, and the bound
 * WaitForMultipleObjects   | the helper's end      | HELPER_MS, then it is ended; ends early if the process itself does
 * AttachConsole, ...       | in the helper         | the console's own process: the same bound, kept by the helper, too
 *
 * CTRL+C goes to all processes of a console. So it is sent only if all of them are meant. What remains: somebody who
 * attaches himself between our look and the sending. */
#include "os/windows/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/windows/command_line.h"
#include "os/windows/create_process.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_list.h"
#include "os/windows/search_path.h"
#include "os/windows/wide.h"
#include "os/windows/window.h"

enum { HELPER_MS = 8000, MOST_COMPANY = 2000, MOST_ATTACHED = 4096, TARGET_FIRST = 0 };
/* The helper's exit status; any other is an error number of Windows'. Not 0: that is rundll32's own when it has found
 * no helper to run. */
enum { NOT_RUN = 0, SHARED = 0x20000000, NO_CONSOLE = 0x20000001, SENT = 0x20000002 };

#ifdef RSM_TEST_HOOKS
const wchar_t *rsm__console_helper_program;
#endif

/* ---- In the helper ----------------------------------------------------------------------------------------------- */

typedef struct pids {
  DWORD *items;
  size_t count, capacity;
} pids;

static void clean_pids(pids *list) {
  rsm__free(list->items);
}

static bool is_among(const pids *list, DWORD pid) {
  for (size_t i = 0; i < list->count; i++)
    if (list->items[i] == pid) return true;
  return false;
}

static bool parse_pids(const wchar_t *text, pids *list) {
  while (*text) {
    wchar_t *end;
    unsigned long pid = wcstoul(text, &end, 10);
    if (end == text || rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0) return false;
    list->items[list->count++] = pid;
    text = *end == L',' ? end + 1 : end;
    if (*end && *end != L',') return false;
  }
  return list->count > 0;
}

/* Everybody who is attached to our console now. */
static bool read_attached(pids *list) {
  for (DWORD room = 64; room <= MOST_ATTACHED; room *= 4) {
    if (rsm__grow(&list->items, &list->capacity, room, sizeof *list->items) < 0) return false;
    DWORD count = GetConsoleProcessList(list->items, room);
    if (count == 0) return false;
    list->count = count;
    if (count <= room) return true;
  }
  return false;
}

static bool descends_from(const rsm__process_list *all, DWORD pid, DWORD from) {
  const rsm__listed_process *at = rsm__process_list_find(all, pid);
  for (size_t depth = 0; at && depth < all->count; depth++) {
    if (at->id.pid == from) return true;
    at = rsm__process_list_parent(all, at);
  }
  return false;
}

/* Is it asked by way of its console, as ours is? Then its own helper sends, too. */
static bool is_asked_here(DWORD pid) {
  RSM_CLEAN(rsm__windows_done) rsm__windows windows = {0};
  rsm__windows_find(&windows, pid);
  return windows.kind != RSM__WINDOW_MAIN;
}

static bool runs_our_program(DWORD pid) {
  wchar_t own[1024];
  wchar_t its[1024];
  DWORD own_length = RSM_COUNT(own);
  DWORD its_length = RSM_COUNT(its);
  RSM_CLEAN_HANDLE HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  return process && QueryFullProcessImageNameW(process, 0, its, &its_length) &&
         QueryFullProcessImageNameW(GetCurrentProcess(), 0, own, &own_length) && rsm__wide_same_name(own, its);
}

/* While it exists, this process is a helper. */
static HANDLE open_sign(DWORD pid, bool create) {
  wchar_t name[64];
  _snwprintf(name, RSM_COUNT(name), L"Local\\restartmanager-console-helper-%lu", pid);
  return create ? CreateEventW(NULL, TRUE, FALSE, name) : OpenEventW(SYNCHRONIZE, FALSE, name);
}

/* Several who share the console may be asked at once, each by a helper of its own; those do not hear what is sent. The
 * sign alone anybody could give: it counts for who runs our program and has our parent. */
static bool is_other_helper(const rsm__process_list *all, DWORD pid) {
  RSM_CLEAN_HANDLE HANDLE sign = open_sign(pid, false);
  const rsm__listed_process *self = rsm__process_list_find(all, GetCurrentProcessId());
  const rsm__listed_process *other = rsm__process_list_find(all, pid);
  return sign && self && other && self->parent == other->parent && runs_our_program(pid);
}

/* May all who are attached be interrupted? *ret_first: of several who share the console and are asked there, the one
 * whose helper sends: twice would be taken for impatience. */
static bool all_are_meant(const pids *meant, const pids *attached, DWORD *ret_first) {
  RSM_CLEAN(rsm__process_list_done) rsm__process_list all = {0};
  if (rsm__process_list_read(&all, NULL) != RSM_OK) return false;
  for (size_t i = 0; i < attached->count; i++) {
    DWORD pid = attached->items[i];
    if (pid == GetCurrentProcessId()) continue;
    if (is_among(meant, pid)) {
      if (pid < *ret_first && is_asked_here(pid)) *ret_first = pid;
      continue;
    }
    bool belongs = is_other_helper(&all, pid);
    for (size_t k = 0; k < meant->count && !belongs; k++) belongs = descends_from(&all, pid, meant->items[k]);
    if (!belongs) return false;
  }
  return true;
}

/* Who started us may be dead by now, and the console's process may never answer. */
static DWORD WINAPI end_in_time(void *nothing) {
  (void)nothing;
  Sleep(HELPER_MS);
  TerminateProcess(GetCurrentProcess(), ERROR_TIMEOUT);
  return 0;
}

DWORD rsm__console_help(const wchar_t *command) {
  RSM_CLEAN(clean_pids) pids meant = {0}, attached = {0};
  if (!parse_pids(command, &meant)) return ERROR_INVALID_PARAMETER;
  RSM_CLEAN_HANDLE HANDLE sign = open_sign(GetCurrentProcessId(), true);
  RSM_CLEAN_HANDLE HANDLE limit = CreateThread(NULL, 0, end_in_time, NULL, 0, NULL);
  DWORD target = meant.items[TARGET_FIRST], first = target;
  FreeConsole();                     /* normally we have none */
  SetConsoleCtrlHandler(NULL, TRUE); /* what others send there is not for us, from the first moment on */
  if (!AttachConsole(target)) return GetLastError() == ERROR_INVALID_HANDLE ? (DWORD)NO_CONSOLE : GetLastError();
  DWORD result = SENT;
  SetConsoleCtrlHandler(NULL, TRUE); /* again: a new console may have brought what is usual back */
  bool known = read_attached(&attached);
  if (known && !all_are_meant(&meant, &attached, &first))
    result = SHARED;
  else if (!known || (first == target && !GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)))
    result = GetLastError();
  FreeConsole();
  return result;
}

/* line has been through the system's code page, or not, as Windows likes: the numbers are the last part of our own. */
void CALLBACK rsm__console_helper(HWND window, HINSTANCE instance, const char *line, int show) {
  (void)window;
  (void)instance;
  (void)line;
  (void)show;
  const wchar_t *command = wcsrchr(GetCommandLineW(), L' ');
  ExitProcess(command ? rsm__console_help(command + 1) : ERROR_INVALID_PARAMETER);
}

/* ---- Running it -------------------------------------------------------------------------------------------------- */

/* The DLL that this code is a part of, if it exports the helper; to be freed. NULL: none. */
static wchar_t *own_dll(void) {
  HMODULE module = NULL;
  if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
                          (const wchar_t *)(uintptr_t)&rsm__console_helper, &module) ||
      module == GetModuleHandleW(NULL))
    return NULL;
  FARPROC exported = GetProcAddress(module, (const char *)(uintptr_t)RSM__CONSOLE_ORDINAL);
  return (void *)exported == (void *)&rsm__console_helper ? rsm__module_path(module) : NULL;
}

/* "pid,pid,...": ours first, then as many of the company as a command line holds. */
static void put_pids(rsm__buffer *text, const rsm_process *process, const rsm_process *company, size_t count) {
  char number[16];
  snprintf(number, sizeof number, "%u", (unsigned)process->pid);
  rsm__buffer_put(text, number, strlen(number));
  for (size_t i = 0; i < count && i < MOST_COMPANY; i++) {
    snprintf(number, sizeof number, ",%u", (unsigned)company[i].pid);
    rsm__buffer_put(text, number, strlen(number));
  }
  rsm__buffer_put(text, "", 1);
}

static const char program_lacking[] = "it cannot be asked to end: a console's program is sent CTRL+C with the help of "
                                      "core.dll or rstrtmgr.dll, and this program is made without them";

/* The command line, and the program to run. */
static rsm_status make_command(const char *numbers, wchar_t **ret_program, wchar_t **ret_line, rsm_error *reterr) {
#ifdef RSM_TEST_HOOKS
  if (rsm__console_helper_program) {
    RSM_CLEAN_FREE char *program = rsm__narrow_new(rsm__console_helper_program, wcslen(rsm__console_helper_program));
    if (!program) return rsm__fail_memory(reterr);
    *ret_program = NULL;
    return rsm__command_line_join((const char *[]){program, "console-helper", numbers}, 3, ret_line, reterr);
  }
#endif
  RSM_CLEAN_WIDE dll = own_dll();
  RSM_CLEAN_WIDE program = rsm__system_program(L"rundll32.exe");
  if (!dll) return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "%s", program_lacking);
  if (!program) return rsm__fail_memory(reterr);
  size_t room = wcslen(program) + wcslen(dll) + strlen(numbers) + 32;
  wchar_t *line = rsm__calloc(room, sizeof *line);
  if (!line) return rsm__fail_memory(reterr);
  _snwprintf(line, room, L"\"%ls\" \"%ls\",#%d %hs", program, dll, RSM__CONSOLE_ORDINAL, numbers);
  *ret_program = program;
  *ret_line = line;
  program = NULL;
  return RSM_OK;
}

static rsm_status start_helper(const char *numbers, HANDLE *ret_helper, rsm_error *reterr) {
  RSM_CLEAN_WIDE program = NULL;
  RSM_CLEAN_WIDE line = NULL;
  rsm_status status = make_command(numbers, &program, &line, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_WIDE environment = rsm__search_path_environment(); /* our DLL needs what it needed here */
  if (!environment) return rsm__fail_memory(reterr);
  RSM_CLEAN_WIDE directory = rsm__system_program(NULL); /* so that it stands in nobody's way */
  STARTUPINFOW startup = {.cb = sizeof startup};
  PROCESS_INFORMATION started;
  if (!rsm__create_process(program, line, FALSE, CREATE_UNICODE_ENVIRONMENT | DETACHED_PROCESS, environment, directory,
                           &startup, &started))
    return rsm__fail_windows(reterr, GetLastError(), "CreateProcessW", "rundll32.exe");
  CloseHandle(started.hThread);
  *ret_helper = started.hProcess;
  return RSM_OK;
}

static rsm_status judge(DWORD result, rsm_error *reterr) {
  switch (result) {
  case SENT:
    return RSM_OK;
  case NOT_RUN:
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL,
                     "it cannot be asked to end: rundll32 cannot run core.dll or rstrtmgr.dll");
  case SHARED:
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL,
                     "it cannot be asked to end: others, who are not to be stopped, share its console");
  case NO_CONSOLE:
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL,
                     "it cannot be asked to end: it has neither a window nor a console");
  default:
    return rsm__fail_windows(reterr, result, "AttachConsole", NULL);
  }
}

rsm_status rsm__console_interrupt(const rsm_process *process, HANDLE handle, const rsm_process *company, size_t count,
                                  rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer numbers = {0};
  RSM_CLEAN_HANDLE HANDLE helper = NULL;
  put_pids(&numbers, process, company, count);
  if (numbers.failed) return rsm__fail_memory(reterr);
  rsm_status status = start_helper((const char *)numbers.data, &helper, reterr);
  if (status != RSM_OK) return status;
  DWORD result = ERROR_TIMEOUT;
  HANDLE both[] = {helper, handle};
  if (WaitForMultipleObjects(2, both, FALSE, HELPER_MS) == WAIT_TIMEOUT) TerminateProcess(helper, ERROR_TIMEOUT);
  if (WaitForSingleObject(handle, 0) == WAIT_OBJECT_0) return RSM_OK; /* it has obeyed, or needs no more asking */
  WaitForSingleObject(helper, HELPER_MS);
  if (!GetExitCodeProcess(helper, &result)) result = GetLastError();
  return judge(result, reterr);
}
