-- Services as resources and in the list: what counts as one, what is said of it, what stands in its way.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local support = require "spec.support"
local systemd = require "spec.support_systemd"

local ADDED = { Unit = true, Service = true }

-- A service that is up once the holder has carried out these orders. more: lines for its sections.
local function service(name, orders, more, user)
  local sections = {
    Unit = { "Description=About " .. name },
    Service = { "Type=notify", "ExecStart=" .. systemd.holder(table.unpack(orders)) .. " notify READY=1" },
  }
  for section in pairs(ADDED) do
    table.move((more or {})[section] or {}, 1, 99, #sections[section] + 1, sections[section])
  end
  systemd.unit(name .. ".service", sections, user)
  systemd.start(name, user)
  return name
end

-- All that tells whether somebody has touched it.
local function state(name, user)
  local keys = { "ActiveState", "SubState", "MainPID", "InvocationID" }
  for i, key in ipairs(keys) do
    keys[i] = systemd.property(name, key, user)
  end
  return table.concat(keys, " ")
end

-- The pids in a unit's control group; COUNT of them, if there are to be so many.
local function pids_of(name, count, user)
  local folder = "/sys/fs/cgroup" .. systemd.property(name, "ControlGroup", user)
  local pids
  support.eventually(function()
    pids = {}
    for pid in support.read(folder .. "/cgroup.procs"):gmatch("%d+") do
      pids[#pids + 1] = math.tointeger(pid)
    end
    return #pids == count
  end)
  table.sort(pids)
  return pids
end

local function pids(entry)
  local found = {}
  for i, process in ipairs(entry.processes) do
    found[i] = process.pid
  end
  table.sort(found)
  return found
end

local function only(list)
  assert.equal(1, #list, tostring(list))
  return list[1]
end

local function names(list)
  local found = {}
  for i, entry in ipairs(list) do
    found[i] = entry.service_name or "-"
  end
  table.sort(found)
  return found
end

local function named(list, name)
  for _, entry in ipairs(list) do
    if entry.service_name == name then
      return entry
    end
  end
  error("not listed: " .. name .. "\n" .. tostring(list))
end

-- Lists who uses a resource (KIND NAME), and tries to stop them.
local LIST = [[
  local rm = require "restartmanager"
  local kind, name = ...
  local session <close> = assert(rm.start())
  assert(session:register { [kind] = name })
  for entry in session:affected() do
    print(entry.pid, entry.app_type, entry.service_name, table.concat(entry.reboot_reasons, ","), entry.note)
  end
  local report, message, code, number = session:shutdown { force = true }
  print(report and #report.stopped or message, code, number)
]]

local SETTINGS = { "PATH", "LUA_PATH", "LUA_CPATH", "ASAN_OPTIONS" }

local function environment(format)
  local lines = {}
  for _, name in ipairs(SETTINGS) do
    lines[#lines + 1] = os.getenv(name) and format:format(name .. "=" .. os.getenv(name))
  end
  return lines
end

-- What the script says of a resource when it runs as the main process of a service of its own.
local function elsewhere(options, kind, name)
  local script = support.write(support.folder() .. "/script.lua", LIST)
  local output, ok = support.shell(("systemd-run --quiet --wait --pipe --collect %s %s lua5.4 %s %s %s 2>&1")
    :format(options, table.concat(environment("-E '%s'"), " "), script, kind, name))
  assert.is_true(ok, output)
  return output
end

describe("a service", function()
  local folder, file, session

  before_each(function()
    if not systemd.here then
      return
    end
    folder = support.folder()
    support.shell("chmod 755 " .. folder)
    file = support.write(folder .. "/file", "version 1")
    session = assert(rm.start { name = "service_list_spec" })
  end)

  after_each(function()
    if session then
      session:close { leave_stopped = true }
    end
    systemd.cleanup()
  end)

  -- A shutdown that answers 350; the list's reasons.
  local function refused()
    local list = assert(session:list())
    local report, _, code, number = session:shutdown { force = true, service_timeout = 0.5 }
    assert.same({ nil, "fail_noaction_reboot", 350 }, { report, code, number })
    return table.concat(list.reboot_reasons, ","), list
  end

  describe("as a resource", function()
    -- What resources() says, in order.
    local function registered()
      local given = {}
      for resource in session:resources() do
        given[#given + 1] = resource.service or resource.file
      end
      table.sort(given)
      return given
    end

    systemd.it("is the same by its short and its full name", function()
      service("rm-a", {})
      assert(session:register { services = { "rm-a", "rm-a.service" } })
      assert.same({ "rm-a", "rm-a.service" }, registered())
      assert.equal("rm-a", only(assert(session:list())).service_name)
    end)

    systemd.it("must exist, be a service and have a possible name, or nothing at all is registered", function()
      service("rm-a", {})
      systemd.unit("rm-t@.service", { Service = { "ExecStart=" .. systemd.holder() } })
      systemd.unit("rm-x.socket", { Socket = { "ListenStream=" .. folder .. "/socket" } })
      for _, wrong in ipairs({ "rm-unknown", "rm-unknown.service", "rm-x.socket", "rm-x.timer", "basic.target", "rm-t@",
        "rm-t@.service", "rm a", "../rm-a", "/rm-a.service", "rm-a.service\n", "r\u{fc}m", "@one", ".service",
        ("x"):rep(300) }) do
        local ok, message, code, number = session:register { files = file, services = { "rm-a", wrong } }
        assert.same({ nil, "service_does_not_exist", 1060, wrong }, { ok, code, number, wrong })
        assert.matches("^register: ", message)
        local word = wrong:match("^[%w./@ -]+"):sub(1, 60)
        assert.truthy(message:find(word, 1, true), message)
        local why = wrong:match("[.]socket$") and "another type" or wrong:match("@$") and "template" or ""
        assert.truthy(message:find(why, 1, true), message)
        assert.same({}, registered())
      end
    end)

    systemd.it("is one for each instance of a template", function()
      systemd.unit("rm-t@.service", {
        Unit = { "Description=About %i" },
        Service = { "ExecStart=" .. systemd.holder() },
      })
      systemd.start("rm-t@one")
      assert(session:register { services = { "rm-t@one", "rm-t@two.service" } })
      local list = assert(session:list())
      assert.same({ "rm-t@one", "rm-t@two" }, names(list))
      assert.same({ "About one", "About two" }, { named(list, "rm-t@one").app_name, named(list, "rm-t@two").app_name })
      assert.equal(systemd.main_pid("rm-t@one"), named(list, "rm-t@one").pid)
      assert.is_nil(named(list, "rm-t@two").pid)
    end)

    describe("with an alias", function()
      local function alias()
        service("rm-a", { "open", file })
        systemd.unit("rm-b.service", "")
        support.shell("ln -sf rm-a.service /run/systemd/system/rm-b.service && systemctl daemon-reload")
        assert.equal("rm-a.service", systemd.property("rm-b", "Id"))
      end

      systemd.it("is one, under its main name", function()
        alias()
        assert(session:register { services = { "rm-b", "rm-a" }, files = file })
        assert.equal("rm-a", only(assert(session:list())).service_name)
        assert.same({ file, "rm-a", "rm-b" }, registered())
      end)

      systemd.it("is kept by a filter for the alias", function()
        alias()
        local before = state("rm-a")
        assert(session:register { files = file })
        assert(session:add_filter { service = "rm-b", action = "no_shutdown" })
        assert.is_true(only(assert(session:list())).app_status.shutdown_masked)
        assert.equal("rm-a", only(assert(session:shutdown()).kept).service_name)
        assert.equal(before, state("rm-a"))
      end)
    end)
  end)

  describe("with several processes", function()
    systemd.it("is one entry with all that they use", function()
      local other = support.write(folder .. "/other")
      service("rm-a", { "open", file, "fork", 2, "open", other })
      assert(session:register { files = { file, other } })
      local entry = only(assert(session:list()))
      assert.same({ "service", "About rm-a", "rm-a", systemd.main_pid("rm-a") },
        { entry.app_type, entry.app_name, entry.service_name, entry.pid })
      assert.same({ true, "service" }, { entry.restartable, entry.restart_by })
      assert.same({ running = true }, entry.app_status)
      assert.same({}, { table.unpack(entry.reboot_reasons) })
      assert.same(pids_of("rm-a", 3), pids(entry))
      local count = { [file] = 0, [other] = 0 }
      for _, use in ipairs(entry.uses) do
        count[use.path] = count[use.path] + 1
      end
      assert.same({ [file] = 3, [other] = 1 }, count)
    end)

    systemd.it("has its main process' pid, also where only older ones hold the file", function()
      local number = folder .. "/pid"
      local script = support.write(folder .. "/starting", ("%s\n%s &\necho $! > %s\n"):format(
        systemd.holder("open", file, "fork", 1, "daemon"), systemd.holder(), number))
      systemd.unit("rm-a.service", {
        Service = { "Type=forking", "PIDFile=" .. number, "ExecStart=/bin/sh " .. script },
      })
      systemd.start("rm-a")
      local main = math.tointeger(support.read(number):match("%d+"))
      assert.equal(main, systemd.main_pid("rm-a"))
      assert(session:register { files = file })
      local entry = only(assert(session:list()))
      assert.equal(main, entry.pid)
      assert.equal(2, #entry.uses)
      local all = pids_of("rm-a", 3)
      assert.same(all, pids(entry))
      assert.is_true(all[1] < main)
    end)

    for kind, lines in pairs({ forking = { "Type=forking", "GuessMainPID=no" },
      oneshot = { "Type=oneshot", "RemainAfterExit=yes" } }) do
      systemd.it("of which none is the main one is stopped whole: Type=" .. kind, function()
        table.insert(lines, "ExecStart=" .. systemd.holder("open", file, "fork", 2, "daemon"))
        systemd.unit("rm-a.service", { Service = lines })
        systemd.start("rm-a")
        assert.is_nil(systemd.main_pid("rm-a"))
        local processes = pids_of("rm-a", 3)
        assert(session:register { files = file })
        local entry = only(assert(session:list()))
        assert.equal("rm-a", entry.service_name)
        assert.same(processes, pids(entry))
        assert.equal("rm-a", only(assert(session:shutdown()).stopped).service_name)
        for _, pid in ipairs(processes) do
          assert.is_nil(io.open("/proc/" .. pid .. "/stat"))
        end
        assert(session:restart())
        assert.equal("active", systemd.property("rm-a", "ActiveState"))
      end)
    end

    systemd.it("owns what it puts into a group with another service's name", function()
      local script = support.write(folder .. "/delegating", ([[#!/bin/sh
        own=/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)
        mkdir "$own/rm-b.service" && echo $$ > "$own/rm-b.service/cgroup.procs" && exec %s notify READY=1
      ]]):format(systemd.holder("open", file)))
      service("rm-b", {})
      systemd.unit("rm-a.service", { Service = { "Type=notify", "Delegate=yes", "ExecStart=/bin/sh " .. script } })
      systemd.start("rm-a")
      local pid, before = systemd.main_pid("rm-a"), state("rm-b")
      assert.matches("/rm%-a.service/rm%-b.service\n", support.read("/proc/" .. pid .. "/cgroup"))
      assert(session:register { files = file })
      local entry = only(assert(session:list()))
      assert.same({ "rm-a", pid }, { entry.service_name, entry.pid })
      assert(session:shutdown())
      assert.equal("inactive", systemd.property("rm-a", "ActiveState"))
      assert.equal(before, state("rm-b"))
    end)
  end)

  systemd.it("that does not run is listed, and is not started", function()
    systemd.unit("rm-a.service", { Service = { "ExecStart=" .. systemd.holder() } })
    assert(session:register { services = "rm-a" })
    local entry = only(assert(session:list()))
    assert.is_nil(entry.pid)
    assert.is_true(entry.app_status.stopped_other)
    assert.is_nil(entry.app_status.running)
    assert.same({ "service", {}, 0 }, { entry.app_type, entry.processes or {}, #entry.reboot_reasons })
    assert.equal(0, #assert(session:shutdown()).stopped)
    assert.equal(0, #assert(session:restart()).restarted)
    assert.equal("inactive", systemd.property("rm-a", "ActiveState"))
  end)

  systemd.it("beside another one that holds the same file is an entry of its own", function()
    service("rm-a", { "open", file })
    service("rm-b", { "open", file })
    assert(session:register { files = file })
    local list = assert(session:list())
    assert.same({ "rm-a", "rm-b" }, names(list))
    assert.same({ systemd.main_pid("rm-b") }, pids(named(list, "rm-b")))
  end)

  systemd.it("tells who goes down with it, directly or not, and nobody who is down", function()
    service("rm-a", { "open", file })
    service("rm-b", {}, { Unit = { "BindsTo=rm-a.service", "After=rm-a.service" } })
    service("rm-c", {}, { Unit = { "PartOf=rm-a.service" } })
    service("rm-d", {}, { Unit = { "Requires=rm-b.service" } })
    systemd.unit("rm-e.service", { Unit = { "Requires=rm-a.service" }, Service = { "ExecStart=" .. systemd.holder() } })
    service("rm-f", {}, { Unit = { "Wants=rm-a.service", "After=rm-a.service rm-e.service" } })
    assert.matches("rm%-e", systemd.property("rm-a", "RequiredBy"))
    systemd.unit("rm-g.timer", { Timer = { "OnActiveSec=1d", "Unit=rm-a.service" } })
    systemd.start("rm-g.timer")
    assert(session:register { files = file })
    local dependents = only(assert(session:list())).dependents
    table.sort(dependents)
    assert.same({ "rm-b", "rm-c", "rm-d", "rm-g.timer" }, dependents)
  end)

  systemd.it("that was masked meanwhile is not restartable", function()
    service("rm-a", { "open", file })
    systemd.unit("rm-a.service", "") -- as a link to /dev/null is
    assert.equal("masked", systemd.property("rm-a", "LoadState"))
    assert(session:register { files = file })
    local entry = only(assert(session:list()))
    assert.same({ "rm-a", false }, { entry.service_name, entry.restartable })
    assert.is_nil(entry.restart_by)
    assert.matches("masked", entry.note)
  end)

  systemd.it("that is transient is not restartable", function()
    local output, ok = support.shell(("systemd-run --unit=rm-transient --service-type=notify %s notify READY=1 2>&1")
      :format(systemd.holder("open", file)))
    assert(ok, output)
    finally(function()
      systemd.ctl({ "stop", "rm-transient" })
    end)
    assert(session:register { files = file })
    local entry = only(assert(session:list()))
    assert.same({ "service", "rm-transient", false }, { entry.app_type, entry.service_name, entry.restartable })
    assert.is_nil(entry.restart_by)
    assert.matches("transient", entry.note)
    local report, _, code = session:shutdown { only_restartable = true }
    assert.same({ nil, "fail_shutdown" }, { report, code })
    assert.equal("active", systemd.property("rm-transient", "ActiveState"))
  end)

  describe("of a user", function()
    systemd.it("is stopped and started by root through the user's own manager", function()
      local user = systemd.user("lister")
      service("rm-own", { "open", file }, nil, user)
      assert(session:register { files = file })
      local entry = only(assert(session:list()))
      assert.same({ "service", "About rm-own", "rm-own", systemd.main_pid("rm-own", user), user.name },
        { entry.app_type, entry.app_name, entry.service_name, entry.pid, entry.user })
      assert.same({ true, "service", 0 }, { entry.restartable, entry.restart_by, #entry.reboot_reasons })
      assert(session:shutdown())
      assert.equal("inactive", systemd.property("rm-own", "ActiveState", user))
      assert.equal("rm-own", only(assert(session:restart()).restarted).service_name)
      local pid = systemd.main_pid("rm-own", user)
      assert.matches("\nUid:%s+" .. user.uid .. "%s", support.read("/proc/" .. pid .. "/status"))
    end)

    systemd.it("is another one than the system's of the same name", function()
      local user = systemd.user("lister")
      service("rm-both", {})
      service("rm-both", { "open", file }, nil, user)
      assert(session:register { files = file, services = "rm-both" })
      local list = assert(session:list())
      assert.same({ "rm-both", "rm-both" }, names(list))
      assert.equal("root", support.find(list, systemd.main_pid("rm-both")).user)
      assert.equal(user.name, support.find(list, systemd.main_pid("rm-both", user)).user)
      assert.equal(2, #assert(session:shutdown()).stopped)
      assert.same({ "inactive", "inactive" },
        { systemd.property("rm-both", "ActiveState"), systemd.property("rm-both", "ActiveState", user) })
      assert.equal(2, #assert(session:restart()).restarted)
      assert.same({ "active", "active" },
        { systemd.property("rm-both", "ActiveState"), systemd.property("rm-both", "ActiveState", user) })
    end)

    -- Runs a holder of the file through systemd-run; the list's entry of it.
    local function run(user, how, unit)
      local output, ok = user:shell(("systemd-run --user --unit=%s %s %s note %s/%s > /dev/null 2>&1 < /dev/null &")
        :format(unit, how, systemd.holder("open", file), user.home, unit))
      assert(ok, output)
      finally(function()
        systemd.ctl({ "stop", unit }, user)
      end)
      assert(session:register { files = file })
      local entry = support.eventually(function()
        local list = assert(session:list())
        return list[1] and list[1].command[1]:match("holder") and only(list)
      end)
      return assert(entry, "it does not run")
    end

    for how, unit in pairs({ ["--scope"] = "app-x.scope", ["--quiet"] = "app-y.service" }) do
      systemd.it("that is a desktop's application is no service: " .. unit, function()
        local user = systemd.user("lister")
        local entry = run(user, how, unit)
        assert.matches("/" .. unit:gsub("%W", "%%%0") .. "\n", support.read("/proc/" .. entry.pid .. "/cgroup"))
        assert.same({ "unknown", user.name }, { entry.app_type, entry.user })
        assert.is_nil(entry.service_name)
        assert.is_nil(entry.processes)
      end)
    end

    systemd.it("that is transient and no desktop's application is a service", function()
      local entry = run(systemd.user("lister"), "--quiet", "rm-z.service")
      assert.same({ "service", "rm-z", false }, { entry.app_type, entry.service_name, entry.restartable })
    end)
  end)

  describe("that must not be stopped", function()
    systemd.it("since it refuses that is critical", function()
      service("rm-a", { "open", file }, { Unit = { "RefuseManualStop=yes" } })
      service("rm-b", { "open", file })
      local a, b = state("rm-a"), state("rm-b")
      assert(session:register { files = file })
      local reasons, list = refused()
      assert.equal("critical_service", reasons)
      local entry = named(list, "rm-a")
      assert.same({ "critical", "critical_service" }, { entry.app_type, table.concat(entry.reboot_reasons, ",") })
      assert.matches("RefuseManualStop", entry.note)
      assert.equal(0, #named(list, "rm-b").reboot_reasons)
      assert.same({ a, b }, { state("rm-a"), state("rm-b") })
    end)

    for name, why in pairs({ dbus = "the message bus", ["systemd-logind"] = "the login manager",
      ["systemd-journald"] = "the system's journal" }) do
      systemd.it("for the system's sake is critical: " .. name, function()
        systemd.start(name)
        local before, pid = state(name), systemd.main_pid(name)
        local program = support.shell("readlink /proc/" .. pid .. "/exe"):gsub("\n", "")
        local output = elsewhere("", "files", program)
        local entry = ("\n%d\tcritical\t%s\tcritical_service\t%s\n"):format(pid, name, why)
        assert.truthy(("\n" .. output):find(entry, 1, true), output)
        assert.matches("\tfail_noaction_reboot\t350\n", output)
        assert.equal(before, state(name))
      end)
    end

    for dependent, lines in pairs({ ["rm-b"] = { "RefuseManualStop=yes" }, ["hostapd-rm"] = {} }) do
      systemd.it("since a critical one would go down with it is critical, and says so: " .. dependent, function()
        service("rm-a", { "open", file })
        service(dependent, {}, { Unit = { "BindsTo=rm-a.service", "After=rm-a.service", table.unpack(lines) } })
        local a, b = state("rm-a"), state(dependent)
        assert(session:register { files = file })
        local reasons, list = refused()
        assert.equal("critical_service", reasons)
        local entry = only(list)
        assert.same({ "critical", "rm-a" }, { entry.app_type, entry.service_name })
        assert.truthy(entry.note:find(dependent .. ".service", 1, true), entry.note)
        assert.same({ a, b }, { state("rm-a"), state(dependent) })
      end)
    end
  end)

  describe("that carries the installer", function()
    -- Runs the script as the start-post command of a service, beside its main process.
    local function inside(orders, ...)
      local script, out = support.write(folder .. "/script.lua", LIST), folder .. "/out"
      local lines = environment('Environment="%s"')
      table.insert(lines, "StandardOutput=append:" .. out)
      table.insert(lines, "StandardError=append:" .. out)
      table.insert(lines, ("ExecStartPost=/usr/bin/env lua5.4 %s %s"):format(script, table.concat({ ... }, " ")))
      service("rm-carrier", orders, { Service = lines })
      return support.read(out)
    end

    systemd.it("is spared by its main process, the installer's ancestor or not", function()
      local output = inside({ "open", file }, "files", file)
      local pid = systemd.main_pid("rm-carrier")
      assert.matches("\n" .. pid .. "\tcritical\tnil\tdetected_self\t", output)
      assert.matches("\tfail_noaction_reboot\t350\n", output)
      assert.equal("active", systemd.property("rm-carrier", "ActiveState"))
    end)

    systemd.it("has other processes that are applications, and are stopped as such", function()
      local output = inside({ "pass", file }, "files", file)
      local worker, main = output:match("child (%d+)"), systemd.main_pid("rm-carrier")
      assert.matches("\n" .. worker .. "\tunknown\tnil\t\t[^\n]*\n1\tnil\tnil\n", output)
      assert.same({ main }, pids_of("rm-carrier", 1))
      assert.equal("active", systemd.property("rm-carrier", "ActiveState"))
    end)

    systemd.it("is detected_self when it is registered itself", function()
      local output = inside({ "fork", 1 }, "services", "rm-carrier")
      local pid = systemd.main_pid("rm-carrier")
      assert.truthy(output:find("\n" .. pid .. "\tcritical\trm-carrier\tdetected_self\t", 1, true), output)
      assert.matches("\tfail_noaction_reboot\t350\n", output)
      assert.equal(2, #pids_of("rm-carrier", 2))
    end)

    systemd.it("by going down with it, it is detected_self", function()
      service("rm-a", {})
      local before = state("rm-a")
      local output = elsewhere("-p BindsTo=rm-a.service -p After=rm-a.service", "services", "rm-a")
      local pid = systemd.main_pid("rm-a")
      assert.truthy(output:find(pid .. "\tcritical\trm-a\tdetected_self\t", 1, true), output)
      assert.matches("\tfail_noaction_reboot\t350\n", output)
      assert.equal(before, state("rm-a"))
    end)
  end)

  describe("among those who were confirmed", function()
    systemd.it("is stopped, also if it has no process", function()
      service("rm-a", { "open", file })
      systemd.unit("rm-b.service", { Service = { "Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true" } })
      systemd.start("rm-b")
      assert(session:register { files = file, services = "rm-b" })
      local list = assert(session:list())
      assert.is_nil(named(list, "rm-b").pid)
      assert.is_true(named(list, "rm-b").app_status.running)
      assert.same({ "rm-a", "rm-b" }, names(assert(session:shutdown { confirmed = list }).stopped))
      assert.equal("inactive", systemd.property("rm-b", "ActiveState"))
      assert.same({ "rm-a", "rm-b" }, names(assert(session:restart()).restarted))
      assert.equal("active", systemd.property("rm-b", "ActiveState"))
    end)

    systemd.it("and a new process of it is stopped; another one is not", function()
      service("rm-a", { "open", file })
      assert(session:register { files = file })
      local list = assert(session:list())
      support.shell("systemctl restart rm-a")
      service("rm-b", { "open", file })
      local before = state("rm-a") .. state("rm-b")
      local report, _, code, number, untouched = session:shutdown { confirmed = list }
      assert.same({ nil, "more_data", 234 }, { report, code, number })
      assert.equal("rm-b", only(untouched.new).service_name)
      assert.equal(before, state("rm-a") .. state("rm-b"))
      systemd.stop("rm-b")
      assert.equal("rm-a", only(assert(session:shutdown { confirmed = list }).stopped).service_name)
    end)
  end)

  describe("where no manager can be asked", function()
    local SCRIPT = [[
      local rm = require "restartmanager"
      local file = ...
      local session <close> = assert(rm.start())
      local ok, message, code, number = session:register { services = "rm-a", files = file }
      print(ok, code, number, message)
      assert(session:register { files = file })
      for entry in session:affected() do
        print(entry.pid, entry.app_type, entry.service_name, table.concat(entry.reboot_reasons, ","), entry.note)
      end
      local report, _, why = session:shutdown { force = true }
      print(report, why)
    ]]

    local function hidden(mount)
      service("rm-a", { "open", file })
      local before, stranger = state("rm-a"), support.hold("open", file)
      local script = support.write(folder .. "/script.lua", SCRIPT)
      local output, ok = support.shell(("unshare -m sh -c %s sh lua5.4 %s %s 2>&1"):format(
        support.quote(mount .. " && exec \"$@\""), script, file))
      assert.is_true(ok, output)
      local message = assert(output:match("^nil\tnot_supported\t50\t(register: [^\n]+)\n"), output)
      assert.matches("rm%-a", message)
      local entry = ("\n%d\tservice\trm-a\tpermission_denied\t"):format(systemd.main_pid("rm-a"))
      assert.truthy(output:find(entry, 1, true), output)
      assert.matches("^%S+ %S+ %S+", output:match("\tpermission_denied\t([^\n]*)"))
      assert.truthy(output:find(("\n%d\tunknown\tnil\t\t"):format(stranger.pid), 1, true), output)
      assert.matches("\nnil\tfail_noaction_reboot\n$", output)
      assert.equal(before, state("rm-a"))
      assert.is_true(stranger:alive())
    end

    systemd.it("for want of libsystemd cannot be registered, and is said where it holds a file", function()
      local library = support.shell("ldconfig -p"):match("(/%S*/libsystemd%.so%.0)\n")
      hidden("mount --bind /dev/null " .. assert(library, "no libsystemd here"))
    end)

    systemd.it("for want of systemd cannot be registered, and is said where it holds a file", function()
      hidden("mount -t tmpfs tmpfs /run/systemd")
    end)
  end)
end)
