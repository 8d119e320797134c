/* hints.c: see hints.h. SPDX-License-Identifier: MIT */
#include "os/linux/hints.h"

#include <stdlib.h>

#include "base/alloc.h"

bool rsm__hints_add(rsm__hints *hints, uint32_t pid, rsm__hint_kind kind, uint64_t value) {
  if (rsm__grow(&hints->items, &hints->capacity, hints->count + 1, sizeof *hints->items) < 0) return false;
  hints->items[hints->count++] = (rsm__hint){.pid = pid, .kind = kind, .value = value};
  return true;
}

static int compare(const void *a, const void *b) {
  const rsm__hint *left = a, *right = b;
  if (left->pid != right->pid) return left->pid < right->pid ? -1 : 1;
  if (left->kind != right->kind) return left->kind < right->kind ? -1 : 1;
  return left->value < right->value ? -1 : left->value > right->value;
}

void rsm__hints_sort(rsm__hints *hints) {
  if (hints->count > 0) qsort(hints->items, hints->count, sizeof *hints->items, compare);
}

/* The first one that is not before (pid, kind). */
static size_t find_first(const rsm__hints *hints, uint32_t pid, uint32_t kind) {
  size_t low = 0, high = hints->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    const rsm__hint *at = &hints->items[middle];
    if (at->pid < pid || (at->pid == pid && at->kind < kind))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static rsm__hints slice(const rsm__hints *hints, size_t from, size_t to) {
  return (rsm__hints){.items = hints->items ? hints->items + from : NULL, .count = to - from};
}

rsm__hints rsm__hints_of(const rsm__hints *hints, uint32_t pid) {
  return slice(hints, find_first(hints, pid, 0), find_first(hints, pid + 1, 0));
}

rsm__hints rsm__hints_kind(const rsm__hints *hints, rsm__hint_kind kind) {
  if (hints->count == 0) return *hints;
  uint32_t pid = hints->items[0].pid;
  return slice(hints, find_first(hints, pid, kind), find_first(hints, pid, kind + 1));
}
