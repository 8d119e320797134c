/* views.h: what is mapped alike in many processes, in one listing: nearly all have the same libraries and tables at the
 * same addresses. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_VIEWS_H
#define RSM_OS_WINDOWS_VIEWS_H

#include "base/arena.h"
#include "base/index.h"
#include "os/windows/nt.h"

/* Something mapped as one process had it: where, under which name in the kernel's spelling. */
typedef struct rsm__view {
  const char *base;
  size_t size;
  bool hit;            /* its file is searched for */
  const wchar_t *name; /* lives as long as the views do */
  size_t length;
} rsm__view;

/* Zero-initialise. The threads of a listing share it, side by side. */
typedef struct rsm__views {
  SRWLOCK lock;
  rsm__view *items;
  size_t capacity;
  rsm__index by_base;
  rsm__arena arena;
} rsm__views;

bool rsm__views_begin_at(rsm__views *views, const char *base); /* has any process one there? */
bool rsm__views_find(rsm__views *views, const char *base, const UNICODE_STRING *name, rsm__view *ret_view);
/* view->name is copied. False: out of memory. */
bool rsm__views_add(rsm__views *views, const rsm__view *view);
void rsm__views_done(rsm__views *views);

bool rsm__view_has_name(const rsm__view *view, const UNICODE_STRING *name); /* name may be NULL */

/* Where anything may be mapped in a process. */
typedef struct rsm__view_places {
  uintptr_t lowest, highest;
  size_t apart; /* every mapping begins at a multiple of it */
} rsm__view_places;

void rsm__view_places_get(rsm__view_places *ret_places);

#endif
