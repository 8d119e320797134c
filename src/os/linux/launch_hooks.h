/* launch_hooks.h: where a test kills the starter or shortens its patience, to see that the record and the world still
 * agree. SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_LAUNCH_HOOKS_H
#define RSM_OS_LINUX_LAUNCH_HOOKS_H

enum {
  RSM__HOOK_BEFORE_FORK,
  RSM__HOOK_AFTER_FORK,
  RSM__HOOK_PID_KNOWN,
  RSM__HOOK_BEFORE_GO,
  RSM__HOOK_AFTER_GO,
  RSM__HOOK_HEARD,
  RSM__HOOK_COUNT
};

enum { RSM__LAUNCH_LIMIT_MS = 10000 };

#ifdef RSM_TEST_HOOKS
extern void (*rsm__launch_hook_function)(int hook); /* NULL: nothing happens */
extern int rsm__launch_limit_ms;
static inline void rsm__launch_hook(int hook) {
  if (rsm__launch_hook_function) rsm__launch_hook_function(hook);
}
#else
enum { rsm__launch_limit_ms = RSM__LAUNCH_LIMIT_MS };
static inline void rsm__launch_hook(int hook) {
  (void)hook;
}
#endif

#endif
