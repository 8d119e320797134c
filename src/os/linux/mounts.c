/* mounts.c: see mounts.h. SPDX-License-Identifier: MIT
 *
 * call                       | purpose        | blocks on
 * read /proc/self/mountinfo  | the mount table | a mount or umount under way; never on a mounted file system's server
 */
#define _GNU_SOURCE
#include "os/linux/mounts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/procfs.h"

enum { MOUNTINFO_LIMIT = 64 * 1024 * 1024 };

bool rsm__path_within(const char *path, const char *dir) {
  size_t length = strlen(dir);
  while (length > 0 && dir[length - 1] == '/') length--;
  return strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

static bool is_octal(const char *text) {
  return text[0] >= '0' && text[0] <= '3' && text[1] >= '0' && text[1] <= '7' && text[2] >= '0' && text[2] <= '7';
}

size_t rsm__unescape_octal(char *text, size_t length) {
  size_t to = 0;
  for (size_t from = 0; from < length; from++) {
    char c = text[from];
    if (c == '\\' && length - from > 3 && is_octal(text + from + 1)) {
      c = (char)((text[from + 1] - '0') * 64 + (text[from + 2] - '0') * 8 + (text[from + 3] - '0'));
      from += 3;
    }
    text[to++] = c;
  }
  return to;
}

/* One line being taken apart: fields between single blanks. */
typedef struct fields {
  const char *at, *end;
  rsm__arena *arena;
  bool failed; /* out of memory */
} fields;

static const char *next_field(fields *line, size_t *ret_length) {
  if (line->at >= line->end) return NULL;
  const char *start = line->at;
  const char *blank = memchr(start, ' ', (size_t)(line->end - start));
  const char *stop = blank ? blank : line->end;
  line->at = blank ? blank + 1 : line->end;
  *ret_length = (size_t)(stop - start);
  return start;
}

static const char *next_text(fields *line) {
  size_t length;
  const char *start = next_field(line, &length);
  if (!start) return NULL;
  char *text = rsm__arena_copy(line->arena, start, length);
  if (!text) {
    line->failed = true;
    return NULL;
  }
  text[rsm__unescape_octal(text, length)] = '\0';
  return text;
}

static bool parse_device(const char *text, size_t length, uint64_t *ret_dev) {
  uint64_t major, minor;
  const char *colon = memchr(text, ':', length);
  if (!colon) return false;
  size_t left = (size_t)(colon - text);
  if (!rsm__parse_number(text, left, &major) || !rsm__parse_number(colon + 1, length - left - 1, &minor)) return false;
  *ret_dev = makedev((unsigned)major, (unsigned)minor);
  return true;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse_line(fields *line, rsm__mount *ret_mount) {
  size_t length;
  const char *field = next_field(line, &length);
  if (!field || !rsm__parse_number(field, length, &ret_mount->id)) return false;
  if (!next_field(line, &length)) return false;
  field = next_field(line, &length);
  if (!field || !parse_device(field, length, &ret_mount->dev)) return false;
  ret_mount->root = next_text(line);
  ret_mount->point = next_text(line);
  do {
    field = next_field(line, &length);
  } while (field && !(length == 1 && *field == '-'));
  ret_mount->type = next_text(line);
  ret_mount->source = next_text(line);
  ret_mount->options = next_text(line);
  return ret_mount->options != NULL;
}

static int compare_ids(const void *a, const void *b) {
  uint64_t left = (*(const rsm__mount *const *)a)->id;
  uint64_t right = (*(const rsm__mount *const *)b)->id;
  return left < right ? -1 : left > right;
}

static rsm_status sort_ids(rsm__mounts *mounts, rsm_error *reterr) {
  if (mounts->count == 0) return RSM_OK;
  mounts->by_id = rsm__malloc(mounts->count * sizeof *mounts->by_id);
  if (!mounts->by_id) return rsm__fail_memory(reterr);
  for (size_t i = 0; i < mounts->count; i++) mounts->by_id[i] = &mounts->items[i];
  qsort(mounts->by_id, mounts->count, sizeof *mounts->by_id, compare_ids);
  return RSM_OK;
}

rsm_status rsm__mounts_parse(const char *text, size_t length, rsm__mounts *mounts, rsm_error *reterr) {
  size_t capacity = 0;
  for (const char *at = text, *end = text + length; at < end;) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    fields line = {.at = at, .end = newline ? newline : end, .arena = &mounts->arena};
    rsm__mount mount = {0};
    bool whole = parse_line(&line, &mount);
    if (line.failed) return rsm__fail_memory(reterr);
    if (whole) {
      if (rsm__grow(&mounts->items, &capacity, mounts->count + 1, sizeof mount) < 0) return rsm__fail_memory(reterr);
      mounts->items[mounts->count++] = mount;
    }
    at = newline ? newline + 1 : end;
  }
  return sort_ids(mounts, reterr);
}

rsm_status rsm__mounts_read(rsm__mounts *mounts, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer text = {0};
  rsm_status status = rsm__procfs_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_LIMIT, &text, reterr);
  if (status != RSM_OK) return status;
  return rsm__mounts_parse((const char *)text.data, text.length, mounts, reterr);
}

void rsm__mounts_done(rsm__mounts *mounts) {
  rsm__free(mounts->items);
  rsm__free(mounts->by_id);
  rsm__arena_done(&mounts->arena);
  memset(mounts, 0, sizeof *mounts);
}

const rsm__mount *rsm__mounts_find(const rsm__mounts *mounts, uint64_t id) {
  size_t low = 0, high = mounts->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (mounts->by_id[middle]->id == id) return mounts->by_id[middle];
    if (mounts->by_id[middle]->id < id)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

const rsm__mount *rsm__mounts_over(const rsm__mounts *mounts, const char *path) {
  const rsm__mount *best = NULL;
  size_t best_length = 0;
  for (size_t i = 0; i < mounts->count; i++) {
    size_t length = strlen(mounts->items[i].point);
    if (length < best_length || !rsm__path_within(path, mounts->items[i].point)) continue;
    best = &mounts->items[i];
    best_length = length;
  }
  return best;
}
