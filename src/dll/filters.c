/* filters.c: filters as Windows' interface names and lists them. SPDX-License-Identifier: MIT */
#include "dll/filters.h"

#include <stddef.h>
#include <string.h>

#include "dll/process_info.h"
#include "os/windows/wide.h"

/* The records are these bytes; 64-bit pointers make them longer. */
_Static_assert(sizeof(RM_FILTER_INFO) == (sizeof(void *) == 8 ? 32 : 24), "as Windows'");
_Static_assert(offsetof(RM_FILTER_INFO, cbNextOffset) == 8, "as Windows'");
_Static_assert(offsetof(RM_FILTER_INFO, Process) == (sizeof(void *) == 8 ? 16 : 12), "as Windows'");
_Static_assert((int)RSM_NO_RESTART == RmNoRestart && (int)RSM_NO_SHUTDOWN == RmNoShutdown, "the same numbers");

static void free_list(rsm_filter_list **list) {
  *list = rsm_filter_list_free(*list);
}

static rsm_status filter_of(rsm__arena *arena, const rsm__filter_target *target, rsm_filter *ret_filter) {
  if ((target->module != NULL) + (target->process != NULL) + (target->service != NULL) != 1) return RSM_BAD_ARGUMENTS;
  rsm_filter filter = {.exe = rsm__narrow_text_in(arena, target->module),
                       .service = rsm__narrow_text_in(arena, target->service)};
  if ((target->module && !filter.exe) || (target->service && !filter.service)) return RSM_OUT_OF_MEMORY;
  if (target->process) filter.process = rsm__process_from(target->process);
  *ret_filter = filter;
  return RSM_OK;
}

rsm_status rsm__filter_target_add(rsm_session *session, const rsm__filter_target *target, RM_FILTER_ACTION action) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm_filter filter;
  rsm_status status = filter_of(&arena, target, &filter);
  if (status == RSM_OK && action != RmNoRestart && action != RmNoShutdown) status = RSM_BAD_ARGUMENTS;
  filter.action = (rsm_filter_action)action;
  return status == RSM_OK ? rsm_session_add_filter(session, &filter, NULL) : status;
}

rsm_status rsm__filter_target_remove(rsm_session *session, const rsm__filter_target *target) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm_filter filter;
  rsm_status status = filter_of(&arena, target, &filter);
  return status == RSM_OK ? rsm_session_remove_filter(session, &filter, NULL) : status;
}

/* ---- Records: each followed by its name, so aligned that the next one is, too, if the buffer is ---- */

typedef struct packing {
  BYTE *buffer; /* NULL: only measured */
  size_t used;
  size_t last; /* where the last record begins */
} packing;

static void put_record(packing *p, RM_FILTER_INFO *record, const wchar_t *name) {
  size_t bytes = name ? (wcslen(name) + 1) * sizeof *name : 0;
  size_t padded = (sizeof *record + bytes + _Alignof(RM_FILTER_INFO) - 1) & ~(_Alignof(RM_FILTER_INFO) - 1);
  if (p->buffer) {
    BYTE *here = p->buffer + p->used;
    if (name) record->strFilename = (LPWSTR)(void *)(here + sizeof *record); /* the services' name is the same field */
    memcpy(here, record, sizeof *record);
    if (name) memcpy(here + sizeof *record, name, bytes);
    if (p->used) { /* the one before it now has a next one */
      DWORD distance = (DWORD)(p->used - p->last);
      memcpy(p->buffer + p->last + offsetof(RM_FILTER_INFO, cbNextOffset), &distance, sizeof distance);
    }
  }
  p->last = p->used;
  p->used += padded;
}

static rsm_status pack(const rsm_filter_list *list, packing *p) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; i < rsm_filter_list_count(list) && status == RSM_OK; i++) {
    const rsm_filter *filter = rsm_filter_list_at(list, i);
    RM_FILTER_INFO record = {.FilterAction = (RM_FILTER_ACTION)filter->action};
    RSM_CLEAN_WIDE name = NULL;
    if (filter->exe || filter->service) {
      record.FilterTrigger = filter->exe ? RmFilterTriggerFile : RmFilterTriggerService;
      status = rsm__wide_new(filter->exe ? filter->exe : filter->service, &name, NULL);
    } else {
      record.FilterTrigger = RmFilterTriggerProcess;
      record.Process = rsm__process_to(&filter->process);
    }
    if (status == RSM_OK) put_record(p, &record, name);
  }
  return status;
}

rsm_status rsm__filter_records_pack(rsm_session *session, BYTE *buffer, DWORD size, DWORD *ret_needed) {
  RSM_CLEAN(free_list) rsm_filter_list *list = NULL;
  packing measured = {0}, packed = {.buffer = buffer};
  rsm_status status = rsm_session_filters(session, &list, NULL);
  if (status == RSM_OK) status = pack(list, &measured);
  if (status == RSM_OK && measured.used > UINT32_MAX) status = RSM_OUT_OF_MEMORY;
  if (status != RSM_OK) return status;
  *ret_needed = (DWORD)measured.used;
  if (measured.used > size) return RSM_MORE_DATA;
  return measured.used ? pack(list, &packed) : RSM_OK;
}
