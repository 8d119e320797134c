/* own_folders.h: private folders for a test: as root its own mount namespace with empty /run and /var/tmp, so that the
 * system's are not touched. SPDX-License-Identifier: MIT */
#ifndef OWN_FOLDERS_H
#define OWN_FOLDERS_H

#include <stdio.h>
#include <sys/stat.h>

#include "own_mounts.h"

/* False: not possible here; the reason has been printed. Needs _GNU_SOURCE. */
static inline bool own_folders(void) {
  if (!own_mounts() || mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") < 0 ||
      mount("tmpfs", "/var/tmp", "tmpfs", 0, "mode=1777") < 0) {
    printf("skipped: needs root and a mount namespace of its own\n");
    return false;
  }
  return mkdir("/run/user", 0755) == 0;
}

#endif
