/* critical_services.h: which units a machine, or a user's session, cannot do without for a moment. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_CRITICAL_SERVICES_H
#define RSM_OS_LINUX_CRITICAL_SERVICES_H

#include <stddef.h>

/* Why a unit with these names (its own and all its aliases, in full: "display-manager.service") must not be stopped
 * while people work, static text; NULL: it may be. Of the system's manager or a user's. */
const char *rsm__critical_service(const char *const *names, size_t count);

#endif
