/* SPDX-License-Identifier: MIT */
#include "os/linux/unit.h"

#include <string.h>

#include "os/linux/procfs.h"

enum { MAX_NAME = 255 }; /* systemd's own limit */

typedef struct part {
  const char *at;
  size_t length;
} part;

/* The next component after *path, which moves behind it. False: there is none left. */
static bool next_part(const char **path, part *ret_part) {
  const char *at = *path + strspn(*path, "/");
  size_t length = strcspn(at, "/");
  *path = at + length;
  *ret_part = (part){at, length};
  return length > 0;
}

static bool is_text(part name, const char *text) {
  return name.length == strlen(text) && memcmp(name.at, text, name.length) == 0;
}

/* Has something before the suffix. */
static bool has_suffix(part name, const char *suffix) {
  size_t length = strlen(suffix);
  return name.length > length && memcmp(name.at + name.length - length, suffix, length) == 0;
}

/* What is between prefix and suffix; nothing there is no match. */
static bool take_inner(part name, const char *prefix, const char *suffix, part *ret_inner) {
  size_t before = strlen(prefix);
  if (!has_suffix(name, suffix) || name.length <= before + strlen(suffix)) return false;
  if (memcmp(name.at, prefix, before) != 0) return false;
  *ret_inner = (part){name.at + before, name.length - before - strlen(suffix)};
  return true;
}

static bool take_user_manager(part name, uint32_t *ret_owner) {
  part inner;
  uint64_t uid;
  if (!take_inner(name, "user@", ".service", &inner)) return false;
  if (!rsm__parse_number(inner.at, inner.length, &uid) || uid >= UINT32_MAX) return false;
  *ret_owner = (uint32_t)uid;
  return true;
}

/* The first component that is no slice. False: there is none. */
static bool next_unit(const char **path, part *ret_part) {
  do
    if (!next_part(path, ret_part)) return false;
  while (has_suffix(*ret_part, ".slice"));
  if (ret_part->at[0] == '_') ret_part->at++, ret_part->length--;
  return true;
}

/* What a manager would accept as the name of one; others are no unit's group. */
static bool is_service(part name) {
  static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:-_.\\@";
  return has_suffix(name, ".service") && name.length <= MAX_NAME && strspn(name.at, allowed) >= name.length;
}

rsm__unit rsm__parse_unit(const char *path) {
  rsm__unit unit = {0};
  const char *at = path;
  part name;
  bool found = next_unit(&at, &name);
  if (found && take_user_manager(name, &unit.owner)) {
    unit.user_manager = true;
    const char *below = at;
    found = next_unit(&at, &name);
    unit.is_manager = found ? is_text(name, "init.scope") : !next_part(&below, &name);
  }
  if (!found || !is_service(name)) return unit;
  unit.name = name.at;
  unit.name_length = name.length;
  unit.path_length = (size_t)(at - path);
  return unit;
}

const char *rsm__unit_path_below(const char *path, const char *first) {
  static const char own_group[] = "/init.scope";
  size_t length = strlen(first), tail = sizeof own_group - 1;
  if (length >= tail && strcmp(first + length - tail, own_group) == 0) length -= tail;
  while (length && first[length - 1] == '/') length--;
  if (strncmp(path, first, length) != 0) return NULL;
  return path[length] == '/' || path[length] == '\0' ? path + length : NULL;
}

bool rsm__parse_user_slice(const char *path, uint32_t uid) {
  uint64_t found;
  part name, inner;
  if (!next_part(&path, &name) || !is_text(name, "user.slice") || !next_part(&path, &name)) return false;
  return take_inner(name, "user-", ".slice", &inner) && rsm__parse_number(inner.at, inner.length, &found) &&
         found == uid;
}

bool rsm__parse_logon_session(const char *path, const char **ret_id, size_t *ret_length) {
  part name, id;
  if (!next_unit(&path, &name) || !take_inner(name, "session-", ".scope", &id)) return false;
  *ret_id = id.at;
  *ret_length = id.length;
  return true;
}
