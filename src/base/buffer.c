/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <string.h>

#include "base/alloc.h"

static const uint32_t NO_TEXT = UINT32_MAX; /* the length that stands for a NULL text */

void rsm__buffer_done(rsm__buffer *buffer) {
  rsm__free(buffer->data);
  *buffer = (rsm__buffer){0};
}

void rsm__buffer_put(rsm__buffer *buffer, const void *data, size_t length) {
  if (buffer->failed) return;
  if (length > SIZE_MAX - buffer->length ||
      rsm__grow(&buffer->data, &buffer->capacity, buffer->length + length, 1) < 0) {
    buffer->failed = true;
    return;
  }
  if (length) memcpy(buffer->data + buffer->length, data, length);
  buffer->length += length;
}

void rsm__buffer_put_u8(rsm__buffer *buffer, uint8_t value) {
  rsm__buffer_put(buffer, &value, 1);
}

void rsm__buffer_put_u32(rsm__buffer *buffer, uint32_t value) {
  unsigned char bytes[4];
  for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(value >> 8 * i);
  rsm__buffer_put(buffer, bytes, sizeof bytes);
}

void rsm__buffer_put_u64(rsm__buffer *buffer, uint64_t value) {
  rsm__buffer_put_u32(buffer, (uint32_t)value);
  rsm__buffer_put_u32(buffer, (uint32_t)(value >> 32));
}

void rsm__buffer_put_bytes(rsm__buffer *buffer, const void *data, size_t length) {
  if (length >= NO_TEXT) {
    buffer->failed = true;
    return;
  }
  rsm__buffer_put_u32(buffer, (uint32_t)length);
  rsm__buffer_put(buffer, data, length);
}

void rsm__buffer_put_text(rsm__buffer *buffer, const char *text) {
  if (text)
    rsm__buffer_put_bytes(buffer, text, strlen(text));
  else
    rsm__buffer_put_u32(buffer, NO_TEXT);
}

void rsm__buffer_put_texts(rsm__buffer *buffer, const char *const *texts, size_t count) {
  if (count >= NO_TEXT) {
    buffer->failed = true;
    return;
  }
  rsm__buffer_put_u32(buffer, (uint32_t)count);
  for (size_t i = 0; i < count; i++) rsm__buffer_put_text(buffer, texts[i]);
}

static const unsigned char *take(rsm__cursor *cursor, size_t length) {
  if (cursor->failed || length > cursor->length - cursor->position) {
    cursor->failed = true;
    return NULL;
  }
  const unsigned char *bytes = cursor->data + cursor->position;
  cursor->position += length;
  return bytes;
}

uint8_t rsm__cursor_u8(rsm__cursor *cursor) {
  const unsigned char *bytes = take(cursor, 1);
  return bytes ? bytes[0] : 0;
}

uint32_t rsm__cursor_u32(rsm__cursor *cursor) {
  const unsigned char *bytes = take(cursor, 4);
  uint32_t value = 0;
  for (unsigned i = 0; bytes && i < 4; i++) value |= (uint32_t)bytes[i] << 8 * i;
  return value;
}

uint64_t rsm__cursor_u64(rsm__cursor *cursor) {
  uint64_t low = rsm__cursor_u32(cursor);
  return low | (uint64_t)rsm__cursor_u32(cursor) << 32;
}

static const char *copy_out(rsm__cursor *cursor, uint32_t length, rsm__arena *arena) {
  const unsigned char *bytes = take(cursor, length);
  char *copy = bytes ? rsm__arena_copy(arena, (const char *)bytes, length) : NULL;
  if (!copy) cursor->failed = true;
  if (bytes && !copy) cursor->out_of_memory = true;
  return copy;
}

const char *rsm__cursor_bytes(rsm__cursor *cursor, rsm__arena *arena, size_t *ret_length) {
  uint32_t length = rsm__cursor_u32(cursor);
  const char *bytes = copy_out(cursor, length, arena);
  *ret_length = bytes ? length : 0;
  return bytes;
}

const char *rsm__cursor_text(rsm__cursor *cursor, rsm__arena *arena) {
  uint32_t length = rsm__cursor_u32(cursor);
  if (cursor->failed || length == NO_TEXT) return NULL;
  const char *text = copy_out(cursor, length, arena);
  if (text && memchr(text, 0, length)) {
    cursor->failed = true;
    return NULL;
  }
  return text;
}

const char *const *rsm__cursor_texts(rsm__cursor *cursor, rsm__arena *arena, size_t *ret_count) {
  uint32_t count = rsm__cursor_u32(cursor);
  *ret_count = 0;
  /* Each text takes at least its length: a count beyond that is a lie, not a reason to allocate. */
  if (cursor->failed || count > (cursor->length - cursor->position) / 4) {
    cursor->failed = true;
    return NULL;
  }
  const char **texts = rsm__arena_alloc(arena, (count + (size_t)1) * sizeof *texts);
  if (!texts) {
    cursor->failed = cursor->out_of_memory = true;
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    texts[i] = rsm__cursor_text(cursor, arena);
    if (!texts[i]) cursor->failed = true; /* only the end is NULL */
  }
  if (cursor->failed) return NULL;
  *ret_count = count;
  return texts;
}

/* Of the reflected polynomial 0x82F63B78. */
static uint32_t add_to_crc(uint32_t crc, const unsigned char *bytes, size_t length) {
  /* Four bits at a time: small enough to be checked by eye. */
  static const uint32_t table[16] = {
      0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
      0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
  };
  for (size_t i = 0; i < length; i++) {
    crc ^= bytes[i];
    crc = crc >> 4 ^ table[crc & 15];
    crc = crc >> 4 ^ table[crc & 15];
  }
  return crc;
}

#if defined(__GNUC__) && defined(__x86_64__)
enum { WORD = sizeof(uint64_t) };

/* The processor's own instruction: a record of 100,000 files has some megabytes. */
__attribute__((target("sse4.2"))) static uint32_t add_words(uint32_t crc, const unsigned char *bytes, size_t words) {
  uint64_t so_far = crc, word;
  for (; words > 0; words--, bytes += WORD) {
    memcpy(&word, bytes, WORD);
    so_far = __builtin_ia32_crc32di(so_far, word);
  }
  return (uint32_t)so_far;
}
#endif

uint32_t rsm__crc32c(const void *data, size_t length) {
  const unsigned char *bytes = data;
  uint32_t crc = UINT32_MAX;
#if defined(__GNUC__) && defined(__x86_64__)
  if (length >= WORD && __builtin_cpu_supports("sse4.2")) {
    crc = add_words(crc, bytes, length / WORD);
    bytes += length / WORD * WORD;
    length %= WORD;
  }
#endif
  return ~add_to_crc(crc, bytes, length);
}
