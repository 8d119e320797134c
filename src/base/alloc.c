/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef RSM_TEST_HOOKS
#include <stdatomic.h>
#include <stdbool.h>

/* Test builds only. Atomic because operations allocate on their own threads, too. */
static atomic_long fail_countdown;
static atomic_bool fail_for_ever;
static atomic_long live_blocks;

void rsm__alloc_fail_at(unsigned long n, int for_ever) {
  atomic_store(&fail_countdown, (long)n);
  atomic_store(&fail_for_ever, for_ever != 0);
}

long rsm__alloc_live(void) {
  return atomic_load(&live_blocks);
}

static bool must_fail(void) {
  if (atomic_load(&fail_countdown) <= 0) return false;
  if (atomic_fetch_sub(&fail_countdown, 1) != 1) return false;
  if (atomic_load(&fail_for_ever)) atomic_store(&fail_countdown, 1);
  return true;
}

static void count_live(int change) {
  atomic_fetch_add(&live_blocks, change);
}
#else
#define must_fail() 0
#define count_live(change) ((void)0)
#endif

void *rsm__malloc(size_t size) {
  if (must_fail()) return NULL;
  void *memory = malloc(size ? size : 1);
  if (memory) count_live(+1);
  return memory;
}

void *rsm__calloc(size_t count, size_t size) {
  if (must_fail()) return NULL;
  void *memory = calloc(count ? count : 1, size ? size : 1);
  if (memory) count_live(+1);
  return memory;
}

void *rsm__realloc(void *old, size_t size) {
  if (must_fail()) return NULL;
  void *memory = realloc(old, size ? size : 1);
  if (memory && !old) count_live(+1);
  return memory;
}

char *rsm__strdup(const char *text) {
  if (!text) return NULL;
  size_t size = strlen(text) + 1;
  char *copy = rsm__malloc(size);
  if (copy) memcpy(copy, text, size);
  return copy;
}

void rsm__free(void *memory) {
  if (!memory) return;
  count_live(-1);
  free(memory);
}

int rsm__grow(void *array_pointer, size_t *capacity, size_t needed, size_t element_size) {
  if (needed <= *capacity) return 0;
  size_t larger = *capacity ? *capacity : 8;
  while (larger < needed) {
    if (larger > SIZE_MAX / 2) return -1;
    larger *= 2;
  }
  if (larger > SIZE_MAX / element_size) return -1;
  void *old;
  memcpy(&old, array_pointer, sizeof old); /* any T ** comes in as void *: read it as bytes */
  void *grown = rsm__realloc(old, larger * element_size);
  if (!grown) return -1;
  memcpy(array_pointer, &grown, sizeof grown);
  *capacity = larger;
  return 0;
}
