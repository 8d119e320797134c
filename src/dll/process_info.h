/* process_info.h: applications as Windows' interface shows them. SPDX-License-Identifier: MIT */
#ifndef RSM_DLL_PROCESS_INFO_H
#define RSM_DLL_PROCESS_INFO_H

#include <windows.h>
#include <restartmanager.h>

#include "rsm.h"

/* One identity, two forms. A start time of zero names nobody on Windows, where rsm.h would take whoever has the pid. */
rsm_process rsm__process_from(const RM_UNIQUE_PROCESS *process);
RM_UNIQUE_PROCESS rsm__process_to(const rsm_process *process);

/* How many applications of the list RmGetList tells of: not those that have the files only as working directory, which
 * Windows' own neither lists nor stops, nor a registered service that did not run anyway. */
UINT rsm__process_infos_count(const rsm_list *list);
/* Writes that many. RSM_OUT_OF_MEMORY: infos is not to be looked at. */
rsm_status rsm__process_infos_fill(const rsm_list *list, RM_PROCESS_INFO *infos);

#endif
