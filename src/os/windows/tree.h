/* tree.h: what a file in a registered directory is here (see os/common/tree.h).
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_TREE_H
#define RSM_OS_WINDOWS_TREE_H

#include "os/common/tree.h"
#include "os/windows/lookup.h"

struct rsm__tree_file {
  rsm__file_id id;
  uint32_t target;
  bool directory;
  const char *folder; /* below the root: "" or "sub\dir" */
  const char *name;   /* "" for the root itself */
};

#endif
