/* critical_services.h: which services a machine, or a user's session, cannot do without for a moment. Pure.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_CRITICAL_SERVICES_H
#define RSM_OS_WINDOWS_CRITICAL_SERVICES_H

/* Why the service of that short name must not be stopped while people work, static text; NULL: it may be. */
const char *rsm__critical_service(const char *name);

#endif
