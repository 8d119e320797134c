-- An abandoned session whose lock somebody holds.
local rm = require "restartmanager"
local programs = require "spec.support_session"
local stop = require "spec.support_stop"
local support = require "spec.support"

describe("an abandoned session", function()
  local stage

  before_each(function()
    stage = stop.stage()
    stop.hold(stage)
  end)

  after_each(function()
    programs.cleanup()
    stop.strike(stage)
    support.cleanup()
  end)

  it("is adopted only when a start that is still under way is over", function()
    local key = support.lua([[
      local rm = require "restartmanager"
      local session = assert(rm.start { name = "adopt_spec", restart = { unregistered = true } })
      assert(session:register { files = ... })
      assert(session:shutdown { timeout = 3 })
      io.write(session.key)
      io.stdout:flush()
      require("spec.support").kill_self()
    ]], stage.file)
    local lock = support.quote(assert(programs.stored(key), key) .. "/lock")
    local starter = assert(io.popen("exec flock " .. lock .. " sleep 1", "r")) -- holds the lock as a start does
    assert.is_truthy(support.eventually(function()
      return not os.execute("flock -n " .. lock .. " true")
    end))
    local before = programs.now()
    local adopted <close> = assert(rm.adopt(key))
    assert.is_true(programs.now() - before > 0.5, "adopt has not waited")
    assert.is_true(starter:close())
    assert.equal(1, #assert(adopted:restart()).restarted)
  end)
end)
