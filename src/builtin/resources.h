/* resources.h: what the installers of a session registered. Each writer has a file of its own in the session's folder;
 * the primary reads them all. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_RESOURCES_H
#define RSM_BUILTIN_RESOURCES_H

#include "builtin/store.h"
#include "core/list.h"
#include "os/files.h"
#include "os/service.h"

typedef struct rsm__enrolled {
  rsm_resource_kind kind;
  const char *name; /* absolute path, or service */
  const char *real; /* of a file: its real path when it was registered; NULL unknown */
  rsm_process process;
  rsm__service_id service; /* as its manager named it */
  rsm_process by;
  bool working_directories;
} rsm__enrolled;

/* A snapshot of everything registered. Zero-initialise. */
typedef struct rsm__enrollment {
  rsm__arena arena;
  rsm__enrolled *items;
  size_t count, capacity;
} rsm__enrollment;

void rsm__enrollment_done(rsm__enrollment *enrollment);
/* Reads all writers' files. What is torn or malformed ends that file. */
rsm_status rsm__enrollment_read(rsm__dir *session, rsm__enrollment *ret_enrollment, rsm_error *reterr);

/* One writer. */
typedef struct rsm__writer {
  rsm_process self;
  rsm__file *file; /* made at the first registration */
} rsm__writer;

/* Checks everything, then appends it in one record. RSM_NOT_FOUND, RSM_NO_SUCH_SERVICE, RSM_NOT_SUPPORTED: reterr names
 * what. */
rsm_status rsm__writer_enroll(rsm__writer *writer, rsm__dir *session, rsm__lookup *lookup,
                              const rsm_resources *resources, rsm_error *reterr);
void rsm__writer_done(rsm__writer *writer);

#endif
