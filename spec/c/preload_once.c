/* preload_once.c: preloaded behind the sanitizer's library into the Lua of the specs. The programs
 * that Lua starts must not get that library as well: some, ps among them, hang with it.
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <stdlib.h>

__attribute__((constructor)) static void forget_preload(void) {
  unsetenv("LD_PRELOAD");
}
