/* filter.c: whom a session must not stop, or not start again.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "lua/convert.h"
#include "lua/options.h"
#include "lua/session.h"

enum { EXE, PROCESS, SERVICE, ACTION };

static rsm_filter_action check_action(lua_State *L, const char *function, int index) {
  const rsml_place place = {function, 2, "action"};
  const char *action = rsml_check_text(L, &place, index);
  if (action && strcmp(action, "no_shutdown") == 0) {
    return RSM_NO_SHUTDOWN;
  }
  if (!action || strcmp(action, "no_restart") != 0) {
    rsml_bad(L, &place, "'no_shutdown' or 'no_restart' expected, got %s", action ? action : "nil");
  }
  return RSM_NO_RESTART;
}

/* The filter that argument 2 describes. need_action: an absent action is an error. */
static void check_filter(lua_State *L, const char *function, bool need_action, rsm_filter *ret_filter) {
  static const rsml_option known[] = {
      {"exe", RSML_TEXT}, {"process", RSML_ANY}, {"service", RSML_TEXT}, {"action", RSML_TEXT}, {NULL, RSML_ANY}};
  rsml_place place = {function, 2, NULL};
  lua_settop(L, 2);
  int base = rsml_options(L, &place, 2, known), targets = 0;
  for (int i = EXE; i <= SERVICE; i++) {
    targets += !lua_isnil(L, base + i);
  }
  if (targets != 1) {
    rsml_bad(L, &place, "exactly one of 'exe', 'process', 'service' expected");
  }
  memset(ret_filter, 0, sizeof *ret_filter);
  ret_filter->action = RSM_NO_SHUTDOWN;
  if (need_action || !lua_isnil(L, base + ACTION)) {
    ret_filter->action = check_action(L, function, base + ACTION);
  }
  ret_filter->exe = lua_tostring(L, base + EXE);
  ret_filter->service = lua_tostring(L, base + SERVICE);
  if (!lua_isnil(L, base + PROCESS)) {
    place.option = "process";
    rsml_check_process(L, &place, base + PROCESS, &ret_filter->process);
  }
}

static rsm_status bind(rsm_filter *filter, rsm_error *reterr) {
  rsml_processes one = {&filter->process, filter->process.pid ? 1 : 0};
  return rsml_bind_processes(&one, reterr);
}

static int session_add_filter(lua_State *L) {
  rsml_session *session = rsml_session_check(L);
  rsm_filter filter;
  rsm_error error;
  check_filter(L, "add_filter", true, &filter);
  rsm_status status = bind(&filter, &error);
  if (status == RSM_OK) {
    status = rsm_session_add_filter(session->native, &filter, &error);
  }
  if (status != RSM_OK) {
    return rsml_push_failure(L, "add_filter", &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

static int session_remove_filter(lua_State *L) {
  rsml_session *session = rsml_session_check(L);
  rsm_filter filter;
  rsm_error error;
  check_filter(L, "remove_filter", false, &filter);
  rsm_status status = bind(&filter, &error);
  if (status == RSM_OK || status == RSM_NOT_FOUND) { /* a filter may outlive its process */
    status = rsm_session_remove_filter(session->native, &filter, &error);
  }
  if (status != RSM_OK) {
    return rsml_push_failure(L, "remove_filter", &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

static void free_filters(void *object) {
  rsm_filter_list_free(object);
}

static void push_filter(lua_State *L, const rsm_filter *filter) {
  lua_createtable(L, 0, 2);
  rsml_set_text(L, "exe", filter->exe);
  rsml_set_text(L, "service", filter->service);
  rsml_push_process(L, &filter->process);
  lua_setfield(L, -2, "process");
  rsml_set_text(L, "action", filter->action == RSM_NO_RESTART ? "no_restart" : "no_shutdown");
}

/* An iterator has no way to return a failure: it raises. */
static int session_filters(lua_State *L) {
  rsml_session *session = rsml_session_check(L);
  rsm_filter_list *list = NULL;
  rsm_error error;
  rsml_box *box = rsml_box_new(L, free_filters);
  if (rsm_session_filters(session->native, &list, &error) != RSM_OK) {
    rsml_push_failure(L, "filters", &error);
    return rsml_raise_failure(L);
  }
  box->object = list;
  size_t count = rsm_filter_list_count(list);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_filter(L, rsm_filter_list_at(list, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  rsml_box_empty(box);
  return rsml_call_layer(L, "each", 1);
}

const luaL_Reg rsml_filter_methods[] = {{"add_filter", session_add_filter},
                                        {"remove_filter", session_remove_filter},
                                        {"filters", session_filters},
                                        {NULL, NULL}};
