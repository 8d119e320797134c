/* scan_kernel.c: who uses files without being a process: loop devices, swap space, mounts.
 * SPDX-License-Identifier: MIT
 *
 * call                                   | purpose                   | blocks on
 * read /sys/block/loopN/loop/...         | a loop device's file      | nothing
 * read /proc/swaps                       | swap files                | nothing
 * rsm__lookup_places                     | what those paths lead to  | the lookup's limit, once a mount
 *
 * Of the mounts only those are looked at that show part of a file system (a bind mount of a file or directory) on which
 * registered paths lie; other mount namespaces' mounts are not ours to see. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/procfs.h"
#include "os/linux/scan.h"

enum { TEXT_LIMIT = 1024 * 1024, ENTRIES_SIZE = 32 * 1024 };

typedef struct user {
  const char *name; /* "/dev/loop0", "swap", the mount point */
  const char *path; /* of the file that it uses */
  rsm_use_how how;
  uint32_t access;
  bool by_name; /* compare the text only: looking at it could mean any device */
} user;

typedef struct users {
  user *items;
  size_t count;
  size_t capacity;
  rsm__arena arena;
} users;

static void users_done(users *list) {
  rsm__free(list->items);
  rsm__arena_done(&list->arena);
}

/* NULL texts: copying them failed. */
static rsm_status add_user(users *list, user added, rsm_error *reterr) {
  if (!added.name || !added.path || rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof added) < 0)
    return rsm__fail_memory(reterr);
  list->items[list->count++] = added;
  return RSM_OK;
}

static char *copy_of(users *list, const char *text, size_t length) {
  return rsm__arena_copy(&list->arena, text, length);
}

/* ---- Loop devices ---- */

static bool is_read_only(int block, const char *device) {
  char path[280], digit = '0';
  snprintf(path, sizeof path, "%s/ro", device);
  RSM_CLEAN_FD int fd = openat(block, path, O_RDONLY | O_CLOEXEC);
  return fd >= 0 && read(fd, &digit, 1) == 1 && digit == '1';
}

static rsm_status add_loop(users *list, int block, const char *device, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  char path[300];
  snprintf(path, sizeof path, "%s/loop/backing_file", device);
  rsm_status status = rsm__procfs_read(block, path, TEXT_LIMIT, &text, NULL);
  if (status == RSM_OUT_OF_MEMORY) return rsm__fail_memory(reterr);
  if (status != RSM_OK || text.length < 2 || text.data[0] != '/') return RSM_OK; /* not in use */
  snprintf(path, sizeof path, "/dev/%s", device);
  const user loop = {.name = copy_of(list, path, strlen(path)),
                     .path = copy_of(list, (const char *)text.data, text.length - 1), /* without the newline */
                     .how = RSM_USE_LOOP,
                     .access = RSM_ACCESS_READ | (is_read_only(block, device) ? 0u : RSM_ACCESS_WRITE)};
  return add_user(list, loop, reterr);
}

static rsm_status add_loops(users *list, rsm_error *reterr) {
  RSM_CLEAN_FREE char *entries = rsm__malloc(ENTRIES_SIZE);
  if (!entries) return rsm__fail_memory(reterr);
  RSM_CLEAN_FD int block = open("/sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ssize_t length = 0;
  while (block >= 0 && (length = getdents64(block, entries, ENTRIES_SIZE)) > 0) {
    for (ssize_t at = 0; at < length;) {
      const struct dirent64 *entry = (const void *)(entries + at);
      rsm_status status = RSM_OK;
      at += entry->d_reclen;
      if (strncmp(entry->d_name, "loop", 4) == 0) status = add_loop(list, block, entry->d_name, reterr);
      if (status != RSM_OK) return status;
    }
  }
  return RSM_OK; /* no /sys (a container): no loop devices of ours either */
}

/* ---- Swap ---- */

static rsm_status add_swaps(users *list, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  rsm_status status = rsm__procfs_read(AT_FDCWD, "/proc/swaps", TEXT_LIMIT, &text, NULL);
  if (status == RSM_OUT_OF_MEMORY) return rsm__fail_memory(reterr);
  if (status != RSM_OK) return RSM_OK;
  for (const char *at = (const char *)text.data, *end = at + text.length; at < end;) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    size_t length = (size_t)((newline ? newline : end) - at);
    if (length > 0 && *at == '/') { /* not the heading */
      const char *blank = at;
      while (blank < at + length && *blank != ' ' && *blank != '\t') blank++;
      user swap = {.name = "swap", .how = RSM_USE_SWAP, .access = RSM_ACCESS_READ | RSM_ACCESS_WRITE};
      char *path = copy_of(list, at, (size_t)(blank - at));
      if (path) path[rsm__unescape_octal(path, strlen(path))] = '\0';
      swap.path = path;
      if ((status = add_user(list, swap, reterr)) != RSM_OK) return status;
    }
    at += length + 1;
  }
  return RSM_OK;
}

/* ---- Mounts ---- */

static rsm_status add_mounts(users *list, const rsm__targets *targets, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < targets->mounts.count && status == RSM_OK; i++) {
    const rsm__mount *mount = &targets->mounts.items[i];
    user added = {.name = mount->point, .path = mount->point, .how = RSM_USE_MOUNT};
    if (strcmp(mount->root, "/") != 0 && rsm__targets_on_device(targets, mount->dev)) {
      status = add_user(list, added, reterr);
    } else if (mount->source[0] == '/') {
      added.path = mount->source;
      added.by_name = true;
      status = add_user(list, added, reterr);
    }
  }
  return status;
}

/* That a registered directory is itself where something is mounted is no use of it by anybody else. */
static void drop_itself(rsm__uses *uses, const user *u) {
  const rsm__targets *targets = uses->targets;
  rsm__matches *matches = &uses->matches;
  size_t kept = 0;
  for (size_t i = 0; i < matches->count; i++) {
    const rsm__place *now = &targets->paths.now.items[matches->items[i].target];
    bool itself = now->real && strcmp(now->real, u->path) == 0 && S_ISDIR(now->stat.mode);
    if (!itself) matches->items[kept++] = matches->items[i];
  }
  matches->count = kept;
}

static rsm_status add_uses(rsm__scan *scan, rsm__uses *uses, const user *u, const rsm__place *place,
                           rsm_error *reterr) {
  static const rsm_process nobody = {0};
  rsm_use use = {.how = u->how, .access = u->access, .fd = -1};
  size_t length = strlen(u->path), kept = rsm__deleted_name(u->path, length);
  rsm__uses_begin(uses, 0);
  if (place && place->real && place->error == 0) {
    rsm__targets_match_identity(uses->targets, place->stat.dev, place->stat.ino, &uses->matches);
  } else if (u->by_name || kept > 0) {
    use.deleted = !u->by_name;
    rsm__targets_match_name(uses->targets, u->path, u->by_name ? length : kept, &uses->matches);
  } else {
    uses->matches.count = 0;
  }
  if (u->how == RSM_USE_MOUNT) drop_itself(uses, u);
  rsm_status status = rsm__uses_add(uses, &use, reterr);
  return status == RSM_OK && uses->count > 0 ? rsm__findings_add_holder(&scan->found, &nobody, u->name, uses, reterr)
                                             : status;
}

rsm_status rsm__scan_kernel(rsm__scan *scan, rsm_error *reterr) {
  RSM_CLEAN(users_done) users list = {0};
  RSM_CLEAN(rsm__places_done) rsm__places places = {0};
  RSM_CLEAN(rsm__uses_done) rsm__uses uses = {.targets = &scan->targets};
  rsm_status status = add_loops(&list, reterr);
  if (status == RSM_OK) status = add_swaps(&list, reterr);
  if (status == RSM_OK) status = add_mounts(&list, &scan->targets, reterr);
  if (status != RSM_OK || list.count == 0) return status;
  RSM_CLEAN_FREE const char **paths = rsm__malloc(list.count * sizeof *paths);
  if (!paths) return rsm__fail_memory(reterr);
  size_t count = 0;
  for (size_t i = 0; i < list.count; i++)
    if (!list.items[i].by_name) paths[count++] = list.items[i].path;
  if (count > 0) status = rsm__lookup_places(scan->targets.lookup, paths, count, scan->task, &places, reterr);
  for (size_t i = 0, looked = 0; i < list.count && status == RSM_OK; i++) {
    bool by_name = list.items[i].by_name;
    status = add_uses(scan, &uses, &list.items[i], by_name ? NULL : &places.items[looked++], reterr);
  }
  return status;
}
