-- Asking Windows' programs to end: whoever has a window may refuse, and one that refuses spares all.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

describe("shutdown() of programs with windows", function()
  local stage, session

  before_each(function()
    stage = stop.stage()
    session = assert(rm.start { name = "asking_spec", manager = "builtin" })
    assert(session:register { files = stage.file })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    stop.strike(stage)
    support.cleanup()
  end)

  it("asks whether they will, then tells them", function()
    local holder = stop.hold(stage, "window", "agree")
    assert.equal("main_window", support.find(assert(session:list()), holder.pid).app_type)
    assert.same({ holder.pid }, stop.pids(assert(session:shutdown()).stopped))
    assert.matches("query 1\nend 1 1\n", support.read(stage.note))
  end)

  it("lets all go on if one refuses", function()
    local willing, refusing = stop.hold(stage, "window", "agree"), stop.hold(stage, "window", "veto")
    local report, _, code = session:shutdown()
    assert.is_nil(report)
    assert.equal("fail_shutdown", code)
    assert.is_true(willing:alive())
    assert.is_true(refusing:alive())
    assert(support.eventually(function()
      return select(2, support.read(stage.note):gsub("end 0 1", "")) == 2
    end), "they were not told that it is off")
  end)

  it("with force ends whoever refuses when the time is up", function()
    local willing, refusing = stop.hold(stage, "window", "agree"), stop.hold(stage, "window", "veto")
    local report = assert(session:shutdown { force = true, timeout = 1 })
    assert.same({ #report.stopped, #report.alive }, { 2, 0 })
    assert.is_false(willing:alive())
    assert.is_false(refusing:alive())
  end)
end)
