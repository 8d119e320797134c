/* service_manager.h: the service control manager, and what one listing or operation knows of it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_SERVICE_MANAGER_H
#define RSM_OS_WINDOWS_SERVICE_MANAGER_H

#include <windows.h>

#include <winsvc.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/common/bounded.h"
#include "os/service.h"

/* A service as the manager listed it. */
typedef struct rsm__listed_service {
  const char *name; /* in its own spelling */
  const char *display_name;
  uint32_t state; /* SERVICE_STOPPED, ... */
  uint32_t pid;   /* 0: none */
  bool has_edges;
  const char *const *needs; /* the services that it depends on; once has_edges */
  size_t need_count;
} rsm__listed_service;

typedef struct rsm__service_list {
  rsm__arena arena;
  rsm__listed_service *items;
  size_t count, capacity;
  uint64_t taken; /* as a process' start time; 0: not yet */
} rsm__service_list;

/* One that was asked to stop through these rsm__services. */
typedef struct rsm__service_asked {
  char *name;
  bool waits;            /* its manager does not take the order yet: something depends on it, or it is on its way */
  rsm__bounded *hanging; /* the order, which has not been answered; NULL: none */
  rsm__process *process; /* what it ran in then; NULL: nothing */
} rsm__service_asked;

struct rsm__services {
  rsm__task *task; /* borrowed */
  SC_HANDLE manager;
  rsm__service_list list;
  rsm__service_asked *asked;
  size_t asked_count, asked_capacity;
};

static inline void rsm__service_handle_close(SC_HANDLE *handle) {
  if (*handle) CloseServiceHandle(*handle);
  *handle = NULL;
}
#define RSM_CLEAN_SERVICE RSM_CLEAN(rsm__service_handle_close)

/* RSM_NO_SUCH_SERVICE: none of that name, or no name that one can have. */
rsm_status rsm__service_open(rsm__services *services, const char *name, DWORD rights, SC_HANDLE *ret_service,
                             rsm_error *reterr);
rsm_status rsm__service_query(SC_HANDLE service, const char *name, SERVICE_STATUS_PROCESS *ret_status,
                              rsm_error *reterr);
/* Not stopped, and what it runs in lives: Wine's manager does not notice when a service's process ends by itself or is
 * ended, and Windows' needs a moment. */
bool rsm__service_is_up(const SERVICE_STATUS_PROCESS *told);
/* Of a service opened with SERVICE_QUERY_CONFIG; to be freed with rsm__free. */
rsm_status rsm__service_config(SC_HANDLE service, const char *name, QUERY_SERVICE_CONFIGW **ret_config,
                               rsm_error *reterr);

/* The list of all services but drivers, asked for once, and anew if it was taken before that time. */
rsm_status rsm__service_list_get(rsm__services *services, uint64_t not_before, rsm_error *reterr);
const rsm__listed_service *rsm__service_list_find(const rsm__services *services, const char *name);
/* What that one depends on, once the list is there. */
rsm_status rsm__service_needs(rsm__services *services, const rsm__listed_service *one, const char *const **ret_needs,
                              size_t *ret_count, rsm_error *reterr);
bool rsm__service_needs_one(const char *const *needs, size_t count, const char *name);

/* The process that the service runs in, by a handle of its own: the manager's number is asked for again while that is
 * open. *ret_process NULL: none, or it has just changed. */
rsm_status rsm__service_process(rsm__services *services, const char *name, rsm__process **ret_process,
                                rsm_error *reterr);

/* Of those that run in the process, as the list says, the one that stands for all: it must be the last to go down, so
 * it is one that needs none of the others. *ret_main NULL: none runs in it (service.c). */
rsm_status rsm__service_main_of(rsm__services *services, uint32_t pid, const rsm__listed_service **ret_main,
                                rsm_error *reterr);

/* Is it ourselves, or one that we descend from? */
rsm_status rsm__service_is_ours(const rsm_process *process, bool *ret_ours, rsm_error *reterr);

rsm__service_asked *rsm__service_asked_find(const rsm__services *services, const char *name);
void rsm__service_asked_done(rsm__service_asked *asked);
/* Gives the order once more to a service that waits for its turn (service_stop.c). */
void rsm__service_push(rsm__services *services, rsm__service_asked *asked);

/* printf into the arena; NULL: out of memory. */
const char *rsm__say(rsm__arena *arena, const char *format, ...) RSM_PRINTF(2, 3);

#endif
