-- What the specs about holders share: holders behind other programs (unshare, script, setpriv), children, stopped
-- ones, and specs inside a mount namespace. SPDX-License-Identifier: MIT
local support = require "spec.support"

local holders = {}

holders.LIMIT = 60 -- seconds after which what was started is killed, whatever it does

local running, stopped = {}, {}

local function words(list)
  local quoted = {}
  for i, word in ipairs(list) do
    quoted[i] = support.quote(word)
  end
  return table.concat(quoted, " ")
end

local function contents(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end

-- A program that ends when its input does.
local Holder = {}
Holder.__index = Holder

function Holder:output()
  return contents(self.out)
end

-- Waits until it has said something that matches; returns the captures.
function Holder:says(pattern)
  local found = support.eventually(function()
    local captures = table.pack(self:output():match(pattern))
    return captures[1] and captures
  end, 10)
  assert(found, ("it did not say %q but: %s"):format(pattern, self:output()))
  return table.unpack(found, 1, found.n)
end

function Holder:tell(text)
  self.pipe:write(text)
  self.pipe:flush()
end

function Holder:alive()
  return holders.alive(self.pid)
end

-- Ends its input and waits for its end.
function Holder:close()
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
  end
end

-- The pids of the children that it told of.
function holders.children(holder)
  local pids = {}
  for pid in contents(holder.out):gmatch("child (%d+)") do
    pids[#pids + 1] = math.tointeger(pid)
  end
  return pids
end

local function stat(pid)
  return contents(("/proc/%d/stat"):format(pid)):match("^.*%) (.*)")
end

-- The process' state, a letter; nil: there is none.
function holders.state(pid)
  local text = stat(pid)
  return text and text:sub(1, 1)
end

function holders.start_time(pid)
  local fields, text = {}, stat(pid)
  for field in (text or ""):gmatch("%S+") do
    fields[#fields + 1] = field
  end
  return math.tointeger(fields[20])
end

function holders.alive(pid)
  local state = holders.state(pid)
  return state ~= nil and state ~= "Z" and state ~= "X"
end

-- Kills exactly the process that had this pid and start time.
function holders.kill(pid, start_time)
  if start_time and holders.start_time(pid) == start_time then
    os.execute(("kill -KILL %d 2> /dev/null"):format(pid))
  end
end

-- Starts a command line; the holder's pipe is its input.
function holders.start_command(line, out)
  local holder = setmetatable({ pipe = assert(io.popen(line, "w")), out = out }, Holder)
  running[#running + 1] = holder
  return holder
end

-- Starts a holder and does not wait. options: program (default: the fixture itself), prefix (words before the program:
-- another program that runs it, in the foreground, with its own input), same_pids (that makes no pid namespace).
function holders.start(options, ...)
  local folder = support.folder()
  local line = {}
  local prefix = options.prefix or {}
  table.move(prefix, 1, #prefix, 1, line)
  line[#prefix + 1] = options.program or support.build .. "/holder"
  local asked = options.prefix and not options.same_pids
  if asked then -- the pid that it sees itself need not be ours: it tells the kernel's, too
    table.move({ "report", folder .. "/report" }, 1, 2, #line + 1, line)
  end
  table.move({ ... }, 1, select("#", ...), #line + 1, line)
  local limit = options.prefix and ("timeout --foreground -s KILL %d "):format(holders.LIMIT) or ""
  local out = folder .. "/out"
  local holder = holders.start_command(("exec %s%s > %s 2>&1"):format(limit, words(line), support.quote(out)), out)
  holder.report = asked and folder .. "/report"
  return holder
end

-- Waits until it is ready.
function holders.ready(holder)
  local said = holder:says("ready (%d+)")
  holder.pid = math.tointeger(holder.report and contents(holder.report):match("NSpid (%d+)") or said)
  assert(holder.pid, "no pid: " .. holder:output())
  return holder
end

function holders.hold(options, ...)
  return holders.ready(holders.start(options, ...))
end

-- A holder that has stopped itself (SIGSTOP): it does not see the end of its input, so cleanup kills it first.
function holders.hold_stopped(...)
  local arguments = { ... }
  arguments[#arguments + 1] = "stop"
  local holder = holders.hold({}, table.unpack(arguments))
  stopped[#stopped + 1] = { holder.pid, assert(holders.start_time(holder.pid)) }
  assert(support.eventually(function()
    return holders.state(holder.pid) == "T"
  end), "it does not stop")
  return holder
end

-- For after_each, before support.cleanup.
function holders.cleanup()
  for _, identity in ipairs(stopped) do
    holders.kill(identity[1], identity[2])
  end
  for _, holder in ipairs(running) do
    holder:close()
  end
  running, stopped = {}, {}
end

-- ---- What this system allows ----

function holders.is_root()
  return support.shell("id -u") == "0\n"
end

-- Why a command does not work here; nil: it does.
function holders.lacks(command)
  if not holders.is_root() then
    return "needs root"
  end
  local output, ok = support.shell("{ " .. command .. "; } 2>&1")
  return not ok and ("not here: " .. (output:match("^[^\n]+") or command)) or nil
end

-- Runs a Lua program that asserts by itself, as root in a mount namespace of its own (more: further options of
-- unshare); it has rm, support, holders, and the arguments in `...`. What it prints as "pending: ..." is why it could
-- not. Returns nil, or that reason; raises what went wrong.
function holders.apart(more, script, ...)
  local path = support.write(support.folder() .. "/script.lua", [[
    local rm = require "restartmanager"
    local support = require "spec.support"
    local holders = require "spec.support_holders"
    local function main(...) ]] .. script .. [[ end
    local ok, message = xpcall(main, debug.traceback, ...)
    holders.cleanup()
    support.cleanup()
    if not ok then print(message) os.exit(false, true) end
    print("passed")
  ]])
  local output, ok = support.shell(("timeout -s KILL %d unshare -m %s lua5.4 %s 2>&1"):format(holders.LIMIT, more,
    words { path, ... }))
  local reason = output:match("pending: ([^\n]*)")
  assert(reason or (ok and output:match("passed\n$")), output)
  return reason
end

-- ---- Lists ----

function holders.pids(list)
  local pids = {}
  for _, entry in ipairs(list) do
    pids[#pids + 1] = entry.pid
  end
  table.sort(pids)
  return pids
end

-- The uses of a pid as texts, sorted: "open r fd /path", then, with another resource, "of /resource", then "deleted".
function holders.uses(list, pid)
  local entry = assert(support.find(list, pid), "is not listed")
  local lines = {}
  for i, use in ipairs(entry.uses) do
    local parts = { use.how, use.access or "-", use.fd and "fd" or "-", use.path }
    parts[#parts + 1] = use.resource ~= use.path and "of " .. use.resource or nil
    parts[#parts + 1] = use.deleted and "deleted" or nil
    lines[i] = table.concat(parts, " ")
  end
  table.sort(lines)
  return lines
end

return holders
