/* capture.h: what is kept of a process so that it can be started again, and its form as bytes in a journal.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_LINUX_CAPTURE_H
#define RSM_OS_LINUX_CAPTURE_H

#include "base/arena.h"
#include "base/buffer.h"

enum { RSM__CAPTURE_MAX_GROUPS = 65536, RSM__CAPTURE_LIMITS = 16, RSM__CAPTURE_MAX_TEXT = 8 << 20 };
enum { RSM__OUTPUT_TERMINAL = 1, RSM__ERROR_TERMINAL = 2 };

typedef struct rsm__capture_limit {
  uint64_t soft, hard;
} rsm__capture_limit;

/* The terminal that its output went to. The numbers tell whether the node of that name is still the same terminal. */
typedef struct rsm__capture_terminal {
  const char *path; /* NULL: none */
  uint64_t device;
  uint32_t owner;
  uint64_t changed_s;
  uint32_t changed_ns;
  uint32_t streams; /* RSM__OUTPUT_TERMINAL, RSM__ERROR_TERMINAL */
} rsm__capture_terminal;

/* All text belongs to an arena. */
typedef struct rsm__capture {
  const char *obstacle;  /* why it must not be started again from here; NULL: none */
  const char *exe;       /* NULL: could not be read */
  const char *directory; /* NULL: could not be read */
  const char *const *argv;
  size_t argc;
  bool has_environment;
  const char *const *environment;
  size_t environment_count;
  uint32_t uid[3], gid[3]; /* real, effective, saved */
  const uint32_t *groups;
  size_t group_count;
  uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bounding, cap_ambient;
  bool no_new_privs;
  bool has_limits;
  rsm__capture_limit limits[RSM__CAPTURE_LIMITS]; /* by RLIMIT_ number */
  uint32_t umask;
  int32_t nice;
  rsm__capture_terminal terminal;
  const char *cgroup; /* in the unified hierarchy; NULL: none */
} rsm__capture;

void rsm__capture_encode(const rsm__capture *capture, rsm__buffer *to);

/* False: malformed, another version, or out of memory. Every value is within its range afterwards. */
bool rsm__capture_decode(const void *data, size_t length, rsm__arena *arena, rsm__capture *ret_capture);

#endif
