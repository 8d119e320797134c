/* canary.h: what a walk in the kernel must find of our own process. A kernel whose layout is not what we take it for
 * would not be told by an error, but by silence: so what finds less than what was planted is not believed.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_CANARY_H
#define RSM_OS_LINUX_CANARY_H

#include <stdbool.h>
#include <stddef.h>

#include "os/linux/bpf/layout.h"

enum { RSM__CANARY_OPEN, RSM__CANARY_EXE, RSM__CANARY_CWD, RSM__CANARY_ROOT, RSM__CANARY_FDS };

typedef struct rsm__canaries {
  int fds[RSM__CANARY_FDS]; /* a nameless file, which is mapped, too; our program, working and root directory */
  void *open_at;            /* where the first is mapped */
  void *mapped_at;          /* a second nameless file, which is mapped only */
  uint64_t inos[2];         /* of the two, as stat has them */
  uint64_t device;
  uint64_t shown[RSM__CANARY_FDS]; /* inode numbers as the kernel has them */
  bool directories;                /* the last two count */
} rsm__canaries;

/* What was found of them: bits. Two readers may have found a part each. */
typedef unsigned rsm__canaries_seen;

bool rsm__canaries_plant(rsm__canaries *canaries, bool directories); /* false: errno; remove is due all the same */
void rsm__canaries_remove(rsm__canaries *canaries);

/* After the program has shown the descriptors. False: what it shows of them is wrong. */
bool rsm__canaries_know(rsm__canaries *canaries, const volatile rsm__walk_shown *shown);
/* The inode numbers that the walk must look for in our own process. */
enum { RSM__CANARY_NUMBERS = 3 };
void rsm__canaries_numbers(const rsm__canaries *canaries, uint64_t ret_numbers[RSM__CANARY_NUMBERS]);
/* A record of our own process. */
rsm__canaries_seen rsm__canaries_meet(const rsm__canaries *canaries, const rsm__walk_record *record);
/* What is missing, in words; NULL: nothing. */
const char *rsm__canaries_missing(const rsm__canaries *canaries, rsm__canaries_seen seen);

#endif
