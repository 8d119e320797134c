/* holders.h: who uses these files. The one function that every listing goes through.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_HOLDERS_H
#define RSM_OS_HOLDERS_H

#include "os/files.h"
#include "os/task.h"

/* A registered path. A file counts by its identity now (device and inode of what path leads to now, and of real), and
 * by name where a holder's own link or map name says that it was deleted or replaced. A directory counts with its whole
 * tree: links in it are not followed, other mounts below it are named in unreadable, not walked. */
typedef struct rsm__target {
  const char *path; /* absolute, as registered */
  const char *real; /* its real path at registration; NULL unknown */
} rsm__target;

typedef struct rsm__holder {
  rsm_process process; /* pid 0: a loop device, swap or mount, whose name is in `name` */
  const char *name;    /* only without a process */
  const rsm_use *uses; /* use.path and use.resource: in the arena or the target's own text */
  size_t use_count;
} rsm__holder;

typedef struct rsm__holders {
  const rsm__holder *holders; /* by ascending pid; never our own scan's descriptors */
  size_t count;
  const rsm_unreadable *unreadable;
  size_t unreadable_count;
  bool complete; /* false: see unreadable */
} rsm__holders;

/* Looks at every process once. Results in the arena. Stops early with RSM_CANCELLED if the task (NULL: none) is
 * cancelled. Blocks for at most the lookup's limit per mount that does not answer, and per process that does not, of
 * which it gives up after a handful: such a process is in unreadable, and later listings pass it over until it answers.
 */
rsm_status rsm__holders_find(const rsm__target *targets, size_t count, rsm__lookup *lookup, rsm__task *task,
                             rsm__arena *arena, rsm__holders *ret_holders, rsm_error *reterr);

/* Which way the last listing of this process took: see rsm_scanner. */
void rsm__holders_scanner(rsm_scanner_info *ret_info);

/* The same of these processes alone; the others are not touched. only NULL: of all. */
rsm_status rsm__holders_find_among(const rsm_process *only, size_t only_count, const rsm__target *targets, size_t count,
                                   rsm__lookup *lookup, rsm__task *task, rsm__arena *arena, rsm__holders *ret_holders,
                                   rsm_error *reterr);

#endif
