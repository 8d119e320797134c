/* private.h: what private_dir.c and private_file.c share: the folder itself, and words for a refusal.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_PRIVATE_H
#define RSM_OS_LINUX_PRIVATE_H

#include "os/private_dir.h"

struct rsm__dir {
  int fd;
  uint32_t uid; /* who must own the folder and all that is read from it */
  char *path;   /* for messages only: nothing is opened by it */
};

/* A file that dies with its writer is named so until it is renamed; rsm__dir_names passes over it. */
#define RSM__TEMPORARY_PREFIX ".tmp-"

/* "dir/name" in the caller's buffer, cut if too long: for messages. */
const char *rsm__dir_text(const rsm__dir *dir, const char *name, char *text, size_t size);

/* RSM_BAD_ARGUMENTS unless name is one component that cannot lead out of the folder. */
rsm_status rsm__dir_check_name(const rsm__dir *dir, const char *name, rsm_error *reterr);

#endif
