/* maps.c: see maps.h. "7f1c-7f2c r-xp 00001000 fe:00 1234     /usr/lib/libc.so.6"
 * SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/maps.h"

#include <string.h>
#include <sys/sysmacros.h>

typedef struct line {
  const char *at, *end;
  bool bad;
} line;

static unsigned digit_of(char c) {
  if (c >= '0' && c <= '9') return (unsigned)(c - '0');
  if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
  return 99;
}

/* A number in base 10 or 16 that ends with `stop`, which is passed over. */
static uint64_t take_number(line *l, unsigned base, char stop) {
  uint64_t number = 0;
  const char *start = l->at;
  for (unsigned digit; l->at < l->end && (digit = digit_of(*l->at)) < base; l->at++) {
    if (number > (UINT64_MAX - digit) / base) l->bad = true;
    number = number * base + digit;
  }
  if (l->at == start || l->at >= l->end || *l->at != stop)
    l->bad = true;
  else
    l->at++;
  return number;
}

static void take_permissions(line *l, rsm__mapping *mapping) {
  if (l->end - l->at < 5 || l->at[4] != ' ') {
    l->bad = true;
    return;
  }
  mapping->write = l->at[1] == 'w';
  mapping->shared = l->at[3] == 's';
  l->at += 5;
}

static bool parse_line(line *l, rsm__mapping *mapping) {
  mapping->start = take_number(l, 16, '-');
  mapping->end = take_number(l, 16, ' ');
  if (l->bad) return false;
  take_permissions(l, mapping);
  if (l->bad) return false;
  take_number(l, 16, ' '); /* offset */
  uint64_t major = take_number(l, 16, ':');
  uint64_t minor = take_number(l, 16, ' ');
  mapping->ino = take_number(l, 10, ' ');
  if (l->bad || mapping->ino == 0 || major > UINT32_MAX || minor > UINT32_MAX) return false;
  mapping->dev = makedev((unsigned)major, (unsigned)minor);
  while (l->at < l->end && *l->at == ' ') l->at++;
  mapping->name = l->at;
  mapping->name_length = (size_t)(l->end - l->at);
  return true;
}

bool rsm__maps_next(rsm__maps *maps, rsm__mapping *ret_mapping) {
  while (maps->position < maps->length) {
    const char *start = maps->text + maps->position;
    const char *newline = memchr(start, '\n', maps->length - maps->position);
    const char *end = newline ? newline : maps->text + maps->length;
    maps->position = (size_t)(end - maps->text) + (newline ? 1 : 0);
    line l = {.at = start, .end = end};
    rsm__mapping mapping = {0};
    if (!parse_line(&l, &mapping)) continue;
    *ret_mapping = mapping;
    return true;
  }
  return false;
}

size_t rsm__mapping_name(const rsm__mapping *mapping, char *out) {
  size_t length = 0;
  for (size_t i = 0; i < mapping->name_length; i++) {
    if (mapping->name_length - i >= 4 && memcmp(mapping->name + i, "\\012", 4) == 0) {
      out[length++] = '\n';
      i += 3;
    } else {
      out[length++] = mapping->name[i];
    }
  }
  return length;
}
