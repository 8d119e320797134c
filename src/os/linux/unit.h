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

/* As systemd lays out its tree: slices, then one unit, then what is that unit's own business. So the first component
 * that is no slice decides, and what a delegated service or a container makes below never does, whatever its name: a
 * sub-group "nginx.service" is not nginx. Only user@UID.service is a border: below it the same rule holds once more,
 * for that user's manager. A name is without the "_" that systemd puts before those that the kernel could mistake
 * ("_cpu.service"). Only a service has a name here. path: as the system's manager sees it. */
rsm__unit rsm__parse_unit(const char *path);

/* The path as the system's manager sees it, a slice of `path`: in a container without a cgroup namespace all paths
 * begin with the container's own. first: the cgroup of the first process, with or without its "/init.scope". NULL: not
 * one of that manager's (a process from outside). */
const char *rsm__unit_path_below(const char *path, const char *first);

/* Is the path in the user's slice of the system's manager (the user's logins, and the user's own manager)? */
bool rsm__parse_user_slice(const char *path, uint32_t uid);

/* logind's id of the session in whose scope the path is ("3" of ".../session-3.scope"). False: none. */
bool rsm__parse_logon_session(const char *path, const char **ret_id, size_t *ret_length);

#endif
