/* manager.h: the seam behind which a Restart Manager is implemented. Several live in one process, so it is a table.
 *
 * core checks arguments, roles and states before it calls; a manager gets a state of its own making, in calls from one
 * thread at a time (but cancel). Outputs are untouched on failure.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_CORE_MANAGER_H
#define RSM_CORE_MANAGER_H

#include "core/filter.h"
#include "core/list.h"

typedef enum rsm__op_kind { RSM__OP_LIST, RSM__OP_SHUTDOWN, RSM__OP_RESTART } rsm__op_kind;

typedef struct rsm__op_request {
  rsm__op_kind kind;
  rsm_list_options list;
  rsm_shutdown_options shutdown; /* `confirmed` is valid during begin only; timeouts are set */
  rsm_restart_options restart;
} rsm__op_request;

/* Copies into the arena what is `confirmed`, so that the request outlives begin. */
rsm_status rsm__op_request_keep(rsm__op_request *request, rsm__arena *arena, rsm_error *reterr);

typedef struct rsm__manager {
  const char *name;
  /* Among the managers that are available here, the one with the highest preference is the default. */
  int (*preference)(void);
  /* Can it work on this system? The error says why not. Without side effects. */
  bool (*available)(rsm_error *reterr);

  /* A variable of our environment; NULL if it is not set, or if we run with more rights than who set it. */
  const char *(*environment)(const char *name);

  /* Make a session's state; ret_key gets 32 hex digits and a NUL. RSM_NOT_SUPPORTED: an option asks for what this
   * manager never does; another one is taken then, unless it was asked for by name. join, adopt: key is well-formed,
   * lower case; RSM_CREDENTIAL_CONFLICT if this manager has no such session. */
  rsm_status (*start)(const rsm_start_options *options, void **ret_state, char *ret_key, rsm_error *reterr);
  rsm_status (*join)(const char *key, void **ret_state, rsm_error *reterr);
  rsm_status (*adopt)(const char *key, void **ret_state, rsm_error *reterr);
  /* Adds this user's sessions. */
  rsm_status (*sessions)(rsm_sessions *sessions, rsm_error *reterr);

  /* True in a forked child: nothing but free may be called there. */
  bool (*is_forked)(const void *state);
  bool (*owes_restart)(const void *state);
  rsm_status (*end)(void *state, rsm_end_how how, rsm_error *reterr);
  void (*free)(void *state); /* after end, or in a forked child */

  /* resources->files are as the caller gave them. */
  rsm_status (*enroll)(void *state, const rsm_resources *resources, rsm_error *reterr);
  rsm_status (*resources)(void *state, rsm_resource_list *list, rsm_error *reterr);
  rsm_status (*add_filter)(void *state, const rsm_filter *filter, rsm_error *reterr);
  rsm_status (*remove_filter)(void *state, const rsm_filter *filter, rsm_error *reterr);
  rsm_status (*filters)(void *state, rsm_filter_list **ret_list, rsm_error *reterr);
  rsm_status (*run)(void *state, const char *const *argv, size_t argc, rsm_exit *ret_exit, rsm_error *reterr);

  /* One operation at a time; core sees to it. cancel: from any thread, also when there is none. */
  rsm_status (*begin)(void *state, const rsm__op_request *request, void **ret_op, rsm_error *reterr);
  void (*cancel)(void *state);
  rsm_status (*op_step)(void *op, uint32_t timeout_ms, rsm_event *ret_event); /* as rsm_op_step */
  unsigned (*op_percent)(const void *op);
  rsm_status (*op_status)(const void *op, rsm_error *reterr);
  rsm_status (*op_fd)(const void *op, int *ret_fd, rsm_error *reterr);
  rsm_list *(*op_take_list)(void *op);
  rsm_report *(*op_take_report)(void *op);
  void (*op_free)(void *op); /* cancels and settles it if it is not done; in a forked child only frees */
} rsm__manager;

/* The managers of this build, NULL-terminated (src/managers.c). */
extern const rsm__manager *const rsm__managers[];

#endif
