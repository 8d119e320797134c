/* uses_maps.c: a process' mappings. SPDX-License-Identifier: MIT
 *
 * call                          | purpose                      | blocks on
 * rsm__mappings_...             | device, inode, name          | see mappings.c
 * openat2, statx of a name      | when a mapped file changed   | nothing: only from memory, only on local file systems
 * statx /proc/PID/map_files/x   | the identity of a mapping    | nothing where a cached answer will do; needs a
 *                               | whose device tells nothing   | capability, without which the name has to do
 *
 * All of it runs in a thread that can be given up (scan_proc.c); each step is told. The device in maps is the
 * superblock's: on btrfs and overlay not the one that stat shows. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "os/linux/fd.h"
#include "os/linux/mappings.h"
#include "os/linux/os_error.h"
#include "os/linux/uses.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* A file that had hits, and the uses that it gave: a library is several mappings, and is said once. */
typedef struct seen_file {
  uint64_t dev, ino;
  size_t first, count;
} seen_file;

/* A process being looked at. */
typedef struct looking {
  rsm__uses *uses;
  int dir;
  rsm_error *reterr;
  rsm__mappings mappings;
  seen_file *seen;
  size_t seen_capacity;
  rsm__index by_identity;      /* of what was seen */
  uint64_t last_dev, last_ino; /* the mapping before this one: mostly the same file */
  uint32_t last;               /* its number in seen; RSM_INDEX_END: had no hits */
} looking;

static void looking_done(looking *l) {
  rsm__mappings_done(&l->mappings);
  rsm__free(l->seen);
  rsm__index_done(&l->by_identity);
}

/* What map_files says it is. False: not permitted, or no longer mapped. */
static bool stat_mapping(const looking *l, const rsm__mapping *mapping, rsm__stat *ret_stat) {
  char path[64];
  snprintf(path, sizeof path, "map_files/%" PRIx64 "-%" PRIx64, mapping->start, mapping->end);
  return rsm__stat_at(l->dir, path, 0, ret_stat) == 0;
}

static bool same_mount_namespace(const looking *l) {
  rsm__stat ours, theirs;
  return rsm__stat_at(AT_FDCWD, "/proc/self/ns/mnt", 0, &ours) == 0 &&
         rsm__stat_at(l->dir, "ns/mnt", 0, &theirs) == 0 && ours.ino == theirs.ino;
}

/* Fills matches by the mapping's name, which is left in uses->name, NUL-terminated. In maps' text: with its newlines
 * restored or, if that is nothing of ours, as it stands, since the kernel does not escape a backslash that was really
 * there. */
static rsm_status match_name(looking *l, const rsm__mapping *mapping, bool deleted) {
  rsm__uses *uses = l->uses;
  bool escaped =
      !l->mappings.by_query && mapping->name_length > 3 && memmem(mapping->name, mapping->name_length, "\\012", 4);
  uses->matches.count = 0;
  for (int raw = 0; raw <= (escaped ? 1 : 0) && uses->matches.count == 0; raw++) {
    size_t length = mapping->name_length;
    uses->name.length = 0;
    rsm__buffer_put(&uses->name, mapping->name, length);
    rsm__buffer_put_u8(&uses->name, '\0');
    if (uses->name.failed) return rsm__fail_memory(l->reterr);
    char *name = (char *)uses->name.data;
    if (escaped && !raw) name[length = rsm__mapping_name(mapping, name)] = '\0'; /* it only gets shorter */
    if (deleted) length = rsm__deleted_name(name, length);
    rsm__targets_match_name(uses->targets, name, length, &uses->matches);
  }
  return RSM_OK;
}

/* The inode number is one of ours but the device is not: ask what it really is, or, where that is not permitted, go by
 * the name, which means the same file only if we see the same mounts. */
static rsm_status match_by_look(looking *l, rsm__mapping *mapping) {
  rsm__uses *uses = l->uses;
  rsm__stat stat;
  if (stat_mapping(l, mapping, &stat)) {
    rsm__targets_match_identity(uses->targets, stat.dev, stat.ino, &uses->matches);
    return RSM_OK;
  }
  if (rsm__mappings_name(&l->mappings, mapping) != 0) return rsm__fail_memory(l->reterr);
  rsm_status status = match_name(l, mapping, false);
  if (status != RSM_OK) return status;
  rsm__targets_keep_inode(uses->targets, mapping->ino, &uses->matches);
  if (uses->matches.count > 0 && !same_mount_namespace(l)) uses->matches.count = 0;
  return RSM_OK;
}

/* On a device of ours? Older overlay shows the device of the layer below: then what map_files says counts. */
static bool on_our_device(const looking *l, const rsm__mapping *mapping) {
  rsm__stat stat;
  if (rsm__targets_on_device(l->uses->targets, mapping->dev)) return true;
  return stat_mapping(l, mapping, &stat) && rsm__targets_on_device(l->uses->targets, stat.dev);
}

/* The name is looked up in the kernel's memory only (Linux 5.12), so that no mount can hold us; map_files would wait
 * for the process' memory lock. Of two files that show the same numbers in maps (btrfs) neither is taken for the other.
 */
static void remember_named(looking *l, const rsm__mapping *mapping) {
  rsm__uses *uses = l->uses;
  rsm__stat stat;
  if (!rsm__named_meet(&uses->named, mapping->dev, mapping->ino)) return;
  struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_CACHED};
  uses->name.length = 0;
  rsm__buffer_put(&uses->name, mapping->name, mapping->name_length);
  rsm__buffer_put_u8(&uses->name, '\0');
  if (uses->name.failed) return;
  RSM_CLEAN_FD int file = (int)syscall(SYS_openat2, AT_FDCWD, uses->name.data, &how, sizeof how);
  if (file >= 0 && rsm__stat_at(file, "", AT_EMPTY_PATH, &stat) == 0 && stat.dev == mapping->dev &&
      stat.ino == mapping->ino)
    rsm__named_add(&uses->named, &uses->targets->mounts, file, "", &stat);
}

static rsm_status match_deleted(looking *l, rsm__mapping *mapping) {
  rsm__uses *uses = l->uses;
  uses->matches.count = 0;
  if (l->mappings.by_query && rsm__named_has(&uses->named, mapping->dev, mapping->ino, uses->started)) return RSM_OK;
  if (rsm__mappings_name(&l->mappings, mapping) != 0) return rsm__fail_memory(l->reterr);
  if (mapping->name_length == 0 || mapping->name[0] != '/') return RSM_OK;
  if (rsm__deleted_name(mapping->name, mapping->name_length) == 0) {
    if (l->mappings.by_query) remember_named(l, mapping);
    return RSM_OK;
  }
  rsm_status status = match_name(l, mapping, true);
  if (status != RSM_OK) return status;
  if (uses->matches.count == 0 || !on_our_device(l, mapping)) {
    uses->matches.count = 0;
    return RSM_OK;
  }
  bool really;
  const char *name = (const char *)uses->name.data;
  status = rsm__uses_really_named(uses, name, mapping->dev, mapping->ino, &really, l->reterr);
  if (status != RSM_OK || really) uses->matches.count = 0;
  return status;
}

static bool same_file(const rsm_use *a, const rsm_use *b) {
  return a->resource == b->resource && a->deleted == b->deleted && strcmp(a->path, b->path) == 0;
}

/* The running image is mapped by its nature: said once. */
static void drop_program(rsm__uses *uses, size_t first) {
  size_t kept = first;
  for (size_t i = first; i < uses->count; i++) {
    bool is_program = false;
    for (size_t e = 0; e < uses->exec_count && !is_program; e++)
      is_program = same_file(&uses->items[e], &uses->items[i]);
    if (!is_program) uses->items[kept++] = uses->items[i];
  }
  uses->count = kept;
}

/* Only a shared writable mapping writes the file. */
static uint32_t access_of(const rsm__mapping *mapping) {
  return RSM_ACCESS_READ | (mapping->write && mapping->shared ? RSM_ACCESS_WRITE : 0u);
}

static rsm_status remember(looking *l, const rsm__mapping *mapping, size_t first) {
  size_t count = l->by_identity.count;
  if (rsm__grow(&l->seen, &l->seen_capacity, count + 1, sizeof *l->seen) < 0 ||
      !rsm__index_add(&l->by_identity, rsm__hash_numbers(mapping->dev, mapping->ino)))
    return rsm__fail_memory(l->reterr);
  l->seen[count] = (seen_file){mapping->dev, mapping->ino, first, l->uses->count - first};
  l->last = (uint32_t)count;
  return RSM_OK;
}

static rsm_status take_mapping(looking *l, rsm__mapping *mapping) {
  rsm__uses *uses = l->uses;
  rsm_use use = {.how = RSM_USE_MAP, .fd = -1, .access = access_of(mapping)};
  rsm_status status = RSM_OK;
  rsm__bounded_tick(uses->job);
  switch (rsm__targets_match_mapping(uses->targets, mapping->dev, mapping->ino, &uses->matches)) {
  case RSM__MAPPED_YES:
    break;
  case RSM__MAPPED_PERHAPS:
    status = match_by_look(l, mapping);
    break;
  case RSM__MAPPED_NO:
    uses->matches.count = 0;
    break;
  }
  if (status == RSM_OK && uses->matches.count == 0 && !uses->matches.failed) {
    use.deleted = true;
    status = match_deleted(l, mapping);
  }
  if (status != RSM_OK) return status;
  size_t first = uses->count;
  status = rsm__uses_add(uses, &use, l->reterr);
  drop_program(uses, first);
  if (status == RSM_OK && uses->count > first) status = remember(l, mapping, first);
  return status;
}

static uint32_t find_seen(const looking *l, const rsm__mapping *mapping) {
  uint32_t i = rsm__index_first(&l->by_identity, rsm__hash_numbers(mapping->dev, mapping->ino));
  for (; l->seen && i != RSM_INDEX_END; i = rsm__index_next(&l->by_identity, i))
    if (l->seen[i].dev == mapping->dev && l->seen[i].ino == mapping->ino) return i;
  return RSM_INDEX_END;
}

/* Another mapping of a file that was seen. False: it was not. */
static bool merge(looking *l, const rsm__mapping *mapping) {
  if (mapping->dev != l->last_dev || mapping->ino != l->last_ino) {
    l->last_dev = mapping->dev;
    l->last_ino = mapping->ino;
    l->last = find_seen(l, mapping);
    if (l->last == RSM_INDEX_END) return false;
  }
  if (l->last == RSM_INDEX_END) return true; /* as little a hit as the one before */
  const seen_file *seen = &l->seen[l->last];
  for (size_t i = 0; i < seen->count; i++) l->uses->items[seen->first + i].access |= access_of(mapping);
  return true;
}

/* All from where l->mappings is. code: of opening them. */
static rsm_status take_all(looking *l, int code) {
  rsm__mapping mapping;
  rsm_status status = RSM_OK;
  while (code == 0 && status == RSM_OK && rsm__mappings_next(&l->mappings, &mapping, &code) &&
         !atomic_load_explicit(l->uses->enough, memory_order_relaxed))
    if (!merge(l, &mapping)) status = take_mapping(l, &mapping);
  if (status == RSM_OK && l->uses->text.failed) return rsm__fail_memory(l->reterr);
  if (code != ENOENT && code != ESRCH) l->uses->mappings_refused = code; /* those two: it has ended */
  return status;
}

rsm_status rsm__uses_mappings(rsm__uses *uses, int dir, rsm_error *reterr) {
  RSM_CLEAN(looking_done) looking l = {.uses = uses, .dir = dir, .reterr = reterr, .last = RSM_INDEX_END};
  return take_all(&l, rsm__mappings_open(&l.mappings, dir, &uses->text, uses->job));
}

/* Where they cannot be asked for one by one, all are looked at. */
rsm_status rsm__uses_some_mappings(rsm__uses *uses, int dir, const rsm__hints *which, rsm_error *reterr) {
  RSM_CLEAN(looking_done) looking l = {.uses = uses, .dir = dir, .reterr = reterr, .last = RSM_INDEX_END};
  rsm__mapping mapping;
  rsm_status status = RSM_OK;
  l.mappings.fd = -1;
  if (which->count == 0) return RSM_OK;
  int code = rsm__mappings_open(&l.mappings, dir, &uses->text, uses->job);
  for (size_t i = 0; i < which->count && code == 0 && status == RSM_OK; i++) {
    rsm__mappings_seek(&l.mappings, which->items[i].value);
    bool is_there = rsm__mappings_next(&l.mappings, &mapping, &code);
    if (is_there && !merge(&l, &mapping)) status = take_mapping(&l, &mapping);
    if (!l.mappings.by_query) break;
  }
  return status == RSM_OK ? take_all(&l, l.mappings.by_query && code == 0 ? ENOENT : code) : status;
}
