/* session_core.h: is a process part of what carries the session, so that stopping it would take the user's work with
 * it? Pure. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_SESSION_CORE_H
#define RSM_OS_LINUX_SESSION_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsm__core_question {
  uint32_t pid;
  uint32_t parent;
  const char *exe;     /* NULL: not readable */
  bool exe_is_systems; /* root's own, and nobody else may write it */
  const char *name;    /* the kernel's short name */
  const char *const *args;
  size_t arg_count;
  bool args_unknown;  /* they could not be read in time: then they are taken to be those of the core */
  const char *cgroup; /* NULL: not known */
} rsm__core_question;

/* Why it is ("the display server"), static text; NULL: it is not. A program counts by its name only if its file belongs
 * to the system: a user's own file called sway is no compositor. Where the file may not be read the kernel's short name
 * counts: a process that thereby feigns to be critical is only left alone, and one of ours hardly does. */
const char *rsm__session_core(const rsm__core_question *question);

#endif
