/* own_store.h: where a test's sessions are. spec/c/windows/own_store.h has the same name. SPDX-License-Identifier: MIT
 */
#ifndef OWN_STORE_H
#define OWN_STORE_H

#include "check.h"
#include "own_mounts.h"

/* As root in folders of our own, so that the machine's are not touched. Elsewhere the user's real place serves. First
 * thing in main. Needs _GNU_SOURCE. */
static inline void hide_real_places(void) {
  if (!own_mounts()) return;
  CHECK_INT(mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"), 0);
  CHECK_INT(mount("tmpfs", "/var/tmp", "tmpfs", 0, "mode=1777"), 0);
}

#endif
