/* service_links.h: what goes down with a service: those that depend on it, and those that depend on these; and where it
 * is stopped for the sake of its process, the other services of that one and what depends on them. What blocks:
 * service_manager.c. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_SERVICE_LINKS_H
#define RSM_OS_WINDOWS_SERVICE_LINKS_H

#include "os/windows/service_manager.h"

/* One that goes down. Text is the list's. */
typedef struct rsm__service_member {
  const rsm__listed_service *listed;
  unsigned depth;     /* 0: the service itself */
  const char **bases; /* at least 1 but for the service itself */
  size_t base_count, base_capacity;
} rsm__service_member;

/* Zero-initialise, with services, whose list must not be read anew while this is used. */
typedef struct rsm__service_set {
  rsm__services *services;
  rsm__service_member *items; /* [0] being the service itself */
  size_t count, capacity;
} rsm__service_set;

/* pid: the process that is to be freed; 0: the others in it may stay. */
rsm_status rsm__service_set_find(rsm__service_set *set, const rsm__listed_service *first, uint32_t pid,
                                 rsm_error *reterr);
void rsm__service_set_done(rsm__service_set *set);

#endif
