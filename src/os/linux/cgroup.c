/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/procfs.h"

enum { DEPTH_MAX = 16, FOLDERS_MAX = 8192, PIDS_MAX = 1 << 17, TEXT_MAX = 1 << 20 };

void rsm__cgroups_done(rsm__cgroups *cgroups) {
  rsm__mounts_done(&cgroups->mounts);
}

bool rsm__cgroup_within(const char *path, const char *group) {
  return strcmp(group, "/") == 0 || rsm__path_within(path, group);
}

static bool has_option(const char *options, const char *wanted) {
  size_t length = strlen(wanted);
  for (const char *at = options; at; at = strchr(at, ',')) {
    if (*at == ',') at++;
    if (strncmp(at, wanted, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
  }
  return false;
}

static bool is_hierarchy(const rsm__mount *mount) {
  return strcmp(mount->type, "cgroup2") == 0 ||
         (strcmp(mount->type, "cgroup") == 0 && has_option(mount->options, "name=systemd"));
}

/* A part of the path that leads upwards would leave the group. */
static bool has_dots(const char *group) {
  for (const char *at = strstr(group, "/.."); at; at = strstr(at + 1, "/.."))
    if (at[3] == '/' || at[3] == '\0') return true;
  return false;
}

rsm_status rsm__cgroup_open(rsm__cgroups *cgroups, const char *group, int *ret_dir, rsm_error *reterr) {
  if (!cgroups->is_read) {
    rsm_status status = rsm__mounts_read(&cgroups->mounts, reterr);
    if (status != RSM_OK) return status;
    cgroups->is_read = true;
  }
  for (size_t i = 0; i < cgroups->mounts.count && !has_dots(group); i++) {
    const rsm__mount *mount = &cgroups->mounts.items[i];
    if (!is_hierarchy(mount) || !rsm__cgroup_within(group, mount->root)) continue;
    const char *below = strcmp(mount->root, "/") == 0 ? group : group + strlen(mount->root);
    char path[8192];
    int length = snprintf(path, sizeof path, "%s%s", mount->point, below);
    if (length < 0 || (size_t)length >= sizeof path) continue;
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0) {
      *ret_dir = dir;
      return RSM_OK;
    }
    if (rsm__is_shortage(rsm__errno_status(errno))) return rsm__fail_errno(reterr, errno, "open", path);
  }
  return rsm__fail(reterr, RSM_NOT_FOUND, group, "no such control group");
}

/* ---- Processes ---- */

typedef struct pid_list {
  uint32_t *items;
  size_t count, capacity;
  size_t folders;
} pid_list;

static void pid_list_done(pid_list *list) {
  rsm__free(list->items);
}

static rsm_status fail_too_many(rsm_error *reterr) {
  return rsm__fail(reterr, RSM_MORE_DATA, NULL, "the control group has too many processes or groups in it");
}

static rsm_status add_pids(int dir, pid_list *list, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  rsm_status status = rsm__procfs_read(dir, "cgroup.procs", TEXT_MAX, &text, reterr);
  if (status == RSM_MORE_DATA || rsm__is_shortage(status)) return status;
  if (status != RSM_OK) return RSM_OK; /* removed meanwhile, or a group of threads: its processes are above */
  const char *at = (const char *)text.data, *end = at + text.length;
  while (at < end) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    if (!stop) stop = end;
    uint64_t pid;
    if (rsm__parse_number(at, (size_t)(stop - at), &pid) && pid > 0 && pid <= INT32_MAX) {
      if (list->count == PIDS_MAX) return fail_too_many(reterr);
      if (rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
        return rsm__fail_memory(reterr);
      list->items[list->count++] = (uint32_t)pid;
    }
    at = stop + 1;
  }
  return RSM_OK;
}

static void clean_close_dir(DIR **dir) {
  if (*dir) closedir(*dir);
}

/* Takes fd over. */
static rsm_status add_group(int *fd, unsigned depth, pid_list *list, rsm_error *reterr) {
  RSM_CLEAN_FD int own = rsm__fd_take(fd);
  if (depth == DEPTH_MAX || ++list->folders > FOLDERS_MAX) return fail_too_many(reterr);
  rsm_status status = add_pids(own, list, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN(clean_close_dir) DIR *dir = fdopendir(own);
  if (!dir) return rsm__fail_errno(reterr, errno, "fdopendir", NULL);
  own = -1;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    int below = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below < 0 && rsm__is_shortage(rsm__errno_status(errno)))
      return rsm__fail_errno(reterr, errno, "openat", entry->d_name);
    if (below >= 0) status = add_group(&below, depth + 1, list, reterr);
    if (status != RSM_OK) return status;
  }
  return RSM_OK;
}

rsm_status rsm__cgroup_pids(rsm__cgroups *cgroups, const char *group, rsm__arena *arena, const uint32_t **ret_pids,
                            size_t *ret_count, rsm_error *reterr) {
  RSM_CLEAN(pid_list_done) pid_list list = {0};
  int dir = -1;
  rsm_status status = rsm__cgroup_open(cgroups, group, &dir, reterr);
  if (status == RSM_OK) status = add_group(&dir, 0, &list, reterr);
  if (status != RSM_OK && status != RSM_NOT_FOUND) return status;
  uint32_t *pids = rsm__arena_alloc(arena, (list.count + 1) * sizeof *pids);
  if (!pids) return rsm__fail_memory(reterr);
  if (list.count) memcpy(pids, list.items, list.count * sizeof *pids);
  *ret_pids = pids;
  *ret_count = list.count;
  return RSM_OK;
}
