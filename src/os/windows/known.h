/* known.h: files by the names under which processes have them mapped, each opened once in a listing: nearly all
 * processes map the same libraries. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_KNOWN_H
#define RSM_OS_WINDOWS_KNOWN_H

#include "os/windows/targets.h"

typedef struct rsm__known_file {
  const wchar_t *key; /* as in name.h */
  size_t length;
  bool has_id;
  bool missing; /* nothing has that name any more: it was deleted, or renamed */
  rsm__file_id id;
  size_t asked; /* the last process that had it, counted from 1, and which of its uses are of it */
  size_t first;
  size_t count;
} rsm__known_file;

/* Zero-initialise, with targets. Belongs to one thread. */
typedef struct rsm__known {
  const rsm__targets *targets;
  rsm__known_file *files;
  size_t capacity;
  rsm__index by_key;
  rsm__arena arena;
  rsm__buffer path;
} rsm__known;

/* The file of that name, opened if it was not before. Valid until the next call; NULL: out of memory. Blocks on the
 * file system, in a bounded thread; what lies on a server is opened only if something registered does. */
rsm__known_file *rsm__known_get(rsm__known *known, const rsm__name *name);
void rsm__known_done(rsm__known *known);

#endif
