/* process_list.c: see process_list.h. SPDX-License-Identifier: MIT
 *
 * call                            | purpose                          | blocks on
 * NtQuerySystemInformation        | all processes, all handles       | nothing; each is one moment's picture
 * CreateEventW, CreateFileMappingW| which number means "file" here   | nothing
 *
 * The numbers of the kinds of objects differ from one Windows to the next: they are learnt from two handles of our own,
 * which stand in the same list. */
#include "os/windows/process_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "os/windows/file_id.h"
#include "os/windows/handle.h"
#include "os/windows/nt.h"
#include "os/windows/os_error.h"
#include "os/windows/wide.h"

enum { FIRST_SIZE = 512 * 1024, SLACK = 64 * 1024, MOST_TRIES = 12, IDLE_PID = 0, SYSTEM_PID = 4 };
static const size_t largest_list = (size_t)1 << 30;

/* Grows until the answer fits: between two tries there may be more, so it grows by half beyond what was asked for. */
static rsm_status query(ULONG kind, size_t *size, void **ret_data, rsm_error *reterr) {
  NTSTATUS code = RSM__STATUS_INFO_LENGTH_MISMATCH;
  for (unsigned tries = 0; tries < MOST_TRIES && code == RSM__STATUS_INFO_LENGTH_MISMATCH; tries++) {
    ULONG needed = 0;
    RSM_CLEAN_FREE void *data = rsm__malloc(*size);
    if (!data) return rsm__fail_memory(reterr);
    code = NtQuerySystemInformation((SYSTEM_INFORMATION_CLASS)kind, data, (ULONG)*size, &needed);
    if (code >= 0) {
      *ret_data = data;
      data = NULL;
      return RSM_OK;
    }
    size_t larger = needed > *size ? (size_t)needed + needed / 2 + SLACK : *size * 2;
    if (larger > largest_list) break;
    *size = larger;
  }
  return rsm__fail_nt(reterr, code, "NtQuerySystemInformation", NULL);
}

/* ---- Processes ---- */

void rsm__process_list_done(rsm__process_list *list) {
  rsm__free(list->items);
  rsm__arena_done(&list->arena);
  *list = (rsm__process_list){0};
}

static int compare_pids(const void *a, const void *b) {
  uint32_t left = ((const rsm__listed_process *)a)->id.pid, right = ((const rsm__listed_process *)b)->id.pid;
  return left < right ? -1 : left > right;
}

/* The kernel's own (Registry, Memory Compression, Secure System) are children of System, as the first program is. */
static bool is_kernels(const rsm__nt_process *process, const char *name) {
  uintptr_t pid = (uintptr_t)process->pid;
  if (pid == IDLE_PID || pid == SYSTEM_PID) return true;
  return (uintptr_t)process->parent == SYSTEM_PID && _stricmp(name, "smss.exe") != 0;
}

static rsm_status add_process(rsm__process_list *list, const rsm__nt_process *process, rsm_error *reterr) {
  uint32_t pid = (uint32_t)(uintptr_t)process->pid;
  if (process->threads == 0 && pid != IDLE_PID) return RSM_OK; /* has ended; somebody still has a handle on it */
  const char *name = rsm__narrow_in(&list->arena, process->name.Buffer, process->name.Length / sizeof(wchar_t));
  if (!name || rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
    return rsm__fail_memory(reterr);
  list->items[list->count++] = (rsm__listed_process){
      .id = {.pid = pid, .start_time = (uint64_t)process->created.QuadPart},
      .parent = (uint32_t)(uintptr_t)process->parent,
      .session = process->session,
      .name = name,
      .kernel = is_kernels(process, name),
  };
  return RSM_OK;
}

rsm_status rsm__process_list_read(rsm__process_list *list, rsm_error *reterr) {
  size_t size = FIRST_SIZE;
  void *answer = NULL;
  rsm_status status = query(RSM__NT_SYSTEM_PROCESSES, &size, &answer, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_FREE unsigned char *data = answer;
  for (size_t at = 0; status == RSM_OK;) {
    const rsm__nt_process *process = (const void *)(data + at);
    status = add_process(list, process, reterr);
    if (process->next == 0) break;
    at += process->next;
  }
  if (status != RSM_OK) return status;
  qsort(list->items, list->count, sizeof *list->items, compare_pids);
  return RSM_OK;
}

const rsm__listed_process *rsm__process_list_find(const rsm__process_list *list, uint32_t pid) {
  const rsm__listed_process wanted = {.id = {.pid = pid}};
  return list->count ? bsearch(&wanted, list->items, list->count, sizeof *list->items, compare_pids) : NULL;
}

const rsm__listed_process *rsm__process_list_parent(const rsm__process_list *list, const rsm__listed_process *child) {
  if (child->parent == IDLE_PID || child->parent == child->id.pid) return NULL;
  const rsm__listed_process *parent = rsm__process_list_find(list, child->parent);
  return parent && parent->id.start_time <= child->id.start_time ? parent : NULL;
}

/* ---- Handles ---- */

void rsm__handle_list_done(rsm__handle_list *handles) {
  rsm__free(handles->items);
  *handles = (rsm__handle_list){0};
}

/* A handle of each of the two kinds. */
typedef struct samples {
  HANDLE file;
  HANDLE section;
  uint32_t file_type; /* their numbers; 0: not found */
  uint32_t section_type;
} samples;

static void samples_done(samples *s) {
  rsm__handle_close(&s->file);
  rsm__handle_close(&s->section);
}

static rsm_status take_samples(samples *s, rsm_error *reterr) {
  s->file = CreateFileW(L"\\\\.\\NUL", FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0,
                        NULL);
  if (s->file == INVALID_HANDLE_VALUE) return rsm__fail_windows(reterr, GetLastError(), "CreateFileW", "NUL");
  s->section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READONLY, 0, 1, NULL);
  if (!s->section) return rsm__fail_windows(reterr, GetLastError(), "CreateFileMappingW", NULL);
  return RSM_OK;
}

static void find_types(samples *s, const rsm__nt_handles *all) {
  DWORD self = GetCurrentProcessId();
  for (size_t i = 0; i < all->count && !(s->file_type && s->section_type); i++) {
    const rsm__nt_handle *handle = &all->items[i];
    if (handle->pid != self) continue;
    if (handle->value == (ULONG_PTR)s->file) s->file_type = handle->type;
    if (handle->value == (ULONG_PTR)s->section) s->section_type = handle->type;
  }
}

/* For a directory's names, and for sections, others may ask with the same rights: only in our own process are they
 * taken for ours. */
static bool is_look(const rsm__nt_handle *handle, bool section, bool ours) {
  if (section) return ours && (handle->access & ~(ULONG)RSM__ASK_SECTION) == 0;
  return (handle->access & ~(ULONG)(ours ? RSM__LOOK_DIRECTORY : RSM__LOOK_FILE)) == 0;
}

static bool is_wanted(const samples *s, const rsm__nt_handle *handle) {
  bool ours = handle->pid == GetCurrentProcessId(), section = handle->type == s->section_type;
  if (!section && handle->type != s->file_type) return false;
  if (ours && (handle->value == (ULONG_PTR)s->file || handle->value == (ULONG_PTR)s->section)) return false;
  return !is_look(handle, section, ours);
}

/* Those of one process stand together on every Windows, but nobody promises it. */
static int compare_handles(const void *a, const void *b) {
  const rsm__listed_handle *left = a, *right = b;
  if (left->pid != right->pid) return left->pid < right->pid ? -1 : 1;
  return left->value < right->value ? -1 : left->value > right->value;
}

static rsm_status take_wanted(rsm__handle_list *handles, const rsm__nt_handles *all, const samples *s,
                              rsm_error *reterr) {
  size_t count = 0;
  for (size_t i = 0; i < all->count; i++) count += is_wanted(s, &all->items[i]);
  handles->items = rsm__malloc(count * sizeof *handles->items);
  if (!handles->items) return rsm__fail_memory(reterr);
  bool sorted = true;
  for (size_t i = 0; i < all->count; i++) {
    const rsm__nt_handle *from = &all->items[i];
    if (!is_wanted(s, from)) continue;
    rsm__listed_handle *to = &handles->items[handles->count++];
    *to = (rsm__listed_handle){.pid = (uint32_t)from->pid,
                               .value = (uint32_t)from->value,
                               .access = from->access,
                               .section = from->type == s->section_type};
    sorted = sorted && (handles->count == 1 || compare_handles(to - 1, to) <= 0);
  }
  if (!sorted) qsort(handles->items, handles->count, sizeof *handles->items, compare_handles);
  return RSM_OK;
}

/* Both lists are by ascending pid. */
static void assign(const rsm__handle_list *handles, rsm__process_list *processes) {
  size_t at = 0;
  for (size_t i = 0; i < processes->count; i++) {
    rsm__listed_process *process = &processes->items[i];
    while (at < handles->count && handles->items[at].pid < process->id.pid) at++;
    process->first_handle = at;
    while (at < handles->count && handles->items[at].pid == process->id.pid) at++;
    process->handle_count = at - process->first_handle;
  }
}

rsm_status rsm__handle_list_read(rsm__handle_list *handles, rsm__process_list *processes, rsm_error *reterr) {
  RSM_CLEAN(samples_done) samples s = {0};
  size_t size = FIRST_SIZE;
  void *answer = NULL;
  rsm_status status = take_samples(&s, reterr);
  if (status == RSM_OK) status = query(RSM__NT_SYSTEM_HANDLES, &size, &answer, reterr);
  if (status != RSM_OK) return status;
  RSM_CLEAN_FREE rsm__nt_handles *all = answer;
  find_types(&s, all);
  if (s.file_type == 0)
    return rsm__fail(reterr, RSM_GEN_FAILURE, NULL, "the system's list of handles does not show our own");
  status = take_wanted(handles, all, &s, reterr);
  if (status == RSM_OK) assign(handles, processes);
  return status;
}
