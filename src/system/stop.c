/* stop.c: RmShutdown, and what it did: one list before it and one after it.
 *
 * Between our look at who would be stopped (`confirmed`) and RmShutdown's own somebody may begin to use the files: he
 * is stopped unconfirmed then. Windows has no way to close that gap. Its time limits are its own, 30 s for applications
 * and 20 s for services: `timeout` and `service_timeout` have no bearing here. SPDX-License-Identifier: MIT */
#include "system/calls.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "core/plan.h"
#include "system/outcome.h"

enum { SUBJECT_SIZE = 240 };

typedef struct stopping {
  rsm__system_op *op;
  rsm_list *before, *after;
  rsm_status status; /* of RmShutdown */
} stopping;

static void stopping_done(stopping *s) {
  rsm_list_free(s->before);
  rsm_list_free(s->after);
}

static rsm_status check_confirmed(const stopping *s, rsm_error *reterr) {
  const rsm_shutdown_options *options = &s->op->request.shutdown;
  rsm_status status = RSM_OK;
  for (size_t i = 0; options->has_confirmed && i < s->before->count; i++) {
    const rsm_app *app = &s->before->apps[i];
    char subject[SUBJECT_SIZE];
    if (!rsm__plan_in_the_way(app) || rsm__plan_confirmed(app, options)) continue;
    rsm_status added = rsm__report_add(s->op->report, RSM_OUTCOME_NEW, app, reterr);
    if (added != RSM_OK) return added;
    if (status == RSM_OK)
      status = rsm__fail(reterr, RSM_MORE_DATA, rsm__app_subject(app, subject, sizeof subject),
                         "nothing was shut down: an application that was not confirmed uses the resources now");
  }
  return status;
}

/* What was stopped is ours to bring back. */
static rsm_status remember(rsm__system *session, const rsm_app *app, rsm_error *reterr) {
  if (!session->stopped) session->stopped = rsm__list_new();
  if (!session->stopped) return rsm__fail_memory(reterr);
  if (rsm__outcome_find(session->stopped, app)) return RSM_OK;
  return rsm__list_add_copy(session->stopped, app, reterr);
}

/* Nobody was touched if a restart of the machine would be needed: then there is nothing to tell of. */
static void tell(const stopping *s, rsm_outcome outcome, const rsm_app *app) {
  if (s->status == RSM_NOACTION_REBOOT) return;
  if (outcome == RSM_OUTCOME_STOPPED) rsm__system_emit(s->op, RSM_ACTION_STOPPED, app, NULL);
  if (outcome == RSM_OUTCOME_KEPT) rsm__system_emit(s->op, RSM_ACTION_KEPT, app, NULL);
  if (outcome == RSM_OUTCOME_ALIVE) rsm__system_emit(s->op, RSM_ACTION_FAILED, app, &app->error);
}

static rsm_status add(stopping *s, rsm_app *app, rsm_outcome outcome, rsm_error *reterr) {
  char subject[SUBJECT_SIZE];
  if (outcome == RSM_OUTCOME_COUNT) return RSM_OK;
  if (outcome == RSM_OUTCOME_ALIVE && s->status != RSM_NOACTION_REBOOT)
    rsm__fail(&app->error, s->status == RSM_CANCELLED ? RSM_CANCELLED : RSM_FAIL_SHUTDOWN,
              rsm__app_subject(app, subject, sizeof subject), "it still runs");
  rsm_status status = RSM_OK;
  if (outcome == RSM_OUTCOME_STOPPED) status = remember(s->op->session, app, reterr);
  if (status == RSM_OK) status = rsm__report_add(s->op->report, outcome, app, reterr);
  if (status == RSM_OK) tell(s, outcome, app);
  return status;
}

static rsm_status compare(stopping *s, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < s->before->count; i++) {
    rsm_app app = s->before->apps[i];
    const rsm_app *now = rsm__outcome_find(s->after, &app);
    rsm_outcome outcome = rsm__outcome_of_stop(app.status, now ? now->status : 0);
    if (now) app.status = now->status;
    status = add(s, &app, outcome, reterr);
  }
  for (size_t i = 0; status == RSM_OK && i < s->after->count; i++) {
    rsm_app app = s->after->apps[i];
    if (rsm__outcome_find(s->before, &app)) continue;
    status = add(s, &app, rsm__outcome_of_stop(0, app.status), reterr);
  }
  return status;
}

/* Who stood in the way, by name, if we know of one. */
static void name_culprit(const stopping *s, DWORD code, rsm_error *reterr) {
  char subject[SUBJECT_SIZE];
  const rsm_app *culprit = NULL;
  size_t count = rsm_report_count(s->op->report, RSM_OUTCOME_ALIVE);
  for (size_t i = 0; i < count && !culprit; i++) {
    const rsm_app *app = rsm_report_at(s->op->report, RSM_OUTCOME_ALIVE, i);
    if (s->status != RSM_NOACTION_REBOOT || app->reboot_reasons || app->type == RSM_APP_CRITICAL) culprit = app;
  }
  if (culprit) rsm__native_fail(reterr, code, "RmShutdown", rsm__app_subject(culprit, subject, sizeof subject));
}

static rsm_status look_after(stopping *s, DWORD code, rsm_error *reterr) {
  rsm_error why;
  s->op->settling = true;
  s->status = code == ERROR_SUCCESS ? RSM_OK : rsm__native_fail(reterr, code, "RmShutdown", NULL);
  rsm_status status = rsm__system_list(s->op, &s->after, &why);
  if (status == RSM_OK) status = compare(s, &why);
  if (status == RSM_OK) {
    if (s->status != RSM_OK) name_culprit(s, code, reterr);
    return s->status;
  }
  s->op->session->may_owe = s->status != RSM_NOACTION_REBOOT;
  if (s->status != RSM_OK) return s->status;
  if (reterr) *reterr = why;
  rsm__error_explain(reterr, "RmShutdown has succeeded, but it could not be found out whom it stopped");
  return status;
}

static bool carries_us(const rsm_app *app) {
  return rsm__plan_in_the_way(app) && (app->reboot_reasons & RSM_REBOOT_DETECTED_SELF);
}

/* Windows would answer 350 for us, and stop an ancestor of ours: so it is not even asked. */
static rsm_status check_carriers(stopping *s, rsm_error *reterr) {
  const rsm_shutdown_options only_reasons = {0};
  size_t i = 0;
  while (i < s->before->count && !carries_us(&s->before->apps[i])) i++;
  if (i == s->before->count) return RSM_OK;
  s->status = RSM_NOACTION_REBOOT;
  for (i = 0; i < s->before->count; i++) {
    rsm_app app = s->before->apps[i];
    rsm_status status = add(s, &app, rsm__outcome_of_stop(app.status, app.status), reterr);
    if (status != RSM_OK) return status;
  }
  return rsm__plan_check(s->before, &only_reasons, reterr);
}

rsm_status rsm__system_stop(rsm__system_op *op, rsm_error *reterr) {
  RSM_CLEAN(stopping_done) stopping s = {.op = op};
  const rsm_shutdown_options *options = &op->request.shutdown;
  ULONG flags = (options->force ? RmForceShutdown : 0u) | (options->only_restartable ? RmShutdownOnlyRegistered : 0u);
  DWORD code = ERROR_SUCCESS;
  op->report = rsm__report_new();
  if (!op->report) return rsm__fail_memory(reterr);
  rsm_status status = rsm__system_list(op, &s.before, reterr);
  if (status == RSM_OK) status = check_carriers(&s, reterr);
  if (status == RSM_OK) status = check_confirmed(&s, reterr);
  if (status == RSM_OK) status = rsm__calls_shutdown(op, flags, &code, reterr);
  return status == RSM_OK ? look_after(&s, code, reterr) : status;
}
