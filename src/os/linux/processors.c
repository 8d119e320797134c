/* processors.c: see processors.h. Nothing in it blocks. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/processors.h"

#include <sched.h>

bool rsm__has_two_processors(void) {
  cpu_set_t ours;
  return sched_getaffinity(0, sizeof ours, &ours) != 0 /* there are too many for the set */ || CPU_COUNT(&ours) > 1;
}
