/* convert.h: from the library's structs to Lua tables. Everything here may raise (out of memory): what is converted
 * must belong to a userdata on the stack meanwhile. SPDX-License-Identifier: MIT */
#ifndef RSM_LUA_CONVERT_H
#define RSM_LUA_CONVERT_H

#include <lua.h>

#include "rsm.h"

/* Metatables in the registry; the Lua layer adds __tostring. */
#define RSML_LIST "restartmanager.list"
#define RSML_ENTRY "restartmanager.entry"
#define RSML_REPORT "restartmanager.report"
#define RSML_REASONS "restartmanager.reasons"
#define RSML_BOX "restartmanager.box"

/* Owns one native object while it is converted: whatever raises, __gc releases it. */
typedef struct rsml_box {
  void *object;
  void (*release)(void *object);
} rsml_box;

void rsml_box_setup(lua_State *L);                                   /* creates the metatable */
rsml_box *rsml_box_new(lua_State *L, void (*release)(void *object)); /* empty, on top of the stack */
void rsml_box_empty(rsml_box *box);

/* nil, "function: text", code, number. Returns 4. */
int rsml_push_failure(lua_State *L, const char *function, const rsm_error *error);
int rsml_raise_failure(lua_State *L); /* raises the message of the failure on top of the stack; never returns */
void rsml_push_error(lua_State *L, const rsm_error *error);       /* { message=, code=, number= } */
void rsml_push_process(lua_State *L, const rsm_process *process); /* { pid=, start_time= }, nil for pid 0 */
void rsml_push_app(lua_State *L, const rsm_app *app);
void rsml_push_apps(lua_State *L, const rsm_list *list); /* the entries alone */
void rsml_push_list(lua_State *L, const rsm_list *list);
/* restart: with a restart's keys, else with a shutdown's. report NULL: empty. */
void rsml_push_report(lua_State *L, const rsm_report *report, bool restart);
void rsml_push_texts(lua_State *L, const char *const *texts, size_t count);
const char *rsml_action_name(rsm_action action);

/* Sets a field of the table on top; NULL sets nothing. */
void rsml_set_text(lua_State *L, const char *key, const char *text);
void rsml_set_boolean(lua_State *L, const char *key, bool value);
void rsml_set_integer(lua_State *L, const char *key, lua_Integer value);

#endif
