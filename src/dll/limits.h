/* limits.h: how long who is forced may take: this machine's settings. SPDX-License-Identifier: MIT */
#ifndef RSM_DLL_LIMITS_H
#define RSM_DLL_LIMITS_H

#include <stdint.h>

/* Milliseconds; 0: nothing usable is set. */
uint32_t rsm__limit_applications(void); /* HungAppTimeout */
uint32_t rsm__limit_services(void);     /* WaitToKillServiceTimeout */

#endif
