/* command_line.c: SPDX-License-Identifier: MIT */
#include "os/windows/command_line.h"

#include <string.h>

#include "base/error.h"
#include "os/windows/wide.h"

/* ---- Splitting --------------------------------------------------------------------------------------------------- */

static bool is_blank(wchar_t unit) {
  return unit == L' ' || unit == L'\t';
}

static const wchar_t *skip_blanks(const wchar_t *at) {
  while (is_blank(*at)) at++;
  return at;
}

/* The program's name: to the next quote if it begins with one, else to the next blank; backslashes mean nothing. */
static const wchar_t *take_program(const wchar_t *at, wchar_t *to, size_t *ret_length) {
  bool quoted = *at == L'"';
  size_t length = 0;
  if (quoted) at++;
  while (*at && (quoted ? *at != L'"' : !is_blank(*at))) to[length++] = *at++;
  if (quoted && *at) at++;
  *ret_length = length;
  return at;
}

/* A run of quotes: the third one in a row, counting the one that opened, is a quote itself. `open` is 0 outside quotes,
 * 1 inside. */
static const wchar_t *take_quotes(const wchar_t *at, unsigned *open, wchar_t *to, size_t *length) {
  for (; *at == L'"'; at++) {
    if (++*open < 3) continue;
    to[(*length)++] = L'"';
    *open = 0;
  }
  if (*open == 2) *open = 0;
  return at;
}

/* Backslashes: before a quote two stand for one, and a single one left makes the quote an ordinary character. */
static const wchar_t *take_backslashes(const wchar_t *at, wchar_t *to, size_t *length) {
  size_t count = 0;
  while (at[count] == L'\\') count++;
  bool before_quote = at[count] == L'"';
  for (size_t i = 0; i < (before_quote ? count / 2 : count); i++) to[(*length)++] = L'\\';
  at += count;
  if (!before_quote || count % 2 == 0) return at;
  to[(*length)++] = L'"';
  return at + 1;
}

static const wchar_t *take_argument(const wchar_t *at, wchar_t *to, size_t *ret_length) {
  unsigned open = 0;
  size_t length = 0;
  while (*at && (open || !is_blank(*at))) {
    if (*at == L'\\')
      at = take_backslashes(at, to, &length);
    else if (*at == L'"')
      at = take_quotes(at, &open, to, &length);
    else
      to[length++] = *at++;
  }
  *ret_length = length;
  return at;
}

typedef struct arguments {
  const char **items;
  size_t count, capacity;
} arguments;

static void clean_arguments(arguments *list) {
  rsm__free(list->items);
}

static rsm_status split(const wchar_t *line, rsm__arena *arena, arguments *list, rsm_error *reterr) {
  RSM_CLEAN_WIDE room = rsm__calloc(wcslen(line) + 1, sizeof *room); /* no argument is longer than the line */
  if (!room) return rsm__fail_memory(reterr);
  const wchar_t *at = line;
  while (*at) {
    size_t length;
    at = list->count == 0 ? take_program(at, room, &length) : take_argument(at, room, &length);
    at = skip_blanks(at);
    if (rsm__grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items) < 0)
      return rsm__fail_memory(reterr);
    const char *text = rsm__narrow_in(arena, room, length);
    if (!text) return rsm__fail_memory(reterr);
    list->items[list->count++] = text;
  }
  return RSM_OK;
}

rsm_status rsm__command_line_split(const wchar_t *line, rsm__arena *arena, const char *const **ret_args,
                                   size_t *ret_count, rsm_error *reterr) {
  RSM_CLEAN(clean_arguments) arguments list = {0};
  rsm_status status = split(line, arena, &list, reterr);
  if (status != RSM_OK) return status;
  const char **args = rsm__arena_alloc(arena, (list.count + 1) * sizeof *args);
  if (!args) return rsm__fail_memory(reterr);
  if (list.count) memcpy(args, list.items, list.count * sizeof *args);
  *ret_args = args;
  *ret_count = list.count;
  return RSM_OK;
}

/* ---- Joining ----------------------------------------------------------------------------------------------------- */

static void put_unit(rsm__buffer *line, wchar_t unit) {
  rsm__buffer_put(line, &unit, sizeof unit);
}

static void put_units(rsm__buffer *line, wchar_t unit, size_t count) {
  while (count--) put_unit(line, unit);
}

static bool needs_quotes(const wchar_t *argument) {
  return !*argument || argument[wcscspn(argument, L" \t\n\v\"")];
}

static rsm_status put_program(rsm__buffer *line, const wchar_t *program, const char *text, rsm_error *reterr) {
  if (wcschr(program, L'"'))
    return rsm__fail(reterr, RSM_INVALID_PARAMETER, text, "a program's name cannot hold a quote");
  bool quoted = needs_quotes(program);
  if (quoted) put_unit(line, L'"');
  rsm__buffer_put(line, program, wcslen(program) * sizeof *program);
  if (quoted) put_unit(line, L'"');
  return RSM_OK;
}

/* Quotes are never doubled: about those the two sets of rules differ. */
static void put_argument(rsm__buffer *line, const wchar_t *argument) {
  put_unit(line, L' ');
  if (!needs_quotes(argument)) {
    rsm__buffer_put(line, argument, wcslen(argument) * sizeof *argument);
    return;
  }
  put_unit(line, L'"');
  for (const wchar_t *at = argument; *at;) {
    size_t backslashes = wcsspn(at, L"\\");
    at += backslashes;
    /* The quote that ends the argument is one, too. */
    put_units(line, L'\\', *at == L'"' || !*at ? 2 * backslashes : backslashes);
    if (*at == L'"') put_unit(line, L'\\');
    if (*at) put_unit(line, *at++);
  }
  put_unit(line, L'"');
}

rsm_status rsm__command_line_join(const char *const *args, size_t count, wchar_t **ret_line, rsm_error *reterr) {
  RSM_CLEAN_BUFFER rsm__buffer line = {0};
  if (count == 0) return rsm__fail(reterr, RSM_BAD_ARGUMENTS, NULL, "a command needs a program's name");
  for (size_t i = 0; i < count; i++) {
    RSM_CLEAN_WIDE wide = NULL;
    rsm_status status = rsm__wide_new(args[i], &wide, reterr);
    if (status == RSM_OK && i == 0) status = put_program(&line, wide, args[i], reterr);
    if (status != RSM_OK) return status;
    if (i > 0) put_argument(&line, wide);
  }
  put_unit(&line, 0);
  if (line.failed) return rsm__fail_memory(reterr);
  if (line.length / sizeof(wchar_t) > RSM__COMMAND_LINE_MOST + 1)
    return rsm__fail(reterr, RSM_INVALID_PARAMETER, args[0],
                     "the command line has %zu characters; at most %d are possible", line.length / sizeof(wchar_t) - 1,
                     (int)RSM__COMMAND_LINE_MOST);
  *ret_line = (wchar_t *)(void *)line.data;
  line = (rsm__buffer){0};
  return RSM_OK;
}
