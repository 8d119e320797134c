/* processors.h: may threads of ours run side by side? SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_PROCESSORS_H
#define RSM_OS_LINUX_PROCESSORS_H

#include <stdbool.h>

/* Has the calling thread two processors or more to run on? */
bool rsm__has_two_processors(void);

#endif
