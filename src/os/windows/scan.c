/* scan.c: has every process looked at once, in threads that can be given up. SPDX-License-Identifier: MIT
 *
 * call                       | purpose                         | blocks on
 * SleepConditionVariableSRW  | the listing waits for threads   | PATIENCE_MS without progress: then another one helps
 * rsm__bounded_wait          | the ones that are still asking  | the lookup's limit, all of them together
 * (uses.c and uses_mappings.c have tables of their own)
 *
 * The work is cut into steps: each process' program and mappings, then each of their handles. A thread takes one step
 * after the other, and hands over what it found. When it hangs, which is what asking for the name of a pipe does while
 * somebody reads from it, the listing starts another one that goes on behind it. So a hang costs PATIENCE_MS and a
 * thread. At the end those that hang have the lookup's limit to come back; who does not is given up and tells nothing
 * any more: its process is told as not wholly looked at, and as long as the thread hangs, later listings of the same
 * session pass that handle over. Whatever it touches when it comes back after all is its own, or does not change any
 * more, or has a lock (scan.h). One that starts while we look may be missed. */
#include "os/windows/scan.h"

#include <string.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/windows/os_error.h"
#include "os/windows/rights.h"

enum { PATIENCE_MS = 150, MOST_THREADS = 48, PARALLEL = 4, WORTH_PARALLEL = 4 };

/* ---- A thread's part ---- */

/* A thread and all that it writes, which is its own for good once it was given up. */
typedef struct worker {
  rsm__scan *scan; /* a reference */
  rsm__bounded *job;
  size_t process; /* its step */
  size_t step;
  size_t order;
  rsm__listed_handle handle; /* a copy */
  rsm__looked looked;        /* the process that is open */
  size_t looked_at;          /* its number + 1; 0: none */
  rsm__uses uses;
} worker;

void rsm__scan_unref(rsm__scan *scan) {
  if (atomic_fetch_sub(&scan->references, 1) != 1) return;
  rsm__targets_done(&scan->targets);
  rsm__process_list_done(&scan->processes);
  rsm__handle_list_done(&scan->handles);
  rsm__views_done(&scan->views);
  rsm__free(scan->marks);
  rsm__free(scan->uses);
  rsm__arena_done(&scan->arena);
  rsm__free(scan);
}

static void free_worker(void *argument) {
  worker *w = argument;
  rsm__looked_close(&w->looked);
  rsm__uses_done(&w->uses);
  rsm__scan_unref(w->scan);
  rsm__free(w);
}

static worker *new_worker(rsm__scan *scan) {
  worker *w = rsm__calloc(1, sizeof *w);
  if (!w) return NULL;
  atomic_fetch_add(&scan->references, 1);
  w->scan = scan;
  w->uses = (rsm__uses){.targets = &scan->targets, .known = {.targets = &scan->targets}, .views = &scan->views};
  rsm__view_places_get(&w->uses.places);
  return w;
}

/* Lock held. Is the step one that a thread of an earlier listing still hangs at? Then it is counted as silent. */
static bool is_stalled(rsm__scan *scan, const rsm__listed_process *process, size_t step) {
  uint64_t handle = step > 0 ? scan->handles.items[process->first_handle + step - 1].value : 0;
  if (!rsm__lookup_is_stalled(scan->targets.lookup, &process->id, handle)) return false;
  rsm__scan_mark *mark = &scan->marks[scan->process];
  if (step > 0)
    mark->silent++;
  else
    mark->silent_memory = true;
  return true;
}

/* Lock held. The same, of this half of the steps. */
static bool find_in_half(rsm__scan *scan) {
  for (; scan->process < scan->processes.count; scan->process++, scan->step = scan->at_handles) {
    const rsm__listed_process *process = &scan->processes.items[scan->process];
    if (process->kernel || scan->marks[scan->process].skipped) continue;
    size_t last = scan->at_handles ? process->handle_count : 0;
    for (; scan->step <= last; scan->step++)
      if (!is_stalled(scan, process, scan->step)) return true;
  }
  return false;
}

/* Lock held. Leaves the next step that is to be done in process and step. False: there is none. */
static bool find_step(rsm__scan *scan) {
  if (find_in_half(scan)) return true;
  if (scan->at_handles) return false;
  scan->at_handles = true;
  scan->process = 0;
  scan->step = 1;
  return find_in_half(scan);
}

/* False: none is left, or nobody waits. */
static bool take_step(worker *w) {
  rsm__scan *scan = w->scan;
  AcquireSRWLockExclusive(&scan->lock);
  bool found = !scan->enough && find_step(scan);
  if (found) {
    w->process = scan->process;
    w->step = scan->step++;
    w->order = scan->taken++;
    if (w->step > 0) w->handle = scan->handles.items[scan->processes.items[w->process].first_handle + w->step - 1];
  } else {
    scan->enough = true;
    WakeConditionVariable(&scan->changed);
  }
  ReleaseSRWLockExclusive(&scan->lock);
  return found;
}

/* Lock held. */
static bool keep_uses(rsm__scan *scan, const worker *w) {
  for (size_t i = 0; i < w->uses.count; i++) {
    rsm__scan_use kept = {.process = w->process, .order = w->order, .found = w->uses.items[i]};
    kept.found.use.path = rsm__arena_strdup(&scan->arena, kept.found.use.path);
    if (!kept.found.use.path || rsm__grow(&scan->uses, &scan->use_capacity, scan->use_count + 1, sizeof kept) < 0)
      return false;
    scan->uses[scan->use_count++] = kept;
  }
  return true;
}

/* Within rsm__bounded_enter. */
static void hand_over(worker *w, rsm_status status, const rsm_error *error) {
  rsm__scan *scan = w->scan;
  AcquireSRWLockExclusive(&scan->lock);
  rsm__scan_mark *mark = &scan->marks[w->process];
  if (w->uses.program_refused) mark->program = w->uses.program_refused;
  if (w->uses.mappings_refused) mark->mappings = w->uses.mappings_refused;
  if (w->uses.handles_refused) mark->handles = w->uses.handles_refused;
  if (w->looked.ended) mark->skipped = true; /* nothing to tell */
  rsm_error failed = *error;
  if (status == RSM_OK && !keep_uses(scan, w)) status = rsm__fail_memory(&failed);
  if (status != RSM_OK && scan->status == RSM_OK) {
    scan->status = status;
    scan->error = failed;
    scan->enough = true;
    WakeConditionVariable(&scan->changed);
  }
  ReleaseSRWLockExclusive(&scan->lock);
}

/* Who reads the memory or the handles of what keeps passwords looks like a thief to all that guards the machine, and
 * such a guard stops him. */
static bool keeps_secrets(const rsm__listed_process *process) {
  return _stricmp(process->name, "lsass.exe") == 0 || _stricmp(process->name, "lsaiso.exe") == 0;
}

static rsm_status look_at_secret(worker *w, rsm_error *error) {
  const rsm__looked *looked = &w->looked;
  AcquireSRWLockExclusive(&w->scan->lock);
  w->scan->marks[w->process].secret = true;
  ReleaseSRWLockExclusive(&w->scan->lock);
  return looked->handle ? rsm__uses_program(&w->uses, looked, error) : RSM_OK;
}

/* The process itself: what may not be asked of it is told once. */
static rsm_status look_at_process(worker *w, rsm_error *error) {
  const rsm__looked *looked = &w->looked;
  if (keeps_secrets(&w->scan->processes.items[w->process])) return look_at_secret(w, error);
  uint32_t code = looked->code ? looked->code : ERROR_ACCESS_DENIED;
  if (!looked->may_duplicate) w->uses.handles_refused = code;
  if (!looked->may_read) w->uses.mappings_refused = code;
  if (!looked->handle) {
    w->uses.program_refused = code;
    return RSM_OK;
  }
  rsm_status status = rsm__uses_program(&w->uses, looked, error);
  if (status == RSM_OK && looked->may_read) status = rsm__uses_mappings(&w->uses, looked, error);
  return status;
}

/* False: the thread ends here. */
static bool do_step(worker *w) {
  rsm_status status = RSM_OK;
  rsm_error error = {0};
  rsm__uses_begin(&w->uses);
  if (w->looked_at != w->process + 1) {
    const rsm__listed_process *process = &w->scan->processes.items[w->process];
    rsm__looked_close(&w->looked);
    rsm__looked_open(&w->looked, &process->id, keeps_secrets(process));
    w->looked_at = w->process + 1;
  }
  if (!w->looked.ended && w->step == 0)
    status = look_at_process(w, &error);
  else if (!w->looked.ended && w->looked.may_duplicate)
    status = rsm__uses_handle(&w->uses, &w->looked, &w->handle, &error);
  if (w->uses.program_refused || w->uses.mappings_refused || w->uses.handles_refused) rsm__looked_again(&w->looked);
  if (!rsm__bounded_enter(w->job)) return false;
  hand_over(w, status, &error);
  rsm__bounded_leave(w->job);
  return status == RSM_OK;
}

static void work(rsm__bounded *job, void *argument) {
  worker *w = argument;
  w->job = w->uses.job = job;
  rsm__rights_to_look(); /* of this thread, and gone with it */
  while (take_step(w) && do_step(w)) continue;
}

/* ---- The listing's part ---- */

typedef struct crew {
  rsm__scan *scan;
  rsm__task *task;
  rsm__bounded *jobs[MOST_THREADS];
  worker *workers[MOST_THREADS];
  size_t count;
} crew;

static rsm_status add_worker(crew *c, rsm_error *reterr) {
  worker *w = new_worker(c->scan);
  if (!w) return rsm__fail_memory(reterr);
  rsm_status status = rsm__bounded_begin(work, free_worker, w, &c->jobs[c->count], reterr);
  if (status != RSM_OK) {
    free_worker(w);
    return status;
  }
  c->workers[c->count++] = w;
  return RSM_OK;
}

/* Until all steps were taken. RSM_TIMEOUT: nobody takes any more, and nobody else is to be sent. */
static rsm_status watch(crew *c, rsm_error *reterr) {
  rsm__scan *scan = c->scan;
  rsm_status status = RSM_OK;
  uint32_t idle = 0;
  AcquireSRWLockExclusive(&scan->lock);
  while (!scan->enough && status == RSM_OK) {
    size_t before = scan->taken;
    SleepConditionVariableSRW(&scan->changed, &scan->lock, PATIENCE_MS, 0);
    if (c->task && rsm__task_cancelled(c->task)) status = rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
    if (scan->enough || status != RSM_OK || scan->taken != before) {
      idle = 0;
      continue;
    }
    idle += PATIENCE_MS;
    ReleaseSRWLockExclusive(&scan->lock);
    if (c->count < MOST_THREADS)
      status = add_worker(c, reterr);
    else if (idle >= rsm__lookup_limit(scan->targets.lookup))
      status = RSM_TIMEOUT;
    AcquireSRWLockExclusive(&scan->lock);
  }
  scan->enough = true;
  ReleaseSRWLockExclusive(&scan->lock);
  return status;
}

/* What a thread does, or did last. handle 0: its process' program and mappings. */
typedef struct last_step {
  size_t process;
  uint64_t handle;
} last_step;

/* Nobody takes another step any more. */
static last_step last_step_of(rsm__scan *scan, const worker *w) {
  AcquireSRWLockExclusive(&scan->lock);
  last_step last = {.process = w->process, .handle = w->step > 0 ? w->handle.value : 0};
  ReleaseSRWLockExclusive(&scan->lock);
  return last;
}

/* The thread hangs: what it was asking is told, and is not asked again while it does. */
static rsm_status give_up(crew *c, const last_step *last, rsm__bounded *stuck, rsm_error *reterr) {
  rsm__scan *scan = c->scan;
  const rsm_process *process = &scan->processes.items[last->process].id;
  rsm__scan_mark *mark = &scan->marks[last->process];
  AcquireSRWLockExclusive(&scan->lock);
  if (last->handle)
    mark->silent++;
  else
    mark->silent_memory = true;
  ReleaseSRWLockExclusive(&scan->lock);
  return rsm__lookup_remember(scan->targets.lookup, process, last->handle, stuck, reterr);
}

/* All end here, or are given up: the limit is for all of them together. */
static rsm_status collect(crew *c, rsm_status status, rsm_error *reterr) {
  uint64_t deadline = rsm__clock_ms() + rsm__lookup_limit(c->scan->targets.lookup);
  for (size_t i = 0; i < c->count; i++) {
    rsm__bounded *stuck = NULL;
    uint64_t now = rsm__clock_ms();
    uint32_t left = now < deadline && status != RSM_CANCELLED ? (uint32_t)(deadline - now) : 1;
    last_step last = last_step_of(c->scan, c->workers[i]); /* now: given up, it may free itself */
    rsm_status ended = rsm__bounded_wait(c->jobs[i], left, c->task, &stuck, NULL);
    if (ended == RSM_OK)
      free_worker(c->workers[i]);
    else if (ended == RSM_CANCELLED && status == RSM_OK)
      status = rsm__fail(reterr, RSM_CANCELLED, NULL, NULL);
    if (!stuck) continue;
    rsm_error error;
    rsm_status given_up = give_up(c, &last, stuck, &error);
    if (given_up == RSM_OK || status != RSM_OK) continue;
    status = given_up;
    if (reterr) *reterr = error;
  }
  return status;
}

/* Counts what nobody got to. */
static void pass_over(rsm__scan *scan) {
  AcquireSRWLockExclusive(&scan->lock);
  while (find_step(scan)) {
    scan->marks[scan->process].passed_over++;
    scan->step++;
  }
  ReleaseSRWLockExclusive(&scan->lock);
}

static rsm_status add_crew(crew *c, rsm_error *reterr) {
  rsm_status status = add_worker(c, reterr);
  if (status != RSM_OK || c->scan->processes.count < WORTH_PARALLEL) return status;
  while (c->count < PARALLEL && add_worker(c, NULL) == RSM_OK) continue; /* one will do */
  return RSM_OK;
}

rsm_status rsm__scan_run(rsm__scan *scan, rsm__task *task, rsm_error *reterr) {
  crew c = {.scan = scan, .task = task};
  rsm_status status = add_crew(&c, reterr);
  if (status == RSM_OK) status = watch(&c, reterr);
  AcquireSRWLockExclusive(&scan->lock);
  scan->enough = true;
  ReleaseSRWLockExclusive(&scan->lock);
  bool gave_up = status == RSM_TIMEOUT;
  status = collect(&c, gave_up ? RSM_OK : status, reterr);
  if (status == RSM_OK && scan->status != RSM_OK) {
    if (reterr) *reterr = scan->error;
    status = scan->status;
  }
  if (status == RSM_OK && gave_up) pass_over(scan);
  AcquireSRWLockExclusive(&scan->lock);
  rsm__handle_list_done(&scan->handles);
  ReleaseSRWLockExclusive(&scan->lock);
  return status;
}
