/* service_start.c: starting a unit and hearing how it went.
 *
 * call              | purpose                   | blocks
 * rsm__bus_wait_job | the start's end           | for as long as the unit may take, 10 minutes at most, or until the
 *                   |                           | task is cancelled; a one-shot's until it has begun
 * rsm__bus_wait_any | a simple service's start  | SETTLE_MS: its manager calls it up before its program runs
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/linux/service_units.h"

enum { LIMIT_MS = 600000, SLACK_MS = 5000, SLICE_MS = 50, SLOW_SLICE_MS = 500, SETTLE_MS = 100, SETTLE_TICK_MS = 10 };

static const char UNIT[] = "org.freedesktop.systemd1.Unit";

typedef struct starting {
  rsm__bus *bus;
  const rsm__service_id *id;
  rsm__unit_facts unit;
  const char *type;     /* Type= of a service; "" for other units */
  const char *activity; /* ActiveState and SubState as seen last */
  const char *detail;
  rsm__arena arena;
} starting;

static void starting_done(starting *start) {
  rsm__arena_done(&start->arena);
}

static rsm_status look(starting *start, rsm_error *reterr) {
  const rsm__bus_property active = {"ActiveState", "s", &start->activity};
  const rsm__bus_property sub = {"SubState", "s", &start->detail};
  rsm_status status = rsm__bus_get(start->bus, start->unit.path, UNIT, &active, &start->arena, reterr);
  return status == RSM_OK ? rsm__bus_get(start->bus, start->unit.path, UNIT, &sub, &start->arena, reterr) : status;
}

/* ---- What failed, in words ---- */

static const char *signal_name(int32_t number) {
  static const struct {
    int32_t number;
    const char *name;
  } table[] = {{SIGKILL, "KILL"}, {SIGTERM, "TERM"}, {SIGINT, "INT"}, {SIGHUP, "HUP"},   {SIGQUIT, "QUIT"},
               {SIGSEGV, "SEGV"}, {SIGABRT, "ABRT"}, {SIGBUS, "BUS"}, {SIGPIPE, "PIPE"}, {SIGILL, "ILL"},
               {SIGFPE, "FPE"},   {SIGTRAP, "TRAP"}, {SIGSYS, "SYS"}, {SIGALRM, "ALRM"}};
  for (size_t i = 0; i < RSM_COUNT(table); i++)
    if (table[i].number == number) return table[i].name;
  return NULL;
}

static const char *end_of_process(starting *start, const char *result, int32_t code, int32_t number) {
  enum { EXITED = 1, KILLED = 2, DUMPED = 3 }; /* CLD_EXITED and the like */
  if (code == EXITED && number != 0 && strcmp(result, "exit-code") == 0)
    return rsm__say(&start->arena, " (exit status %d)", (int)number);
  if ((code != KILLED && code != DUMPED) || (strcmp(result, "signal") != 0 && strcmp(result, "core-dump") != 0))
    return "";
  const char *name = signal_name(number);
  return name ? rsm__say(&start->arena, " (signal %s)", name) : rsm__say(&start->arena, " (signal %d)", (int)number);
}

/* job: how it ended for the job; NULL: not by it. */
static rsm_status fail_start(starting *start, const char *job, rsm_error *reterr) {
  const char *result = "";
  int32_t code = 0, number = 0;
  rsm_status status = rsm__unit_property(start->bus, &start->unit, "Result", "s", &result, &start->arena, reterr);
  if (status == RSM_OK)
    status = rsm__unit_property(start->bus, &start->unit, "ExecMainCode", "i", &code, &start->arena, reterr);
  if (status == RSM_OK)
    status = rsm__unit_property(start->bus, &start->unit, "ExecMainStatus", "i", &number, &start->arena, reterr);
  if (status != RSM_OK) return status;
  const char *why = *result && strcmp(result, "success") != 0 ? result : job ? job : "it ended at once";
  if (job && strcmp(job, "dependency") == 0) why = "something that it needs could not be started";
  if (job && strcmp(job, "canceled") == 0) why = "another request to the manager cancelled it";
  const char *end = end_of_process(start, result, code, number);
  if (!end) return rsm__fail_memory(reterr);
  return rsm__fail(reterr, RSM_GEN_FAILURE, start->id->name, "its start failed: %s%s; see journalctl %s-u %s", why, end,
                   start->id->user_manager ? "--user " : "", start->id->name);
}

/* ---- Waiting ---- */

/* How long its manager lets it come up, from the moment that it begins to. */
static uint64_t find_limit(starting *start) {
  uint64_t limit_us = UINT64_MAX;
  /* What it does not tell is no limit. */
  (void)rsm__unit_property(start->bus, &start->unit, "TimeoutStartUSec", "t", &limit_us, &start->arena, NULL);
  if (start->unit.job_limit_us < limit_us) limit_us = start->unit.job_limit_us;
  bool none = limit_us == UINT64_MAX || limit_us == 0 || limit_us / 1000 > LIMIT_MS;
  return none ? LIMIT_MS : limit_us / 1000 + SLACK_MS;
}

/* *ret_result NULL: a one-shot has begun. Before it begins it may wait for its own stop and for others' starts. */
static rsm_status wait_started(starting *start, uint32_t job, const char **ret_result, rsm_error *reterr) {
  bool oneshot = strcmp(start->type, "oneshot") == 0;
  uint64_t deadline = rsm__clock_ms() + LIMIT_MS, limit = find_limit(start);
  bool begun = false;
  *ret_result = NULL;
  for (;;) {
    uint64_t until = rsm__clock_ms() + (oneshot ? SLICE_MS : SLOW_SLICE_MS);
    rsm_status status = rsm__bus_wait_job(start->bus, job, until < deadline ? until : deadline, ret_result, reterr);
    if (status != RSM_TIMEOUT) return status;
    if (rsm__clock_ms() >= deadline)
      return rsm__fail(reterr, RSM_TIMEOUT, start->id->name,
                       "it has not come up within the time that its manager gives it");
    status = look(start, reterr);
    if (status != RSM_OK) return status;
    if (begun || strcmp(start->activity, "activating") != 0) continue;
    if (oneshot && strcmp(start->detail, "start") == 0) return RSM_OK;
    begun = !oneshot;
    if (begun && rsm__clock_ms() + limit < deadline) deadline = rsm__clock_ms() + limit;
  }
}

/* The manager calls a simple service started when it has forked, so one that cannot run is seen a moment later only. */
static rsm_status settle(starting *start, rsm_error *reterr) {
  uint64_t until = rsm__clock_ms() + SETTLE_MS;
  rsm_status status = look(start, reterr);
  if (strcmp(start->type, "simple") != 0 && strcmp(start->type, "idle") != 0) return status;
  while (status == RSM_OK && strcmp(start->activity, "active") == 0 && rsm__clock_ms() < until) {
    rsm__bus_wait_any(&start->bus, 1, rsm__clock_ms() + SETTLE_TICK_MS, NULL);
    status = look(start, reterr);
  }
  return status;
}

/* After a job that is done, and yet it is not up. A manager forgets a unit that is down and has not failed, and then
 * knows nothing of its last start: neither that it has done its work nor that a condition kept it from it. */
static rsm_status explain_down(starting *start, rsm_error *reterr) {
  bool met = false;
  uint64_t checked_at = 0;
  const rsm__bus_property condition = {"ConditionResult", "b", &met};
  const rsm__bus_property when = {"ConditionTimestampMonotonic", "t", &checked_at};
  rsm_status status = rsm__bus_get(start->bus, start->unit.path, UNIT, &condition, &start->arena, reterr);
  if (status == RSM_OK) status = rsm__bus_get(start->bus, start->unit.path, UNIT, &when, &start->arena, reterr);
  if (status != RSM_OK && status != RSM_NOT_FOUND) return status;
  if (checked_at && !met)
    return rsm__fail(reterr, RSM_GEN_FAILURE, start->id->name,
                     "it was not started: a condition of its unit file is not met");
  if (strcmp(start->type, "oneshot") == 0) return RSM_OK;
  return rsm__fail(reterr, RSM_GEN_FAILURE, start->id->name,
                   "it is not up: it ended at once, or a condition of its unit file is not met; see journalctl %s-u %s",
                   start->id->user_manager ? "--user " : "", start->id->name);
}

static rsm_status check_up(starting *start, rsm_error *reterr) {
  rsm_status status = settle(start, reterr);
  if (status != RSM_OK) return status;
  bool retries = strncmp(start->detail, "auto-restart", strlen("auto-restart")) == 0;
  if (rsm__unit_is_up(start->activity) && !retries) return RSM_OK;
  return strcmp(start->activity, "inactive") == 0 ? explain_down(start, reterr) : fail_start(start, NULL, reterr);
}

static rsm_status find_main(starting *start, rsm_process *ret_main, rsm_error *reterr) {
  rsm_process found = {0};
  uint32_t pid = 0;
  bool bound = false;
  const char *group = "";
  rsm_status status = rsm__unit_control_group(start->bus, &start->unit, &start->arena, &group, reterr);
  if (status == RSM_OK)
    status = rsm__unit_property(start->bus, &start->unit, "MainPID", "u", &pid, &start->arena, reterr);
  if (status == RSM_OK && pid && *group) status = rsm__unit_bind_process(pid, group, &found, &bound, reterr);
  if (status == RSM_OK) *ret_main = bound ? found : (rsm_process){0};
  return status;
}

/* ---- The order ---- */

static rsm_status enqueue(starting *start, uint32_t *ret_job, rsm_error *reterr) {
  const rsm__bus_method reset = {.member = "ResetFailedUnit", .subject = start->id->name};
  const rsm__bus_method method = {.member = "StartUnit", .subject = start->id->name};
  /* Else its manager may find that it was started too often. Not allowed, not loaded: then we shall see. */
  (void)rsm__bus_call(start->bus, &reset, NULL, NULL, "s", start->id->name);
  /* A target would pull in all that it wants, also what was not up before. */
  const char *mode = rsm__unit_has_type(start->id->name, ".target") ? "ignore-requirements" : "replace";
  return rsm__bus_enqueue(start->bus, &method, ret_job, reterr, "ss", start->id->name, mode);
}

static rsm_status run(starting *start, rsm_error *reterr) {
  uint32_t job;
  const char *result = NULL;
  rsm_status status = rsm__unit_property(start->bus, &start->unit, "Type", "s", &start->type, &start->arena, reterr);
  if (status == RSM_OK) status = enqueue(start, &job, reterr);
  if (status == RSM_OK) status = wait_started(start, job, &result, reterr);
  if (status != RSM_OK || !result) return status;
  return strcmp(result, "done") == 0 ? check_up(start, reterr) : fail_start(start, result, reterr);
}

rsm_status rsm__service_start(rsm__services *services, const rsm__service_id *id, rsm_process *ret_main,
                              rsm_error *reterr) {
  RSM_CLEAN(starting_done) starting start = {.id = id, .type = "", .activity = "", .detail = ""};
  rsm_status status = rsm__services_bus(services, id, &start.bus, reterr);
  if (status == RSM_OK) status = rsm__unit_facts_get(start.bus, id->name, &start.arena, &start.unit, reterr);
  if (status != RSM_OK) return status;
  if (rsm__unit_is_unknown(&start.unit))
    return rsm__fail(reterr, RSM_NO_SUCH_SERVICE, id->name, "no service of that name is known here any more");
  bool going = false;
  bool up = strcmp(start.unit.active_state, "active") == 0;
  if (up) status = rsm__unit_is_going(start.bus, &start.unit, &start.arena, &going, reterr);
  if (status == RSM_OK && (!up || going)) status = run(&start, reterr);
  return status == RSM_OK ? find_main(&start, ret_main, reterr) : status;
}
