/* lookup.h: what paths lead to now, for the other files of this folder. Everything that may wait for a mount is done in
 * a thread that can be given up (os/common/bounded.h); the mount, or the process, that did not answer is remembered in the
 * rsm__lookup.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_LOOKUP_H
#define RSM_OS_LINUX_LOOKUP_H

#include <stdbool.h>

#include "os/common/bounded.h"
#include "os/files.h"
#include "os/task.h"

bool rsm__lookup_is_without_bpf(const rsm__lookup *lookup);

/* What statx says of a file: (dev, ino) is its identity for as long as it is not removed. */
typedef struct rsm__stat {
  uint64_t dev;
  uint64_t ino;
  uint64_t mount_id; /* 0: a kernel before 5.8 */
  uint32_t mode;     /* 0: does not exist */
  uint32_t links;
} rsm__stat;

/* A real directory on the way to a path. */
typedef struct rsm__place_dir {
  const char *real; /* "/" or without a slash at its end */
  size_t length;
  rsm__stat stat;
} rsm__place_dir;

typedef struct rsm__place {
  const char *real; /* all links followed; NULL: did not answer in time */
  int error;        /* 0: it exists, and stat is filled; else errno */
  rsm__stat stat;
  const rsm__place_dir *dir; /* the nearest directory that exists; NULL: did not answer in time */
} rsm__place;

/* Zero-initialise. Owns all that items point to. */
typedef struct rsm__places {
  rsm__place *items;
  size_t count;
  rsm__arena arena;
} rsm__places;

/* Follows count absolute paths. A path that does not exist or is not permitted is a result, not a failure. */
rsm_status rsm__lookup_places(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__task *task,
                              rsm__places *ret_places, rsm_error *reterr);
void rsm__places_done(rsm__places *places);

/* Runs work in a bounded thread. RSM_TIMEOUT: the mount on which it hangs is remembered and the argument gone; make a
 * new one and run it again. Otherwise as rsm__bounded_run. */
rsm_status rsm__lookup_run(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm_error *reterr);

/* The same without remembering: RSM_TIMEOUT gives the job, for one of the two functions that remember. */
rsm_status rsm__lookup_try(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm__bounded **ret_stuck, rsm_error *reterr);
/* Both take the job over, also when they fail. The mount is the one over what the job was touching. */
rsm_status rsm__lookup_remember_mount(rsm__lookup *lookup, rsm__bounded *stuck, rsm_error *reterr);
/* at_uses: at what it uses, so that a listing must pass it over; else only its arguments or the like do not answer. */
rsm_status rsm__lookup_remember_process(rsm__lookup *lookup, const rsm_process *process, bool at_uses,
                                        rsm__bounded *stuck, rsm_error *reterr);
/* The i-th process at whose uses a thread of ours hung, at the last rsm__lookup_refresh. False: there are no more. */
bool rsm__lookup_stalled_at(const rsm__lookup *lookup, size_t i, rsm_process *ret_process);

/* Runs work, which looks at that one process, in a bounded thread. RSM_TIMEOUT: it hangs, or one hung there before, or
 * as many as may hang since the last rsm__lookup_refresh do; the argument is gone, as after any other failure. */
rsm_status rsm__lookup_ask(rsm__lookup *lookup, const rsm_process *process, rsm__bounded_work *work,
                           rsm__bounded_free *free_argument, void *argument, rsm__task *task, rsm_error *reterr);

/* Forgets mounts that have answered after all, so that they are tried again. Once at the beginning of a call and not
 * between its attempts: else a mount that is merely slow would be tried for ever. */
void rsm__lookup_refresh(rsm__lookup *lookup);

/* The mounts that did not answer, copied for a thread's own use. */
typedef struct rsm__dead_mounts {
  const char **points;
  size_t count;
} rsm__dead_mounts;
rsm_status rsm__lookup_dead(rsm__lookup *lookup, rsm__arena *arena, rsm__dead_mounts *ret_dead, rsm_error *reterr);
bool rsm__dead_covers(const rsm__dead_mounts *dead, const char *path);

/* Follows paths within a bounded thread (resolve.c). paths and dead stay the caller's; out's memory comes from arena.
 * False: out of memory. Stops early, with true, when the job is given up. */
bool rsm__resolve(rsm__bounded *job, const rsm__dead_mounts *dead, const char *const *paths, size_t count,
                  rsm__arena *arena, rsm__place *out);

/* statx without asking a server that a cache can answer for, and without mounting anything. 0 or errno. */
int rsm__stat_at(int dir, const char *name, int flags, rsm__stat *ret_stat);

#endif
