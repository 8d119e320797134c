/* SPDX-License-Identifier: MIT */
#include "os/clock.h"

#include <time.h>

uint64_t rsm__clock_ms(void) {
  struct timespec now = {0};
  if (clock_gettime(CLOCK_BOOTTIME, &now) != 0) clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int64_t rsm__clock_unix(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec;
}
