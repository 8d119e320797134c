/* paths.h: registered paths as the system's Restart Manager takes them: whole, with backslashes, shorter than 260, and
 * never a directory. SPDX-License-Identifier: MIT */
#ifndef RSM_SYSTEM_PATHS_H
#define RSM_SYSTEM_PATHS_H

#include <wchar.h>

#include "base/arena.h"
#include "rsm.h"

/* Paths that belong together; the array is freed with rsm__paths_done, the text is in the arena. */
typedef struct rsm__paths {
  const wchar_t **items;
  size_t count, capacity;
} rsm__paths;

rsm_status rsm__paths_add(rsm__paths *paths, const wchar_t *path, rsm_error *reterr);
void rsm__paths_done(rsm__paths *paths);

/* Is it 260 units or longer, so that Windows' own DLL will not take it? */
bool rsm__path_is_long(const wchar_t *path);

/* The path with the prefix that lifts the limit (\\?\), so that what is below it may be long, too. In the arena. */
rsm_status rsm__path_prefix(const wchar_t *full, rsm__arena *arena, const wchar_t **ret_path, rsm_error *reterr);

/* The path without the prefix that lifts the limit of 260; of one that is 260 or longer its short form, by the short
 * names of its parts, where they have any and that helps. In the arena. full: whole, of any length, with the prefix
 * (\\?\, as rsm__wide_path gives it) where it needs one. */
rsm_status rsm__path_spell(const wchar_t *full, rsm__arena *arena, const wchar_t **ret_path, rsm_error *reterr);

#endif
