/* own_files.h: registered files that a listing of ours holds for a moment, for the other listings of this process: what
 * is seen of us in between is not ours to tell. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_OWN_FILES_H
#define RSM_OS_LINUX_OWN_FILES_H

#include <stdbool.h>

void rsm__own_files_begin(void);
void rsm__own_files_end(void);

/* For who looks at our own process: before, and again after. If both give the same and nobody was between begin and
 * end, nothing of the kind was seen. */
unsigned rsm__own_files_count(void);
bool rsm__own_files_held(void);

#endif
