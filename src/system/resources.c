/* resources.c: registering with the system's Restart Manager, in batches. It adds only: there is no way to take back
 * what it has taken. SPDX-License-Identifier: MIT
 *
 * call                 | purpose                         | blocks
 * GetFileAttributesW   | is a registered path a directory? | as long as its volume takes, a share: until given up
 * RmRegisterResources  | hands a batch over              | a write to the registry */
#include "system/probe.h"
#include "system/system.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/service.h"
#include "os/windows/wide.h"

/* A call costs a write to the registry, and the files of one call are one value there: of 14 MB Windows took 7. */
enum { BATCH_FILES = 5000, BATCH_UNITS = 512 * 1024, SUBJECT_SIZE = 256 };

/* What one call of enroll hands over. */
typedef struct handover {
  rsm__system *session;
  rsm__arena arena;
  rsm__paths long_files; /* each in a call of its own, and first: they are what is refused */
  rsm__paths files;
  rsm__paths found; /* in registered directories: those of them that are not long are in files, too */
  rsm__paths roots;
  rsm__paths services;
  RM_UNIQUE_PROCESS *processes;
  size_t process_count;
  size_t done; /* files that the system has taken */
} handover;

static void handover_done(handover *h) {
  rsm__paths_done(&h->long_files);
  rsm__paths_done(&h->files);
  rsm__paths_done(&h->found);
  rsm__paths_done(&h->roots);
  rsm__paths_done(&h->services);
  rsm__arena_done(&h->arena);
}

/* ---- Handing over ------------------------------------------------------------------------------------------------ */

static DWORD register_now(const handover *h, const wchar_t **files, size_t count, bool with_others) {
  rsm__system *session = h->session;
  return session->native->RmRegisterResources(
      session->handle, (UINT)count, count ? files : NULL, with_others ? (UINT)h->process_count : 0,
      with_others && h->process_count ? h->processes : NULL, with_others ? (UINT)h->services.count : 0,
      with_others && h->services.count ? h->services.items : NULL);
}

static rsm_status fail_register(const handover *h, DWORD code, const wchar_t *file, rsm_error *reterr) {
  char subject[SUBJECT_SIZE] = "";
  if (file) rsm__narrow_to(subject, sizeof subject, file, wcslen(file));
  rsm_status status = rsm__native_fail(reterr, code, "RmRegisterResources", file ? subject : NULL);
  size_t all = h->files.count + h->long_files.count;
  if (!h->session->primary && (status == RSM_CREDENTIAL_CONFLICT || status == RSM_INVALID_HANDLE))
    return rsm__fail(reterr, RSM_INVALID_HANDLE, NULL, "the primary installer has ended the session");
  if (file && rsm__path_is_long(file))
    rsm__error_explain(
        reterr,
        "the path has %zu characters: the system's Restart Manager takes none of 260 or more, and this one "
        "has no shorter name (8.3) on its volume; manager = 'builtin' takes it",
        wcslen(file));
  if (h->done) rsm__error_explain(reterr, "%zu of %zu files are registered, the others not", h->done, all);
  return status;
}

/* One call. If it is refused, and it is no single file's fault, with halves of its files. */
static rsm_status hand_over_batch(handover *h, const wchar_t **files, size_t count, bool with_others,
                                  rsm_error *reterr) {
  DWORD code = register_now(h, files, count, with_others);
  if (code == ERROR_SUCCESS) {
    h->done += count;
    return RSM_OK;
  }
  const wchar_t *culprit = count == 1 ? files[0] : NULL;
  if (code == ERROR_WRITE_FAULT && count > 1) culprit = rsm__probe_refused(h->session->native, files, count);
  if (code != ERROR_WRITE_FAULT || culprit || count <= 1) return fail_register(h, code, culprit, reterr);
  rsm_status status = hand_over_batch(h, files, count / 2, with_others, reterr);
  if (status == RSM_OK) status = hand_over_batch(h, files + count / 2, count - count / 2, false, reterr);
  return status;
}

static size_t batch_size(const wchar_t **files, size_t count) {
  size_t taken = 0;
  for (size_t units = 0; taken < count && taken < BATCH_FILES; taken++) {
    units += wcslen(files[taken]) + 1;
    if (units > BATCH_UNITS && taken > 0) break;
  }
  return taken;
}

/* One file that nobody has named must not spoil all others. */
static rsm_status hand_over_found(handover *h, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < h->found.count; i++) {
    if (!rsm__path_is_long(h->found.items[i])) continue;
    status = hand_over_batch(h, &h->found.items[i], 1, false, reterr);
    if (status == RSM_WRITE_FAULT) status = rsm__folders_refuse(&h->session->folders, h->found.items[i], reterr);
  }
  return status;
}

/* Processes and services go with the first batch: so what fits into one call is taken as a whole or not at all. */
static rsm_status hand_over(handover *h, rsm_error *reterr) {
  rsm_status status = RSM_OK;
  bool others = h->process_count + h->services.count > 0;
  for (size_t i = 0; status == RSM_OK && i < h->long_files.count; i++)
    status = hand_over_batch(h, &h->long_files.items[i], 1, false, reterr);
  for (size_t at = 0; status == RSM_OK && (at < h->files.count || others);) {
    size_t count = batch_size(h->files.items + at, h->files.count - at);
    status = hand_over_batch(h, h->files.items + at, count, others, reterr);
    others = false;
    at += count;
  }
  return status == RSM_OK ? hand_over_found(h, reterr) : status;
}

/* ---- Gathering --------------------------------------------------------------------------------------------------- */

static rsm_status add_file(handover *h, const wchar_t *file, rsm_error *reterr) {
  return rsm__paths_add(rsm__path_is_long(file) ? &h->long_files : &h->files, file, reterr);
}

/* root: with the prefix. */
static rsm_status add_tree(handover *h, const wchar_t *root, rsm_list *list, rsm_error *reterr) {
  const rsm__folders *folders = &h->session->folders;
  size_t before = h->found.count, taken = rsm__folders_known(folders) + before;
  size_t limit = taken < RSM__FOLDERS_LIMIT ? RSM__FOLDERS_LIMIT - taken : 0;
  rsm__paths found = {0};
  rsm_status status = rsm__folders_find_new(folders, root, limit, &h->arena, &found, list, reterr);
  for (size_t i = 0; status == RSM_OK && i < found.count; i++) {
    status = rsm__paths_add(&h->found, found.items[i], reterr);
    if (status == RSM_OK && !rsm__path_is_long(found.items[i]))
      status = rsm__paths_add(&h->files, found.items[i], reterr);
  }
  rsm__paths_done(&found);
  return status;
}

static rsm_status add_path(handover *h, const char *name, rsm_error *reterr) {
  RSM_CLEAN_WIDE full = NULL;
  const wchar_t *path;
  rsm_status status = rsm__wide_path(name, &full, reterr);
  if (status != RSM_OK) return status;
  DWORD attributes = GetFileAttributesW(full);
  if (attributes == INVALID_FILE_ATTRIBUTES || !(attributes & FILE_ATTRIBUTE_DIRECTORY)) {
    status = rsm__path_spell(full, &h->arena, &path, reterr);
    return status == RSM_OK ? add_file(h, path, reterr) : status;
  }
  status = rsm__path_prefix(full, &h->arena, &path, reterr);
  if (status == RSM_OK) status = rsm__paths_add(&h->roots, path, reterr);
  return status == RSM_OK ? add_tree(h, path, NULL, reterr) : status;
}

static rsm_status add_files(handover *h, const rsm_resources *resources, rsm_error *reterr) {
  rsm_resource_list *registered = h->session->registered;
  for (size_t i = 0; i < resources->file_count; i++) {
    RSM_CLEAN_FREE char *name = NULL;
    rsm_status status = rsm__files_absolute(resources->files[i], &name, reterr);
    if (status == RSM_OK) status = add_path(h, name, reterr);
    const rsm_resource resource = {.kind = RSM_RESOURCE_FILE, .name = name, .by = h->session->self};
    if (status == RSM_OK) status = rsm__resource_list_add(registered, &resource, reterr);
    if (status != RSM_OK) return status;
  }
  return RSM_OK;
}

/* A bare pid is bound to the process that has it now; a whole identity is taken as it is, and may match nobody. */
static rsm_status add_processes(handover *h, const rsm_resources *resources, rsm_error *reterr) {
  size_t count = resources->process_count;
  if (count == 0) return RSM_OK;
  h->processes = rsm__arena_alloc(&h->arena, count * sizeof *h->processes);
  if (!h->processes) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++) {
    rsm_resource resource = {.kind = RSM_RESOURCE_PROCESS, .process = resources->processes[i], .by = h->session->self};
    rsm_status status = RSM_OK;
    if (!resource.process.start_time) status = rsm_process_find(resource.process.pid, &resource.process, reterr);
    if (status == RSM_OK) status = rsm__resource_list_add(h->session->registered, &resource, reterr);
    if (status != RSM_OK) return status;
    h->processes[h->process_count++] = rsm__native_process(&resource.process);
  }
  return RSM_OK;
}

static void free_services(rsm__services **services) {
  *services = rsm__services_free(*services);
}

/* Windows' DLL takes any name: so it is asked for before. */
static rsm_status add_services(handover *h, const rsm_resources *resources, rsm_error *reterr) {
  RSM_CLEAN(free_services) rsm__services *services = NULL;
  if (resources->service_count == 0) return RSM_OK;
  rsm_status status = rsm__services_new(NULL, &services, reterr);
  for (size_t i = 0; status == RSM_OK && i < resources->service_count; i++) {
    const rsm_resource resource = {
        .kind = RSM_RESOURCE_SERVICE, .name = resources->services[i], .by = h->session->self};
    rsm__service_id id;
    const wchar_t *name;
    status = rsm__service_resolve(services, resource.name, &h->arena, &id, reterr);
    if (status == RSM_OK) status = rsm__wide_in(&h->arena, id.name, &name, reterr);
    if (status == RSM_OK) status = rsm__paths_add(&h->services, name, reterr);
    if (status == RSM_OK) status = rsm__resource_list_add(h->session->registered, &resource, reterr);
  }
  return status;
}

static rsm_status gather(handover *h, const rsm_resources *resources, rsm_error *reterr) {
  rsm_status status = add_services(h, resources, reterr);
  if (status == RSM_OK) status = add_processes(h, resources, reterr);
  return status == RSM_OK ? add_files(h, resources, reterr) : status;
}

/* What was found in directories needs not be handed over again. */
static rsm_status remember(handover *h, rsm_error *reterr) {
  rsm__folders *folders = &h->session->folders;
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < h->roots.count; i++)
    status = rsm__folders_add_root(folders, h->roots.items[i], reterr);
  for (size_t i = 0; i < h->found.count; i++) rsm__folders_know(folders, h->found.items[i]);
  return status;
}

rsm_status rsm__system_enroll(void *state, const rsm_resources *resources, rsm_error *reterr) {
  rsm__system *session = state;
  RSM_CLEAN(handover_done) handover h = {.session = session};
  if (resources->working_directories)
    return rsm__fail(reterr, RSM_NOT_SUPPORTED, NULL,
                     "the system's Restart Manager does not see working directories: use manager = 'builtin'");
  size_t before = session->registered->count;
  rsm_status status = gather(&h, resources, reterr);
  if (status == RSM_OK) status = hand_over(&h, reterr);
  if (status == RSM_OK) status = remember(&h, reterr);
  if (status != RSM_OK) session->registered->count = before;
  return status;
}

rsm_status rsm__system_refresh(rsm__system *session, rsm_list *list, rsm_error *reterr) {
  RSM_CLEAN(handover_done) handover h = {.session = session};
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < session->folders.roots.count; i++)
    status = add_tree(&h, session->folders.roots.items[i], list, reterr);
  if (status == RSM_OK) status = hand_over(&h, reterr);
  if (status == RSM_OK) status = remember(&h, reterr);
  return status == RSM_OK ? rsm__folders_tell(&session->folders, list, reterr) : status;
}

rsm_status rsm__system_resources(void *state, rsm_resource_list *list, rsm_error *reterr) {
  const rsm__system *session = state;
  rsm_status status = RSM_OK;
  for (size_t i = 0; status == RSM_OK && i < session->registered->count; i++)
    status = rsm__resource_list_add(list, &session->registered->items[i], reterr);
  return status;
}
