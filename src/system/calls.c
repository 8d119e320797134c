/* calls.c: SPDX-License-Identifier: MIT
 *
 * call                 | purpose                         | blocks on
 * RmGetList            | who is affected                 | the number of registered files; seconds for many
 * RmShutdown           | stopping them                   | 30 s an application, 20 s a service, one after the other
 * RmRestart            | starting them                   | until they run
 * RmCancelCurrentTask  | ends the three above early      | nothing, by its documentation; an implementation that waits
 *                      |                                 | for the call under way holds up the watching thread only
 * rsm__task_yield      | shows the progress              | the owner's next step, inside the callback
 * WaitForSingleObject  | the end of the watching thread  | the end of its last RmCancelCurrentTask
 *
 * One race remains: a cancel that comes as the call returns may reach RmCancelCurrentTask when nothing is under way any
 * more. Windows does not say what that does; it is over before the next call begins. */
#include "system/calls.h"

#include <process.h>

#include "base/cleanup.h"
#include "base/error.h"

enum {
  AGAIN_MS = 100,    /* a cancel that came before the native call had begun is lost: it is repeated */
  LIST_ATTEMPTS = 8, /* applications come and go between two calls */
  LIST_SLACK = 16,
  LIST_LIMIT = 65536
};

/* ---- Cancelling -------------------------------------------------------------------------------------------------- */

typedef struct watch {
  const rsm__system_op *op;
  HANDLE over; /* the native call has returned */
  HANDLE thread;
} watch;

static unsigned __stdcall watch_main(void *argument) {
  const watch *w = argument;
  const rsm__system *session = w->op->session;
  const HANDLE either[] = {w->over, w->op->cancel};
  if (WaitForMultipleObjects(2, either, FALSE, INFINITE) == WAIT_OBJECT_0) return 0;
  do session->native->RmCancelCurrentTask(session->handle);
  while (WaitForSingleObject(w->over, AGAIN_MS) == WAIT_TIMEOUT);
  return 0;
}

static rsm_status begin_watch(const rsm__system_op *op, watch *w, rsm_error *reterr) {
  w->op = op;
  w->over = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (!w->over) return rsm__fail(reterr, RSM_BUSY, NULL, "no handle is left that could end the operation's watch");
  w->thread = (HANDLE)_beginthreadex(NULL, 0, watch_main, w, 0, NULL);
  if (w->thread) return RSM_OK;
  CloseHandle(w->over);
  return rsm__fail(reterr, RSM_BUSY, NULL, "no thread is left that could cancel the operation");
}

static void end_watch(watch *w) {
  SetEvent(w->over);
  WaitForSingleObject(w->thread, INFINITE);
  CloseHandle(w->thread);
  CloseHandle(w->over);
}

/* ---- The callback ------------------------------------------------------------------------------------------------ */

static struct {
  _Atomic(rsm__system_op *) op; /* who has the right to a call with a callback */
  _Atomic DWORD thread;         /* its task's */
} under_way;

rsm_status rsm__calls_reserve(rsm__system_op *op, rsm_error *reterr) {
  rsm__system_op *none = NULL;
  if (atomic_compare_exchange_strong(&under_way.op, &none, op)) return RSM_OK;
  return rsm__fail(
      reterr, RSM_BUSY, NULL,
      "another session of this process is shutting down or restarting: the system's Restart Manager can tell "
      "the progress of one only; wait until that operation is done, or close it");
}

void rsm__calls_release(rsm__system_op *op) {
  rsm__system_op *mine = op;
  atomic_compare_exchange_strong(&under_way.op, &mine, NULL);
}

/* Windows' header names no calling convention, which matters in 32 bits: there nobody can know how the DLL calls it. */
#ifdef _WIN64
static void show_progress(UINT percent) {
  rsm__system_op *op = atomic_load(&under_way.op);
  if (!op || percent > 100) return;
  if (percent == 100) percent = 99; /* the whole is done when the function has returned, and how */
  if (percent <= atomic_load(&op->percent)) return;
  atomic_store(&op->percent, percent);
  if (GetCurrentThreadId() != atomic_load(&under_way.thread)) return; /* the owner will see it at its next step */
  rsm__system_emit(op, RSM_ACTION_NONE, NULL, NULL);
}
static const RM_WRITE_STATUS_CALLBACK callback = show_progress;
#else
static const RM_WRITE_STATUS_CALLBACK callback = NULL;
#endif

/* ---- The calls --------------------------------------------------------------------------------------------------- */

static rsm_status check_cancelled(const rsm__system_op *op, rsm_error *reterr) {
  return rsm__task_cancelled(op->task) ? rsm__fail(reterr, RSM_CANCELLED, NULL, NULL) : RSM_OK;
}

/* The last moment before something is done to others: only while somebody steps. */
static rsm_status begin_action(const rsm__system_op *op, watch *w, rsm_error *reterr) {
  rsm__task_checkpoint(op->task);
  rsm_status status = check_cancelled(op, reterr);
  if (status == RSM_OK) status = begin_watch(op, w, reterr);
  if (status == RSM_OK) atomic_store(&under_way.thread, GetCurrentThreadId());
  return status;
}

rsm_status rsm__calls_shutdown(rsm__system_op *op, ULONG flags, DWORD *ret_code, rsm_error *reterr) {
  watch w;
  rsm_status status = begin_action(op, &w, reterr);
  if (status != RSM_OK) return status;
  *ret_code = op->session->native->RmShutdown(op->session->handle, flags, callback);
  end_watch(&w);
  return RSM_OK;
}

rsm_status rsm__calls_restart(rsm__system_op *op, DWORD *ret_code, rsm_error *reterr) {
  watch w;
  rsm_status status = begin_action(op, &w, reterr);
  if (status != RSM_OK) return status;
  *ret_code = op->session->native->RmRestart(op->session->handle, 0, callback);
  end_watch(&w);
  return RSM_OK;
}

static rsm_status grow(RM_PROCESS_INFO **apps, UINT *capacity, UINT needed, rsm_error *reterr) {
  UINT wanted = (needed > *capacity ? needed : *capacity) + LIST_SLACK;
  if (needed > LIST_LIMIT)
    return rsm__fail(reterr, RSM_GEN_FAILURE, "RmGetList", "the system's Restart Manager speaks of %u applications",
                     needed);
  RM_PROCESS_INFO *larger = rsm__realloc(*apps, wanted * sizeof *larger);
  if (!larger) return rsm__fail_memory(reterr);
  *apps = larger;
  *capacity = wanted;
  return RSM_OK;
}

/* One call. RSM_PENDING: there was not room enough, *needed tells for how many there has to be. */
static rsm_status get_list(const rsm__system_op *op, RM_PROCESS_INFO *apps, UINT capacity, UINT *needed, UINT *count,
                           DWORD *reasons, rsm_error *reterr) {
  watch w = {0};
  rsm_status status = op->settling ? RSM_OK : check_cancelled(op, reterr);
  if (status == RSM_OK && !op->settling) status = begin_watch(op, &w, reterr);
  if (status != RSM_OK) return status;
  *needed = 0;
  *count = capacity;
  *reasons = RmRebootReasonNone; /* not every implementation writes it */
  DWORD code = op->session->native->RmGetList(op->session->handle, needed, count, apps, reasons);
  if (!op->settling) end_watch(&w);
  if (code == ERROR_MORE_DATA) return RSM_PENDING;
  if (code != ERROR_SUCCESS) return rsm__native_fail(reterr, code, "RmGetList", NULL);
  if (*count <= capacity) return RSM_OK;
  return rsm__fail(reterr, RSM_GEN_FAILURE, "RmGetList",
                   "the system's Restart Manager says that it has written %u applications where there was room for %u",
                   *count, capacity);
}

rsm_status rsm__calls_list(rsm__system_op *op, RM_PROCESS_INFO **ret_apps, size_t *ret_count, DWORD *ret_reasons,
                           rsm_error *reterr) {
  RSM_CLEAN_FREE RM_PROCESS_INFO *apps = NULL;
  UINT capacity = 0, needed = 0, count = 0;
  DWORD reasons = 0;
  rsm_status status = RSM_PENDING;
  for (int attempt = 0; attempt < LIST_ATTEMPTS && status == RSM_PENDING; attempt++) {
    status = grow(&apps, &capacity, needed, reterr);
    if (status == RSM_OK) status = get_list(op, apps, capacity, &needed, &count, &reasons, reterr);
  }
  if (status == RSM_PENDING)
    return rsm__fail(reterr, RSM_MORE_DATA, "RmGetList",
                     "the list grew at each of %d attempts, at last beyond %u applications: try again", LIST_ATTEMPTS,
                     capacity);
  if (status != RSM_OK) return status;
  *ret_apps = apps;
  apps = NULL;
  *ret_count = count;
  *ret_reasons = reasons;
  return RSM_OK;
}
