/* scope.h: a unit of its own for a program that is about to be started, so that it outlives whatever started it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SCOPE_H
#define RSM_OS_LINUX_SCOPE_H

#include <stdint.h>

#include "rsm.h"

enum { RSM__SCOPE_NAME_SIZE = 256, RSM__SCOPE_LIMIT_MS = 2000 };

typedef struct rsm__scope_request {
  uint32_t pid;        /* a process that waits for us, and has become its user already */
  uint32_t uid;        /* whom the program runs as */
  const char *program; /* its file */
  const char *cgroup;  /* where the program was before; NULL: not known */
} rsm__scope_request;

/* Makes a transient scope "app-restartmanager-PROGRAM-PID.scope" with that process in it: of its user's own manager;
 * where none runs, and for what root ran outside of its logins, of the system's, if we are root. Limits that an earlier
 * unit set (memory, processor time, tasks) were that unit's: in the scope they do not hold any more.
 *
 * RSM_OK: the process is in it. RSM_NOT_SUPPORTED: systemd does not run here. A shortage (rsm__is_shortage) is ours.
 * Else there is none: no manager for it, or it refused or did not answer; a manager that was too slow may still move
 * the process. Blocks for RSM__SCOPE_LIMIT_MS for the connection, and for as long again for the scope. */
rsm_status rsm__scope_start(const rsm__scope_request *request, rsm_error *reterr);

/* The name of such a scope, by systemd's rules for units of applications. Pure. */
void rsm__scope_name(const char *program, uint32_t pid, char to[RSM__SCOPE_NAME_SIZE]);

typedef enum rsm__scope_manager {
  RSM__SCOPE_USERS_THEN_SYSTEMS, /* the user's; the system's where that user has none */
  RSM__SCOPE_SYSTEMS
} rsm__scope_manager;

/* Whom to ask. cgroup: as the system's manager sees it; NULL: not known. Pure. */
rsm__scope_manager rsm__scope_choose(uint32_t uid, const char *cgroup);

#endif
