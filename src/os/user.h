/* user.h: accounts. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_USER_H
#define RSM_OS_USER_H

#include <stdint.h>

#include "base/arena.h"

uint32_t rsm__user_current(void); /* effective uid of this process */
/* The account's name, else its number as text. In the arena; NULL only when out of memory. Reads the local account file
 * only: a directory service that does not answer must not hold up a listing. */
const char *rsm__user_name(uint32_t uid, rsm__arena *arena);

#endif
