/* filter.h: a set of filters, at most one for a target. SPDX-License-Identifier: MIT */
#ifndef RSM_CORE_FILTER_H
#define RSM_CORE_FILTER_H

#include "rsm.h"

struct rsm_filter_list {
  rsm_filter *items; /* text is owned: rsm__free */
  size_t count, capacity;
  /* Do two texts name one program, or service? NULL: if they are equal. */
  bool (*same_name)(const char *a, const char *b);
};

/* RSM_BAD_ARGUMENTS unless exactly one target is set and (need_action) the action is known. */
rsm_status rsm__filter_check(const rsm_filter *filter, bool need_action, rsm_error *reterr);
/* Adds a copy, in the place of the one for the same target if there is one. The list is unchanged on failure. */
rsm_status rsm__filter_add(rsm_filter_list *list, const rsm_filter *filter, rsm_error *reterr);
/* RSM_FILE_NOT_FOUND: none for that target. */
rsm_status rsm__filter_remove(rsm_filter_list *list, const rsm_filter *filter, rsm_error *reterr);
rsm_filter_list *rsm__filter_list_copy(const rsm_filter_list *list); /* NULL: out of memory */
void rsm__filter_list_done(rsm_filter_list *list);                   /* for an embedded one */

/* What the filters say about an application: the most telling target decides (process, service, exe). 0: nothing. */
rsm_filter_action rsm__filter_match(const rsm_filter_list *list, const rsm_app *app);

#endif
