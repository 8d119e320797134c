/* resources.c: SPDX-License-Identifier: MIT */
#include "builtin/resources.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "builtin/record.h"
#include "os/process.h"

static const uint32_t RESOURCES_VERSION = 1;
static const char PREFIX[] = "resources-";
enum { FILE_LIMIT = 1 << 30, WRITER_LIMIT = 65536 };

void rsm__enrollment_done(rsm__enrollment *enrollment) {
  rsm__arena_done(&enrollment->arena);
  rsm__free(enrollment->items);
  *enrollment = (rsm__enrollment){0};
}

static rsm_status read_batch(rsm__enrollment *enrollment, rsm__cursor *batch, rsm_error *reterr) {
  if (rsm__cursor_u32(batch) != RESOURCES_VERSION) return RSM_OK; /* of another version: nothing we can read */
  rsm_process by = rsm__get_process(batch);
  bool working_directories = rsm__cursor_u8(batch) != 0;
  while (!batch->failed && batch->position < batch->length) {
    rsm__enrolled item = {.by = by, .working_directories = working_directories};
    uint8_t kind = rsm__cursor_u8(batch);
    item.kind = (rsm_resource_kind)kind;
    if (kind == RSM_RESOURCE_PROCESS) {
      item.process = rsm__get_process(batch);
    } else {
      item.name = rsm__cursor_text(batch, &enrollment->arena);
      item.real = rsm__cursor_text(batch, &enrollment->arena);
      if (!item.name || kind > RSM_RESOURCE_SERVICE) break;
      if (kind == RSM_RESOURCE_SERVICE) item.service = rsm__get_service(batch, &enrollment->arena);
      if (kind == RSM_RESOURCE_SERVICE && !item.service.name) break;
    }
    if (batch->failed) break;
    if (rsm__grow(&enrollment->items, &enrollment->capacity, enrollment->count + 1, sizeof item) < 0)
      return rsm__fail_memory(reterr);
    enrollment->items[enrollment->count++] = item;
  }
  return batch->out_of_memory ? rsm__fail_memory(reterr) : RSM_OK;
}

static rsm_status read_writer(rsm__dir *session, const char *name, rsm__enrollment *enrollment, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer file = {0};
  rsm_status status = rsm__dir_read(session, name, FILE_LIMIT, &file, reterr);
  if (status != RSM_OK) return status;
  rsm__cursor all = {.data = file.data, .length = file.length}, batch;
  while (status == RSM_OK && rsm__record_next(&all, &batch)) status = read_batch(enrollment, &batch, reterr);
  return status;
}

rsm_status rsm__enrollment_read(rsm__dir *session, rsm__enrollment *ret_enrollment, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  RSM_CLEAN(rsm__enrollment_done) rsm__enrollment enrollment = {0};
  const char *const *names;
  size_t count;
  rsm_status status = rsm__dir_names(session, WRITER_LIMIT, &arena, &names, &count, reterr);
  for (size_t i = 0; status == RSM_OK && i < count; i++)
    if (strncmp(names[i], PREFIX, sizeof PREFIX - 1) == 0) status = read_writer(session, names[i], &enrollment, reterr);
  if (status != RSM_OK) return status;
  *ret_enrollment = enrollment;
  enrollment = (rsm__enrollment){0};
  return RSM_OK;
}

static void free_paths(char ***paths) {
  for (char **path = *paths; path && *path; path++) rsm__free(*path);
  rsm__free(*paths);
}

static rsm_status put_files(rsm__buffer *batch, rsm__lookup *lookup, const rsm_resources *resources,
                            rsm_error *reterr) {
  size_t count = resources->file_count;
  RSM_CLEAN(free_paths) char **paths = rsm__calloc(count + 1, sizeof *paths);
  RSM_CLEAN_FREE const char **reals = rsm__calloc(count, sizeof *reals);
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  if (!paths || !reals) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < count; i++) {
    rsm_status status = rsm__files_absolute(resources->files[i], &paths[i], reterr);
    if (status != RSM_OK) return status;
  }
  rsm_status status = rsm__lookup_real(lookup, (const char *const *)paths, count, &arena, reals, reterr);
  for (size_t i = 0; status == RSM_OK && i < count; i++) {
    rsm__buffer_put_u8(batch, RSM_RESOURCE_FILE);
    rsm__buffer_put_text(batch, paths[i]);
    rsm__buffer_put_text(batch, reals[i] && strcmp(reals[i], paths[i]) != 0 ? reals[i] : NULL);
  }
  return status;
}

/* A bare pid is bound to the process that has it now; a whole identity is taken as it is, and may match nobody. */
static rsm_status put_process(rsm__buffer *batch, const rsm_process *named, rsm_error *reterr) {
  rsm_process process = *named;
  if (process.start_time == 0) {
    rsm_status status = rsm_process_find(named->pid, &process, reterr);
    if (status != RSM_OK) return status;
  }
  rsm__buffer_put_u8(batch, RSM_RESOURCE_PROCESS);
  rsm__put_process(batch, &process);
  return RSM_OK;
}

/* The name as given, and whom it meant when it was registered. */
static rsm_status put_services(rsm__buffer *batch, const rsm_resources *resources, rsm_error *reterr) {
  RSM_CLEAN_ARENA rsm__arena arena = {0};
  rsm__services *services;
  rsm_status status = rsm__services_new(NULL, &services, reterr);
  if (status != RSM_OK) return status;
  for (size_t i = 0; status == RSM_OK && i < resources->service_count; i++) {
    rsm__service_id id;
    status = rsm__service_resolve(services, resources->services[i], &arena, &id, reterr);
    if (status != RSM_OK) break;
    rsm__buffer_put_u8(batch, RSM_RESOURCE_SERVICE);
    rsm__buffer_put_text(batch, resources->services[i]);
    rsm__buffer_put_text(batch, NULL);
    rsm__put_service(batch, &id);
  }
  rsm__services_free(services);
  return status;
}

static rsm_status append_batch(rsm__writer *writer, rsm__dir *session, const rsm__buffer *batch, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer record = {0};
  rsm__record_frame(&record, batch);
  if (record.failed) return rsm__fail_memory(reterr);
  if (rsm__dir_is_removed(session))
    return rsm__fail(reterr, RSM_INVALID_HANDLE, NULL, "the primary installer has ended the session");
  if (!writer->file) {
    char name[96];
    uint64_t lot; /* one process may join more than once */
    rsm_status status = rsm__random(&lot, sizeof lot, reterr);
    if (status != RSM_OK) return status;
    snprintf(name, sizeof name, "%s%u-%" PRIu64 "-%016" PRIx64, PREFIX, (unsigned)writer->self.pid,
             writer->self.start_time, lot);
    status = rsm__file_create(session, name, &writer->file, reterr);
    if (status == RSM_FILE_NOT_FOUND)
      return rsm__fail(reterr, RSM_INVALID_HANDLE, NULL, "the primary installer has ended the session");
    if (status != RSM_OK) return status;
  }
  return rsm__file_append(writer->file, record.data, record.length, reterr);
}

rsm_status rsm__writer_enroll(rsm__writer *writer, rsm__dir *session, rsm__lookup *lookup,
                              const rsm_resources *resources, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer batch = {0};
  rsm__buffer_put_u32(&batch, RESOURCES_VERSION);
  rsm__put_process(&batch, &writer->self);
  rsm__buffer_put_u8(&batch, resources->working_directories);
  rsm_status status = RSM_OK;
  if (resources->service_count) status = put_services(&batch, resources, reterr);
  for (size_t i = 0; status == RSM_OK && i < resources->process_count; i++)
    status = put_process(&batch, &resources->processes[i], reterr);
  if (status == RSM_OK && resources->file_count) status = put_files(&batch, lookup, resources, reterr);
  if (status != RSM_OK) return status;
  if (resources->file_count + resources->process_count + resources->service_count == 0) {
    /* Nothing to add: but a session that has ended is told so all the same. */
    if (rsm__dir_is_removed(session))
      return rsm__fail(reterr, RSM_INVALID_HANDLE, NULL, "the primary installer has ended the session");
    return RSM_OK;
  }
  return append_batch(writer, session, &batch, reterr);
}

void rsm__writer_done(rsm__writer *writer) {
  writer->file = rsm__file_close(writer->file);
}
