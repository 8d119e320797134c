/* tree.h: all files of registered directories, read anew at each listing.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_TREE_H
#define RSM_OS_LINUX_TREE_H

#include "os/linux/lookup.h"

typedef struct rsm__tree_root {
  uint32_t target;  /* number of the registered path */
  const char *real; /* where it is */
  const char *path; /* how it was registered: what people are told */
  rsm__stat stat;
} rsm__tree_root;

typedef struct rsm__tree_file {
  uint64_t dev;
  uint64_t ino;
  uint64_t mount_id;
  uint32_t target;
  bool directory;
  bool special;       /* neither a directory nor a plain file */
  const char *folder; /* below the root: "" or "sub/dir" */
  const char *name;   /* "" for the root itself */
} rsm__tree_file;

typedef struct rsm__tree_gap {
  const char *path;
  const char *reason;
} rsm__tree_gap;

/* Zero-initialise. Owns what its items point to. */
typedef struct rsm__trees {
  rsm__tree_file *files;
  size_t count;
  size_t capacity;
  rsm__tree_gap *gaps; /* what was not searched, and why */
  size_t gap_count;
  size_t gap_capacity;
  rsm__arena arena;
} rsm__trees;

/* Links are not followed, other mounts not entered. A root on a mount that does not answer is a gap. */
rsm_status rsm__trees_walk(rsm__lookup *lookup, const rsm__tree_root *roots, size_t count, rsm__task *task,
                           rsm__trees *ret_trees, rsm_error *reterr);
void rsm__trees_done(rsm__trees *trees);

#endif
