/* launch_hooks.h: where a test ends the starter, to see that the record and the world still agree, and how long a start
 * is looked at.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_LAUNCH_HOOKS_H
#define RSM_OS_WINDOWS_LAUNCH_HOOKS_H

enum {
  RSM__HOOK_CREATED,  /* suspended, in the job that ends it with us */
  RSM__HOOK_INTENDED, /* the record names it and us */
  RSM__HOOK_FREED,    /* the job does not end it any more */
  RSM__HOOK_DECIDED,  /* the record is complete */
  RSM__HOOK_RESUMED,
  RSM__HOOK_COUNT
};

enum { RSM__LAUNCH_SETTLE_MS = 100 };

#ifdef RSM_TEST_HOOKS
extern unsigned rsm__launch_settle_ms;
extern void (*rsm__launch_hook_function)(int hook); /* NULL: nothing happens */
static inline void rsm__launch_hook(int hook) {
  if (rsm__launch_hook_function) rsm__launch_hook_function(hook);
}
#else
enum { rsm__launch_settle_ms = RSM__LAUNCH_SETTLE_MS };
static inline void rsm__launch_hook(int hook) {
  (void)hook;
}
#endif

#endif
