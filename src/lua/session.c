/* session.c: sessions: start, join, adopt, leave.
 * SPDX-License-Identifier: MIT */
#include "lua/session.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/convert.h"
#include "lua/op.h"
#include "lua/options.h"

static int layer_returned(lua_State *L, int status, lua_KContext base) {
  (void)status;
  return lua_gettop(L) - (int)base;
}

int rsml_call_layer(lua_State *L, const char *function, int arguments) {
  int base = lua_gettop(L) - arguments;
  luaL_checkstack(L, 4, NULL);
  lua_getfield(L, lua_upvalueindex(1), function);
  lua_insert(L, base + 1);
  lua_callk(L, arguments, LUA_MULTRET, base, layer_returned);
  return layer_returned(L, LUA_OK, base);
}

rsml_session *rsml_session_new(lua_State *L) {
  rsml_session *session = lua_newuserdatauv(L, sizeof *session, 0);
  memset(session, 0, sizeof *session);
  luaL_setmetatable(L, RSML_SESSION);
  return session;
}

rsml_session *rsml_session_check(lua_State *L) {
  rsml_session *session = luaL_checkudata(L, 1, RSML_SESSION);
  if (!session->native || session->collected || !rsm_session_is_open(session->native)) {
    luaL_error(L, "attempt to use a closed session");
  }
  return session;
}

/* ---- start, join, adopt, scope ---- */

/* restart = { unregistered = } at index. */
static bool restart_default(lua_State *L, const char *function, int arg, int index) {
  static const rsml_option known[] = {{"unregistered", RSML_BOOLEAN}, {NULL, RSML_ANY}};
  const rsml_place place = {function, arg, "restart"};
  return lua_toboolean(L, rsml_options(L, &place, index, known));
}

rsm_status rsml_session_start(lua_State *L, const char *function, int arg, rsml_session *session, rsm_error *reterr) {
  static const rsml_option known[] = {{"manager", RSML_TEXT},  {"name", RSML_TEXT},   {"restart", RSML_ANY},
                                      {"stoppable", RSML_ANY}, {"bpf", RSML_BOOLEAN}, {NULL, RSML_ANY}};
  rsml_place place = {function, arg, NULL};
  rsml_processes stoppable;
  int base = rsml_options(L, &place, arg, known);
  rsm_start_options options = {.manager = lua_tostring(L, base), .name = lua_tostring(L, base + 1)};
  place.option = "manager";
  if (options.manager && !rsm_manager_known(options.manager)) {
    rsml_bad(L, &place, "unknown manager '%s'", options.manager);
  }
  options.restart_unregistered = restart_default(L, function, arg, base + 2);
  options.no_bpf = lua_isboolean(L, base + 4) && !lua_toboolean(L, base + 4);
  place.option = "stoppable";
  rsml_check_processes(L, &place, base + 3, false, &stoppable);
  rsm_status status = rsml_bind_processes(&stoppable, reterr);
  if (status != RSM_OK) {
    return status;
  }
  options.stoppable = stoppable.items;
  options.stoppable_count = stoppable.count;
  return rsm_session_start(&options, &session->native, reterr);
}

static int m_start(lua_State *L) {
  rsm_error error;
  lua_settop(L, 1);
  rsml_session *session = rsml_session_new(L);
  if (rsml_session_start(L, "start", 1, session, &error) != RSM_OK) {
    return rsml_push_failure(L, "start", &error);
  }
  lua_settop(L, 2);
  return 1;
}

static int m_scope(lua_State *L) {
  const rsml_place place = {"scope", 2, NULL};
  rsm_error error;
  if (lua_isfunction(L, 1) && lua_gettop(L) == 1) { /* rm.scope(fn) */
    lua_pushnil(L);
    lua_insert(L, 1);
  }
  lua_settop(L, 2);
  if (!lua_isfunction(L, 2)) {
    rsml_bad_type(L, &place, "function", 2);
  }
  rsml_session *session = rsml_session_new(L);
  if (rsml_session_start(L, "scope", 1, session, &error) != RSM_OK) {
    return rsml_push_failure(L, "scope", &error);
  }
  lua_settop(L, 3);
  lua_insert(L, 2);
  return rsml_call_layer(L, "scope", 2);
}

static int m_join(lua_State *L) {
  const rsml_place place = {"join", 1, NULL};
  rsm_error error;
  lua_settop(L, 1);
  const char *key = rsml_check_text(L, &place, 1);
  rsml_session *session = rsml_session_new(L);
  if (rsm_session_join(key, &session->native, &error) != RSM_OK) {
    return rsml_push_failure(L, "join", &error);
  }
  return 1;
}

static int m_adopt(lua_State *L) {
  const rsml_place place = {"adopt", 1, NULL};
  rsm_error error;
  lua_settop(L, 1);
  const char *key = rsml_check_text(L, &place, 1);
  if (!key) {
    rsml_bad_type(L, &place, "string", 1);
  }
  rsml_session *session = rsml_session_new(L);
  if (rsm_session_adopt(key, &session->native, &error) != RSM_OK) {
    return rsml_push_failure(L, "adopt", &error);
  }
  return 1;
}

static int m_recover(lua_State *L) {
  static const rsml_option known[] = {{"name", RSML_TEXT}, {NULL, RSML_ANY}};
  rsml_place place = {"recover", 1, NULL};
  lua_settop(L, 1);
  int base = rsml_options(L, &place, 1, known);
  place.option = "name";
  if (lua_isnil(L, base)) {
    rsml_bad_type(L, &place, "string", base);
  }
  return rsml_call_layer(L, "recover", 1);
}

/* ---- sessions ---- */

static void free_sessions(void *object) {
  rsm_sessions_free(object);
}

static void push_info(lua_State *L, const rsm_session_info *info) {
  lua_createtable(L, 0, 6);
  rsml_set_text(L, "key", info->key);
  rsml_set_text(L, "name", info->name);
  rsml_set_boolean(L, "abandoned", info->abandoned);
  rsml_set_integer(L, "started_at", info->started_at);
  rsml_push_process(L, &info->primary);
  lua_setfield(L, -2, "primary");
  rsml_push_apps(L, info->stopped);
  lua_setfield(L, -2, "stopped");
}

static int m_sessions(lua_State *L) {
  rsm_error error;
  rsm_sessions *sessions = NULL;
  rsml_box *box = rsml_box_new(L, free_sessions);
  if (rsm_sessions_list(&sessions, &error) != RSM_OK) {
    return rsml_push_failure(L, "sessions", &error);
  }
  box->object = sessions;
  size_t count = rsm_sessions_count(sessions);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_info(L, rsm_sessions_at(sessions, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  rsml_box_empty(box);
  return 1;
}

/* ---- leaving ---- */

/* Ends the session; what it has stopped is brought back first, unless it is to stay stopped. Calls nothing of Lua's.
 * *ret_restarted: the status is the restart's, whose report is in session->report; else it is that of ending. */
static rsm_status leave(rsml_session *session, bool leave_stopped, bool *ret_restarted, rsm_error *reterr) {
  rsm_status restarted = RSM_OK;
  rsm_error end_error;
  *ret_restarted = false;
  if (session->current) {
    rsml_op_settle(session->current);
  }
  if (!leave_stopped && rsm_session_owes_restart(session->native)) {
    *ret_restarted = true;
    restarted = rsm_session_restart(session->native, NULL, &session->report, reterr);
  }
  rsm_status ended =
      rsm_session_end(session->native, leave_stopped ? RSM_END_LEAVE_STOPPED : RSM_END_LEAVE_ABANDONED, &end_error);
  session->left = true;
  if (restarted != RSM_OK || ended == RSM_OK) {
    return restarted;
  }
  *ret_restarted = false;
  *reterr = end_error;
  return ended;
}

static bool is_open(const rsml_session *session) {
  return session->native && !session->collected && rsm_session_is_open(session->native);
}

static int session_close(lua_State *L) {
  static const rsml_option known[] = {{"leave_stopped", RSML_BOOLEAN}, {NULL, RSML_ANY}};
  const rsml_place place = {"close", 2, NULL};
  rsml_session *session = luaL_checkudata(L, 1, RSML_SESSION);
  bool leave_stopped, restarted;
  rsm_error error;
  lua_settop(L, 2);
  leave_stopped = lua_toboolean(L, rsml_options(L, &place, 2, known));
  if (!is_open(session)) {
    lua_pushboolean(L, true);
    return 1;
  }
  rsm_status status = leave(session, leave_stopped, &restarted, &error);
  int results = status == RSM_OK ? 1 : rsml_push_failure(L, "close", &error) + restarted;
  if (restarted) {
    rsml_push_report(L, session->report, true);
    session->report = rsm_report_free(session->report);
  } else if (status == RSM_OK) {
    lua_pushboolean(L, true);
  }
  return results;
}

/* An error under way (argument 2) is kept: then nothing is raised here. */
static int session_leave_block(lua_State *L) {
  rsml_session *session = luaL_checkudata(L, 1, RSML_SESSION);
  bool restarted, quiet = !lua_isnoneornil(L, 2);
  char text[1024];
  rsm_error error;
  if (!is_open(session)) {
    return 0;
  }
  rsm_status status = leave(session, false, &restarted, &error);
  session->report = rsm_report_free(session->report);
  if (restarted && status != RSM_OK && !quiet) {
    return luaL_error(L, "close: %s", rsm_error_format(&error, text, sizeof text));
  }
  return 0;
}

static void free_native(rsml_session *session) {
  rsm_session *native = session->native;
  session->native = NULL;
  rsm_session_free(native);
}

void rsml_session_op_freed(rsml_session *session) {
  if (--session->op_count == 0 && session->collected) {
    free_native(session);
  }
}

/* Starts nothing: a session that owes a restart stays in the store as abandoned. */
static int session_gc(lua_State *L) {
  rsml_session *session = luaL_checkudata(L, 1, RSML_SESSION);
  session->collected = true;
  session->report = rsm_report_free(session->report);
  if (session->op_count == 0) {
    free_native(session);
  }
  return 0;
}

/* ---- fields ---- */

static int session_cancel(lua_State *L) {
  rsml_session *session = rsml_session_check(L);
  rsm_error error;
  if (rsm_session_cancel(session->native, &error) != RSM_OK) {
    return rsml_push_failure(L, "cancel", &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

/* key and role are readable after close, too. Upvalue 2: the methods. */
static int session_index(lua_State *L) {
  const rsml_session *session = luaL_checkudata(L, 1, RSML_SESSION);
  const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
  if (session->native && strcmp(name, "key") == 0) {
    lua_pushstring(L, rsm_session_key(session->native));
  } else if (session->native && strcmp(name, "role") == 0) {
    lua_pushstring(L, rsm_session_role(session->native) == RSM_PRIMARY ? "primary" : "secondary");
  } else {
    lua_settop(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
  }
  return 1;
}

/* Never the key: it is as good as the session. */
static int session_tostring(lua_State *L) {
  const rsml_session *session = luaL_checkudata(L, 1, RSML_SESSION);
  const char *state = "closed";
  if (is_open(session)) {
    state = rsm_session_role(session->native) == RSM_PRIMARY ? "primary" : "secondary";
  }
  lua_pushfstring(L, "%s (%s)", RSML_SESSION, state);
  return 1;
}

static const luaL_Reg methods[] = {{"close", session_close}, {"cancel", session_cancel}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
    {"__gc", session_gc}, {"__close", session_leave_block}, {"__tostring", session_tostring}, {NULL, NULL}};
const luaL_Reg rsml_session_functions[] = {{"start", m_start}, {"scope", m_scope},       {"join", m_join},
                                           {"adopt", m_adopt}, {"sessions", m_sessions}, {"recover", m_recover},
                                           {NULL, NULL}};

static void add_methods(lua_State *L, int layer, const luaL_Reg *functions) {
  lua_pushvalue(L, layer);
  luaL_setfuncs(L, functions, 1);
}

void rsml_session_setup(lua_State *L, int layer) {
  luaL_newmetatable(L, RSML_SESSION);
  add_methods(L, layer, metamethods);
  lua_pushliteral(L, RSML_SESSION);
  lua_setfield(L, -2, "__metatable");
  lua_pushvalue(L, layer);
  lua_newtable(L);
  add_methods(L, layer, methods);
  add_methods(L, layer, rsml_resource_methods);
  add_methods(L, layer, rsml_filter_methods);
  add_methods(L, layer, rsml_op_session_methods);
  lua_pushvalue(L, -1);
  lua_setfield(L, layer, "session_methods");
  lua_pushcclosure(L, session_index, 2);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
