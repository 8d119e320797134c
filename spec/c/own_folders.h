/* own_folders.h: private folders for a test: as root its own mount namespace with empty /run and /var/tmp, so that the
 * system's are not touched. SPDX-License-Identifier: MIT */
#ifndef OWN_FOLDERS_H
#define OWN_FOLDERS_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* False: not possible here; the reason has been printed. Needs _GNU_SOURCE. */
static inline bool own_folders(void) {
  if (geteuid() != 0) {
    printf("skipped: needs root for a mount namespace of its own\n");
    return false;
  }
  if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
      mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") < 0 || mount("tmpfs", "/var/tmp", "tmpfs", 0, "mode=1777") < 0) {
    perror("skipped: no mount namespace of its own");
    return false;
  }
  return mkdir("/run/user", 0755) == 0;
}

#endif
