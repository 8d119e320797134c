/* classify.c: SPDX-License-Identifier: MIT */
#include "builtin/classify.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "os/launch.h"
#include "os/user.h"

rsm_status rsm__classifier_init(rsm__classifier *classifier, const rsm_process *stoppable, size_t count,
                                rsm__service_groups *groups, rsm_error *reterr) {
  rsm__carriers *carriers = &classifier->carriers;
  *classifier = (rsm__classifier){.groups = groups, .carriers = {.stoppable = stoppable, .stoppable_count = count}};
  rsm_status status = rsm__registrations_new(&classifier->registrations, reterr);
  if (status != RSM_OK) return status;
  return rsm__process_carriers(&classifier->arena, &carriers->items, &carriers->count, reterr);
}

void rsm__classifier_done(rsm__classifier *classifier) {
  rsm__registrations_free(classifier->registrations);
  rsm__arena_done(&classifier->arena);
}

static void make_critical(rsm_app *app, uint32_t reason, const char *note) {
  app->type = RSM_APP_CRITICAL;
  app->reboot_reasons |= reason;
  app->note = note;
}

/* Is it the main process of the unit that carries us? Its manager knows; where it cannot be asked, descent tells. */
static bool is_our_main(const rsm__classifier *classifier, const rsm__service_group *group,
                        const rsm__subject *subject) {
  if (group->status == RSM_OK && group->facts.main.pid)
    return rsm_process_equal(&subject->app.process, &group->facts.main);
  return rsm__plan_is_main(&subject->app.process, &subject->facts.parent, &classifier->carriers,
                           group->place.id.user_manager);
}

/* A process in a service: one of the service's, or an application all the same. */
static rsm_status set_service(const rsm__classifier *classifier, const rsm__service_place *place, rsm__subject *subject,
                              rsm_error *reterr) {
  rsm__service_group *group;
  rsm_status status = rsm__service_groups_get(classifier->groups, place, &group, reterr);
  if (status != RSM_OK) return status;
  switch (rsm__service_verdict_of(group)) {
  case RSM__VERDICT_SERVICE:
    subject->service = group;
    break;
  case RSM__VERDICT_UNREACHABLE: /* the core of a session is told by what it is, not that it cannot be asked */
    if (!subject->facts.session_core) subject->service = group;
    break;
  case RSM__VERDICT_OURS:
    if (is_our_main(classifier, group, subject))
      make_critical(&subject->app, RSM_REBOOT_DETECTED_SELF,
                    "the main process of the service that the installer runs in");
    break;
  case RSM__VERDICT_APPLICATION:
    break;
  }
  return RSM_OK;
}

static rsm_app_type type_of(const rsm__process_facts *facts) {
  if (facts->desktop_shell) return RSM_APP_EXPLORER;
  if (facts->windows == RSM__WINDOW_MAIN) return RSM_APP_MAIN_WINDOW;
  if (facts->windows == RSM__WINDOW_OTHER) return RSM_APP_OTHER_WINDOW;
  return facts->has_terminal ? RSM_APP_CONSOLE : RSM_APP_UNKNOWN;
}

static rsm_status set_type(const rsm__classifier *classifier, const rsm__process *process, rsm__arena *arena,
                           rsm__subject *subject, rsm_error *reterr) {
  rsm_app *app = &subject->app;
  const rsm__process_facts *facts = &subject->facts;
  if (rsm__plan_carries_us(&classifier->carriers, &app->process)) {
    make_critical(app, RSM_REBOOT_DETECTED_SELF, "the installer itself, or what carries it");
    return RSM_OK;
  }
  if (app->process.pid == 1 || facts->kernel_thread || facts->system_core) {
    make_critical(app, RSM_REBOOT_CRITICAL_PROCESS, facts->session_core);
    return RSM_OK;
  }
  rsm__service_place place;
  rsm_status status = rsm__service_of(classifier->groups->services, process, arena, &place, reterr);
  if (status == RSM_OK && place.id.name) status = set_service(classifier, &place, subject, reterr);
  if (status != RSM_OK || subject->service || app->type == RSM_APP_CRITICAL) return status;
  if (facts->session_core)
    make_critical(app, RSM_REBOOT_CRITICAL_PROCESS, facts->session_core);
  else
    app->type = type_of(facts);
  return RSM_OK;
}

/* Would it come back after an update, and by what? A desktop's shell that would not is better left alone: nobody could
 * start anything any more. */
static rsm_status set_restart(const rsm__classifier *classifier, const rsm__process *process, rsm__arena *arena,
                              rsm__subject *subject, rsm_error *reterr) {
  rsm_app *app = &subject->app;
  RSM_CLEAN_BUFFER rsm__buffer capture = {0};
  rsm__registration registration;
  const char *obstacle = NULL, *unread = NULL;
  rsm_status status =
      rsm__registrations_get(classifier->registrations, process, &subject->facts, arena, &registration, reterr);
  if (rsm__is_shortage(status)) return status;
  if (status != RSM_OK && status != RSM_NOT_FOUND) unread = "its registration could not be read";
  bool registered = status == RSM_OK && !(registration.flags & RSM_RESTART_NO_PATCH);
  status = rsm__launch_capture(process, false, arena, &capture, &obstacle, reterr);
  if (rsm__is_shortage(status) || status == RSM_NOT_FOUND || status == RSM_CANCELLED) return status;
  if (status != RSM_OK) obstacle = "its surroundings may not be read from here";
  if (!obstacle) obstacle = unread;
  if (app->type == RSM_APP_EXPLORER && obstacle) app->reboot_reasons |= RSM_REBOOT_PERMISSION_DENIED;
  app->restartable = registered && !obstacle;
  if (!obstacle) app->restart_by = registered ? RSM_RESTART_BY_REGISTRATION : RSM_RESTART_BY_COMMAND;
  if (!app->note) app->note = obstacle;
  return RSM_OK;
}

static void set_permission(const rsm__process *process, rsm__subject *subject) {
  rsm_app *app = &subject->app;
  if (!subject->facts.same_namespaces) {
    app->reboot_reasons |= RSM_REBOOT_SESSION_MISMATCH;
    if (!app->note) app->note = "it runs in another logon session or namespace";
  }
  if (rsm__process_permit(process, NULL) == RSM_ACCESS_DENIED) app->reboot_reasons |= RSM_REBOOT_PERMISSION_DENIED;
}

rsm_status rsm__classify(const rsm__classifier *classifier, const rsm__process *process, rsm__arena *arena,
                         rsm__subject *ret_subject, rsm_error *reterr) {
  rsm__subject subject = {0};
  rsm__process_facts *facts = &subject.facts;
  rsm_status status = rsm__process_facts_get(process, arena, facts, reterr);
  if (status != RSM_OK) return status;
  subject.app = (rsm_app){.process = *rsm__process_id(process),
                          .started_at = facts->started_at,
                          .name = facts->name,
                          .status = RSM_APP_RUNNING,
                          .logon_session = facts->logon_session,
                          .user = facts->user,
                          .exe = facts->exe,
                          .command = facts->command,
                          .command_count = facts->command_count};
  status = set_type(classifier, process, arena, &subject, reterr);
  if (status != RSM_OK) return status;
  rsm_app *app = &subject.app;
  bool own = !subject.service; /* a service's permission and restart are its manager's */
  if (own && !(app->reboot_reasons & RSM_REBOOT_DETECTED_SELF)) set_permission(process, &subject); /* self: alone */
  if (own && app->type != RSM_APP_CRITICAL) status = set_restart(classifier, process, arena, &subject, reterr);
  if (status == RSM_OK) *ret_subject = subject;
  return status;
}
