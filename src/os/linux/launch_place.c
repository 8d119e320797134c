/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/launch_place.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "os/linux/cgroup.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/procfs.h"
#include "os/linux/scope.h"

/* False also where ours cannot be read: then the other one is entered, which does no harm. */
static rsm_status is_ours(const char *cgroup, bool *ret_ours, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  const char *path = NULL;
  size_t length = 0;
  rsm_status status = rsm__procfs_read(AT_FDCWD, "/proc/thread-self/cgroup", 1 << 16, &text, reterr);
  if (rsm__is_shortage(status)) return status;
  *ret_ours = status == RSM_OK && rsm__parse_line((const char *)text.data, text.length, "0::", &path, &length) &&
              strlen(cgroup) == length && memcmp(cgroup, path, length) == 0;
  return RSM_OK;
}

/* With our rights, not the user's: those of who opens the file count, on older kernels those of who writes. */
static rsm_status enter(const char *cgroup, uint32_t pid, bool *ret_entered, rsm_error *reterr) {
  RSM_CLEAN(rsm__cgroups_done) rsm__cgroups cgroups = {0};
  RSM_CLEAN_FD int dir = -1;
  rsm_status status = rsm__cgroup_open(&cgroups, cgroup, &dir, reterr);
  if (status != RSM_OK) return rsm__is_shortage(status) ? status : RSM_OK;
  RSM_CLEAN_FD int procs = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (procs < 0 && rsm__is_shortage(rsm__errno_status(errno)))
    return rsm__fail_errno(reterr, errno, "openat", "cgroup.procs");
  char text[16];
  int length = snprintf(text, sizeof text, "%u", (unsigned)pid);
  *ret_entered = procs >= 0 && write(procs, text, (size_t)length) == length;
  return RSM_OK;
}

rsm_status rsm__launch_place(const rsm__capture *capture, const rsm__process *process, bool *ret_beside_us,
                             rsm_error *reterr) {
  const rsm__scope_request request = {
      .pid = rsm__process_id(process)->pid, .uid = capture->uid[1], .program = capture->exe, .cgroup = capture->cgroup};
  rsm_status status = rsm__scope_start(&request, reterr);
  if (status == RSM_OK || rsm__is_shortage(status)) return status;
  bool systemd_runs = status != RSM_NOT_SUPPORTED, ours = true, entered = false;
  if (capture->cgroup) {
    status = is_ours(capture->cgroup, &ours, reterr);
    if (status == RSM_OK && !ours) status = enter(capture->cgroup, request.pid, &entered, reterr);
    if (status != RSM_OK) return status;
  }
  /* Where it was before is worth no remark, unless a manager may end the group. */
  *ret_beside_us = ours ? systemd_runs : !entered;
  return RSM_OK;
}
