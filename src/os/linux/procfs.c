/* procfs.c: readers first, then the parsers. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "os/linux/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "os/linux/fd.h"
#include "os/linux/os_error.h"

enum {
  READ_CHUNK = 4096,
  STAT_LIMIT = 4096,
  STATUS_LIMIT = 1 << 20,  /* 65,536 groups fit */
  CGROUP_LIMIT = 256 << 10 /* some 20 hierarchies of at most PATH_MAX */
};

/* ---- Readers ----------------------------------------------------------------------------------------------------- */

/* A process that has ended answers ENOENT to openat and ESRCH to read: here both mean the same. */
static rsm_status fail_read(rsm_error *reterr, int code, const char *call, const char *name) {
  return rsm__fail_errno(reterr, code == ENOENT ? ESRCH : code, call, name);
}

rsm_status rsm__procfs_open(uint32_t pid, int *ret_dir, rsm_error *reterr) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%u", (unsigned)pid);
  int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return fail_read(reterr, errno, "open", path);
  *ret_dir = dir;
  return RSM_OK;
}

/* in_one: the kernel makes the text in one piece, so a read that is not filled was the last. */
static rsm_status read_to_end(int fd, const char *name, bool in_one, size_t limit, rsm__buffer *content,
                              rsm_error *reterr) {
  char chunk[READ_CHUNK];
  size_t total = 0;
  for (;;) {
    ssize_t got = read(fd, chunk, sizeof chunk);
    int code = errno;
    if (got < 0 && code == EINTR) continue;
    if (got < 0) return fail_read(reterr, code, "read", name);
    if (got == 0) return RSM_OK;
    total += (size_t)got;
    if (total > limit) return rsm__fail(reterr, RSM_MORE_DATA, name, "longer than %zu bytes", limit);
    rsm__buffer_put(content, chunk, (size_t)got);
    if (content->failed) return rsm__fail_memory(reterr);
    if (in_one && (size_t)got < sizeof chunk) return RSM_OK;
  }
}

static rsm_status read_file(int dir, const char *name, bool in_one, size_t limit, rsm__buffer *content,
                            rsm_error *reterr) {
  RSM_CLEAN_FD int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_read(reterr, errno, "openat", name);
  size_t before = content->length;
  rsm_status status = read_to_end(fd, name, in_one, limit, content, reterr);
  if (status == RSM_OK) {
    rsm__buffer_put_u8(content, 0);
    if (content->failed) status = rsm__fail_memory(reterr);
  }
  content->length = status == RSM_OK ? content->length - 1 : before;
  return status;
}

rsm_status rsm__procfs_read(int dir, const char *name, size_t limit, rsm__buffer *content, rsm_error *reterr) {
  return read_file(dir, name, false, limit, content, reterr);
}

rsm_status rsm__procfs_read_one(int dir, const char *name, size_t limit, rsm__buffer *content, rsm_error *reterr) {
  return read_file(dir, name, true, limit, content, reterr);
}

rsm_status rsm__procfs_link(int dir, const char *name, rsm__arena *arena, const char **ret_target, rsm_error *reterr) {
  char target[PATH_MAX + 16]; /* the kernel itself gives up beyond PATH_MAX */
  ssize_t length = readlinkat(dir, name, target, sizeof target);
  if (length < 0) return fail_read(reterr, errno, "readlinkat", name);
  const char *copy = rsm__arena_copy(arena, target, (size_t)length);
  if (!copy) return rsm__fail_memory(reterr);
  *ret_target = copy;
  return RSM_OK;
}

rsm_status rsm__procfs_texts(int dir, const char *name, size_t limit, rsm__arena *arena, const char *const **ret_texts,
                             size_t *ret_count, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_status status = rsm__procfs_read(dir, name, limit, &content, reterr);
  if (status != RSM_OK) return status;
  size_t count;
  const char *const *texts = rsm__parse_texts((const char *)content.data, content.length, arena, &count);
  if (!texts) return rsm__fail_memory(reterr);
  *ret_texts = texts;
  *ret_count = count;
  return RSM_OK;
}

static rsm_status fail_parse(rsm_error *reterr, const char *name) {
  return rsm__fail(reterr, RSM_GEN_FAILURE, name, "the kernel's text is not whole");
}

rsm_status rsm__procfs_stat(int dir, rsm__proc_stat *ret_stat, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_status status = rsm__procfs_read_one(dir, "stat", STAT_LIMIT, &content, reterr);
  if (status != RSM_OK) return status;
  if (!rsm__parse_stat((const char *)content.data, content.length, ret_stat)) return fail_parse(reterr, "stat");
  return RSM_OK;
}

rsm_status rsm__procfs_status(int dir, rsm__arena *arena, rsm__proc_status *ret_status, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_status status = rsm__procfs_read_one(dir, "status", STATUS_LIMIT, &content, reterr);
  if (status != RSM_OK) return status;
  if (!rsm__parse_status((const char *)content.data, content.length, arena, ret_status))
    return fail_parse(reterr, "status");
  return RSM_OK;
}

rsm_status rsm__procfs_cgroup(int dir, rsm__arena *arena, const char **ret_path, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer content = {0};
  rsm_status status = rsm__procfs_read_one(dir, "cgroup", CGROUP_LIMIT, &content, reterr);
  if (status != RSM_OK) return status;
  const char *path = NULL;
  size_t length;
  if (rsm__parse_cgroup((const char *)content.data, content.length, &path, &length)) {
    path = rsm__arena_copy(arena, path, length);
    if (!path) return rsm__fail_memory(reterr);
  }
  *ret_path = path;
  return RSM_OK;
}

/* ---- Words and numbers ------------------------------------------------------------------------------------------- */

/* What is left of a text; every take_ function shortens it from the front. */
typedef struct rest {
  const char *at;
  const char *end;
} rest;

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/* The next word, which must be followed by a blank, a newline or, with last_may_end, by the text's end: a text that
 * was cut off in a number must not give another number. */
static bool take_word(rest *text, bool last_may_end, rest *ret_word) {
  while (text->at < text->end && is_blank(*text->at)) text->at++;
  const char *begin = text->at;
  while (text->at < text->end && !is_blank(*text->at) && *text->at != '\n') text->at++;
  if (text->at == begin || (text->at == text->end && !last_may_end)) return false;
  *ret_word = (rest){begin, text->at};
  return true;
}

static bool parse_digits(rest word, unsigned base, uint64_t *ret_number) {
  if (word.at == word.end) return false;
  uint64_t number = 0;
  for (; word.at < word.end; word.at++) {
    unsigned digit;
    if (*word.at >= '0' && *word.at <= '9')
      digit = (unsigned)(*word.at - '0');
    else if (*word.at >= 'a' && *word.at <= 'f')
      digit = (unsigned)(*word.at - 'a') + 10;
    else
      return false;
    if (digit >= base || number > (UINT64_MAX - digit) / base) return false;
    number = number * base + digit;
  }
  *ret_number = number;
  return true;
}

bool rsm__parse_number(const char *text, size_t length, uint64_t *ret_number) {
  return length > 0 && parse_digits((rest){text, text + length}, 10, ret_number);
}

static bool take_signed(rest *text, int64_t *ret_number) {
  rest word;
  if (!take_word(text, false, &word)) return false;
  bool negative = *word.at == '-';
  if (negative) word.at++;
  uint64_t number;
  if (!parse_digits(word, 10, &number) || number > INT64_MAX) return false;
  *ret_number = negative ? -(int64_t)number : (int64_t)number;
  return true;
}

const char *const *rsm__parse_texts(const char *text, size_t length, rsm__arena *arena, size_t *ret_count) {
  size_t count = 0;
  for (size_t i = 0; i < length; i++)
    if (!text[i] || i + 1 == length) count++;
  const char **texts = rsm__arena_alloc(arena, (count + 1) * sizeof *texts);
  char *copy = rsm__arena_copy(arena, length ? text : "", length);
  if (!texts || !copy) return NULL;
  for (size_t i = 0; i < count; i++) {
    texts[i] = copy;
    copy += strlen(copy) + 1;
  }
  *ret_count = count;
  return texts;
}

bool rsm__parse_line(const char *text, size_t length, const char *key, const char **ret_value, size_t *ret_length) {
  size_t key_length = strlen(key);
  for (const char *line = text, *end = text + length; line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop) return false;
    if ((size_t)(stop - line) >= key_length && memcmp(line, key, key_length) == 0) {
      const char *value = line + key_length;
      while (value < stop && is_blank(*value)) value++;
      while (stop > value && is_blank(stop[-1])) stop--;
      *ret_value = value;
      *ret_length = (size_t)(stop - value);
      return true;
    }
    line = stop + 1;
  }
  return false;
}

/* ---- stat -------------------------------------------------------------------------------------------------------- */

/* The fields after the name, by their number in proc(5) minus FIRST_NUMBER. */
enum { FIRST_NUMBER = 4, NUMBERS = 22 - FIRST_NUMBER + 1 };
#define FIELD(number) (numbers[(number)-FIRST_NUMBER])

static bool fits_u32(int64_t number) {
  return number >= 0 && number <= UINT32_MAX;
}

static bool fill_stat(const int64_t *numbers, rsm__proc_stat *stat) {
  if (!fits_u32(FIELD(4)) || !fits_u32(FIELD(9)) || !fits_u32(FIELD(20)) || FIELD(22) < 0) return false;
  if (FIELD(8) < INT32_MIN || FIELD(8) > INT32_MAX) return false;
  stat->parent = (uint32_t)FIELD(4);
  stat->group = (uint32_t)FIELD(5);    /* -1 once it has ended and nobody waits: of no use then */
  stat->session = (uint32_t)FIELD(6);  /* the same */
  stat->terminal = (uint32_t)FIELD(7); /* printed signed: a large minor number comes out negative */
  stat->terminal_group = (int32_t)FIELD(8);
  stat->flags = (uint32_t)FIELD(9);
  stat->threads = (uint32_t)FIELD(20);
  stat->start_time = (uint64_t)FIELD(22);
  return true;
}

bool rsm__parse_stat(const char *text, size_t length, rsm__proc_stat *ret_stat) {
  const char *open = length ? memchr(text, '(', length) : NULL;
  const char *close = length ? memrchr(text, ')', length) : NULL; /* the last: the name may hold any number of them */
  if (!open || !close || close < open) return false;
  rest before = {text, open}, after = {close + 1, text + length}, word;
  rsm__proc_stat stat = {0};
  uint64_t pid;
  if (!take_word(&before, false, &word) || !parse_digits(word, 10, &pid) || pid > UINT32_MAX) return false;
  stat.pid = (uint32_t)pid;
  size_t name_length = (size_t)(close - open - 1);
  if (name_length >= sizeof stat.name) name_length = sizeof stat.name - 1;
  memcpy(stat.name, open + 1, name_length);
  if (!take_word(&after, false, &word) || word.end != word.at + 1) return false;
  stat.state = *word.at;
  int64_t numbers[NUMBERS];
  for (size_t i = 0; i < NUMBERS; i++) {
    /* Fields that we do not use may be larger than we can hold (unsigned long counters): their value does not matter.
     */
    rest mark = after;
    if (take_signed(&after, &numbers[i])) continue;
    if (i + FIRST_NUMBER == 22 || !take_word(&mark, false, &word)) return false;
    after = mark;
    numbers[i] = -1;
  }
  if (!fill_stat(numbers, &stat)) return false;
  *ret_stat = stat;
  return true;
}

/* ---- status ------------------------------------------------------------------------------------------------------ */

static bool take_u32(rest *text, uint32_t *ret_number) {
  rest word;
  uint64_t number;
  if (!take_word(text, true, &word) || !parse_digits(word, 10, &number) || number > UINT32_MAX) return false;
  *ret_number = (uint32_t)number;
  return true;
}

static bool find_value(rest text, const char *key, rest *ret_value) {
  const char *value;
  size_t length;
  if (!rsm__parse_line(text.at, (size_t)(text.end - text.at), key, &value, &length)) return false;
  *ret_value = (rest){value, value + length};
  return true;
}

static bool parse_four(rest text, const char *key, uint32_t ids[4]) {
  rest value;
  if (!find_value(text, key, &value)) return false;
  for (int i = 0; i < 4; i++)
    if (!take_u32(&value, &ids[i])) return false;
  return value.at == value.end;
}

/* A line that older kernels do not have: left as it is then. False: it is there and malformed. */
static bool parse_optional(rest text, const char *key, unsigned base, uint64_t *number) {
  rest value;
  return !find_value(text, key, &value) || parse_digits(value, base, number);
}

static bool parse_groups(rest text, rsm__arena *arena, rsm__proc_status *status) {
  rest value;
  if (!find_value(text, "Groups:", &value) || value.at == value.end) return true;
  /* A group takes two bytes at least: a bound on how many there are. */
  uint32_t *groups = rsm__arena_alloc(arena, ((size_t)(value.end - value.at) / 2 + 1) * sizeof *groups);
  if (!groups) return false;
  while (value.at < value.end)
    if (!take_u32(&value, &groups[status->group_count++])) return false;
  status->groups = groups;
  return true;
}

static bool parse_inner_pids(rest text, rsm__proc_status *status) {
  rest value;
  if (!find_value(text, "NSpid:", &value)) return true;
  for (; value.at < value.end; status->pid_levels++)
    if (!take_u32(&value, &status->inner_pid)) return false;
  return true;
}

static bool parse_capabilities(rest text, rsm__proc_status *status) {
  return parse_optional(text, "CapInh:", 16, &status->cap_inheritable) &&
         parse_optional(text, "CapPrm:", 16, &status->cap_permitted) &&
         parse_optional(text, "CapEff:", 16, &status->cap_effective) &&
         parse_optional(text, "CapBnd:", 16, &status->cap_bounding) &&
         parse_optional(text, "CapAmb:", 16, &status->cap_ambient);
}

bool rsm__parse_status(const char *bytes, size_t length, rsm__arena *arena, rsm__proc_status *ret_status) {
  rest text = {bytes, bytes + length};
  rsm__proc_status status = {0};
  if (length == 0 || !parse_four(text, "Uid:", status.uid) || !parse_four(text, "Gid:", status.gid)) return false;
  uint64_t no_new_privs = 0, seccomp = 0, mask = UINT64_MAX;
  if (!parse_optional(text, "NoNewPrivs:", 10, &no_new_privs) || !parse_optional(text, "Seccomp:", 10, &seccomp) ||
      !parse_optional(text, "Umask:", 8, &mask) || !parse_capabilities(text, &status) ||
      !parse_inner_pids(text, &status) || !parse_groups(text, arena, &status))
    return false;
  status.no_new_privs = no_new_privs != 0;
  status.seccomp = (uint32_t)seccomp;
  status.has_umask = mask <= 0777;
  status.umask = status.has_umask ? (uint32_t)mask : 0;
  *ret_status = status;
  return true;
}

/* ---- cgroup ------------------------------------------------------------------------------------------------------ */

/* The path of a line "NUMBER:CONTROLLERS:/path" if its controllers are those. */
static bool match_hierarchy(const char *line, const char *stop, const char *controllers, rest *ret_path) {
  const char *first = memchr(line, ':', (size_t)(stop - line));
  const char *second = first ? memchr(first + 1, ':', (size_t)(stop - first - 1)) : NULL;
  if (!second || second + 1 == stop || second[1] != '/') return false;
  size_t length = (size_t)(second - first - 1);
  if (length != strlen(controllers) || memcmp(first + 1, controllers, length) != 0) return false;
  *ret_path = (rest){second + 1, stop};
  return true;
}

bool rsm__parse_cgroup(const char *text, size_t length, const char **ret_path, size_t *ret_length) {
  rest unified = {0}, named = {0};
  for (const char *line = text, *end = text + length; line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop) break; /* cut off: it might end in the middle of a name */
    if (!match_hierarchy(line, stop, "", &unified)) (void)match_hierarchy(line, stop, "name=systemd", &named);
    line = stop + 1;
  }
  rest path = unified.end - unified.at > 1 || !named.at ? unified : named;
  if (!path.at) return false;
  *ret_path = path.at;
  *ret_length = (size_t)(path.end - path.at);
  return true;
}
