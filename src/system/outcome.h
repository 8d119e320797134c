/* outcome.h: what has become of applications, from their status before and after. Pure functions.
 *
 * RmShutdown and RmRestart tell one number for all; RmGetList's AppStatus tells the rest, as a history: bits that were
 * set stay. SPDX-License-Identifier: MIT */
#ifndef RSM_SYSTEM_OUTCOME_H
#define RSM_SYSTEM_OUTCOME_H

#include "core/list.h"

/* The entry of the list that is this application: by its process, else, of what has none or is a service, by its short
 * name. NULL: there is none. */
const rsm_app *rsm__outcome_find(const rsm_list *list, const rsm_app *app);

/* Of a shutdown. before: the application's status then, 0: it was not listed. after: now; 0: it is not listed any more.
 * RSM_OUTCOME_COUNT: it had ended long before, in an earlier shutdown. */
rsm_outcome rsm__outcome_of_stop(uint32_t before, uint32_t after);

/* Of a restart, for an application that was stopped before. now: the entry that it has, NULL: none. succeeded: of all
 * that could be started again, says the system. *ret_why: of one that is left stopped. */
rsm_outcome rsm__outcome_of_start(const rsm_app *stopped, const rsm_app *now, bool succeeded, rsm_left_why *ret_why);

/* The restarted application: it has the same name, service and type, and another process. NULL: the list does not show
 * it. taken: processes that were given out already. */
const rsm_app *rsm__outcome_find_successor(const rsm_list *list, const rsm_app *stopped, const rsm_list *taken);

#endif
