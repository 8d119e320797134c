-- What the specs share: temporary folders, the `holder` program, waiting with a limit.
-- SPDX-License-Identifier: MIT
local support = {}

support.build = assert(os.getenv("RSM_BUILD"), "RSM_BUILD must name the build folder")
support.source = os.getenv("RSM_SOURCE") or "."
support.LIMIT = 5 -- seconds that anything may take

function support.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

-- Runs a shell command; its output, and whether it succeeded with how.
function support.shell(command)
  local pipe = assert(io.popen(command, "r"))
  local output = pipe:read("a")
  local ok, how, number = pipe:close()
  return output, ok, how, number
end

function support.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end

function support.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text or ""))
  assert(file:close())
  return path
end

-- The folder of lua.h that the module was built with.
function support.lua_headers()
  return support.read(support.build .. "/CMakeCache.txt"):match("\nLUA_INCDIR:[^=]*=([^\n]*)")
end

-- Calls what() until it is true, for at most `limit` seconds; returns its value.
function support.eventually(what, limit)
  local last = os.time() + (limit or support.LIMIT)
  repeat
    local value = what()
    if value then
      return value
    end
    os.execute("sleep 0.05")
  until os.time() > last
  return what()
end

-- ---- What a spec has made and must not leave behind ----

local holders, folders = {}, {}

function support.folder()
  local path = support.shell("mktemp -d"):gsub("\n$", "")
  path = support.shell("realpath " .. support.quote(path)):gsub("\n$", "")
  assert(path:match("^/.+/.+"), "no temporary folder")
  folders[#folders + 1] = path
  return path
end

local Holder = {}
Holder.__index = Holder

function Holder:alive()
  local file = io.open(("/proc/%d/stat"):format(self.pid), "rb")
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text and not text:match("^.*%) [ZX]") and true or false
end

-- Ends it by the end of its input; waits for it.
function Holder:close()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
  end
end

-- Starts `holder` with these commands ("open", path, ...) and waits until it is ready.
function support.hold(...)
  local words = {}
  for i, word in ipairs({ ... }) do
    words[i] = support.quote(word)
  end
  local out = support.folder() .. "/out"
  local program = support.quote(support.build .. "/holder")
  local command = ("exec %s %s > %s 2>&1"):format(program, table.concat(words, " "), support.quote(out))
  local holder = setmetatable({ pipe = assert(io.popen(command, "w")), out = out }, Holder)
  holders[#holders + 1] = holder
  local ready = support.eventually(function()
    local file = io.open(out, "rb")
    local pid = file and file:read("a"):match("ready (%d+)")
    if file then
      file:close()
    end
    return pid
  end)
  holder.pid = math.tointeger(ready)
  assert(holder.pid, "holder: " .. support.read(out))
  return holder
end

-- For after_each: ends every holder, removes every folder.
function support.cleanup()
  for _, holder in ipairs(holders) do
    holder:close()
  end
  for _, folder in ipairs(folders) do
    os.execute("rm -rf -- " .. support.quote(folder))
  end
  holders, folders = {}, {}
  collectgarbage()
end

-- A running Lua of its own; the file's text as script, the rest as its arguments. Returns its output and how it ended.
function support.lua(script, ...)
  local path = support.write(support.folder() .. "/script.lua", script)
  local words = { "lua5.4", support.quote(path) }
  for _, word in ipairs({ ... }) do
    words[#words + 1] = support.quote(word)
  end
  return support.shell(table.concat(words, " ") .. " 2>&1")
end

-- The error that a call raises, as text.
function support.raised(fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "nothing was raised")
  return tostring(message)
end

-- The list's entry of a pid.
function support.find(list, pid)
  for _, entry in ipairs(list) do
    if entry.pid == pid then
      return entry
    end
  end
  return nil
end

return support
