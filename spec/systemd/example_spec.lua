-- examples/update_service.lua, as a person runs it. SPDX-License-Identifier: MIT
local stop = require "spec.support_stop"
local support = require "spec.support"
local systemd = require "spec.support_systemd"

local EXAMPLE = support.source .. "/examples/update_service.lua"
local USAGE = "usage: lua5.4 update_service.lua SERVICE FILE NEW_FILE\n"
-- Killed when the old file is about to be replaced.
local KILLED = [[os.rename = function() os.execute "kill -KILL $PPID" end]]

local function words(...)
  local quoted = {}
  for i, word in ipairs({ ... }) do
    quoted[i] = support.quote(word)
  end
  return table.concat(quoted, " ")
end

-- Runs it: its output, and its exit status (128 + N: ended by signal N).
local function update(...)
  local text, _, _, status = support.shell(words("lua5.4", EXAMPLE, ...) .. " 2>&1")
  return text, status
end

-- One space between words, N for a number, and nothing of what cannot be seen from this machine.
local function plain(text)
  return (text:gsub("not complete:[^\n]*\n", ""):gsub("[ \t]+", " "):gsub("%d+", "N"))
end

local function inode(path)
  return support.shell("stat -L -c %i " .. words(path))
end

local function running(user)
  return inode(("/proc/%d/exe"):format(systemd.main_pid("rm-a", user)))
end

describe("the example update_service", function()
  local folder, program, new

  before_each(function()
    if not systemd.here then
      return
    end
    folder = support.folder()
    program, new = folder .. "/program", folder .. "/it's version 2"
    support.shell(("chmod 755 %s; cp %s %s; cp %s %s; printf x >> %s"):format(folder,
      words(support.build .. "/holder"), words(program), words(program), words(new), words(new)))
  end)

  after_each(systemd.cleanup)

  -- Its program is rm-a's; rm-b goes down with it.
  local function start(user, more)
    systemd.unit("rm-a.service", {
      Unit = { "Description=Application A", more },
      Service = { "ExecStart=" .. program .. " nopdeath" },
    }, user)
    systemd.unit("rm-b.service", {
      Unit = { "BindsTo=rm-a.service", "After=rm-a.service" },
      Service = { "ExecStart=" .. systemd.holder() },
    }, user)
    systemd.start("rm-b", user)
  end

  -- What tells whether somebody has touched them.
  local function state()
    local keys = {}
    for i, name in ipairs { "rm-a", "rm-b" } do
      keys[i] = systemd.property(name, "ActiveState") .. " " .. systemd.property(name, "InvocationID")
    end
    return table.concat(keys, " ")
  end

  local function are_up(user)
    assert.same({ "active", "active" }, { systemd.property("rm-a", "ActiveState", user),
      systemd.property("rm-b", "ActiveState", user) })
    assert.is_nil(io.open(program .. ".prepared"))
  end

  it("is short and says how it is used", function()
    local _, lines = support.read(EXAMPLE):gsub("\n", "")
    assert.is_true(lines < 60)
    for count = 0, 2 do
      local text, status = update(table.unpack({ "rm-a", "/tmp/file" }, 1, count))
      assert.same({ USAGE, 2 }, { text, status })
    end
  end)

  systemd.it("updates the program of a service, and tells what it does", function()
    start()
    local wanted = inode(program)
    assert.equal(wanted, running())
    local text, status = update("rm-a", program, new)
    assert.equal(([[
NAME PID TYPE STATUS USE PATH
rm-a N service running exec %s
stopping rm-a also stops rm-b
ask rm-b
ask rm-a
stopped rm-b
stopped rm-a
restarted rm-a (pid N), now pid N
restarted rm-b (pid N), now pid N
]]):format(plain(program)), (plain(text):gsub("wait [^\n]*\n", ""))) -- who is quick is not waited for
    assert.equal(0, status)
    assert.not_equal(wanted, inode(program))
    assert.equal(inode(program), running())
    assert.equal(support.read(new), support.read(program))
    are_up()
  end)

  systemd.it("stops and starts other programs that use the file, too", function()
    start()
    local stage = stop.stage()
    support.shell(words("systemd-run", "--quiet", "--scope", support.build .. "/holder", "nopdeath", "until",
      stage.flag, "note", stage.note, "open", program) .. " > /dev/null 2>&1 < /dev/null &")
    assert(support.eventually(function()
      return #stop.starts(stage) == 1
    end))
    local text, status = update("rm-a.service", program, new)
    assert.equal(0, status)
    assert.matches("\nrestarted +holder %(pid %d+%), now pid %d+\n", text)
    support.eventually(function()
      return #stop.starts(stage) == 2
    end)
    local first, second = table.unpack(stop.starts(stage))
    assert.same({ false, true }, { stop.alive(first), stop.alive(second) })
    stop.strike(stage)
    are_up()
  end)

  systemd.it("touches nobody if the new file is missing", function()
    start()
    local before, content = state(), support.read(program)
    local text, status = update("rm-a", program, new .. " of another name")
    assert.matches("version 2 of another name cannot be copied\n$", text)
    assert.equal(1, status)
    assert.equal(before, state())
    assert.equal(content, support.read(program))
    are_up()
  end)

  systemd.it("has the service up again if the file cannot be replaced", function()
    start()
    local before = state()
    support.shell("mkdir " .. words(folder .. "/data"))
    local text, status = update("rm-a", folder .. "/data", new)
    assert.matches("\nstopped\trm%-a\n[^\n]*/data cannot be replaced: Is a directory\n$", text)
    assert.equal(1, status)
    assert.not_equal(before, state())
    assert.is_nil(io.open(folder .. "/data.prepared"))
    are_up()
  end)

  systemd.it("brings the service back that a killed one has left down, then updates", function()
    start()
    local old = inode(program)
    local text = support.shell(words("lua5.4", "-e", KILLED, EXAMPLE, "rm-a", program, new) .. " 2>&1")
    assert.matches("\nstopped\trm%-a\n", text)
    assert.equal("inactive", systemd.property("rm-a", "ActiveState"))
    local status
    text, status = update("rm-a", program, new)
    local first, rest = plain(text):match("^(.-\n)(NAME .*)$")
    assert.equal([[
brought back after an update that did not end:
restarted rm-a (pid N), now pid N
restarted rm-b (pid N), now pid N
]], first)
    assert.matches("\nrestarted rm%-a %(pid N%), now pid N\n", rest)
    assert.equal(0, status)
    assert.not_equal(old, running())
    are_up()
  end)

  systemd.it("tells if the new program does not start", function()
    start()
    support.write(new, "no program")
    local text, status = update("rm-a", program, new)
    assert.matches("could not be started: .*journalctl %-u rm%-a", text)
    assert.equal(1, status)
  end)

  systemd.it("touches nobody if the service must not be stopped", function()
    start(nil, "RefuseManualStop=yes")
    local before = state()
    local text, status = update("rm-a", program, new)
    assert.matches("\na reboot would be needed: critical_service\n", text)
    assert.equal(1, status)
    assert.equal(before, state())
    are_up()
  end)

  describe("run by an ordinary user", function()
    -- As update() does.
    local function update_as(user, ...)
      local text = user:shell(words("lua5.4", EXAMPLE, ...) .. "; echo status $?")
      local said, status = text:match("^(.*)status (%d+)\n$")
      return said, math.tointeger(status)
    end

    systemd.it("updates a service of that user's", function()
      local user = systemd.user()
      start(user)
      assert(os.rename(new, program .. ".new")) -- as many call it
      support.shell(("chown -R %s %s"):format(user.name, folder))
      local text, status = update_as(user, "rm-a", program, program .. ".new")
      assert.matches("restarted +rm%-a %(pid %d+%), now pid %d+\n", text)
      assert.equal(0, status)
      assert.equal(inode(program), running(user))
      assert.equal(support.read(program .. ".new"), support.read(program))
      are_up(user)
    end)

    systemd.it("touches none of the system's, and says why", function()
      start()
      local user, before = systemd.user(), state()
      support.shell(("chown -R %s %s"):format(user.name, folder))
      local text, status = update_as(user, "rm-a", program, new)
      assert.matches("\na reboot would be needed: permission_denied\n", text)
      assert.equal(1, status)
      assert.equal(before, state())
      are_up()
    end)
  end)
end)
