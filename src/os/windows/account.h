/* account.h: accounts as Windows names them, by SID. Where security hangs on it, two accounts are compared by their
 * SIDs; the number of os/user.h is made of one, for showing and for quick comparison.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_ACCOUNT_H
#define RSM_OS_WINDOWS_ACCOUNT_H

#include <windows.h>

#include "base/arena.h"
#include "rsm.h"

/* A SID by value. */
typedef struct rsm__sid {
  union {
    SID sid;
    unsigned char bytes[SECURITY_MAX_SID_SIZE];
  };
} rsm__sid;

rsm_status rsm__sid_of_token(HANDLE token, rsm__sid *ret_sid, rsm_error *reterr);
rsm_status rsm__sid_current(rsm__sid *ret_sid, rsm_error *reterr); /* whom this process runs as */
/* False: not a SID, or too long a one. */
bool rsm__sid_copy(rsm__sid *to, PSID from);
bool rsm__sid_equal(const rsm__sid *a, const rsm__sid *b);
bool rsm__sid_well_known(WELL_KNOWN_SID_TYPE type, rsm__sid *ret_sid);

uint32_t rsm__sid_number(const rsm__sid *sid); /* never 0 */
/* The account's name, else the SID as text. In the arena; NULL only when out of memory. Asks this machine only. */
const char *rsm__sid_name(const rsm__sid *sid, rsm__arena *arena);

#endif
