/* probe.h: which path is it that the system refuses? It answers one number for a whole call, and takes nothing back: so
 * it is found out in another session. SPDX-License-Identifier: MIT */
#ifndef RSM_SYSTEM_PROBE_H
#define RSM_SYSTEM_PROBE_H

#include "system/native.h"

/* One of the files that is refused even alone; NULL: there is none, or no session is left to find it out. */
const wchar_t *rsm__probe_refused(const rsm__native *native, const wchar_t **files, size_t count);

#endif
