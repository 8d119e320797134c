/* pause.h: spec/c/windows/pause.h has the same name. SPDX-License-Identifier: MIT */
#ifndef PAUSE_H
#define PAUSE_H

#include <time.h>

static inline void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

#endif
