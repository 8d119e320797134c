/* record.c: SPDX-License-Identifier: MIT */
#include "builtin/record.h"

static const uint32_t MAGIC = 0x314D5352; /* "RSM1" */
enum { HEADER = 12 };

void rsm__record_frame(rsm__buffer *file, const rsm__buffer *content) {
  if (content->failed || content->length > UINT32_MAX) {
    file->failed = true;
    return;
  }
  rsm__buffer_put_u32(file, MAGIC);
  rsm__buffer_put_u32(file, (uint32_t)content->length);
  rsm__buffer_put_u32(file, rsm__crc32c(content->data, content->length));
  rsm__buffer_put(file, content->data, content->length);
}

bool rsm__record_next(rsm__cursor *file, rsm__cursor *ret_content) {
  rsm__cursor at = *file;
  uint32_t magic = rsm__cursor_u32(&at), length = rsm__cursor_u32(&at), crc = rsm__cursor_u32(&at);
  if (at.failed || magic != MAGIC || length > at.length - at.position) return false;
  if (rsm__crc32c(at.data + at.position, length) != crc) return false;
  *ret_content = (rsm__cursor){.data = at.data + at.position, .length = length};
  file->position += HEADER + (size_t)length;
  return true;
}

void rsm__put_process(rsm__buffer *buffer, const rsm_process *process) {
  rsm__buffer_put_u32(buffer, process->pid);
  rsm__buffer_put_u64(buffer, process->start_time);
  rsm__buffer_put_u64(buffer, process->instance);
}

rsm_process rsm__get_process(rsm__cursor *cursor) {
  rsm_process process;
  process.pid = rsm__cursor_u32(cursor);
  process.start_time = rsm__cursor_u64(cursor);
  process.instance = rsm__cursor_u64(cursor);
  return process;
}

void rsm__put_service(rsm__buffer *buffer, const rsm__service_id *id) {
  rsm__buffer_put_text(buffer, id->name);
  rsm__buffer_put_u8(buffer, id->user_manager);
  rsm__buffer_put_u32(buffer, id->owner);
}

rsm__service_id rsm__get_service(rsm__cursor *cursor, rsm__arena *arena) {
  rsm__service_id id;
  id.name = rsm__cursor_text(cursor, arena);
  id.user_manager = rsm__cursor_u8(cursor) != 0;
  id.owner = rsm__cursor_u32(cursor);
  return id;
}
