/* op.c: operations: the userdata and its methods. The Lua layer's loop moves them and calls who watches.
 * SPDX-License-Identifier: MIT */
#include "lua/op.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/convert.h"
#include "lua/options.h"

enum { UV_SESSION = 1, UV_WATCH, UV_RESULTS, UV_COUNT = UV_RESULTS };
#define SETTLE_SLICE_MS 1000

static void set_function(lua_State *L, int index, const char *name) {
  if (index && !lua_isnil(L, index)) {
    lua_pushvalue(L, index);
    lua_setfield(L, -2, name);
  }
}

rsml_op *rsml_op_new(lua_State *L, int session, rsml_op_kind kind, const char *function, const rsml_watch *watch) {
  static const char *const phases[] = {"list", "shutdown", "restart"};
  luaL_checkstack(L, 8, NULL);
  rsml_op *op = lua_newuserdatauv(L, sizeof *op, UV_COUNT);
  memset(op, 0, sizeof *op);
  op->session = lua_touserdata(L, session);
  op->kind = kind;
  op->function = function;
  lua_pushvalue(L, session);
  lua_setiuservalue(L, -2, UV_SESSION);
  lua_createtable(L, 0, 5);
  set_function(L, watch->progress, "progress");
  set_function(L, watch->on_event, "on_event");
  set_function(L, watch->wait, "wait");
  rsml_set_text(L, "phase", phases[kind]);
  lua_setiuservalue(L, -2, UV_WATCH);
  luaL_setmetatable(L, RSML_OP);
  return op;
}

rsm_status rsml_op_begun(rsml_op *op, rsm_status status) {
  if (status == RSM_OK) {
    op->session->op_count++;
    op->session->current = op;
  }
  return status;
}

void rsml_op_settle(rsml_op *op) {
  rsm_event event;
  if (op->native && rsm_op_status(op->native, NULL) == RSM_PENDING) {
    rsm_op_cancel(op->native);
    while (rsm_op_step(op->native, SETTLE_SLICE_MS, &event) == RSM_PENDING) {
    }
  }
}

/* Idempotent; cancels and settles. */
static void drop(rsml_op *op) {
  rsm_op *native = op->native;
  op->native = NULL;
  op->list = rsm_list_free(op->list);
  op->report = rsm_report_free(op->report);
  if (native) {
    if (op->session->current == op) {
      op->session->current = NULL;
    }
    rsm_op_free(native);
    rsml_session_op_freed(op->session);
  }
}

/* The operation at argument 1; raises if it is closed, or if this is a forked child. */
static rsml_op *check_op(lua_State *L) {
  rsml_op *op = luaL_checkudata(L, 1, RSML_OP);
  const rsml_session *session = op->session;
  if (!op->native) {
    luaL_error(L, "attempt to use a closed operation");
  }
  if (!session->left && !session->collected && !rsm_session_is_open(session->native)) {
    luaL_error(L, "attempt to use a closed session");
  }
  return op;
}

/* ---- methods ---- */

static int op_step(lua_State *L) {
  const rsml_place place = {"step", 2, NULL};
  check_op(L);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_pushinteger(L, 0);
    lua_replace(L, 2);
  }
  rsml_check_seconds(L, &place, 2);
  return rsml_call_layer(L, "step", 2);
}

static int op_cancel(lua_State *L) {
  rsm_op_cancel(check_op(L)->native);
  lua_pushboolean(L, true);
  return 1;
}

static int op_fd(lua_State *L) {
  rsml_op *op = check_op(L);
  rsm_error error;
  int fd = -1;
  if (rsm_op_fd(op->native, &fd, &error) != RSM_OK) {
    return rsml_push_failure(L, "fd", &error);
  }
  lua_pushinteger(L, fd);
  return 1;
}

static int op_close(lua_State *L) {
  drop(luaL_checkudata(L, 1, RSML_OP));
  lua_pushboolean(L, true);
  return 1;
}

static int op_gc(lua_State *L) {
  drop(luaL_checkudata(L, 1, RSML_OP));
  return 0;
}

static int op_tostring(lua_State *L) {
  static const char *const names[] = {"list", "shutdown", "restart"};
  const rsml_op *op = luaL_checkudata(L, 1, RSML_OP);
  if (op->native) {
    lua_pushfstring(L, "%s (%s, %d %%)", RSML_OP, names[op->kind], (int)rsm_op_percent(op->native));
  } else {
    lua_pushfstring(L, "%s (%s, closed)", RSML_OP, names[op->kind]);
  }
  return 1;
}

/* Pushes what the blocking form returns; the native results stay in op until they are converted. */
static int push_results(lua_State *L, rsml_op *op, rsm_status status, const rsm_error *error) {
  int results = 1;
  bool reported = status == RSM_NOACTION_REBOOT || status == RSM_FAIL_SHUTDOWN || status == RSM_FAIL_RESTART ||
                  status == RSM_CANCELLED || status == RSM_MORE_DATA;
  if (status != RSM_OK) {
    results = rsml_push_failure(L, op->function, error);
  }
  if (op->kind == RSML_OP_LIST) {
    if (status == RSM_OK) {
      rsml_push_list(L, op->list);
    }
  } else if (status == RSM_OK || reported || op->report) {
    rsml_push_report(L, op->report, op->kind == RSML_OP_RESTART);
    results += status != RSM_OK;
  }
  return results;
}

static int op_result(lua_State *L) {
  rsml_op *op = check_op(L);
  rsm_error error;
  lua_settop(L, 1);
  rsm_status status = rsm_op_status(op->native, &error);
  if (status == RSM_PENDING) {
    return luaL_error(L, "attempt to take the result of an operation that is not done");
  }
  if (lua_getiuservalue(L, 1, UV_RESULTS) == LUA_TNIL) {
    if (op->kind == RSML_OP_LIST && !op->list) {
      op->list = rsm_op_take_list(op->native);
    } else if (op->kind != RSML_OP_LIST && !op->report) {
      op->report = rsm_op_take_report(op->native);
    }
    lua_createtable(L, 5, 0);
    int table = lua_gettop(L), results = push_results(L, op, status, &error);
    for (int i = results; i >= 1; i--) {
      lua_rawseti(L, table, i);
    }
    rsml_set_integer(L, "n", results);
    lua_pushvalue(L, table);
    lua_setiuservalue(L, 1, UV_RESULTS);
    op->list = rsm_list_free(op->list);
    op->report = rsm_report_free(op->report);
  }
  int table = lua_gettop(L);
  lua_getfield(L, table, "n");
  int results = (int)lua_tointeger(L, -1);
  for (int i = 1; i <= results; i++) {
    lua_rawgeti(L, table, i);
  }
  return results;
}

/* ---- for the Lua layer ---- */

static void push_event(lua_State *L, const rsm_event *event) {
  lua_createtable(L, 0, 3);
  rsml_set_text(L, "action", rsml_action_name(event->action));
  if (event->app) {
    rsml_push_app(L, event->app);
    lua_setfield(L, -2, "process");
  }
  if (event->error.status != RSM_OK) {
    rsml_push_error(L, &event->error);
    lua_setfield(L, -2, "error");
  }
}

/* advance(op, seconds, wanted) -> done, percent, event: a table if it is wanted, else whether there was one. */
static int m_advance(lua_State *L) {
  const rsml_place place = {"step", 2, NULL};
  rsml_op *op = check_op(L);
  rsm_event event;
  memset(&event, 0, sizeof event);
  uint32_t milliseconds = rsml_check_seconds(L, &place, 2);
  rsm_status status = rsm_op_step(op->native, milliseconds, &event);
  if (status != RSM_OK && status != RSM_PENDING) {
    return luaL_error(L, "attempt to use a closed session");
  }
  lua_pushboolean(L, status == RSM_OK);
  lua_pushinteger(L, (lua_Integer)rsm_op_percent(op->native));
  if (event.action == RSM_ACTION_NONE || !lua_toboolean(L, 3)) {
    lua_pushboolean(L, event.action != RSM_ACTION_NONE);
  } else {
    push_event(L, &event);
  }
  return 3;
}

static int m_settle(lua_State *L) {
  rsml_op_settle(check_op(L));
  return 0;
}

/* The table of who watches. */
static int m_watch(lua_State *L) {
  luaL_checkudata(L, 1, RSML_OP);
  lua_getiuservalue(L, 1, UV_WATCH);
  return 1;
}

const luaL_Reg rsml_op_functions[] = {{"advance", m_advance}, {"settle", m_settle}, {"watch", m_watch}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"step", op_step},   {"result", op_result}, {"cancel", op_cancel},
                                   {"close", op_close}, {"fd", op_fd},         {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", op_gc}, {"__close", op_gc}, {"__tostring", op_tostring}, {NULL, NULL}};

void rsml_op_setup(lua_State *L, int layer) {
  luaL_newmetatable(L, RSML_OP);
  lua_pushvalue(L, layer);
  luaL_setfuncs(L, metamethods, 1);
  lua_pushliteral(L, RSML_OP);
  lua_setfield(L, -2, "__metatable");
  lua_newtable(L);
  lua_pushvalue(L, layer);
  luaL_setfuncs(L, methods, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, layer, "operation_methods");
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
