/* wide.c: SPDX-License-Identifier: MIT
 *
 * Not MultiByteToWideChar: it replaces lone surrogates, or refuses them. */
#include "os/windows/wide.h"

#include <limits.h>
#include <string.h>
#include <windows.h>

#include "base/error.h"
#include "os/windows/nt.h"
#include "os/windows/os_error.h"

enum {
  HIGH_SURROGATE = 0xD800,
  LOW_SURROGATE = 0xDC00,
  AFTER_SURROGATES = 0xE000,
  BEYOND_16_BIT = 0x10000,
  LAST_CODE_POINT = 0x10FFFF,
  LONG_PATH = 240, /* CreateDirectoryW's limit is 248: room for a file's 8.3 name below it */
  PREFIX_ROOM = 8
};

/* ---- UTF-8 to UTF-16 --------------------------------------------------------------------------------------------- */

static bool is_high(uint32_t unit) {
  return unit >= HIGH_SURROGATE && unit < LOW_SURROGATE;
}

static bool is_low(uint32_t unit) {
  return unit >= LOW_SURROGATE && unit < AFTER_SURROGATES;
}

/* Length of the sequence that begins with this byte, and the bits that it carries; 0: none begins so. */
static unsigned read_lead(unsigned char lead, uint32_t *ret_bits, uint32_t *ret_least) {
  if (lead < 0x80) {
    *ret_bits = lead;
    *ret_least = 0;
    return 1;
  }
  unsigned length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  *ret_bits = lead & (0x7Fu >> length);
  *ret_least = length == 4 ? BEYOND_16_BIT : length == 3 ? 0x800 : 0x80;
  return length;
}

/* One code point, a lone surrogate being one. 0: malformed, else the bytes that it took. Stops at the NUL. */
static unsigned read_code_point(const char *text, uint32_t *ret_code) {
  uint32_t code = 0, least = 0;
  unsigned length = read_lead((unsigned char)text[0], &code, &least);
  for (unsigned i = 1; i < length; i++) {
    unsigned char next = (unsigned char)text[i];
    if ((next & 0xC0) != 0x80) return 0;
    code = code << 6 | (next & 0x3Fu);
  }
  if (length == 0 || code < least || code > LAST_CODE_POINT) return 0;
  *ret_code = code;
  return length;
}

/* Counts the units, and writes them if `to` is not NULL. False: malformed; two surrogates that would make a pair are: a
 * pair has one spelling only, so that two texts are never one name. */
static bool widen(const char *text, wchar_t *to, size_t *ret_count) {
  size_t count = 0;
  uint32_t code, before = 0;
  while (*text) {
    unsigned length = read_code_point(text, &code);
    if (length == 0 || (is_high(before) && is_low(code))) return false;
    if (code >= BEYOND_16_BIT) {
      if (to) to[count] = (wchar_t)(HIGH_SURROGATE + ((code - BEYOND_16_BIT) >> 10));
      if (to) to[count + 1] = (wchar_t)(LOW_SURROGATE + ((code - BEYOND_16_BIT) & 0x3FF));
      count += 2;
    } else {
      if (to) to[count] = (wchar_t)code;
      count++;
    }
    before = code;
    text += length;
  }
  if (to) to[count] = 0;
  *ret_count = count;
  return true;
}

static rsm_status fail_malformed(const char *text, rsm_error *reterr) {
  return rsm__fail(reterr, RSM_BAD_ARGUMENTS, text, "the text is not UTF-8");
}

rsm_status rsm__wide_new(const char *text, wchar_t **ret_wide, rsm_error *reterr) {
  size_t count;
  if (!widen(text, NULL, &count)) return fail_malformed(text, reterr);
  wchar_t *wide = rsm__calloc(count + 1, sizeof *wide);
  if (!wide) return rsm__fail_memory(reterr);
  widen(text, wide, &count);
  *ret_wide = wide;
  return RSM_OK;
}

rsm_status rsm__wide_in(rsm__arena *arena, const char *text, const wchar_t **ret_wide, rsm_error *reterr) {
  size_t count;
  if (!widen(text, NULL, &count)) return fail_malformed(text, reterr);
  wchar_t *wide = rsm__arena_alloc(arena, (count + 1) * sizeof *wide);
  if (!wide) return rsm__fail_memory(reterr);
  widen(text, wide, &count);
  *ret_wide = wide;
  return RSM_OK;
}

/* ---- UTF-16 to UTF-8 --------------------------------------------------------------------------------------------- */

/* The next code point and the units that it took; a surrogate without its partner is one by itself. */
static size_t read_unit(const wchar_t *wide, size_t length, uint32_t *ret_code) {
  uint32_t code = wide[0];
  if (is_high(code) && length > 1 && is_low(wide[1])) {
    *ret_code = BEYOND_16_BIT + ((code - HIGH_SURROGATE) << 10) + (wide[1] - (uint32_t)LOW_SURROGATE);
    return 2;
  }
  *ret_code = code;
  return 1;
}

static unsigned write_code_point(uint32_t code, char bytes[4]) {
  unsigned length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < BEYOND_16_BIT ? 3 : 4;
  if (length == 1) {
    bytes[0] = (char)code;
    return 1;
  }
  for (unsigned i = length - 1; i > 0; i--, code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3F));
  bytes[0] = (char)((0xF00u >> length & 0xFFu) | code);
  return length;
}

/* Of as many whole characters as fit into size bytes; counts only if `to` is NULL. */
static size_t narrow(const wchar_t *wide, size_t length, char *to, size_t size) {
  size_t used = 0;
  for (size_t i = 0; i < length;) {
    uint32_t code;
    char bytes[4];
    i += read_unit(wide + i, length - i, &code);
    unsigned count = write_code_point(code, bytes);
    if (count > size - used) break;
    if (to) memcpy(to + used, bytes, count);
    used += count;
  }
  return used;
}

char *rsm__narrow_new(const wchar_t *wide, size_t length) {
  size_t size = narrow(wide, length, NULL, SIZE_MAX);
  char *text = rsm__malloc(size + 1);
  if (!text) return NULL;
  narrow(wide, length, text, size);
  text[size] = '\0';
  return text;
}

const char *rsm__narrow_in(rsm__arena *arena, const wchar_t *wide, size_t length) {
  size_t size = narrow(wide, length, NULL, SIZE_MAX);
  char *text = rsm__arena_alloc(arena, size + 1);
  if (text) narrow(wide, length, text, size);
  return text;
}

const char *rsm__narrow_text_in(rsm__arena *arena, const wchar_t *wide) {
  return wide ? rsm__narrow_in(arena, wide, wcslen(wide)) : NULL;
}

const char *rsm__narrow_to(char *buffer, size_t size, const wchar_t *wide, size_t length) {
  buffer[narrow(wide, length, buffer, size - 1)] = '\0';
  return buffer;
}

/* ---- Paths ------------------------------------------------------------------------------------------------------- */

static bool begins_with(const wchar_t *text, const wchar_t *start) {
  return wcsncmp(text, start, wcslen(start)) == 0;
}

/* GetFullPathNameW has no limit of its own. The working directory may change between the two calls: asked again then.
 */
static rsm_status absolute(const wchar_t *path, const char *subject, wchar_t **ret_full, rsm_error *reterr) {
  DWORD size = 0;
  RSM_CLEAN_WIDE full = NULL;
  for (;;) {
    DWORD needed = GetFullPathNameW(path, full ? size : 0, full ? full + PREFIX_ROOM : NULL, NULL);
    if (needed == 0) return rsm__fail_windows(reterr, GetLastError(), "GetFullPathNameW", subject);
    if (full && needed < size) break;
    rsm__free(full);
    size = needed + 1;
    full = rsm__calloc((size_t)size + PREFIX_ROOM, sizeof *full);
    if (!full) return rsm__fail_memory(reterr);
  }
  *ret_full = full;
  full = NULL;
  return RSM_OK;
}

rsm_status rsm__wide_path(const char *path, wchar_t **ret_wide, rsm_error *reterr) {
  RSM_CLEAN_WIDE wide = NULL;
  RSM_CLEAN_WIDE full = NULL;
  rsm_status status = rsm__wide_new(path, &wide, reterr);
  if (status != RSM_OK) return status;
  if (begins_with(wide, L"\\\\?\\") || begins_with(wide, L"\\\\.\\")) {
    *ret_wide = wide;
    wide = NULL;
    return RSM_OK;
  }
  status = absolute(wide, path, &full, reterr);
  if (status != RSM_OK) return status;
  const wchar_t *plain = full + PREFIX_ROOM, *prefix = L"";
  if (wcslen(plain) >= LONG_PATH && !begins_with(plain, L"\\\\.\\"))
    prefix = begins_with(plain, L"\\\\") ? L"\\\\?\\UNC\\" : L"\\\\?\\";
  if (prefix[0] && begins_with(plain, L"\\\\")) plain += 2; /* \\server\share becomes \\?\UNC\server\share */
  size_t start = wcslen(prefix);
  memcpy(full, prefix, start * sizeof *full);
  memmove(full + start, plain, (wcslen(plain) + 1) * sizeof *full);
  *ret_wide = full;
  full = NULL;
  return RSM_OK;
}

bool rsm__wide_same_name(const wchar_t *a, const wchar_t *b) {
  return CompareStringOrdinal(a, -1, b, -1, TRUE) == CSTR_EQUAL;
}

static uint32_t upcase(uint32_t code) {
  return code < BEYOND_16_BIT ? RtlUpcaseUnicodeChar((WCHAR)code) : code;
}

bool rsm__narrow_same_name(const char *a, const char *b) {
  while (*a && *b) {
    uint32_t of_a, of_b;
    unsigned length_a = read_code_point(a, &of_a), length_b = read_code_point(b, &of_b);
    if (length_a == 0 || length_b == 0) return strcmp(a, b) == 0; /* no text: nobody's name */
    if (of_a != of_b && upcase(of_a) != upcase(of_b)) return false;
    a += length_a;
    b += length_b;
  }
  return *a == *b;
}
