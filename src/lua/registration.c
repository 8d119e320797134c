/* registration.c: register_restart, unregister_restart, restart_settings.
 * SPDX-License-Identifier: MIT */
#include "lua/registration.h"

#include <lauxlib.h>

#include "lua/convert.h"
#include "lua/options.h"

enum { OCCASIONS = 4 };
static const rsml_option occasions[OCCASIONS + 1] = {{"crash", RSML_BOOLEAN},
                                                     {"hang", RSML_BOOLEAN},
                                                     {"patch", RSML_BOOLEAN},
                                                     {"reboot", RSML_BOOLEAN},
                                                     {NULL, RSML_ANY}};
static const uint32_t occasion_flags[OCCASIONS] = {RSM_RESTART_NO_CRASH, RSM_RESTART_NO_HANG, RSM_RESTART_NO_PATCH,
                                                   RSM_RESTART_NO_REBOOT};

static int m_register_restart(lua_State *L) {
  static const rsml_option known[] = {{"args", RSML_ANY}, {"on", RSML_ANY}, {NULL, RSML_ANY}};
  rsml_place place = {"register_restart", 1, NULL};
  uint32_t flags = 0;
  rsml_texts args;
  rsm_error error;
  lua_settop(L, 1);
  int base = rsml_options(L, &place, 1, known);
  bool own = lua_isnil(L, base);
  place.option = "args";
  rsml_check_texts(L, &place, base, &args);
  place.option = "on";
  int on = rsml_options(L, &place, base + 1, occasions);
  for (int i = 0; i < OCCASIONS; i++) {
    if (lua_isboolean(L, on + i) && !lua_toboolean(L, on + i)) {
      flags |= occasion_flags[i];
    }
  }
  if (rsm_register_restart(own ? NULL : args.items, own ? 0 : args.count, flags, &error) != RSM_OK) {
    return rsml_push_failure(L, "register_restart", &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

static int m_unregister_restart(lua_State *L) {
  rsm_error error;
  if (rsm_unregister_restart(&error) != RSM_OK) {
    return rsml_push_failure(L, "unregister_restart", &error);
  }
  lua_pushboolean(L, true);
  return 1;
}

static void free_settings(void *object) {
  rsm_restart_settings_free(object);
}

static int m_restart_settings(lua_State *L) {
  const rsml_place place = {"restart_settings", 1, NULL};
  rsm_process process;
  rsm_restart_settings *settings = NULL;
  rsm_error error;
  lua_settop(L, 1);
  rsml_check_process(L, &place, 1, &process);
  rsml_box *box = rsml_box_new(L, free_settings);
  if (rsm_restart_settings_get(&process, &settings, &error) != RSM_OK) {
    return rsml_push_failure(L, "restart_settings", &error);
  }
  box->object = settings;
  lua_createtable(L, 0, 2);
  rsml_push_texts(L, settings->args, settings->arg_count);
  lua_setfield(L, -2, "args");
  lua_createtable(L, 0, OCCASIONS);
  for (int i = 0; i < OCCASIONS; i++) {
    rsml_set_boolean(L, occasions[i].name, !(settings->flags & occasion_flags[i]));
  }
  lua_setfield(L, -2, "on");
  rsml_box_empty(box);
  return 1;
}

const luaL_Reg rsml_registration_functions[] = {{"register_restart", m_register_restart},
                                                {"unregister_restart", m_unregister_restart},
                                                {"restart_settings", m_restart_settings},
                                                {NULL, NULL}};
