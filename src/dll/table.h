/* table.h: the session handles of this process: small numbers from 0 on, each the place of a session in a table.
 *
 * Calls on one session follow one another, whatever threads they come from; a call waits until the one before it has
 * returned. Only cancel goes past that, and end, which cancels first what it has to wait for. A session is freed when
 * the last call that knows it has returned, and only then is its number given away again.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_DLL_TABLE_H
#define RSM_DLL_TABLE_H

#include <windows.h>

#include "rsm.h"

/* Windows' own limit: sessions of one user at a time, and handles of one process. */
enum { RSM__TABLE_SIZE = 64 };

typedef struct rsm__slot rsm__slot;

/* Reserves the lowest free number; nobody can use it before it has a session. false: there is none. */
bool rsm__table_reserve(rsm__slot **ret_slot);
/* The number is the session's from now on (session NULL: it is free again). The table owns the session. */
DWORD rsm__table_settle(rsm__slot *slot, rsm_session *session);

/* Waits for the handle's session. ERROR_INVALID_HANDLE: there is none, or it was ended meanwhile. ERROR_BUSY: this very
 * thread is in it, in a status callback: waiting would be for ever. */
DWORD rsm__table_enter(DWORD handle, rsm__slot **ret_slot);
/* Between enter and leave. */
rsm_session *rsm__slot_session(const rsm__slot *slot);
bool rsm__slot_is_ending(const rsm__slot *slot); /* somebody waits to end it: what begins now is to be cancelled */
void rsm__table_leave(rsm__slot *slot);

/* As rsm_session_cancel and rsm_session_end. The handle is dead from end on, even if it fails. */
DWORD rsm__table_cancel(DWORD handle);
DWORD rsm__table_end(DWORD handle);

#endif
