/* directory.h: the names in a directory, with what the file system tells about each without opening it.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_DIRECTORY_H
#define RSM_OS_WINDOWS_DIRECTORY_H

#include "os/windows/file_id.h"

typedef struct rsm__entry {
  const wchar_t *name; /* not NUL-terminated; valid until the next call */
  size_t length;
  const wchar_t *short_name; /* the old one of 8.3 characters */
  size_t short_length;       /* 0: it has none */
  uint32_t attributes;
  uint32_t tag;   /* of a reparse point */
  uint64_t index; /* its number on the volume; 0: not told */
} rsm__entry;

/* Zero-initialise. */
typedef struct rsm__directory {
  HANDLE handle;
  HANDLE event; /* for a file system that does not answer at once */
  unsigned char *buffer;
  size_t at;     /* of the next entry in the buffer */
  bool has_next; /* there is one */
  bool begun;
  uint32_t error; /* why next has ended: 0: there are no more */
} rsm__directory;

/* As rsm__file_look. 0 or Win32's number; ERROR_NOT_ENOUGH_MEMORY. May be opened again once its handle was closed. */
uint32_t rsm__directory_open(rsm__directory *directory, const wchar_t *path, bool at_link);
/* Without "." and "..". False: no more, or an error. Blocks on the file system. */
bool rsm__directory_next(rsm__directory *directory, rsm__entry *ret_entry);
void rsm__directory_done(rsm__directory *directory);

/* Does the entry lead elsewhere (a link, a junction, a mounted volume)? Files that are stored elsewhere, compressed or
 * deduplicated are reparse points as well, but files all the same. */
bool rsm__entry_is_link(const rsm__entry *entry);

#endif
