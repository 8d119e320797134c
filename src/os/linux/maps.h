/* maps.h: the text of /proc/PID/maps, taken apart. Knows no file and no process, accepts any bytes.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_MAPS_H
#define RSM_OS_LINUX_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsm__mapping {
  uint64_t start;
  uint64_t end;
  bool write;
  bool shared;
  uint64_t dev;     /* the superblock's */
  uint64_t ino;     /* 0: no file */
  const char *name; /* in the text, as the kernel writes it: a newline is \012; no NUL behind it */
  size_t name_length;
} rsm__mapping;

typedef struct rsm__maps {
  const char *text;
  size_t length;
  size_t position;
} rsm__maps;

/* The next mapping of a file. Lines without a file, and malformed ones, are passed over. False: no more. */
bool rsm__maps_next(rsm__maps *maps, rsm__mapping *ret_mapping);

/* Writes the name with its newlines restored to out (name_length bytes at most) and returns the length. The kernel does
 * not escape the backslash: a name that really holds \012 cannot be told from one with a newline. */
size_t rsm__mapping_name(const rsm__mapping *mapping, char *out);

#endif
