/* mounts.h: the mount table, as text: nothing here touches a mounted file system.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_MOUNTS_H
#define RSM_OS_LINUX_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "rsm.h"

typedef struct rsm__mount {
  uint64_t id;       /* what statx calls stx_mnt_id */
  uint64_t dev;      /* the superblock's device (makedev): what maps shows, on btrfs not what stat shows */
  const char *root;  /* which part of the file system is mounted: "/" or a path within it */
  const char *point; /* where */
  const char *type;
  const char *source;
  const char *options; /* the superblock's */
} rsm__mount;

typedef struct rsm__mounts {
  rsm__mount *items; /* in the table's order: later ones lie on top */
  size_t count;
  const rsm__mount **by_id; /* sorted */
  rsm__arena arena;
} rsm__mounts;

/* Zero-initialise; rsm__mounts_done also after a failure. */
rsm_status rsm__mounts_read(rsm__mounts *mounts, rsm_error *reterr);
/* The same from recorded text; lines that are malformed are passed over. */
rsm_status rsm__mounts_parse(const char *text, size_t length, rsm__mounts *mounts, rsm_error *reterr);
void rsm__mounts_done(rsm__mounts *mounts);

const rsm__mount *rsm__mounts_find(const rsm__mounts *mounts, uint64_t id); /* NULL: none */
/* The mount that path lies on, by text: the longest mount point that is path or a folder above it; NULL: none. */
const rsm__mount *rsm__mounts_over(const rsm__mounts *mounts, const char *path);

/* Replaces \040 and the like (three octal digits), in place; returns the new length. */
size_t rsm__unescape_octal(char *text, size_t length);
/* True if path is dir or lies below it: "/a/b" is within "/a", "/ab" is not. */
bool rsm__path_within(const char *path, const char *dir);

#endif
