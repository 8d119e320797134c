/* convert.c: processes, applications, lists and reports as plain Lua tables.
 * SPDX-License-Identifier: MIT */
#include "lua/convert.h"

#include <lauxlib.h>

typedef struct word {
  uint32_t value;
  const char *text;
} word;

static const word app_types[] = {{RSM_APP_UNKNOWN, "unknown"},           {RSM_APP_MAIN_WINDOW, "main_window"},
                                 {RSM_APP_OTHER_WINDOW, "other_window"}, {RSM_APP_SERVICE, "service"},
                                 {RSM_APP_EXPLORER, "explorer"},         {RSM_APP_CONSOLE, "console"},
                                 {RSM_APP_CRITICAL, "critical"}};
static const word app_status[] = {{RSM_APP_RUNNING, "running"},
                                  {RSM_APP_STOPPED, "stopped"},
                                  {RSM_APP_STOPPED_OTHER, "stopped_other"},
                                  {RSM_APP_RESTARTED, "restarted"},
                                  {RSM_APP_ERROR_ON_STOP, "error_on_stop"},
                                  {RSM_APP_ERROR_ON_RESTART, "error_on_restart"},
                                  {RSM_APP_SHUTDOWN_MASKED, "shutdown_masked"},
                                  {RSM_APP_RESTART_MASKED, "restart_masked"}};
static const word reboot_reasons[] = {{RSM_REBOOT_PERMISSION_DENIED, "permission_denied"},
                                      {RSM_REBOOT_SESSION_MISMATCH, "session_mismatch"},
                                      {RSM_REBOOT_CRITICAL_PROCESS, "critical_process"},
                                      {RSM_REBOOT_CRITICAL_SERVICE, "critical_service"},
                                      {RSM_REBOOT_DETECTED_SELF, "detected_self"}};
static const word use_hows[] = {{RSM_USE_OPEN, "open"}, {RSM_USE_MAP, "map"},    {RSM_USE_EXEC, "exec"},
                                {RSM_USE_CWD, "cwd"},   {RSM_USE_ROOT, "root"},  {RSM_USE_LOOP, "loop"},
                                {RSM_USE_SWAP, "swap"}, {RSM_USE_MOUNT, "mount"}};
static const word accesses[] = {
    {RSM_ACCESS_READ, "r"}, {RSM_ACCESS_WRITE, "w"}, {RSM_ACCESS_READ | RSM_ACCESS_WRITE, "rw"}};
static const word restart_bys[] = {{RSM_RESTART_BY_REGISTRATION, "registration"},
                                   {RSM_RESTART_BY_SERVICE, "service"},
                                   {RSM_RESTART_BY_COMMAND, "command"}};
static const word left_whys[] = {{RSM_LEFT_NOT_REGISTERED, "not_registered"},
                                 {RSM_LEFT_RESTART_MASKED, "restart_masked"},
                                 {RSM_LEFT_NO_PATCH, "no_patch"},
                                 {RSM_LEFT_OTHER_USER, "other_user"},
                                 {RSM_LEFT_BY_PARENT, "by_parent"},
                                 {RSM_LEFT_NOT_RESTORABLE, "not_restorable"}};
static const word outcomes[] = {{RSM_OUTCOME_STOPPED, "stopped"}, {RSM_OUTCOME_GONE, "gone"},
                                {RSM_OUTCOME_ALIVE, "alive"},     {RSM_OUTCOME_KEPT, "kept"},
                                {RSM_OUTCOME_NEW, "new"},         {RSM_OUTCOME_RESTARTED, "restarted"},
                                {RSM_OUTCOME_FAILED, "failed"},   {RSM_OUTCOME_LEFT_STOPPED, "left_stopped"}};

#define COUNT(words) (sizeof(words) / sizeof *(words))

static void push_word(lua_State *L, const word *words, size_t count, uint32_t value) {
  for (size_t i = 0; i < count; i++) {
    if (words[i].value == value) {
      lua_pushstring(L, words[i].text);
      return;
    }
  }
  lua_pushfstring(L, "unrecognized:%I", (LUAI_UACINT)value);
}

void rsml_set_text(lua_State *L, const char *key, const char *text) {
  if (text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, key);
  }
}

void rsml_set_boolean(lua_State *L, const char *key, bool value) {
  lua_pushboolean(L, value);
  lua_setfield(L, -2, key);
}

void rsml_set_integer(lua_State *L, const char *key, lua_Integer value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, key);
}

static void set_process(lua_State *L, const rsm_process *process) {
  if (process->pid) {
    rsml_set_integer(L, "pid", process->pid);
    rsml_set_integer(L, "start_time", (lua_Integer)process->start_time);
    if (process->instance) {
      rsml_set_integer(L, "instance", (lua_Integer)process->instance);
    }
  }
}

void rsml_push_process(lua_State *L, const rsm_process *process) {
  if (!process->pid) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 0, 3);
  set_process(L, process);
}

void rsml_push_texts(lua_State *L, const char *const *texts, size_t count) {
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, texts[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

void rsml_push_error(lua_State *L, const rsm_error *error) {
  char text[1024];
  lua_createtable(L, 0, 3);
  rsml_set_text(L, "message", rsm_error_format(error, text, sizeof text));
  rsml_set_text(L, "code", rsm_status_code(error->status));
  rsml_set_integer(L, "number", rsm_status_number(error->status));
}

int rsml_push_failure(lua_State *L, const char *function, const rsm_error *error) {
  char text[1024];
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: %s", function, rsm_error_format(error, text, sizeof text));
  lua_pushstring(L, rsm_status_code(error->status));
  lua_pushinteger(L, rsm_status_number(error->status));
  return 4;
}

int rsml_raise_failure(lua_State *L) {
  lua_pop(L, 2);
  return lua_error(L);
}

/* An array of the reasons, in the order of their bits; the metatable answers reasons.NAME. */
static void set_reasons(lua_State *L, uint32_t bits) {
  lua_Integer count = 0;
  lua_newtable(L);
  for (uint32_t bit = 1; bit; bit <<= 1) {
    if (bits & bit) {
      push_word(L, reboot_reasons, COUNT(reboot_reasons), bit);
      lua_rawseti(L, -2, ++count);
    }
  }
  luaL_setmetatable(L, RSML_REASONS);
  lua_setfield(L, -2, "reboot_reasons");
}

static void set_status(lua_State *L, uint32_t bits) {
  lua_newtable(L);
  for (uint32_t bit = 1; bit; bit <<= 1) {
    if (bits & bit) {
      push_word(L, app_status, COUNT(app_status), bit);
      lua_pushboolean(L, true);
      lua_rawset(L, -3);
    }
  }
  lua_setfield(L, -2, "app_status");
}

static void push_use(lua_State *L, const rsm_use *use) {
  lua_createtable(L, 0, 6);
  rsml_set_text(L, "path", use->path);
  rsml_set_text(L, "resource", use->resource);
  push_word(L, use_hows, COUNT(use_hows), use->how);
  lua_setfield(L, -2, "how");
  if (use->access) {
    push_word(L, accesses, COUNT(accesses), use->access);
    lua_setfield(L, -2, "access");
  }
  if (use->fd >= 0) {
    rsml_set_integer(L, "fd", use->fd);
  }
  rsml_set_boolean(L, "deleted", use->deleted);
}

static void set_uses(lua_State *L, const rsm_app *app) {
  lua_createtable(L, (int)app->use_count, 0);
  for (size_t i = 0; i < app->use_count; i++) {
    push_use(L, &app->uses[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "uses");
}

static void set_processes(lua_State *L, const rsm_app *app) {
  if (app->processes || app->service) {
    size_t count = app->processes ? app->process_count : 0;
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
      rsml_push_process(L, &app->processes[i]);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "processes");
  }
}

/* What only reports know. */
static void set_outcome(lua_State *L, const rsm_app *app) {
  if (app->left_why != RSM_LEFT_NONE) {
    push_word(L, left_whys, COUNT(left_whys), app->left_why);
    lua_setfield(L, -2, "why");
  }
  if (app->error.status != RSM_OK) {
    rsml_push_error(L, &app->error);
    lua_setfield(L, -2, "error");
  }
  if (app->restarted_as.pid) {
    rsml_push_process(L, &app->restarted_as);
    lua_setfield(L, -2, "restarted_as");
  }
}

void rsml_push_app(lua_State *L, const rsm_app *app) {
  luaL_checkstack(L, 8, NULL);
  lua_createtable(L, 0, 20);
  set_process(L, &app->process);
  if (app->started_at) {
    rsml_set_integer(L, "started_at", app->started_at);
  }
  rsml_set_text(L, "app_name", app->name);
  rsml_set_text(L, "service_name", app->service);
  push_word(L, app_types, COUNT(app_types), app->type);
  lua_setfield(L, -2, "app_type");
  set_status(L, app->status);
  rsml_set_text(L, "logon_session", app->logon_session);
  rsml_set_boolean(L, "restartable", app->restartable);
  if (app->restart_by != RSM_RESTART_BY_NONE) {
    push_word(L, restart_bys, COUNT(restart_bys), app->restart_by);
    lua_setfield(L, -2, "restart_by");
  }
  set_reasons(L, app->reboot_reasons);
  set_uses(L, app);
  rsml_set_text(L, "user", app->user);
  rsml_set_text(L, "exe", app->exe);
  rsml_push_texts(L, app->command, app->command_count);
  lua_setfield(L, -2, "command");
  set_processes(L, app);
  if (app->service) {
    rsml_push_texts(L, app->dependents, app->dependent_count);
    lua_setfield(L, -2, "dependents");
  }
  rsml_set_text(L, "note", app->note);
  set_outcome(L, app);
  luaL_setmetatable(L, RSML_ENTRY);
}

void rsml_push_apps(lua_State *L, const rsm_list *list) {
  size_t count = list ? rsm_list_count(list) : 0;
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, (int)count, 3);
  for (size_t i = 0; i < count; i++) {
    rsml_push_app(L, rsm_list_at(list, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void set_unreadable(lua_State *L, const rsm_list *list) {
  size_t count = rsm_list_unreadable_count(list);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    const rsm_unreadable *item = rsm_list_unreadable_at(list, i);
    lua_createtable(L, 0, 6);
    set_process(L, &item->process);
    rsml_set_text(L, "app_name", item->name);
    rsml_set_text(L, "user", item->user);
    rsml_set_text(L, "path", item->path);
    rsml_set_text(L, "reason", item->reason);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, -2, "unreadable");
}

void rsml_push_list(lua_State *L, const rsm_list *list) {
  rsml_push_apps(L, list);
  set_reasons(L, rsm_list_reboot_reasons(list));
  rsml_set_boolean(L, "complete", rsm_list_complete(list));
  set_unreadable(L, list);
  luaL_setmetatable(L, RSML_LIST);
}

void rsml_push_report(lua_State *L, const rsm_report *report, bool restart) {
  luaL_checkstack(L, 4, NULL);
  lua_createtable(L, 0, 5);
  for (size_t i = 0; i < COUNT(outcomes); i++) {
    rsm_outcome outcome = (rsm_outcome)outcomes[i].value;
    if ((outcome >= RSM_OUTCOME_RESTARTED) != restart) {
      continue;
    }
    size_t count = report ? rsm_report_count(report, outcome) : 0;
    lua_createtable(L, (int)count, 0);
    for (size_t j = 0; j < count; j++) {
      rsml_push_app(L, rsm_report_at(report, outcome, j));
      lua_rawseti(L, -2, (lua_Integer)j + 1);
    }
    lua_setfield(L, -2, outcomes[i].text);
  }
  luaL_setmetatable(L, RSML_REPORT);
}

const char *rsml_action_name(rsm_action action) {
  static const char *const names[] = {"none", "ask", "wait", "kill", "stopped", "kept", "failed", "start", "restarted"};
  return (size_t)action < COUNT(names) ? names[action] : "unrecognized";
}
