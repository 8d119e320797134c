/* pause.h: spec/c/linux/pause.h has the same name. SPDX-License-Identifier: MIT */
#ifndef PAUSE_H
#define PAUSE_H

#include <windows.h>

static inline void sleep_ms(long ms) {
  Sleep((DWORD)ms);
}

#endif
