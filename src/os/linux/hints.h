/* hints.h: which processes, and what of them, are worth a look: what the walk in the kernel found (scan_bpf.c). Each is
 * looked at in the usual way all the same, and only that is told. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_HINTS_H
#define RSM_OS_LINUX_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order in which a process' hints lie. */
typedef enum rsm__hint_kind {
  RSM__HINT_WHOLE,      /* look at all of it: then its other hints do not matter */
  RSM__HINT_DESCRIPTOR, /* value: its number */
  RSM__HINT_MAPPING,    /* value: an address in it */
  RSM__HINT_REST        /* program, working or root directory */
} rsm__hint_kind;

typedef struct rsm__hint {
  uint32_t pid;
  uint32_t kind;
  uint64_t value;
} rsm__hint;

/* Zero-initialise; rsm__free(items). */
typedef struct rsm__hints {
  rsm__hint *items; /* by pid, kind and value once they are sorted */
  size_t count;
  size_t capacity;
} rsm__hints;

bool rsm__hints_add(rsm__hints *hints, uint32_t pid, rsm__hint_kind kind, uint64_t value); /* false: no memory */
void rsm__hints_sort(rsm__hints *hints);
/* A process' hints among the sorted ones. count 0: none. */
rsm__hints rsm__hints_of(const rsm__hints *hints, uint32_t pid);
/* Those of one kind among a process' hints. */
rsm__hints rsm__hints_kind(const rsm__hints *hints, rsm__hint_kind kind);

#endif
