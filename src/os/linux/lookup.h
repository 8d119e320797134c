/* lookup.h: what paths lead to now, for the other files of this folder (see os/common/lookup.h).
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_LOOKUP_H
#define RSM_OS_LINUX_LOOKUP_H

#include "os/common/lookup.h"

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

struct rsm__place {
  const char *real; /* all links followed; NULL: did not answer in time */
  int error;        /* 0: it exists, and stat is filled; else errno */
  rsm__stat stat;
  const rsm__place_dir *dir; /* the nearest directory that exists; NULL: did not answer in time */
};

/* Follows paths within a bounded thread (resolve.c). paths and dead stay the caller's; out's memory comes from arena.
 * False: out of memory. Stops early, with true, when the job is given up. */
bool rsm__resolve(rsm__bounded *job, const rsm__dead_mounts *dead, const rsm__paths *paths, rsm__arena *arena,
                  rsm__place *out);

/* statx without asking a server that a cache can answer for, and without mounting anything. 0 or errno. */
int rsm__stat_at(int dir, const char *name, int flags, rsm__stat *ret_stat);

#endif
