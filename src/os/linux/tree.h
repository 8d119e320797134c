/* tree.h: what a file in a registered directory is here (see os/common/tree.h).
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_TREE_H
#define RSM_OS_LINUX_TREE_H

#include "os/common/tree.h"
#include "os/linux/lookup.h"

struct rsm__tree_file {
  uint64_t dev;
  uint64_t ino;
  uint64_t mount_id;
  uint32_t target;
  bool directory;
  bool special;       /* neither a directory nor a plain file */
  const char *folder; /* below the root: "" or "sub/dir" */
  const char *name;   /* "" for the root itself */
};

#endif
