/* resources.h: RmRegisterResources' three arrays, as resources of a session. SPDX-License-Identifier: MIT */
#ifndef RSM_DLL_RESOURCES_H
#define RSM_DLL_RESOURCES_H

#include <windows.h>
#include <restartmanager.h>

#include "rsm.h"

/* The arguments as they came. NULL elements are passed over, as Windows' own does. */
typedef struct rsm__arrays {
  UINT file_count;
  const LPCWSTR *files;
  UINT process_count;
  const RM_UNIQUE_PROCESS *processes;
  UINT service_count;
  const LPCWSTR *services;
} rsm__arrays;

/* All or nothing; a service that there is not counts as nothing, as a missing file does. RSM_BAD_ARGUMENTS: an array is
 * missing, a text is empty, a process has no pid. */
rsm_status rsm__resources_register(rsm_session *session, const rsm__arrays *arrays);

#endif
