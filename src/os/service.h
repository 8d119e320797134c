/* service.h: which service a process belongs to, and what can be asked of its manager.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_SERVICE_H
#define RSM_OS_SERVICE_H

#include "os/process.h"

typedef struct rsm__service {
  const char *name;  /* "nginx.service"; NULL: the process belongs to none */
  bool user_manager; /* owned by a user's manager, not the system's */
  uint32_t owner;    /* that user's uid */
  bool carries_us;   /* we are in it, too */
} rsm__service;

/* The service that runs the process, by the last .service component of its cgroup; a process in a scope below a service
 * (a desktop application, a terminal's tab, a login) belongs to none. Text in the arena. */
rsm_status rsm__service_of(const rsm__process *process, rsm__arena *arena, rsm__service *ret_service,
                           rsm_error *reterr);

/* Can services be stopped and started here? RSM_NOT_SUPPORTED says why not. */
rsm_status rsm__service_control(rsm_error *reterr);

#endif
