/* lua_threads.c: two Lua states in two threads use the module at once. The module is found by RSM_BUILD and RSM_SOURCE.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"

static const char script[] = "local build, source = os.getenv('RSM_BUILD'), os.getenv('RSM_SOURCE')\n"
                             "package.cpath = build .. '/lua/?.so'\n"
                             "package.path = source .. '/lua/?.lua;' .. source .. '/lua/?/init.lua'\n"
                             "local rm = require 'restartmanager'\n"
                             "local path = os.tmpname()\n"
                             "local held = assert(io.open(path))\n"
                             "for round = 1, 20 do\n"
                             "  local session <close> = assert(rm.start { name = 'thread' })\n"
                             "  assert(session:register { files = path })\n"
                             "  local list = assert(session:list())\n"
                             "  assert(#list == 1 and list[1].pid == rm.self().pid, tostring(list))\n"
                             "  local report, _, code = session:shutdown()\n"
                             "  assert(report == nil and code == 'fail_noaction_reboot')\n"
                             "  local op <close> = assert(session:begin_list())\n"
                             "  if round % 2 == 0 then repeat until op:step(0.1) assert(op:result()) end\n"
                             "end\n"
                             "held:close()\n"
                             "os.remove(path)\n";

static void *use_module(void *argument) {
  char **ret_message = argument;
  lua_State *L = luaL_newstate();
  CHECK(L);
  luaL_openlibs(L);
  if (luaL_dostring(L, script) != LUA_OK) *ret_message = strdup(lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

int main(void) {
  pthread_t threads[2];
  char *messages[2] = {NULL, NULL};
  for (int i = 0; i < 2; i++) CHECK_INT(pthread_create(&threads[i], NULL, use_module, &messages[i]), 0);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(pthread_join(threads[i], NULL), 0);
    CHECK_TEXT(messages[i], NULL);
  }
  return 0;
}
