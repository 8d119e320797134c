/* filetime.h: Windows' time stamps, 100 ns since 1601, as one number.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_FILETIME_H
#define RSM_OS_WINDOWS_FILETIME_H

#include <stdint.h>
#include <windows.h>

static inline uint64_t rsm__filetime_number(FILETIME time) {
  return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

/* Seconds since 1970; 0: not known, or before. */
static inline int64_t rsm__filetime_unix(uint64_t time) {
  const uint64_t from_1601_to_1970 = 11644473600u;
  uint64_t seconds = time / 10000000u;
  return seconds > from_1601_to_1970 ? (int64_t)(seconds - from_1601_to_1970) : 0;
}

#endif
