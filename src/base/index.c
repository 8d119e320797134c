/* index.c: see index.h. Chains through arrays of numbers: one block to free, nothing moves but when it doubles.
 * SPDX-License-Identifier: MIT */
#include "base/index.h"

#include <string.h>

#include "base/alloc.h"

enum { FIRST_HEADS = 16 };

static void link_entry(rsm__index *index, size_t entry) {
  uint32_t *head = &index->heads[index->hashes[entry] & index->mask];
  index->nexts[entry] = *head;
  *head = (uint32_t)entry + 1;
}

static bool double_heads(rsm__index *index) {
  size_t heads = index->heads ? (index->mask + 1) * 2 : FIRST_HEADS;
  uint32_t *fresh = rsm__calloc(heads, sizeof *fresh);
  if (!fresh) return false;
  rsm__free(index->heads);
  index->heads = fresh;
  index->mask = heads - 1;
  for (size_t i = 0; i < index->count; i++) link_entry(index, i);
  return true;
}

bool rsm__index_add(rsm__index *index, uint64_t hash) {
  if (index->count >= UINT32_MAX - 1) return false;
  if (rsm__grow(&index->nexts, &index->next_capacity, index->count + 1, sizeof *index->nexts) < 0) return false;
  if (rsm__grow(&index->hashes, &index->hash_capacity, index->count + 1, sizeof *index->hashes) < 0) return false;
  if ((!index->heads || index->count > index->mask) && !double_heads(index)) return false;
  index->hashes[index->count] = hash;
  link_entry(index, index->count++);
  return true;
}

void rsm__index_done(rsm__index *index) {
  rsm__free(index->heads);
  rsm__free(index->nexts);
  rsm__free(index->hashes);
  memset(index, 0, sizeof *index);
}

/* The first entry with that hash from `link` (1 + entry number) on. */
static uint32_t follow(const rsm__index *index, uint32_t link, uint64_t hash) {
  while (link != 0 && index->hashes[link - 1] != hash) link = index->nexts[link - 1];
  return link == 0 ? RSM_INDEX_END : link - 1;
}

uint32_t rsm__index_first(const rsm__index *index, uint64_t hash) {
  return index->heads ? follow(index, index->heads[hash & index->mask], hash) : RSM_INDEX_END;
}

uint32_t rsm__index_next(const rsm__index *index, uint32_t entry) {
  return follow(index, index->nexts[entry], index->hashes[entry]);
}

static uint64_t mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return x ^ (x >> 32);
}

uint64_t rsm__hash_numbers(uint64_t a, uint64_t b) {
  return mix(mix(a) + b);
}

uint64_t rsm__hash_text(const char *text, size_t length) {
  uint64_t hash = length;
  for (; length >= 8; text += 8, length -= 8) {
    uint64_t word;
    memcpy(&word, text, 8);
    hash = mix(hash ^ word);
  }
  uint64_t rest = 0;
  memcpy(&rest, text, length);
  return mix(hash ^ rest);
}
