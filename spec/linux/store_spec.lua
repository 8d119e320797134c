-- The folder where sessions are kept: what is not ours alone is not used, and nothing that stands there is believed.
-- Everything happens where /run and /var/tmp are empty and our own.
local programs = require "spec.linux.support_users"
local support = require "spec.support"

-- What the programs begin with.
local BEGIN = [[
local rm = require "restartmanager"
local programs = require "spec.support_session"
local stop = require "spec.support_stop"
local support = require "spec.support"
local FIRST, SECOND = "/run/restartmanager", "/var/tmp/restartmanager-0"

local function sh(command, ...)
  assert(os.execute(command:format(...)))
end

local function exists(path)
  return os.execute("test -e " .. support.quote(path) .. " -o -L " .. support.quote(path)) == true
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
        assert(programs.listed(session.key), "it is not listed")
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
        programs.refused(("0123456789abcdef"):rep(2))
      ]], wrong.make, wrong.words)
    end)

    check("that becomes " .. wrong.name .. " is not believed any more", function()
      apart([[
        local session = assert(rm.start())
        local key = session.key
        assert(programs.listed(key))
        sh("mv %s /run/kept", FIRST)
        sh("%s", ((...):gsub("PLACE", FIRST)))
        sh("test ! -d %s || cp -a /run/kept/* %s/", FIRST, FIRST)
        programs.refused(key)
        sh("rm -rf %s && mv /run/kept %s", FIRST, FIRST)
        assert(programs.listed(key), "it is not listed again")
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

  check("holds what is no plain file or folder of ours: none of it is a session", function()
    apart [[
      local living = assert(rm.start())
      local real = FIRST .. "/" .. living.key
      local keys = {}
      local function key()
        keys[#keys + 1] = ("%032x"):format(#keys + 10)
        return FIRST .. "/" .. keys[#keys]
      end
      local function copy()
        local path = key()
        sh("cp -a %s %s", real, path)
        return path
      end
      support.write(FIRST .. "/no UTF-8 \xff\xfe\n", "")
      sh("ln -s %s %s", real, key())
      sh("mkfifo %s", key())
      sh("chmod 755 %s", copy())
      sh("chown 65534 %s", copy())
      sh("chown 65534 %s/primary", copy())
      sh("ln -sf %s/primary %s/primary", real, copy())
      sh("rm %s/primary && mkfifo -m 600 %s/primary", copy(), FIRST .. "/" .. keys[#keys])
      for _, one in ipairs(keys) do
        programs.refused(one)
      end
      assert(programs.listed(living.key) and #rm.sessions() == 1)
      assert(living:close())
    ]]
  end)

  check("refuses in words 'resources-...' that are no plain files of ours, and waits for none", function()
    apart [[
      local session <close> = assert(rm.start())
      local path = ("%s/%s/resources-x"):format(FIRST, session.key)
      for _, make in ipairs { "mkfifo -m 600 %s", "ln -s /etc/passwd %s", "touch %s && chown 65534 %s" } do
        sh(make:gsub("%%s", path))
        local list, message, code = session:list()
        assert(not list and code == "access_denied" and message:find("resources-x", 1, true), message)
        sh("rm " .. path)
      end
      assert(session:list())
    ]]
  end)

  check("does not follow a 'lock' or a 'journal' that is a link", function()
    apart [[
      local stage = stop.stage()
      local key = programs.abandoned(stage, "store_spec", 2)
      local folder = FIRST .. "/" .. key
      support.write("/run/outside", "outside")
      sh("rm -f %s/lock && ln -s /run/outside %s/lock", folder, folder)
      local session, _, code = rm.adopt(key)
      assert(not session and code == "access_denied", code)
      sh("rm %s/lock && mv %s/journal /run/journal && ln -s /run/journal %s/journal", folder, folder, folder)
      assert(not programs.listed(key))
      session, _, code = rm.adopt(key)
      assert(not session and code == "access_denied", code)
      sh("rm %s/journal && mv /run/journal %s/journal", folder, folder)
      session = assert(rm.adopt(key))
      assert(#assert(session:restart()).restarted == 2)
      assert(session:close())
      assert(support.read("/run/outside") == "outside")
      stop.strike(stage)
      support.cleanup()
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
      programs.refused(key)
      assert(rm.start()):close()
      assert(exists(FIRST .. "/" .. key), "it was swept")
      pipe:write("\n")
      assert(pipe:close())
      assert(not exists(FIRST .. "/" .. key))
      key, pipe = start()
      assert(pipe:close())
      assert(exists(FIRST .. "/" .. key))
      programs.refused(key)
      assert(#assert(rm.recover { name = "store_spec" }) == 0)
      support.cleanup()
    ]]
  end)
end)
