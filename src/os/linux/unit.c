/* SPDX-License-Identifier: MIT */
#include "os/linux/unit.h"

#include <string.h>

#include "os/linux/procfs.h"

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

rsm__unit rsm__parse_unit(const char *path) {
  rsm__unit unit = {0};
  bool in_scope = false;
  const char *at = path;
  for (part name; next_part(&at, &name);) {
    if (in_scope) continue;
    if (!unit.user_manager && take_user_manager(name, &unit.owner)) {
      unit.user_manager = unit.is_manager = true;
      unit.name = NULL;
    } else if (has_suffix(name, ".scope")) {
      in_scope = true;
      unit.is_manager = unit.is_manager && is_text(name, "init.scope");
      unit.name = NULL;
    } else if (has_suffix(name, ".service")) {
      unit.is_manager = false;
      unit.name = name.at;
      unit.name_length = name.length;
      unit.path_length = (size_t)(at - path);
    } else if (has_suffix(name, ".slice")) {
      unit.is_manager = false;
    }
  }
  if (!unit.name) unit.name_length = unit.path_length = 0;
  return unit;
}

bool rsm__parse_logon_session(const char *path, const char **ret_id, size_t *ret_length) {
  for (part name, id; next_part(&path, &name);) {
    if (!take_inner(name, "session-", ".scope", &id)) continue;
    *ret_id = id.at;
    *ret_length = id.length;
    return true;
  }
  return false;
}
