-- Applications that an installer starts again: under systemd each is in a scope of its own, and lives on when the
-- installer's unit ends with all that is in it. SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"
local systemd = require "spec.support_systemd"

local UNIT = "rm-installer.service"

-- An installer that is a unit: FILE NEW STAY [WHEN [DELAY]]. It stops who uses FILE, renames NEW over it, starts them
-- again and, ordered to, stays. WHEN: "shutdown N" or "restart N" (its Nth event) or "between": it is killed then, or,
-- with a DELAY, so many seconds later.
local INSTALLER = [[
  local rm = require "restartmanager"
  local file, new, stay, when, delay = ...
  local function say(...)
    io.write(table.concat({ ... }, "\t"), "\n")
    io.stdout:flush()
  end
  local function uptime()
    return tonumber(io.open("/proc/uptime"):read("a"):match("^%S+"))
  end
  local function die_at(moment)
    if moment == when then
      os.execute(("%s kill -KILL %d %s"):format(delay and "(sleep " .. delay .. ";" or "", rm.self().pid,
        delay and ") > /dev/null 2>&1 < /dev/null &" or ""))
    end
  end
  local function counter(phase)
    local count = 0
    return function()
      count = count + 1
      die_at(phase .. " " .. count)
    end
  end
  local session = assert(rm.start { name = "scope_spec", restart = { unregistered = true } })
  say("key", session.key)
  assert(session:register { files = file })
  for entry in session:affected() do
    say("uses", entry.pid, entry.service_name or "no service")
  end
  assert(session:shutdown { timeout = 3, on_event = counter "shutdown" })
  die_at "between"
  assert(os.rename(new, file))
  local began = uptime()
  local report = assert(session:restart { on_event = counter "restart" })
  for _, entry in ipairs(report.left_stopped) do
    say("left", entry.pid, entry.why, entry.note or "no note")
  end
  for _, entry in ipairs(report.restarted) do
    say("restarted", entry.pid, entry.restarted_as.pid, entry.note or "no note", uptime() - began)
  end
  assert(session:close())
  say("done", ".")
  while stay == "stay" or delay do
    os.execute "sleep 0.05"
  end
]]

local SETTINGS = { "PATH", "LUA_PATH", "LUA_CPATH", "ASAN_OPTIONS" }

local function words(...)
  local quoted = {}
  for i, word in ipairs({ ... }) do
    quoted[i] = support.quote(word)
  end
  return table.concat(quoted, " ")
end

-- A process' control group among those of systemd, and whose it is.
local function place(pid)
  return support.read(("/proc/%d/cgroup"):format(pid)):match("0::([^\n]*)")
end

local function user_of(pid)
  return math.tointeger(support.read(("/proc/%d/status"):format(pid)):match("\nUid:%s+%d+%s+(%d+)"))
end

describe("an application that is started again", function()
  local stage, script

  before_each(function()
    if not systemd.here then
      return
    end
    stage = stop.stage()
    script = support.write(stage.folder .. "/script.lua", INSTALLER)
    stage.new, stage.output = stage.folder .. "/new", stage.folder .. "/output"
    support.write(stage.new, "version 2")
    support.shell(("chmod 777 %s; chmod 666 %s %s"):format(stage.folder, stage.note, stage.file))
  end)

  after_each(function()
    if stage then
      systemd.ctl { "stop", UNIT }
      stop.strike(stage)
    end
    systemd.cleanup()
  end)

  -- ---- Applications and installers ----

  -- Starts a holder of the file; `how` are the words before its command. Its pid.
  local function application(how, user)
    local count = #stop.starts(stage)
    local command = ("setsid %s %s > /dev/null 2>&1 < /dev/null &"):format(how, words(support.build .. "/holder",
      "nopdeath", "until", stage.flag, "note", stage.note, "open", stage.file))
    if user then
      user:shell(command)
    else
      support.shell(command)
    end
    return assert(support.eventually(function()
      return stop.starts(stage)[count + 1]
    end), "it does not start")
  end

  -- Starts an installer in a unit of its own. of: user (whose manager has it; nil: the system's), options (more of
  -- systemd-run's); the rest goes to the script.
  local function install(of, ...)
    local line = { "systemd-run", of.user and "--user" or "--system", "--quiet", "--collect", "--unit=" .. UNIT, "-p",
      "KillMode=control-group", "-p", "StandardOutput=append:" .. stage.output, "-p",
      "StandardError=append:" .. stage.output, table.unpack(of.options or {}) }
    for _, name in ipairs(SETTINGS) do
      line[#line + 1] = os.getenv(name) and "--setenv=" .. name .. "=" .. os.getenv(name)
    end
    table.move({ "lua5.4", script, stage.file, stage.new, ... }, 1, 20, #line + 1, line)
    local shell = of.user and function(command)
      return of.user:shell(command)
    end or support.shell
    local output, ok = shell(words(table.unpack(line)) .. " 2>&1")
    assert(ok, output)
  end

  local function output()
    local file = io.open(stage.output)
    local text = file and file:read("a") or ""
    if file then
      file:close()
    end
    return text
  end

  -- Waits until the installer has said something that matches; returns the captures.
  local function says(pattern)
    local found = support.eventually(function()
      local captures = table.pack(output():match(pattern))
      return captures[1] and captures
    end, systemd.LIMIT)
    assert(found, ("it did not say %q but: %s"):format(pattern, output()))
    return table.unpack(found, 1, found.n)
  end

  -- Has an installer stop it and start it again: its pid, its control group, its note, how many seconds that took.
  local function updated(pid, of)
    local uid = user_of(pid)
    install(of or {}, "stay")
    says("(done)")
    assert.same({ pid .. "\tno service" }, { says("uses\t([^\n]*)") })
    local before, back, note, seconds = says("restarted\t(%d+)\t(%d+)\t([^\n]*)\t(%S+)\n")
    back = math.tointeger(back)
    assert.equal(pid, math.tointeger(before))
    assert.is_false(stop.alive(pid))
    support.eventually(function()
      return #stop.starts(stage) == 2
    end)
    assert.same({ pid, back }, stop.starts(stage))
    assert.equal(uid, user_of(back))
    assert.equal("version 2", support.read(stage.file))
    return back, place(back), note, tonumber(seconds)
  end

  -- The same; then ends the installer's unit and looks whether it lives on in a scope of its own below this folder.
  local function lives_on(pid, folder, of)
    local back, group, note = updated(pid, of)
    local user = of and of.user
    systemd.stop(UNIT, user)
    assert.is_true(stop.alive(back), "it has ended with the installer: " .. group)
    assert.same({ pid, back }, stop.starts(stage))
    assert.equal(("%s/app-restartmanager-holder-%d.scope"):format(folder, back), place(back))
    assert.equal("no note", note)
    return back
  end

  local function home(user)
    return ("/user.slice/user-%d.slice/user@%d.service/app.slice"):format(user.uid, user.uid)
  end

  -- What else a login keeps running; the user's slice, which goes with the last of it.
  local function logged_in(user)
    local slice = ("user-%d.slice"):format(user.uid)
    systemd.unit("rm-login.service", { Service = { "Slice=" .. slice, "ExecStart=" .. systemd.holder() } })
    systemd.start("rm-login")
    return slice
  end

  -- ---- Where it is ----

  describe("of an ordinary user, is in a scope of the user's own manager", function()
    local user

    before_each(function()
      user = systemd.here and systemd.user()
    end)

    systemd.it("if it was in one of them, and is the user's", function()
      lives_on(application("systemd-run --user --scope --quiet", user), home(user))
    end)

    systemd.it("if it was a desktop's application", function()
      local how = "systemd-run --user --scope --quiet --unit=app-editor-17.scope"
      lives_on(application(how, user), home(user))
      assert.equal("inactive", systemd.property("app-editor-17.scope", "ActiveState", user))
    end)

    systemd.it("if it was elsewhere", function()
      lives_on(application("systemd-run --scope --quiet --uid=" .. user.uid), home(user))
    end)

    systemd.it("if its own user is the installer, in a unit of that manager", function()
      lives_on(application("systemd-run --user --scope --quiet", user), home(user), { user = user })
    end)

    systemd.it("if its own user is the installer, in a unit of the system's", function()
      local of = { options = { "--uid=" .. user.uid, "--setenv=XDG_RUNTIME_DIR=/run/user/" .. user.uid } }
      lives_on(application("systemd-run --user --scope --quiet", user), home(user), of)
    end)
  end)

  describe("of a user without a manager", function()
    local alone

    before_each(function()
      alone = systemd.here and systemd.user("alone")
      if alone then
        systemd.stop(("user@%d.service"):format(alone.uid))
      end
    end)

    systemd.it("is in a scope of the system's, below the user's slice while somebody else is there", function()
      local slice = logged_in(alone)
      lives_on(application(("systemd-run --scope --quiet --uid=%d --slice=%s"):format(alone.uid, slice)),
        "/user.slice/" .. slice)
    end)

    systemd.it("is in a scope of the system's, if it was elsewhere", function()
      lives_on(application("systemd-run --scope --quiet --uid=" .. alone.uid), "/system.slice")
    end)

    systemd.it("is in the installer's group, and its note says so, if that is the user", function()
      local pid = application(("systemd-run --scope --quiet setpriv --reuid %d --regid %d --init-groups"):format(
        alone.uid, alone.uid)) -- systemd-run would leave it root's groups
      local back, group, note = updated(pid, { options = { "--uid=" .. alone.uid } })
      assert.same({ "/system.slice/" .. UNIT, "in the installer's group" }, { group, note })
      systemd.stop(UNIT)
      assert.is_false(stop.alive(back)) -- which is what the note warns of
    end)
  end)

  describe("of root", function()
    systemd.it("is in a scope of the system's", function()
      lives_on(application("systemd-run --scope --quiet"), "/system.slice")
    end)

    systemd.it("is in a scope of the system's, below root's slice, if it was in a login", function()
      local slice = logged_in { uid = 0 }
      lives_on(application("systemd-run --scope --quiet --slice=" .. slice), "/user.slice/" .. slice)
    end)

    describe("who has a manager, too", function()
      before_each(function()
        if systemd.here then
          systemd.start("user@0.service")
        end
      end)

      after_each(function()
        if systemd.here then
          systemd.stop("user@0.service")
        end
      end)

      systemd.it("is in a scope of that one, if it was in a login", function()
        lives_on(application("env XDG_RUNTIME_DIR=/run/user/0 systemd-run --user --scope --quiet"),
          home { uid = 0 })
      end)

      systemd.it("is in a scope of the system's, if it was elsewhere: that one ends with the last login", function()
        local pid = lives_on(application("systemd-run --scope --quiet"), "/system.slice")
        systemd.stop("user@0.service")
        assert.is_true(stop.alive(pid))
      end)
    end)
  end)

  -- ---- How long ----

  describe("while the user's manager does not answer,", function()
    local user, manager

    before_each(function()
      user = systemd.here and systemd.user()
      manager = user and systemd.main_pid(("user@%d.service"):format(user.uid))
    end)

    after_each(function()
      if manager then
        support.shell("kill -CONT " .. manager)
        assert(user:shell("systemctl --user is-system-running --wait"))
      end
    end)

    systemd.it("comes back where it was, and lives on when that manager wakes", function()
      local pid = application("systemd-run --user --scope --quiet --unit=app-editor-18.scope", user)
      support.shell("kill -STOP " .. manager)
      local back, group, note, seconds = updated(pid)
      assert.same({ home(user) .. "/app-editor-18.scope", "no note" }, { group, note })
      assert.is_true(seconds < 4)
      systemd.stop(UNIT)
      support.shell("kill -CONT " .. manager)
      assert(user:shell("systemctl --user is-system-running --wait"))
      assert.is_true(stop.alive(back))
    end)

    systemd.it("comes back in the installer's group, and its note says so, if its own is gone", function()
      local pid = application("systemd-run --scope --quiet --uid=" .. user.uid)
      support.shell("kill -STOP " .. manager)
      local _, group, note, seconds = updated(pid)
      assert.same({ "/system.slice/" .. UNIT, "in the installer's group" }, { group, note })
      assert.is_true(seconds < 4)
    end)
  end)

  local function scopes(user)
    return (systemd.ctl({ "list-units", "--all", "--plain", "--no-legend", "app-restartmanager-*" }, user))
  end

  systemd.it("takes its scope with it when it ends, in whatever way", function()
    local user = systemd.user()
    local pid = lives_on(application("systemd-run --user --scope --quiet", user), home(user))
    assert.matches("app%-restartmanager%-holder%-" .. pid, scopes(user))
    support.shell("kill -KILL " .. pid)
    assert.truthy(support.eventually(function()
      return scopes(user) == ""
    end), scopes(user))
  end)

  -- ---- Once ----

  describe("comes back exactly once when the installer was killed", function()
    local function expect_once(when, delay)
      local pid = application("systemd-run --scope --quiet")
      install({}, "end", when, delay)
      local key = says("key\t(%x+)")
      systemd.wait(UNIT, "inactive")
      assert.is_nil(delay == nil and output():match("done") or nil)
      local adopted = rm.adopt(key)
      if adopted then
        assert(adopted:restart())
        assert(adopted:close())
      end
      local starts, running
      support.eventually(function()
        starts, running = stop.starts(stage), {}
        for _, started in ipairs(starts) do
          running[#running + 1] = stop.alive(started) and started or nil
        end
        return #running > 0
      end)
      assert.same({ starts[#starts] }, running)
      assert.equal(stop.alive(pid) and 1 or 2, #starts)
      local group = place(running[1])
      stop.strike(stage)
      assert.same(starts, stop.starts(stage))
      return group
    end

    for _, when in ipairs { "shutdown 1", "shutdown 2", "shutdown 3", "between", "restart 1", "restart 2" } do
      systemd.it("at " .. when, function()
        assert.matches("^/system.slice/app%-restartmanager%-", expect_once(when))
      end)
    end

    for _, delay in ipairs { "0.000", "0.004", "0.015" } do
      systemd.it(delay .. " s after restart began, at a moment that nobody chose", function()
        expect_once("restart 1", delay)
      end)
    end
  end)
end)
