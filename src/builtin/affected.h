/* affected.h: from registered resources to the list of applications: who holds them, what each is, what stands in the
 * way of stopping it, and whether it would come back. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_AFFECTED_H
#define RSM_BUILTIN_AFFECTED_H

#include "builtin/builtin.h"
#include "builtin/services.h"
#include "os/process.h"

/* What a shutdown needs to know beside the list: one for each application that runs or is registered, in the list's
 * order. */
typedef struct rsm__live {
  rsm__process *handle; /* kept from the listing, within the budget; else NULL */
  rsm_process parent;
  uint32_t uid;
  const rsm__service_group *service; /* of a service; else NULL. In the arena */
} rsm__live;

typedef struct rsm__affected {
  rsm__arena arena; /* of the services */
  rsm__service_groups groups;
  rsm_list *list;  /* the living first, then what is remembered as stopped */
  rsm__live *live; /* live_count of them */
  size_t live_count, live_capacity;
} rsm__affected;

void rsm__affected_done(rsm__affected *affected);
/* services: connections, borrowed by the result, too. keep_handles: fill live[].handle. RSM_CANCELLED if the task was.
 */
rsm_status rsm__affected_find(rsm__builtin *session, rsm__services *services, rsm__task *task, bool keep_handles,
                              rsm__affected *ret_affected, rsm_error *reterr);

#endif
