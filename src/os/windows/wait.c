/* wait.c: waiting on process handles.
 *
 * call                      | purpose                             | blocks on, and the bound
 * WaitForMultipleObjects    | 31 processes, their answers and the | until there is news, the task is cancelled or the
 *                           | task's wake event                   | deadline: in one call
 * RegisterWaitForSingle...  | more: the system's pool waits for   | not at all
 *                           | each and sets one event             |
 * UnregisterWaitEx          | takes that back                     | a callback under way: one SetEvent
 * WaitForSingleObject, slow | only the wake event, when the pool  | TICK_MS at a time; the processes are then asked
 *                           | takes no more                       | one by one
 * SPDX-License-Identifier: MIT */
#include "os/wait.h"

#include "os/clock.h"
#include "os/windows/handle.h"
#include "os/windows/process_handle.h"
#include "os/windows/task_wake.h"

enum { TICK_MS = 20, MOST_AT_ONCE = MAXIMUM_WAIT_OBJECTS - 1 };

typedef struct wait_set {
  rsm__process *const *processes;
  size_t count;
  rsm__task *task;
  bool *ended;
} wait_set;

static size_t count_ended(const wait_set *set) {
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++) {
    bool ended = set->processes[i] && !rsm__process_alive(set->processes[i]);
    if (set->ended) set->ended[i] = ended;
    count += ended;
  }
  return count;
}

static DWORD until_deadline(uint64_t deadline_ms) {
  uint64_t now = rsm__clock_ms();
  if (now >= deadline_ms) return 0;
  return deadline_ms - now >= INFINITE ? INFINITE - 1 : (DWORD)(deadline_ms - now);
}

/* What is waited for: the handles themselves, or one event that stands for all of them. */
typedef struct wait_handles {
  HANDLE all[MAXIMUM_WAIT_OBJECTS];
  DWORD used;
  HANDLE any;     /* NULL: all stand in `all` themselves */
  HANDLE *pooled; /* the pool's waits */
  size_t pooled_count;
  bool partial; /* not everybody is waited for: ask them in turn */
} wait_handles;

static void CALLBACK tell(void *event, BOOLEAN timed_out) {
  (void)timed_out;
  SetEvent(event);
}

static void clean_handles(wait_handles *handles) {
  for (size_t i = 0; i < handles->pooled_count; i++) UnregisterWaitEx(handles->pooled[i], INVALID_HANDLE_VALUE);
  rsm__free(handles->pooled);
  rsm__handle_close(&handles->any);
}

static void add(wait_handles *handles, HANDLE handle) {
  if (!handle) return;
  if (!handles->any)
    handles->all[handles->used++] = handle;
  else if (RegisterWaitForSingleObject(&handles->pooled[handles->pooled_count], handle, tell, handles->any, INFINITE,
                                       WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD))
    handles->pooled_count++;
  else
    handles->partial = true;
}

static void use_pool(wait_handles *handles, size_t count) {
  handles->pooled = rsm__calloc(count, sizeof *handles->pooled);
  if (handles->pooled) handles->any = CreateEventW(NULL, TRUE, FALSE, NULL);
  if (handles->any)
    handles->all[handles->used++] = handles->any;
  else
    handles->partial = true;
}

/* Whom we have no handle on cannot be waited for. */
static void fill(const wait_set *set, wait_handles *handles) {
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++) count += set->processes[i] ? 2 : 0;
  if (set->task) handles->all[handles->used++] = rsm__task_wake_handle(set->task);
  if (count > MOST_AT_ONCE) use_pool(handles, count);
  for (size_t i = 0; i < set->count && !(count > MOST_AT_ONCE && !handles->any); i++) {
    if (!set->processes[i]) continue;
    add(handles, rsm__process_handle(set->processes[i]));
    add(handles, rsm__process_answer_handle(set->processes[i]));
    if (!rsm__process_handle(set->processes[i])) handles->partial = true;
  }
}

size_t rsm__wait_any(rsm__process *const *processes, size_t count, uint64_t deadline_ms, rsm__task *task, bool *ended) {
  wait_set set = {processes, count, task, ended};
  RSM_CLEAN(clean_handles) wait_handles handles = {0};
  size_t found = count_ended(&set);
  if (found == 0 && until_deadline(deadline_ms) > 0) fill(&set, &handles);
  for (bool woken = false;;) {
    DWORD left = until_deadline(deadline_ms), code = WAIT_TIMEOUT;
    if (found || woken || left == 0 || (task && rsm__task_cancelled(task))) return found;
    if (handles.partial && left > TICK_MS) left = TICK_MS;
    if (handles.used > 0)
      code = WaitForMultipleObjects(handles.used, handles.all, FALSE, left);
    else
      Sleep(left);
    if (code == WAIT_FAILED) Sleep(left < TICK_MS ? left : TICK_MS);
    woken = code != WAIT_TIMEOUT && code != WAIT_FAILED; /* by an end, an answer or the task */
    found = count_ended(&set);
  }
}
