/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

enum { BLOCK_SIZE = 4000, ALIGNMENT = 2 * sizeof(void *) }; /* malloc gives no more, whatever max_align_t says */
_Static_assert(ALIGNMENT % alignof(double) == 0 && ALIGNMENT % alignof(uint64_t) == 0, "enough for all that we keep");

struct rsm__arena_block {
  struct rsm__arena_block *next;
  size_t used, size;
  alignas(ALIGNMENT) unsigned char bytes[];
};

void *rsm__arena_alloc(rsm__arena *arena, size_t size) {
  const size_t align = ALIGNMENT;
  if (size > SIZE_MAX - sizeof(struct rsm__arena_block) - align) return NULL;
  size = size ? (size + align - 1) / align * align : align;
  struct rsm__arena_block *block = arena->blocks;
  if (!block || block->size - block->used < size) {
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct rsm__arena_block *fresh = rsm__calloc(1, sizeof *fresh + room);
    if (!fresh) return NULL;
    fresh->size = room;
    /* A large request gets a block of its own behind the current one, whose room stays in use. */
    if (block && size > BLOCK_SIZE / 4) {
      fresh->next = block->next;
      block->next = fresh;
    } else {
      fresh->next = block;
      arena->blocks = fresh;
    }
    block = fresh;
  }
  void *memory = block->bytes + block->used;
  block->used += size;
  return memory;
}

char *rsm__arena_copy(rsm__arena *arena, const char *text, size_t length) {
  if (length == SIZE_MAX) return NULL;
  char *copy = rsm__arena_alloc(arena, length + 1);
  if (copy && length) memcpy(copy, text, length);
  return copy;
}

char *rsm__arena_strdup(rsm__arena *arena, const char *text) {
  return text ? rsm__arena_copy(arena, text, strlen(text)) : NULL;
}

void rsm__arena_move(rsm__arena *to, rsm__arena *from) {
  struct rsm__arena_block **end = &to->blocks; /* behind to's own blocks: the room in its first one stays in use */
  while (*end) end = &(*end)->next;
  *end = from->blocks;
  from->blocks = NULL;
}

void rsm__arena_done(rsm__arena *arena) {
  while (arena->blocks) {
    struct rsm__arena_block *next = arena->blocks->next;
    rsm__free(arena->blocks);
    arena->blocks = next;
  }
}
