/* start.c: restart: under the session's lock, in the reverse order of stopping, each application exactly once.
 *
 * Once: a started process writes its own launch record and holds the lock until it runs its program. Whoever comes
 * after a crash waits for the lock, then finds a whole record (it was started) or none (it was not).
 *
 * call                 | purpose                            | blocks
 * rsm__lock_acquire    | a start under way elsewhere        | at most LOCK_MS
 * rsm__journal_settle  | those asked, not known to be down  | for the rest of their grace
 * rsm__launch_start    | one program                        | until it runs; 10 s at most
 * rsm__service_start   | one service                        | until it is up; as long as its manager gives it
 * rsm__service_stop    | one that runs without its socket   | as a question; its end is waited for like any other
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/builtin.h"
#include "os/clock.h"
#include "os/launch.h"

enum { LOCK_MS = 15000, STOP_MS = 20000 };

typedef struct restart {
  rsm__operation *op;
  rsm__journal *journal;
  rsm__lock *lock;
  rsm__entry **entries; /* those that are down, in the order of starting */
  size_t count, done, failed;
  bool unregistered;
  rsm__arena arena;
} restart;

static void restart_done(restart *r) {
  r->lock = rsm__lock_release(r->lock);
  rsm__free(r->entries);
  rsm__arena_done(&r->arena);
}

static const rsm__entry *parent_of(const restart *r, const rsm__entry *entry) {
  return entry->parent ? r->journal->entries[entry->parent - 1] : NULL;
}

static bool same_program(const rsm__entry *a, const rsm__entry *b) {
  return a->app.exe && b->app.exe && strcmp(a->app.exe, b->app.exe) == 0;
}

/* What the filters say now; what an earlier primary's filters said about its own is kept. */
static void mask_again(const restart *r, rsm__entry *entry) {
  if (!entry->adopted) entry->app.status &= ~(uint32_t)(RSM_APP_SHUTDOWN_MASKED | RSM_APP_RESTART_MASKED);
  rsm__filters_mask(&r->op->session->filters, &entry->app);
}

static rsm_left_why decide(const restart *r, const rsm__entry *entry) {
  const rsm__entry *ancestor = parent_of(r, entry);
  while (ancestor && ancestor->fate != RSM__FATE_RESTARTED) ancestor = parent_of(r, ancestor);
  rsm__plan_candidate candidate = {.app = &entry->app,
                                   .registered = entry->registered,
                                   .flags = entry->flags,
                                   .obstacle = entry->obstacle,
                                   .other_user = entry->other_user,
                                   .parent_restarted = ancestor != NULL,
                                   .like_parent = ancestor && same_program(entry, ancestor),
                                   .base = entry->base_left};
  return rsm__plan_restart(&candidate, r->unregistered);
}

/* A failed attempt has ended what it started and emptied the record: if it could do neither, the program runs.
 * RSM_NOT_FOUND: it does not. */
static rsm_status find_started(const restart *r, const rsm__entry *entry, rsm_process *ret_process, rsm_error *reterr) {
  rsm__process *process;
  rsm_status status = rsm__journal_started(r->op->session->stored.dir, entry, ret_process, reterr);
  if (status == RSM_OK) status = rsm__process_open(ret_process, &process, reterr);
  if (status == RSM_OK) rsm__process_close(process);
  return status;
}

static rsm_status launch(restart *r, rsm__entry *entry, rsm__launched *ret_launched, rsm_error *reterr) {
  rsm__dir *dir = r->op->session->stored.dir;
  rsm__file *record = NULL;
  char name[32];
  rsm__journal_start_name(entry, name, sizeof name);
  rsm_status status = find_started(r, entry, &ret_launched->process, reterr);
  if (status != RSM_NOT_FOUND) return status;
  status = rsm__dir_remove(dir, name, reterr); /* an attempt that started nothing: we hold the lock */
  if (status == RSM_OK) status = rsm__file_create(dir, name, &record, reterr);
  if (status != RSM_OK) return status;
  rsm__launch_request request = {.capture = entry->capture,
                                 .capture_length = entry->capture_length,
                                 .args = entry->registered ? entry->args : NULL,
                                 .arg_count = entry->registered ? entry->arg_count : 0,
                                 .record = record,
                                 .lock = r->lock};
  status = rsm__launch_start(&request, &r->arena, ret_launched, reterr);
  rsm__file_close(record);
  return status;
}

/* Its manager knows whether it runs already: so it is started once, whatever became of an earlier attempt. */
static rsm_status start_service(restart *r, const rsm__entry *entry, rsm__launched *ret_launched, rsm_error *reterr) {
  rsm_status status = rsm__service_start(r->op->services, &entry->service, &ret_launched->process, reterr);
  if (status != RSM_CANCELLED) return status;
  ret_launched->note = "was still on its way up";
  return RSM_OK;
}

static rsm_status start_one(restart *r, rsm__entry *entry, rsm_error *reterr) {
  rsm__launched launched = {0};
  rsm_error why = {0};
  rsm__operation_emit(r->op, RSM_ACTION_START, &entry->app, NULL);
  if (rsm__task_cancelled(r->op->task)) return RSM_OK;
  entry->app.error = (rsm_error){0};
  rsm_status status =
      entry->service.name ? start_service(r, entry, &launched, &why) : launch(r, entry, &launched, &why);
  if (status == RSM_OUT_OF_MEMORY) return rsm__fail_memory(reterr);
  r->done++;
  r->op->percent = rsm__plan_percent(r->done, r->count, false);
  if (status == RSM_OK) {
    entry->app.restarted_as = launched.process;
    if (launched.note) entry->app.note = rsm__arena_strdup(&r->journal->arena, launched.note);
    status = rsm__journal_mark(r->journal, entry, RSM__FATE_RESTARTED, reterr);
    rsm__operation_emit(r->op, RSM_ACTION_RESTARTED, &entry->app, NULL);
    return status;
  }
  r->failed++;
  entry->app.error = why;
  status = rsm__journal_mark(r->journal, entry, RSM__FATE_FAILED, reterr);
  rsm__operation_emit(r->op, RSM_ACTION_FAILED, &entry->app, &why);
  return status;
}

/* What cannot be started by hand may be up again because of what was: a target that marks a point of the boot. */
static bool came_by_itself(const restart *r, const rsm__entry *entry, rsm_left_why why) {
  rsm__service_activity activity;
  if (!entry->service.name || why != RSM_LEFT_NOT_RESTORABLE) return false;
  return rsm__service_look(r->op->services, &entry->service, &activity, NULL) == RSM_OK &&
         activity == RSM__SERVICE_RUNNING;
}

static rsm_status leave_one(restart *r, rsm__entry *entry, rsm_left_why why, rsm_error *reterr) {
  r->done++;
  r->op->percent = rsm__plan_percent(r->done, r->count, false);
  if (came_by_itself(r, entry, why)) return rsm__journal_mark(r->journal, entry, RSM__FATE_RESTARTED, reterr);
  entry->app.left_why = why;
  if (why == RSM_LEFT_NOT_RESTORABLE || why == RSM_LEFT_OTHER_USER) entry->app.note = entry->obstacle;
  return rsm__journal_mark(r->journal, entry, RSM__FATE_LEFT, reterr);
}

/* followers: those with a stopped ancestor, whose own start depends on how that one's went: they come last. */
static rsm_status start_all(restart *r, bool followers, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < r->count && status == RSM_OK; i++) {
    rsm__entry *entry = r->entries[i];
    if ((entry->parent != 0) != followers) continue;
    rsm__task_checkpoint(r->op->task);
    if (rsm__task_cancelled(r->op->task)) return RSM_OK;
    rsm_left_why why = decide(r, entry);
    entry->app.left_why = RSM_LEFT_NONE;
    status = why == RSM_LEFT_NONE ? start_one(r, entry, reterr) : leave_one(r, entry, why, reterr);
  }
  return status;
}

/* Why a service is left, on which this one depends or which it would start. A socket whose service serves one
 * connection and is gone with that, or a timer, is of use all the same. */
static rsm_left_why why_base_is_left(const restart *r, const rsm__entry *entry) {
  for (size_t i = 0; i < entry->base_count; i++) {
    rsm__service_id id = entry->service;
    id.name = entry->bases[i];
    const rsm__entry *base = rsm__journal_find_service(r->journal, &id);
    rsm_left_why why = base && rsm__entry_is_down(base) ? decide(r, base) : RSM_LEFT_NONE;
    if (why == RSM_LEFT_RESTART_MASKED || (why != RSM_LEFT_NONE && !entry->place.held)) return why;
  }
  return RSM_LEFT_NONE;
}

/* Services may depend on each other in a circle, and in any order. */
static void inherit_left(const restart *r) {
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < r->count; i++) {
      rsm__entry *entry = r->entries[i];
      if (!entry->service.name || entry->base_left != RSM_LEFT_NONE) continue;
      entry->base_left = why_base_is_left(r, entry);
      changed = changed || entry->base_left != RSM_LEFT_NONE;
    }
  }
}

static int compare_entries(const void *a, const void *b) {
  const rsm__entry *x = *(rsm__entry *const *)a, *y = *(rsm__entry *const *)b;
  return rsm__plan_compare_start(&x->app, &x->place, &y->app, &y->place);
}

static rsm_status collect(restart *r, rsm_error *reterr) {
  rsm__free(r->entries);
  r->count = 0;
  r->entries = rsm__calloc(r->journal->count, sizeof(rsm__entry *));
  if (!r->entries) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < r->journal->count; i++)
    if (rsm__entry_is_down(r->journal->entries[i])) r->entries[r->count++] = r->journal->entries[i];
  qsort(r->entries, r->count, sizeof(rsm__entry *), compare_entries);
  for (size_t i = 0; i < r->count; i++) {
    mask_again(r, r->entries[i]);
    r->entries[i]->base_left = RSM_LEFT_NONE;
  }
  inherit_left(r);
  return RSM_OK;
}

/* ---- Sockets that are down while their services run ---- */

/* The service below a socket, if it runs and may be stopped and started for that one's sake. */
static rsm__entry *running_base(const restart *r, const rsm__entry *entry, size_t i) {
  rsm__service_id id = entry->service;
  id.name = entry->bases[i];
  rsm__entry *base = rsm__journal_find_service(r->journal, &id);
  if (!base || base->obstacle || base->fate == RSM__FATE_RESTARTED) return NULL;
  rsm_app app = base->app;
  rsm__filters_mask(&r->op->session->filters, &app);
  rsm__service_activity activity;
  if (app.status & RSM_APP_SHUTDOWN_MASKED) return NULL;
  if (rsm__service_look(r->op->services, &base->service, &activity, NULL) != RSM_OK) return NULL;
  return activity == RSM__SERVICE_RUNNING ? base : NULL;
}

static rsm_status stop_base(restart *r, rsm__entry *base, rsm_error *reterr) {
  rsm_error why;
  base->asked_at = rsm__clock_ms();
  base->grace_ms = STOP_MS;
  rsm_status status = rsm__journal_mark(r->journal, base, RSM__FATE_ASKED, reterr);
  if (status != RSM_OK) return status;
  status = rsm__service_stop(r->op->services, &base->service, &why);
  if (status != RSM_OK && status != RSM_NO_SUCH_SERVICE)
    return rsm__journal_mark(r->journal, base, RSM__FATE_ALIVE, reterr);
  rsm__operation_emit(r->op, RSM_ACTION_ASK, &base->app, NULL);
  return RSM_OK;
}

/* A manager starts no socket while its service runs. It does when a shutdown was cut short between the two, or when
 * somebody has started it since: then it goes down once more, and comes back after its socket. */
static rsm_status unblock(restart *r, bool *ret_asked, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  *ret_asked = false;
  for (size_t i = 0; i < r->count && status == RSM_OK; i++) {
    const rsm__entry *entry = r->entries[i];
    if (!entry->place.first_up || decide(r, entry) != RSM_LEFT_NONE) continue;
    bool tried = false;
    for (size_t k = 0; k < entry->base_count && status == RSM_OK && !rsm__task_cancelled(r->op->task); k++) {
      rsm_process none;
      rsm__entry *base = running_base(r, entry, k);
      if (!base) continue;
      /* Most will not: but one whose instances serve one connection each does. */
      if (!tried && rsm__service_start(r->op->services, &entry->service, &none, NULL) != RSM_GEN_FAILURE) break;
      tried = *ret_asked = true;
      status = stop_base(r, base, reterr);
    }
  }
  return status;
}

static rsm_status report_all(const restart *r, rsm_report *report, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < r->count && status == RSM_OK; i++) {
    const rsm__entry *entry = r->entries[i];
    rsm_outcome outcome = entry->fate == RSM__FATE_RESTARTED ? RSM_OUTCOME_RESTARTED
                          : entry->fate == RSM__FATE_FAILED  ? RSM_OUTCOME_FAILED
                                                             : RSM_OUTCOME_LEFT_STOPPED;
    status = rsm__report_add(report, outcome, &entry->app, reterr);
  }
  return status;
}

static rsm_status verdict(const restart *r, rsm_error *reterr) {
  if (r->failed) {
    for (size_t i = 0; i < r->count; i++) {
      const rsm__entry *entry = r->entries[i];
      if (entry->fate != RSM__FATE_FAILED) continue;
      char words[384];
      return rsm__fail(reterr, RSM_FAIL_RESTART, entry->app.name, "%zu of %zu could not be started: %.250s", r->failed,
                       r->count, rsm_error_format(&entry->app.error, words, sizeof words));
    }
  }
  if (r->done < r->count)
    return rsm__fail(reterr, RSM_CANCELLED, NULL, "cancelled: %zu are still stopped", r->count - r->done);
  /* Cut short while it waited for those that were told to end: what they do then is to be undone. */
  if (rsm__task_cancelled(r->op->task) && rsm__journal_owes(r->journal))
    return rsm__fail(reterr, RSM_CANCELLED, NULL, "cancelled: who was told to end may still do so");
  return RSM_OK;
}

rsm_status rsm__start_run(rsm__operation *op, rsm_error *reterr) {
  rsm__builtin *session = op->session;
  const rsm_restart_options *options = &op->request.restart;
  RSM_CLEAN(restart_done) restart r = {.op = op, .journal = &session->journal};
  r.unregistered = options->has_unregistered ? options->unregistered : session->owner.restart_unregistered;
  rsm_report *report = op->report = rsm__report_new();
  if (!report) return rsm__fail_memory(reterr);
  rsm_status status = rsm__journal_settle(r.journal, op->task, true, reterr);
  if (status == RSM_OK) status = collect(&r, reterr);
  if (status == RSM_OK && r.count) status = rsm__lock_acquire(session->stored.dir, "lock", LOCK_MS, &r.lock, reterr);
  bool asked = false;
  if (status == RSM_OK) status = unblock(&r, &asked, reterr);
  if (status == RSM_OK && asked) status = rsm__journal_settle(r.journal, op->task, true, reterr);
  if (status == RSM_OK && asked) status = collect(&r, reterr);
  if (status == RSM_OK) status = start_all(&r, false, reterr);
  if (status == RSM_OK) status = start_all(&r, true, reterr);
  rsm_status reported = report_all(&r, report, status == RSM_OK ? reterr : NULL);
  if (status == RSM_OK) status = reported;
  return status == RSM_OK ? verdict(&r, reterr) : status;
}
