-- Services that a session has stopped whose primary was killed, or left: they come back. systemctl is the witness.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local programs = require "spec.support_session"
local support = require "spec.support"
local systemd = require "spec.support_systemd"
local invocation, names, states = systemd.invocation, systemd.names, systemd.states

-- Stops the services that use a file and starts them again, and is killed on the way: NAME FILE WHEN [SERVICE_TIMEOUT].
-- WHEN is "between" the two, or "shutdown N" or "restart N", at their Nth event.
local PRIMARY = [[
  local rm = require "restartmanager"
  local name, file, when, patience = table.unpack(arg)
  local function say(...)
    io.write(table.concat({ ... }, " "), "\n")
    io.stdout:flush()
  end
  local function die_at(moment)
    if moment == when then
      os.execute("kill -KILL " .. rm.self().pid)
    end
  end
  local function counter(phase)
    local count = 0
    return function(event)
      count = count + 1
      say("event", event.action, event.process.service_name)
      die_at(phase .. " " .. count)
    end
  end
  local session = assert(rm.start { name = name })
  say("key", session.key)
  assert(session:register { files = file })
  assert(session:shutdown { on_event = counter "shutdown", service_timeout = tonumber(patience) })
  die_at "between"
  assert(session:restart { on_event = counter "restart" })
  say "the end"
  session:close()
]]

local NAME = "service_adopt_spec " .. rm.self().pid .. " " .. rm.self().start_time -- nobody else's

describe("a session that has stopped services and", function()
  local folder, file, keys

  before_each(function()
    folder, keys = support.folder(), {}
    file = support.write(folder .. "/file", "version 1")
    support.shell("chmod 755 " .. folder)
  end)

  after_each(function()
    programs.cleanup()
    collectgarbage()
    for _, key in ipairs(keys) do -- what a failed spec has left
      local left = rm.adopt(key)
      if left then
        left:close { leave_stopped = true }
      end
    end
    systemd.cleanup()
  end)

  local function holding(name, lines, ...)
    systemd.start(systemd.write_holder(name, lines, "open", file, ...))
  end

  -- One that always runs, what depends on it in several ways, and what would start it again.
  local function start_family()
    local always = { "Restart=always", "RestartSec=0" }
    systemd.write_holder("rm-a", { unit = { "Description=The one in question" }, service = always }, "open", file)
    systemd.write_holder("rm-b",
      { unit = { "BindsTo=rm-a.service", "After=rm-a.service" }, service = { "Restart=always" } })
    systemd.unit("rm-a.socket", { Socket = { "ListenStream=127.0.0.1:7021" } })
    systemd.unit("rm-a.timer", { Timer = { "OnActiveSec=1h" } })
    systemd.write_holder("rm-down", { unit = { "Requires=rm-a.service" } })
    systemd.start("rm-a.socket")
    systemd.start("rm-b")
    systemd.start("rm-a.timer")
  end

  local FAMILY = "rm-a rm-a.socket rm-a.timer rm-b"

  -- Runs the primary until it is killed: its key, and what it said. No key: it came to its end.
  local function killed(when, patience)
    local program = programs.start(PRIMARY, NAME, file, when, patience)
    local _, how, number = program:close()
    local output = program:output()
    if output:find("the end\n", 1, true) then
      return nil, output
    end
    assert.same({ "signal", 9 }, { how, number }, output)
    local key = output:match("key (%x+)")
    keys[#keys + 1] = key
    return key, output
  end

  -- Kills at the first event, the second one, ... until there is none any more: how many there were.
  local function expect_back_after_each(phase)
    start_family()
    local before = systemd.active()
    for event = 1, 100 do
      local key, output = killed(phase .. " " .. event)
      if key then
        local adopted = assert(rm.adopt(key))
        assert(adopted:restart())
        assert.is_true(adopted:close())
      end
      assert.equal(before, systemd.active(), ("killed at %s %d: %s"):format(phase, event, output))
      if not key then
        return event - 1
      end
    end
    error("it did not come to its end")
  end

  describe("whose primary was killed", function()
    systemd.it("at any event of the shutdown leaves nothing down once it is adopted and restarted", function()
      assert.is_true(expect_back_after_each("shutdown") >= 8) -- asked, stopped
    end)

    systemd.it("at any event of the restart leaves nothing down once it is adopted and restarted", function()
      assert.equal(8, expect_back_after_each("restart")) -- start, restarted
    end)

    systemd.it("is shown with them, and they stay down until it is restarted", function()
      start_family()
      local key = killed("between")
      local info = programs.listed(key)
      assert.is_true(info.abandoned)
      assert.equal(FAMILY, names(info.stopped))
      local adopted <close> = assert(rm.adopt(key))
      assert.equal("inactive inactive inactive inactive", states("rm-a", "rm-a.socket", "rm-a.timer", "rm-b"))
      local list = assert(adopted:list())
      assert.equal(FAMILY, names(list))
      for _, entry in ipairs(list) do
        assert.same({ "service", "service", true }, { entry.app_type, entry.restart_by, entry.app_status.stopped })
      end
      assert.equal(FAMILY, names(assert(adopted:restart()).restarted))
      assert.equal("", names(assert(adopted:restart()).restarted))
    end)

    systemd.it("starts none twice that is up again", function()
      start_family()
      local key = killed("between")
      systemd.start("rm-a.socket")
      systemd.start("rm-b")
      local before = { invocation("rm-a"), invocation("rm-b") }
      local adopted = assert(rm.adopt(key))
      assert.equal(FAMILY, names(assert(adopted:restart()).restarted))
      assert.is_true(adopted:close())
      assert.same(before, { invocation("rm-a"), invocation("rm-b") })
      assert.equal("active active active active", states("rm-a", "rm-a.socket", "rm-a.timer", "rm-b"))
    end)

    systemd.it("comes back by rm.recover, by name", function()
      start_family()
      local before = systemd.active()
      local key = killed("between")
      assert.same({}, assert(rm.recover { name = NAME .. ", but another" }))
      assert.equal("inactive", states("rm-a"))
      local reports = assert(rm.recover { name = NAME })
      assert.equal(1, #reports)
      assert.equal(FAMILY, names(reports[1].restarted))
      assert.equal(before, systemd.active())
      assert.is_nil(programs.stored(key))
    end)

    systemd.it("while one takes its time to stop waits for it", function()
      holding("rm-a", {}, "delay", "1.2")
      local before = invocation("rm-a")
      local key = killed("shutdown 1")
      assert.equal("deactivating", states("rm-a"))
      local adopted = assert(rm.adopt(key))
      assert.equal("inactive", states("rm-a"))
      assert.equal("rm-a", names(assert(adopted:restart()).restarted))
      assert.is_true(adopted:close())
      assert.equal("active", states("rm-a"))
      assert.not_equal(before, invocation("rm-a"))
    end)

    systemd.it("while one is deaf waits as long as the shutdown would, and starts it when it is down", function()
      holding("rm-a", { service = { "TimeoutStopSec=2" } }, "ignore", "TERM")
      local before = invocation("rm-a")
      local key = killed("shutdown 1", "0.3")
      local adopted = assert(rm.adopt(key))
      assert.equal("deactivating", states("rm-a"))
      assert.equal("rm-a", names(assert(adopted:restart()).restarted))
      assert.is_true(adopted:close())
      assert.equal("active", states("rm-a"))
      assert.not_equal(before, invocation("rm-a"))
    end)

    systemd.it("before its manager began with a slow dependent's base leaves neither down", function()
      holding("rm-a", {})
      systemd.start(systemd.write_holder("rm-b", { unit = { "Requires=rm-a.service", "After=rm-a.service" } },
        "delay", "0.6"))
      local key = killed("shutdown 2") -- both are asked; rm-a stops after rm-b has
      assert.equal("active deactivating", states("rm-a", "rm-b"))
      local adopted = assert(rm.adopt(key))
      assert.equal("rm-a rm-b", names(assert(adopted:restart()).restarted))
      assert.is_true(adopted:close())
      assert.equal("active active", states("rm-a", "rm-b"))
    end)
  end)

  describe("is left", function()
    local function stopped()
      local session = assert(rm.start { name = NAME })
      keys[#keys + 1] = session.key
      assert(session:register { files = file })
      assert.equal(FAMILY, names(assert(session:shutdown()).stopped))
      return session
    end

    systemd.it("by close brings them back, and returns that report", function()
      start_family()
      local before = systemd.active()
      assert.equal(FAMILY, names(assert(stopped():close()).restarted))
      assert.equal(before, systemd.active())
    end)

    systemd.it("by the end of a <close> variable's block brings them back", function()
      start_family()
      local before = systemd.active()
      do
        local session <close> = stopped()
        assert.not_equal(before, systemd.active())
        assert(session)
      end
      assert.equal(before, systemd.active())
    end)

    systemd.it("by a raise in rm.scope brings them back, and the same value goes on", function()
      start_family()
      local before, thrown = systemd.active(), {}
      local ok, value = pcall(rm.scope, { name = NAME }, function(session)
        assert(session:register { files = file })
        assert(session:shutdown())
        assert.not_equal(before, systemd.active())
        error(thrown)
      end)
      assert.same({ false, true }, { ok, value == thrown })
      assert.equal(before, systemd.active())
    end)

    systemd.it("by close{leave_stopped} leaves them down and forgets them", function()
      start_family()
      local session = stopped()
      assert.is_true(session:close { leave_stopped = true })
      assert.equal("inactive inactive inactive inactive", states("rm-a", "rm-a.socket", "rm-a.timer", "rm-b"))
      assert.is_nil(programs.stored(session.key))
      assert.is_nil(rm.adopt(session.key))
    end)
  end)

  systemd.it("belongs to an ordinary user, with services of the user's own", function()
    local user = systemd.user()
    systemd.unit("rm-own.service", { Service = { "Restart=always",
      "ExecStart=" .. systemd.holder("open", file) } }, user)
    systemd.unit("rm-too.service", { Unit = { "BindsTo=rm-own.service", "After=rm-own.service" },
      Service = { "ExecStart=" .. systemd.holder() } }, user)
    systemd.start("rm-too", user)
    assert.truthy(support.eventually(function()
      return #assert(rm.who(file)) == 1
    end))
    local before, everywhere = systemd.active(user), systemd.active()
    local output = user:lua(PRIMARY, NAME, file, "between")
    local key = assert(output:match("key (%x+)"), output)
    assert.matches("event stopped rm%-own\n", output)
    assert.equal("inactive", systemd.property("rm-own", "ActiveState", user))
    assert.not_equal(before, systemd.active(user))
    local ok
    output, ok = user:lua([[
      local adopted = assert(require "restartmanager".adopt(arg[1]))
      for _, entry in ipairs(assert(adopted:restart()).restarted) do
        print("back", entry.service_name)
      end
    ]], key)
    assert.is_true(ok, output)
    assert.equal("back\trm-own\nback\trm-too\n", output)
    assert.same({ before, everywhere }, { systemd.active(user), systemd.active() })
  end)
end)

describe("a service with Restart=always that holds a file", function()
  local file

  before_each(function()
    file = support.write(support.folder() .. "/file", "version 1")
  end)

  after_each(function()
    programs.cleanup()
    systemd.cleanup()
  end)

  -- One sentence of what this is all about.
  systemd.it("is one service, stays down while stopped, comes back with its BindsTo= dependent, also after the "
    .. "primary's SIGKILL, and is left alone if it refuses to be stopped", function()
    local function write(name, unit, ...)
      return systemd.unit(name, { Unit = unit, Service = { "Type=notify", "Restart=always", "RestartSec=0",
        "ExecStart=" .. systemd.holder(...) } })
    end
    local function their_states()
      return (systemd.ctl({ "is-active", "rm-a", "rm-b" }):gsub("\n", " "))
    end
    write("rm-a.service", { "Description=The holder of the file" }, "open", file, "fork", 2, "notify", "READY=1")
    write("rm-b.service", { "BindsTo=rm-a.service", "After=rm-a.service" }, "notify", "READY=1")
    systemd.start("rm-b")
    local before, first = systemd.active(), systemd.property("rm-a", "InvocationID")

    local session = assert(rm.start { name = NAME })
    assert(session:register { files = file })
    local list = assert(session:list())
    assert.equal(1, #list)
    assert.same({ "service", "The holder of the file", "rm-a", systemd.main_pid("rm-a"), 3 },
      { list[1].app_type, list[1].app_name, list[1].service_name, list[1].pid, #list[1].processes })
    assert.equal(2, #assert(session:shutdown { confirmed = list }).stopped)
    assert.matches("Stopped rm%-a.service %- The holder of the file", (systemd.journal("rm-a")))
    os.execute("sleep 0.3") -- by RestartSec=0 it would be there by now
    assert.equal("inactive inactive ", their_states())
    assert.equal(2, #assert(session:restart()).restarted)
    assert.same({ "active active ", before }, { their_states(), systemd.active() })
    assert.not_equal(first, systemd.property("rm-a", "InvocationID"))
    assert.is_true(session:close())

    local program = programs.start(PRIMARY, NAME, file, "between")
    assert.same({ "signal", 9 }, { select(2, program:close()) })
    assert.equal("inactive inactive ", their_states())
    local adopted = assert(rm.adopt((program:says("key (%x+)"))))
    assert(adopted:restart())
    assert.is_true(adopted:close())
    assert.equal(before, systemd.active())

    write("rm-a.service", { "Description=The holder of the file", "RefuseManualStop=yes" }, "open", file,
      "notify", "READY=1")
    local last = systemd.property("rm-a", "InvocationID")
    local refused <close> = assert(rm.start { name = NAME })
    assert(refused:register { files = file })
    assert.same({ "critical_service" }, { table.unpack(assert(refused:list()).reboot_reasons) })
    local report, _, code, number = refused:shutdown { force = true, service_timeout = 1 }
    assert.same({ nil, "fail_noaction_reboot", 350 }, { report, code, number })
    assert.same({ before, last }, { systemd.active(), systemd.property("rm-a", "InvocationID") })
  end)
end)
