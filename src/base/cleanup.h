/* cleanup.h: RSM_CLEAN(function) on a local variable calls function(&variable) on every way out of its scope.
 * gcc, clang and mingw-w64; MSVC is not supported because of it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_BASE_CLEANUP_H
#define RSM_BASE_CLEANUP_H

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"

#define RSM_CLEAN(function) __attribute__((cleanup(function)))

static inline void rsm__clean_free(void *pointer) {
  rsm__free(*(void **)pointer);
}

#define RSM_CLEAN_FREE RSM_CLEAN(rsm__clean_free)
#define RSM_CLEAN_BUFFER RSM_CLEAN(rsm__buffer_done)
#define RSM_CLEAN_ARENA RSM_CLEAN(rsm__arena_done)

#define RSM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
