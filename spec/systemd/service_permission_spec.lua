-- Services and rights: what an ordinary user may do to whose services, and root to a user's.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local support = require "spec.support"
local systemd = require "spec.support_systemd"

-- Lists who uses a resource (KIND NAME), stops them, says what state UNIT is in then, brings them back: a line each.
-- HOW is "--user" for a unit of the user's own manager, else empty.
local SCRIPT = [[
  local rm = require "restartmanager"
  local kind, name, how, unit = ...
  local session <close> = assert(rm.start())
  local ok, message, code = session:register { [kind] = name }
  if not ok then
    print("register", code, message)
    return
  end
  for entry in session:affected() do
    print("entry", entry.service_name, entry.app_type, table.concat(entry.reboot_reasons, ","), entry.note)
  end
  local report, _, code, number = session:shutdown { service_timeout = 5, force = true }
  print("shutdown", report and #report.stopped or "nil", code, number)
  print("state", (io.popen("systemctl show -P ActiveState " .. how .. " " .. unit):read()))
  report = session:restart()
  print("restart", report and #report.restarted)
]]

local function state(name, user)
  local keys = { "ActiveState", "MainPID", "InvocationID" }
  for i, key in ipairs(keys) do
    keys[i] = systemd.property(name, key, user)
  end
  return table.concat(keys, " ")
end

-- Seconds of the system's life.
local function now()
  return tonumber(support.read("/proc/uptime"):match("^%S+"))
end

-- A line of the script's output, without its first word.
local function line(output, word)
  return (assert(("\n" .. output):match("\n" .. word .. "\t([^\n]*)"), output))
end

describe("a service and", function()
  local folder, file, user

  before_each(function()
    if not systemd.here then
      return
    end
    user = systemd.user("somebody")
    folder = support.folder()
    support.shell("chmod 755 " .. folder)
    file = support.write(folder .. "/file", "version 1")
  end)

  after_each(systemd.cleanup)

  -- A service that holds the file, of the system or of a user. lines: for its section [Service].
  local function service(name, lines, of)
    local orders = systemd.holder("open", file, "notify", "READY=1")
    systemd.unit(name .. ".service", { Service = { "Type=notify", "ExecStart=" .. orders, table.unpack(lines) } }, of)
    systemd.start(name, of)
    return name
  end

  local function run(as, ...)
    local output, ok = as:lua(SCRIPT, ...)
    assert.is_true(ok, output)
    return output
  end

  describe("an ordinary user", function()
    for _, kind in ipairs({ "services", "files" }) do
      systemd.it("stops nothing that polkit does not allow: by " .. kind, function()
        service("rm-a", { "User=" .. user.name })
        local before = state("rm-a")
        local output = run(user, kind, kind == "files" and file or "rm-a", "", "rm-a")
        assert.matches("^rm%-a\tservice\tpermission_denied\twe may not stop it: %S+ %S+", line(output, "entry"))
        assert.equal("nil\tfail_noaction_reboot\t350", line(output, "shutdown"))
        assert.equal(before, state("rm-a"))
      end)
    end

    systemd.it("stops and starts the one unit that polkit allows, and no other", function()
      local rule = support.write("/etc/polkit-1/rules.d/40-rm.rules", ([[polkit.addRule(function(action, subject) {
        if (action.id == "org.freedesktop.systemd1.manage-units" && action.lookup("unit") == "rm-a.service"
            && subject.user == "%s") return polkit.Result.YES; });]]):format(user.name))
      finally(function()
        os.remove(rule)
        systemd.ctl({ "restart", "polkit" })
      end)
      systemd.ctl({ "restart", "polkit" })
      service("rm-a", {})
      service("rm-b", {})
      local a, b = state("rm-a"), state("rm-b")
      local output = run(user, "services", "rm-a", "", "rm-a")
      assert.matches("^rm%-a\tservice\t\t", line(output, "entry"))
      assert.same({ "1\tnil\tnil", "inactive", "1" },
        { line(output, "shutdown"), line(output, "state"), line(output, "restart") })
      assert.not_equal(a, state("rm-a"))
      assert.equal("active", systemd.property("rm-a", "ActiveState"))
      output = run(user, "services", "rm-b", "", "rm-b")
      assert.matches("^rm%-b\tservice\tpermission_denied\t", line(output, "entry"))
      assert.equal("nil\tfail_noaction_reboot\t350", line(output, "shutdown"))
      assert.equal(b, state("rm-b"))
    end)

    for _, kind in ipairs({ "services", "files" }) do
      systemd.it("stops and starts a service of their own: by " .. kind, function()
        service("rm-own", {}, user)
        local before = state("rm-own", user)
        local output = run(user, kind, kind == "files" and file or "rm-own", "--user", "rm-own")
        assert.matches("^rm%-own\tservice\t\tnil$", line(output, "entry"))
        assert.same({ "1\tnil\tnil", "inactive", "1" },
          { line(output, "shutdown"), line(output, "state"), line(output, "restart") })
        assert.equal("active", systemd.property("rm-own", "ActiveState", user))
        assert.not_equal(before, state("rm-own", user))
      end)
    end

    systemd.it("means the system's where there are two of one name", function()
      service("rm-both", {})
      service("rm-both", {}, user)
      local system, own = state("rm-both"), state("rm-both", user)
      local output = run(user, "services", "rm-both", "", "rm-both")
      assert.matches("^rm%-both\tservice\tpermission_denied\t", line(output, "entry"))
      assert.same({ system, own }, { state("rm-both"), state("rm-both", user) })
    end)

    systemd.it("neither knows nor stops another user's", function()
      local other = systemd.user("stranger")
      service("rm-own", {}, other)
      local before = state("rm-own", other)
      local output = run(user, "services", "rm-own", "", "rm-own")
      assert.matches("^service_does_not_exist\t.*rm%-own", line(output, "register"))
      output = run(user, "files", file, "", "rm-own") -- whose holder cannot be looked into
      assert.not_matches("\nentry", "\n" .. output)
      assert.equal(before, state("rm-own", other))
    end)
  end)

  describe("root", function()
    local session

    before_each(function()
      session = systemd.here and assert(rm.start { name = "service_permission_spec" })
    end)

    after_each(function()
      if session then
        session:close { leave_stopped = true }
      end
    end)

    local function listed()
      local list = assert(session:list())
      local found = {}
      for _, entry in ipairs(list) do
        found[(entry.user or "") .. " " .. (entry.service_name or entry.app_name)] = entry
      end
      return found, list
    end

    systemd.it("stops and starts several users' and the system's at once", function()
      local other = systemd.user("stranger")
      service("rm-a", {})
      service("rm-own", {}, user)
      service("rm-own", {}, other)
      assert(session:register { files = file })
      local found, list = listed()
      assert.same({ 3, 0 }, { #list, #list.reboot_reasons })
      assert.equal(systemd.main_pid("rm-own", user), found[user.name .. " rm-own"].pid)
      assert.equal(systemd.main_pid("rm-own", other), found[other.name .. " rm-own"].pid)
      assert.equal(3, #assert(session:shutdown()).stopped)
      local function states()
        return { systemd.property("rm-a", "ActiveState"), systemd.property("rm-own", "ActiveState", user),
          systemd.property("rm-own", "ActiveState", other) }
      end
      assert.same({ "inactive", "inactive", "inactive" }, states())
      assert.equal(3, #assert(session:restart()).restarted)
      assert.same({ "active", "active", "active" }, states())
    end)

    systemd.it("waits a bounded time for a user's manager that is stopped, and says so", function()
      local other = systemd.user("stranger")
      service("rm-a", {})
      service("rm-own", {}, user)
      service("rm-other", {}, other)
      local before, pid = state("rm-own", user), systemd.main_pid("rm-own", user)
      local application, manager = support.hold("open", file), systemd.main_pid(("user@%d.service"):format(user.uid))
      assert(session:register { files = file })
      support.shell("kill -STOP " .. manager)
      finally(function()
        support.shell("kill -CONT " .. manager)
      end)
      local started = now()
      local found, list = listed()
      assert.is_true(now() - started < 8)
      support.shell("kill -CONT " .. manager)
      assert.same({ 4, "permission_denied" }, { #list, table.concat(list.reboot_reasons, ",") })
      local entry = found[user.name .. " rm-own"]
      assert.same({ pid, "service", "permission_denied", false },
        { entry.pid, entry.app_type, table.concat(entry.reboot_reasons, ","), entry.restartable })
      assert.matches("did not answer in time", entry.note)
      for name, wanted in pairs({ ["root rm-a"] = "rm-a", [other.name .. " rm-other"] = "rm-other" }) do
        entry = found[name]
        assert.same({ wanted, "service", true, 0 },
          { entry.service_name, entry.app_type, entry.restartable, #entry.reboot_reasons })
      end
      entry = support.find(list, application.pid)
      assert.same({ "unknown", 0 }, { entry.app_type, #entry.reboot_reasons })
      assert.equal(before, state("rm-own", user))
    end)

    systemd.it("takes a service for running whose manager does not answer", function()
      systemd.unit("rm-own.service", { Service = { "ExecStart=" .. systemd.holder() } }, user)
      systemd.start("rm-own", user)
      local before = state("rm-own", user)
      local output = user:lua([[
        local rm = require "restartmanager"
        local session = assert(rm.start())
        assert(session:register { services = "rm-own" })
        os.execute("kill -STOP " .. arg[1])
        local report, _, code = session:shutdown()
        os.execute("kill -CONT " .. arg[1])
        print(report, code)
        session:close()]], systemd.main_pid(("user@%d.service"):format(user.uid)))
      assert.equal("nil\tfail_noaction_reboot\n", output)
      assert.equal(before, state("rm-own", user))
    end)
  end)
end)
