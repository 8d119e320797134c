-- A session, and the children that its process forks.
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

describe("a forked child", function()
  local stage

  before_each(function()
    stage = stop.stage()
    stop.hold(stage)
  end)

  after_each(function()
    stop.strike(stage)
    support.cleanup()
  end)

  -- Lua cannot fork; a small program that can, and runs Lua in both processes, does it.
  it("cannot use the session, and leaving does nothing", function()
    local folder = support.folder()
    local source = support.write(folder .. "/forks.c", [[
      #include <lauxlib.h>
      #include <sys/wait.h>
      #include <unistd.h>
      static int call(lua_State *L) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
          status = lua_pcall(L, 0, 0, 0);
          if (status) fprintf(stderr, "%s\n", lua_tostring(L, -1));
          _exit(status ? 1 : 0);
        }
        waitpid(pid, &status, 0);
        lua_pushboolean(L, WIFEXITED(status) && WEXITSTATUS(status) == 0);
        return 1;
      }
      int luaopen_forks(lua_State *L);
      int luaopen_forks(lua_State *L) { lua_pushcfunction(L, call); return 1; }
    ]])
    local message, ok = support.shell(("cc -shared -fPIC -I%s -o %s/forks.so %s 2>&1"):format(support.lua_headers(),
      folder, source))
    if not ok then
      pending("no compiler: " .. message)
      return
    end
    local fork = assert(package.loadlib(folder .. "/forks.so", "luaopen_forks"))()
    local session = assert(rm.start { name = "scope_spec", restart = { unregistered = true } })
    assert(session:register { files = stage.file })
    assert.equal(1, #assert(session:shutdown { timeout = 3 }).stopped)
    local op = assert(session:begin_list())
    assert.is_true(fork(function()
      for _, name in ipairs { "list", "shutdown", "restart", "cancel", "register" } do
        local worked, raised = pcall(session[name], session)
        assert(not worked and raised:find("closed session", 1, true), name)
      end
      for _, name in ipairs { "step", "cancel", "result" } do
        local worked, raised = pcall(op[name], op)
        assert(not worked and raised:find("closed session", 1, true), name)
      end
      assert(op:close())
      assert(session:close() == true)
      session, op = nil, nil
      collectgarbage()
    end))
    assert.equal(1, #stop.starts(stage))
    repeat until op:step(1)
    op:close()
    assert.equal(1, #assert(session:restart()).restarted)
    assert.is_true(session:close())
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 2
    end))
  end)
end)
