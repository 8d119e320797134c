/* unit.h: which unit a cgroup path belongs to. Pure text. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_UNIT_H
#define RSM_OS_LINUX_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsm__unit {
  const char *name; /* a slice of the path, e.g. "nginx.service"; NULL: no service runs it */
  size_t name_length;
  size_t path_length; /* of the path up to and with the unit's name */
  bool user_manager;  /* owned by, or itself, the manager of the user `owner` */
  bool is_manager;    /* the processes of that manager itself; name is NULL then */
  uint32_t owner;
} rsm__unit;

/* The last component that ends in .service or .scope decides: a scope is no service. A scope is a leaf of its manager,
 * so what looks like a service below one belongs to another manager (in a container) and is none here. user@UID.service
 * is a border: what follows is that user's manager's. Nothing is unescaped. */
rsm__unit rsm__parse_unit(const char *path);

/* logind's id of the session in whose scope the path is ("3" of ".../session-3.scope"). False: none. */
bool rsm__parse_logon_session(const char *path, const char **ret_id, size_t *ret_length);

#endif
