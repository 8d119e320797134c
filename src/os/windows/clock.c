/* SPDX-License-Identifier: MIT */
#include "os/clock.h"

#include <windows.h>

#include "os/windows/filetime.h"

/* Goes on in every kind of sleep; moves in steps of 10 to 16 ms. */
uint64_t rsm__clock_ms(void) {
  return GetTickCount64();
}

int64_t rsm__clock_unix(void) {
  FILETIME now;
  GetSystemTimeAsFileTime(&now);
  return rsm__filetime_unix(rsm__filetime_number(now));
}
