/* service_links.h: what goes down with a unit, and what would start it again. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SERVICE_LINKS_H
#define RSM_OS_LINUX_SERVICE_LINKS_H

#include "os/linux/service_units.h"

/* What follows from the links for the unit itself; text in the arena, NULL: nothing. */
typedef struct rsm__service_closure {
  const rsm__service_link *links; /* by depth */
  size_t count;
  bool carries_us;
  const char *critical, *refusal, *obstacle;
} rsm__service_closure;

/* The units that are up now and go down with that one or with each other, and those that would start one of them again
 * while it is down. own_group: our own control group; NULL: not known. */
rsm_status rsm__service_links(rsm__bus *bus, const rsm__service_id *id, const rsm__unit_facts *unit,
                              const char *own_group, rsm__arena *arena, rsm__service_closure *ret_closure,
                              rsm_error *reterr);

/* Why a unit must not be stopped, in words; NULL: it may be. */
const char *rsm__unit_critical(const rsm__unit_facts *unit);

#endif
