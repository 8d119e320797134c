/* session_core.h: which programs a session, or the whole system, cannot do without. A pure function.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_SESSION_CORE_H
#define RSM_OS_WINDOWS_SESSION_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsm__core_question {
  uint32_t pid;
  const char *name; /* the program file's name */
  bool is_systems;  /* the program file is in the system's folders, or could not be looked at */
  bool is_marked;   /* the kernel stops the system when this process ends */
  bool under_wine;
  const char *const *args;
  size_t arg_count;
} rsm__core_question;

/* Why, in words; NULL: they can. */
const char *rsm__session_core(const rsm__core_question *question);

#endif
