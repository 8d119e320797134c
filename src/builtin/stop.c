/* stop.c: shutdown: list, plan, journal, then rank by rank: ask all, wait, kill what is deaf if so ordered, look again.
 * Where programs may refuse, a rank is asked as a whole before anybody ends: one that refuses spares all, unless force
 * was ordered.
 *
 * call                | purpose                          | blocks
 * rsm__affected_find  | before and after                 | as long as a listing takes
 * rsm__members_wait   | a rank's grace; after a kill     | until one ends, the deadline, or cancel
 * rsm__member_...     | one question, to a manager       | its limit: a few seconds
 * rsm__operation_emit | an event                         | until the owner steps again
 *
 * A process may end at any time: its handle tells, and ending is success. What remains: a process that starts to use
 * the files after the last look is not seen. SPDX-License-Identifier: MIT */
#include "builtin/stop.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/wait.h"

/* After the last one has ended its children may need a moment to follow: looks again that often, that far apart. */
enum { LOOKS = 5, LOOK_APART_MS = 60 };
/* What cannot be asked may end because the others of its rank do: it is given that long after the last one. */
enum { FOLLOW_MS = 500 };

static void update_percent(rsm__round *round) {
  round->op->percent = rsm__plan_percent(round->settled, round->count, false);
}

static void settle(rsm__round *round, rsm__member *member) {
  member->settled = true;
  round->settled++;
  round->settled_at = rsm__clock_ms();
  rsm__member_release(round, member);
  update_percent(round);
}

static rsm_status mark_ended(rsm__round *round, rsm__member *member, rsm_error *reterr) {
  /* Once we have begun, an application may end because another one did: it is ours to bring back. */
  rsm__fate fate = round->somebody_asked ? RSM__FATE_STOPPED : RSM__FATE_GONE;
  settle(round, member);
  rsm_status status = rsm__journal_mark(&round->op->session->journal, member->entry, fate, reterr);
  if (fate == RSM__FATE_STOPPED) rsm__operation_emit(round->op, RSM_ACTION_STOPPED, &member->entry->app, NULL);
  return status;
}

/* What is going down all the same stays "asked": a restart is owed, and looks again. */
static rsm_status mark_alive(rsm__round *round, rsm__member *member, const rsm_error *why, rsm_error *reterr) {
  rsm__fate fate = rsm__member_goes_down(round, member) ? RSM__FATE_ASKED : RSM__FATE_ALIVE;
  settle(round, member);
  member->entry->app.error = *why;
  member->entry->app.status |= RSM_APP_ERROR_ON_STOP;
  rsm_status status = rsm__journal_mark(&round->op->session->journal, member->entry, fate, reterr);
  rsm__operation_emit(round->op, RSM_ACTION_FAILED, &member->entry->app, why);
  return status;
}

static rsm_status ask(rsm__round *round, rsm__member *member, uint32_t grace_ms, rsm_error *reterr) {
  rsm_error why = {0};
  rsm__entry *entry = member->entry;
  rsm_status status = rsm__member_reach(round, member, true, &why);
  if (status == RSM_OK) {
    entry->asked_at = member->asked_at = rsm__clock_ms();
    entry->grace_ms = grace_ms;
    /* First the record, then the signal: who adopts us must know whom to wait for. */
    status = rsm__journal_mark(&round->op->session->journal, entry, RSM__FATE_ASKED, reterr);
    if (status != RSM_OK) {
      entry->fate = RSM__FATE_PLANNED; /* no record, no signal */
      return status;
    }
    round->somebody_asked = true;
    member->asked = true;
    status = rsm__member_ask(round, member, &why);
  }
  if (status == RSM_NOT_FOUND) return mark_ended(round, member, reterr);
  member->mute = status == RSM_NOT_SUPPORTED && member->handle;
  member->why = why;
  if (member->mute) return RSM_OK; /* it is waited for all the same */
  if (status != RSM_OK) return mark_alive(round, member, &why, reterr);
  rsm__operation_emit(round->op, RSM_ACTION_ASK, &entry->app, NULL);
  return RSM_OK;
}

static rsm_status force(rsm__round *round, rsm__member *member, rsm_error *reterr) {
  rsm_error why = {0};
  rsm_status status = rsm__member_reach(round, member, true, &why);
  if (status == RSM_OK) status = rsm__member_kill(round, member, &why);
  if (status == RSM_NOT_FOUND) return mark_ended(round, member, reterr);
  if (status != RSM_OK) return mark_alive(round, member, &why, reterr);
  member->killed = true;
  member->killed_at = rsm__clock_ms();
  rsm__operation_emit(round->op, RSM_ACTION_KILL, &member->entry->app, NULL);
  return RSM_OK;
}

static rsm_status give_up(rsm__round *round, rsm__member *member, rsm_error *reterr) {
  rsm_error why;
  if (rsm__member_reach(round, member, true, &why) == RSM_NOT_FOUND) return mark_ended(round, member, reterr);
  if (member->mute || member->refused)
    why = member->why;
  else
    rsm__member_blame(round, member, &why);
  return mark_alive(round, member, &why, reterr);
}

static rsm__rung rung_of(const rsm__round *round, const rsm__member *member, uint32_t grace_ms, uint32_t *ret_wait) {
  uint64_t now = rsm__clock_ms();
  rsm__ladder at = {.ended = member->settled,
                    .asked = member->asked,
                    .killed = member->killed,
                    .since_asked = now - member->asked_at,
                    .since_killed = now - member->killed_at};
  return rsm__plan_rung(&at, grace_ms, round->op->request.shutdown.force, ret_wait);
}

static bool cancelled(const rsm__round *round) {
  return rsm__task_cancelled(round->op->task);
}

/* ---- What is answered ---- */

/* Takes in what has been answered since it was asked last. */
static void hear(rsm__round *round, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    rsm__member *member = &round->members[i];
    rsm_error why;
    if (!member->asked || member->settled || member->killed || member->mute) continue;
    rsm_status answer = rsm__member_answer(member, &why);
    member->pending = answer == RSM_PENDING;
    if (answer == RSM_PENDING || answer == RSM_OK) continue;
    member->mute = answer == RSM_NOT_SUPPORTED;
    member->refused = !member->mute;
    member->why = why;
  }
}

/* Somebody will not end, and nobody is to be forced: those that were asked with it are told that it is off. */
static rsm_status call_off(rsm__round *round, size_t from, size_t to, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  round->called_off = true;
  for (size_t i = from; i < to && status == RSM_OK; i++) {
    rsm__member *member = &round->members[i];
    rsm_error why;
    if (member->settled || member->told) continue;
    (void)rsm__member_withdraw(member);
    rsm__fail(&why, RSM_FAIL_SHUTDOWN, NULL, "it was let go on: another application will not end");
    status = mark_alive(round, member, member->refused || member->mute ? &member->why : &why, reterr);
  }
  return status;
}

static bool is_to_be_told(const rsm__member *member, bool force, bool pending) {
  if (!member->asked || member->settled || member->told || member->mute) return false;
  return !(force ? member->pending : pending);
}

/* The second step of asking, once everybody has agreed; with force as soon as each has answered. */
static rsm_status consult(rsm__round *round, size_t from, size_t to, rsm_error *reterr) {
  bool force = round->op->request.shutdown.force, pending = false;
  hear(round, from, to);
  for (size_t i = from; i < to; i++) {
    const rsm__member *member = &round->members[i];
    if (member->settled || member->told) continue;
    if (member->refused && !force) {
      rsm__task_checkpoint(round->op->task);
      return call_off(round, from, to, reterr);
    }
    pending = pending || member->pending;
  }
  for (size_t i = from; i < to; i++) {
    rsm__member *member = &round->members[i];
    if (!is_to_be_told(member, force, pending)) continue;
    rsm__task_checkpoint(round->op->task);
    if (cancelled(round)) return RSM_OK;
    rsm__member_proceed(member);
    member->told = true;
  }
  return RSM_OK;
}

/* One that cannot be asked: it waits as long as others of its rank may take it with them. */
static rsm__rung rung_of_mute(const rsm__round *round, size_t from, size_t to, uint32_t *wait) {
  for (size_t i = from; i < to; i++)
    if (!round->members[i].settled && !round->members[i].mute) return RSM__RUNG_WAIT;
  uint64_t since = rsm__clock_ms() - round->settled_at;
  if (round->settled_at && since < FOLLOW_MS) {
    if (*wait > FOLLOW_MS - since) *wait = (uint32_t)(FOLLOW_MS - since);
    return RSM__RUNG_WAIT;
  }
  return round->op->request.shutdown.force ? RSM__RUNG_KILL : RSM__RUNG_GIVE_UP;
}

/* ---- A rank ---- */

/* Acts on whoever's time has come. *ret_wait: ms until the next has; UINT32_MAX: nobody is left to wait for. */
static rsm_status act(rsm__round *round, size_t from, size_t to, uint32_t grace_ms, uint32_t *ret_wait,
                      rsm_error *reterr) {
  rsm_status status = RSM_OK;
  *ret_wait = UINT32_MAX;
  for (size_t i = from; i < to && status == RSM_OK; i++) {
    uint32_t wait;
    rsm__member *member = &round->members[i];
    rsm__rung rung = rung_of(round, member, grace_ms, &wait);
    if (rung == RSM__RUNG_WAIT && member->mute && !member->killed) rung = rung_of_mute(round, from, to, &wait);
    if (rung == RSM__RUNG_DONE) continue;
    if (rung == RSM__RUNG_WAIT) {
      if (wait < *ret_wait) *ret_wait = wait;
      continue;
    }
    rsm__task_checkpoint(round->op->task);
    if (cancelled(round)) return RSM_OK;
    if (rung == RSM__RUNG_ASK)
      status = ask(round, member, grace_ms, reterr);
    else if (rung == RSM__RUNG_KILL)
      status = force(round, member, reterr);
    else
      status = give_up(round, member, reterr);
    *ret_wait = 0; /* look again before waiting */
  }
  return status;
}

static rsm_status note_ended(rsm__round *round, size_t from, size_t to, bool steal, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = from; i < to && status == RSM_OK; i++) {
    rsm__member *member = &round->members[i];
    if (!member->settled && rsm__member_reach(round, member, steal, NULL) == RSM_NOT_FOUND)
      status = mark_ended(round, member, reterr);
  }
  return status;
}

/* Waits for the living of the rank and notes who has ended. */
static rsm_status wait_for(rsm__round *round, size_t from, size_t to, uint32_t wait_ms, rsm_error *reterr) {
  size_t settled = round->settled;
  rsm_status status = note_ended(round, from, to, false, reterr);
  if (status != RSM_OK || cancelled(round) || round->settled > settled) return status; /* news already */
  status = rsm__members_wait(round, from, to, wait_ms, reterr);
  return status == RSM_OK ? note_ended(round, from, to, false, reterr) : status;
}

static void announce_wait(rsm__round *round, size_t from, size_t to) {
  for (size_t i = from; i < to && !cancelled(round); i++)
    if (!round->members[i].settled)
      rsm__operation_emit(round->op, RSM_ACTION_WAIT, &round->members[i].entry->app, NULL);
}

static rsm_status run_rank(rsm__round *round, size_t from, size_t to, rsm_error *reterr) {
  bool services = rsm__plan_rank(&round->members[from].entry->app) == 1;
  const rsm_shutdown_options *options = &round->op->request.shutdown;
  uint32_t grace_ms = services ? options->service_timeout_ms : options->timeout_ms;
  bool announced = false;
  for (;;) {
    uint32_t wait;
    rsm_status status = act(round, from, to, grace_ms, &wait, reterr);
    if (status == RSM_OK && !cancelled(round)) status = consult(round, from, to, reterr);
    if (status != RSM_OK || cancelled(round) || round->called_off || wait == UINT32_MAX) return status;
    if (wait == 0) continue;
    if (!announced) announce_wait(round, from, to);
    announced = true;
    status = wait_for(round, from, to, wait, reterr);
    if (status != RSM_OK || cancelled(round)) return status;
  }
}

/* Who was asked whether it will end, and was not told to, lives on: whoever restarts need not wait for it. */
static rsm_status take_back(rsm__round *round, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < round->count && status == RSM_OK; i++) {
    rsm__member *member = &round->members[i];
    if (!member->asked || member->settled || member->told || !rsm__member_withdraw(member)) continue;
    status = rsm__journal_mark(&round->op->session->journal, member->entry, RSM__FATE_PLANNED, reterr);
  }
  return status;
}

static rsm_status run_ranks(rsm__round *round, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t from = 0, to; from < round->count && status == RSM_OK && !cancelled(round) && !round->called_off;
       from = to) {
    unsigned rank = rsm__plan_rank(&round->members[from].entry->app);
    for (to = from; to < round->count && rsm__plan_rank(&round->members[to].entry->app) == rank;) to++;
    status = run_rank(round, from, to, reterr);
  }
  /* Cancelled: who has ended by now is told, the others stay as they are. */
  if (status == RSM_OK) status = note_ended(round, 0, round->count, true, reterr);
  return status == RSM_OK && cancelled(round) ? take_back(round, reterr) : status;
}

/* Was it dealt with already? A service that was stopped and runs again was started by somebody else: it is new. */
static bool is_member(const rsm__round *round, const rsm_app *app, const rsm__live *live) {
  for (size_t i = 0; i < round->count; i++) {
    const rsm__entry *entry = round->members[i].entry;
    if (!live->service && rsm_process_equal(&entry->app.process, &app->process)) return true;
    if (live->service && rsm__service_id_equal(&entry->service, rsm__service_group_id(live->service)))
      return entry->fate == RSM__FATE_ASKED || entry->fate == RSM__FATE_ALIVE;
  }
  return false;
}

/* Who uses the files now and was not there before? Those that only follow their parents get a moment to end. */
static rsm_status find_new(rsm__round *round, rsm_report *report, rsm_error *reterr) {
  for (int look = 1;; look++) {
    RSM_CLEAN(rsm__affected_done) rsm__affected after = {0};
    rsm_status status =
        rsm__affected_find(round->op->session, round->op->services, round->op->task, false, &after, reterr);
    if (status != RSM_OK) return status;
    bool found = false;
    for (size_t i = 0; i < after.live_count; i++) {
      const rsm_app *app = &after.list->apps[i];
      if (!rsm__plan_in_the_way(app) || is_member(round, app, &after.live[i])) continue;
      found = true;
      if (look == LOOKS) status = rsm__report_add(report, RSM_OUTCOME_NEW, app, reterr);
      if (status != RSM_OK) return status;
    }
    if (!found || look == LOOKS) return RSM_OK;
    rsm__wait_any(NULL, 0, rsm__clock_ms() + LOOK_APART_MS, round->op->task, NULL);
  }
}

static rsm_outcome outcome_of(const rsm__entry *entry) {
  switch (entry->fate) {
  case RSM__FATE_STOPPED:
    return RSM_OUTCOME_STOPPED;
  case RSM__FATE_GONE:
    return RSM_OUTCOME_GONE;
  default:
    return RSM_OUTCOME_ALIVE;
  }
}

static rsm_status report_members(const rsm__round *round, rsm_report *report, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < round->count && status == RSM_OK; i++) {
    const rsm__entry *entry = round->members[i].entry;
    status = rsm__report_add(report, outcome_of(entry), &entry->app, reterr);
  }
  return status;
}

static rsm_status report_kept(rsm__round *round, rsm_report *report, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < round->before.live_count && status == RSM_OK; i++) {
    const rsm_app *app = &round->before.list->apps[i];
    if (!app->affected || !(app->status & RSM_APP_SHUTDOWN_MASKED)) continue;
    status = rsm__report_add(report, RSM_OUTCOME_KEPT, app, reterr);
    rsm__operation_emit(round->op, RSM_ACTION_KEPT, app, NULL);
  }
  return status;
}

/* The report of a shutdown that touched nobody: who is alive and, with a confirmed list, who is new. */
static void report_untouched(const rsm__round *round, rsm_status why, rsm_report *report) {
  for (size_t i = 0; i < round->before.live_count; i++) {
    const rsm_app *app = &round->before.list->apps[i];
    if (!rsm__plan_in_the_way(app)) continue;
    bool is_new = why == RSM_MORE_DATA && !rsm__plan_confirmed(app, &round->op->request.shutdown);
    rsm__report_add(report, is_new ? RSM_OUTCOME_NEW : RSM_OUTCOME_ALIVE, app, NULL);
  }
}

static rsm_status verdict(const rsm__round *round, const rsm_report *report, rsm_error *reterr) {
  size_t alive = rsm_report_count(report, RSM_OUTCOME_ALIVE), fresh = rsm_report_count(report, RSM_OUTCOME_NEW);
  if (!alive && !fresh) return RSM_OK;
  if (cancelled(round)) return rsm__fail(reterr, RSM_CANCELLED, NULL, "cancelled: %zu still run", alive);
  const rsm_app *app = rsm_report_at(report, alive ? RSM_OUTCOME_ALIVE : RSM_OUTCOME_NEW, 0);
  char subject[240];
  rsm__app_subject(app, subject, sizeof subject);
  if (alive)
    return rsm__fail(reterr, RSM_FAIL_SHUTDOWN, subject, "%zu of %zu applications did not stop", alive, round->count);
  return rsm__fail(reterr, RSM_FAIL_SHUTDOWN, subject, "%zu that were not there before use the resources now", fresh);
}

rsm_status rsm__stop_run(rsm__operation *op, rsm_error *reterr) {
  RSM_CLEAN(rsm__round_done) rsm__round round = {.op = op};
  rsm_report *report = op->report = rsm__report_new();
  if (!report) return rsm__fail_memory(reterr);
  rsm_status status = rsm__affected_find(op->session, op->services, op->task, true, &round.before, reterr);
  if (status != RSM_OK) return status;
  status = rsm__plan_check(round.before.list, &op->request.shutdown, reterr);
  if (status != RSM_OK) {
    report_untouched(&round, status, report);
    return status;
  }
  status = rsm__round_plan(&round, reterr);
  if (status == RSM_OK) status = report_kept(&round, report, reterr);
  if (status == RSM_OK) status = run_ranks(&round, reterr);
  rsm_status reported = report_members(&round, report, status == RSM_OK ? reterr : NULL);
  if (status == RSM_OK) status = reported;
  if (status == RSM_OK && round.count && !cancelled(&round)) {
    status = find_new(&round, report, reterr);
    if (status == RSM_CANCELLED) status = RSM_OK; /* too late to cancel: everything has been done */
  }
  return status == RSM_OK ? verdict(&round, report, reterr) : status;
}
