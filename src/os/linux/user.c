/* user.c: names from /etc/passwd alone. getpwuid asks every source in nsswitch.conf, and a directory server that does
 * not answer would hold up a listing. Read anew at each call: accounts come and go, and there is no place for a cache.
 * SPDX-License-Identifier: MIT */
#include "os/user.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "os/linux/procfs.h"

enum { PASSWD_LIMIT = 16 << 20 };

uint32_t rsm__user_current(void) {
  return (uint32_t)geteuid();
}

/* One line "name:password:uid:...". False: another account's, or not an account (a comment, "+" of NIS). */
static bool match_account(const char *line, const char *stop, uint32_t uid, size_t *ret_length) {
  const char *name_end = memchr(line, ':', (size_t)(stop - line));
  if (!name_end || name_end == line || *line == '+' || *line == '-' || *line == '#') return false;
  const char *number = memchr(name_end + 1, ':', (size_t)(stop - name_end - 1));
  if (!number++) return false;
  const char *number_end = memchr(number, ':', (size_t)(stop - number));
  uint64_t found;
  if (!number_end || !rsm__parse_number(number, (size_t)(number_end - number), &found) || found != uid) return false;
  *ret_length = (size_t)(name_end - line);
  return true;
}

const char *rsm__user_name(uint32_t uid, rsm__arena *arena) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  if (rsm__procfs_read(AT_FDCWD, "/etc/passwd", PASSWD_LIMIT, &content, NULL) == RSM_OK) {
    const char *end = (const char *)content.data + content.length;
    for (const char *line = (const char *)content.data; line < end;) {
      const char *stop = memchr(line, '\n', (size_t)(end - line));
      if (!stop) stop = end;
      size_t length;
      if (match_account(line, stop, uid, &length)) return rsm__arena_copy(arena, line, length);
      line = stop + 1;
    }
  }
  char number[16];
  snprintf(number, sizeof number, "%" PRIu32, uid);
  return rsm__arena_strdup(arena, number);
}
