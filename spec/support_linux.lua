-- What spec/support.lua stands on, on Linux: a shell and /proc. spec/support_windows.lua has the same names.
-- SPDX-License-Identifier: MIT
local linux = {}

linux.NAME = "linux"
linux.LUA = "lua5.4" -- the interpreter, to be found in PATH
linux.GRACE = 0.3 -- seconds in which who obeys has surely obeyed
linux.KILLED = { nil, "signal", 9 } -- what close() says of who killed itself
linux.KILLED_HOW = { signal = 9 } -- and what session:run says
linux.PLAIN = { "setsid" } -- what a holder is told so that it is none of a terminal's
linux.PLAIN_TYPE = "unknown" -- and the type that it then has

function linux.quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

function linux.words(list)
  local quoted = {}
  for i, word in ipairs(list) do
    quoted[i] = linux.quote(word)
  end
  return table.concat(quoted, " ")
end

-- Runs a shell command; its output, and whether it succeeded with how.
function linux.shell(command)
  local pipe = assert(io.popen(command, "r"))
  local output = pipe:read("a")
  local ok, how, number = pipe:close()
  return output, ok, how, number
end

local function must(command)
  local output, ok = linux.shell("{ " .. command .. "; } 2>&1")
  assert(ok, output)
  return (output:gsub("\n$", ""))
end

-- ---- Files ----

function linux.join(folder, path)
  return folder .. "/" .. path
end

-- The whole file as it is; nil: it cannot be opened.
function linux.contents(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a")
  if file then
    file:close()
  end
  return text
end

function linux.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text or ""))
  assert(file:close())
  return path
end

function linux.new_folder()
  return must("realpath \"$(mktemp -d)\"")
end

function linux.make_folder(path)
  must("mkdir -p " .. linux.quote(path))
  return path
end

function linux.remove_tree(path)
  must("rm -rf -- " .. linux.quote(path))
end

function linux.copy(from, to)
  must(("cp %s %s"):format(linux.quote(from), linux.quote(to)))
  return to
end

-- With the rights that it has, and all that is in it.
function linux.copy_folder(from, to)
  must(("cp -a %s %s"):format(linux.quote(from), linux.quote(to)))
  return to
end

-- Puts the file in the other one's place.
linux.rename = os.rename

function linux.hard_link(old, new)
  must(("ln %s %s"):format(linux.quote(old), linux.quote(new)))
end

-- target: as it is to stand in the link, so relative to the link's folder.
function linux.sym_link(target, path)
  must(("ln -sfn %s %s"):format(linux.quote(target), linux.quote(path)))
end

-- Why there are no symbolic links here; nil: there are.
function linux.no_sym_links() end

-- The names in a folder, none if there is no folder.
function linux.list(folder)
  local names = {}
  for name in linux.shell(("ls -A %s 2> /dev/null"):format(linux.quote(folder))):gmatch("[^\n]+") do
    names[#names + 1] = name
  end
  return names
end

function linux.working_folder()
  return must("pwd -P")
end

function linux.is_absolute(path)
  return path:sub(1, 1) == "/"
end

-- A path from the working folder, in two parts: up, and down again.
function linux.relative(path)
  return linux.working_folder():gsub("/[^/]+", "../"):gsub("/$", ""), path
end

-- ---- Processes ----

function linux.program_name(name)
  return name
end

-- A program of the build folder.
function linux.program(name)
  return linux.join(linux.build, linux.program_name(name))
end

local Started = {}
Started.__index = Started

function Started:write(text)
  self.pipe:write(text)
  self.pipe:flush()
end

-- Ends its input and waits for its end; as io.close says it.
function Started:close()
  return self.pipe:close()
end

-- Starts a command line that the shell shall become; its input is ours to write.
function linux.start_line(line)
  return setmetatable({ pipe = assert(io.popen("exec " .. line, "w")) }, Started)
end

-- Starts a program: { PROGRAM, WORD..., out = PATH }. limit: seconds after which it is killed; directory: where;
-- set: variables (false: without it).
function linux.start_words(words)
  local line = linux.words(words)
  if words.limit then
    line = ("timeout -s KILL %d %s"):format(words.limit, line)
  end
  for name, value in pairs(words.set or {}) do
    line = ("env %s %s"):format(value and linux.quote(name .. "=" .. value) or "-u " .. name, line)
  end
  local place = words.directory and ("cd %s && "):format(linux.quote(words.directory)) or ""
  local pipe = io.popen(("%sexec %s > %s 2>&1"):format(place, line, linux.quote(words.out)), "w")
  return setmetatable({ pipe = assert(pipe) }, Started)
end

-- Starts one that outlives us, with /dev/null as its input and output; its pid.
function linux.start_apart(words)
  return math.tointeger((linux.shell(("%s > /dev/null 2>&1 < /dev/null & echo $!"):format(linux.words(words)))))
end

local function stat(pid)
  return (linux.contents(("/proc/%d/stat"):format(pid)) or ""):match("^.*%) (.*)")
end

-- The process' state, a letter; nil: there is none.
function linux.state(pid)
  local text = stat(pid)
  return text and text:sub(1, 1)
end

function linux.alive(pid)
  local state = linux.state(pid)
  return state ~= nil and state ~= "Z" and state ~= "X"
end

function linux.start_time(pid)
  local fields = {}
  for field in (stat(pid) or ""):gmatch("%S+") do
    fields[#fields + 1] = field
  end
  return math.tointeger(fields[20])
end

-- Ends the process that calls it, without any of the courtesies.
function linux.kill_self()
  os.execute("kill -KILL " .. linux.contents("/proc/self/stat"):match("^%d+"))
end

-- The same after some seconds, whatever it does meanwhile.
function linux.kill_self_later(seconds)
  local pid = linux.contents("/proc/self/stat"):match("^%d+")
  os.execute(("(sleep %.3f; kill -KILL %d) > /dev/null 2>&1 < /dev/null &"):format(seconds, pid))
end

-- Holds the lock on the file for so many seconds, as a start does; says "locked" when it has it, and "over" at the end.
function linux.lock_for(path, seconds)
  os.execute(("flock %s sh -c 'echo locked; sleep %.3f; echo over'"):format(linux.quote(path), seconds))
end

-- Whoever asks this Lua program to end is obeyed at once: by a signal that is the default.
function linux.obey() end

function linux.user_name()
  return must("id -un")
end

function linux.is_root()
  return linux.shell("id -u") == "0\n"
end

-- The places where this user's sessions can be.
function linux.store_places()
  if linux.is_root() then
    return { "/run/restartmanager", "/var/tmp/restartmanager-0" }
  end
  local uid = must("id -u")
  return { "/run/user/" .. uid .. "/restartmanager", "/var/tmp/restartmanager-" .. uid }
end

-- ---- Time ----

function linux.sleep(seconds)
  os.execute(("sleep %.3f"):format(seconds))
end

-- Seconds of the system's life: a clock that goes on while a process waits.
function linux.now()
  return tonumber(linux.contents("/proc/uptime"):match("^%S+"))
end

return linux
