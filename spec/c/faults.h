/* faults.h: makes one system call of the library fail, or all from there on, without a seam in its code: the linker
 * leads its calls to ours (--wrap, see cmake/tests.cmake).
 *
 * Calls are counted in every thread of the process that armed the fault; a process that is forked from it is spared.
 * SPDX-License-Identifier: MIT */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>

typedef struct fault {
  unsigned long at;   /* the at-th call from now on fails (1: the next); 0: none does, they are counted only */
  bool for_ever;      /* and all after it */
  unsigned turn;      /* which of the errors that the call can plausibly give: they take turns */
  bool may_call_dead; /* also ESRCH, where it would say that a process has ended */
  const char *only;   /* calls of this name; NULL: all */
} fault;

void faults_arm(const fault *wanted);
unsigned long faults_disarm(void); /* how many calls there were */

/* Of the last fault: did it happen, which errno did it give first? */
bool faults_hit(void);
int faults_code(void);
void faults_tell(void); /* one line and a backtrace on standard error; nothing if it did not happen */

#endif
