/* options.c: tables of options, text, seconds.
 * SPDX-License-Identifier: MIT */
#include "lua/options.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

#define LONGEST_NAME 32

int rsml_bad(lua_State *L, const rsml_place *place, const char *format, ...) {
  lua_Debug caller;
  int arg = place->arg;
  va_list values;
  va_start(values, format);
  const char *text = lua_pushvfstring(L, format, values);
  va_end(values);
  if (place->option) {
    text = lua_pushfstring(L, "option '%s': %s", place->option, text);
  }
  if (lua_getstack(L, 0, &caller) && lua_getinfo(L, "n", &caller) && strcmp(caller.namewhat, "method") == 0) {
    arg--;
  }
  return luaL_error(L, "bad argument #%d to '%s' (%s)", arg, place->function, text);
}

int rsml_bad_type(lua_State *L, const rsml_place *place, const char *expected, int index) {
  return rsml_bad(L, place, "%s expected, got %s", expected, luaL_typename(L, index));
}

/* How many insertions, removals, replacements make one name of the other. */
static size_t distance(const char *a, const char *b) {
  size_t row[LONGEST_NAME + 1];
  size_t a_length = strnlen(a, LONGEST_NAME), b_length = strnlen(b, LONGEST_NAME);
  for (size_t j = 0; j <= b_length; j++) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a_length; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      size_t best = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      best = row[j] + 1 < best ? row[j] + 1 : best;
      row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
    }
  }
  return row[b_length];
}

/* The key at index is none of the known names. */
static int unknown_option(lua_State *L, const rsml_place *place, int index, const rsml_option *known) {
  const char *nearest = NULL;
  size_t least = SIZE_MAX;
  const char *name = luaL_tolstring(L, index, NULL);
  const rsml_place whole = {place->function, place->arg, NULL};
  for (; known->name; known++) {
    size_t now = distance(name, known->name);
    if (now < least) {
      least = now;
      nearest = known->name;
    }
  }
  if (place->option) {
    return rsml_bad(L, &whole, "unknown option '%s.%s' (did you mean '%s.%s'?)", place->option, name, place->option,
                    nearest);
  }
  return rsml_bad(L, &whole, "unknown option '%s' (did you mean '%s'?)", name, nearest);
}

static void check_kind(lua_State *L, const rsml_place *place, int index, rsml_kind kind) {
  switch (kind) {
  case RSML_ANY:
    break;
  case RSML_BOOLEAN:
    if (!lua_isboolean(L, index)) {
      rsml_bad_type(L, place, "boolean", index);
    }
    break;
  case RSML_TEXT:
    rsml_check_text(L, place, index);
    break;
  case RSML_FUNCTION:
    if (!lua_isfunction(L, index)) {
      rsml_bad_type(L, place, "function", index);
    }
    break;
  }
}

int rsml_options(lua_State *L, const rsml_place *place, int index, const rsml_option *known) {
  int first = lua_gettop(L) + 1, count = 0;
  while (known[count].name) {
    count++;
  }
  luaL_checkstack(L, count + 6, "too many options");
  if (first <= index) { /* the argument was left out */
    lua_settop(L, index);
    first = index + 1;
  }
  lua_settop(L, first + count - 1);
  if (lua_isnil(L, index)) {
    return first;
  }
  if (!lua_istable(L, index)) {
    rsml_bad_type(L, place, "table", index);
  }
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int i = 0;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
    while (i < count && !(name && strcmp(name, known[i].name) == 0)) {
      i++;
    }
    if (i == count) {
      unknown_option(L, place, -2, known);
    }
    const rsml_place here = {place->function, place->arg, known[i].name};
    check_kind(L, &here, lua_gettop(L), known[i].kind);
    lua_replace(L, first + i);
  }
  return first;
}

const char *rsml_check_text(lua_State *L, const rsml_place *place, int index) {
  size_t length;
  if (lua_isnil(L, index)) {
    return NULL;
  }
  if (lua_type(L, index) != LUA_TSTRING) {
    rsml_bad_type(L, place, "string", index);
  }
  const char *text = lua_tolstring(L, index, &length);
  if (strlen(text) != length) {
    rsml_bad(L, place, "text must not contain a NUL character");
  }
  return text;
}

/* Bytes that the strings of the array at index take, terminators included. Raises for what is no array of strings. */
static size_t check_array(lua_State *L, const rsml_place *place, int index, size_t *ret_count) {
  size_t size = 0, count = (size_t)lua_rawlen(L, index);
  lua_pushnil(L);
  while (lua_next(L, index)) { /* keys below 1 do no harm: `arg` has them */
    if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) > (lua_Integer)count) {
      rsml_bad(L, place, "string or array of strings expected, got a table with other keys");
    }
    lua_pop(L, 1);
  }
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, index, (lua_Integer)i);
    if (lua_isnil(L, -1)) {
      rsml_bad_type(L, place, "string or array of strings", -1);
    }
    size += strlen(rsml_check_text(L, place, lua_gettop(L))) + 1;
    lua_pop(L, 1);
  }
  *ret_count = count;
  return size;
}

void rsml_check_texts(lua_State *L, const rsml_place *place, int index, rsml_texts *ret_texts) {
  size_t size = 0, count = 0;
  bool array = lua_istable(L, index);
  if (array) {
    size = check_array(L, place, index, &count);
  } else if (lua_type(L, index) == LUA_TSTRING) {
    size = strlen(rsml_check_text(L, place, index)) + 1;
    count = 1;
  } else if (!lua_isnil(L, index)) {
    rsml_bad_type(L, place, "string or array of strings", index);
  }
  const char **items = lua_newuserdatauv(L, (count + 1) * sizeof *items + size, 0);
  char *end = (char *)(items + count + 1);
  /* A finalizer that ran in the allocation may have changed the table: look again. */
  for (size_t i = 0; i < count; i++) {
    size_t length = 0;
    if (array) {
      lua_rawgeti(L, index, (lua_Integer)i + 1);
    } else {
      lua_pushvalue(L, index);
    }
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
    if (!text || length + 1 > size) {
      rsml_bad(L, place, "the array was changed meanwhile");
      return;
    }
    items[i] = memcpy(end, text, length + 1);
    end += length + 1;
    size -= length + 1;
    lua_pop(L, 1);
  }
  items[count] = NULL;
  *ret_texts = (rsml_texts){items, count};
}

uint32_t rsml_check_seconds(lua_State *L, const rsml_place *place, int index) {
  if (lua_type(L, index) != LUA_TNUMBER) {
    rsml_bad_type(L, place, "number of seconds", index);
  }
  lua_Number seconds = lua_tonumber(L, index);
  if (!(seconds >= 0)) {
    rsml_bad(L, place, "number of seconds, not negative, expected");
  }
  if (seconds >= (lua_Number)UINT32_MAX / 1000) {
    return UINT32_MAX;
  }
  uint32_t whole = (uint32_t)(seconds * 1000);
  return (lua_Number)whole < seconds * 1000 ? whole + 1 : whole;
}
