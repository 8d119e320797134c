/* store.h: where sessions live, so that the processes of one user can share them and a crash loses nothing.
 *
 * A folder a session, named by its key, in the user's private folder:
 *   primary        who owns it: one record, replaced at once when it is adopted
 *   resources-...  one file a writer: what it registered
 *   journal        what a shutdown stops, with everything needed to start it again, and what became of it
 *   start-N        the launch record of journal entry N: written by the started program's own process
 *   lock           held by whoever starts or adopts, and by a started process until it runs its program
 * Who is alive is decided by identity, never by a lock.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_STORE_H
#define RSM_BUILTIN_STORE_H

#include "os/private_dir.h"
#include "os/process.h"

typedef struct rsm__owner {
  rsm_process primary;
  rsm__here here;
  int64_t started_at;
  bool restart_unregistered;
  bool left;      /* lives perhaps, but has left the session to whoever adopts it */
  char name[256]; /* "" none */
} rsm__owner;

/* An opened session folder. */
typedef struct rsm__stored {
  rsm__dir *place; /* its parent */
  rsm__dir *dir;
  bool in_memory; /* may hold an environment */
  char key[RSM_KEY_LENGTH + 1];
} rsm__stored;

void rsm__stored_close(rsm__stored *stored);

/* Makes a session with a new key in the first usable place. */
rsm_status rsm__store_create(const rsm__owner *owner, rsm__stored *ret_stored, rsm_error *reterr);
/* Opens one of this user, boot and pid namespace. RSM_CREDENTIAL_CONFLICT: there is none with that key. */
rsm_status rsm__store_open(const char *key, rsm__stored *ret_stored, rsm__owner *ret_owner, rsm_error *reterr);
rsm_status rsm__store_set_owner(rsm__stored *stored, const rsm__owner *owner, rsm_error *reterr);
/* Removes it, at once for everybody who looks for it. */
rsm_status rsm__store_remove(rsm__stored *stored, rsm_error *reterr);

bool rsm__store_owner_alive(const rsm__owner *owner);

/* Calls visit for each session of this user, boot and pid namespace; *stored is lent, and may be removed.
 * Sessions of another boot are removed on the way. */
typedef rsm_status rsm__store_visit(void *context, rsm__stored *stored, const rsm__owner *owner, rsm_error *reterr);
rsm_status rsm__store_each(rsm__store_visit *visit, void *context, rsm_error *reterr);

#endif
