/* outcome.c: SPDX-License-Identifier: MIT */
#include "system/outcome.h"

#include <string.h>

enum { DOWN = RSM_APP_STOPPED | RSM_APP_STOPPED_OTHER };

static bool same_service(const rsm_app *a, const rsm_app *b) {
  return a->service && b->service && strcmp(a->service, b->service) == 0;
}

const rsm_app *rsm__outcome_find(const rsm_list *list, const rsm_app *app) {
  for (size_t i = 0; i < list->count; i++) {
    const rsm_app *other = &list->apps[i];
    if (app->service ? same_service(app, other) : app->process.pid && rsm_process_equal(&app->process, &other->process))
      return other;
  }
  return NULL;
}

rsm_outcome rsm__outcome_of_stop(uint32_t before, uint32_t after) {
  uint32_t fresh = after & ~before;
  bool was_down = (before & DOWN) && !(before & RSM_APP_RUNNING);
  if (was_down) return RSM_OUTCOME_COUNT;
  if (!before) {
    if (after & RSM_APP_SHUTDOWN_MASKED) return RSM_OUTCOME_KEPT;
    if (!(after & DOWN)) return RSM_OUTCOME_NEW;
  }
  /* What has been set now counts more than that "running" may still be set, too. */
  if (fresh & RSM_APP_ERROR_ON_STOP) return RSM_OUTCOME_ALIVE;
  if (fresh & RSM_APP_STOPPED) return RSM_OUTCOME_STOPPED;
  if (fresh & RSM_APP_STOPPED_OTHER) return RSM_OUTCOME_GONE;
  if (after & RSM_APP_RUNNING) return after & RSM_APP_SHUTDOWN_MASKED ? RSM_OUTCOME_KEPT : RSM_OUTCOME_ALIVE;
  return after & RSM_APP_STOPPED ? RSM_OUTCOME_STOPPED : RSM_OUTCOME_GONE;
}

static rsm_left_why why_left(const rsm_app *stopped, const rsm_app *now) {
  uint32_t status = stopped->status | (now ? now->status : 0);
  if (status & (RSM_APP_RESTART_MASKED | RSM_APP_SHUTDOWN_MASKED)) return RSM_LEFT_RESTART_MASKED;
  return stopped->restartable ? RSM_LEFT_NOT_RESTORABLE : RSM_LEFT_NOT_REGISTERED;
}

rsm_outcome rsm__outcome_of_start(const rsm_app *stopped, const rsm_app *now, bool succeeded, rsm_left_why *ret_why) {
  uint32_t fresh = now ? now->status & ~stopped->status : 0;
  *ret_why = RSM_LEFT_NONE;
  if (fresh & RSM_APP_RESTARTED) return RSM_OUTCOME_RESTARTED;
  if (fresh & RSM_APP_ERROR_ON_RESTART) return RSM_OUTCOME_FAILED;
  /* It was restarted before, and stopped again: the bit stands there already. */
  if (now && (now->status & RSM_APP_RESTARTED) && succeeded && stopped->restartable) return RSM_OUTCOME_RESTARTED;
  if (now && stopped->service && (now->status & RSM_APP_RUNNING)) return RSM_OUTCOME_RESTARTED;
  *ret_why = why_left(stopped, now);
  if (*ret_why == RSM_LEFT_NOT_RESTORABLE && !succeeded) {
    *ret_why = RSM_LEFT_NONE;
    return RSM_OUTCOME_FAILED;
  }
  return RSM_OUTCOME_LEFT_STOPPED;
}

const rsm_app *rsm__outcome_find_successor(const rsm_list *list, const rsm_app *stopped, const rsm_list *taken) {
  for (size_t i = 0; i < list->count; i++) {
    const rsm_app *app = &list->apps[i];
    if (!(app->status & RSM_APP_RESTARTED) || !(app->status & RSM_APP_RUNNING) || !app->process.pid) continue;
    if (rsm_process_equal(&app->process, &stopped->process) || rsm__list_find(taken, &app->process)) continue;
    bool same_kind = app->service || stopped->service
                         ? same_service(app, stopped)
                         : app->type == stopped->type && strcmp(app->name, stopped->name) == 0;
    if (same_kind) return app;
  }
  return NULL;
}
