/* lua_ladder.c: every allocation of Lua's fails once, and then it and all after it: no crash, nothing lost, and the
 * state is of use afterwards. Run under a leak checker, with the module found by RSM_BUILD and RSM_SOURCE.
 * SPDX-License-Identifier: MIT */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct memory {
  unsigned long requests; /* since arming */
  unsigned long fail_at;  /* 0: none */
  bool and_after;
  unsigned long failed;
} memory;

static void *allocate(void *user, void *block, size_t old_size, size_t size) {
  memory *state = user;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (!block || size > old_size) {
    unsigned long now = ++state->requests;
    if (state->fail_at && (now == state->fail_at || (state->and_after && now > state->fail_at))) {
      state->failed++;
      return NULL;
    }
  }
  return realloc(block, size);
}

/* Each is called with the module and a file that another process has open. */
static const struct task {
  const char *name, *text;
} tasks[] = {
    {"start", "local rm = ... local s <close> = assert(rm.start{name='ladder', restart={unregistered=true}})"},
    {"register", "local rm, file = ... local s <close> = assert(rm.start())"
                 "assert(s:register{files={file, file .. 'x'}, processes=rm.self()})"
                 "for r in s:resources() do r.by = nil end "
                 "assert(s:add_filter{exe='/none', action='no_restart'}) for f in s:filters() do f.exe = f end"},
    {"list", "local rm, file = ... local s <close> = assert(rm.start()) assert(s:register{files=file})"
             "assert(#assert(s:list()) > 0, 'no holder') assert(tostring(s:list()))"},
    {"report", "local rm, file = ... local s <close> = assert(rm.start()) assert(s:register{files=file})"
               "local seen = 0 "
               "local ok, message, code, number, report = s:shutdown{only_restartable=true, timeout=1,"
               "  on_event=function() seen = seen + 1 end, progress=function() seen = seen + 1 end}"
               "assert(type(report or ok) == 'table', message) assert(tostring(report or ok))"},
    {"operation", "local rm, file = ... local s <close> = assert(rm.start()) assert(s:register{files=file})"
                  "local op <close> = assert(s:begin_list()) repeat local done = op:step(1) until done "
                  "assert(op:result() == op:result())"},
    {"scope",
     "local rm, file = ... assert(rm.scope({}, function(s) assert(s:register{files=file}) return s:list() end))"},
    {"yield", "local rm, file = ... local s <close> = assert(rm.start()) assert(s:register{files=file})"
              "local co = coroutine.wrap(function() return s:list{wait=coroutine.yield} end)"
              "repeat local x = co() until type(x) ~= 'userdata'"},
    {"who", "local rm, file = ... assert(rm.who(file)) for _, x in ipairs(assert(rm.sessions())) do x.name = x end"},
    {"wrong", "local rm, file = ... local s <close> = assert(rm.start())"
              "assert(not pcall(s.shutdown, s, {forse=true})) assert(not s:register{processes=4194304})"},
};

static void prepare(lua_State *L) {
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua", getenv("RSM_SOURCE"), getenv("RSM_SOURCE"));
  lua_setfield(L, -2, "path");
  lua_pushfstring(L, "%s/lua/?.so", getenv("RSM_BUILD"));
  lua_setfield(L, -2, "cpath");
  lua_pop(L, 1);
}

/* One rung. 1: failed as ordered; 0: the task ran through without a failure; -1: wrong. */
static int climb(const struct task *task, const char *file, unsigned long fail_at, bool and_after) {
  memory state = {0};
  int result = -1;
  lua_State *L = lua_newstate(allocate, &state);
  prepare(L);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "restartmanager");
  if (lua_pcall(L, 1, 1, 0) != LUA_OK || luaL_loadstring(L, task->text) != LUA_OK) {
    fprintf(stderr, "%s: %s\n", task->name, lua_tostring(L, -1));
    lua_close(L);
    return -1;
  }
  lua_pushvalue(L, -2);
  lua_pushstring(L, file);
  state = (memory){.fail_at = fail_at, .and_after = and_after};
  int status = lua_pcall(L, 2, 0, 0);
  state.fail_at = 0;
  if (status == LUA_OK) {
    result = state.failed > 0;
  } else {
    const char *message = lua_tostring(L, -1);
    result = state.failed > 0 && message && strstr(message, "not enough memory") ? 1 : -1;
    if (result < 0) {
      fprintf(stderr, "%s, request %lu: %s\n", task->name, fail_at, message ? message : luaL_typename(L, -1));
    }
  }
  lua_gc(L, LUA_GCCOLLECT);
  lua_close(L);
  return result;
}

/* Another process that holds the file, until we end. */
static pid_t hold(const char *file, int *ret_end) {
  int ends[2], ready[2];
  char byte = 0;
  if (pipe(ends) || pipe(ready)) {
    return -1;
  }
  pid_t pid = fork();
  if (pid == 0) {
    FILE *held = fopen(file, "r");
    close(ends[1]);
    bool told = held && write(ready[1], "x", 1) == 1;
    while (told && read(ends[0], &byte, 1) > 0) {
    }
    _exit(0);
  }
  close(ends[0]);
  close(ready[1]);
  *ret_end = ends[1];
  bool heard = read(ready[0], &byte, 1) == 1;
  close(ready[0]);
  return heard ? pid : -1;
}

int main(void) {
  char file[] = "/tmp/lua_ladder.XXXXXX";
  int descriptor = mkstemp(file), end = -1, wrong = 0;
  pid_t holder = descriptor < 0 || close(descriptor) ? -1 : hold(file, &end);
  if (holder < 0 || !getenv("RSM_BUILD") || !getenv("RSM_SOURCE")) {
    fputs("lua_ladder: RSM_BUILD and RSM_SOURCE must be set, /tmp writable\n", stderr);
    return 2;
  }
  for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
    for (int and_after = 0; and_after <= 1; and_after++) {
      unsigned long rung = 0;
      int result;
      do {
        result = climb(&tasks[i], file, ++rung, and_after);
      } while (result == 1);
      printf("%-10s %s: %lu rungs%s\n", tasks[i].name, and_after ? "from the k-th on" : "the k-th alone  ", rung,
             result < 0 ? ", WRONG" : "");
      wrong += result < 0;
    }
  }
  close(end);
  waitpid(holder, NULL, 0);
  unlink(file);
  return wrong ? 1 : 0;
}
