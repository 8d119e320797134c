/* alloc.h: all memory of the library goes through here, so that a test can make the n-th request fail.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BASE_ALLOC_H
#define RSM_BASE_ALLOC_H

#include <stddef.h>

void *rsm__malloc(size_t size);               /* size 0 gives a unique pointer; NULL: out of memory */
void *rsm__calloc(size_t count, size_t size); /* zeroed; overflow is out of memory */
void *rsm__realloc(void *old, size_t size);
char *rsm__strdup(const char *text); /* NULL in, NULL out */
void rsm__free(void *memory);

/* Grows *array (elements of element_size) to hold at least needed ones, doubling. 0 or -1 (array untouched). */
int rsm__grow(void *array_pointer, size_t *capacity, size_t needed, size_t element_size);

#ifdef RSM_TEST_HOOKS
/* The n-th request from now on fails (1: the next), and with `for_ever` all after it; 0: none fails. */
void rsm__alloc_fail_at(unsigned long n, int for_ever);
long rsm__alloc_live(void); /* blocks not yet freed */
#endif

#endif
