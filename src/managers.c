/* managers.c: the Restart Managers of this build. SPDX-License-Identifier: MIT */
#include "builtin/builtin.h"
#include "core/manager.h"

#ifdef RSM_SYSTEM_MANAGER /* the build says so where there is one */
#include "system/system.h"
#endif

const rsm__manager *const rsm__managers[] = {
    &rsm__builtin_manager,
#ifdef RSM_SYSTEM_MANAGER
    &rsm__system_manager,
#endif
    NULL,
};
