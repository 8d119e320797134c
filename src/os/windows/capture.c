/* capture.c: see capture.h. Pure: no system calls but on SIDs. SPDX-License-Identifier: MIT */
#include "os/windows/capture.h"

#include <string.h>

static const uint32_t MAGIC = 0x574D5352; /* "RSMW" */
static const uint32_t VERSION = 1;
enum { RIGHT_RESTRICTED = 1, RIGHT_APP_CONTAINER = 2, RIGHT_OVER_WINDOWS = 4, RIGHT_ALL = 7 };
enum { MAX_SHOW = 11 }; /* SW_FORCEMINIMIZE */

/* ---- Writing ---- */

static void put_units(rsm__buffer *to, const wchar_t *text, size_t length) {
  rsm__buffer_put_u8(to, text != NULL);
  if (text) rsm__buffer_put_bytes(to, text, length * sizeof *text);
}

static void put_wide(rsm__buffer *to, const wchar_t *text) {
  put_units(to, text, text ? wcslen(text) : 0);
}

static void put_rights(rsm__buffer *to, const rsm__capture_rights *rights) {
  rsm__buffer_put_bytes(to, rights->user.bytes, GetLengthSid((PSID)&rights->user.sid));
  rsm__buffer_put_u32(to, rights->session);
  rsm__buffer_put_u32(to, rights->integrity);
  uint8_t bits = 0;
  if (rights->restricted) bits |= RIGHT_RESTRICTED;
  if (rights->in_app_container) bits |= RIGHT_APP_CONTAINER;
  if (rights->over_other_windows) bits |= RIGHT_OVER_WINDOWS;
  rsm__buffer_put_u8(to, bits);
}

void rsm__capture_encode(const rsm__capture *capture, rsm__buffer *to) {
  rsm__buffer_put_u32(to, MAGIC);
  rsm__buffer_put_u32(to, VERSION);
  rsm__buffer_put_text(to, capture->obstacle);
  put_wide(to, capture->exe);
  put_wide(to, capture->command_line);
  put_wide(to, capture->directory);
  put_wide(to, capture->desktop);
  put_units(to, capture->environment, capture->environment_length);
  rsm__buffer_put_u8(to, capture->has_show);
  rsm__buffer_put_u32(to, capture->show);
  rsm__buffer_put_u8(to, (uint8_t)capture->console);
  rsm__buffer_put_u32(to, capture->priority);
  put_rights(to, &capture->rights);
  rsm__buffer_put_u8(to, capture->is_32_bit);
}

/* ---- Reading ---- */

/* In units of their own alignment, and with a NUL. *ret_length may be NULL: then a NUL within is malformed. */
static const wchar_t *get_units(rsm__cursor *from, size_t limit, rsm__arena *arena, size_t *ret_length) {
  size_t length = 0;
  if (!rsm__cursor_u8(from)) return NULL;
  const char *bytes = rsm__cursor_bytes(from, arena, &length);
  if (!bytes) return NULL;
  wchar_t *units = rsm__arena_alloc(arena, length + sizeof *units);
  if (!units) {
    from->failed = from->out_of_memory = true;
    return NULL;
  }
  memcpy(units, bytes, length);
  bool odd = length % sizeof *units != 0;
  length /= sizeof *units;
  if (odd || length > limit || (!ret_length && wmemchr(units, L'\0', length))) {
    from->failed = true;
    return NULL;
  }
  if (ret_length) *ret_length = length;
  return units;
}

static const wchar_t *get_environment(rsm__cursor *from, rsm__arena *arena, size_t *ret_length) {
  const wchar_t *block = get_units(from, RSM__CAPTURE_MAX_ENVIRONMENT, arena, ret_length);
  if (block && rsm__environment_length(block, *ret_length) != *ret_length) from->failed = true;
  return block;
}

static void get_rights(rsm__cursor *from, rsm__arena *arena, rsm__capture_rights *rights) {
  size_t length = 0;
  const char *sid = rsm__cursor_bytes(from, arena, &length);
  rights->session = rsm__cursor_u32(from);
  rights->integrity = rsm__cursor_u32(from);
  uint8_t bits = rsm__cursor_u8(from);
  rights->restricted = bits & RIGHT_RESTRICTED;
  rights->in_app_container = bits & RIGHT_APP_CONTAINER;
  rights->over_other_windows = bits & RIGHT_OVER_WINDOWS;
  if (!sid || bits > RIGHT_ALL || length > sizeof rights->user.bytes || length < sizeof(SID)) {
    from->failed = true;
    return;
  }
  memcpy(rights->user.bytes, sid, length);
  if (!IsValidSid(&rights->user.sid) || GetLengthSid(&rights->user.sid) != length) from->failed = true;
}

static bool is_priority(uint32_t priority) {
  static const uint32_t known[] = {0,
                                   IDLE_PRIORITY_CLASS,
                                   BELOW_NORMAL_PRIORITY_CLASS,
                                   NORMAL_PRIORITY_CLASS,
                                   ABOVE_NORMAL_PRIORITY_CLASS,
                                   HIGH_PRIORITY_CLASS,
                                   REALTIME_PRIORITY_CLASS};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    if (known[i] == priority) return true;
  return false;
}

rsm_status rsm__capture_decode(const void *data, size_t length, rsm__arena *arena, rsm__capture *ret_capture) {
  rsm__cursor from = {.data = data, .length = length};
  rsm__capture capture = {0};
  if (rsm__cursor_u32(&from) != MAGIC || rsm__cursor_u32(&from) != VERSION) return RSM_BAD_ARGUMENTS;
  capture.obstacle = rsm__cursor_text(&from, arena);
  capture.exe = get_units(&from, RSM__CAPTURE_MAX_LINE, arena, NULL);
  capture.command_line = get_units(&from, RSM__CAPTURE_MAX_LINE, arena, NULL);
  capture.directory = get_units(&from, RSM__CAPTURE_MAX_LINE, arena, NULL);
  capture.desktop = get_units(&from, RSM__CAPTURE_MAX_LINE, arena, NULL);
  capture.environment = get_environment(&from, arena, &capture.environment_length);
  capture.has_show = rsm__cursor_u8(&from);
  capture.show = rsm__cursor_u32(&from);
  uint8_t console = rsm__cursor_u8(&from);
  capture.priority = rsm__cursor_u32(&from);
  get_rights(&from, arena, &capture.rights);
  capture.is_32_bit = rsm__cursor_u8(&from);
  if (from.out_of_memory) return RSM_OUT_OF_MEMORY;
  if (from.failed || from.position != from.length) return RSM_BAD_ARGUMENTS;
  if (console >= RSM__CONSOLE_COUNT || capture.show > MAX_SHOW || !is_priority(capture.priority))
    return RSM_BAD_ARGUMENTS;
  capture.console = (rsm__capture_console)console;
  *ret_capture = capture;
  return RSM_OK;
}

/* ---- Judging ---- */

size_t rsm__environment_length(const wchar_t *block, size_t limit) {
  size_t at = 0;
  while (at < limit && block[at]) {
    const wchar_t *end = wmemchr(block + at, L'\0', limit - at);
    if (!end) return 0;
    at = (size_t)(end - block) + 1;
  }
  if (at == 0 && limit >= 2 && !block[1]) return 2; /* an empty one has both, too */
  return at > 0 && at < limit ? at + 1 : 0;
}

const char *rsm__capture_refusal(const rsm__capture_rights *theirs, const rsm__capture_rights *ours) {
  if (!rsm__sid_equal(&theirs->user, &ours->user)) return "runs as another user";
  if (theirs->session != ours->session) return "runs in another session";
  if (theirs->in_app_container) return "runs in an application container";
  if (theirs->restricted) return "runs in a sandbox, with restricted rights";
  if (theirs->integrity > ours->integrity) return "has more rights than we have (it runs elevated, and we do not)";
  if (theirs->integrity < ours->integrity)
    return "has fewer rights than we have (we run elevated): it would get ours if it were started from here";
  if (theirs->over_other_windows) return "may control other programs' windows, which what we start may not";
  return NULL;
}
