/* process.c: process handles. Order everywhere: open the handle, read, see that the process is still there; act by
 * handles. As long as one is open the process' number is not given to another. No call here waits for the other
 * process.
 *
 * Windows does not let us open everybody: another user's program, or one that runs with more rights. Such a process is
 * known by its number and start time in the system's list, which needs no right; it is never acted on.
 * SPDX-License-Identifier: MIT */
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <winternl.h>

#include "os/windows/ask.h"
#include "os/windows/filetime.h"
#include "os/windows/handle.h"
#include "os/windows/os_error.h"
#include "os/windows/process_handle.h"
#include "os/windows/process_list.h"

enum {
  BUDGET = 8192,     /* handles are memory only; far below what one process may have */
  KILLED_STATUS = 1, /* with any other the system would start a shell that it killed again */
  PID_STEP = 4       /* OpenProcess rounds down to it: 1001 would open 1000 */
};

struct rsm__process {
  rsm_process id;
  HANDLE handle; /* NULL: see process_handle.h */
  bool can_query;
  rsm__asking *asking;        /* NULL: was not asked */
  rsm__parameters_note *note; /* NULL: none */
  rsm__lookup *lookup;        /* these two are borrowed and may be NULL: rsm__process_within */
  rsm__task *task;
};

typedef struct pid_text {
  char text[16];
} pid_text;

static pid_text name_pid(uint32_t pid) {
  pid_text name;
  snprintf(name.text, sizeof name.text, "%u", (unsigned)pid);
  return name;
}

static rsm_status fail_gone(uint32_t pid, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_NOT_FOUND, name_pid(pid).text, "there is no such process");
}

/* ---- The handle -------------------------------------------------------------------------------------------------- */

static bool has_ended(HANDLE handle) {
  return WaitForSingleObject(handle, 0) == WAIT_OBJECT_0;
}

static rsm_status find_listed(uint32_t pid, rsm_process *ret_id, rsm_error *reterr) {
  RSM_CLEAN(rsm__process_list_done) rsm__process_list list = {0};
  rsm_status status = rsm__process_list_read(&list, reterr);
  if (status != RSM_OK) return status;
  const rsm__listed_process *listed = rsm__process_list_find(&list, pid);
  if (!listed) return fail_gone(pid, reterr);
  *ret_id = listed->id;
  return RSM_OK;
}

/* With as many rights as we may have; without a handle if none. */
static rsm_status open_handle(rsm__process *process, uint32_t pid, rsm_error *reterr) {
  if (pid == 0 || pid % PID_STEP != 0) return fail_gone(pid, reterr);
  process->handle = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
  DWORD code = process->handle ? ERROR_SUCCESS : GetLastError();
  process->can_query = process->handle != NULL;
  if (code == ERROR_INVALID_PARAMETER) return fail_gone(pid, reterr);
  if (code == ERROR_ACCESS_DENIED) {
    process->handle = OpenProcess(SYNCHRONIZE, FALSE, pid);
    return RSM_OK;
  }
  return code == ERROR_SUCCESS ? RSM_OK : rsm__fail_windows(reterr, code, "OpenProcess", name_pid(pid).text);
}

static rsm_status identify(const rsm__process *process, uint32_t pid, rsm_process *ret_id, rsm_error *reterr) {
  if (!process->can_query) return find_listed(pid, ret_id, reterr);
  FILETIME created, ended, kernel, user;
  if (!GetProcessTimes(process->handle, &created, &ended, &kernel, &user))
    return rsm__fail_windows(reterr, GetLastError(), "GetProcessTimes", name_pid(pid).text);
  *ret_id = (rsm_process){.pid = pid, .start_time = rsm__filetime_number(created)};
  return RSM_OK;
}

rsm_status rsm__process_open(const rsm_process *id, rsm__process **ret_process, rsm_error *reterr) {
  RSM_CLEAN_PROCESS rsm__process *process = rsm__calloc(1, sizeof *process);
  if (!process) return rsm__fail_memory(reterr);
  rsm_status status = open_handle(process, id->pid, reterr);
  if (status == RSM_OK) status = identify(process, id->pid, &process->id, reterr);
  if (status != RSM_OK) return status;
  bool other = id->start_time && id->start_time != process->id.start_time;
  if (other || (process->handle && has_ended(process->handle))) return fail_gone(id->pid, reterr);
  *ret_process = process;
  process = NULL;
  return RSM_OK;
}

rsm__process *rsm__process_close(rsm__process *process) {
  if (!process) return NULL;
  rsm__asking_leave(process->asking);
  rsm__parameters_note_free(process->note);
  rsm__handle_close(&process->handle);
  rsm__free(process);
  return NULL;
}

const rsm_process *rsm__process_id(const rsm__process *process) {
  return &process->id;
}

HANDLE rsm__process_handle(const rsm__process *process) {
  return process->handle;
}

bool rsm__process_can_query(const rsm__process *process) {
  return process->can_query;
}

void rsm__process_within(rsm__process *process, rsm__lookup *lookup, rsm__task *task) {
  process->lookup = lookup;
  process->task = task;
}

void rsm__process_read_ahead(rsm__process *process) {
  (void)process;
}

rsm__lookup *rsm__process_lookup(const rsm__process *process) {
  return process->lookup;
}

rsm__task *rsm__process_task(const rsm__process *process) {
  return process->task;
}

/* The handle belongs to one caller, who is told nothing else by it. */
rsm__parameters_note *rsm__process_take_note(const rsm__process *process) {
  rsm__parameters_note *note = process->note;
  ((rsm__process *)(uintptr_t)process)->note = NULL;
  return note;
}

void rsm__process_note(const rsm__process *process, rsm__parameters_note *note) {
  rsm__parameters_note_free(process->note);
  ((rsm__process *)(uintptr_t)process)->note = note;
}

bool rsm__process_alive(const rsm__process *process) {
  rsm_process found;
  if (process->handle) return !has_ended(process->handle);
  /* A list that cannot be read tells nothing: then it is not taken for dead. */
  rsm_status status = find_listed(process->id.pid, &found, NULL);
  return status == RSM_OK ? found.start_time == process->id.start_time : status != RSM_NOT_FOUND;
}

static rsm_status fail_denied(const rsm__process *process, rsm_error *reterr) {
  if (!rsm__process_alive(process)) return fail_gone(process->id.pid, reterr);
  return rsm__fail_windows(reterr, ERROR_ACCESS_DENIED, "OpenProcess", name_pid(process->id.pid).text);
}

rsm_status rsm__process_open_rights(const rsm__process *process, DWORD rights, HANDLE *ret_handle, rsm_error *reterr) {
  if (!process->handle) return fail_denied(process, reterr);
  HANDLE handle = OpenProcess(rights, FALSE, process->id.pid);
  DWORD code = handle ? ERROR_SUCCESS : GetLastError();
  if (code == ERROR_ACCESS_DENIED || code == ERROR_INVALID_PARAMETER) return fail_denied(process, reterr);
  if (code != ERROR_SUCCESS) return rsm__fail_windows(reterr, code, "OpenProcess", name_pid(process->id.pid).text);
  *ret_handle = handle;
  return RSM_OK;
}

/* ---- What is done to it ------------------------------------------------------------------------------------------ */

static rsm_status open_living(const rsm__process *process, DWORD rights, HANDLE *ret_handle, rsm_error *reterr) {
  if (!rsm__process_alive(process)) return fail_gone(process->id.pid, reterr);
  return rsm__process_open_rights(process, rights, ret_handle, reterr);
}

/* Who may end it may send messages to its windows, too: for both it must not run with more rights than we do. */
rsm_status rsm__process_permit(const rsm__process *process, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  return open_living(process, PROCESS_TERMINATE, &handle, reterr);
}

rsm_status rsm__process_kill(const rsm__process *process, rsm_error *reterr) {
  RSM_CLEAN_HANDLE HANDLE handle = NULL;
  rsm_status status = open_living(process, PROCESS_TERMINATE, &handle, reterr);
  if (status != RSM_OK) return status;
  if (TerminateProcess(handle, KILLED_STATUS)) return RSM_OK;
  DWORD code = GetLastError();
  if (code == ERROR_ACCESS_DENIED) return RSM_OK; /* we had the right: it is on its way out already */
  return rsm__fail_windows(reterr, code, "TerminateProcess", name_pid(process->id.pid).text);
}

rsm_status rsm__process_ask(rsm__process *process, const rsm_process *company, size_t count, rsm_error *reterr) {
  rsm__asking *asking = NULL;
  rsm_status status = rsm__process_permit(process, reterr);
  if (status == RSM_OK) status = rsm__asking_begin(process, company, count, &asking, reterr);
  if (status != RSM_OK) return status;
  rsm__asking_leave(process->asking);
  process->asking = asking;
  return RSM_OK;
}

rsm_status rsm__process_answer(const rsm__process *process, rsm_error *reterr) {
  return process->asking ? rsm__asking_answer(process->asking, reterr) : RSM_OK;
}

void rsm__process_proceed(const rsm__process *process) {
  if (process->asking) rsm__asking_decide(process->asking, true);
}

bool rsm__process_withdraw(const rsm__process *process) {
  return process->asking && rsm__asking_decide(process->asking, false);
}

HANDLE rsm__process_answer_handle(const rsm__process *process) {
  return process->asking ? rsm__asking_handle(process->asking) : NULL;
}

/* ---- Its parent -------------------------------------------------------------------------------------------------- */

static rsm_status listed_parent(const rsm__process *process, rsm_process *ret_parent, rsm_error *reterr) {
  RSM_CLEAN(rsm__process_list_done) rsm__process_list list = {0};
  rsm_status status = rsm__process_list_read(&list, reterr);
  if (status != RSM_OK) return status;
  const rsm__listed_process *child = rsm__process_list_find(&list, process->id.pid);
  if (!child || child->id.start_time != process->id.start_time) return fail_gone(process->id.pid, reterr);
  const rsm__listed_process *parent = rsm__process_list_parent(&list, child);
  *ret_parent = parent ? parent->id : (rsm_process){0};
  return RSM_OK;
}

/* The number that its parent had when it started it; whoever has it now and is younger got it later. What remains: a
 * clock that was set back in between makes a stranger look older. */
rsm_status rsm__process_parent(const rsm__process *process, rsm_process *ret_parent, rsm_error *reterr) {
  PROCESS_BASIC_INFORMATION basic = {0};
  if (!rsm__process_alive(process)) return fail_gone(process->id.pid, reterr);
  if (!process->can_query ||
      NtQueryInformationProcess(process->handle, ProcessBasicInformation, &basic, sizeof basic, NULL) < 0)
    return listed_parent(process, ret_parent, reterr);
  rsm_process found = {.pid = (uint32_t)basic.InheritedFromUniqueProcessId};
  RSM_CLEAN_PROCESS rsm__process *parent = NULL;
  rsm_error error;
  rsm_status status = rsm__process_open(&found, &parent, &error);
  if (rsm__is_shortage(status)) {
    if (reterr) *reterr = error;
    return status;
  }
  bool older = status == RSM_OK && parent->id.start_time <= process->id.start_time;
  *ret_parent = older ? parent->id : (rsm_process){0};
  return RSM_OK;
}

/* ---- Ourselves --------------------------------------------------------------------------------------------------- */

uint32_t rsm__process_self(void) {
  return GetCurrentProcessId();
}

/* Nobody runs us with more rights than he has and with his own environment. */
const char *rsm__process_environment(const char *name) {
  return getenv(name);
}

size_t rsm__process_budget(void) {
  return BUDGET;
}

/* The moment of the boot, as the kernel took it then: setting the clock moves both numbers. Under Wine it is the moment
 * when this prefix' server started, and with it all that its numbers mean ended. */
rsm_status rsm__process_here(rsm__here *ret_here, rsm_error *reterr) {
  struct {
    SYSTEM_TIMEOFDAY_INFORMATION told;
    ULONGLONG room[4];
  } time = {0};
  struct {
    LARGE_INTEGER boot, now, zone;
    ULONG zone_id, reserved;
    ULONGLONG boot_bias, sleep_bias;
  } known = {0};
  ULONG used = 0;
  NTSTATUS code = NtQuerySystemInformation(SystemTimeOfDayInformation, &time.told, sizeof time.told, &used);
  if (code < 0) return rsm__fail_nt(reterr, (int32_t)code, "NtQuerySystemInformation", NULL);
  memcpy(&known, &time.told, sizeof known < sizeof time.told ? sizeof known : sizeof time.told);
  rsm__here here = {0};
  snprintf(here.boot, sizeof here.boot, "%016llx", (unsigned long long)known.boot.QuadPart - known.boot_bias);
  *ret_here = here;
  return RSM_OK;
}
