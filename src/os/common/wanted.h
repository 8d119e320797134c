/* wanted.h: the registered paths that a listing is about: a copy of them, and what they lead to now.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_COMMON_WANTED_H
#define RSM_OS_COMMON_WANTED_H

#include "os/common/tree.h"
#include "os/holders.h"

/* Zero-initialise. Does not change once it is made. */
typedef struct rsm__wanted {
  rsm__target *items; /* a copy: a thread that was given up may still read it when the caller's is gone */
  const char **given; /* the caller's own paths, by target: handed on in the results, never read */
  size_t count;
  uint32_t *firsts; /* by target: the first one with the same path, which stands for all of them */
  rsm__places now;  /* what each path leads to now */
  rsm__places real; /* the same of the real paths at registration, where they differ, */
  uint32_t *others; /* and their targets */
  rsm__arena arena; /* of the copy */
} rsm__wanted;

/* Copies and follows them. A path that did not answer is a place without a real path. */
rsm_status rsm__wanted_make(rsm__wanted *wanted, const rsm__target *items, size_t count, rsm__lookup *lookup,
                            rsm__task *task, rsm_error *reterr);
/* Walks those that are directories, now or by their real path of then. */
rsm_status rsm__wanted_walk(const rsm__wanted *wanted, rsm__lookup *lookup, rsm__task *task, rsm__trees *ret_trees,
                            rsm_error *reterr);
void rsm__wanted_done(rsm__wanted *wanted);

/* ---- What each system's part brings (targets.c) ---- */

/* The i-th place as a root, without its target and path. False: it is no directory. */
bool rsm__place_root(const rsm__place *places, size_t i, rsm__tree_root *ret_root);

#endif
