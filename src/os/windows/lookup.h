/* lookup.h: what paths lead to now, for the other files of this folder. Everything that may wait for a server is done
 * in a thread that can be given up (bounded.h); the drive or share that did not answer is remembered in the
 * rsm__lookup, and so is a handle that nobody could be asked about. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_LOOKUP_H
#define RSM_OS_WINDOWS_LOOKUP_H

#include "os/files.h"
#include "os/windows/bounded.h"
#include "os/windows/file_id.h"

typedef struct rsm__place {
  const char *real; /* all links followed, in the spelling of the disk; NULL: did not answer in time */
  uint32_t error;   /* 0: it exists, and the rest is filled; else GetLastError() */
  bool deleted;     /* it is there until its last handle is closed, and cannot be opened any more */
  bool has_id;      /* false: no file of a volume (a device) */
  bool directory;
  rsm__file_id id;
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

uint32_t rsm__lookup_limit(const rsm__lookup *lookup);

/* What the program file that was asked last says of itself, for a second: often all who are listed run the same one.
 * NULL words: it says nothing. Recall: false: another one, or too long ago. */
bool rsm__lookup_recall(const rsm__lookup *lookup, const wchar_t *program, const char **ret_words);
void rsm__lookup_keep(rsm__lookup *lookup, const wchar_t *program, const char *words);

/* Runs work in a bounded thread. RSM_TIMEOUT: the drive or share on which it hangs is remembered and the argument gone;
 * make a new one and run it again. Otherwise as rsm__bounded_run. */
rsm_status rsm__lookup_run(rsm__lookup *lookup, rsm__bounded_work *work, rsm__bounded_free *free_argument,
                           void *argument, rsm__task *task, rsm_error *reterr);

/* Forgets what has answered after all, so that it is tried again. Once at the beginning of a call and not between its
 * attempts: else a share that is merely slow would be tried for ever. */
void rsm__lookup_refresh(rsm__lookup *lookup);

/* The drives and shares that did not answer, copied for a thread's own use. */
typedef struct rsm__dead_roots {
  const char **roots;
  size_t count;
} rsm__dead_roots;
rsm_status rsm__lookup_dead(rsm__lookup *lookup, rsm__arena *arena, rsm__dead_roots *ret_dead, rsm_error *reterr);
bool rsm__dead_covers(const rsm__dead_roots *dead, const char *path);

/* What a thread hangs at in a process: one of its handles, or (handle 0) its memory. Remember takes the job over, also
 * when it fails. */
typedef struct rsm__stall {
  rsm_process process;
  uint64_t handle;
} rsm__stall;
rsm_status rsm__lookup_remember(rsm__lookup *lookup, const rsm__stall *stall, rsm__bounded *stuck, rsm_error *reterr);
bool rsm__lookup_is_stalled(const rsm__lookup *lookup, const rsm__stall *stall); /* as of the last refresh */

/* Follows paths within a bounded thread (places.c). paths and dead stay the caller's; out's memory comes from arena.
 * False: out of memory. Stops early, with true, when the job is given up. */
bool rsm__places_follow(rsm__bounded *job, const rsm__dead_roots *dead, const char *const *paths, size_t count,
                        rsm__arena *arena, rsm__place *out);

/* Length of "C:", "\\server\share", "\\?\Volume{...}": what a path lies on, by its looks. */
size_t rsm__root_length(const char *path);
/* May a path be opened at all? A pipe or a device would notice it. */
bool rsm__is_file_path(const char *path);
/* An absolute path with \\?\ before it, to be freed with rsm__free. RSM_BAD_ARGUMENTS: no text. */
rsm_status rsm__wide_verbatim(const char *path, wchar_t **ret_wide);
/* A path with \\?\ before it as people write it, unless that would mean another file. In the arena; NULL: memory. */
const char *rsm__outward(rsm__arena *arena, const wchar_t *path);

#endif
