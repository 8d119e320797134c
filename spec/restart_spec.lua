-- Restart: what comes back, how, and what does not.
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

describe("restart()", function()
  local stage, session

  before_each(function()
    stage = stop.stage()
    session = assert(rm.start { name = "restart_spec", restart = { unregistered = true } })
    assert(session:register { files = stage.file })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    stop.strike(stage)
    support.cleanup()
  end)

  it("is owed to whom was asked in vain, and obeyed later: closing brings it back", function()
    local grace = support.on_windows and 1.5 or 0.1 -- in which it is told surely
    local late = stop.hold(stage, "delay", tostring(grace + 1))
    assert.equal(351, (select(4, session:shutdown { timeout = grace })))
    assert.is_truthy(support.eventually(function()
      return not late:alive()
    end))
    local report = assert(session:close())
    assert.same({ late.pid }, stop.pids(report.restarted))
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 2
    end))
  end)

  it("before shutdown answers 776", function()
    local report, message, code, number = session:restart()
    assert.same({ nil, "request_out_of_sequence", 776 }, { report, code, number })
    assert.matches("^restart: ", message)
  end)

  it("after a shutdown that answered 350 succeeds with nothing", function()
    local file <close> = assert(io.open(stage.file))
    assert.is_nil(session:shutdown())
    assert.equal(0, #assert(session:restart()).restarted)
    assert(file)
  end)

  it("starts each one exactly once, with its arguments, and not again", function()
    local holder, seen = stop.hold(stage), stop.recorder()
    assert(session:shutdown())
    local report = assert(session:restart { on_event = seen.on_event, progress = seen.on_progress })
    local back = report.restarted[1].restarted_as
    assert.is_true(stop.alive(back.pid))
    assert.same({ "start " .. holder.pid, "restarted " .. holder.pid }, seen.events)
    assert.equal(100, seen.progress[#seen.progress])
    assert.equal(0, #assert(session:restart()).restarted)
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 2
    end))
    assert.same({ holder.pid, back.pid }, stop.starts(stage))
    local entry = support.find(assert(session:list()), back.pid)
    assert.is_true(entry.app_status.running and entry.app_status.stopped and entry.app_status.restarted)
  end)

  it("leaves stopped who did not register, says so, and may be asked again", function()
    local holder = stop.hold(stage)
    assert(session:shutdown())
    local report = assert(session:restart { unregistered = false })
    assert.same({ holder.pid }, stop.pids(report.left_stopped))
    assert.equal("not_registered", report.left_stopped[1].why)
    assert.same({ holder.pid }, stop.pids(assert(session:restart { unregistered = true }).restarted))
  end)

  it("starts a parent, not the children that it brings itself", function()
    local parent = stop.hold(stage, "fork", "2")
    assert.equal(3, #assert(session:shutdown()).stopped)
    local report = assert(session:restart())
    assert.same({ parent.pid }, stop.pids(report.restarted))
    assert.equal(2, #report.left_stopped)
    assert.equal("by_parent", report.left_stopped[1].why)
    assert.is_truthy(support.eventually(function()
      return #assert(rm.who(stage.file)) == 3
    end))
  end)

  it("answers 352 and names the step when a program is gone", function()
    local holder = support.program "holder"
    local program = support.copy(holder, support.join(stage.folder, support.program_name "program"))
    local pid = support.start_apart { program, "until", stage.flag, "note", stage.note, "open", stage.file, "nopdeath" }
    assert.is_truthy(support.eventually(function()
      return support.find(assert(session:list()), pid)
    end))
    assert(session:shutdown())
    assert(os.remove(program))
    local report, message, code, number, detail = session:restart()
    assert.same({ nil, "fail_restart", 352 }, { report, code, number })
    assert.matches("its program cannot be run", message)
    assert.equal("file_not_found", detail.failed[1].error.code)
    support.copy(holder, program)
    assert.equal(1, #assert(session:restart()).restarted) -- and can be asked again
  end)

  it("restarts what comes later after a cancelled one", function()
    stop.hold(stage)
    stop.hold(stage)
    assert(session:shutdown())
    local report, _, code, _, detail = session:restart {
      on_event = function(event)
        return event.action ~= "restarted"
      end,
    }
    assert.same({ nil, "cancelled" }, { report, code })
    assert.equal(1, #detail.restarted)
    assert.equal(1, #assert(session:restart()).restarted)
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 4
    end))
  end)
end)
