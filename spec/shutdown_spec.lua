-- Shutdown: who is stopped, in which order, how, and what is left alone.
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

  it("stops a holder by asking, and leaves strangers alone", function()
    local holder, stranger = stop.hold(stage), support.hold("open", support.write(support.join(stage.folder, "other")))
    local report = assert(session:shutdown())
    assert.same({ holder.pid }, stop.pids(report.stopped))
    assert.same({ 0, 0, 0, 0 }, { #report.gone, #report.alive, #report.kept, #report.new })
    assert.is_false(holder:alive())
    assert.is_true(stranger:alive())
    assert.matches("term", support.read(stage.note))
  end)

  it("with nobody there succeeds with an empty report", function()
    local report = assert(session:shutdown())
    assert.equal(0, #report.stopped)
    assert.equal(0, #assert(session:restart()).restarted)
  end)

  it("remembers in the list whom it has stopped", function()
    local holder = stop.hold(stage)
    assert(session:shutdown())
    local entry = support.find(assert(session:list()), holder.pid)
    assert.is_true(entry.app_status.stopped)
    assert.is_nil(entry.app_status.running)
  end)

  it("answers 350 with detected_self and touches nothing while we hold the file ourselves", function()
    local holder = stop.hold(stage)
    local file <close> = assert(io.open(stage.file))
    local list = assert(session:list())
    assert.is_true(list.reboot_reasons.detected_self)
    assert.same({ "detected_self" }, { table.unpack(support.find(list, rm.self().pid).reboot_reasons) })
    local report, message, code, number = session:shutdown { force = true }
    assert.is_nil(report)
    assert.matches("^shutdown: nothing was shut down", message)
    assert.same({ "fail_noaction_reboot", 350 }, { code, number })
    assert.is_true(holder:alive())
    assert.not_matches("term", support.read(stage.note))
    assert(file)
  end)

  it("goes on when a no_shutdown filter takes away our own reboot reason", function()
    local holder = stop.hold(stage)
    local file <close> = assert(io.open(stage.file))
    assert(session:add_filter { process = rm.self().pid, action = "no_shutdown" })
    assert.equal(0, #assert(session:list()).reboot_reasons)
    local report = assert(session:shutdown())
    assert.same({ holder.pid }, stop.pids(report.stopped))
    assert.same({ rm.self().pid }, stop.pids(report.kept))
    assert(file)
  end)

  it("keeps what a no_shutdown filter names, by process and by program, the process first", function()
    local one, two = stop.hold(stage), stop.hold(stage)
    assert(session:add_filter { exe = support.program "holder", action = "no_shutdown" })
    assert(session:add_filter { process = two.pid, action = "no_restart" })
    local report = assert(session:shutdown())
    assert.same({ two.pid }, stop.pids(report.stopped))
    assert.same({ one.pid }, stop.pids(report.kept))
    assert.is_true(one:alive())
    local back = assert(session:restart { unregistered = true })
    assert.equal("restart_masked", back.left_stopped[1].why)
  end)

  it("knows a filter's program by a link to it, too", function()
    local reason = support.no_sym_links()
    if reason then
      return pending(reason)
    end
    local holder = stop.hold(stage)
    local link = support.join(stage.folder, "link")
    support.sym_link(support.program "holder", link)
    assert(session:add_filter { exe = link, action = "no_shutdown" })
    assert.same({ holder.pid }, stop.pids(assert(session:shutdown()).kept))
  end)

  it("answers 351 for a deaf one without force, after the grace, and tells who", function()
    local deaf, good = stop.hold(stage, "ignore", "TERM"), stop.hold(stage)
    local report, message, code, number, detail = session:shutdown { timeout = support.GRACE }
    assert.is_nil(report)
    assert.same({ "fail_shutdown", 351 }, { code, number })
    assert.matches("1 of 2 applications did not stop", message)
    assert.same({ deaf.pid }, stop.pids(detail.alive))
    assert.same({ good.pid }, stop.pids(detail.stopped))
    assert.equal("timeout", detail.alive[1].error.code)
    assert.is_true(support.find(assert(session:list()), deaf.pid).app_status.error_on_stop)
    local back = assert(session:restart { unregistered = true }) -- a partial stop is brought back
    assert.same({ good.pid }, stop.pids(back.restarted))
  end)

  it("with force asks first, then kills, and n deaf ones cost one grace period", function()
    local seen, deaf = stop.recorder(), {}
    for i = 1, 8 do
      deaf[i] = stop.hold(stage, "ignore", "TERM").pid
    end
    table.sort(deaf)
    local grace = support.on_windows and 3 or 1 -- in Wine a program is started that asks, for each of them
    local before = os.time()
    local report =
      assert(session:shutdown { force = true, timeout = grace, on_event = seen.on_event, progress = seen.on_progress })
    assert.is_true(os.time() - before <= 4 * grace, "took more than one grace period")
    assert.same(deaf, stop.pids(report.stopped))
    for _, pid in ipairs(deaf) do
      assert.is_true(stop.position(seen.events, "ask " .. pid) < stop.position(seen.events, "kill " .. pid))
    end
    assert.equal(100, seen.progress[#seen.progress])
    for i = 2, #seen.progress do
      assert.is_true(seen.progress[i] > seen.progress[i - 1])
    end
  end)

  it("asks parents before their children", function()
    local seen, parent = stop.recorder(), stop.hold(stage, "fork", "3")
    local children = {}
    for pid in parent:output():gmatch("child (%d+)") do
      children[#children + 1] = pid
    end
    assert.equal(3, #children)
    assert(session:shutdown { on_event = seen.on_event })
    local first = stop.position(seen.events, "ask " .. parent.pid)
    for _, pid in ipairs(children) do
      local asked = stop.position(seen.events, "ask " .. pid) or stop.position(seen.events, "stopped " .. pid)
      assert.is_true(first < asked)
    end
  end)

  it("waits for one that takes its time", function()
    local holder = stop.hold(stage, "delay", "0.5")
    assert.same({ holder.pid }, stop.pids(assert(session:shutdown { timeout = 5 }).stopped))
  end)

  it("with only_restartable answers 351 and touches nothing unless every one is", function()
    local holder = stop.hold(stage)
    local report, _, code, number = session:shutdown { only_restartable = true }
    assert.same({ nil, "fail_shutdown", 351 }, { report, code, number })
    assert.is_true(holder:alive())
  end)

  it("stops only whom the caller has confirmed", function()
    local one = stop.hold(stage)
    local list = assert(session:list())
    local two = stop.hold(stage)
    local report, message, code, number, detail = session:shutdown { confirmed = list }
    assert.is_nil(report)
    assert.same({ "more_data", 234 }, { code, number })
    assert.matches(tostring(two.pid), message)
    assert.same({ two.pid }, stop.pids(detail.new))
    assert.is_true(one:alive() and two:alive())
    assert.equal(2, #assert(session:shutdown { confirmed = session:list() }).stopped)
  end)

  it("cancels when the event function says so: nobody further is asked", function()
    local pids = { stop.hold(stage, "ignore", "TERM").pid, stop.hold(stage, "ignore", "TERM").pid }
    local asked = 0
    local report, _, code, number, detail = session:shutdown {
      on_event = function(event)
        asked = asked + (event.action == "ask" and 1 or 0)
        return false
      end,
    }
    assert.same({ nil, "cancelled", 1223, 1 }, { report, code, number, asked })
    table.sort(pids)
    assert.same(pids, stop.pids(detail.alive))
  end)

  it("raises again what an event function raised, and restart still brings back what is down", function()
    local holder, value = stop.hold(stage), {}
    local ok, raised = pcall(session.shutdown, session, {
      on_event = function(event)
        if event.action == "stopped" then
          error(value)
        end
      end,
    })
    assert.is_false(ok)
    assert.equal(value, raised)
    assert.is_false(holder:alive())
    assert.same({ holder.pid }, stop.pids(assert(session:restart { unregistered = true }).restarted))
  end)

  it("reports who began to use the files meanwhile as new", function()
    local first, second = stop.hold(stage), nil
    local report, _, code, _, detail = session:shutdown {
      on_event = function(event)
        if event.action == "stopped" then
          second = stop.hold(stage)
        end
      end,
    }
    assert.same({ nil, "fail_shutdown" }, { report, code })
    assert.same({ first.pid }, stop.pids(detail.stopped))
    assert.same({ second.pid }, stop.pids(detail.new))
    assert.is_true(second:alive())
  end)

  it("spares a shell that only stands in a registered folder", function()
    local shell = support.hold("cwd", stage.folder)
    assert(session:register { files = stage.folder })
    assert.is_truthy(support.find(assert(session:list()), shell.pid))
    assert(session:shutdown { force = true, timeout = 1 })
    assert.is_true(shell:alive())
    assert(session:register { files = stage.folder, working_directories = true })
    assert.same({ shell.pid }, stop.pids(assert(session:shutdown { force = true, timeout = 2 }).stopped))
  end)
end)

describe("an installer that its own launcher started", function()
  local stage

  before_each(function()
    stage = stop.stage()
  end)

  after_each(function()
    stop.strike(stage)
    support.cleanup()
  end)

  -- A launcher, a program of its own that runs the script and holds the file; what the script said.
  local function launch(script)
    local path = support.write(support.join(stage.folder, "script.lua"), "io.read()\n" .. script)
    support.start_lua([[
      local support = require "spec.support"
      local file, path, out, went_on = ...
      local program = support.start { support.LUA, path, file, out = out }
      local held = assert(io.open(file)) -- later, so that the script does not inherit it
      program:tell("go on\n")
      program:close()
      assert(held and support.write(went_on))
    ]], stage.file, path, support.join(stage.folder, "out"), support.join(stage.folder, "launcher-went-on"))
    return support.eventually(function()
      local text = (support.contents(support.join(stage.folder, "out")) or ""):gsub("\r\n", "\n")
      return text:find("end\n") and text
    end, 2 * support.LIMIT)
  end

  local function went_on()
    return support.exists(support.join(stage.folder, "launcher-went-on"))
  end

  it("does not stop the launcher", function()
    local output = launch [[
      local rm = require "restartmanager"
      local session = assert(rm.start())
      session:register { files = arg[1] }
      local entry = session:list()[1]
      print(entry.pid == rm.self().parent.pid, entry.app_type, table.concat(entry.reboot_reasons, " "))
      print((select(4, session:shutdown { force = true })))
      session:close()
      print "end"
    ]]
    assert.equal("true\tcritical\tdetected_self\n350\nend\n", output)
    assert.is_truthy(support.eventually(went_on))
  end)

  it("stops and restarts it if it was named as stoppable", function()
    local output = launch [[
      local rm = require "restartmanager"
      local session = assert(rm.start { stoppable = rm.self().parent, restart = { unregistered = true } })
      session:register { files = arg[1] }
      local report = assert(session:shutdown { timeout = 5 })
      print(#report.stopped, report.stopped[1].pid == session:list()[1].pid)
      session:close { leave_stopped = true }
      print "end"
    ]]
    assert.equal("1\ttrue\nend\n", output)
    assert.is_false(went_on())
  end)
end)
