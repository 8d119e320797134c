/* session.h: the session userdata. It is made closed, with its metatable, before the native session exists.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_LUA_SESSION_H
#define RSM_LUA_SESSION_H

#include <lauxlib.h>
#include <lua.h>

#include "rsm.h"

#define RSML_SESSION "restartmanager.session"

struct rsml_op;

typedef struct rsml_session {
  rsm_session *native;
  struct rsml_op *current; /* the latest operation, while it lives; it keeps this userdata alive, not the reverse */
  unsigned op_count;       /* native operations not yet freed: they must go before the session does */
  bool collected;          /* __gc has run: the last operation frees the session */
  bool left;               /* closed here; not open and not left: a forked child's copy */
  rsm_report *report;      /* of the restart in close, until it is converted */
} rsml_session;

void rsml_session_setup(lua_State *L, int layer); /* creates the metatable */
rsml_session *rsml_session_new(lua_State *L);     /* closed, on top of the stack */
/* The session at argument 1; raises if it is closed. */
rsml_session *rsml_session_check(lua_State *L);
/* After the last native operation has gone. */
void rsml_session_op_freed(rsml_session *session);

/* All functions of this layer have the Lua layer's table as their first upvalue. Functions of the module, by noun: */
extern const luaL_Reg rsml_session_functions[];  /* start, join, ... */
extern const luaL_Reg rsml_resource_functions[]; /* who */
/* Methods, by noun. */
extern const luaL_Reg rsml_resource_methods[];
extern const luaL_Reg rsml_filter_methods[];

/* Starts it by the options at argument arg; messages name `function`. */
rsm_status rsml_session_start(lua_State *L, const char *function, int arg, rsml_session *session, rsm_error *reterr);

/* Calls the Lua layer's function with the topmost `arguments` values and returns all that it returns; may yield. */
int rsml_call_layer(lua_State *L, const char *function, int arguments);

#endif
