/* table.c: the session handles of this process.
 *
 * call                        | purpose                    | blocks on
 * rsm__table_enter, _leave    | one call at a time         | the session's call before it: as long as that takes
 * rsm__table_end              | ends a session             | the same, but cancels it: a few seconds
 * rsm__table_cancel           | from any thread            | nothing
 *
 * Two locks: `guard` for the table, held for a few instructions and never while anything is called; in each slot `turn`
 * for its session, taken only by who has pinned the slot. SPDX-License-Identifier: MIT */
#include "dll/table.h"

#include <stdatomic.h>

#include "dll/code.h"

struct rsm__slot {
  /* under guard */
  rsm_session *session; /* NULL: free or reserved */
  bool reserved;
  unsigned pins;       /* calls that know the session: it is not freed while there are any */
  atomic_bool ending;  /* written under guard, also read under turn */
  SRWLOCK turn;        /* whose call it is */
  _Atomic DWORD owner; /* the thread that has the turn; 0: none */
};

static SRWLOCK guard = SRWLOCK_INIT;
static rsm__slot slots[RSM__TABLE_SIZE]; /* an SRWLOCK of zeros is free */

bool rsm__table_reserve(rsm__slot **ret_slot) {
  rsm__slot *found = NULL;
  AcquireSRWLockExclusive(&guard);
  for (size_t i = 0; i < RSM__TABLE_SIZE && !found; i++)
    if (!slots[i].session && !slots[i].reserved) found = &slots[i];
  if (found) found->reserved = true;
  ReleaseSRWLockExclusive(&guard);
  if (found) *ret_slot = found;
  return found != NULL;
}

DWORD rsm__table_settle(rsm__slot *slot, rsm_session *session) {
  AcquireSRWLockExclusive(&guard);
  slot->reserved = false;
  slot->session = session;
  ReleaseSRWLockExclusive(&guard);
  return (DWORD)(slot - slots);
}

/* NULL: no session has that number. */
static rsm__slot *pin(DWORD handle, bool to_end) {
  rsm__slot *slot = NULL;
  AcquireSRWLockExclusive(&guard);
  if (handle < RSM__TABLE_SIZE && slots[handle].session && !slots[handle].ending) {
    slot = &slots[handle];
    slot->pins++;
    /* Not in a callback of its own: that thread could neither wait for the call it is in nor end what it returns to. */
    if (to_end && slot->owner != GetCurrentThreadId()) slot->ending = true;
  }
  ReleaseSRWLockExclusive(&guard);
  return slot;
}

static void unpin(rsm__slot *slot) {
  rsm_session *last = NULL;
  AcquireSRWLockExclusive(&guard);
  if (--slot->pins == 0 && slot->ending) {
    last = slot->session;
    slot->session = NULL;
    slot->ending = false;
  }
  ReleaseSRWLockExclusive(&guard);
  rsm_session_free(last);
}

static void take_turn(rsm__slot *slot) {
  AcquireSRWLockExclusive(&slot->turn);
  slot->owner = GetCurrentThreadId();
}

void rsm__table_leave(rsm__slot *slot) {
  slot->owner = 0;
  ReleaseSRWLockExclusive(&slot->turn);
  unpin(slot);
}

DWORD rsm__table_enter(DWORD handle, rsm__slot **ret_slot) {
  rsm__slot *slot = pin(handle, false);
  if (!slot) return ERROR_INVALID_HANDLE;
  if (slot->owner == GetCurrentThreadId()) {
    unpin(slot);
    return ERROR_BUSY;
  }
  take_turn(slot);
  if (slot->ending) {
    rsm__table_leave(slot);
    return ERROR_INVALID_HANDLE;
  }
  *ret_slot = slot;
  return ERROR_SUCCESS;
}

rsm_session *rsm__slot_session(const rsm__slot *slot) {
  return slot->session;
}

bool rsm__slot_is_ending(const rsm__slot *slot) {
  return slot->ending;
}

DWORD rsm__table_cancel(DWORD handle) {
  rsm__slot *slot = pin(handle, false);
  if (!slot) return ERROR_INVALID_HANDLE;
  rsm_status status = rsm_session_cancel(slot->session, NULL);
  unpin(slot);
  return rsm__code_of(status);
}

DWORD rsm__table_end(DWORD handle) {
  rsm__slot *slot = pin(handle, true);
  if (!slot) return ERROR_INVALID_HANDLE;
  if (slot->owner == GetCurrentThreadId()) {
    unpin(slot);
    return ERROR_BUSY;
  }
  if (rsm_session_role(slot->session) == RSM_PRIMARY) rsm_session_cancel(slot->session, NULL);
  take_turn(slot);
  rsm_status status = rsm_session_end(slot->session, RSM_END_LEAVE_STOPPED, NULL);
  rsm__table_leave(slot);
  return rsm__code_of(status);
}
