/* managers.c: the Restart Managers of this build. SPDX-License-Identifier: MIT */
#include "builtin/builtin.h"
#include "core/manager.h"

const rsm__manager *const rsm__managers[] = {&rsm__builtin_manager, NULL};
