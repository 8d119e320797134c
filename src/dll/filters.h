/* filters.h: filters as Windows' interface names and lists them. SPDX-License-Identifier: MIT */
#ifndef RSM_DLL_FILTERS_H
#define RSM_DLL_FILTERS_H

#include <windows.h>
#include <restartmanager.h>

#include "rsm.h"

/* The arguments as they came: exactly one is not NULL, else RSM_BAD_ARGUMENTS. */
typedef struct rsm__filter_target {
  LPCWSTR module;
  const RM_UNIQUE_PROCESS *process;
  LPCWSTR service;
} rsm__filter_target;

/* Names that differ in case only are one name, as everywhere on Windows: the filter of the latest call holds. */
rsm_status rsm__filter_target_add(rsm_session *session, const rsm__filter_target *target, RM_FILTER_ACTION action);
rsm_status rsm__filter_target_remove(rsm_session *session, const rsm__filter_target *target);

/* RmGetFilterList's records. buffer need not be aligned. RSM_MORE_DATA: size is too small; *ret_needed is set. */
rsm_status rsm__filter_records_pack(rsm_session *session, BYTE *buffer, DWORD size, DWORD *ret_needed);

#endif
