/* lua_client LIST COUNT MS: rm.who from Lua against the same call in C, in turn in one process, so that nothing but the
 * conversion differs. Prints "c MICROSECONDS" and "lua MICROSECONDS" for each, and first, from Lua, who was found.
 * The module is found by LUA_PATH and LUA_CPATH. SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

enum { LEAST_TIMES = 5, MOST_TIMES = 500 };

/* Returns the function to call, and its argument. */
static const char script[] = "local rm = require 'restartmanager'\n"
                             "local files = ...\n"
                             "return rm.who, { files = files }\n";

__attribute__((noreturn)) static void die_in_lua(lua_State *L) {
  fprintf(stderr, "lua_client: %s\n", lua_tostring(L, -1));
  exit(1);
}

static size_t who_in_c(const char *const *files, size_t count) {
  const rsm_resources resources = {.files = files, .file_count = count};
  rsm_session *session = NULL;
  rsm_list *list = NULL;
  rsm_error error;
  MUST(rsm_session_start(NULL, &session, &error), &error);
  MUST(rsm_session_register(session, &resources, &error), &error);
  MUST(rsm_session_list(session, NULL, &list, &error), &error);
  MUST(rsm_session_end(session, RSM_END_LEAVE_ABANDONED, &error), &error);
  size_t found = rsm_list_count(list);
  rsm_list_free(list);
  rsm_session_free(session);
  return found;
}

/* The result stays at the top of the stack. */
static size_t who_in_lua(lua_State *L) {
  lua_settop(L, 2);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  if (lua_pcall(L, 1, 2, 0) != LUA_OK) die_in_lua(L);
  if (lua_isnil(L, -2)) die_in_lua(L);
  lua_pop(L, 1);
  return lua_rawlen(L, -1);
}

static void load_module(lua_State *L, const char *const *files, size_t count) {
  luaL_openlibs(L);
  if (luaL_loadstring(L, script) != LUA_OK) die_in_lua(L);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, files[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  if (lua_pcall(L, 1, 2, 0) != LUA_OK) die_in_lua(L);
}

static void print_holders(lua_State *L) {
  for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, -1); i++) {
    lua_rawgeti(L, -1, i);
    lua_getfield(L, -1, "pid");
    printf("holder %lld\n", (long long)lua_tointeger(L, -1));
    lua_pop(L, 2);
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: lua_client LIST COUNT MS\n");
    return 2;
  }
  size_t count = strtoul(argv[2], NULL, 10);
  const char *const *files = measure_read_lines(argv[1], count);
  lua_State *L = luaL_newstate();
  if (!L) return 1;
  load_module(L, files, count);
  size_t found = who_in_lua(L);
  print_holders(L);
  if (who_in_c(files, count) != found) measure_die("C and Lua found different holders", NULL);
  double until = measure_now() + strtod(argv[3], NULL) * 1000;
  for (int i = 0; i < MOST_TIMES && (i < LEAST_TIMES || measure_now() < until); i++) {
    double began = measure_now();
    size_t in_c = who_in_c(files, count);
    double between = measure_now();
    size_t in_lua = who_in_lua(L);
    printf("c %.1f\nlua %.1f\n", between - began, measure_now() - between);
    if (in_c != found || in_lua != found) measure_die("another call found others", NULL);
  }
  lua_close(L);
  return 0;
}
