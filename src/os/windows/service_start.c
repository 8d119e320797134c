/* service_start.c: starting a service and hearing how it went.
 *
 * call                   | purpose                        | blocks on
 * StartServiceW          | the order                      | the manager's lock and the program's first words: 30 s a
 *                        |                                | service that it needs; so on a thread of its own
 * WaitForSingleObject    | the next look                  | TICK_MS; the task's end
 * In all 10 minutes, or until the task is cancelled. The manager's own clock (a service that does not report progress
 * is given up) runs besides. SPDX-License-Identifier: MIT */
#include "os/clock.h"
#include "os/windows/os_error.h"
#include "os/windows/service_manager.h"
#include "os/windows/task_wake.h"
#include "os/windows/wide.h"

enum { LIMIT_MS = 600000, ORDER_MS = 120000, TICK_MS = 25 };

typedef struct order {
  SC_HANDLE service;
  DWORD code;
} order;

static void free_order(void *argument) {
  order *given = argument;
  rsm__service_handle_close(&given->service);
  rsm__free(given);
}

static void give_order(rsm__bounded *job, void *argument) {
  order *given = argument;
  (void)job;
  given->code = StartServiceW(given->service, 0, NULL) ? ERROR_SUCCESS : GetLastError();
}

/* ---- What failed, in words ---- */

static const char *manager_words(DWORD code) {
  switch (code) {
  case ERROR_SERVICE_REQUEST_TIMEOUT:
    return "its program did not answer its manager in time";
  case ERROR_SERVICE_LOGON_FAILED:
    return "its account could not log in: its password may have changed";
  case ERROR_SERVICE_DISABLED:
    return "it is disabled";
  case ERROR_SERVICE_DEPENDENCY_FAIL:
  case ERROR_SERVICE_DEPENDENCY_DELETED:
    return "something that it needs could not be started";
  case ERROR_SERVICE_MARKED_FOR_DELETE:
    return "it is being removed";
  case ERROR_FILE_NOT_FOUND:
  case ERROR_PATH_NOT_FOUND:
    return "its program file is missing";
  case ERROR_PROCESS_ABORTED:
    return "its program ended unexpectedly";
  default:
    return "its manager did not start it";
  }
}

/* The order itself failed. */
static rsm_status fail_order(DWORD code, const char *name, rsm_error *reterr) {
  rsm_status status = rsm__fail_windows(reterr, code, "StartServiceW", name);
  if (status == RSM_ACCESS_DENIED || status == RSM_NO_SUCH_SERVICE || rsm__is_shortage(status)) return status;
  if (reterr) {
    reterr->status = RSM_GEN_FAILURE;
    rsm__error_explain(reterr, "its start failed: %s", manager_words(code));
  }
  return RSM_GEN_FAILURE;
}

static bool has_reason(const SERVICE_STATUS_PROCESS *told) {
  return told->dwWin32ExitCode != ERROR_SUCCESS && told->dwWin32ExitCode != ERROR_SERVICE_NEVER_STARTED;
}

/* It is down again, and its manager knows why. */
static rsm_status fail_down(const SERVICE_STATUS_PROCESS *told, const char *name, rsm_error *reterr) {
  DWORD code = told->dwWin32ExitCode;
  if (code == ERROR_SERVICE_SPECIFIC_ERROR)
    return rsm__fail(reterr, RSM_GEN_FAILURE, name, "its start failed: it ended with its own error %lu",
                     (unsigned long)told->dwServiceSpecificExitCode);
  if (!has_reason(told))
    return rsm__fail(reterr, RSM_GEN_FAILURE, name, "it is not up: it ended at once, without an error");
  rsm__fail_windows(reterr, code, "StartServiceW", name);
  if (reterr) {
    reterr->status = RSM_GEN_FAILURE;
    rsm__error_explain(reterr, "its start failed: it ended with error %lu", (unsigned long)code);
  }
  return RSM_GEN_FAILURE;
}

/* ---- Waiting ---- */

static rsm_status pause_for(const rsm__services *services, uint64_t deadline, const char *name, rsm_error *reterr) {
  if (rsm__clock_ms() >= deadline)
    return rsm__fail(reterr, RSM_TIMEOUT, name, "it has not come up within the time that it may take");
  if (services->task && rsm__task_cancelled(services->task)) return rsm__fail(reterr, RSM_CANCELLED, name, NULL);
  if (services->task)
    WaitForSingleObject(rsm__task_wake_handle(services->task), TICK_MS);
  else
    Sleep(TICK_MS);
  return RSM_OK;
}

/* Until it is in none of these states any more. */
static rsm_status wait_while(const rsm__services *services, SC_HANDLE service, const char *name, uint64_t deadline,
                             DWORD state, DWORD other, SERVICE_STATUS_PROCESS *told, rsm_error *reterr) {
  rsm_status status = rsm__service_query(service, name, told, reterr);
  while (status == RSM_OK && (told->dwCurrentState == state || told->dwCurrentState == other) &&
         rsm__service_is_up(told)) {
    status = pause_for(services, deadline, name, reterr);
    if (status == RSM_OK) status = rsm__service_query(service, name, told, reterr);
  }
  return status;
}

/* *ret_ordered false: it runs already, or is on its way. */
static rsm_status send_order(rsm__services *services, const char *name, bool *ret_ordered, rsm_error *reterr) {
  order *given = rsm__calloc(1, sizeof *given);
  if (!given) return rsm__fail_memory(reterr);
  rsm_status status = rsm__service_open(services, name, SERVICE_START | SERVICE_QUERY_STATUS, &given->service, reterr);
  if (status == RSM_OK)
    status = rsm__bounded_run(give_order, free_order, given, ORDER_MS, services->task, NULL, reterr);
  if (status == RSM_TIMEOUT) return rsm__fail(reterr, RSM_TIMEOUT, name, "its manager has not answered");
  if (status == RSM_CANCELLED) return status; /* its thread has the order, and it may still come up */
  DWORD code = given->code;
  SERVICE_STATUS_PROCESS told = {0};
  /* One that ends before it is up: Wine's manager gives up waiting for it, Windows' tells the same later. */
  bool ended = status == RSM_OK && code == ERROR_SERVICE_REQUEST_TIMEOUT &&
               rsm__service_query(given->service, name, &told, NULL) == RSM_OK &&
               told.dwCurrentState == SERVICE_STOPPED && has_reason(&told);
  free_order(given);
  if (status != RSM_OK) return status;
  if (ended) return fail_down(&told, name, reterr);
  *ret_ordered = code == ERROR_SUCCESS;
  return code == ERROR_SUCCESS || code == ERROR_SERVICE_ALREADY_RUNNING ? RSM_OK : fail_order(code, name, reterr);
}

/* A paused one is up: somebody wants it so. */
static rsm_status run(rsm__services *services, SC_HANDLE service, const char *name, rsm_error *reterr) {
  enum { ORDERS = 5 };
  SERVICE_STATUS_PROCESS told = {0};
  uint64_t deadline = rsm__clock_ms() + LIMIT_MS;
  bool ordered = false;
  for (int i = 0; i < ORDERS; i++) {
    rsm_status status =
        wait_while(services, service, name, deadline, SERVICE_STOP_PENDING, SERVICE_STOP_PENDING, &told, reterr);
    if (status == RSM_OK && !rsm__service_is_up(&told)) status = send_order(services, name, &ordered, reterr);
    if (status == RSM_OK)
      status =
          wait_while(services, service, name, deadline, SERVICE_START_PENDING, SERVICE_CONTINUE_PENDING, &told, reterr);
    if (status != RSM_OK) return status;
    if (rsm__service_is_up(&told) && told.dwCurrentState != SERVICE_STOP_PENDING) return RSM_OK;
    if (ordered) break; /* else it was on its way down when the order came: once more */
  }
  return fail_down(&told, name, reterr);
}

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

rsm_status rsm__service_start(rsm__services *services, const rsm__service_id *id, rsm_process *ret_main,
                              rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  RSM_CLEAN(close_process) rsm__process *process = NULL;
  rsm_status status = rsm__service_open(services, id->name, SERVICE_QUERY_STATUS, &service, reterr);
  if (status == RSM_OK) status = run(services, service, id->name, reterr);
  if (status == RSM_OK) status = rsm__service_process(services, id->name, &process, reterr);
  if (status == RSM_OK) *ret_main = process ? *rsm__process_id(process) : (rsm_process){0};
  return status;
}
