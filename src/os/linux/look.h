/* look.h: a look at one process: whatever it uses of the registered files, through all of its threads.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_LOOK_H
#define RSM_OS_LINUX_LOOK_H

#include "os/linux/procfs.h"
#include "os/linux/uses.h"

typedef struct rsm__looked {
  uint32_t pid;     /* these three are set before */
  rsm__hints hints; /* what is worth a look, borrowed; none: all of it is */
  rsm_process
      *present; /* gets who it is as soon as that is known, within rsm__bounded_enter: it may hang from there on */
  int dir;      /* -1 before */
  rsm__proc_stat stat;
  uint32_t speaker; /* the thread that is asked for what all threads share: the first that has not ended */
  rsm_process identity;
  bool holds;       /* one of ours: see uses */
  bool was_refused; /* something of it: see refusal */
  rsm_unreadable refusal;
  char reason[192];
  rsm__arena arena;
} rsm__looked;

/* Within a bounded thread, uses->job. RSM_OK also if it has ended, which is nothing to tell. */
rsm_status rsm__look(rsm__uses *uses, rsm__looked *looked, rsm_error *reterr);
void rsm__looked_done(rsm__looked *looked);
/* Was something refused for want of memory or descriptors only? */
bool rsm__looked_in_want(const rsm__uses *uses);
/* Fills refusal with what is told of a process that could not be looked at, from texts that never block. */
void rsm__looked_refuse(rsm__looked *looked, const char *reason);

#define RSM__FIRST_PID_NAMESPACE 0xEFFFFFFCu /* its inode number */

uint64_t rsm__pid_instance(uint32_t pid); /* 0: not known */
bool rsm__has_hidepid(const rsm__mounts *mounts);

typedef struct rsm__numbers {
  uint32_t *items;
  size_t count;
  size_t capacity;
} rsm__numbers;

/* The numeric names in a directory of /proc. */
rsm_status rsm__numbers_list(int dir, const char *name, rsm__numbers *list, rsm_error *reterr);
void rsm__numbers_done(rsm__numbers *list);

#endif
