/* lookup.h: what paths lead to now, for the systems' parts. Everything that may wait for a server is done in a thread
 * that can be given up (bounded.h); the mount (on Windows: the drive or share) that did not answer is remembered in the
 * rsm__lookup, and so is what else a thread hangs at. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_COMMON_LOOKUP_H
#define RSM_OS_COMMON_LOOKUP_H

#include "os/common/bounded.h"
#include "os/files.h"

typedef struct rsm__dead_mount {
  char *point;
  rsm__bounded *job; /* the thread that hangs there: while it does, nobody else is sent */
} rsm__dead_mount;

/* A process at which a thread hangs, and where: the system's part knows what the number means. */
typedef struct rsm__stall {
  rsm_process process;
  uint64_t at;
  rsm__bounded *job;
} rsm__stall;

enum { RSM__ASKERS = 3 }; /* one for who waits at once, two for what is asked ahead */

/* A thread for many small questions, one after the other. */
typedef struct rsm__asker {
  rsm__bounded_worker *worker; /* NULL: none yet */
  bool busy;
} rsm__asker;

struct rsm__lookup {
  uint32_t limit_ms;
  bool without_bpf;
  rsm__dead_mount *dead;
  size_t count;
  size_t capacity;
  rsm__stall *stalls;
  size_t stall_count;
  size_t stall_capacity;
  rsm__asker askers[RSM__ASKERS];
  unsigned given_up; /* threads of the askers' since the last refresh */
  void *more;        /* the system's part's own, one block; NULL: none */
};

/* Forgets what has answered after all, so that it is tried again. Once at the beginning of a call and not between its
 * attempts: else a mount that is merely slow would be tried for ever. */
void rsm__lookup_refresh(rsm__lookup *lookup);

/* Runs work in a bounded thread. RSM_TIMEOUT: the mount on which it hangs is remembered and the argument gone; make a
 * new one and run it again. Otherwise as rsm__bounded_run. */
rsm_status rsm__lookup_run(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm_error *reterr);
/* The same of a job that was begun: waits for it, and takes it over. */
rsm_status rsm__lookup_wait(rsm__lookup *lookup, rsm__bounded *job, rsm__task *task, rsm_error *reterr);
/* The same without remembering: RSM_TIMEOUT gives the job, for one of the two functions that remember. */
rsm_status rsm__lookup_try(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm__bounded **ret_stuck, rsm_error *reterr);
/* Both take the job over, also when they fail. The mount is the one over what the job was touching. */
rsm_status rsm__lookup_remember_mount(rsm__lookup *lookup, rsm__bounded *stuck, rsm_error *reterr);
rsm_status rsm__lookup_remember(rsm__lookup *lookup, const rsm_process *process, uint64_t at, rsm__bounded *stuck,
                                rsm_error *reterr);
void rsm__lookup_forget(rsm__lookup *lookup, size_t stall);

/* The mounts that did not answer, copied for a thread's own use. */
typedef struct rsm__dead_mounts {
  const char **points;
  size_t count;
} rsm__dead_mounts;
rsm_status rsm__lookup_dead(rsm__lookup *lookup, rsm__arena *arena, rsm__dead_mounts *ret_dead, rsm_error *reterr);
bool rsm__dead_covers(const rsm__dead_mounts *dead, const char *path);

/* Absolute paths that are asked for. */
typedef struct rsm__paths {
  const char *const *items;
  size_t count;
  bool names_only; /* what a path's end is, is not wanted; which may be cheaper */
} rsm__paths;

typedef struct rsm__place rsm__place; /* what a path leads to: each system has its own */

/* Zero-initialise. Owns all that items point to. */
typedef struct rsm__places {
  rsm__place *items;
  size_t count;
  rsm__arena arena;
} rsm__places;

/* Follows count absolute paths (places.c). A path that does not exist or is not permitted is a result, not a failure.
 */
rsm_status rsm__lookup_places(rsm__lookup *lookup, const char *const *paths, size_t count, rsm__task *task,
                              rsm__places *ret_places, rsm_error *reterr);
void rsm__places_done(rsm__places *places);

/* ---- What each system's part brings ---- */

/* On what the path lies, by its looks; to be freed with rsm__free. */
rsm_status rsm__mount_point(const char *path, char **ret_point, rsm_error *reterr);
/* Does the path lie on that mount? */
bool rsm__mount_covers(const char *point, const char *path);
/* Follows paths within a bounded thread. paths and dead stay the caller's; the places' memory comes from arena. False:
 * out of memory. Stops early, with true, when the job is given up. */
bool rsm__places_follow(rsm__bounded *job, const rsm__dead_mounts *dead, const rsm__paths *paths, rsm__arena *arena,
                        rsm__place **ret_places);
/* 1, or 2 where so many paths are followed faster by two threads. */
unsigned rsm__places_threads(size_t count);
extern const size_t rsm__place_size;
const char *rsm__place_real(const rsm__place *places, size_t i); /* NULL: did not answer in time */

#endif
