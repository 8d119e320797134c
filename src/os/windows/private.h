/* private.h: what private_place.c, private_dir.c and private_file.c share: the folder itself, opening below it, words
 * for a refusal. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_PRIVATE_H
#define RSM_OS_WINDOWS_PRIVATE_H

#include <windows.h>

#include "os/private_dir.h"
#include "os/windows/account.h"

struct rsm__dir {
  HANDLE handle;  /* everything is opened and renamed below it, whatever it is called by now */
  rsm__sid owner; /* who must own the folder and all that is read from it */
  char *path;     /* for messages only: nothing is opened by it */
};

/* path: for messages. create: it is made if it is missing. RSM_NOT_FOUND, RSM_ACCESS_DENIED: it is not as it should be.
 */
rsm_status rsm__dir_open_below(HANDLE parent, const wchar_t *name, const char *path, const rsm__sid *owner, bool create,
                               rsm__dir **ret_dir, rsm_error *reterr);

/* Are we the half of an administrator that has all his rights, while his other programs have not? Then what those may
 * write must not be believed: it would let them do through us what they may not do. Not under Wine, where everybody is
 * an administrator and no file has a label. */
bool rsm__private_elevated(void);
#ifdef RSM_TEST_HOOKS
extern bool rsm__private_hook_elevated; /* as if we were, also under Wine */
#endif

/* A file that dies with its writer is named so until it is renamed; rsm__dir_names passes over it. */
#define RSM__TEMPORARY_PREFIX ".tmp-"

/* "dir\name" in the caller's buffer, cut if too long: for messages. */
const char *rsm__dir_text(const rsm__dir *dir, const char *name, char *text, size_t size);

/* RSM_BAD_ARGUMENTS unless name is one component that cannot lead out of the folder; *ret_wide is to be freed. */
rsm_status rsm__dir_check_name(const rsm__dir *dir, const char *name, wchar_t **ret_wide, rsm_error *reterr);

/* How something below a folder is opened. */
typedef struct rsm__private_open {
  ACCESS_MASK access;
  ULONG disposition; /* FILE_OPEN, FILE_CREATE, FILE_OPEN_IF */
  ULONG options;     /* FILE_DIRECTORY_FILE, FILE_NON_DIRECTORY_FILE or neither */
  bool exclusive;    /* nobody else may open it meanwhile */
} rsm__private_open;

/* Never follows a link: opens that itself. New ones are for this user, the system and administrators only. An NTSTATUS.
 * *ret_created (may be NULL): it was not there. */
int32_t rsm__private_open_at(HANDLE folder, const wchar_t *name, const rsm__private_open *how, HANDLE *ret_handle,
                             bool *ret_created);
/* The handle (DELETE) gets the name in the folder. An NTSTATUS. */
int32_t rsm__private_rename_at(HANDLE handle, HANDLE folder, const wchar_t *name, bool replace);
/* Removes what the handle (DELETE) is open on: from its folder at once where the system can do that, else as soon as
 * nobody has it open. An NTSTATUS. */
int32_t rsm__private_delete(HANDLE handle);

/* Is it what it should be: a folder or a plain file, no link, the owner's, and closed to others? RSM_ACCESS_DENIED. */
rsm_status rsm__private_check(HANDLE handle, const rsm__sid *owner, bool folder, const char *text, rsm_error *reterr);

/* Somebody has it open in a way that is not for long: a virus scanner, a reader. Worth another try. */
bool rsm__private_is_passing(int32_t code);

#endif
