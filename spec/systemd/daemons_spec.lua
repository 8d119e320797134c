-- Daemons as Debian ships them: nginx with its workers, redis-server with its data and without privileges, cron with a
-- job that does not go down with it. SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local support = require "spec.support"
local systemd = require "spec.support_systemd"

local NGINX, LOG = "/usr/sbin/nginx", "/var/log/nginx/error.log"
local MODULE = "/usr/lib/nginx/modules/ngx_http_echo_module.so"
local REQUEST = [[exec 3<>/dev/tcp/127.0.0.1/80 && printf 'HEAD / HTTP/1.0\r\n\r\n' >&3 && head -n 1 <&3]]

-- What nginx answers on the loopback: "200 OK".
local function answer()
  return support.shell(("timeout 5 bash -c %s 2>&1"):format(support.quote(REQUEST))):match("^HTTP/%S+ (.-)\r?\n$")
end

local function redis(...)
  local words = { "timeout", "5", "redis-cli", ... }
  return (support.shell(table.concat(words, " ") .. " 2>&1"):gsub("\n$", ""))
end

local function inode(path)
  return (support.shell("stat -L -c %i " .. path):gsub("\n", ""))
end

local function program_of(unit)
  return inode(("/proc/%d/exe"):format(systemd.main_pid(unit)))
end

local function pids_of(unit)
  local pids = {}
  local group = systemd.property(unit, "ControlGroup")
  for pid in support.read("/sys/fs/cgroup" .. group .. "/cgroup.procs"):gmatch("%d+") do
    pids[#pids + 1] = math.tointeger(pid)
  end
  table.sort(pids)
  return pids
end

-- All that says what a process may do, and as whom.
local function rights(pid)
  local lines = {}
  for line in support.read(("/proc/%d/status"):format(pid)):gmatch("[^\n]+") do
    local key = line:match("^[%a_]+")
    if key:match("^[UG]id$") or key:match("^Cap") or key:match("^No") or key == "Groups" or key == "Seccomp" then
      lines[#lines + 1] = line
    end
  end
  lines[#lines + 1] = support.shell(("cat /proc/%d/limits"):format(pid))
  return table.concat(lines, "\n")
end

-- What tells whether somebody has touched it.
local function state(unit)
  return systemd.property(unit, "ActiveState") .. " " .. systemd.property(unit, "InvocationID")
end

local function names(list)
  local found = {}
  for i, entry in ipairs(list) do
    found[i] = entry.service_name or entry.app_name
  end
  table.sort(found)
  return found
end

local function only(list)
  assert.equal(1, #list, tostring(list))
  return list[1]
end

describe("Debian's daemon", function()
  local session

  before_each(function()
    session = systemd.here and assert(rm.start { name = "daemons_spec" })
  end)

  after_each(function()
    if session then
      session:close { leave_stopped = true }
    end
    if os.remove("/etc/cron.d/job") then -- the job outlives a stop
      systemd.ctl { "kill", "--signal=KILL", "cron" }
      systemd.ctl { "restart", "cron" }
    end
    systemd.cleanup()
  end)

  local installed = {} -- by package: the unit

  -- Like systemd.it, with these packages installed and their daemons running.
  local function with(packages, name, body)
    systemd.it(name, function()
      for _, package in ipairs(packages) do
        local reason
        if installed[package] then
          systemd.start(installed[package])
        else
          installed[package], reason = systemd.install(package)
        end
        if not installed[package] then
          pending(reason)
        end
      end
      body()
    end)
  end

  -- A new version of nginx's program in the place of the old one: the new inode.
  local function replace_nginx()
    local new = NGINX .. ".new"
    local output, ok = support.shell(("cp -p %s %s && printf x >> %s && mv -f %s %s 2>&1"):format(NGINX, new, new, new,
      NGINX))
    assert(ok, output)
    return inode(NGINX)
  end

  describe("nginx", function()
    local function it(name, body)
      with({ "nginx-light" }, name, body)
    end

    for how, path in pairs { exec = NGINX, open = LOG, map = MODULE } do
      it("is one application, master and workers, behind a file that it has by " .. how, function()
        local entry = only(assert(rm.who(path)))
        assert.same({ "nginx", "service", "service" }, { entry.service_name, entry.app_type, entry.restart_by })
        assert.equal("A high performance web server and a reverse proxy server", entry.app_name)
        assert.equal(systemd.main_pid("nginx"), entry.pid)
        local pids = {}
        for i, process in ipairs(entry.processes) do
          pids[i] = process.pid
        end
        table.sort(pids)
        assert.is_true(#pids > 1)
        assert.same(pids_of("nginx"), pids)
        assert.same({ how, path }, { entry.uses[1].how, entry.uses[1].path })
      end)
    end

    it("runs the old program until it is started again, then the new one", function()
      assert(session:register { files = NGINX })
      local old, new = inode(NGINX), replace_nginx()
      assert.equal(old, program_of("nginx"))
      local entry = only(assert(session:list()))
      assert.same({ "nginx", true }, { entry.service_name, entry.uses[1].deleted })
      assert.equal("nginx", only(assert(session:shutdown { service_timeout = 8 }).stopped).service_name)
      assert.equal("inactive", systemd.property("nginx", "ActiveState"))
      assert.is_nil(answer())
      assert.equal(0, #assert(rm.who(NGINX)))
      local back = only(assert(session:restart()).restarted)
      assert.equal(systemd.main_pid("nginx"), back.restarted_as.pid)
      assert.equal(new, program_of("nginx"))
      assert.equal("200 OK", answer())
      assert.is_false(only(assert(session:list())).uses[1].deleted)
    end)

    it("is kept by a filter on its program, also when that has been replaced", function()
      assert(session:register { files = { NGINX, LOG } })
      assert(session:add_filter { exe = NGINX, action = "no_shutdown" })
      for _ = 1, 2 do
        local before = state("nginx")
        local report = assert(session:shutdown { force = true })
        assert.same({ 0, { "nginx" } }, { #report.stopped, names(report.kept) })
        assert.equal(before, state("nginx"))
        assert.equal("200 OK", answer())
        replace_nginx()
      end
    end)

    it("is left stopped by a filter on its program, until the filter goes", function()
      local filter = { exe = NGINX, action = "no_restart" }
      assert(session:register { services = "nginx" })
      assert(session:add_filter(filter))
      assert(session:shutdown { service_timeout = 8 })
      local left = only(assert(session:restart()).left_stopped)
      assert.same({ "nginx", "restart_masked" }, { left.service_name, left.why })
      assert.equal("inactive", systemd.property("nginx", "ActiveState"))
      assert(session:remove_filter(filter))
      assert.same({ "nginx" }, names(assert(session:restart()).restarted))
      assert.equal("200 OK", answer())
    end)
  end)

  with({ "redis-server" }, "redis-server keeps its data, its user and its lack of privileges", function()
    assert.equal("OK", redis("set", "fruit", "pear"))
    local pid = systemd.main_pid("redis-server")
    local before = rights(pid)
    assert.matches("\nCapEff:\t0+\n", before)
    assert(session:register { files = "/usr/bin/redis-server" })
    local stopped = only(assert(session:shutdown { service_timeout = 8 }).stopped)
    assert.same({ "redis-server", pid }, { stopped.service_name, stopped.pid })
    assert.is_nil(io.open(("/proc/%d/stat"):format(pid)))
    assert.not_equal("pear", redis("get", "fruit"))
    local back = only(assert(session:restart()).restarted).restarted_as.pid
    assert.equal("pear", redis("get", "fruit"))
    assert.not_equal(pid, back)
    assert.equal(systemd.main_pid("redis-server"), back)
    assert.equal(before, rights(back))
  end)

  describe("cron", function()
    -- A job that runs now, and holds the file: its pid.
    local function job(file)
      local command = systemd.holder("open", file):gsub('"', "")
      support.write("/etc/cron.d/job", "@reboot root " .. command .. "\n")
      os.remove("/run/crond.reboot") -- else those jobs were run
      systemd.ctl { "restart", "cron" }
      return assert(support.eventually(function()
        for _, pid in ipairs(pids_of "cron") do
          if support.read(("/proc/%d/comm"):format(pid)) == "holder\n" then
            return pid
          end
        end
        return nil
      end), systemd.journal("cron"))
    end

    local function it(name, body)
      with({ "cron" }, name, function()
        body(support.write(support.folder() .. "/file"))
      end)
    end

    it("is not down while a job of it runs on, and comes back beside it", function(file)
      local pid = job(file)
      assert(session:register { files = file })
      local entry = only(assert(session:list()))
      assert.same({ "cron", systemd.main_pid("cron") }, { entry.service_name, entry.pid })
      local _, _, code, number, report = session:shutdown { service_timeout = 0.3 }
      assert.same({ "fail_shutdown", 351 }, { code, number })
      assert.matches("left some of its processes", only(report.alive).error.message)
      assert.equal("inactive", systemd.property("cron", "ActiveState"))
      assert.equal("cron", only(assert(session:close()).restarted).service_name)
      assert.equal("active", systemd.property("cron", "ActiveState"))
      assert.is_truthy(support.find(assert(rm.who(file))[1].processes, pid))
    end)

    it("is down by force, its job too, which is not run again", function(file)
      local pid = job(file)
      assert(session:register { files = file })
      assert.same({ "cron" }, names(assert(session:shutdown { service_timeout = 0.3, force = true }).stopped))
      assert.is_nil(io.open(("/proc/%d/stat"):format(pid)))
      assert.same({ "cron" }, names(assert(session:restart()).restarted))
      assert.same({ systemd.main_pid("cron") }, pids_of("cron"))
    end)
  end)

  local ALL = { "nginx-light", "redis-server", "cron" }
  with(ALL, "and two more go down in one shutdown and are up after one restart, and nothing else changes", function()
    local before = systemd.active()
    assert(session:register { files = NGINX, services = { "redis", "cron.service" } })
    local wanted = { "cron", "nginx", "redis-server" }
    assert.same(wanted, names(assert(session:shutdown { service_timeout = 8 }).stopped))
    for _, unit in ipairs(wanted) do
      assert.equal("inactive", systemd.property(unit, "ActiveState"))
    end
    assert.same(wanted, names(assert(session:restart()).restarted))
    assert.equal(before, systemd.active())
    assert.same({ "200 OK", "PONG" }, { answer(), redis("ping") })
    assert.is_true(session:close())
  end)
end)
