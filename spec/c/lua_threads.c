/* lua_threads.c: two Lua states in two threads use the module at once. The module is found by RSM_BUILD and RSM_SOURCE.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>

#include "check.h"
#include "os/thread.h"

static const char script[] =
    "local build, source = os.getenv('RSM_BUILD'), os.getenv('RSM_SOURCE')\n"
    "package.cpath = build .. '/lua/?.so;' .. build .. '/lua/?.dll'\n"
    "package.path = source .. '/lua/?.lua;' .. source .. '/lua/?/init.lua'\n"
    "local rm = require 'restartmanager'\n"
    "local path = build .. '/spec/lua_threads.' .. ...\n"
    "local held = assert(io.open(path, 'w'))\n"
    "for round = 1, 60 do\n"
    "  local session <close> = assert(rm.start { name = 'thread' })\n"
    "  assert(session:register { files = path })\n"
    "  for resource in session:resources() do assert(resource.file:find('lua_threads', 1, true)) end\n"
    "  if round % 15 == 0 then\n"
    "    local list = assert(session:list())\n"
    "    assert(#list == 1 and list[1].pid == rm.self().pid, tostring(list))\n"
    "    local report, _, code = session:shutdown()\n"
    "    assert(report == nil and code == 'fail_noaction_reboot')\n"
    "    local op <close> = assert(session:begin_list())\n"
    "    if round % 30 == 0 then repeat until op:step(0.1) assert(op:result()) end\n"
    "  end\n"
    "end\n"
    "held:close()\n"
    "os.remove(path)\n";

typedef struct user {
  rsm__thread thread;
  int number;
  char *message; /* what went wrong */
} user;

static void *use_module(void *argument) {
  user *self = argument;
  lua_State *L = luaL_newstate();
  CHECK(L);
  luaL_openlibs(L);
  CHECK_INT(luaL_loadstring(L, script), LUA_OK);
  lua_pushinteger(L, self->number);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) self->message = strdup(lua_tostring(L, -1));
  lua_close(L);
  return NULL;
}

int main(void) {
  user users[2] = {{.number = 1}, {.number = 2}};
  for (int i = 0; i < 2; i++) CHECK_INT(rsm__thread_start(use_module, &users[i], 0, &users[i].thread, NULL), RSM_OK);
  for (int i = 0; i < 2; i++) {
    rsm__thread_join(&users[i].thread);
    CHECK_TEXT(users[i].message, NULL);
  }
  return 0;
}
