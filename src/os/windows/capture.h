/* capture.h: what is kept of a process so that it can be started again, and its form as bytes in a journal.
 *
 * Text is kept in Windows' own units, as it was: a command line must come back to the last blank.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_OS_WINDOWS_CAPTURE_H
#define RSM_OS_WINDOWS_CAPTURE_H

#include <wchar.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "os/windows/account.h"

enum { RSM__CAPTURE_MAX_LINE = 32767, RSM__CAPTURE_MAX_ENVIRONMENT = 4 << 20 }; /* units */

typedef enum rsm__capture_console {
  RSM__CONSOLE_NONE,   /* no console: a windowed program, or one that was detached */
  RSM__CONSOLE_HIDDEN, /* a console without a window */
  RSM__CONSOLE_SHOWN,  /* a console in a window, its own or that of whoever started it */
  RSM__CONSOLE_COUNT
} rsm__capture_console;

/* What it may do, and where. */
typedef struct rsm__capture_rights {
  rsm__sid user;
  uint32_t session;
  uint32_t integrity;      /* the last number of its mandatory label: 0x2000 medium, 0x3000 high */
  bool restricted;         /* its token has restricting SIDs: a sandbox */
  bool in_app_container;   /* the same, newer */
  bool over_other_windows; /* UIAccess */
} rsm__capture_rights;

/* All text belongs to an arena. */
typedef struct rsm__capture {
  const char *obstacle;        /* why it must not be started again from here; NULL: none */
  const wchar_t *exe;          /* NULL: could not be read */
  const wchar_t *command_line; /* NULL: could not be read */
  const wchar_t *directory;    /* NULL: could not be read */
  const wchar_t *desktop;      /* NULL: whatever a new process gets */
  const wchar_t *environment;  /* a block: texts that end with NUL, and one NUL more. NULL: not captured */
  size_t environment_length;   /* in units, with both NULs */
  bool has_show;
  uint32_t show; /* SW_ */
  rsm__capture_console console;
  uint32_t priority; /* _PRIORITY_CLASS; 0 not known */
  rsm__capture_rights rights;
  bool is_32_bit;
} rsm__capture;

void rsm__capture_encode(const rsm__capture *capture, rsm__buffer *to);

/* RSM_BAD_ARGUMENTS: malformed, or another version. RSM_OUT_OF_MEMORY. Every value is within its range afterwards. */
rsm_status rsm__capture_decode(const void *data, size_t length, rsm__arena *arena, rsm__capture *ret_capture);

/* Why somebody with these rights must not be started by somebody with ours, static text; NULL: he may be. */
const char *rsm__capture_refusal(const rsm__capture_rights *theirs, const rsm__capture_rights *ours);

/* Length in units of the environment block that starts here, with both NULs; 0: it does not end within limit. */
size_t rsm__environment_length(const wchar_t *block, size_t limit);

#endif
