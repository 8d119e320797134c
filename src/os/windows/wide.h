/* wide.h: text between the library (UTF-8) and Windows (UTF-16). Without loss: Windows' names are any 16-bit units, and
 * a surrogate without its partner becomes the three bytes that UTF-8 would give it (WTF-8) and comes back as it was.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_WIDE_H
#define RSM_OS_WINDOWS_WIDE_H

#include <wchar.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "rsm.h"

#define RSM_CLEAN_WIDE RSM_CLEAN_FREE wchar_t *

/* To be freed with rsm__free. RSM_BAD_ARGUMENTS: not UTF-8; RSM_OUT_OF_MEMORY. */
rsm_status rsm__wide_new(const char *text, wchar_t **ret_wide, rsm_error *reterr);
/* The same in the arena. */
rsm_status rsm__wide_in(rsm__arena *arena, const char *text, const wchar_t **ret_wide, rsm_error *reterr);

/* length units as UTF-8, to be freed with rsm__free, or in the arena. NULL: out of memory. Of what comes from the
 * system only: an embedded NUL unit ends the text for whoever reads it. */
char *rsm__narrow_new(const wchar_t *wide, size_t length);
const char *rsm__narrow_in(rsm__arena *arena, const wchar_t *wide, size_t length);
const char *rsm__narrow_text_in(rsm__arena *arena, const wchar_t *wide); /* to its NUL; NULL in, NULL out */
/* Into the caller's buffer, cut at a whole character if it is too long; returns buffer. size: at least 1. */
const char *rsm__narrow_to(char *buffer, size_t size, const wchar_t *wide, size_t length);

/* An absolute path as Windows' calls take it, at any length: made absolute against the working directory, with
 * backslashes, and from 240 units on with the prefix that lifts the limit of 260. What begins with \\?\ or \\.\ stays
 * as it is. To be freed with rsm__free. */
rsm_status rsm__wide_path(const char *path, wchar_t **ret_wide, rsm_error *reterr);

/* Are they the same name for Windows (ordinal, without case)? */
bool rsm__wide_same_name(const wchar_t *a, const wchar_t *b);
bool rsm__narrow_same_name(const char *a, const char *b); /* the same of UTF-8, without memory */

#endif
