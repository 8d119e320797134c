/* op.h: the operation userdata: list, shutdown, restart under way. Uservalues: 1 its session, which it keeps alive;
 * 2 the Lua functions that watch it, a table or nil; 3 its results, once they were asked for.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_LUA_OP_H
#define RSM_LUA_OP_H

#include <lauxlib.h>
#include <lua.h>

#include "lua/session.h"
#include "rsm.h"

#define RSML_OP "restartmanager.operation"

typedef enum rsml_op_kind { RSML_OP_LIST, RSML_OP_SHUTDOWN, RSML_OP_RESTART } rsml_op_kind;

typedef struct rsml_op {
  rsm_op *native;        /* NULL: closed */
  rsml_session *session; /* uservalue 1 */
  rsml_op_kind kind;
  const char *function; /* what messages begin with */
  rsm_list *list;       /* results, from taking them until they are converted */
  rsm_report *report;
} rsml_op;

/* Stack indexes of functions or nil; 0: none. */
typedef struct rsml_watch {
  int progress, on_event, wait;
} rsml_watch;

void rsml_op_setup(lua_State *L, int layer); /* creates the metatable */
/* A closed operation of the session at index `session`, on top of the stack; begin it into ->native. */
rsml_op *rsml_op_new(lua_State *L, int session, rsml_op_kind kind, const char *function, const rsml_watch *watch);
/* Tells the session what beginning gave; returns status. */
rsm_status rsml_op_begun(rsml_op *op, rsm_status status);
/* Cancels it and steps it until it is done. */
void rsml_op_settle(rsml_op *op);

extern const luaL_Reg rsml_op_session_methods[]; /* list, affected, shutdown, restart, begin_... */
extern const luaL_Reg rsml_op_functions[];       /* for the Lua layer alone */

#endif
