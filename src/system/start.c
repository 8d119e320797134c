/* start.c: RmRestart, and what it did with what our shutdowns had stopped. SPDX-License-Identifier: MIT */
#include "system/calls.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "system/outcome.h"

enum { SUBJECT_SIZE = 240 };

typedef struct restart {
  rsm__system_op *op;
  rsm_list *after;
  rsm_list *rest;    /* what is still to be brought back */
  rsm_status status; /* of RmRestart */
} restart;

static void restart_done(restart *r) {
  rsm_list_free(r->after);
  rsm_list_free(r->rest);
}

/* Brought back, or left for good; what failed or was not come to is still owed. */
static rsm_outcome judge(const restart *r, rsm_app *app) {
  const rsm_list *taken = r->op->report->lists[RSM_OUTCOME_RESTARTED];
  static const rsm_list none;
  const rsm_app *now = rsm__outcome_find(r->after, app);
  const rsm_app *successor = rsm__outcome_find_successor(r->after, app, taken ? taken : &none);
  char subject[SUBJECT_SIZE];
  if (successor) { /* of two that are alike nobody can say which is which */
    app->status = successor->status;
    app->restarted_as = successor->process;
    return RSM_OUTCOME_RESTARTED;
  }
  rsm_outcome outcome = rsm__outcome_of_start(app, now, r->status == RSM_OK, &app->left_why);
  if (now) app->status = now->status;
  if (outcome == RSM_OUTCOME_LEFT_STOPPED && r->status != RSM_OK && r->status != RSM_FAIL_RESTART)
    outcome = RSM_OUTCOME_FAILED;
  if (outcome == RSM_OUTCOME_FAILED) {
    app->left_why = RSM_LEFT_NONE;
    rsm__fail(&app->error, r->status == RSM_CANCELLED ? RSM_CANCELLED : RSM_FAIL_RESTART,
              rsm__app_subject(app, subject, sizeof subject), "it was not started again");
  }
  return outcome;
}

/* Why it stays down, in words. The note is text of ours. */
static void explain(const restart *r, rsm_app *app) {
  if (app->left_why == RSM_LEFT_NOT_REGISTERED && r->op->request.restart.unregistered)
    app->note =
        "the system's Restart Manager starts only what has registered for it; manager = 'builtin' starts others";
  if (app->left_why == RSM_LEFT_NOT_RESTORABLE)
    app->note = "the system's Restart Manager did not start it and does not say why; its event log may";
}

static void tell(const restart *r, rsm_outcome outcome, const rsm_app *app) {
  if (outcome == RSM_OUTCOME_RESTARTED) rsm__system_emit(r->op, RSM_ACTION_RESTARTED, app, NULL);
  if (outcome == RSM_OUTCOME_FAILED) rsm__system_emit(r->op, RSM_ACTION_FAILED, app, &app->error);
}

static rsm_status compare(restart *r, rsm_error *reterr) {
  const rsm_list *stopped = r->op->session->stopped;
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && stopped && i < stopped->count; i++) {
    rsm_app app = stopped->apps[i];
    rsm_outcome outcome = judge(r, &app);
    explain(r, &app);
    if (outcome == RSM_OUTCOME_FAILED) status = rsm__list_add_copy(r->rest, &stopped->apps[i], reterr);
    if (status == RSM_OK) status = rsm__report_add(r->op->report, outcome, &app, reterr);
    if (status == RSM_OK) tell(r, outcome, &app);
  }
  return status;
}

static void name_culprit(const restart *r, DWORD code, rsm_error *reterr) {
  char subject[SUBJECT_SIZE];
  const rsm_app *app = rsm_report_at(r->op->report, RSM_OUTCOME_FAILED, 0);
  if (app) rsm__native_fail(reterr, code, "RmRestart", rsm__app_subject(app, subject, sizeof subject));
}

static rsm_status look_after(restart *r, DWORD code, rsm_error *reterr) {
  rsm__system *session = r->op->session;
  rsm_error why;
  r->op->settling = true;
  /* Ours has been called, but the system's may not have been, or wants to be called anew before each restart. */
  if (code == ERROR_REQUEST_OUT_OF_SEQUENCE && !rsm__system_owes(session)) code = ERROR_SUCCESS;
  r->status = code == ERROR_SUCCESS ? RSM_OK : rsm__native_fail(reterr, code, "RmRestart", NULL);
  if (r->status == RSM_OK || r->status == RSM_FAIL_RESTART) session->may_owe = false;
  rsm_status status = rsm__system_list(r->op, &r->after, &why);
  if (status == RSM_OK) status = compare(r, &why);
  if (status == RSM_OK) {
    rsm_list *before = session->stopped;
    session->stopped = r->rest;
    r->rest = before;
    if (r->status != RSM_OK) name_culprit(r, code, reterr);
    return r->status;
  }
  if (r->status != RSM_OK) return r->status;
  session->stopped = rsm_list_free(session->stopped); /* the system says that it has done all that it can */
  if (reterr) *reterr = why;
  rsm__error_explain(reterr, "RmRestart has succeeded, but it could not be found out whom it started");
  return status;
}

rsm_status rsm__system_start(rsm__system_op *op, rsm_error *reterr) {
  RSM_CLEAN(restart_done) restart r = {.op = op};
  DWORD code = ERROR_SUCCESS;
  op->report = rsm__report_new();
  r.rest = rsm__list_new();
  if (!op->report || !r.rest) return rsm__fail_memory(reterr);
  rsm_status status = rsm__calls_restart(op, &code, reterr);
  return status == RSM_OK ? look_after(&r, code, reterr) : status;
}
