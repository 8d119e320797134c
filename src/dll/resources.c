/* resources.c: RmRegisterResources' three arrays, as resources of a session. SPDX-License-Identifier: MIT */
#include "dll/resources.h"

#include <string.h>

#include "dll/process_info.h"
#include "os/windows/wide.h"

/* NULL: out of memory. */
static const char *const *narrow_all(rsm__arena *arena, const LPCWSTR *texts, UINT count, size_t *ret_count) {
  size_t used = 0;
  const char **result = rsm__arena_alloc(arena, ((size_t)count + 1) * sizeof *result);
  for (UINT i = 0; result && i < count; i++) {
    if (!texts[i]) continue;
    result[used] = rsm__narrow_text_in(arena, texts[i]);
    if (!result[used++]) return NULL;
  }
  if (result) *ret_count = used;
  return result;
}

/* Takes the named service out. A name that is too long for the error is known by its beginning. */
static bool drop(const char **services, size_t *count, const char *subject) {
  size_t length = strlen(subject), kept = 0;
  for (size_t i = 0; i < *count; i++) {
    bool cut = length + 1 >= sizeof((rsm_error *)0)->subject && strncmp(services[i], subject, length) == 0;
    if (!cut && strcmp(services[i], subject) != 0) services[kept++] = services[i];
  }
  bool dropped = kept < *count;
  *count = kept;
  return dropped;
}

rsm_status rsm__resources_register(rsm_session *session, const rsm__arrays *arrays) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm_resources resources = {.process_count = arrays->process_count};
  if ((arrays->file_count && !arrays->files) || (arrays->process_count && !arrays->processes) ||
      (arrays->service_count && !arrays->services))
    return RSM_BAD_ARGUMENTS;
  rsm_process *processes = rsm__arena_alloc(&arena, ((size_t)arrays->process_count + 1) * sizeof *processes);
  const char *const *services = narrow_all(&arena, arrays->services, arrays->service_count, &resources.service_count);
  resources.files = narrow_all(&arena, arrays->files, arrays->file_count, &resources.file_count);
  if (!processes || !services || !resources.files) return RSM_OUT_OF_MEMORY;
  for (UINT i = 0; i < arrays->process_count; i++) processes[i] = rsm__process_from(&arrays->processes[i]);
  resources.processes = processes;
  resources.services = services;
  rsm_error error;
  rsm_status status;
  do {
    status = rsm_session_register(session, &resources, &error);
  } while (status == RSM_NO_SUCH_SERVICE && drop((const char **)services, &resources.service_count, error.subject));
  return status;
}
