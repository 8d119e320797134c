/* service.c: services as the cgroup names them. Control of them is not part of this version.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/service.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"
#include "os/linux/unit.h"

/* We may be in the unit's own cgroup or in one below it. */
static bool carries_us(const char *path, const rsm__unit *unit, rsm__arena *arena) {
  const char *ours = NULL;
  RSM_CLEAN_FD int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self < 0 || rsm__procfs_cgroup(self, arena, &ours, NULL) != RSM_OK || !ours) return false;
  if (strncmp(ours, path, unit->path_length) != 0) return false;
  return ours[unit->path_length] == '/' || ours[unit->path_length] == '\0';
}

rsm_status rsm__service_of(const rsm__process *process, rsm__arena *arena, rsm__service *ret_service,
                           rsm_error *reterr) {
  RSM_CLEAN_FD int dir = -1;
  rsm_status status = rsm__process_open_proc(process, &dir, reterr);
  if (status != RSM_OK) return status;
  const char *path;
  status = rsm__procfs_cgroup(dir, arena, &path, reterr);
  if (status != RSM_OK) return status;
  rsm__service service = {0};
  if (!path) path = "";
  rsm__unit unit = rsm__parse_unit(path);
  if (unit.name) {
    service.name = rsm__arena_copy(arena, unit.name, unit.name_length);
    if (!service.name) return rsm__fail_memory(reterr);
    service.user_manager = unit.user_manager;
    service.owner = unit.owner;
    service.carries_us = carries_us(path, &unit, arena);
  }
  *ret_service = service;
  return RSM_OK;
}

rsm_status rsm__service_control(rsm_error *reterr) {
  return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL, "services cannot be controlled by this version");
}
