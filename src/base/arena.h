/* arena.h: memory that is freed all at once: what a list, a report or a parsed record points to.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BASE_ARENA_H
#define RSM_BASE_ARENA_H

#include <stddef.h>

typedef struct rsm__arena {
  struct rsm__arena_block *blocks;
} rsm__arena;

/* Zero-initialise an arena. All return NULL when out of memory. Memory is aligned as malloc's, and zeroed. */
void *rsm__arena_alloc(rsm__arena *arena, size_t size);
char *rsm__arena_copy(rsm__arena *arena, const char *text, size_t length); /* adds a NUL */
char *rsm__arena_strdup(rsm__arena *arena, const char *text);              /* NULL in, NULL out */
void rsm__arena_move(rsm__arena *to, rsm__arena *from); /* to owns from's memory, too, and from is empty */
void rsm__arena_done(rsm__arena *arena);

#endif
