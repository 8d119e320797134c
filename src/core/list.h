/* list.h: building lists of applications and reports. Everything a list points to lives in its arena.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_CORE_LIST_H
#define RSM_CORE_LIST_H

#include "base/arena.h"
#include "rsm.h"

struct rsm_list {
  rsm__arena arena;
  rsm_app *apps;
  size_t count, capacity;
  rsm_unreadable *unreadable;
  size_t unreadable_count, unreadable_capacity;
  uint32_t reboot_reasons;
  bool complete;
};

rsm_list *rsm__list_new(void); /* complete until something is added to unreadable; NULL: out of memory */
/* A zeroed entry, valid until the next one is added. NULL: out of memory. */
rsm_app *rsm__list_add(rsm_list *list);
/* Adds a deep copy. */
rsm_status rsm__list_add_copy(rsm_list *list, const rsm_app *app, rsm_error *reterr);
rsm_status rsm__list_add_unreadable(rsm_list *list, const rsm_unreadable *what, rsm_error *reterr);
/* The entry of that process (also as one of a service's), NULL if there is none. */
rsm_app *rsm__list_find(const rsm_list *list, const rsm_process *process);

/* What to call it in an error: "editor (pid 12)", "nginx, A web server". Returns buf. */
const char *rsm__app_subject(const rsm_app *app, char *buf, size_t size);

/* Copies everything that app points to into the arena. */
rsm_status rsm__app_copy(rsm__arena *arena, const rsm_app *app, rsm_app *ret_app, rsm_error *reterr);

struct rsm_report {
  rsm_list *lists[RSM_OUTCOME_COUNT]; /* NULL: empty */
};

rsm_report *rsm__report_new(void);
rsm_status rsm__report_add(rsm_report *report, rsm_outcome outcome, const rsm_app *app, rsm_error *reterr);

/* Sessions of the store, for rsm_sessions_list. */
struct rsm_sessions {
  rsm__arena arena;
  rsm_session_info *items;
  size_t count, capacity;
};

/* Adds one; text is copied, the list of what it stopped is taken over on success. */
rsm_status rsm__sessions_add_take(rsm_sessions *sessions, const rsm_session_info *info, rsm_list *stopped,
                                  rsm_error *reterr);

/* Registered resources, as a snapshot. */
struct rsm_resource_list {
  rsm__arena arena;
  rsm_resource *items;
  size_t count, capacity;
};

rsm_resource_list *rsm__resource_list_new(void);
rsm_status rsm__resource_list_add(rsm_resource_list *list, const rsm_resource *resource, rsm_error *reterr);

#endif
