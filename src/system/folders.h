/* folders.h: registered directories. The system's Restart Manager knows files only, so each is taken apart: at
 * registration, and anew before each listing, when only what is not registered yet is handed over.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_SYSTEM_FOLDERS_H
#define RSM_SYSTEM_FOLDERS_H

#include "core/list.h"
#include "system/paths.h"

enum { RSM__FOLDERS_LIMIT = 100000 }; /* files of all registered directories of a session */

/* Zero-initialise. */
typedef struct rsm__folders {
  rsm__arena arena;   /* of the texts below */
  rsm__paths roots;   /* whole, with the prefix \\?\: what is in them may be long though they are not */
  rsm__paths known;   /* files of them that were handed over: a hash table, NULL elements are free */
  rsm__paths refused; /* those that the system has not taken: they are too long for it */
} rsm__folders;

void rsm__folders_done(rsm__folders *folders);

/* full: with the prefix (rsm__path_prefix). One that is there already is not added. */
rsm_status rsm__folders_add_root(rsm__folders *folders, const wchar_t *full, rsm_error *reterr);

/* The files below root that are not known yet, in the form that is registered; text in the arena. Links are not
 * followed and other volumes are not entered; those volumes, and what cannot be read or opened, are added to `list`
 * (NULL: nobody wants to know): one such file would make the system fail each listing. limit: how many there may be;
 * RSM_INVALID_PARAMETER, in words: there are more. */
rsm_status rsm__folders_find_new(const rsm__folders *folders, const wchar_t *root, size_t limit, rsm__arena *arena,
                                 rsm__paths *ret_files, rsm_list *list, rsm_error *reterr);

/* Each listing has to tell: rsm__folders_tell adds those that are still there. */
rsm_status rsm__folders_refuse(rsm__folders *folders, const wchar_t *file, rsm_error *reterr);
rsm_status rsm__folders_tell(const rsm__folders *folders, rsm_list *list, rsm_error *reterr);

/* Has been handed over. Without memory it is not kept, and handed over once more the next time, which does no harm. */
void rsm__folders_know(rsm__folders *folders, const wchar_t *file);
size_t rsm__folders_known(const rsm__folders *folders);

#endif
