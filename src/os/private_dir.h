/* private_dir.h: a user's own folder for what must survive a crash, and the files in it.
 *
 * Found without the environment. Each step is opened without following links and its owner and mode are checked: a
 * folder that is a link, belongs to somebody else or can be written by others is refused, with words. All that is read
 * from it is untrusted input. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_PRIVATE_DIR_H
#define RSM_OS_PRIVATE_DIR_H

#include "base/arena.h"
#include "base/buffer.h"
#include "rsm.h"

typedef struct rsm__dir rsm__dir;
typedef struct rsm__file rsm__file;
typedef struct rsm__lock rsm__lock;

/* The places where a user's folder can be, best first: place 0, 1, ... RSM_NOT_FOUND: it does not exist (and create is
 * false, or its parent does not exist). RSM_INVALID_PARAMETER: there is no such place. RSM_ACCESS_DENIED: exists and
 * cannot be trusted. Linux: /run/user/UID/restartmanager (root: /run/restartmanager), /var/tmp/restartmanager-UID. */
rsm_status rsm__private_place_open(uint32_t uid, unsigned place, bool create, rsm__dir **ret_dir, rsm_error *reterr);
bool rsm__private_place_in_memory(unsigned place); /* may it hold an environment, with its secrets? */

rsm_status rsm__dir_open(rsm__dir *parent, const char *name, bool create, rsm__dir **ret_dir, rsm_error *reterr);
rsm__dir *rsm__dir_close(rsm__dir *dir);
bool rsm__dir_is_removed(const rsm__dir *dir);
/* Names in it, sorted, without . and .., at most limit of them. */
rsm_status rsm__dir_names(rsm__dir *dir, size_t limit, rsm__arena *arena, const char *const **ret_names,
                          size_t *ret_count, rsm_error *reterr);
rsm_status rsm__dir_rename(rsm__dir *dir, const char *from, const char *to, rsm_error *reterr); /* never onto another */
/* A file, or a folder with the files in it. Gone already: success. */
rsm_status rsm__dir_remove(rsm__dir *dir, const char *name, rsm_error *reterr);

/* Whole content, if it is a plain file of the folder's owner of at most limit bytes. RSM_FILE_NOT_FOUND. */
rsm_status rsm__dir_read(rsm__dir *dir, const char *name, size_t limit, rsm__buffer *ret_content, rsm_error *reterr);
/* Replaces the file at once: written beside it, synced, renamed over it. */
rsm_status rsm__dir_write(rsm__dir *dir, const char *name, const void *data, size_t length, rsm_error *reterr);

/* A new file (RSM_ACCESS_DENIED if there is one) that grows at its end. */
rsm_status rsm__file_create(rsm__dir *dir, const char *name, rsm__file **ret_file, rsm_error *reterr);
/* An existing one of ours, cut to length first: drops a torn record at its end before more is appended. */
rsm_status rsm__file_reopen(rsm__dir *dir, const char *name, uint64_t length, rsm__file **ret_file, rsm_error *reterr);
/* In one write; a short one is undone. */
rsm_status rsm__file_append(rsm__file *file, const void *data, size_t length, rsm_error *reterr);
rsm_status rsm__file_sync(rsm__file *file, rsm_error *reterr);
rsm__file *rsm__file_close(rsm__file *file);

/* An exclusive lock on a file of that name (made if missing). RSM_SEM_TIMEOUT: somebody else holds it. The lock is held
 * until rsm__lock_release here and, in a child that a launch has started, until that child runs its program. */
rsm_status rsm__lock_acquire(rsm__dir *dir, const char *name, uint32_t timeout_ms, rsm__lock **ret_lock,
                             rsm_error *reterr);
rsm__lock *rsm__lock_release(rsm__lock *lock);

/* Unpredictable bytes from the system. */
rsm_status rsm__random(void *bytes, size_t length, rsm_error *reterr);

#endif
