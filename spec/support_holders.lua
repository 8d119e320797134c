-- What the specs about holders share: holders of other programs, children, and lists. What only Linux has is in
-- spec/linux/support.lua. SPDX-License-Identifier: MIT
local support = require "spec.support"

local holders = {}

holders.alive = support.alive
holders.start_time = support.start_time

-- The pids of the children that it told of.
function holders.children(holder)
  local pids = {}
  for pid in holder:output():gmatch("child (%d+)") do
    pids[#pids + 1] = math.tointeger(pid)
  end
  return pids
end

-- A holder of another program than the fixture itself.
function holders.hold_by(program, ...)
  return support.ready(support.start { program, ... })
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
