/* capture.c: a capture as bytes. What is read back is untrusted: a text too many, a path that is not absolute or a
 * number out of its range makes the whole malformed. SPDX-License-Identifier: MIT */
#include "os/linux/capture.h"

static const uint32_t MAGIC = 0x50414352; /* "RCAP" */
static const uint32_t VERSION = 1;

static void put_identity(const rsm__capture *capture, rsm__buffer *to) {
  for (int i = 0; i < 3; i++) {
    rsm__buffer_put_u32(to, capture->uid[i]);
    rsm__buffer_put_u32(to, capture->gid[i]);
  }
  rsm__buffer_put_u32(to, (uint32_t)capture->group_count);
  for (size_t i = 0; i < capture->group_count; i++) rsm__buffer_put_u32(to, capture->groups[i]);
  rsm__buffer_put_u64(to, capture->cap_inheritable);
  rsm__buffer_put_u64(to, capture->cap_permitted);
  rsm__buffer_put_u64(to, capture->cap_effective);
  rsm__buffer_put_u64(to, capture->cap_bounding);
  rsm__buffer_put_u64(to, capture->cap_ambient);
  rsm__buffer_put_u8(to, capture->no_new_privs);
}

static void put_terminal(const rsm__capture_terminal *terminal, rsm__buffer *to) {
  rsm__buffer_put_text(to, terminal->path);
  rsm__buffer_put_u64(to, terminal->device);
  rsm__buffer_put_u32(to, terminal->owner);
  rsm__buffer_put_u64(to, terminal->changed_s);
  rsm__buffer_put_u32(to, terminal->changed_ns);
  rsm__buffer_put_u32(to, terminal->streams);
}

void rsm__capture_encode(const rsm__capture *capture, rsm__buffer *to) {
  rsm__buffer_put_u32(to, MAGIC);
  rsm__buffer_put_u32(to, VERSION);
  rsm__buffer_put_text(to, capture->obstacle);
  rsm__buffer_put_text(to, capture->exe);
  rsm__buffer_put_text(to, capture->directory);
  rsm__buffer_put_texts(to, capture->argv, capture->argc);
  rsm__buffer_put_u8(to, capture->has_environment);
  rsm__buffer_put_texts(to, capture->environment, capture->environment_count);
  put_identity(capture, to);
  rsm__buffer_put_u8(to, capture->has_limits);
  for (int i = 0; i < RSM__CAPTURE_LIMITS; i++) {
    rsm__buffer_put_u64(to, capture->limits[i].soft);
    rsm__buffer_put_u64(to, capture->limits[i].hard);
  }
  rsm__buffer_put_u32(to, capture->umask);
  rsm__buffer_put_u32(to, (uint32_t)(capture->nice + 20));
  put_terminal(&capture->terminal, to);
  rsm__buffer_put_text(to, capture->cgroup);
}

static void get_groups(rsm__cursor *from, rsm__arena *arena, rsm__capture *capture) {
  uint32_t count = rsm__cursor_u32(from);
  if (count > RSM__CAPTURE_MAX_GROUPS || count > (from->length - from->position) / 4) from->failed = true;
  uint32_t *groups = from->failed ? NULL : rsm__arena_alloc(arena, (count + (size_t)1) * sizeof *groups);
  if (!groups) {
    from->failed = true;
    return;
  }
  for (uint32_t i = 0; i < count; i++) groups[i] = rsm__cursor_u32(from);
  capture->groups = groups;
  capture->group_count = count;
}

static void get_identity(rsm__cursor *from, rsm__arena *arena, rsm__capture *capture) {
  for (int i = 0; i < 3; i++) {
    capture->uid[i] = rsm__cursor_u32(from);
    capture->gid[i] = rsm__cursor_u32(from);
    /* -1 means "leave it" to setresuid: the program would run as us. */
    if (capture->uid[i] == UINT32_MAX || capture->gid[i] == UINT32_MAX) from->failed = true;
  }
  get_groups(from, arena, capture);
  capture->cap_inheritable = rsm__cursor_u64(from);
  capture->cap_permitted = rsm__cursor_u64(from);
  capture->cap_effective = rsm__cursor_u64(from);
  capture->cap_bounding = rsm__cursor_u64(from);
  capture->cap_ambient = rsm__cursor_u64(from);
  capture->no_new_privs = rsm__cursor_u8(from) != 0;
}

static void get_terminal(rsm__cursor *from, rsm__arena *arena, rsm__capture_terminal *terminal) {
  terminal->path = rsm__cursor_text(from, arena);
  terminal->device = rsm__cursor_u64(from);
  terminal->owner = rsm__cursor_u32(from);
  terminal->changed_s = rsm__cursor_u64(from);
  terminal->changed_ns = rsm__cursor_u32(from);
  terminal->streams = rsm__cursor_u32(from);
}

static bool is_absolute_or_null(const char *path) {
  return !path || path[0] == '/';
}

bool rsm__capture_decode(const void *data, size_t length, rsm__arena *arena, rsm__capture *ret_capture) {
  rsm__cursor from = {.data = data, .length = length};
  rsm__capture capture = {0};
  if (rsm__cursor_u32(&from) != MAGIC || rsm__cursor_u32(&from) != VERSION) return false;
  capture.obstacle = rsm__cursor_text(&from, arena);
  capture.exe = rsm__cursor_text(&from, arena);
  capture.directory = rsm__cursor_text(&from, arena);
  capture.argv = rsm__cursor_texts(&from, arena, &capture.argc);
  capture.has_environment = rsm__cursor_u8(&from) != 0;
  capture.environment = rsm__cursor_texts(&from, arena, &capture.environment_count);
  get_identity(&from, arena, &capture);
  capture.has_limits = rsm__cursor_u8(&from) != 0;
  for (int i = 0; i < RSM__CAPTURE_LIMITS; i++) {
    capture.limits[i].soft = rsm__cursor_u64(&from);
    capture.limits[i].hard = rsm__cursor_u64(&from);
  }
  capture.umask = rsm__cursor_u32(&from);
  uint32_t nice = rsm__cursor_u32(&from);
  get_terminal(&from, arena, &capture.terminal);
  capture.cgroup = rsm__cursor_text(&from, arena);
  if (from.failed || from.position != from.length) return false;
  if (capture.umask > 0777 || nice > 39 || !is_absolute_or_null(capture.exe) ||
      !is_absolute_or_null(capture.directory) || !is_absolute_or_null(capture.terminal.path) ||
      !is_absolute_or_null(capture.cgroup))
    return false;
  capture.nice = (int32_t)nice - 20;
  *ret_capture = capture;
  return true;
}
