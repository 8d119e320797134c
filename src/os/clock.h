/* clock.h: time. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_CLOCK_H
#define RSM_OS_CLOCK_H

#include <stdint.h>

uint64_t rsm__clock_ms(void);  /* monotonic milliseconds, for deadlines; goes on while the machine sleeps */
int64_t rsm__clock_unix(void); /* wall clock, seconds since 1970 */

#endif
