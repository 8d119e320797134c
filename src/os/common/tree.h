/* tree.h: all files of registered directories, read anew at each listing: what is still to be read, what was not
 * searched and why, and another attempt without the mount at which one hung. How a directory is read, and what is told
 * of a file, is each system's own: its tree.h and tree.c. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_COMMON_TREE_H
#define RSM_OS_COMMON_TREE_H

#include "base/buffer.h"
#include "os/common/lookup.h"

/* A registered directory, and where it is. */
typedef struct rsm__tree_root {
  uint32_t target;  /* number of the registered path */
  const char *real; /* where it is */
  const char *path; /* how it was registered: what people are told */
  uint64_t dev;     /* what it is; on Windows: its volume and its number there */
  uint64_t ino;
  uint64_t mount_id; /* 0: not told */
} rsm__tree_root;
typedef struct rsm__tree_file rsm__tree_file; /* what was found in one */

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

/* Links (on Windows: junctions, too) are not followed, other mounts not entered. A root on a mount that does not answer
 * is a gap. */
rsm_status rsm__trees_walk(rsm__lookup *lookup, const rsm__tree_root *roots, size_t count, rsm__task *task,
                           rsm__trees *ret_trees, rsm_error *reterr);
void rsm__trees_done(rsm__trees *trees);

/* ---- For each system's part, within the walk's thread ---- */

typedef struct rsm__tree_reader rsm__tree_reader; /* what the system's part needs to read */

/* A directory that is still to be read. */
typedef struct rsm__tree_pending {
  const char *folder; /* below the root: "" or "sub/dir" */
  uint64_t dev;       /* what its parent's listing says that it is; 0: not told */
  uint64_t ino;
} rsm__tree_pending;

/* All that the thread reads and writes. */
typedef struct rsm__tree_walk {
  rsm__bounded *bounded;
  rsm__tree_root *roots;
  size_t root_count;
  rsm__dead_mounts dead;
  rsm__tree_reader *reader;
  rsm__trees trees;
  const rsm__tree_root *root; /* the present one */
  rsm__tree_pending *pending; /* of the present root */
  size_t pending_count;
  size_t pending_capacity;
  rsm__buffer path; /* what rsm__tree_join made last */
  bool failed;      /* out of memory */
} rsm__tree_walk;

/* "base/folder/name", with the system's separator; each but the first may be empty. Valid until the next call; NULL:
 * out of memory. */
const char *rsm__tree_join(rsm__tree_walk *walk, const char *base, const char *folder, const char *name);
void rsm__tree_add_gap(rsm__tree_walk *walk, const char *folder, const char *name, const char *reason);
void rsm__tree_add_gap_error(rsm__tree_walk *walk, const char *folder,
                             const rsm_error *error); /* in the system's words */
/* folder NULL: out of memory. */
void rsm__tree_add_pending(rsm__tree_walk *walk, const char *folder, uint64_t dev, uint64_t ino);

/* ---- What each system's part brings ---- */

extern const char rsm__tree_separator;
rsm__tree_reader *rsm__tree_reader_new(void);         /* NULL: out of memory */
void rsm__tree_reader_free(rsm__tree_reader *reader); /* NULL-tolerant */
void rsm__tree_begin(rsm__tree_walk *walk);           /* leaves the present root pending */
/* False: nobody waits any more. */
bool rsm__tree_read(rsm__tree_walk *walk, const rsm__tree_pending *listed);

#endif
