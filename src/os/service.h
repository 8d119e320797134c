/* service.h: services, always through their manager (Linux: systemd's units; Windows: the service control manager):
 * which service runs a process, what stands in the way of stopping it, what goes down with it, stopping and starting.
 *
 * A service belongs to the system's manager or to a user's own. Everything that a manager says is untrusted text.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_SERVICE_H
#define RSM_OS_SERVICE_H

#include "os/process.h"

/* One service (or what starts one: a socket, a timer) of one manager. */
typedef struct rsm__service_id {
  const char *name;  /* the manager's full name for it: "nginx.service" (Windows: "Spooler"); NULL: none */
  bool user_manager; /* a user's manager, not the system's (Windows: never) */
  uint32_t owner;    /* that user's uid; 0 for the system's */
} rsm__service_id;

bool rsm__service_id_equal(const rsm__service_id *a, const rsm__service_id *b);
/* What people call it: "nginx" for "nginx" and "nginx.service", other names whole. The name, or in the arena; NULL: out
 * of memory. */
const char *rsm__service_short_name(const char *name, rsm__arena *arena);

/* ---- Talking to the managers ---- */

/* The connections that one listing or one operation needs, opened when they are needed first. Used by one thread.
 * A manager that does not answer within a few seconds is not asked again through the same rsm__services. */
typedef struct rsm__services rsm__services;
/* The task (NULL: none) is borrowed: cancelling it ends waits, not single questions. */
rsm_status rsm__services_new(rsm__task *task, rsm__services **ret_services, rsm_error *reterr);
rsm__services *rsm__services_free(rsm__services *services); /* NULL-tolerant; returns NULL */

/* ---- Which service runs a process ---- */

typedef struct rsm__service_place {
  rsm__service_id id; /* name NULL: none */
  const char *group;  /* where its manager must say that its processes are, else it is another's (Linux: a container's
                       * control group; Windows: the process itself, which may run other services besides) */
  bool carries_us;    /* we are in it, too */
} rsm__service_place;

/* Linux: by the process' cgroup; no manager is asked. A process in a scope (a desktop application, a terminal's tab, a
 * login) belongs to none, and so does a desktop's application that was started as a service of its own (app-*.service
 * that is transient: inspect tells). Windows: by the manager's list, which `services` keeps. What its service has
 * started is no part of the service there. Text in the arena. */
rsm_status rsm__service_of(rsm__services *services, const rsm__process *process, rsm__arena *arena,
                           rsm__service_place *ret_place, rsm_error *reterr);

/* ---- Asking about services ---- */

/* The service that people call `name`: of the system's manager, else of our own user's. An alias becomes the main name.
 * RSM_NOT_SUPPORTED: there is no manager here that could be asked. RSM_NO_SUCH_SERVICE: unknown, a template without an
 * instance, or not the name of a service; in words. */
rsm_status rsm__service_resolve(rsm__services *services, const char *name, rsm__arena *arena, rsm__service_id *ret_id,
                                rsm_error *reterr);

typedef enum rsm__service_activity {
  RSM__SERVICE_DOWN,     /* not active, and none of its processes is left */
  RSM__SERVICE_RUNNING,  /* active, or on its way up */
  RSM__SERVICE_STOPPING, /* on its way down, or waits for its turn */
  RSM__SERVICE_REMAINS   /* not active for its manager, but processes of it are left (systemd: KillMode=process) */
} rsm__service_activity;

/* What a service's stop takes with it or has to hold. */
typedef enum rsm__service_role {
  RSM__SERVICE_ITSELF,
  RSM__SERVICE_DEPENDENT, /* goes down with it; started after it */
  RSM__SERVICE_LISTENER,  /* a socket that would start it again: stopped first, and started before it */
  RSM__SERVICE_STARTER    /* a timer, a path, an upholder: stopped first, started last */
} rsm__service_role;

typedef struct rsm__service_link {
  rsm__service_id id;
  const char *description;  /* never NULL */
  rsm__service_role role;   /* never ITSELF */
  unsigned depth;           /* steps from the service that it depends on, by the longest way; at least 1 */
  const char *const *bases; /* the full names of those that it goes down with, or that it would start: at least 1 */
  size_t base_count;
  const char *const
      *after; /* the full names of those that its manager starts before it, whether or not it needs them */
  size_t after_count;
} rsm__service_link;

/* Text and arrays in the arena. */
typedef struct rsm__service_facts {
  rsm__service_id id;      /* by its main name */
  const char *description; /* never NULL; its name if it has none */
  rsm__service_activity activity;
  rsm_process main;             /* pid 0: it has none, or none that can be named safely */
  const rsm_process *processes; /* all that it runs, the main one first */
  size_t process_count;
  bool application;               /* a desktop's application in a unit of its own: no service to us */
  bool carries_us;                /* we are in it or in something that goes down with it */
  const char *critical;           /* why it must not be stopped; NULL: it may be. Of what goes down with it, too */
  const char *refusal;            /* why its manager would not stop it for us; NULL: it would */
  const char *obstacle;           /* why it could not be started again; NULL: it could */
  const char *note;               /* a remark: its unit file has changed; what goes with it and stays down */
  const rsm__service_link *links; /* what is active now and goes down with it, or is held while it is down */
  size_t link_count;
  const char *const *after; /* as in a link */
  size_t after_count;
} rsm__service_facts;

/* place: as rsm__service_of gave it, or only its id. RSM_NO_SUCH_SERVICE: its manager knows none of that name, or what
 * it knows by that name is elsewhere (place->group). RSM_NOT_SUPPORTED: no manager can be asked from here.
 * RSM_ACCESS_DENIED: we may not ask that one. RSM_TIMEOUT: it does not answer. Nothing is started or stopped, and
 * nobody is asked for a password. */
rsm_status rsm__service_inspect(rsm__services *services, const rsm__service_place *place, rsm__arena *arena,
                                rsm__service_facts *ret_facts, rsm_error *reterr);

/* One question. RSM_NO_SUCH_SERVICE: forgotten by its manager, so it is down. */
rsm_status rsm__service_look(rsm__services *services, const rsm__service_id *id, rsm__service_activity *ret_activity,
                             rsm_error *reterr);

/* Asks the manager to stop it, and returns. RSM_NO_SUCH_SERVICE: it is down and forgotten. RSM_ACCESS_DENIED. */
rsm_status rsm__service_stop(rsm__services *services, const rsm__service_id *id, rsm_error *reterr);
/* Ends all its processes at once, through the manager. RSM_NO_SUCH_SERVICE: none left. */
rsm_status rsm__service_kill(rsm__services *services, const rsm__service_id *id, rsm_error *reterr);
/* Blocks until a manager has told of something that one may want to look at, deadline_ms (rsm__clock_ms) has come, or
 * the task is cancelled. Returns early now and then. */
void rsm__services_wait(rsm__services *services, uint64_t deadline_ms);

/* Starts it and waits until its manager says that it is up (a one-shot job: until it has begun), for as long as its
 * manager gives it, 10 minutes at most. Up already: success. *ret_main: its main process, pid 0 if it has none.
 * RSM_GEN_FAILURE: it failed; the manager's reason in words. RSM_NO_SUCH_SERVICE, RSM_ACCESS_DENIED, RSM_TIMEOUT.
 * RSM_CANCELLED: it may still come up. */
rsm_status rsm__service_start(rsm__services *services, const rsm__service_id *id, rsm_process *ret_main,
                              rsm_error *reterr);

#endif
