/* shows.h: registered files that are held open for a moment, so that the program in the kernel (bpf/walk.c) can show
 * what they are to it: their inodes' numbers, and, on an overlay, which file lies below.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SHOWS_H
#define RSM_OS_LINUX_SHOWS_H

#include "os/linux/bpf/layout.h"
#include "os/linux/targets.h"

enum { RSM__SHOWS_MOST = 192 };

typedef struct rsm__show {
  int fd;
  uint64_t ino; /* as stat has it */
  bool file;    /* one that can be mapped */
  void *at;     /* on an overlay: where it is mapped; NULL: it is not */
} rsm__show;

/* Zero-initialise. */
typedef struct rsm__shows {
  rsm__show items[RSM__SHOWS_MOST];
  size_t count;
  bool whole;   /* all that is registered is here */
  bool overlay; /* some of it is on one */
} rsm__shows;

/* Whether all of it lies where an inode's number means the same everywhere; notes whether there are overlays. Else the
 * name of the file system that is not known. */
const char *rsm__shows_check(rsm__shows *shows, const rsm__targets *targets);
/* Opens what is there, within a bounded thread. Not all of it: then whole is false, and the file that was left out is
 * found by its number all the same. False: given up. */
bool rsm__shows_open(rsm__shows *shows, const rsm__targets *targets, rsm__bounded *job);
void rsm__shows_close(rsm__shows *shows);

#endif
