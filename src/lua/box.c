/* box.c: the userdata that owns a native object while its conversion may raise.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "lua/convert.h"

void rsml_box_empty(rsml_box *box) {
  void *object = box->object;
  box->object = NULL;
  if (object) {
    box->release(object);
  }
}

static int box_gc(lua_State *L) {
  rsml_box_empty(luaL_checkudata(L, 1, RSML_BOX));
  return 0;
}

void rsml_box_setup(lua_State *L) {
  if (luaL_newmetatable(L, RSML_BOX)) {
    lua_pushcfunction(L, box_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_pop(L, 1);
}

rsml_box *rsml_box_new(lua_State *L, void (*release)(void *object)) {
  rsml_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (rsml_box){NULL, release};
  luaL_setmetatable(L, RSML_BOX);
  return box;
}
