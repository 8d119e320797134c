/* lookup.h: what paths lead to now, for the other files of this folder (see os/common/lookup.h). Remembered is also a
 * handle that nobody could be asked about. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_LOOKUP_H
#define RSM_OS_WINDOWS_LOOKUP_H

#include "os/common/lookup.h"
#include "os/windows/file_id.h"

struct rsm__place {
  const char *real; /* all links followed, in the spelling of the disk; NULL: did not answer in time */
  uint32_t error;   /* 0: it exists, and the rest is filled; else GetLastError() */
  bool deleted;     /* it is there until its last handle is closed, and cannot be opened any more */
  bool has_id;      /* false: no file of a volume (a device) */
  bool directory;
  rsm__file_id id;
};

uint32_t rsm__lookup_limit(const rsm__lookup *lookup);

/* What the program file that was asked last says of itself, for a second: often all who are listed run the same one.
 * NULL words: it says nothing. Recall: false: another one, too long ago, or there was no memory to keep it. */
bool rsm__lookup_recall(const rsm__lookup *lookup, const wchar_t *program, const char **ret_words);
void rsm__lookup_keep(rsm__lookup *lookup, const wchar_t *program, const char *words);

/* Did a thread hang at that handle of the process, or (0) at its memory, as of the last refresh? */
bool rsm__lookup_is_stalled(const rsm__lookup *lookup, const rsm_process *process, uint64_t handle);

/* Length of "C:", "\\server\share", "\\?\Volume{...}": what a path lies on, by its looks. */
size_t rsm__root_length(const char *path);
/* May a path be opened at all? A pipe or a device would notice it. */
bool rsm__is_file_path(const char *path);
/* An absolute path with \\?\ before it, to be freed with rsm__free. RSM_BAD_ARGUMENTS: no text. */
rsm_status rsm__wide_verbatim(const char *path, wchar_t **ret_wide);
/* A path with \\?\ before it as people write it, unless that would mean another file. In the arena; NULL: memory. */
const char *rsm__outward(rsm__arena *arena, const wchar_t *path);

#endif
