/* named.h: files that somebody has under a name that exists. The next process that has the same file is not asked for
 * its name: it might have lost just that one, but only if it had the file before a link of it was removed, which shows
 * in the file's times. A race of the kind remains: who was handed the file by such a process after the removal, while
 * another link of it is in use, too. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_NAMED_H
#define RSM_OS_LINUX_NAMED_H

#include "base/index.h"
#include "os/linux/lookup.h"
#include "os/linux/mounts.h"

typedef struct rsm__named_file {
  uint64_t dev, ino;
  int64_t changed; /* ns since 1970: its contents, links or rights; INT64_MAX: not known */
} rsm__named_file;

/* Zero-initialise. A cache: what there is no memory for is not kept. */
typedef struct rsm__named {
  rsm__named_file *items;
  size_t capacity;
  rsm__index index;
} rsm__named;

/* Was the file met before? Most are met once, and not worth what add costs. */
bool rsm__named_meet(rsm__named *named, uint64_t dev, uint64_t ino);
/* A file that was met, at name in dir ("": dir itself), of which stat was read. Kept only if its times can be had
 * without waiting: on a mount of a local file system. */
void rsm__named_add(rsm__named *named, const rsm__mounts *mounts, int dir, const char *name, const rsm__stat *stat);
/* Is there no need to ask a process for its name that has run since `started` (ns since 1970)? */
bool rsm__named_has(const rsm__named *named, uint64_t dev, uint64_t ino, int64_t started);
void rsm__named_done(rsm__named *named);

#endif
