/* registration_section.h: a registration of our own making, for a system that takes RegisterApplicationRestart's call
 * but does not keep what it says (Wine). SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_REGISTRATION_SECTION_H
#define RSM_OS_WINDOWS_REGISTRATION_SECTION_H

#include "os/registration.h"

/* Of this process; wish->exe is its program. */
rsm_status rsm__registration_section_set(const rsm__process *self, const rsm__registration *wish, rsm_error *reterr);
rsm_status rsm__registration_section_clear(const rsm__process *self, rsm_error *reterr);
/* exe: the program that the process runs. RSM_NOT_FOUND: there is none that counts. */
rsm_status rsm__registration_section_get(const rsm__process *process, const char *exe, rsm__arena *arena,
                                         rsm__registration *ret_registration, rsm_error *reterr);

#endif
