-- The folder where sessions are kept: what is not ours alone is not used, and nothing that stands there is believed.
-- Everything happens where /run and /var/tmp are empty and our own.
local programs = require "spec.linux.support_users"
local support = require "spec.support"

-- What the programs begin with.
local BEGIN = [[
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"
local crc32c = require("spec.support_session").crc32c
local FIRST, SECOND = "/run/restartmanager", "/var/tmp/restartmanager-0"
local KEY = ("0123456789abcdef"):rep(2)

local function sh(command, ...)
  assert(os.execute(command:format(...)))
end

local function exists(path)
  return os.execute("test -e " .. support.quote(path) .. " -o -L " .. support.quote(path)) == true
end

local function listed(key)
  for _, info in ipairs(assert(rm.sessions())) do
    if info.key == key then
      return info
    end
  end
  return nil
end

local function refused(key)
  local _, message, _, number = rm.join(key)
  assert(number == 1219, message or key .. " was joined")
  _, message, _, number = rm.adopt(key)
  assert(number == 1219, message or key .. " was adopted")
  assert(not listed(key), "it is listed")
end

-- A number, the same in every run.
local seed = 42
local function random(limit)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % limit
end

local function noise(length)
  local bytes = {}
  for i = 1, length do
    bytes[i] = string.char(random(256))
  end
  return table.concat(bytes)
end

-- A file of one record with another content, which is as long, and the sum that it needs.
local function forged(file, change)
  local magic, content = string.unpack("<I4", file), file:sub(13)
  assert(crc32c(content) == string.unpack("<I4", file, 9), "the record is made in another way")
  content = change(content)
  return string.pack("<I4I4I4", magic, #content, crc32c(content)) .. content
end

-- Two holders that a session has stopped, and that is left as abandoned. Returns its key and the stage.
local function abandoned()
  local stage = stop.stage()
  for i = 1, 2 do
    stop.hold(stage, "name", "holder-" .. i)
  end
  local session = assert(rm.start { name = "store_spec", restart = { unregistered = true } })
  assert(session:register { files = stage.file })
  assert(session:shutdown())
  local key = session.key
  session = nil
  collectgarbage()
  collectgarbage()
  assert(#listed(key).stopped == 2)
  return key, stage
end

local function finish(stage)
  stop.strike(stage)
  support.cleanup()
end
]]

-- What may stand in the place of the folder PLACE, and what is said of it.
local WRONG = {
  { name = "a link", make = "mkdir -p -m 700 /var/tmp/target && ln -s /var/tmp/target PLACE", words = "symbolic link" },
  { name = "a link to nothing", make = "ln -s /nothing PLACE", words = "symbolic link" },
  { name = "of another owner", make = "mkdir -m 700 PLACE && chown 65534 PLACE", words = "belongs to uid 65534" },
  { name = "readable by others", make = "mkdir -m 755 PLACE", words = "mode 0755" },
  { name = "writable by the group", make = "mkdir -m 730 PLACE", words = "mode 0730" },
  { name = "writable by all", make = "mkdir -m 1777 PLACE", words = "mode 1777" },
  { name = "a file", make = "touch PLACE", words = "not a folder" },
  { name = "a fifo", make = "mkfifo PLACE", words = "not a folder" },
}

describe("the store", function()
  after_each(support.cleanup)

  -- Runs BEGIN and the script apart; it must end well and print nothing.
  local function apart(script, ...)
    local output, ok = programs.apart(BEGIN .. script, ...)
    assert.equal("", output)
    assert.is_true(ok)
  end

  local reason = programs.not_apart()

  local function check(name, run)
    it(name, function()
      if reason then
        return pending(reason)
      end
      return run()
    end)
  end

  check("is made, closed to others, whatever the umask", function()
    apart [[
      sh "rmdir /run/restartmanager 2> /dev/null; true"
      local output = support.shell(("umask 777; lua5.4 -e %s"):format(support.quote(
        "local rm = require 'restartmanager' local s <close> = assert(rm.start()) os.execute('stat -c %a:%u:%n " ..
        "/run/restartmanager /run/restartmanager/' .. s.key .. ' /run/restartmanager/' .. s.key .. '/primary')")))
      output = output:gsub("%x%x%x%x%x%x%x%x+", "KEY")
      assert(output == "700:0:/run/restartmanager\n700:0:/run/restartmanager/KEY\n" ..
        "600:0:/run/restartmanager/KEY/primary\n", output)
    ]]
  end)

  for _, wrong in ipairs(WRONG) do
    check("that is " .. wrong.name .. " is passed over for the next place", function()
      apart([[
        sh("%s", ((...):gsub("PLACE", FIRST)))
        local session = assert(rm.start { name = "store_spec" })
        assert(exists(SECOND .. "/" .. session.key .. "/primary"))
        assert(listed(session.key), "it is not listed")
        local second = assert(rm.join(session.key))
        assert(second:register { files = "/nothing" })
        assert(second:close() and session:close())
        assert(support.shell("ls -A " .. SECOND) == "")
        assert(support.shell("ls -A /var/tmp/target 2> /dev/null") == "", "it was followed")
      ]], wrong.make)
    end)

    check("that is " .. wrong.name .. ", and no next place: says what is wrong with each", function()
      apart([[
        local make, words = ...
        sh("mkdir -m 750 %s", SECOND)
        sh("%s", (make:gsub("PLACE", FIRST)))
        local session, message, code, number = rm.start()
        assert(not session and code == "access_denied" and number == 5, message)
        for _, part in ipairs { FIRST, words, SECOND, "mode 0750" } do
          assert(message:find(part, 1, true), message)
        end
        assert(#assert(rm.sessions()) == 0)
        refused(KEY)
      ]], wrong.make, wrong.words)
    end)

    check("that becomes " .. wrong.name .. " is not believed any more", function()
      apart([[
        local session = assert(rm.start())
        local key = session.key
        assert(listed(key))
        sh("mv %s /run/kept", FIRST)
        sh("%s", ((...):gsub("PLACE", FIRST)))
        sh("test ! -d %s || cp -a /run/kept/* %s/", FIRST, FIRST)
        refused(key)
        sh("rm -rf %s && mv /run/kept %s", FIRST, FIRST)
        assert(listed(key), "it is not listed again")
        assert(session:close())
        assert(support.shell("ls -A " .. FIRST) == "")
      ]], wrong.make)
    end)
  end

  check("is not made in a parent that others can change", function()
    apart [[
      sh("chmod 777 /run /var/tmp")
      local session, message, code = rm.start()
      assert(not session and code == "access_denied", message)
      assert(message:find("'/run'", 1, true) and message:find("'/var/tmp'", 1, true), message)
    ]]
  end)

  check("that cannot be written to is told as that", function()
    apart [[
      sh("mount -o remount,ro /run && mount -o remount,ro /var/tmp")
      local session, message, _, number = rm.start()
      assert(not session and (number == 29 or number == 5), message)
      assert(message:find(FIRST, 1, true) and message:find(SECOND, 1, true), message)
      sh("mount -o remount,rw,nr_inodes=3 /run") -- the folder fits, what is in it does not
      session, message, _, number = rm.start()
      assert(not session and number == 29 and message:find(FIRST, 1, true), message)
      assert(support.shell("ls -A " .. FIRST) == "")
    ]]
  end)

  check("holds garbage: none of it is a session, and it does no harm", function()
    apart [[
      sh("mkdir -m 700 %s %s", FIRST, SECOND)
      local keys = {}
      local function key()
        keys[#keys + 1] = ("%032x"):format(#keys + 10)
        return FIRST .. "/" .. keys[#keys]
      end
      local function folder()
        local path = key()
        sh("mkdir -m 700 %s", path)
        return path
      end
      local living = assert(rm.start())
      local real = FIRST .. "/" .. living.key
      for i = 1, 20 do
        support.write(FIRST .. "/" .. noise(12):gsub("[%z/]", "_"), noise(100))
      end
      support.write(FIRST .. "/.new-1-2", "")
      sh("mkdir -m 700 '%s/.new-%d-1-x' %s/.new-x %s/.old-x %s/.old-", FIRST, rm.self().pid, FIRST, FIRST, FIRST)
      sh("mkdir -p %s/.old-deep/deeper", FIRST)
      support.write(key(), noise(50))                              -- a file
      sh("ln -s %s %s", real, key())                               -- a link to a real one
      sh("mkfifo %s", key())
      folder()                                                     -- empty
      sh("cp -a %s/. %s && chmod 755 %s", real, folder(), FIRST .. "/" .. keys[#keys])
      sh("cp -a %s/. %s && chown 65534 %s", real, folder(), FIRST .. "/" .. keys[#keys])
      sh("cp -a %s/. %s && chown 65534 %s/primary", real, folder(), FIRST .. "/" .. keys[#keys])
      sh("ln -s %s/primary %s/primary", real, folder())
      sh("mkfifo -m 600 %s/primary", folder())
      sh("mkdir -m 700 %s/primary", folder())
      for _, length in ipairs { 0, 1, 12, 100, 4095, 4096, 4097, 100000 } do
        support.write(folder() .. "/primary", noise(length))
        support.write(FIRST .. "/" .. keys[#keys] .. "/journal", noise(length))
        support.write(FIRST .. "/" .. keys[#keys] .. "/resources-" .. length, noise(length))
      end
      local primary = support.read(real .. "/primary")
      support.write(folder() .. "/primary", primary:rep(4096))     -- too long
      support.write(folder() .. "/primary", primary:sub(1, 4) .. ("\xff"):rep(8) .. primary:sub(13)) -- a huge length
      for _, garbage in ipairs(keys) do
        assert(#garbage == 32)
        refused(garbage)
      end
      assert(listed(living.key) and #rm.sessions() == 1)
      local more = assert(rm.start())
      assert(#rm.sessions() == 2)
      assert(more:close() and living:close())
      assert(not exists(FIRST .. "/.old-x"), "it has not been swept")
      assert(#assert(rm.recover { name = "store_spec" }) == 0)
    ]]
  end)

  check("does not believe a 'primary' that is cut off or changed anywhere", function()
    apart [[
      local session = assert(rm.start { name = "store_spec" })
      local path = FIRST .. "/" .. session.key .. "/primary"
      local whole = support.read(path)
      for length = 0, #whole - 1 do
        support.write(path, whole:sub(1, length))
        assert(not listed(session.key), length)
        assert(select(4, rm.join(session.key)) == 1219, length)
        assert(select(4, rm.adopt(session.key)) == 1219, length)
        support.write(path, whole:sub(1, length) .. string.char(whole:byte(length + 1) ~ 1 << random(8)) ..
          whole:sub(length + 2))
        assert(not listed(session.key), length)
        assert(select(4, rm.join(session.key)) == 1219, length)
      end
      support.write(path, whole)
      assert(listed(session.key))
      assert(rm.join(session.key)):close()
      assert(session:close())
    ]]
  end)

  check("survives a journal that is cut off or changed anywhere", function()
    apart [[
      local key, stage = abandoned()
      local folder, copy = FIRST .. "/" .. key, "/run/copy"
      sh("cp -a %s %s", folder, copy)
      local whole = support.read(folder .. "/journal")
      local function try(content)
        sh("rm -rf %s && cp -a %s %s", folder, copy, folder)
        support.write(folder .. "/journal", content)
        local info = listed(key)
        assert(not info or info.abandoned and #info.stopped <= 2)
        local session = assert(rm.adopt(key))
        assert(#assert(session:list()) <= 2)
        assert(session:close { leave_stopped = true })
        assert(not exists(folder))
      end
      for _ = 1, 25 do
        local at = random(#whole)
        try(whole:sub(1, at))
        try(whole:sub(1, at) .. string.char(whole:byte(at + 1) ~ 1 << random(8)) .. whole:sub(at + 2))
        try(noise(at))
      end
      try(whole .. noise(100))
      try(whole .. whole)
      assert(#stop.starts(stage) == 2, "somebody was started")
      -- The same, whole, brings them back; garbage at the end, and in the place of a launch record, does not hinder it.
      sh("rm -rf %s && cp -a %s %s", folder, copy, folder)
      support.write(folder .. "/journal", whole .. noise(100))
      support.write(folder .. "/start-0", noise(40))
      support.write(folder .. "/start-1", "")
      support.write(folder .. "/start-7", noise(5000))
      assert(#listed(key).stopped == 2)
      local session = assert(rm.adopt(key))
      assert(#assert(session:restart()).restarted == 2)
      assert(session:close())
      assert(support.eventually(function() return #stop.starts(stage) == 4 end))
      finish(stage)
      assert(support.shell("ls -A " .. FIRST) == "")
    ]]
  end)

  check("reads of 'resources-...' what is whole, and only that", function()
    apart [[
      local session = assert(rm.start())
      local folder = FIRST .. "/" .. session.key
      assert(session:register { files = "/some/file" })
      assert(session:register { files = "/some/other" })
      local name = support.shell("ls " .. folder .. " | grep ^resources-"):gsub("\n$", "")
      local whole = support.read(folder .. "/" .. name)
      local function files()
        local found = {}
        for resource in session:resources() do
          found[#found + 1] = resource.file
        end
        return table.concat(found, " ")
      end
      assert(files() == "/some/file /some/other")
      for length = 0, #whole - 1 do
        support.write(folder .. "/" .. name, whole:sub(1, length))
        assert(files() == (length < #whole // 2 and "" or length < #whole and "/some/file" or nil), length)
      end
      for _ = 1, 100 do
        local at = random(#whole)
        support.write(folder .. "/" .. name, whole:sub(1, at) .. string.char(whole:byte(at + 1) ~ 1 << random(8)) ..
          whole:sub(at + 2))
        local found = files()
        assert(found == "" or found == "/some/file", found)
      end
      support.write(folder .. "/" .. name, whole .. noise(200))
      for length = 0, 3000, 500 do
        support.write(folder .. "/resources-" .. length, noise(length))
      end
      assert(files() == "/some/file /some/other")
      assert(#assert(session:list()) == 0)
      assert(session:register { files = "/some/third" })
      -- What is no plain file of ours is refused in words, and nobody waits for it.
      for _, make in ipairs { "mkfifo -m 600 %s", "mkdir -m 700 %s", "ln -s /etc/passwd %s",
        "touch %s && chown 65534 %s" } do
        sh(make:gsub("%%s", folder .. "/resources-x"))
        local list, message, code = session:list()
        assert(not list and code == "access_denied" and message:find("resources-x", 1, true), message)
        sh("rm -rf %s/resources-x", folder)
      end
      assert(session:list())
      assert(session:close())
    ]]
  end)

  check("does not follow a 'lock' or a 'journal' that is a link", function()
    apart [[
      local key, stage = abandoned()
      local folder = FIRST .. "/" .. key
      support.write("/run/outside", "outside")
      sh("rm -f %s/lock && ln -s /run/outside %s/lock", folder, folder)
      local session, _, code = rm.adopt(key)
      assert(not session and code == "access_denied", code)
      sh("rm %s/lock && mv %s/journal /run/journal && ln -s /run/journal %s/journal", folder, folder, folder)
      assert(not listed(key))
      session, _, code = rm.adopt(key)
      assert(not session and code == "access_denied", code)
      sh("rm %s/journal && mv /run/journal %s/journal", folder, folder)
      session = assert(rm.adopt(key))
      assert(#assert(session:restart()).restarted == 2)
      assert(session:close())
      assert(support.read("/run/outside") == "outside")
      finish(stage)
    ]]
  end)

  check("removes a session of another boot", function()
    apart [[
      local key, stage = abandoned()
      local folder = FIRST .. "/" .. key
      local primary = support.read(folder .. "/primary")
      local boot = support.read("/proc/sys/kernel/random/boot_id"):gsub("\n", "")
      local other = boot:gsub("^.", boot:sub(1, 1) == "0" and "1" or "0")
      support.write(folder .. "/primary", forged(primary, function(content)
        local from, to = content:find(boot, 1, true)
        return content:sub(1, from - 1) .. other .. content:sub(to + 1)
      end))
      assert(select(4, rm.adopt(key)) == 1219)
      assert(exists(folder))
      assert(not listed(key))
      assert(not exists(folder), "it is still there")
      finish(stage)
    ]]
  end)

  check("keeps to itself a session of another pid namespace, living or dead", function()
    apart [[
      local folder = support.folder()
      local script = support.write(folder .. "/script.lua", [=[
        local rm = require "restartmanager"
        local session = assert(rm.start { name = "store_spec" })
        io.write("key ", session.key, " ", rm.self().pid, "\n")
        io.stdout:flush()
        if io.read() then
          session:close()
        else
          os.exit(true, false)
        end
      ]=])
      local function start()
        local out = os.tmpname()
        local pipe = assert(io.popen("exec unshare --pid --fork --mount-proc lua5.4 " .. script .. " > " .. out, "w"))
        local key = support.eventually(function()
          return support.read(out):match("key (%x+) 1\n")
        end)
        os.remove(out)
        return assert(key, "no session in the other namespace"), pipe
      end
      local key, pipe = start()
      assert(exists(FIRST .. "/" .. key))
      refused(key)
      assert(rm.start()):close()
      assert(exists(FIRST .. "/" .. key), "it was swept")
      pipe:write("\n")
      assert(pipe:close())
      assert(not exists(FIRST .. "/" .. key))
      key, pipe = start()
      assert(pipe:close())
      assert(exists(FIRST .. "/" .. key))
      refused(key)
      assert(#assert(rm.recover { name = "store_spec" }) == 0)
      support.cleanup()
    ]]
  end)
end)
