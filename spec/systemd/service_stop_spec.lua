-- Shutdown of services: what goes down with them, what is held meanwhile, what is left alone. systemctl is the witness.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"
local systemd = require "spec.support_systemd"
local invocation, names, states = systemd.invocation, systemd.names, systemd.states

describe("shutdown() of services", function()
  local stage, file, session

  before_each(function()
    stage = stop.stage()
    file = stage.file
    session = assert(rm.start { name = "service_stop_spec", restart = { unregistered = true } })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    stop.strike(stage)
    systemd.cleanup()
  end)

  local function service(...)
    systemd.start(systemd.write_holder(...))
  end

  local function holding(name, lines, ...)
    service(name, lines, "open", file, ...)
  end

  local function recorder()
    local seen = {}
    return seen, function(event)
      seen[#seen + 1] = event.action .. " " .. (event.process.service_name or event.process.pid)
    end
  end

  local function assert_order(seen, ...)
    local last = 0
    for _, wanted in ipairs { ... } do
      local at = stop.position(seen, wanted)
      assert.truthy(at, ("no %q in: %s"):format(wanted, table.concat(seen, ", ")))
      assert.is_true(at > last, ("%q is too early in: %s"):format(wanted, table.concat(seen, ", ")))
      last = at
    end
  end

  local function register(resources)
    assert(session:register(resources or { files = file }))
  end

  -- Down and up again: exactly these, by the reports and by systemctl. What happened meanwhile, twice.
  local function expect_round(all)
    local list, down, on_down = {}, recorder()
    for name in all:gmatch("%S+") do
      list[#list + 1] = name
    end
    assert.equal(all, names(assert(session:shutdown { on_event = on_down }).stopped))
    assert.equal(("inactive"):rep(#list, " "), states(table.unpack(list)))
    local up, on_up = recorder()
    assert.equal(all, names(assert(session:restart { on_event = on_up }).restarted))
    assert.equal(("active"):rep(#list, " "), states(table.unpack(list)))
    return down, up
  end

  describe("and with them", function()
    systemd.it("Restart=always, which does not bring it back meanwhile", function()
      local always = { service = { "Restart=always", "RestartSec=0.1" } }
      holding("rm-a", always)
      service("rm-control", always)
      local control = systemd.main_pid("rm-control")
      register()
      assert.equal("rm-a", names(assert(session:shutdown()).stopped))
      support.shell("kill -KILL " .. control)
      assert.truthy(support.eventually(function() -- as long as another one of that kind takes to be back
        local pid = systemd.main_pid("rm-control")
        return pid and pid ~= control
      end))
      assert.equal("inactive active", states("rm-a", "rm-control"))
      assert.equal("rm-a", names(assert(session:restart()).restarted))
      assert.equal("active", states("rm-a"))
    end)

    for _, relation in ipairs { "Requires", "BindsTo", "PartOf", "Requisite" } do
      systemd.it("what is tied to it by " .. relation .. "=", function()
        holding("rm-a", {})
        service("rm-b", { unit = { relation .. "=rm-a.service", "After=rm-a.service" } })
        register()
        assert.same({ "rm-b" }, assert(session:list())[1].dependents)
        assert(expect_round("rm-a rm-b"))
      end)
    end

    systemd.it("what its own unit ties to it by PropagatesStopTo=", function()
      service("rm-b", {})
      holding("rm-a", { unit = { "PropagatesStopTo=rm-b.service" } })
      register()
      assert(expect_round("rm-a rm-b"))
    end)

    systemd.it("a chain of them, from its end, and back from its beginning", function()
      holding("rm-a", {})
      service("rm-b", { unit = { "Requires=rm-a.service" } })
      service("rm-c", { unit = { "BindsTo=rm-b.service", "After=rm-b.service" } })
      register()
      local down, up = assert(expect_round("rm-a rm-b rm-c"))
      assert_order(down, "ask rm-c", "ask rm-b", "ask rm-a")
      assert_order(up, "start rm-a", "restarted rm-a", "start rm-b", "restarted rm-b", "start rm-c", "restarted rm-c")
    end)

    systemd.it("not what was inactive, nor is it started afterwards", function()
      holding("rm-a", { unit = { "PropagatesStopTo=rm-c.service" } })
      systemd.write_holder("rm-b", { unit = { "Requires=rm-a.service" } })
      systemd.write_holder("rm-c", {})
      register()
      assert.equal("rm-a", names(assert(session:shutdown()).stopped))
      assert.equal("rm-a", names(assert(session:restart()).restarted))
      assert.equal("active inactive inactive", states("rm-a", "rm-b", "rm-c"))
    end)

    systemd.it("a target that requires it, which starts nothing else when it comes back", function()
      holding("rm-a", {})
      service("rm-w", {})
      systemd.unit("rm-t.target", { Unit = { "Requires=rm-a.service", "Wants=rm-w.service" } })
      systemd.start("rm-t.target")
      systemd.stop("rm-w")
      register()
      assert.equal("rm-a rm-t.target", names(assert(session:shutdown()).stopped))
      assert.equal("inactive inactive", states("rm-a", "rm-t.target"))
      assert(session:restart())
      assert.equal("active active inactive", states("rm-a", "rm-t.target", "rm-w"))
    end)

    systemd.it("several that depend on each other and all hold the file, each of them once", function()
      holding("rm-a", {})
      holding("rm-b", { unit = { "BindsTo=rm-a.service", "After=rm-a.service" } })
      holding("rm-c", { unit = { "Requires=rm-a.service", "PartOf=rm-b.service", "After=rm-b.service" } })
      register()
      assert.equal("rm-a rm-b rm-c", names(assert(session:list())))
      local _, up = assert(expect_round("rm-a rm-b rm-c"))
      assert_order(up, "restarted rm-a", "start rm-b")
    end)

    -- However near it is to rm-a by another way, and whatever its name.
    systemd.it("what needs another dependent to be there before it", function()
      holding("rm-a", {})
      service("rm-b", { unit = { "Requires=rm-a.service", "After=rm-a.service" } })
      service("rm-0", { unit = { "Requires=rm-a.service", "Requisite=rm-b.service", "After=rm-b.service" } })
      register()
      local down, up = assert(expect_round("rm-0 rm-a rm-b"))
      assert_order(down, "ask rm-0", "ask rm-b", "ask rm-a")
      assert_order(up, "restarted rm-a", "start rm-b", "restarted rm-b", "start rm-0")
    end)

    -- Neither needs the other: but who is after whom goes down before it, and comes up when that one is there.
    systemd.it("what is only ordered after another one, and what is ordered after that", function()
      holding("rm-z", {})
      holding("rm-m", { unit = { "After=rm-z.service" } })
      holding("rm-b", { unit = { "Before=rm-z.service" } })
      service("rm-a", { unit = { "BindsTo=rm-z.service", "After=rm-z.service rm-m.service" } })
      register()
      local down, up = assert(expect_round("rm-a rm-b rm-m rm-z"))
      assert_order(down, "ask rm-a", "ask rm-m", "ask rm-z", "ask rm-b")
      assert_order(up, "restarted rm-b", "start rm-z", "restarted rm-z", "start rm-m", "restarted rm-m", "start rm-a")
    end)

    systemd.it("two that are ordered after each other by what they depend on, in a circle", function()
      systemd.write_holder("rm-b", {}, "open", file)
      holding("rm-a", { unit = { "Requires=rm-b.service", "Before=rm-b.service" } })
      systemd.wait("rm-b", "active")
      register()
      assert(expect_round("rm-a rm-b"))
    end)

    systemd.it("two that are tied to each other, in a circle", function()
      systemd.write_holder("rm-a", { unit = { "Requires=rm-b.service" } }, "open", file)
      systemd.write_holder("rm-b", { unit = { "PartOf=rm-a.service" } }, "open", file)
      systemd.start("rm-a")
      register()
      assert(expect_round("rm-a rm-b"))
    end)
  end)

  describe("holds, so that it does not start them,", function()
    -- One of ours starts rm-a, and one that is no concern of ours, rm-control, whenever that one would.
    local function expect_held(kind, section, happens)
      systemd.write_holder("rm-a", {}, "open", file)
      systemd.write_holder("rm-control", {})
      for _, name in ipairs { "rm-a.", "rm-control." } do
        systemd.unit(name .. kind, section)
      end
      systemd.start("rm-a." .. kind)
      systemd.start("rm-a")
      register()
      assert.equal("rm-a rm-a." .. kind, names(assert(session:shutdown()).stopped))
      systemd.start("rm-control." .. kind)
      happens()
      systemd.wait("rm-control", "active")
      assert.equal("inactive inactive", states("rm-a", "rm-a." .. kind))
      assert.equal("rm-a rm-a." .. kind, names(assert(session:restart()).restarted))
      return states("rm-a", "rm-a." .. kind)
    end

    systemd.it("a timer", function()
      local section = { Timer = { "OnCalendar=*:*:*", "AccuracySec=1ms" } }
      assert.equal("active active", expect_held("timer", section, function() end))
    end)

    systemd.it("a path", function()
      local watched = stage.folder .. "/watched"
      assert.equal("active active", expect_held("path", { Path = { "PathExists=" .. watched } }, function()
        support.write(watched)
      end))
    end)

    systemd.it("a socket, which is there again before them", function()
      systemd.unit("rm-a.socket", { Socket = { "ListenStream=127.0.0.1:7011" } })
      systemd.write_holder("rm-a", {}, "open", file, "answer")
      systemd.start("rm-a.socket")
      assert.truthy(systemd.connect(7011))
      register()
      assert.equal("rm-a rm-a.socket", names(assert(session:shutdown()).stopped))
      assert.is_nil(systemd.connect(7011))
      assert.equal("inactive inactive", states("rm-a", "rm-a.socket"))
      local up, on_up = recorder()
      assert(session:restart { on_event = on_up })
      assert_order(up, "restarted rm-a.socket", "start rm-a")
      assert.equal("active active", states("rm-a", "rm-a.socket"))
      assert.equal(systemd.main_pid("rm-a"), systemd.connect(7011))
    end)

    systemd.it("a socket whose instances serve one connection each: that one does not come back", function()
      systemd.unit("rm-q.socket", { Socket = { "ListenStream=127.0.0.1:7012", "Accept=yes" } })
      systemd.unit("rm-q@.service", { Service = { "ExecStart=" .. systemd.holder("open", file) } })
      systemd.start("rm-q.socket")
      local client = assert(io.popen("exec timeout 20 bash -c 'exec 3<>/dev/tcp/127.0.0.1/7012; read x'", "w"))
      register()
      local list = support.eventually(function()
        local now = assert(session:list())
        return #now > 0 and now
      end)
      assert.matches("^rm%-q@0", list[1].service_name)
      assert.is_false(list[1].restartable)
      local instance = list[1].service_name
      assert.equal("rm-q.socket " .. instance, names(assert(session:shutdown()).stopped))
      assert.is_nil(systemd.connect(7012))
      assert.equal("inactive inactive", states("rm-q.socket", instance))
      local report = assert(session:restart())
      client:close()
      assert.equal("rm-q.socket", names(report.restarted))
      assert.equal("not_restorable", report.left_stopped[1].why)
      assert.matches("one connection", report.left_stopped[1].note)
      assert.equal("active inactive", states("rm-q.socket", instance))
    end)

    systemd.it("a service that upholds them", function()
      holding("rm-a", {})
      service("rm-u", { unit = { "Upholds=rm-a.service" } })
      service("rm-v", {})
      service("rm-control", { unit = { "Upholds=rm-v.service" } })
      register()
      assert.equal("rm-a rm-u", names(assert(session:shutdown()).stopped))
      local first = invocation("rm-v")
      systemd.stop("rm-v")
      assert.truthy(support.eventually(function()
        return states("rm-v") == "active" and invocation("rm-v") ~= first
      end))
      assert.equal("inactive inactive", states("rm-a", "rm-u"))
      assert.equal("rm-a rm-u", names(assert(session:restart()).restarted))
      assert.equal("active active", states("rm-a", "rm-u"))
    end)
  end)

  describe("that do not stop", function()
    systemd.it("answers 351 without force, tells why, and restart brings them back all the same", function()
      holding("rm-a", { service = { "TimeoutStopSec=1" } }, "ignore", "TERM")
      local before = invocation("rm-a")
      register()
      local report, message, code, number, detail = session:shutdown { service_timeout = 0.3 }
      assert.same({ nil, "fail_shutdown", 351 }, { report, code, number })
      assert.matches("rm%-a", message)
      assert.equal("rm-a", names(detail.alive))
      assert.equal("timeout", detail.alive[1].error.code)
      assert.matches("did not stop, and its manager goes on stopping it within 0.3 s", detail.alive[1].error.message)
      assert.equal("deactivating", states("rm-a"))
      assert.equal("rm-a", names(assert(session:restart()).restarted))
      assert.equal("active", states("rm-a"))
      assert.not_equal(before, invocation("rm-a"))
    end)

    systemd.it("kills them through their manager with force, after it has asked", function()
      holding("rm-a", { service = { "TimeoutStopSec=60" } }, "ignore", "TERM")
      register()
      local seen, on_event = recorder()
      local report = assert(session:shutdown { force = true, service_timeout = 0.3, on_event = on_event })
      assert.equal("rm-a", names(report.stopped))
      assert_order(seen, "ask rm-a", "kill rm-a", "stopped rm-a")
      assert.matches("SIGKILL to main process %d+ %(holder%) on client request", (systemd.journal("rm-a")))
      assert.not_equal("active", states("rm-a"))
      assert(session:restart())
      assert.equal("active", states("rm-a"))
    end)

    -- Its worker is left by its manager, and has the file open.
    local function leave_worker()
      holding("rm-a", { service = { "KillMode=process" } }, "fork", "1")
      register()
    end

    systemd.it("tells of the processes that their manager leaves behind", function()
      leave_worker()
      local report, _, code, number, detail = session:shutdown { service_timeout = 0.3 }
      assert.same({ nil, "fail_shutdown", 351 }, { report, code, number })
      assert.equal("rm-a", names(detail.alive))
      assert.matches("its manager has stopped it, but left some of its processes", detail.alive[1].error.message)
      assert.equal("", names(detail.new))
      assert.equal("inactive", states("rm-a"))
      assert(session:restart())
      assert.equal("active", states("rm-a"))
    end)

    systemd.it("ends those with force", function()
      leave_worker()
      local workers = assert(session:list())[1].processes
      assert.equal(2, #workers)
      assert.equal("rm-a", names(assert(session:shutdown { force = true, service_timeout = 0.3 }).stopped))
      for _, worker in ipairs(workers) do
        assert.is_false(stop.alive(worker.pid))
      end
      assert(session:restart())
      assert.equal("active", states("rm-a"))
    end)
  end)

  systemd.it("comes after applications, and they are back before those", function()
    holding("rm-a", {})
    local pid = stop.hold(stage).pid
    register()
    local down, on_down = recorder()
    assert.equal(2, #assert(session:shutdown { on_event = on_down }).stopped)
    assert_order(down, "stopped " .. pid, "ask rm-a", "stopped rm-a")
    local up, on_up = recorder()
    assert(session:restart { on_event = on_up })
    assert.same({ "start rm-a", "restarted rm-a", "start " .. pid, "restarted " .. pid }, up)
  end)

  describe("with a filter", function()
    systemd.it("no_shutdown on one keeps it", function()
      holding("rm-a", {})
      holding("rm-b", {})
      local before = invocation("rm-a")
      register()
      assert(session:add_filter { service = "rm-a.service", action = "no_shutdown" })
      local report = assert(session:shutdown())
      assert.same({ "rm-a", "rm-b" }, { names(report.kept), names(report.stopped) })
      assert.equal("active inactive", states("rm-a", "rm-b"))
      assert.equal("rm-b", names(assert(session:restart()).restarted))
      assert.equal(before, invocation("rm-a"))
    end)

    systemd.it("no_shutdown on what would go down with one keeps both", function()
      holding("rm-a", {})
      service("rm-b", { unit = { "Requires=rm-a.service" } })
      service("rm-c", { unit = { "Requires=rm-b.service" } })
      local before = { invocation("rm-a"), invocation("rm-c") }
      register()
      assert(session:add_filter { service = "rm-c", action = "no_shutdown" })
      local report = assert(session:shutdown { force = true, service_timeout = 0.3 })
      assert.same({ "rm-a", "" }, { names(report.kept), names(report.stopped) })
      assert.matches("its stop would stop rm%-c, which a filter keeps", report.kept[1].note)
      assert.equal("active active active", states("rm-a", "rm-b", "rm-c"))
      assert.same(before, { invocation("rm-a"), invocation("rm-c") })
    end)

    systemd.it("no_shutdown on the program of a worker keeps the service", function()
      local worker = stage.folder .. "/worker"
      support.shell(("cp %s/holder %s"):format(support.quote(support.build), worker))
      local main = systemd.holder("notify", "READY=1"):gsub('"', "'")
      systemd.unit("rm-a.service", { Service = { "Type=notify",
        ('ExecStart=/bin/sh -c "%s nopdeath open %s & exec %s"'):format(worker, file, main) } })
      systemd.start("rm-a")
      local before = invocation("rm-a")
      register()
      assert(session:add_filter { exe = worker, action = "no_shutdown" })
      assert.truthy(support.eventually(function()
        return #assert(session:list()) == 1
      end))
      local report = assert(session:shutdown())
      assert.same({ "rm-a", "" }, { names(report.kept), names(report.stopped) })
      assert.same({ "active", before }, { states("rm-a"), invocation("rm-a") })
    end)

    systemd.it("no_restart on one leaves it, with its dependents and its socket", function()
      systemd.write_holder("rm-a", {}, "open", file)
      systemd.unit("rm-a.socket", { Socket = { "ListenStream=127.0.0.1:7013" } })
      systemd.start("rm-a.socket")
      systemd.start("rm-a")
      service("rm-b", { unit = { "Requires=rm-a.service" } })
      register()
      assert(session:add_filter { service = "rm-a", action = "no_restart" })
      assert.equal("rm-a rm-a.socket rm-b", names(assert(session:shutdown()).stopped))
      local report = assert(session:restart())
      assert.same({ "", "rm-a rm-a.socket rm-b" }, { names(report.restarted), names(report.left_stopped) })
      for _, entry in ipairs(report.left_stopped) do
        assert.equal("restart_masked", entry.why)
      end
      assert.equal("inactive inactive inactive", states("rm-a", "rm-a.socket", "rm-b"))
      assert(session:remove_filter { service = "rm-a", action = "no_restart" })
      assert.equal("rm-a rm-a.socket rm-b", names(assert(session:restart()).restarted))
    end)

    systemd.it("no_restart on a dependent leaves that one, with what depends on it and starts it", function()
      systemd.write_holder("rm-b", { unit = { "Requires=rm-a.service" } })
      systemd.unit("rm-b.socket", { Socket = { "ListenStream=127.0.0.1:7014" } })
      systemd.start("rm-b.socket")
      holding("rm-a", {})
      service("rm-c", { unit = { "Requires=rm-a.service rm-b.service" } })
      service("rm-d", { unit = { "Requires=rm-a.service" } })
      register()
      assert(session:add_filter { service = "rm-b", action = "no_restart" })
      assert(session:shutdown())
      local report = assert(session:restart())
      assert.same({ "rm-a rm-d", "rm-b rm-b.socket rm-c" }, { names(report.restarted), names(report.left_stopped) })
      for _, entry in ipairs(report.left_stopped) do
        assert.equal("restart_masked", entry.why)
      end
      assert.equal("active inactive inactive active", states("rm-a", "rm-b", "rm-c", "rm-d"))
    end)
  end)

  describe("when it is cancelled", function()
    systemd.it("by progress: asks nobody further, and restart brings back who went down", function()
      holding("rm-a", {}, "delay", "0.5")
      holding("rm-b", {})
      local before = invocation("rm-b")
      register()
      local report, _, code, number, detail = session:shutdown {
        progress = function()
          return false
        end,
      }
      assert.same({ nil, "cancelled", 1223 }, { report, code, number })
      assert.same({ "rm-a rm-b", "" }, { names(detail.alive), names(detail.stopped) })
      assert.equal("deactivating active", states("rm-a", "rm-b"))
      assert.equal("rm-a", names(assert(session:restart()).restarted))
      assert.equal("active active", states("rm-a", "rm-b"))
      assert.equal(before, invocation("rm-b"))
    end)

    systemd.it("between a socket and its service: both are back, and what depends on them", function()
      systemd.write_holder("rm-a", {}, "open", file, "answer")
      systemd.unit("rm-a.socket", { Socket = { "ListenStream=127.0.0.1:7015" } })
      systemd.start("rm-a.socket")
      systemd.start("rm-a")
      service("rm-b", { unit = { "Requires=rm-a.service", "After=rm-a.service" } })
      register()
      local report, _, code, _, detail = session:shutdown {
        on_event = function()
          return false
        end,
      }
      assert.same({ nil, "cancelled" }, { report, code })
      assert.truthy(({ ["rm-a rm-b"] = 1, ["rm-a rm-a.socket rm-b"] = 1 })[names(detail.alive)]) -- a moment later
      systemd.wait("rm-a.socket", "inactive")
      assert(session:restart())
      assert.equal("active active active", states("rm-a", "rm-a.socket", "rm-b"))
      assert.equal(systemd.main_pid("rm-a"), systemd.connect(7015))
    end)

    systemd.it("by session:cancel(): does not wait, and tells who is down and who is not", function()
      holding("rm-a", {})
      service("rm-b", { unit = { "Requires=rm-a.service", "After=rm-a.service" } }, "delay", "0.8")
      holding("rm-c", {})
      register()
      local report, _, code, _, detail = session:shutdown {
        wait = function()
          if states("rm-c") == "inactive" then
            session:cancel()
          end
        end,
      }
      assert.same({ nil, "cancelled" }, { report, code })
      assert.same({ "rm-a rm-b", "rm-c" }, { names(detail.alive), names(detail.stopped) })
      assert.equal("active deactivating", states("rm-a", "rm-b")) -- its manager stops the one first
      assert.equal("rm-a rm-b rm-c", names(assert(session:restart()).restarted))
      assert.equal("active active active", states("rm-a", "rm-b", "rm-c"))
    end)
  end)

  systemd.it("reports one that somebody has started again meanwhile as new", function()
    holding("rm-a", {})
    register()
    local report, message, code, number, detail = session:shutdown {
      on_event = function(event)
        if event.action == "stopped" then
          systemd.start("rm-a")
        end
      end,
    }
    assert.same({ nil, "fail_shutdown", 351 }, { report, code, number })
    assert.matches("not there before", message)
    assert.same({ "rm-a", "rm-a" }, { names(detail.stopped), names(detail.new) })
    assert.equal("active", states("rm-a"))
  end)

  systemd.it("tells a progress that rises to 100", function()
    holding("rm-a", {}, "delay", "0.1")
    service("rm-b", { unit = { "Requires=rm-a.service" } })
    holding("rm-c", {})
    register()
    local told
    local function progress(percent)
      assert.is_true(percent > (told[#told] or -1))
      told[#told + 1] = percent
    end
    for _, verb in ipairs { "shutdown", "restart" } do
      told = {}
      assert(session[verb](session, { progress = progress }))
      assert.is_true(#told >= 4)
      assert.equal(100, told[#told])
    end
  end)

  systemd.it("moves by steps that never block", function()
    holding("rm-a", { service = { "TimeoutStopSec=30" } }, "delay", "0.5")
    register()
    local op <close> = assert(session:begin_shutdown())
    assert.equal("integer", math.type(op:fd()))
    local steps, busy = 0, os.clock()
    repeat
      local done = op:step(0)
      steps = steps + 1
      if not done then
        os.execute("sleep 0.02")
      end
    until done or steps > 500
    assert.is_true(os.clock() - busy < 1)
    assert.is_true(steps > 5, steps .. " steps for what takes half a second")
    assert.equal("rm-a", names(assert(op:result()).stopped))
    assert.equal("inactive", states("rm-a"))
  end)

  systemd.it("with only_restartable touches nothing if a transient one is among them", function()
    holding("rm-a", {})
    local holder = systemd.holder("open", file, "notify", "READY=1")
    support.shell("systemd-run -q --unit=rm-transient --service-type=notify -- " .. holder .. " 2>&1")
    local before = { invocation("rm-a"), invocation("rm-transient") }
    register()
    local report, message, code, number, detail = session:shutdown { only_restartable = true }
    local after = { invocation("rm-a"), invocation("rm-transient") }
    local found = states("rm-a", "rm-transient")
    local last = assert(session:shutdown())
    assert.same({ nil, "fail_shutdown", 351 }, { report, code, number })
    assert.matches("could not be started again: .*rm%-transient", message)
    assert.equal("rm-a rm-transient", names(detail.alive))
    assert.same({ "active active", before }, { found, after })
    assert.equal("rm-a rm-transient", names(last.stopped))
    local back = assert(session:restart())
    assert.same({ "rm-a", "rm-transient" }, { names(back.restarted), names(back.left_stopped) })
    assert.equal("not_restorable", back.left_stopped[1].why)
  end)

  describe("leaves to itself one that has ended by itself", function()
    systemd.it("before it was looked at again", function()
      holding("rm-a", {})
      register { files = file, services = "rm-a" }
      local list = assert(session:list())
      assert.equal("rm-a", names(list))
      systemd.stop("rm-a")
      assert.equal("", names(assert(session:shutdown { confirmed = list }).stopped))
      assert.equal("", names(assert(session:restart()).restarted))
      assert.equal("inactive", states("rm-a"))
    end)

    systemd.it("just before it would have been asked", function()
      holding("rm-a", {})
      holding("rm-k", {})
      register()
      assert(session:add_filter { service = "rm-k", action = "no_shutdown" })
      local report = assert(session:shutdown {
        on_event = function(event)
          if event.action == "kept" then
            systemd.stop("rm-a")
          end
        end,
      })
      assert.same({ "rm-a", "", "rm-k" }, { names(report.gone), names(report.stopped), names(report.kept) })
      assert.equal("", names(assert(session:restart()).restarted))
      assert.equal("inactive active", states("rm-a", "rm-k"))
    end)
  end)
end)
