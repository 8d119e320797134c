/* options.h: checking what Lua code passed, before anything is acquired. All of these raise and hold no C memory:
 * what they hand out lives in userdata that they leave on the stack.
 * SPDX-License-Identifier: MIT */
#ifndef RSM_LUA_OPTIONS_H
#define RSM_LUA_OPTIONS_H

#include <lua.h>

#include "rsm.h"

/* Where a value came from, for messages: argument `arg` of the public function `function`, in `option` (NULL: itself).
 */
typedef struct rsml_place {
  const char *function;
  int arg;
  const char *option;
} rsml_place;

/* "bad argument #1 to 'shutdown' (option 'force': ...)"; in a method call the object is not counted. Never returns. */
int rsml_bad(lua_State *L, const rsml_place *place, const char *format, ...);
int rsml_bad_type(lua_State *L, const rsml_place *place, const char *expected, int index);

typedef enum rsml_kind {
  RSML_ANY, /* checked by whoever reads it */
  RSML_BOOLEAN,
  RSML_TEXT, /* a string without NUL */
  RSML_FUNCTION
} rsml_kind;

typedef struct rsml_option {
  const char *name; /* NULL ends the array */
  rsml_kind kind;
} rsml_option;

/* Checks the table of options at place->arg, or at `index` for a table within it. Unknown names and wrong types raise.
 * Pushes the value of every known option in their order, nil where absent, and returns the index of the first. */
int rsml_options(lua_State *L, const rsml_place *place, int index, const rsml_option *known);

typedef struct rsml_texts {
  const char **items; /* NULL-terminated */
  size_t count;
} rsml_texts;

/* A string or an array of strings at index (nil: none), copied into a userdata that is left on the stack. */
void rsml_check_texts(lua_State *L, const rsml_place *place, int index, rsml_texts *ret_texts);
/* A string without NUL, borrowed from the stack; NULL for nil. */
const char *rsml_check_text(lua_State *L, const rsml_place *place, int index);

typedef struct rsml_processes {
  rsm_process *items;
  size_t count;
} rsml_processes;

/* A pid, { pid=, start_time= } or an entry at index. Without a start time, start_time is 0. */
void rsml_check_process(lua_State *L, const rsml_place *place, int index, rsm_process *ret_process);
/* One process or an array of them (nil: none), in a userdata that is left on the stack. skip_without_pid: entries
 * without a process, such as a service that does not run, do not count instead of being errors. */
void rsml_check_processes(lua_State *L, const rsml_place *place, int index, bool skip_without_pid,
                          rsml_processes *ret_processes);
/* The service names of an entry, or an array of entries and processes (nil: none), in a userdata that is left on the
 * stack; the text is borrowed from the entries. Does not raise for what it passes over: check the processes first. */
void rsml_entry_services(lua_State *L, int index, rsml_texts *ret_names);
/* Binds those without a start time to the process that runs now. */
rsm_status rsml_bind_processes(rsml_processes *processes, rsm_error *reterr);

/* Seconds as milliseconds, rounded up, at most UINT32_MAX. */
uint32_t rsml_check_seconds(lua_State *L, const rsml_place *place, int index);

#endif
