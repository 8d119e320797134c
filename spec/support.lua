-- What the specs share on every system: temporary folders, the `holder` program, Lua programs, waiting with a limit.
-- What differs from system to system is in spec/support_linux.lua and spec/support_windows.lua, and found here by the
-- same names. SPDX-License-Identifier: MIT
local support = require(package.config:sub(1, 1) == "\\" and "spec.support_windows" or "spec.support_linux")

support.build = assert(os.getenv("RSM_BUILD"), "RSM_BUILD must name the build folder")
support.source = os.getenv("RSM_SOURCE") or "."
support.LIMIT = 5 -- seconds that anything may take
support.on_windows = support.NAME == "windows"

function support.read(path)
  return (assert(support.contents(path), path .. ": cannot be read"))
end

-- A file's text, with line ends as Lua has them.
function support.text(path)
  return (support.read(path):gsub("\r\n", "\n"))
end

-- Is a file there?
function support.exists(path)
  return support.contents(path) ~= nil
end

function support.append(path, text)
  return support.write(path, support.read(path) .. text)
end

-- The folder of lua.h that the module was built with.
function support.lua_headers()
  return support.read(support.build .. "/CMakeCache.txt"):match("\nLUA_INCDIR:[^=]*=([^\n]*)")
end

-- Calls what() until it is true, for at most `limit` seconds; returns its value.
function support.eventually(what, limit)
  local last = support.now() + (limit or support.LIMIT)
  repeat
    local value = what()
    if value then
      return value
    end
    support.sleep(support.on_windows and 0.02 or 0.05)
  until support.now() > last
  return what()
end

-- ---- What a spec has made and must not leave behind ----

local running, folders = {}, {}

function support.folder()
  local path = support.new_folder()
  assert(path:match("^%a?:?[/\\].+[/\\].+"), "no temporary folder")
  folders[#folders + 1] = path
  return path
end

-- A program that ends when its input does. `out` is where its output goes.
local Program = {}
Program.__index = Program

function Program:output()
  return (support.contents(self.out) or ""):gsub("\r\n", "\n"), nil
end

-- Waits until it has said something that matches; returns the captures.
function Program:says(pattern)
  local found = support.eventually(function()
    local captures = table.pack(self:output():match(pattern))
    return captures[1] and captures
  end, 2 * support.LIMIT)
  assert(found, ("it did not say %q but: %s"):format(pattern, self:output()))
  return table.unpack(found, 1, found.n)
end

function Program:tell(text)
  self.started:write(text)
end

function Program:alive()
  return support.alive(self.pid)
end

-- Ends its input, waits for its end; returns what io.close says of it.
function Program:close()
  if self.started then
    self.ended = table.pack(self.started:close())
    self.started = nil
  end
  return table.unpack(self.ended, 1, self.ended.n)
end

-- Takes care of what support.start_words, or on Linux support.start_line, has started.
function support.keep(started, out)
  local program = setmetatable({ started = started, out = out }, Program)
  running[#running + 1] = program
  return program
end

-- Starts a program: { PROGRAM, WORD... }, with what start_words knows besides.
function support.start(words)
  words.out = words.out or support.join(support.folder(), "out")
  return support.keep(support.start_words(words), words.out)
end

-- Waits until a holder is ready, and knows its pid.
function support.ready(holder)
  holder.pid = math.tointeger((holder:says("ready (%d+)")))
  return holder
end

-- Starts `holder` with these commands ("open", path, ...) and waits until it is ready.
function support.hold(...)
  return support.ready(support.start { support.program "holder", ... })
end

-- Ends every program that was started.
function support.end_programs()
  local ours = running
  running = {}
  for _, program in ipairs(ours) do
    program:close()
  end
end

-- For after_each: ends every program, removes every folder. What cannot be removed is raised, once all others are gone.
function support.cleanup()
  local made, problem = folders, nil
  folders = {}
  support.end_programs()
  for _, folder in ipairs(made) do
    local ok, message = pcall(support.remove_tree, folder)
    problem = problem or not ok and message or nil
  end
  collectgarbage()
  if problem then
    error(problem, 0)
  end
end

-- ---- Lua programs ----

local function lua_words(script, ...)
  return { support.LUA, support.write(support.join(support.folder(), "script.lua"), script), ... }
end

-- A running Lua of its own; the file's text as script, the rest as its arguments. Returns its output and how it ended.
function support.lua(script, ...)
  return support.lua_with({}, script, ...)
end

-- The same with variables of the environment: NAME = value, or false: without it.
function support.lua_with(set, script, ...)
  local words = lua_words(script, ...)
  words.set, words.limit = set, 6 * support.LIMIT
  local program = support.start(words)
  local ok, how, number = program:close()
  return program:output(), ok, how, number
end

-- Starts one that is to end when its input does.
function support.start_lua(script, ...)
  local words = lua_words(script, ...)
  words.limit = 6 * support.LIMIT
  return support.start(words)
end

-- ---- Asserting ----

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
