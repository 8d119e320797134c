-- Filters where names have no case. SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

describe("filters on Windows", function()
  local stage, session

  before_each(function()
    stage = stop.stage()
    session = assert(rm.start { name = "filter_spec", manager = "builtin" })
    assert(session:register { files = stage.file })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    stop.strike(stage)
    support.cleanup()
  end)

  it("keep a program however it is spelled, and are one filter in every spelling", function()
    local holder = stop.hold(stage)
    local exe = support.find(assert(session:list()), holder.pid).exe
    assert(session:add_filter { exe = exe:upper(), action = "no_restart" })
    assert(session:add_filter { exe = exe:lower():gsub("\\", "/"), action = "no_shutdown" })
    local count = 0
    for filter in session:filters() do
      assert.equal("no_shutdown", filter.action)
      count = count + 1
    end
    assert.equal(1, count)
    assert.same({ holder.pid }, stop.pids(assert(session:shutdown { force = true }).kept))
    assert.is_true(holder:alive())
    assert(session:remove_filter { exe = exe })
    assert(session:add_filter { service = "No Such Service", action = "no_restart" })
    assert(session:remove_filter { service = "no such SERVICE" })
    assert.is_nil(session:filters()())
  end)
end)
