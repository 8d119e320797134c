-- What the specs that are about Linux share, besides spec/support_holders.lua: holders behind other programs (unshare,
-- script, setpriv), stopped ones, and specs inside a mount namespace. SPDX-License-Identifier: MIT
local holders = require "spec.support_holders"
local support = require "spec.support"

holders.LIMIT = 60 -- seconds after which what was started is killed, whatever it does

local stopped = {}

-- Kills exactly the process that had this pid and start time.
function holders.kill(pid, start_time)
  if start_time and support.start_time(pid) == start_time then
    os.execute(("kill -KILL %d 2> /dev/null"):format(pid))
  end
end

-- Starts a command line; the holder's pipe is its input.
function holders.start_command(line, out)
  return support.keep(support.start_line(line), out)
end

-- Starts a holder and does not wait. options: program (default: the fixture itself), prefix (words before the program:
-- another program that runs it, in the foreground, with its own input), same_pids (that makes no pid namespace).
function holders.start(options, ...)
  local folder = support.folder()
  local line = {}
  local prefix = options.prefix or {}
  table.move(prefix, 1, #prefix, 1, line)
  line[#prefix + 1] = options.program or support.program "holder"
  local asked = options.prefix and not options.same_pids
  if asked then -- the pid that it sees itself need not be ours: it tells the kernel's, too
    table.move({ "report", folder .. "/report" }, 1, 2, #line + 1, line)
  end
  table.move({ ... }, 1, select("#", ...), #line + 1, line)
  local limit = options.prefix and ("timeout --foreground -s KILL %d "):format(holders.LIMIT) or ""
  local out = folder .. "/out"
  local holder = holders.start_command(("%s%s > %s 2>&1"):format(limit, support.words(line), support.quote(out)), out)
  holder.report = asked and folder .. "/report"
  return holder
end

-- Waits until it is ready.
function holders.ready(holder)
  support.ready(holder)
  if holder.report then
    holder.pid = math.tointeger(support.read(holder.report):match("NSpid (%d+)"))
  end
  return holder
end

function holders.hold(options, ...)
  return holders.ready(holders.start(options, ...))
end

-- A holder that has stopped itself (SIGSTOP): it does not see the end of its input, so cleanup kills it first.
function holders.hold_stopped(...)
  local arguments = { ... }
  arguments[#arguments + 1] = "stop"
  local holder = support.hold(table.unpack(arguments))
  stopped[#stopped + 1] = { holder.pid, assert(support.start_time(holder.pid)) }
  assert(support.eventually(function()
    return support.state(holder.pid) == "T"
  end), "it does not stop")
  return holder
end

-- For after_each, before support.cleanup.
function holders.cleanup()
  for _, identity in ipairs(stopped) do
    holders.kill(identity[1], identity[2])
  end
  stopped = {}
end

-- ---- What this system allows ----

-- Why a command does not work here; nil: it does.
function holders.lacks(command)
  if not support.is_root() then
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
    local holders = require "spec.linux.support"
    local function main(...) ]] .. script .. [[ end
    local ok, message = xpcall(main, debug.traceback, ...)
    holders.cleanup()
    support.cleanup()
    if not ok then print(message) os.exit(false, true) end
    print("passed")
  ]])
  local output, ok = support.shell(("timeout -s KILL %d unshare -m %s lua5.4 %s 2>&1"):format(holders.LIMIT, more,
    support.words { path, ... }))
  local reason = output:match("pending: ([^\n]*)")
  assert(reason or (ok and output:match("passed\n$")), output)
  return reason
end

return holders
