/* buffer.h: bytes that grow, and a cursor that reads them back without ever reading past the end.
 * Numbers are little-endian and of fixed width; text is a 32-bit length and the bytes.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BASE_BUFFER_H
#define RSM_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* Zero-initialise. After a failed request `failed` stays set and further writes do nothing: check once at the end. */
typedef struct rsm__buffer {
  unsigned char *data;
  size_t length;
  size_t capacity;
  bool failed;
} rsm__buffer;

void rsm__buffer_done(rsm__buffer *buffer);
void rsm__buffer_put(rsm__buffer *buffer, const void *data, size_t length);
void rsm__buffer_put_u8(rsm__buffer *buffer, uint8_t value);
void rsm__buffer_put_u32(rsm__buffer *buffer, uint32_t value);
void rsm__buffer_put_u64(rsm__buffer *buffer, uint64_t value);
void rsm__buffer_put_text(rsm__buffer *buffer, const char *text);                 /* NULL is kept apart from "" */
void rsm__buffer_put_bytes(rsm__buffer *buffer, const void *data, size_t length); /* length, then bytes */
void rsm__buffer_put_texts(rsm__buffer *buffer, const char *const *texts, size_t count);

/* Reads what was put. After reading past the end or malformed input `failed` stays set and every read gives 0 or NULL.
 */
typedef struct rsm__cursor {
  const unsigned char *data;
  size_t length;
  size_t position;
  bool failed;
  bool out_of_memory; /* it failed, but not because of the input */
} rsm__cursor;

uint8_t rsm__cursor_u8(rsm__cursor *cursor);
uint32_t rsm__cursor_u32(rsm__cursor *cursor);
uint64_t rsm__cursor_u64(rsm__cursor *cursor);
/* Copied into the arena, NUL added; text with an embedded NUL is malformed. NULL only for put_text(NULL) or failure. */
const char *rsm__cursor_text(rsm__cursor *cursor, rsm__arena *arena);
const char *rsm__cursor_bytes(rsm__cursor *cursor, rsm__arena *arena, size_t *ret_length);
const char *const *rsm__cursor_texts(rsm__cursor *cursor, rsm__arena *arena, size_t *ret_count); /* NULL-terminated */

/* CRC-32C of length bytes: tells a torn record from a whole one. */
uint32_t rsm__crc32c(const void *data, size_t length);

#endif
