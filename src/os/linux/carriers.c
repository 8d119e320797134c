/* carriers.c: we and our ancestors: parents, found without a gap. Reading "my parent is 17" and then /proc/17 is a
 * race: 17 may end and its number be given away in between. But a process whose parent ends gets another parent at
 * once: when it still says 17 after /proc/17 was opened, that was its parent. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/process_handle.h"
#include "os/linux/procfs.h"

enum {
  TRIES = 8,             /* each failure means that one more parent has just ended */
  MOST_ANCESTORS = 65536 /* nobody has that many; a bound for a kernel that answers nonsense */
};

typedef enum found { FOUND, FOUND_NONE, FOUND_CHANGED, FOUND_WANT } found;

/* One attempt; `child` is what its stat said before. */
static found try_parent(int dir, const rsm__proc_stat *child, rsm__proc_stat *ret_parent, int *parent_dir) {
  if (child->parent == 0) return FOUND_NONE;
  rsm_status status = rsm__procfs_open(child->parent, parent_dir, NULL);
  if (status == RSM_OK) status = rsm__procfs_stat(*parent_dir, ret_parent, NULL);
  if (rsm__is_shortage(status)) return FOUND_WANT;
  bool readable = status == RSM_OK;
  rsm__proc_stat again;
  status = rsm__procfs_stat(dir, &again, NULL);
  if (rsm__is_shortage(status)) return FOUND_WANT;
  if (status != RSM_OK || again.parent != child->parent) return FOUND_CHANGED;
  if (!readable) return FOUND_NONE;
  return ret_parent->start_time <= child->start_time ? FOUND : FOUND_NONE;
}

/* *ret_parent: the parent's stat, pid 0 if there is none. known: what the child's said just now; NULL: not read. */
static rsm_status find_parent(int dir, const rsm__proc_stat *known, rsm__proc_stat *ret_parent, int *ret_parent_dir,
                              rsm_error *reterr) {
  RSM_CLEAN_FD int parent_dir = -1;
  rsm__proc_stat child, parent = {0};
  found result = FOUND_CHANGED;
  for (int i = 0; i < TRIES && result == FOUND_CHANGED; i++) {
    rsm__fd_close(&parent_dir);
    rsm_status status = RSM_OK;
    if (known && i == 0)
      child = *known;
    else
      status = rsm__procfs_stat(dir, &child, reterr);
    if (status != RSM_OK) return status;
    result = try_parent(dir, &child, &parent, &parent_dir);
    if (result == FOUND_WANT)
      return rsm__fail(reterr, RSM_OUT_OF_MEMORY, NULL, "no memory or descriptors to find a parent");
  }
  *ret_parent = result == FOUND ? parent : (rsm__proc_stat){0};
  *ret_parent_dir = result == FOUND ? rsm__fd_take(&parent_dir) : -1;
  return RSM_OK;
}

rsm_status rsm__procfs_parent(int dir, const rsm__proc_stat *known, rsm_process *ret_parent, rsm_error *reterr) {
  RSM_CLEAN_FD int parent_dir = -1;
  rsm__proc_stat parent;
  rsm_status status = find_parent(dir, known, &parent, &parent_dir, reterr);
  if (status == RSM_OK) *ret_parent = (rsm_process){.pid = parent.pid, .start_time = parent.start_time};
  return status;
}

typedef struct chain {
  rsm_process *items;
  size_t count;
  size_t capacity;
} chain;

static rsm_status append(chain *ancestors, const rsm_process *process, rsm_error *reterr) {
  if (rsm__grow(&ancestors->items, &ancestors->capacity, ancestors->count + 1, sizeof *ancestors->items) != 0)
    return rsm__fail_memory(reterr);
  ancestors->items[ancestors->count++] = *process;
  return RSM_OK;
}

static void clean_chain(chain *ancestors) {
  rsm__free(ancestors->items);
}

/* Our own instance number lets a caller tell us from a namesake of the same tick. */
static rsm_status start_chain(chain *ancestors, rsm_error *reterr) {
  rsm_process self = {.pid = rsm__process_self()};
  rsm__process *process;
  rsm_status status = rsm__process_open(&self, &process, reterr);
  if (status != RSM_OK) return status;
  status = append(ancestors, rsm__process_id(process), reterr);
  rsm__process_close(process);
  return status;
}

static rsm_status collect(chain *ancestors, rsm_error *reterr) {
  RSM_CLEAN_FD int dir = -1;
  rsm__proc_stat stat = {0};
  ancestors->count = 0;
  rsm_status status = start_chain(ancestors, reterr);
  if (status == RSM_OK) status = rsm__procfs_open(rsm__process_self(), &dir, reterr);
  if (status == RSM_OK) status = rsm__procfs_stat(dir, &stat, reterr);
  while (status == RSM_OK && dir >= 0 && ancestors->count < MOST_ANCESTORS) {
    rsm__proc_stat parent;
    int parent_dir = -1;
    status = find_parent(dir, &stat, &parent, &parent_dir, reterr);
    rsm__fd_close(&dir);
    dir = parent_dir;
    if (status != RSM_OK || !parent.pid) break;
    status = append(ancestors, &(rsm_process){.pid = parent.pid, .start_time = parent.start_time}, reterr);
    stat = parent;
  }
  return status;
}

rsm_status rsm__process_carriers(rsm__arena *arena, const rsm_process **ret_carriers, size_t *ret_count,
                                 rsm_error *reterr) {
  RSM_CLEAN(clean_chain) chain ancestors = {0};
  rsm_error error = {0};
  rsm_status status = RSM_NOT_FOUND;
  /* An ancestor that ended while we looked has left a shorter chain: look again. */
  for (int i = 0; i < TRIES && status == RSM_NOT_FOUND; i++) status = collect(&ancestors, &error);
  if (status != RSM_OK) {
    if (reterr) *reterr = error;
    return status;
  }
  rsm_process *copy = rsm__arena_alloc(arena, ancestors.count * sizeof *copy);
  if (!copy) return rsm__fail_memory(reterr);
  memcpy(copy, ancestors.items, ancestors.count * sizeof *copy);
  *ret_carriers = copy;
  *ret_count = ancestors.count;
  return RSM_OK;
}
