/* plan.c: SPDX-License-Identifier: MIT */
#include "core/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

bool rsm__plan_use_counts(const rsm_use *use, bool working_directories) {
  return working_directories || (use->how != RSM_USE_CWD && use->how != RSM_USE_ROOT);
}

void rsm__plan_mask(const rsm_filter_list *filters, rsm_app *app) {
  switch (rsm__filter_match(filters, app)) {
  case RSM_NO_SHUTDOWN:
    app->status |= RSM_APP_SHUTDOWN_MASKED;
    break;
  case RSM_NO_RESTART:
    app->status |= RSM_APP_RESTART_MASKED;
    break;
  }
}

bool rsm__plan_in_the_way(const rsm_app *app) {
  return app->affected && (app->status & RSM_APP_RUNNING) && !(app->status & RSM_APP_SHUTDOWN_MASKED);
}

uint32_t rsm__plan_reasons(const rsm_list *list) {
  uint32_t reasons = 0;
  for (size_t i = 0; i < list->count; i++)
    if (rsm__plan_in_the_way(&list->apps[i])) reasons |= list->apps[i].reboot_reasons;
  return reasons;
}

bool rsm__plan_stops(const rsm_app *app) {
  return rsm__plan_in_the_way(app) && app->reboot_reasons == 0;
}

bool rsm__plan_confirmed(const rsm_app *app, const rsm_shutdown_options *options) {
  for (size_t i = 0; i < options->confirmed_count; i++) {
    if (app->process.pid && rsm_process_equal(&app->process, &options->confirmed[i])) return true;
    for (size_t k = 0; k < app->process_count; k++)
      if (rsm_process_equal(&app->processes[k], &options->confirmed[i])) return true;
  }
  for (size_t i = 0; app->service && i < options->confirmed_service_count; i++)
    if (strcmp(app->service, options->confirmed_services[i]) == 0) return true;
  return false;
}

static const char *reason_words(uint32_t reasons) {
  if (reasons & RSM_REBOOT_DETECTED_SELF) return "the installer itself, or what carries it, uses the resources";
  if (reasons & RSM_REBOOT_CRITICAL_PROCESS) return "a critical process uses the resources";
  if (reasons & RSM_REBOOT_CRITICAL_SERVICE) return "a critical service uses the resources";
  if (reasons & RSM_REBOOT_SESSION_MISMATCH) return "a process of another session or namespace uses the resources";
  return "a process that may not be stopped from here uses the resources";
}

rsm_status rsm__plan_check(const rsm_list *list, const rsm_shutdown_options *options, rsm_error *reterr) {
  char subject[240];
  for (size_t i = 0; i < list->count; i++) {
    const rsm_app *app = &list->apps[i];
    if (rsm__plan_in_the_way(app) && app->reboot_reasons)
      return rsm__fail(reterr, RSM_NOACTION_REBOOT, rsm__app_subject(app, subject, sizeof subject),
                       "nothing was shut down: %s", reason_words(app->reboot_reasons));
  }
  for (size_t i = 0; options->only_restartable && i < list->count; i++) {
    const rsm_app *app = &list->apps[i];
    if (rsm__plan_stops(app) && !app->restartable)
      return rsm__fail(reterr, RSM_FAIL_SHUTDOWN, rsm__app_subject(app, subject, sizeof subject),
                       app->type == RSM_APP_SERVICE
                           ? "nothing was shut down: a service could not be started again"
                           : "nothing was shut down: an application is not registered for restart");
  }
  for (size_t i = 0; options->has_confirmed && i < list->count; i++) {
    const rsm_app *app = &list->apps[i];
    if (rsm__plan_stops(app) && !rsm__plan_confirmed(app, options))
      return rsm__fail(reterr, RSM_MORE_DATA, rsm__app_subject(app, subject, sizeof subject),
                       "nothing was shut down: an application that was not confirmed uses the resources now");
  }
  return RSM_OK;
}

static bool is_among(const rsm_process *process, const rsm_process *set, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (rsm_process_equal(process, &set[i])) return true;
  return false;
}

rsm_status rsm__plan_copy_stoppable(const rsm_start_options *options, rsm_process **ret_stoppable, rsm_error *reterr) {
  size_t size = options->stoppable_count * sizeof **ret_stoppable;
  rsm_process *copy = size ? rsm__malloc(size) : NULL;
  if (size && !copy) return rsm__fail_memory(reterr);
  if (copy) memcpy(copy, options->stoppable, size);
  *ret_stoppable = copy;
  return RSM_OK;
}

bool rsm__plan_carries_us(const rsm__carriers *carriers, const rsm_process *process) {
  if (!is_among(process, carriers->items, carriers->count)) return false;
  bool ourselves = rsm_process_equal(process, &carriers->items[0]);
  return ourselves || !is_among(process, carriers->stoppable, carriers->stoppable_count);
}

bool rsm__plan_is_main(const rsm_process *process, const rsm_process *parent, const rsm__carriers *carriers,
                       bool user_manager) {
  size_t below = user_manager ? 3 : 2; /* from the end: the manager is the one after it */
  if (carriers->count < below) return false;
  const rsm_process *topmost = &carriers->items[carriers->count - below];
  return rsm_process_equal(parent, topmost + 1) && process->start_time <= topmost->start_time;
}

unsigned rsm__plan_rank(const rsm_app *app) {
  switch (app->type) {
  case RSM_APP_SERVICE:
    return 1;
  case RSM_APP_EXPLORER:
    return 2;
  default:
    return 0;
  }
}

static int compare_numbers(uint64_t a, uint64_t b) {
  return a < b ? -1 : a > b;
}

static int compare_names(const rsm_app *a, const rsm_app *b) {
  int order = strcmp(a->service ? a->service : "", b->service ? b->service : "");
  return order ? order : compare_numbers(a->process.pid, b->process.pid);
}

int rsm__plan_compare_stop(const rsm_app *a, const rsm__plan_place *place_a, const rsm_app *b,
                           const rsm__plan_place *place_b) {
  int order = compare_numbers(rsm__plan_rank(a), rsm__plan_rank(b));
  if (order) return order;
  if (a->type != RSM_APP_SERVICE) {
    order = compare_numbers(place_a->depth, place_b->depth);
    return order ? order : compare_numbers(a->process.pid, b->process.pid);
  }
  order = compare_numbers(place_b->held, place_a->held);
  if (!order) order = compare_numbers(place_b->depth, place_a->depth);
  return order ? order : compare_names(a, b);
}

/* 0: listens for a service, 1: a service, 2: what may start one at any time. */
static unsigned phase_of(const rsm__plan_place *place) {
  return place->held ? (place->first_up ? 0 : 2) : 1;
}

int rsm__plan_compare_start(const rsm_app *a, const rsm__plan_place *place_a, const rsm_app *b,
                            const rsm__plan_place *place_b) {
  int order = compare_numbers(rsm__plan_rank(b), rsm__plan_rank(a));
  if (order) return order;
  if (a->type != RSM_APP_SERVICE) return rsm__plan_compare_stop(b, place_b, a, place_a);
  order = compare_numbers(phase_of(place_a), phase_of(place_b));
  if (!order) order = compare_numbers(place_a->depth, place_b->depth);
  return order ? order : compare_names(a, b);
}

rsm__rung rsm__plan_rung(const rsm__ladder *at, uint32_t grace_ms, bool force, uint32_t *ret_wait_ms) {
  *ret_wait_ms = 0;
  if (at->ended) return RSM__RUNG_DONE;
  if (!at->asked) return RSM__RUNG_ASK;
  if (!at->killed) {
    if (at->since_asked < grace_ms) {
      *ret_wait_ms = (uint32_t)(grace_ms - at->since_asked);
      return RSM__RUNG_WAIT;
    }
    return force ? RSM__RUNG_KILL : RSM__RUNG_GIVE_UP;
  }
  if (at->since_killed < RSM__PLAN_KILL_WAIT_MS) {
    *ret_wait_ms = (uint32_t)(RSM__PLAN_KILL_WAIT_MS - at->since_killed);
    return RSM__RUNG_WAIT;
  }
  return RSM__RUNG_GIVE_UP;
}

rsm_left_why rsm__plan_restart(const rsm__plan_candidate *candidate, bool unregistered) {
  const rsm_app *app = candidate->app;
  /* no_shutdown means neither stop nor start: it may have been added after the application was stopped. */
  if (app->status & (RSM_APP_SHUTDOWN_MASKED | RSM_APP_RESTART_MASKED)) return RSM_LEFT_RESTART_MASKED;
  if (candidate->base != RSM_LEFT_NONE) return candidate->base;
  /* A worker is its master's business; a program of another kind that registered by itself is its own. */
  if (candidate->parent_restarted && (candidate->like_parent || !candidate->registered)) return RSM_LEFT_BY_PARENT;
  if (candidate->registered && (candidate->flags & RSM_RESTART_NO_PATCH)) return RSM_LEFT_NO_PATCH;
  if (!candidate->registered && app->type != RSM_APP_SERVICE && !unregistered) return RSM_LEFT_NOT_REGISTERED;
  if (candidate->other_user) return RSM_LEFT_OTHER_USER;
  if (candidate->obstacle) return RSM_LEFT_NOT_RESTORABLE;
  return RSM_LEFT_NONE;
}

unsigned rsm__plan_percent(size_t done, size_t total, bool finished) {
  if (finished) return 100;
  unsigned percent = total ? (unsigned)(done * 100 / total) : 0;
  return percent > 99 ? 99 : percent;
}
