/* module.c: require "restartmanager.core". The Lua layer in lua/restartmanager is what scripts require.
 * It fills core.layer, the first upvalue of every function here, with its loops: run, step, affected, who, each, scope,
 * recover.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "lua/convert.h"
#include "lua/op.h"
#include "lua/registration.h"
#include "lua/session.h"
#include "rsm.h"

static int m_self(lua_State *L) {
  rsm_self_info self;
  rsm_error error;
  if (rsm_self(&self, &error) != RSM_OK) {
    return rsml_push_failure(L, "self", &error);
  }
  rsml_push_process(L, &self.process);
  rsml_set_text(L, "exe", self.exe[0] ? self.exe : NULL);
  rsml_push_process(L, &self.parent);
  lua_setfield(L, -2, "parent");
  return 1;
}

static int m_scanner(lua_State *L) {
  rsm_scanner_info scanner;
  rsm_scanner(&scanner);
  if (!scanner.name[0]) {
    lua_pushnil(L);
    return 1;
  }
  lua_pushstring(L, scanner.name);
  if (!scanner.reason[0]) {
    return 1;
  }
  lua_pushstring(L, scanner.reason);
  return 2;
}

static const luaL_Reg functions[] = {{"self", m_self}, {"scanner", m_scanner}, {NULL, NULL}};

/* Metatables of plain tables, for the Lua layer to fill. */
static void push_metatables(lua_State *L) {
  static const char *const names[][2] = {
      {"list", RSML_LIST}, {"entry", RSML_ENTRY}, {"report", RSML_REPORT}, {"reasons", RSML_REASONS}};
  lua_createtable(L, 0, 4);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    luaL_newmetatable(L, names[i][1]);
    lua_setfield(L, -2, names[i][0]);
  }
}

RSM_API LUAMOD_API int luaopen_restartmanager_core(lua_State *L);

int luaopen_restartmanager_core(lua_State *L) {
  static const luaL_Reg *const nouns[] = {functions, rsml_session_functions, rsml_resource_functions, rsml_op_functions,
                                          rsml_registration_functions};
  luaL_checkversion(L);
  lua_settop(L, 0);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, "restartmanager.layer"); /* one a state, however often it is loaded */
  int layer = lua_gettop(L);
  rsml_box_setup(L);
  rsml_session_setup(L, layer);
  rsml_op_setup(L, layer);
  lua_newtable(L);
  for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++) {
    lua_pushvalue(L, layer);
    luaL_setfuncs(L, nouns[i], 1);
  }
  lua_pushvalue(L, layer);
  lua_setfield(L, -2, "layer");
  push_metatables(L);
  lua_setfield(L, -2, "metatables");
  rsml_set_text(L, "version", rsm_version());
  return 1;
}
