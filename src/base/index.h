/* index.h: a hash from 64-bit keys to entry numbers, several entries a key allowed. The caller keeps the entries in an
 * array and compares them itself:
 *   for (uint32_t i = rsm__index_first(&x, hash); i != RSM_INDEX_END; i = rsm__index_next(&x, i)) if (same(i)) ...
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BASE_INDEX_H
#define RSM_BASE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSM_INDEX_END UINT32_MAX

/* Zero-initialise. */
typedef struct rsm__index {
  uint32_t *heads; /* by hash & mask: 1 + entry number, 0 none */
  uint32_t *nexts; /* by entry number: the same */
  uint64_t *hashes;
  size_t mask; /* number of heads - 1 */
  size_t count;
  size_t next_capacity;
  size_t hash_capacity;
} rsm__index;

bool rsm__index_add(rsm__index *index, uint64_t hash); /* entry number: how many were added before. False: no memory */
void rsm__index_done(rsm__index *index);
uint32_t rsm__index_first(const rsm__index *index, uint64_t hash);
uint32_t rsm__index_next(const rsm__index *index, uint32_t entry);

uint64_t rsm__hash_numbers(uint64_t a, uint64_t b);
uint64_t rsm__hash_text(const char *text, size_t length);

#endif
