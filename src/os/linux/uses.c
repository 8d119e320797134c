/* uses.c: descriptors, the program file, working and root directory; the mappings are in uses_maps.c.
 * SPDX-License-Identifier: MIT
 *
 * call                        | purpose                   | blocks on
 * getdents64 /proc/PID/fd     | descriptor numbers        | nothing
 * statx /proc/PID/fd/N        | the file's identity       | nothing where a cached answer will do (AT_STATX_DONT_SYNC);
 *                             |                           | a file system that revalidates regardless (9p) may wait
 * readlinkat /proc/PID/fd/N   | its name now              | nothing: the kernel's own names
 * read /proc/PID/fdinfo/N     | how it was opened         | nothing
 *
 * All of it runs in a thread that can be given up (scan_proc.c); each step is told.
 * A race remains: a descriptor closed or opened while we look is seen or not. What stays open is always seen. */
#define _GNU_SOURCE
#include "os/linux/uses.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"
#include "os/linux/procfs.h"

enum { ENTRIES_SIZE = 128 * 1024, FDINFO_LIMIT = 64 * 1024 };

void rsm__uses_begin(rsm__uses *uses, uint64_t start_ticks) {
  rsm__arena_done(&uses->arena);
  uses->started = uses->boot_time + (int64_t)start_ticks * uses->tick;
  uses->count = uses->exec_count = 0;
  uses->descriptors_refused = uses->mappings_refused = uses->program_refused = 0;
}

void rsm__uses_done(rsm__uses *uses) {
  rsm__free(uses->items);
  rsm__free(uses->matches.items);
  rsm__buffer_done(&uses->text);
  rsm__buffer_done(&uses->name);
  rsm__free(uses->entries);
  rsm__named_done(&uses->named);
  rsm__buffer_done(&uses->last.text);
  rsm__arena_done(&uses->arena);
}

/* That a process has ended, or a descriptor was closed, is nothing to tell. */
static int refused(int code) {
  return code == ENOENT || code == ESRCH || code == ENOTDIR ? 0 : code;
}

rsm_status rsm__uses_add(rsm__uses *uses, const rsm_use *use, rsm_error *reterr) {
  if (uses->matches.failed) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < uses->matches.count; i++) {
    rsm_use added = *use;
    added.resource = uses->targets->paths.given[uses->matches.items[i].target];
    added.path = rsm__match_path(uses->targets, &uses->matches.items[i], &uses->arena);
    if (!added.path || rsm__grow(&uses->items, &uses->capacity, uses->count + 1, sizeof *uses->items) < 0)
      return rsm__fail_memory(reterr);
    uses->items[uses->count++] = added;
  }
  return RSM_OK;
}

rsm_status rsm__uses_really_named(rsm__uses *uses, const char *path, uint64_t dev, uint64_t ino, bool *ret_really,
                                  rsm_error *reterr) {
  size_t size = strlen(path) + 1;
  /* One deleted library has hundreds of holders: the same question again and again. */
  if (uses->last.text.length != size || memcmp(uses->last.text.data, path, size) != 0 || uses->last.dev != dev ||
      uses->last.ino != ino) {
    RSM_CLEAN_ARENA rsm__arena arena = {0};
    rsm__place place = {0};
    uses->last.text.length = 0;
    rsm__buffer_put(&uses->last.text, path, size);
    if (uses->last.text.failed ||
        !rsm__resolve(uses->job, uses->dead, &(rsm__paths){.items = &path, .count = 1}, &arena, &place))
      return rsm__fail_memory(reterr);
    uses->last.dev = dev;
    uses->last.ino = ino;
    uses->last.answer = rsm__targets_is_place(uses->targets, &place, dev, ino);
    rsm__bounded_touch(uses->job, uses->doing); /* given up: what we find will not be taken */
  }
  *ret_really = uses->last.answer;
  return RSM_OK;
}

/* What the link says, into uses->name, where hits may point to it; 0: nothing. */
static size_t read_name(rsm__uses *uses, int dir, const char *name) {
  char text[PATH_MAX];
  ssize_t length = readlinkat(dir, name, text, sizeof text);
  if (length < 0 || length == sizeof text) length = 0;
  uses->name.length = 0;
  rsm__buffer_put(&uses->name, text, (size_t)length);
  rsm__buffer_put_u8(&uses->name, '\0');
  return (size_t)length;
}

/* Fills matches with what the link's text says was deleted: the name without its suffix is one of ours, and no file
 * really has the name with the suffix. */
static rsm_status match_deleted(rsm__uses *uses, int dir, const char *name, const rsm__stat *stat, rsm_error *reterr) {
  uses->matches.count = 0;
  size_t length = read_name(uses, dir, name);
  if (uses->name.failed) return rsm__fail_memory(reterr);
  const char *text = (const char *)uses->name.data;
  if (length == 0 || text[0] != '/') return RSM_OK;
  size_t kept = rsm__deleted_name(text, length);
  if (kept == 0 && rsm__named_meet(&uses->named, stat->dev, stat->ino))
    rsm__named_add(&uses->named, &uses->targets->mounts, dir, name, stat);
  if (kept == 0) return RSM_OK;
  rsm__targets_match_name(uses->targets, text, kept, &uses->matches);
  if (uses->matches.count == 0) return RSM_OK;
  bool really;
  rsm_status status = rsm__uses_really_named(uses, text, stat->dev, stat->ino, &really, reterr);
  if (status != RSM_OK || really) uses->matches.count = 0;
  return status;
}

/* Identity first; a file without one of ours may still be a deleted predecessor, if it lies on a device of ours. */
static rsm_status match_link(rsm__uses *uses, int dir, const char *name, const rsm__stat *stat, bool *ret_deleted,
                             rsm_error *reterr) {
  *ret_deleted = false;
  rsm__targets_match_identity(uses->targets, stat->dev, stat->ino, &uses->matches);
  if (uses->matches.count > 0 || uses->matches.failed) return RSM_OK;
  bool may_be = S_ISREG(stat->mode) || (S_ISDIR(stat->mode) && uses->targets->has_directories);
  if (!may_be || !rsm__targets_on_device(uses->targets, stat->dev)) return RSM_OK;
  if (stat->links > 0 && rsm__named_has(&uses->named, stat->dev, stat->ino, uses->started)) return RSM_OK;
  *ret_deleted = true;
  return match_deleted(uses, dir, name, stat, reterr);
}

/* The bits of RSM_ACCESS_ from fdinfo; 0 for O_PATH, and when the descriptor was closed meanwhile. */
static uint32_t access_of(rsm__uses *uses, int dir, const char *name) {
  char path[32];
  const char *value;
  size_t length;
  unsigned long flags = 0;
  snprintf(path, sizeof path, "fdinfo/%.20s", name);
  uses->text.length = 0;
  if (rsm__procfs_read_one(dir, path, FDINFO_LIMIT, &uses->text, NULL) != RSM_OK) return 0;
  if (!rsm__parse_line((const char *)uses->text.data, uses->text.length, "flags:", &value, &length)) return 0;
  for (size_t i = 0; i < length && value[i] >= '0' && value[i] <= '7'; i++)
    flags = flags * 8 + (unsigned long)(value[i] - '0');
  if (flags & O_PATH) return 0;
  switch (flags & O_ACCMODE) {
  case O_RDONLY:
    return RSM_ACCESS_READ;
  case O_WRONLY:
    return RSM_ACCESS_WRITE;
  default:
    return RSM_ACCESS_READ | RSM_ACCESS_WRITE; /* 3 as well: ioctl only, on devices */
  }
}

/* Not to be looked at: is its name one of ours? */
static bool is_ours_by_name(rsm__uses *uses, int dir, const char *name) {
  size_t length = read_name(uses, dir, name);
  if (length == 0) return true; /* nothing at all is known of it */
  uses->matches.count = 0;
  rsm__targets_match_name(uses->targets, (const char *)uses->name.data, length, &uses->matches);
  return uses->name.failed || uses->matches.failed || uses->matches.count > 0;
}

static rsm_status take_descriptor(rsm__uses *uses, int dir, int table, const char *name, rsm_error *reterr) {
  rsm__stat stat;
  rsm_use use = {.how = RSM_USE_OPEN};
  uint64_t number;
  if (!rsm__parse_number(name, strlen(name), &number) || number > INT_MAX) return RSM_OK; /* . and .. */
  int code = rsm__stat_at(table, name, 0, &stat);
  if (code != 0) {
    if (code == ENOMEM) return rsm__fail_memory(reterr);
    /* A server's own words about a stale file say nothing of our rights, and count only if it is one of ours. */
    if (code == EACCES || code == EPERM || (refused(code) && is_ours_by_name(uses, table, name)))
      uses->descriptors_refused = code;
    return RSM_OK;
  }
  rsm_status status = match_link(uses, table, name, &stat, &use.deleted, reterr);
  if (status != RSM_OK) return status;
  use.fd = (int)number;
  if (uses->matches.count > 0) use.access = access_of(uses, dir, name);
  return rsm__uses_add(uses, &use, reterr);
}

rsm_status rsm__uses_descriptors(rsm__uses *uses, int dir, rsm_error *reterr) {
  if (!uses->entries && !(uses->entries = rsm__malloc(ENTRIES_SIZE))) return rsm__fail_memory(reterr);
  RSM_CLEAN_FD int table = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (table < 0) {
    uses->descriptors_refused = refused(errno);
    return RSM_OK;
  }
  for (;;) {
    ssize_t length = getdents64(table, uses->entries, ENTRIES_SIZE);
    if (length < 0) uses->descriptors_refused = refused(errno);
    if (length <= 0) return RSM_OK;
    for (ssize_t at = 0; at < length;) {
      const struct dirent64 *entry = (const void *)(uses->entries + at);
      rsm__bounded_tick(uses->job);
      if (atomic_load_explicit(uses->enough, memory_order_relaxed)) return RSM_OK;
      rsm_status status = take_descriptor(uses, dir, table, entry->d_name, reterr);
      if (status != RSM_OK) return status;
      at += entry->d_reclen;
    }
  }
}

rsm_status rsm__uses_some_descriptors(rsm__uses *uses, int dir, const rsm__hints *which, rsm_error *reterr) {
  if (which->count == 0) return RSM_OK;
  RSM_CLEAN_FD int table = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (table < 0) uses->descriptors_refused = refused(errno);
  for (size_t i = 0; i < which->count && table >= 0; i++) {
    char name[16];
    snprintf(name, sizeof name, "%u", (unsigned)which->items[i].value);
    rsm__bounded_tick(uses->job);
    if (atomic_load_explicit(uses->enough, memory_order_relaxed)) return RSM_OK;
    rsm_status status = take_descriptor(uses, dir, table, name, reterr);
    if (status != RSM_OK) return status;
  }
  return RSM_OK;
}

static rsm_status take_link(rsm__uses *uses, int dir, const char *name, rsm_use_how how, uint32_t access, int *ret_code,
                            rsm_error *reterr) {
  rsm__stat stat;
  rsm_use use = {.how = how, .access = access, .fd = -1};
  *ret_code = rsm__stat_at(dir, name, 0, &stat);
  if (*ret_code != 0) return RSM_OK;
  rsm_status status = match_link(uses, dir, name, &stat, &use.deleted, reterr);
  return status == RSM_OK ? rsm__uses_add(uses, &use, reterr) : status;
}

rsm_status rsm__uses_program(rsm__uses *uses, int dir, rsm_error *reterr) {
  int code;
  rsm_status status = take_link(uses, dir, "exe", RSM_USE_EXEC, RSM_ACCESS_READ, &code, reterr);
  uses->program_refused = refused(code);
  uses->exec_count = uses->count;
  return status;
}

rsm_status rsm__uses_directories(rsm__uses *uses, int dir, rsm_error *reterr) {
  int code;
  if (!uses->targets->has_directories) return RSM_OK;
  rsm_status status = take_link(uses, dir, "cwd", RSM_USE_CWD, 0, &code, reterr);
  return status == RSM_OK ? take_link(uses, dir, "root", RSM_USE_ROOT, 0, &code, reterr) : status;
}
