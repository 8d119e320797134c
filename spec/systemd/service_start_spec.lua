-- Restart of services: what comes up, and what is said of what does not. systemctl is the witness.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"
local systemd = require "spec.support_systemd"
local invocation, names = systemd.invocation, systemd.names

describe("restart() of services", function()
  local folder, file, session

  before_each(function()
    folder = support.folder()
    file = support.write(folder .. "/file", "version 1")
    session = assert(rm.start { name = "service_start_spec" })
    assert(session:register { files = file })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    systemd.cleanup()
  end)

  local function state(name)
    return systemd.property(name, "ActiveState")
  end

  -- The command of one that holds the file and tells its manager so; more orders come before.
  local function holding(...)
    local orders = { "open", file, ... }
    table.move({ "notify", "READY=1" }, 1, 2, #orders + 1, orders)
    return systemd.holder(table.unpack(orders))
  end

  local function write(name, command, more, unit)
    local lines = { "Type=notify", "ExecStart=" .. command }
    table.move(more or {}, 1, #(more or {}), #lines + 1, lines)
    return systemd.unit(name .. ".service", { Unit = unit, Service = lines })
  end

  local function service(...)
    systemd.start(write(...))
  end

  -- One does not come up: the words of its failure.
  local function expect_failure(failed, restarted)
    local report, message, code, number, detail = session:restart()
    assert.same({ nil, "fail_restart", 352 }, { report, code, number })
    assert.matches("^restart: ", message)
    assert.same({ failed, restarted or "" }, { names(detail.failed), names(detail.restarted) })
    assert.equal("gen_failure", detail.failed[1].error.code)
    local found
    for _, entry in ipairs(assert(session:list())) do
      found = found or entry.service_name == detail.failed[1].service_name and entry
    end
    assert.is_true(found.app_status.error_on_restart)
    assert.is_nil(found.app_status.restarted)
    return detail.failed[1].error.message, message
  end

  -- The cause has been removed.
  local function expect_repaired(name, restarted)
    assert.equal(restarted or name, names(assert(session:restart()).restarted))
    assert.equal("active", state(name))
    assert.equal("", names(assert(session:restart()).restarted))
  end

  describe("says of one that does not come up", function()
    -- What a forking one has run is no main process yet: its manager tells less of it.
    local told = { notify = "exit%-code %(exit status 7%)", simple = "exit%-code %(exit status 7%)",
      oneshot = "exit%-code %(exit status 7%)", forking = "exit%-code" }
    for kind, wanted in pairs(told) do
      systemd.it("how its program ended, Type=" .. kind, function()
        service("rm-a", holding())
        assert(session:shutdown())
        write("rm-a", "/bin/sh -c 'exit 7'", { "Type=" .. kind })
        local words, message = expect_failure("rm-a")
        assert.matches("its start failed: " .. wanted, words)
        assert.matches("journalctl %-u rm%-a.service", words)
        assert.matches(wanted, message)
        assert.equal("failed", state("rm-a"))
        write("rm-a", holding())
        expect_repaired("rm-a")
      end)
    end

    systemd.it("that a signal ended it", function()
      service("rm-a", holding())
      assert(session:shutdown())
      write("rm-a", "/bin/sh -c 'kill -SEGV $$$$'", { "LimitCORE=0" })
      assert.matches("signal %(signal SEGV%)", (expect_failure("rm-a")))
    end)

    systemd.it("that its program is gone, and starts the others all the same", function()
      local program = folder .. "/program"
      support.shell(("cp %s/holder %s"):format(support.quote(support.build), program))
      service("rm-a", ("%s nopdeath open %s notify READY=1"):format(program, file))
      service("rm-0", holding())
      service("rm-z", holding())
      assert.equal("rm-0 rm-a rm-z", names(assert(session:shutdown()).stopped))
      assert(os.remove(program))
      assert.matches("exit%-code %(exit status 203%)", (expect_failure("rm-a", "rm-0 rm-z")))
      assert.same({ "active", "failed", "active" }, { state("rm-0"), state("rm-a"), state("rm-z") })
      local before = invocation("rm-z")
      support.shell(("cp %s/holder %s"):format(support.quote(support.build), program))
      expect_repaired("rm-a")
      assert.equal(before, invocation("rm-z"))
    end)

    systemd.it("that something it needs does not", function()
      service("rm-r", holding())
      service("rm-a", holding(), nil, { "Requires=rm-r.service", "After=rm-r.service" })
      assert.equal("rm-a rm-r", names(assert(session:shutdown()).stopped))
      write("rm-r", "/bin/false")
      assert.matches("exit status 1", (expect_failure("rm-a rm-r")))
      local _, _, _, _, detail = session:restart()
      for _, entry in ipairs(detail.failed) do
        local wanted = entry.service_name == "rm-a" and "something that it needs could not be started" or "exit%-code"
        assert.matches(wanted, entry.error.message)
      end
      write("rm-r", holding())
      expect_repaired("rm-a", "rm-a rm-r")
    end)

    systemd.it("that a condition is not met", function()
      local condition = support.write(folder .. "/condition")
      service("rm-a", holding(), nil, { "ConditionPathExists=" .. condition })
      service("rm-other", systemd.holder("notify", "READY=1"), nil, { "After=rm-a.service" }) -- else it is forgotten
      assert(session:shutdown())
      assert(os.remove(condition))
      assert.matches("it was not started: a condition of its unit file is not met", (expect_failure("rm-a")))
      assert.equal("inactive", state("rm-a"))
      support.write(condition)
      expect_repaired("rm-a")
    end)

    systemd.it("that it was not ready in time", function()
      service("rm-a", holding(), { "TimeoutStartSec=0.4" })
      assert(session:shutdown())
      write("rm-a", systemd.holder("open", file), { "TimeoutStartSec=0.4" })
      assert.matches("its start failed: timeout", (expect_failure("rm-a")))
      write("rm-a", holding())
      expect_repaired("rm-a")
    end)

    systemd.it("that its unit file is gone", function()
      service("rm-a", holding())
      assert(session:shutdown())
      assert(os.remove("/run/systemd/system/rm-a.service"))
      systemd.ctl { "daemon-reload" }
      local report, message, code, number, detail = session:restart()
      assert.same({ nil, "fail_restart", 352 }, { report, code, number })
      assert.matches("rm%-a", message)
      assert.matches("no service of that name is known here any more", detail.failed[1].error.message)
    end)
  end)

  systemd.it("waits for one that takes a moment to be ready", function()
    local started = support.write(folder .. "/started")
    write("rm-a", ('/bin/sh -c "echo >> %s; sleep 0.5; exec %s"'):format(started, (holding():gsub('"', "'"))))
    systemd.start("rm-a")
    assert(session:shutdown())
    assert.equal("rm-a", names(assert(session:restart()).restarted))
    assert.same({ "active", "\n\n" }, { state("rm-a"), support.read(started) })
  end)

  systemd.it("may be cancelled while one takes its time, which comes up all the same", function()
    write("rm-a", ('/bin/sh -c "sleep 0.4; exec %s"'):format((holding():gsub('"', "'"))))
    systemd.start("rm-a")
    service("rm-b", holding())
    assert.equal("rm-a rm-b", names(assert(session:shutdown()).stopped))
    local report, _, code, number, detail = session:restart {
      wait = function()
        if state("rm-a") == "activating" then
          session:cancel()
        end
      end,
    }
    assert.same({ nil, "cancelled", 1223 }, { report, code, number })
    assert.equal("rm-a", names(detail.restarted))
    assert.matches("was still on its way up", detail.restarted[1].note)
    assert.equal("inactive", state("rm-b"))
    local first = invocation("rm-a")
    assert.equal("rm-b", names(assert(session:restart()).restarted))
    systemd.wait("rm-a", "active")
    assert.same({ first, "active" }, { invocation("rm-a"), state("rm-b") })
  end)

  describe("of a one-shot", function()
    systemd.it("that is done and stays active brings it there again", function()
      local ran = support.write(folder .. "/ran")
      service("rm-o", ("/bin/sh -c 'echo >> %s'"):format(ran), { "Type=oneshot", "RemainAfterExit=yes" })
      assert(session:register { services = "rm-o" })
      assert.equal("rm-o", names(assert(session:shutdown()).stopped))
      assert.equal("inactive", state("rm-o"))
      assert.equal("rm-o", names(assert(session:restart()).restarted))
      assert.same({ "active", "\n\n" }, { state("rm-o"), support.read(ran) })
    end)

    systemd.it("that was at work begins it, and does not wait for its end", function()
      write("rm-o", systemd.holder("open", file), { "Type=oneshot", "TimeoutStartSec=5" })
      systemd.ctl { "start", "--no-block", "rm-o" }
      systemd.wait("rm-o", "activating")
      assert.truthy(support.eventually(function()
        return #assert(session:list()) == 1
      end))
      assert.equal("rm-o", names(assert(session:shutdown()).stopped))
      assert.not_equal("activating", state("rm-o"))
      assert.equal("rm-o", names(assert(session:restart()).restarted))
      assert.equal("activating", state("rm-o"))
    end)
  end)

  systemd.it("is not kept from it by how often one may be started", function()
    service("rm-a", holding(), nil, { "StartLimitBurst=2", "StartLimitIntervalSec=60" })
    service("rm-other", systemd.holder("notify", "READY=1"), nil, { "After=rm-a.service" }) -- else it is forgotten
    for _ = 1, 4 do
      assert.equal("rm-a", names(assert(session:shutdown()).stopped))
      assert.equal("rm-a", names(assert(session:restart()).restarted))
    end
    assert.equal("active", state("rm-a"))
  end)

  systemd.it("starts what a changed unit file says", function()
    service("rm-a", holding(), nil, { "Description=The old one" })
    assert.equal("The old one", assert(session:list())[1].app_name)
    assert(session:shutdown())
    write("rm-a", holding("name", "renewed"), nil, { "Description=The new one" })
    local back = assert(session:restart()).restarted[1].restarted_as
    assert.equal("renewed\n", support.read(("/proc/%d/comm"):format(back.pid)))
    assert.equal(systemd.main_pid("rm-a"), back.pid)
    assert.equal("The new one", assert(session:list())[1].app_name)
  end)

  systemd.it("finds one that somebody else has started meanwhile, and starts it no second time", function()
    service("rm-a", holding())
    assert(session:shutdown())
    systemd.start("rm-a")
    local before, pid = invocation("rm-a"), systemd.main_pid("rm-a")
    local report = assert(session:restart())
    assert.equal("rm-a", names(report.restarted))
    assert.equal(pid, report.restarted[1].restarted_as.pid)
    assert.same({ "active", before }, { state("rm-a"), invocation("rm-a") })
  end)

  systemd.it("stops one once more that somebody has started without its socket, which else could not start", function()
    write("rm-a", holding("answer"))
    systemd.unit("rm-a.socket", { Socket = { "ListenStream=127.0.0.1:7031" } })
    systemd.start("rm-a.socket")
    assert.truthy(systemd.connect(7031))
    assert(session:shutdown())
    write("rm-a", holding())
    systemd.start("rm-a")
    write("rm-a", holding("answer"))
    assert.equal("rm-a rm-a.socket", names(assert(session:restart()).restarted))
    assert.same({ "active", "active" }, { state("rm-a"), state("rm-a.socket") })
    assert.equal(systemd.main_pid("rm-a"), systemd.connect(7031))
  end)

  systemd.it("runs the new program after an update by rename, and the old one was found until then", function()
    local program = folder .. "/program"
    local copy = ("cp %s/holder %s"):format(support.quote(support.build), program)
    support.shell(copy)
    service("rm-a", program .. " nopdeath notify READY=1")
    assert(session:register { files = program })
    support.shell(("%s.new && mv %s.new %s"):format(copy, program, program))
    local list = assert(session:list())
    assert.equal("rm-a", names(list))
    assert.same({ true, "exec" }, { list[1].uses[1].deleted, list[1].uses[1].how })
    local old = list[1].pid
    assert.equal("rm-a", names(assert(session:shutdown()).stopped))
    assert.is_false(stop.alive(old))
    local back = assert(session:restart()).restarted[1].restarted_as
    assert.equal(program .. "\n", (support.shell("readlink /proc/" .. back.pid .. "/exe")))
    local again = assert(session:list())
    assert.same({ "rm-a", false }, { names(again), again[1].uses[1].deleted })
  end)
end)
