-- Shutdown where signals and descriptors matter.
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

describe("shutdown()", function()
  local stage, session

  before_each(function()
    stage = stop.stage()
    session = assert(rm.start { name = "shutdown_spec" })
    assert(session:register { files = stage.file })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    stop.strike(stage)
    support.cleanup()
  end)

  it("wakes a stopped job so that it can obey", function()
    local holder = stop.hold(stage, "stop")
    assert.is_truthy(support.eventually(function()
      return support.read("/proc/" .. holder.pid .. "/stat"):match("%) T ")
    end))
    assert.same({ holder.pid }, stop.pids(assert(session:shutdown { timeout = 5 }).stopped))
  end)

  it("stops more holders than there are descriptors to hold them by", function()
    local parent = stop.hold(stage, "fork", "59")
    local script = [[
      local rm = require "restartmanager"
      local session = assert(rm.start { name = "few" })
      session:register { files = arg[1] }
      print(#assert(session:list()))
      local report = assert(session:shutdown { force = true, timeout = 5 })
      print(#report.stopped)
      session:close { leave_stopped = true }
    ]]
    local path = support.write(stage.folder .. "/few.lua", script)
    local command = ("ulimit -n 40; lua5.4 %s %s 2>&1"):format(path, support.quote(stage.file))
    assert.equal("60\n60\n", (support.shell(command)))
    assert.is_false(parent:alive())
  end)
end)

