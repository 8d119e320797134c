/* services.h: the services among those who use something: each is one application, however many processes it has.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_SERVICES_H
#define RSM_BUILTIN_SERVICES_H

#include "builtin/filters.h"
#include "core/list.h"
#include "os/service.h"

/* One service, asked about once a listing. */
typedef struct rsm__service_group {
  rsm__service_place place;
  rsm_status status;        /* what its manager answered */
  rsm_error why;            /* if that was not RSM_OK */
  rsm__service_facts facts; /* if it was */
  bool registered;          /* as a resource */
  bool affected;
  uint32_t masks; /* RSM_APP_SHUTDOWN_MASKED: a filter keeps one of its processes */
  rsm_app first;  /* the first of its processes that was found; name NULL: none was */
  rsm_use *uses;
  size_t use_count, use_capacity;
  rsm_process *users; /* those of its processes that were found */
  size_t user_count, user_capacity;
} rsm__service_group;

/* All that one listing meets. The arena and the connections are borrowed. */
typedef struct rsm__service_groups {
  rsm__services *services;
  rsm__arena *arena;
  rsm__service_group **items;
  size_t count, capacity;
} rsm__service_groups;

void rsm__service_groups_done(rsm__service_groups *groups);
/* The group of that place (without a place->group: of whatever its manager knows by that name), its manager being asked
 * at the first time. Fails for want of memory or descriptors only:
 * else group->status tells. */
rsm_status rsm__service_groups_get(rsm__service_groups *groups, const rsm__service_place *place,
                                   rsm__service_group **ret_group, rsm_error *reterr);

/* By its manager's main name for it, if that is known. */
const rsm__service_id *rsm__service_group_id(const rsm__service_group *group);

typedef enum rsm__service_verdict {
  RSM__VERDICT_SERVICE,     /* its processes are the service's */
  RSM__VERDICT_UNREACHABLE, /* they are, but its manager cannot be asked */
  RSM__VERDICT_APPLICATION, /* each is an application of its own: a desktop's, or its manager does not know it */
  RSM__VERDICT_OURS         /* the service that carries us: its main process is critical, the others applications */
} rsm__service_verdict;
rsm__service_verdict rsm__service_verdict_of(const rsm__service_group *group);

/* A process of the service joins its entry. app: as classified and masked; its uses outlive the groups. */
rsm_status rsm__service_group_join(rsm__service_groups *groups, rsm__service_group *group, const rsm_app *app,
                                   rsm_error *reterr);

/* The application that a service is; its text lives as long as the arena and the groups. *ret_listed false: it is none
 * any more (it has ended meanwhile, and nobody registered it). */
rsm_status rsm__service_group_app(const rsm__service_groups *groups, const rsm__service_group *group,
                                  rsm__lookup *lookup, rsm__task *task, bool *ret_listed, rsm_app *ret_app,
                                  rsm_error *reterr);

/* The application that something is which goes down with a service. */
rsm_status rsm__service_link_app(const rsm__service_groups *groups, const rsm__service_link *link, rsm__lookup *lookup,
                                 rsm__task *task, rsm_app *ret_app, const char **ret_obstacle, rsm_error *reterr);

/* Sets the masked bits that the filters ask for; a service is kept, too, where its stop would take down one that a
 * filter keeps. */
rsm_status rsm__service_group_mask(const rsm__service_groups *groups, const rsm__service_group *group,
                                   const rsm__filters *filters, rsm__lookup *lookup, rsm__task *task, rsm_app *app,
                                   rsm_error *reterr);

#endif
