/* cgroup.h: the hierarchy of control groups in which systemd keeps its units: cgroup2, or where that says nothing the
 * one named systemd. Paths are as /proc/PID/cgroup and a unit's ControlGroup give them, "/system.slice/nginx.service":
 * so seen from our own cgroup namespace, which is the service manager's unless somebody has unshared it. Then no path
 * of ours is equal to one of its, and no unit is found.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_CGROUP_H
#define RSM_OS_LINUX_CGROUP_H

#include "os/linux/mounts.h"

/* Where the hierarchies are mounted, read once. Zero-initialise. */
typedef struct rsm__cgroups {
  rsm__mounts mounts;
  bool is_read;
} rsm__cgroups;
void rsm__cgroups_done(rsm__cgroups *cgroups);

/* The folder of that group, for openat; the caller closes it. RSM_NOT_FOUND: there is no such group (any more), or its
 * hierarchy is not mounted here. */
rsm_status rsm__cgroup_open(rsm__cgroups *cgroups, const char *group, int *ret_dir, rsm_error *reterr);

/* The pids in that group and all below it, in the arena; processes of a pid namespace that is not ours are passed over.
 * No such group: none. RSM_MORE_DATA: more than can be meant. */
rsm_status rsm__cgroup_pids(rsm__cgroups *cgroups, const char *group, rsm__arena *arena, const uint32_t **ret_pids,
                            size_t *ret_count, rsm_error *reterr);

/* Whether path is that group or one below it. */
bool rsm__cgroup_within(const char *path, const char *group);

#endif
