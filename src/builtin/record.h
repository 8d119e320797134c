/* record.h: framed records in the session's files: magic, length, checksum, content. A torn or foreign one ends the
 * file. SPDX-License-Identifier: MIT */
#ifndef RSM_BUILTIN_RECORD_H
#define RSM_BUILTIN_RECORD_H

#include "base/buffer.h"
#include "os/service.h"

void rsm__record_frame(rsm__buffer *file, const rsm__buffer *content);
/* The next record's content as a cursor into the file's own bytes; false at the end or at a torn record, where
 * file->position then stands. */
bool rsm__record_next(rsm__cursor *file, rsm__cursor *ret_content);

void rsm__put_service(rsm__buffer *buffer, const rsm__service_id *id);
rsm__service_id rsm__get_service(rsm__cursor *cursor, rsm__arena *arena); /* name NULL: none */

void rsm__put_process(rsm__buffer *buffer, const rsm_process *process);
rsm_process rsm__get_process(rsm__cursor *cursor);

#endif
