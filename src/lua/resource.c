/* resource.c: what a session is about, and running its secondary installers.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>

#include "lua/convert.h"
#include "lua/op.h"
#include "lua/options.h"
#include "lua/session.h"

enum { FILES, PROCESSES, SERVICES, WORKING_DIRECTORIES, MANAGER, USES, WAIT };
#define RESOURCE_OPTIONS                                                                                               \
  {"files", RSML_ANY}, {"processes", RSML_ANY}, {"services", RSML_ANY}, {                                              \
    "working_directories", RSML_BOOLEAN                                                                                \
  }

/* From the option values that begin at base. */
static void check_resources(lua_State *L, const char *function, int arg, int base, rsm_resources *ret_resources) {
  rsml_texts files, services;
  rsml_processes processes;
  rsml_place place = {function, arg, "files"};
  luaL_checkstack(L, 8, NULL);
  rsml_check_texts(L, &place, base + FILES, &files);
  place.option = "processes";
  rsml_check_processes(L, &place, base + PROCESSES, false, &processes);
  place.option = "services";
  rsml_check_texts(L, &place, base + SERVICES, &services);
  *ret_resources = (rsm_resources){.files = files.items,
                                   .file_count = files.count,
                                   .processes = processes.items,
                                   .process_count = processes.count,
                                   .services = services.items,
                                   .service_count = services.count,
                                   .working_directories = lua_toboolean(L, base + WORKING_DIRECTORIES)};
}

static int session_register(lua_State *L) {
  static const rsml_option known[] = {RESOURCE_OPTIONS, {NULL, RSML_ANY}};
  const rsml_place place = {"register", 2, NULL};
  rsml_session *session = rsml_session_check(L);
  rsm_resources resources;
  rsm_error error;
  lua_settop(L, 2);
  check_resources(L, "register", 2, rsml_options(L, &place, 2, known), &resources);
  if (rsm_session_register(session->native, &resources, &error) != RSM_OK) {
    return rsml_push_failure(L, "register", &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

static void free_resources(void *object) {
  rsm_resource_list_free(object);
}

static void push_resource(lua_State *L, const rsm_resource *resource) {
  lua_createtable(L, 0, 2);
  switch (resource->kind) {
  case RSM_RESOURCE_FILE:
    rsml_set_text(L, "file", resource->name);
    break;
  case RSM_RESOURCE_SERVICE:
    rsml_set_text(L, "service", resource->name);
    break;
  case RSM_RESOURCE_PROCESS:
    rsml_push_process(L, &resource->process);
    lua_setfield(L, -2, "process");
    break;
  }
  rsml_push_process(L, &resource->by);
  lua_setfield(L, -2, "by");
}

/* An iterator has no way to return a failure: it raises. */
static int session_resources(lua_State *L) {
  rsml_session *session = rsml_session_check(L);
  rsm_resource_list *list = NULL;
  rsm_error error;
  rsml_box *box = rsml_box_new(L, free_resources);
  if (rsm_session_resources(session->native, &list, &error) != RSM_OK) {
    rsml_push_failure(L, "resources", &error);
    return rsml_raise_failure(L);
  }
  box->object = list;
  size_t count = rsm_resource_list_count(list);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    push_resource(L, rsm_resource_list_at(list, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  rsml_box_empty(box);
  return rsml_call_layer(L, "each", 1);
}

static int session_run(lua_State *L) {
  const rsml_place place = {"run", 2, NULL};
  rsml_session *session = rsml_session_check(L);
  rsm_exit how = {0};
  rsml_texts argv;
  rsm_error error;
  lua_settop(L, 2);
  if (!lua_istable(L, 2)) {
    rsml_bad_type(L, &place, "array of strings", 2);
  }
  rsml_check_texts(L, &place, 2, &argv);
  if (argv.count == 0) {
    rsml_bad(L, &place, "the program's name is missing");
  }
  rsm_status status = rsm_session_run(session->native, argv.items, argv.count, &how, &error);
  if (status == RSM_OK) {
    lua_pushboolean(L, true);
    return 1;
  }
  int results = rsml_push_failure(L, "run", &error);
  if (status == RSM_INSTALL_FAILURE) {
    lua_createtable(L, 0, 1);
    rsml_set_integer(L, how.signaled ? "signal" : "exit", how.code);
    results++;
  }
  return results;
}

const luaL_Reg rsml_resource_methods[] = {
    {"register", session_register}, {"resources", session_resources}, {"run", session_run}, {NULL, NULL}};

/* ---- rm.who ---- */

/* The paths that are arguments, as one table of options at index 1. */
static void paths_to_options(lua_State *L) {
  int count = lua_gettop(L);
  for (int i = 1; i <= count; i++) {
    const rsml_place place = {"who", i, NULL};
    if (lua_type(L, i) != LUA_TSTRING) {
      rsml_bad_type(L, &place, i == 1 ? "path or table" : "path", i);
    }
    rsml_check_text(L, &place, i);
  }
  lua_createtable(L, count, 0);
  for (int i = 1; i <= count; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, -2, i);
  }
  lua_createtable(L, 0, 1);
  lua_insert(L, 1);
  lua_setfield(L, 1, "files");
  lua_settop(L, 1);
}

static int m_who(lua_State *L) {
  static const rsml_option known[] = {
      RESOURCE_OPTIONS, {"manager", RSML_TEXT}, {"uses", RSML_BOOLEAN}, {"wait", RSML_FUNCTION}, {NULL, RSML_ANY}};
  rsml_place place = {"who", 1, NULL};
  rsm_resources resources;
  rsm_error error;
  if (lua_gettop(L) == 0) {
    lua_pushnil(L);
  }
  if (!lua_istable(L, 1)) {
    paths_to_options(L);
  }
  lua_settop(L, 1);
  rsml_session *session = rsml_session_new(L);
  int base = rsml_options(L, &place, 1, known);
  check_resources(L, "who", 1, base, &resources);
  rsm_start_options start = {.manager = lua_tostring(L, base + MANAGER)};
  place.option = "manager";
  if (start.manager && !rsm_manager_known(start.manager)) {
    rsml_bad(L, &place, "unknown manager '%s'", start.manager);
  }
  const rsm_list_options options = {.uses = lua_isnil(L, base + USES) || lua_toboolean(L, base + USES)};
  const rsml_watch watch = {.wait = base + WAIT};
  rsml_op *op = rsml_op_new(L, 2, RSML_OP_LIST, "who", &watch);
  if (rsm_session_start(&start, &session->native, &error) != RSM_OK ||
      rsm_session_register(session->native, &resources, &error) != RSM_OK ||
      rsml_op_begun(op, rsm_session_begin_list(session->native, &options, &op->native, &error)) != RSM_OK) {
    if (session->native) {
      rsm_session_end(session->native, RSM_END_LEAVE_ABANDONED, NULL);
    }
    return rsml_push_failure(L, "who", &error);
  }
  lua_pushvalue(L, 2);
  return rsml_call_layer(L, "who", 2);
}

const luaL_Reg rsml_resource_functions[] = {{"who", m_who}, {NULL, NULL}};
