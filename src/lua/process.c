/* process.c: a process as Lua code names it: a pid, { pid=, start_time= }, or anything else with these keys.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <string.h>

#include "lua/options.h"

/* Never runs a metamethod. */
static int raw_field(lua_State *L, int index, const char *name) {
  lua_pushstring(L, name);
  return lua_rawget(L, index);
}

static uint32_t check_pid(lua_State *L, const rsml_place *place, int index) {
  int whole = 0;
  lua_Integer pid = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &whole) : 0;
  if (!whole) {
    rsml_bad_type(L, place, "integer as pid", index);
  }
  if (pid < 1 || pid > (lua_Integer)UINT32_MAX) {
    rsml_bad(L, place, "%I is no pid", (LUAI_UACINT)pid);
  }
  return (uint32_t)pid;
}

static bool decimal(const char *text, uint64_t *ret_value) {
  uint64_t value = 0;
  if (!*text) {
    return false;
  }
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || value > UINT64_MAX / 10) {
      return false;
    }
    unsigned digit = (unsigned)(*text - '0');
    if (value * 10 > UINT64_MAX - digit) {
      return false;
    }
    value = value * 10 + digit;
  }
  *ret_value = value;
  return true;
}

/* The named number on top of the stack: an integer, or a decimal string. nil: not known. */
static uint64_t check_number(lua_State *L, const rsml_place *place, const char *name) {
  int whole = 0;
  uint64_t value = 0;
  switch (lua_type(L, -1)) {
  case LUA_TNIL:
    return 0;
  case LUA_TNUMBER:
    value = (uint64_t)lua_tointegerx(L, -1, &whole);
    break;
  case LUA_TSTRING:
    whole = strlen(lua_tostring(L, -1)) == lua_rawlen(L, -1) && decimal(lua_tostring(L, -1), &value);
    break;
  default:
    break;
  }
  if (!whole) {
    rsml_bad(L, place, "%s must be an integer or a decimal string", name);
  }
  return value;
}

/* True if the value at index is a process; false if it is a table without a pid. Other values raise. */
static bool read_process(lua_State *L, const rsml_place *place, int index, rsm_process *ret_process) {
  rsm_process process = {0};
  luaL_checkstack(L, 4, NULL);
  if (!lua_istable(L, index)) {
    if (lua_type(L, index) != LUA_TNUMBER) {
      rsml_bad_type(L, place, "pid or table with pid and start_time", index);
    }
    process.pid = check_pid(L, place, index);
  } else {
    if (raw_field(L, index, "pid") == LUA_TNIL) {
      lua_pop(L, 1);
      return false;
    }
    process.pid = check_pid(L, place, lua_gettop(L));
    raw_field(L, index, "start_time");
    process.start_time = check_number(L, place, "start_time");
    raw_field(L, index, "instance");
    process.instance = check_number(L, place, "instance");
    lua_pop(L, 3);
  }
  *ret_process = process;
  return true;
}

void rsml_check_process(lua_State *L, const rsml_place *place, int index, rsm_process *ret_process) {
  if (!read_process(L, place, index, ret_process)) {
    rsml_bad(L, place, "table without a pid");
  }
}

/* A table that is a single process, or an entry without one, and no array. */
static bool is_single(lua_State *L, int index) {
  static const char *const names[] = {"pid", "start_time", "app_name"};
  bool found = !lua_istable(L, index);
  for (size_t i = 0; !found && i < sizeof names / sizeof *names; i++) {
    found = raw_field(L, index, names[i]) != LUA_TNIL;
    lua_pop(L, 1);
  }
  return found;
}

void rsml_check_processes(lua_State *L, const rsml_place *place, int index, bool skip_without_pid,
                          rsml_processes *ret_processes) {
  bool none = lua_isnil(L, index);
  bool single = !none && is_single(L, index);
  size_t count = none ? 0 : single ? 1 : (size_t)lua_rawlen(L, index), used = 0;
  rsm_process *items = lua_newuserdatauv(L, (count + 1) * sizeof *items, 0);
  for (size_t i = 0; i < count; i++) {
    if (single) {
      lua_pushvalue(L, index);
    } else {
      lua_rawgeti(L, index, (lua_Integer)i + 1);
    }
    if (read_process(L, place, lua_gettop(L), &items[used])) {
      used++;
    } else if (!skip_without_pid) {
      rsml_bad(L, place, "table without a pid");
    }
    lua_pop(L, 1);
  }
  *ret_processes = (rsml_processes){items, used};
}

void rsml_entry_services(lua_State *L, int index, rsml_texts *ret_names) {
  bool none = lua_isnil(L, index);
  bool single = !none && is_single(L, index);
  size_t count = none ? 0 : single ? 1 : (size_t)lua_rawlen(L, index), used = 0;
  const char **items = lua_newuserdatauv(L, (count + 1) * sizeof *items, 0);
  for (size_t i = 0; i < count; i++) {
    if (single) {
      lua_pushvalue(L, index);
    } else {
      lua_rawgeti(L, index, (lua_Integer)i + 1);
    }
    int entry = lua_gettop(L);
    if (lua_istable(L, entry) && raw_field(L, entry, "service_name") == LUA_TSTRING) {
      items[used++] = lua_tostring(L, -1);
    }
    lua_settop(L, entry - 1);
  }
  items[used] = NULL;
  *ret_names = (rsml_texts){items, used};
}

rsm_status rsml_bind_processes(rsml_processes *processes, rsm_error *reterr) {
  for (size_t i = 0; i < processes->count; i++) {
    rsm_process *process = &processes->items[i];
    rsm_status status = process->start_time ? RSM_OK : rsm_process_find(process->pid, process, reterr);
    if (status != RSM_OK) {
      return status;
    }
  }
  return RSM_OK;
}
