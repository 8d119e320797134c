/* service_stop.c: asking services to stop, ending them, and looking what has become of it.
 *
 * The manager does not take the order for a service on which others depend that still run: so whoever was asked in the
 * right order, and too early, waits here and is asked again at each look.
 *
 * call               | purpose      | blocks on
 * ControlService     | the order    | the service's answer, 30 s: so on a thread of its own, for ORDER_MS
 * rsm__process_kill  | its process  | nothing
 * wait in rsm__services_wait | news | TICK_MS: the manager's own way to tell them would need a thread that only waits
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "os/clock.h"
#include "os/windows/os_error.h"
#include "os/windows/service_manager.h"
#include "os/windows/task_wake.h"
#include "os/windows/wide.h"

enum { ORDER_MS = 2000, TICK_MS = 50 };

/* ---- Who was asked ---- */

rsm__service_asked *rsm__service_asked_find(const rsm__services *services, const char *name) {
  for (size_t i = 0; i < services->asked_count; i++)
    if (rsm__narrow_same_name(services->asked[i].name, name)) return &services->asked[i];
  return NULL;
}

void rsm__service_asked_done(rsm__service_asked *asked) {
  rsm__free(asked->name);
  asked->hanging = rsm__bounded_unref(asked->hanging);
  asked->process = rsm__process_close(asked->process);
}

/* A new one, or the same for another process: it was started again since. */
static rsm_status note_asked(rsm__services *services, const char *name, rsm__service_asked **ret_asked,
                             rsm_error *reterr) {
  rsm__process *process = NULL;
  rsm_status status = rsm__service_process(services, name, &process, reterr);
  if (status != RSM_OK && rsm__is_shortage(status)) return status;
  rsm__service_asked *asked = rsm__service_asked_find(services, name);
  if (!asked) {
    char *copy = rsm__strdup(name);
    if (!copy || rsm__grow(&services->asked, &services->asked_capacity, services->asked_count + 1,
                           sizeof *services->asked) < 0) {
      rsm__free(copy);
      rsm__process_close(process);
      return rsm__fail_memory(reterr);
    }
    asked = &services->asked[services->asked_count++];
    *asked = (rsm__service_asked){.name = copy};
  }
  if (process || !asked->process || !rsm__process_alive(asked->process)) {
    rsm__process_close(asked->process);
    asked->process = process;
  }
  *ret_asked = asked;
  return RSM_OK;
}

/* ---- The order ---- */

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
  SERVICE_STATUS told;
  (void)job;
  given->code = ControlService(given->service, SERVICE_CONTROL_STOP, &told) ? ERROR_SUCCESS : GetLastError();
}

/* Does something that depends on it still run? Windows' manager would say so, too; Wine's would not. */
static rsm_status has_users(rsm__services *services, const char *name, bool *ret_has, rsm_error *reterr) {
  *ret_has = false;
  rsm_status status = rsm__service_list_get(services, 0, reterr);
  for (size_t i = 0; status == RSM_OK && i < services->list.count && !*ret_has; i++) {
    const rsm__listed_service *one = &services->list.items[i];
    const char *const *needs;
    size_t count;
    RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
    SERVICE_STATUS_PROCESS told;
    if (one->state == SERVICE_STOPPED) continue; /* what was started since, the manager knows */
    status = rsm__service_needs(services, one, &needs, &count, reterr);
    if (status != RSM_OK || !rsm__service_needs_one(needs, count, name)) continue;
    if (rsm__service_open(services, one->name, SERVICE_QUERY_STATUS, &service, NULL) != RSM_OK) continue;
    if (rsm__service_query(service, one->name, &told, NULL) != RSM_OK) continue;
    *ret_has = rsm__service_is_up(&told);
  }
  return status;
}

static rsm_status judge_answer(rsm__service_asked *asked, DWORD code, rsm_error *reterr) {
  switch (code) {
  case ERROR_SUCCESS:
  case ERROR_SERVICE_NOT_ACTIVE:
    return RSM_OK;
  case ERROR_DEPENDENT_SERVICES_RUNNING:
  case ERROR_SERVICE_CANNOT_ACCEPT_CTRL: /* it is on its way up, or down */
  case ERROR_SERVICE_REQUEST_TIMEOUT:
    asked->waits = true;
    return RSM_OK;
  case ERROR_INVALID_SERVICE_CONTROL:
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, asked->name, "this service does not accept to be stopped");
  default:
    return rsm__fail_windows(reterr, code, "ControlService", asked->name);
  }
}

/* Takes the handle over. */
static rsm_status send_order(rsm__services *services, rsm__service_asked *asked, SC_HANDLE *service,
                             rsm_error *reterr) {
  order *given = rsm__calloc(1, sizeof *given);
  if (!given) return rsm__fail_memory(reterr);
  given->service = *service;
  *service = NULL;
  rsm_status status =
      rsm__bounded_run(give_order, free_order, given, ORDER_MS, services->task, &asked->hanging, reterr);
  if (status == RSM_TIMEOUT || status == RSM_CANCELLED) return RSM_OK; /* its thread has it, and goes on */
  if (status == RSM_OK) status = judge_answer(asked, given->code, reterr);
  free_order(given);
  return status;
}

static rsm_status push(rsm__services *services, rsm__service_asked *asked, rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  bool busy = false;
  rsm_status status = rsm__service_open(services, asked->name, SERVICE_STOP, &service, reterr);
  if (status == RSM_OK) status = has_users(services, asked->name, &busy, reterr);
  if (status != RSM_OK) return status;
  asked->waits = busy;
  return busy ? RSM_OK : send_order(services, asked, &service, reterr);
}

void rsm__service_push(rsm__services *services, rsm__service_asked *asked) {
  if (asked->hanging && rsm__bounded_returned(asked->hanging)) asked->hanging = rsm__bounded_unref(asked->hanging);
  if (!asked->waits || asked->hanging) return;
  rsm_status status = push(services, asked, NULL);
  if (rsm__is_shortage(status)) asked->waits = true; /* at the next look */
}

rsm_status rsm__service_stop(rsm__services *services, const rsm__service_id *id, rsm_error *reterr) {
  rsm__service_asked *asked;
  rsm_status status = note_asked(services, id->name, &asked, reterr);
  if (status != RSM_OK || asked->hanging) return status;
  return push(services, asked, reterr);
}

/* ---- Looking ---- */

/* Does another service still run in that process? */
static rsm_status is_shared(rsm__services *services, uint32_t pid, const char *name, bool but_asked,
                            const char **ret_other, rsm_error *reterr) {
  *ret_other = NULL;
  rsm_status status = rsm__service_list_get(services, UINT64_MAX, reterr); /* as it is now */
  for (size_t i = 0; status == RSM_OK && i < services->list.count; i++) {
    const rsm__listed_service *one = &services->list.items[i];
    if (one->pid != pid || one->state == SERVICE_STOPPED || rsm__narrow_same_name(one->name, name)) continue;
    if (but_asked && rsm__service_asked_find(services, one->name)) continue;
    *ret_other = one->name;
  }
  return status;
}

/* Its manager says that it is down. Its process may need a moment to follow; one that it shares stays for the others.
 */
static rsm_status look_at_process(rsm__services *services, const rsm__service_asked *asked,
                                  rsm__service_activity *ret_activity, rsm_error *reterr) {
  const char *other = NULL;
  *ret_activity = RSM__SERVICE_DOWN;
  if (!asked || !asked->process || !rsm__process_alive(asked->process)) return RSM_OK;
  rsm_status status = is_shared(services, rsm__process_id(asked->process)->pid, asked->name, false, &other, reterr);
  if (status == RSM_OK && !other) *ret_activity = RSM__SERVICE_REMAINS;
  return status;
}

rsm_status rsm__service_look(rsm__services *services, const rsm__service_id *id, rsm__service_activity *ret_activity,
                             rsm_error *reterr) {
  RSM_CLEAN_SERVICE SC_HANDLE service = NULL;
  SERVICE_STATUS_PROCESS told;
  rsm__service_asked *asked = rsm__service_asked_find(services, id->name);
  if (asked) rsm__service_push(services, asked);
  rsm_status status = rsm__service_open(services, id->name, SERVICE_QUERY_STATUS, &service, reterr);
  if (status == RSM_OK) status = rsm__service_query(service, id->name, &told, reterr);
  if (status != RSM_OK) return status;
  if (!rsm__service_is_up(&told)) return look_at_process(services, asked, ret_activity, reterr);
  bool going = told.dwCurrentState == SERVICE_STOP_PENDING || (asked && (asked->waits || asked->hanging));
  *ret_activity = going ? RSM__SERVICE_STOPPING : RSM__SERVICE_RUNNING;
  return RSM_OK;
}

void rsm__services_wait(rsm__services *services, uint64_t deadline_ms) {
  uint64_t now = rsm__clock_ms();
  if (now >= deadline_ms) return;
  DWORD left = deadline_ms - now < TICK_MS ? (DWORD)(deadline_ms - now) : TICK_MS;
  if (services->task)
    WaitForSingleObject(rsm__task_wake_handle(services->task), left);
  else
    Sleep(left);
}

/* ---- Ending it ---- */

static void close_process(rsm__process **process) {
  *process = rsm__process_close(*process);
}

rsm_status rsm__service_kill(rsm__services *services, const rsm__service_id *id, rsm_error *reterr) {
  RSM_CLEAN(close_process) rsm__process *current = NULL;
  const rsm__service_asked *asked = rsm__service_asked_find(services, id->name);
  const char *other = NULL;
  rsm_status status = rsm__service_process(services, id->name, &current, reterr);
  if (status != RSM_OK) return status;
  const rsm__process *process = current ? current : asked ? asked->process : NULL;
  if (!process || !rsm__process_alive(process))
    return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, id->name, "it has no process any more");
  status = is_shared(services, rsm__process_id(process)->pid, id->name, true, &other, reterr);
  if (status != RSM_OK) return status;
  if (other)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, id->name, "it shares its process with %.200s, which is to go on",
                     other);
  status = rsm__process_kill(process, reterr);
  return status == RSM_NOT_FOUND ? rsm__fail(reterr, RSM_NO_SUCH_SERVICE, id->name, "it has no process any more")
                                 : status;
}
