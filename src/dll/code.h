/* code.h: the number that Windows' interface has for what happened. SPDX-License-Identifier: MIT */
#ifndef RSM_DLL_CODE_H
#define RSM_DLL_CODE_H

#include <windows.h>

#include "rsm.h"

/* Callers know the numbers that Microsoft's pages list, and no others. */
DWORD rsm__code_of(rsm_status status);

#endif
