-- What the specs about sessions share: Lua programs of their own, in the background, as another user, and in a mount
-- namespace whose /run and /var/tmp are empty. SPDX-License-Identifier: MIT
local support = require "spec.support"

local programs = {}

programs.LIMIT = 30 -- seconds after which a program is killed, whatever it does
programs.OTHER = 65534 -- another user

local PLACES = { "/run/restartmanager", "/var/tmp/restartmanager-0" } -- root's

local function words(...)
  local quoted = {}
  for i, word in ipairs({ ... }) do
    quoted[i] = support.quote(word)
  end
  return table.concat(quoted, " ")
end

-- Seconds of the system's life: a clock that goes on while a process waits.
function programs.now()
  return tonumber(support.read("/proc/uptime"):match("^%S+"))
end

-- ---- In the background ----

local running = {}
local Program = {}
Program.__index = Program

function Program:output()
  local file = io.open(self.out, "rb")
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end

-- Waits until it has said something that matches; returns the captures.
function Program:says(pattern)
  local found = support.eventually(function()
    local captures = table.pack(self:output():match(pattern))
    return captures[1] and captures
  end)
  assert(found, ("it did not say %q but: %s"):format(pattern, self:output()))
  return table.unpack(found, 1, found.n)
end

-- Ends its input, waits for its end; returns what io.close says of it.
function Program:close()
  if self.pipe then
    self.ended = table.pack(self.pipe:close())
    self.pipe = nil
  end
  return table.unpack(self.ended, 1, self.ended.n)
end

local function start(command)
  local out = support.folder() .. "/out"
  local pipe = assert(io.popen(("exec timeout -s KILL %d %s > %s 2>&1"):format(programs.LIMIT, command, out), "w"))
  local program = setmetatable({ pipe = pipe, out = out }, Program)
  running[#running + 1] = program
  return program
end

-- Starts a Lua program that is to end when its input does.
function programs.start(script, ...)
  local path = support.write(support.folder() .. "/script.lua", script)
  return start("lua5.4 " .. words(path, ...))
end

-- For after_each, before support.cleanup.
function programs.cleanup()
  for _, program in ipairs(running) do
    program:close()
  end
  running = {}
end

-- ---- Who we are ----

local function is_root()
  return support.shell("id -u") == "0\n"
end

local AS_OTHER = ("setpriv --reuid %d --regid %d --clear-groups lua5.4 "):format(programs.OTHER, programs.OTHER)

-- Runs a Lua program as another user; the output, and how it ended.
function programs.as_other(script, ...)
  local path = support.write(support.folder() .. "/script.lua", script) -- which is not for him to read
  return support.shell(("timeout -s KILL %d %s - %s < %s 2>&1"):format(programs.LIMIT, AS_OTHER, words(...), path))
end

-- Starts one, without arguments, that is to end when its input does.
function programs.start_as_other(script)
  return start(AS_OTHER .. "-e " .. support.quote(script))
end

-- Why as_other cannot be used; nil: it can.
function programs.no_other()
  if not is_root() then
    return "needs root, to be another user"
  end
  local output, ok = programs.as_other([[require "restartmanager"]])
  if not ok then
    return "another user cannot load the module here: " .. output
  end
  return nil
end

-- The other user's folder.
programs.other_place = "/var/tmp/restartmanager-" .. programs.OTHER

-- Removes the other user's folder if nothing is in it.
function programs.clean_other()
  os.execute(("rmdir %s/registered %s 2> /dev/null"):format(programs.other_place, programs.other_place))
end

-- ---- A place of our own ----

local PRIVATE = "mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /var/tmp && exec \"$@\""

-- Runs a Lua program as root where /run and /var/tmp are empty and its own; its output, and how it ended.
function programs.apart(script, ...)
  local path = support.write(support.folder() .. "/script.lua", script)
  return support.shell(("timeout -s KILL %d unshare -m sh -c %s sh lua5.4 %s 2>&1"):format(programs.LIMIT,
    support.quote(PRIVATE), words(path, ...)))
end

-- Why `apart` cannot be used; nil: it can.
function programs.not_apart()
  if not is_root() then
    return "needs root, for a mount namespace"
  end
  local folder = support.build .. "/"
  if folder:match("^/run/") or folder:match("^/var/tmp/") then
    return "the build is in a folder that would be hidden"
  end
  local output, ok = programs.apart([[require "restartmanager"]])
  if not ok then
    return "no mount namespace here: " .. output
  end
  return nil
end

-- ---- What is stored ----

-- The sum that the stored records carry.
function programs.crc32c(bytes)
  local crc = 0xFFFFFFFF
  for i = 1, #bytes do
    crc = crc ~ bytes:byte(i)
    for _ = 1, 8 do
      crc = crc & 1 == 1 and crc >> 1 ~ 0x82F63B78 or crc >> 1
    end
  end
  return ~crc & 0xFFFFFFFF
end

-- The places where this user's sessions can be.
function programs.places()
  if is_root() then
    return PLACES
  end
  local uid = support.shell("id -u"):gsub("\n", "")
  return { "/run/user/" .. uid .. "/restartmanager", "/var/tmp/restartmanager-" .. uid }
end

-- The session's folder in the store, with whatever name; nil: nothing of it is there.
function programs.stored(key)
  for _, place in ipairs(programs.places()) do
    local found = support.shell(("find %s -maxdepth 1 -name '*%s*' 2> /dev/null"):format(place, key)):gsub("\n$", "")
    if found ~= "" then
      return found
    end
  end
  return nil
end

-- Whether it goes: another process may be about to remove it.
function programs.gone(key)
  return support.eventually(function()
    return not programs.stored(key)
  end)
end

-- The session in rm.sessions().
function programs.listed(key)
  local rm = require "restartmanager"
  for _, info in ipairs(assert(rm.sessions())) do
    if info.key == key then
      return info
    end
  end
  return nil
end

return programs
