-- The `system` manager: the operating system's rstrtmgr.dll. On Windows that is Microsoft's. Under Wine, whose own is a
-- stub, our DLL stands in the system's folder (tools/in-wine-with), so that client and server check each other;
-- RSM_SYSTEM=ours says that it must. SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local registered = require "spec.support_registration"
local stop = require "spec.support_stop"
local support = require "spec.support"

local ours = os.getenv("RSM_SYSTEM") == "ours"

local function lacking()
  local session, message, code, number = rm.start { manager = "system" }
  if session then
    session:close()
    return nil
  end
  return message, code, number
end

local why = lacking()
assert(not (ours and why), why)

describe("the system manager under Wine", function()
  it("says why it is not there, and leaves the rest to the builtin one", function()
    if not why then
      return pending("there is a Restart Manager in the system's folder")
    end
    local message, code, number = lacking()
    assert.same({ "not_supported", 50 }, { code, number })
    assert.matches("^start: Wine's own DLL answers success to everything and does nothing", message)
    local session = assert(rm.start())
    assert.equal("session_credential_conflict", (select(3, rm.join(("f"):rep(32)))))
    session:close()
  end)
end)

local function it_there(name, test)
  it(name, function()
    if why then
      return pending(why)
    end
    test()
  end)
end

describe("the system manager", function()
  local stage, session

  local function start()
    session = assert(rm.start { manager = "system", name = "system_spec" })
    return session
  end

  before_each(function()
    stage = stop.stage()
    if not why then
      assert(start():register { files = stage.file })
    end
  end)

  after_each(function()
    if session then
      session:close { leave_stopped = true }
    end
    session = nil
    stop.strike(stage)
    support.cleanup()
  end)

  it_there("lists who holds a file, and how only when asked", function()
    local holder = stop.hold(stage)
    local list = assert(session:list())
    local entry = assert(support.find(list, holder.pid))
    assert.equal(support.start_time(holder.pid), entry.start_time)
    assert.is_true(entry.app_status.running)
    assert.is_false(entry.restartable)
    assert.matches("holder%.exe$", entry.exe)
    assert.same({}, entry.uses)
    local use = support.find(assert(session:list { uses = true }), holder.pid).uses[1]
    assert.same({ "open", stage.file, stage.file }, { use.how, use.path, use.resource })
    holder:close()
    assert.is_nil(support.find(assert(session:list()), holder.pid))
  end)

  it_there("takes directories apart, anew for each listing", function()
    local folder = support.make_folder(support.join(stage.folder, "tree\\below"))
    local file = support.write(support.join(folder, "one"))
    assert(session:register { files = support.join(stage.folder, "tree") })
    local first = support.hold("open", file)
    assert.is_truthy(support.find(assert(session:list()), first.pid))
    local second = support.hold("open", support.write(support.join(folder, "two \u{e9}\u{1f30d}")))
    local entry = assert(support.find(assert(session:list { uses = true }), second.pid))
    assert.equal(support.join(folder, "two \u{e9}\u{1f30d}"), entry.uses[1].path)
  end)

  it_there("takes long paths, by their short names or as they are", function()
    local folder = support.make_folder(support.join(stage.folder, ("x"):rep(120) .. "\\" .. ("y"):rep(120)))
    local file = support.write(support.join(folder, "file"))
    assert.is_true(#file > 260)
    local holder = support.hold("open", file)
    local taken, message, code = session:register { files = file }
    if not taken then -- a volume without short names
      assert.equal("write_fault", code)
      return assert.matches("no shorter name", message)
    end
    assert.is_truthy(support.find(assert(session:list()), holder.pid))
  end)

  it_there("tells who registered what, and that it knows no working directories", function()
    assert(session:register { processes = rm.self().pid })
    local files, processes = {}, {}
    for resource in session:resources() do
      assert.equal(rm.self().pid, resource.by.pid)
      files[#files + 1] = resource.file
      processes[#processes + 1] = resource.process and resource.process.pid
    end
    assert.same({ { stage.file }, { rm.self().pid } }, { files, processes })
    local ok, message, code = session:register { files = stage.folder, working_directories = true }
    assert.same({ nil, "not_supported" }, { ok, code })
    assert.matches("builtin", message)
  end)

  it_there("is joined by secondaries, who may register and nothing else", function()
    assert.matches("^%x+$", session.key)
    assert.equal(32, #session.key)
    local other = support.write(support.join(stage.folder, "other"))
    local holder = support.hold("open", other)
    assert.is_true(session:run { support.LUA, support.write(support.join(stage.folder, "secondary.lua"), ([[
      local session = assert(require "restartmanager".join())
      assert(session.role == "secondary")
      assert(session:register { files = %q })
      local list, _, code, number = session:list()
      assert(list == nil and code == "session_credential_conflict" and number == 1219)
      session:close()]]):format(other)) })
    assert.is_truthy(support.find(assert(session:list()), holder.pid))
    local joined = assert(rm.join(session.key:upper()))
    assert.equal("session_credential_conflict", (select(3, joined:shutdown())))
    assert.is_true(joined:close())
    local unknown, _, code, number = rm.join(("f"):rep(32))
    assert.same({ nil, "session_credential_conflict", 1219 }, { unknown, code, number })
  end)

  it_there("hands filters on and lists them", function()
    local holder = stop.hold(stage)
    assert(session:add_filter { process = holder.pid, action = "no_shutdown" })
    assert(session:add_filter { exe = "C:\\tools\\\u{e9}ditor.exe", action = "no_restart" })
    assert(session:add_filter { service = "rm-no-such-service", action = "no_restart" })
    local seen = {}
    for filter in session:filters() do
      seen[#seen + 1] = filter.exe or filter.service or filter.process.pid
    end
    table.sort(seen, function(a, b)
      return tostring(a) < tostring(b)
    end)
    local expected = { "C:\\tools\\\u{e9}ditor.exe", holder.pid, "rm-no-such-service" }
    table.sort(expected, function(a, b)
      return tostring(a) < tostring(b)
    end)
    assert.same(expected, seen)
    local report = assert(session:shutdown { force = true })
    assert.same({ holder.pid }, stop.pids(report.kept))
    assert.is_true(holder:alive())
    for filter in session:filters() do
      assert(session:remove_filter(filter))
    end
    assert.equal("file_not_found", (select(3, session:remove_filter { exe = "C:\\tools\\\u{e9}ditor.exe" })))
  end)

  it_there("stops by force, so that the file can be written, and leaves down who did not register", function()
    local holder, seen = stop.hold(stage), stop.recorder()
    local report = assert(session:shutdown { force = true, on_event = seen.on_event, progress = seen.on_progress })
    assert.same({ holder.pid }, stop.pids(report.stopped))
    assert.is_false(holder:alive())
    support.write(stage.file, "version 2")
    assert.same({ "stopped " .. holder.pid }, seen.events)
    assert.equal(100, seen.progress[#seen.progress])
    for i = 2, #seen.progress do
      assert.is_true(seen.progress[i] > seen.progress[i - 1])
    end
    local entry = support.find(assert(session:list()), holder.pid)
    assert.is_true(entry.app_status.stopped)
    assert.matches("holder%.exe$", entry.exe) -- from before
    report = assert(session:restart { unregistered = true })
    assert.equal("not_registered", report.left_stopped[1].why)
    assert.matches("starts only what has registered", report.left_stopped[1].note)
    assert.equal(1, #stop.starts(stage))
  end)

  it_there("answers 351 for who refuses, and 350 for ourselves", function()
    local holder = stop.hold(stage, "window", "veto")
    local report, _, code, number, partial = session:shutdown()
    assert.same({ nil, "fail_shutdown", 351 }, { report, code, number })
    assert.same({ holder.pid }, stop.pids(partial.alive))
    assert.equal("fail_shutdown", partial.alive[1].error.code)
    local file <close> = assert(io.open(stage.file))
    local list = assert(session:list())
    assert.is_true(list.reboot_reasons.detected_self)
    assert.equal("critical", support.find(list, rm.self().pid).app_type)
    report, _, code, number = session:shutdown { force = true }
    assert.same({ nil, "fail_noaction_reboot", 350 }, { report, code, number })
    assert.is_true(holder:alive())
    assert(file)
  end)

  it_there("stops nobody who was not confirmed", function()
    local first = stop.hold(stage)
    local list = assert(session:list())
    local second = stop.hold(stage)
    local report, _, code, number, partial = session:shutdown { force = true, confirmed = list }
    assert.same({ nil, "more_data", 234 }, { report, code, number })
    assert.same({ second.pid }, stop.pids(partial.new))
    assert.is_true(first:alive() and second:alive())
    assert.equal(2, #assert(session:shutdown { force = true, confirmed = assert(session:list()) }).stopped)
  end)

  it_there("has one operation with a callback at a time", function()
    local other <close> = assert(rm.start { manager = "system" })
    local op = assert(session:begin_shutdown { force = true })
    local begun, message, code, number = other:begin_shutdown()
    assert.same({ nil, "busy", 170 }, { begun, code, number })
    assert.matches("another session of this process", message)
    repeat until op:step(1)
    assert(other:shutdown())
    assert.equal("not_supported", (select(3, op:fd())))
  end)

  it_there("is cancelled in the middle of a wait", function()
    local holder = stop.hold(stage, "window", "hang")
    local op, last = assert(session:begin_shutdown { force = true }), support.now() + 10
    op:step(1)
    assert.is_false((op:step(0.5)))
    op:cancel()
    repeat
      local done = op:step(0.5)
      assert.is_true(support.now() < last, "takes too long")
    until done
    assert.equal("cancelled", (select(3, op:result())))
    assert.is_true(holder:alive())
  end)

  it_there("stops a service and starts it again", function()
    local name = ("rm-system-%d"):format(rm.self().pid)
    local function sc(...)
      return (support.start { "C:\\windows\\system32\\sc.exe", ... }):close()
    end
    finally(function()
      sc("stop", name)
      sc("delete", name)
    end)
    local words = { support.program "service", name, "note", stage.note, "open", stage.file }
    assert(sc("create", name, "binPath=", '"' .. table.concat(words, '" "') .. '"'))
    assert(sc("start", name))
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 1
    end))
    local ok, message, code = session:register { services = "rm-no-such-service" }
    assert.same({ nil, "service_does_not_exist" }, { ok, code }, message)
    assert(session:register { services = name })
    local list, pid = assert(session:list { uses = true }), stop.starts(stage)[1]
    local entry = assert(support.find(list, pid))
    assert.same({ name, "service", true, "service" },
      { entry.service_name, entry.app_type, entry.restartable, entry.restart_by })
    assert.equal(stage.file, entry.uses[1].path)
    assert.equal(name, assert(session:shutdown()).stopped[1].service_name)
    assert.matches("\nstop", support.text(stage.note))
    assert.equal(name, assert(session:restart()).restarted[1].service_name)
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 2
    end))
  end)

  it_there("keeps no sessions for others to adopt", function()
    assert.same({}, assert(rm.recover { name = "system_spec" }))
    local adopted, message, code = rm.adopt(("f"):rep(32))
    assert.same({ nil, "session_credential_conflict" }, { adopted, code })
    assert.matches("keeps nothing", message)
  end)

  it_there("refuses what it never does, before anything is stopped", function()
    local refused, _, code = rm.start { manager = "system", restart = { unregistered = true } }
    assert.same({ nil, "not_supported" }, { refused, code })
    assert(rm.start { restart = { unregistered = true } }):close() -- another manager's
  end)

  it_there("answers rm.who", function()
    local holder = stop.hold(stage)
    local list = assert(rm.who { files = stage.file, manager = "system" })
    assert.equal("open", support.find(list, holder.pid).uses[1].how)
    list = assert(rm.who { files = stage.file, manager = "system", uses = false })
    assert.same({}, support.find(list, holder.pid).uses)
  end)

  it_there("stops no ancestor of ours", function()
    local output = support.lua [[
      local rm = require "restartmanager"
      local session = assert(rm.start { manager = "system" })
      session:register { processes = rm.self().parent }
      local list = assert(session:list())
      print(list[1].pid == rm.self().parent.pid, list[1].app_type, list.reboot_reasons.detected_self)
      print((select(4, session:shutdown { force = true })))
    ]]
    assert.equal("true\tcritical\ttrue\n350\n", output)
  end)

  it_there("raises again what a callback raised, once all has settled", function()
    for _, callback in ipairs { "progress", "on_event" } do
      local holder, value = stop.hold(stage), {}
      local ok, caught = pcall(session.shutdown, session, {
        force = true,
        [callback] = function()
          error(value)
        end,
      })
      assert.same({ false, value }, { ok, caught })
      assert.is_true(#assert(session:list()) > 0)
      holder:close()
    end
  end)

  it_there("opens as many sessions as there are, and then says so", function()
    local sessions = {}
    finally(function()
      for _, opened in ipairs(sessions) do
        opened:close()
      end
    end)
    local opened, message, code, number
    repeat
      opened, message, code, number = rm.start { manager = "system" }
      sessions[#sessions + 1] = opened
    until not opened or #sessions > 64
    assert.same({ "max_sessions_reached", 353 }, { code, number })
    assert.matches("64 sessions", message)
    table.remove(sessions):close()
    sessions[#sessions + 1] = assert(rm.start { manager = "system" })
  end)
end)

describe("the system manager, with an application that registered for restart,", function()
  local stage, session, pid

  before_each(function()
    stage = registered.stage()
    if not why then
      pid = registered.application(stage, "STAY = true rm.register_restart()")
      session = assert(rm.start { manager = "system" })
      assert(session:register { files = stage.file })
    end
  end)

  after_each(function()
    if session then
      session:close { leave_stopped = true }
    end
    session = nil
    os.remove(stage.flag)
    stop.strike(stage)
    registered.strike(stage)
  end)

  local function starts(count)
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == count
    end))
  end

  it_there("brings it back", function()
    local entry = assert(support.find(assert(session:list()), pid))
    assert.same({ true, "registration" }, { entry.restartable, entry.restart_by })
    assert(session:shutdown { force = true, only_restartable = true })
    local report = assert(session:restart())
    assert.same({ pid }, stop.pids(report.restarted))
    starts(2)
    assert(session:close())
    assert.equal(2, #stop.starts(stage))
  end)

  it_there("brings it back when it is closed, not when that is to leave it down", function()
    assert(session:shutdown { force = true })
    local report = assert(session:close())
    assert.same({ pid }, stop.pids(report.restarted))
    starts(2)
    session = assert(rm.start { manager = "system" })
    assert(session:register { files = stage.file })
    assert(session:shutdown { force = true })
    assert.is_true(session:close { leave_stopped = true })
    assert.equal(2, #stop.starts(stage))
  end)

  it_there("brings it back when it is collected: there is no store to keep it", function()
    assert(session:shutdown { force = true })
    session = nil
    collectgarbage()
    collectgarbage()
    starts(2)
  end)

  it_there("does not stop it if another has not registered", function()
    local other = support.hold("open", stage.file)
    local report, _, code = session:shutdown { force = true, only_restartable = true }
    assert.same({ nil, "fail_shutdown" }, { report, code })
    assert.is_true(support.alive(pid) and other:alive())
  end)
end)
