/* tree.h: what a registered directory and a file in it are here (see os/common/tree.h).
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_TREE_H
#define RSM_OS_WINDOWS_TREE_H

#include "os/common/tree.h"
#include "os/windows/lookup.h"

struct rsm__tree_root {
  uint32_t target;  /* number of the registered path */
  const char *real; /* where it is */
  const char *path; /* how it was registered: what people are told */
  rsm__file_id id;
};

struct rsm__tree_file {
  rsm__file_id id;
  uint32_t target;
  bool directory;
  const char *folder; /* below the root: "" or "sub\dir" */
  const char *name;   /* "" for the root itself */
};

#endif
