/* begin.c: the session's list, affected, shutdown, restart, and begin_...: checks the options, begins the operation,
 * and hands it to the Lua layer's loop or to the caller. SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "lua/convert.h"
#include "lua/op.h"
#include "lua/options.h"

/* Which public function: its name in messages, and what runs its loop in the Lua layer; NULL: the caller does. */
typedef struct rsml_form {
  const char *function;
  const char *runner;
  bool raises; /* it is called in the head of a loop, which cannot take a failure */
} rsml_form;

/* The operation is on top of the stack. */
static int hand_over(lua_State *L, const rsml_form *form, rsml_op *op, rsm_status status, const rsm_error *error) {
  if (status != RSM_OK) {
    rsml_push_failure(L, form->function, error);
    return form->raises ? rsml_raise_failure(L) : 4;
  }
  if (form->runner) {
    return rsml_call_layer(L, form->runner, 1);
  }
  op->function = form->function + strlen("begin_"); /* its result is the blocking form's, to the letter */
  return 1;
}

/* The last option, wait, has no meaning for who steps himself. */
static void refuse_wait(lua_State *L, const rsml_form *form, int index) {
  const rsml_place place = {form->function, 2, "wait"};
  if (!form->runner && !lua_isnil(L, index)) {
    rsml_bad(L, &place, "only the blocking form waits; step the operation yourself");
  }
}

static int begin_list(lua_State *L, const rsml_form *form) {
  static const rsml_option known[] = {{"uses", RSML_BOOLEAN}, {"wait", RSML_FUNCTION}, {NULL, RSML_ANY}};
  const rsml_place place = {form->function, 2, NULL};
  rsml_session *session = rsml_session_check(L);
  rsm_error error;
  lua_settop(L, 2);
  int base = rsml_options(L, &place, 2, known);
  refuse_wait(L, form, base + 1);
  const rsm_list_options options = {.uses = lua_toboolean(L, base)};
  const rsml_watch watch = {.wait = base + 1};
  rsml_op *op = rsml_op_new(L, 1, RSML_OP_LIST, form->function, &watch);
  rsm_status status = rsml_op_begun(op, rsm_session_begin_list(session->native, &options, &op->native, &error));
  return hand_over(L, form, op, status, &error);
}

/* nil: 0, the default. Otherwise at least 1. */
static uint32_t check_grace(lua_State *L, const char *function, const char *option, int index) {
  const rsml_place place = {function, 2, option};
  uint32_t milliseconds = lua_isnil(L, index) ? 0 : rsml_check_seconds(L, &place, index);
  return milliseconds == 0 && !lua_isnil(L, index) ? 1 : milliseconds;
}

static int begin_shutdown(lua_State *L, const rsml_form *form) {
  enum { FORCE, ONLY_RESTARTABLE, TIMEOUT, SERVICE_TIMEOUT, CONFIRMED, PROGRESS, ON_EVENT, WAIT };
  static const rsml_option known[] = {{"force", RSML_BOOLEAN},
                                      {"only_restartable", RSML_BOOLEAN},
                                      {"timeout", RSML_ANY},
                                      {"service_timeout", RSML_ANY},
                                      {"confirmed", RSML_ANY},
                                      {"progress", RSML_FUNCTION},
                                      {"on_event", RSML_FUNCTION},
                                      {"wait", RSML_FUNCTION},
                                      {NULL, RSML_ANY}};
  rsml_place place = {form->function, 2, NULL};
  rsml_session *session = rsml_session_check(L);
  rsml_processes confirmed;
  rsml_texts services;
  rsm_error error;
  lua_settop(L, 2);
  int base = rsml_options(L, &place, 2, known);
  refuse_wait(L, form, base + WAIT);
  rsm_shutdown_options options = {.force = lua_toboolean(L, base + FORCE),
                                  .only_restartable = lua_toboolean(L, base + ONLY_RESTARTABLE),
                                  .has_confirmed = !lua_isnil(L, base + CONFIRMED)};
  options.timeout_ms = check_grace(L, form->function, "timeout", base + TIMEOUT);
  options.service_timeout_ms = check_grace(L, form->function, "service_timeout", base + SERVICE_TIMEOUT);
  place.option = "confirmed";
  rsml_check_processes(L, &place, base + CONFIRMED, true, &confirmed);
  rsml_entry_services(L, base + CONFIRMED, &services);
  const rsml_watch watch = {base + PROGRESS, base + ON_EVENT, base + WAIT};
  rsml_op *op = rsml_op_new(L, 1, RSML_OP_SHUTDOWN, form->function, &watch);
  rsm_status status = rsml_bind_processes(&confirmed, &error);
  options.confirmed = confirmed.items;
  options.confirmed_count = confirmed.count;
  options.confirmed_services = services.items;
  options.confirmed_service_count = services.count;
  if (status == RSM_OK) {
    status = rsml_op_begun(op, rsm_session_begin_shutdown(session->native, &options, &op->native, &error));
  }
  return hand_over(L, form, op, status, &error);
}

static int begin_restart(lua_State *L, const rsml_form *form) {
  enum { UNREGISTERED, PROGRESS, ON_EVENT, WAIT };
  static const rsml_option known[] = {{"unregistered", RSML_BOOLEAN},
                                      {"progress", RSML_FUNCTION},
                                      {"on_event", RSML_FUNCTION},
                                      {"wait", RSML_FUNCTION},
                                      {NULL, RSML_ANY}};
  const rsml_place place = {form->function, 2, NULL};
  rsml_session *session = rsml_session_check(L);
  rsm_error error;
  lua_settop(L, 2);
  int base = rsml_options(L, &place, 2, known);
  refuse_wait(L, form, base + WAIT);
  const rsm_restart_options options = {.unregistered = lua_toboolean(L, base + UNREGISTERED),
                                       .has_unregistered = !lua_isnil(L, base + UNREGISTERED)};
  const rsml_watch watch = {base + PROGRESS, base + ON_EVENT, base + WAIT};
  rsml_op *op = rsml_op_new(L, 1, RSML_OP_RESTART, form->function, &watch);
  rsm_status status = rsml_op_begun(op, rsm_session_begin_restart(session->native, &options, &op->native, &error));
  return hand_over(L, form, op, status, &error);
}

static int session_list(lua_State *L) {
  return begin_list(L, &(rsml_form){"list", "run", false});
}

static int session_affected(lua_State *L) {
  return begin_list(L, &(rsml_form){"affected", "affected", true});
}

static int session_shutdown(lua_State *L) {
  return begin_shutdown(L, &(rsml_form){"shutdown", "run", false});
}

static int session_restart(lua_State *L) {
  return begin_restart(L, &(rsml_form){"restart", "run", false});
}

static int session_begin_list(lua_State *L) {
  return begin_list(L, &(rsml_form){"begin_list", NULL, false});
}

static int session_begin_shutdown(lua_State *L) {
  return begin_shutdown(L, &(rsml_form){"begin_shutdown", NULL, false});
}

static int session_begin_restart(lua_State *L) {
  return begin_restart(L, &(rsml_form){"begin_restart", NULL, false});
}

const luaL_Reg rsml_op_session_methods[] = {{"list", session_list},
                                            {"affected", session_affected},
                                            {"shutdown", session_shutdown},
                                            {"restart", session_restart},
                                            {"begin_list", session_begin_list},
                                            {"begin_shutdown", session_begin_shutdown},
                                            {"begin_restart", session_begin_restart},
                                            {NULL, NULL}};
