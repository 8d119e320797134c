-- targets: what the figures of a full run must reach. SPDX-License-Identifier: MIT
local targets = {}

-- The figures of one tool in one scenario; an empty table if it was not measured.
local function row(result, key, tool)
  for _, scenario in ipairs(result.scenarios) do
    for _, candidate in ipairs(scenario.key == key and scenario.rows or {}) do
      if candidate.tool == tool then
        return candidate
      end
    end
  end
  return {}
end

local function divided(a, b)
  return a and b and b > 0 and a / b or nil
end

local function ratio(key, tool, peer)
  return function(result)
    return divided(row(result, key, peer).wall_ms, row(result, key, tool).wall_ms)
  end
end

local function worst_who(result)
  local worst
  for _, who in ipairs(result.who) do
    worst = math.max(worst or 0, who.lua_per_c)
  end
  return worst
end

-- {what, the least or the most it may be, and how it is computed}
local LIST = {
  { "fresh process, 500/200/300, 1 file: times as fast as fuser", least = 10, unit = "x",
    value = ratio("500/1", "rsm", "fuser") },
  { "the same: times as fast as lsof", least = 34, unit = "x", value = ratio("500/1", "rsm", "lsof") },
  { "again in one session, 500/200/300, 1 file: fuser", least = 25, unit = "x",
    value = ratio("500/1", "rsm, again", "fuser") },
  { "the same: lsof", least = 85, unit = "x", value = ratio("500/1", "rsm, again", "lsof") },
  { "again, a file that nobody maps: fuser", least = 60, unit = "x",
    value = ratio("500/opened", "rsm, again", "fuser") },
  { "again, 2000/200/300, 1 file: fuser", least = 25, unit = "x", value = ratio("2000/1", "rsm, again", "fuser") },
  { "the same: lsof", least = 200, unit = "x", value = ratio("2000/1", "rsm, again", "lsof") },
  { "RSM_SCAN=proc, fresh process, 500/200/300, 1 file: fuser", least = 2.5, unit = "x",
    value = ratio("500/1", "rsm proc", "fuser") },
  { "listing again, the scan alone, 10,000 files against 1", most = 1.2, unit = "x",
    value = function(result)
      return divided(row(result, "500/10000", "rsm, again").scan_ms, row(result, "500/1", "rsm, again").scan_ms)
    end },
  { "registration of 10,000 files, each", most = 2, unit = " us",
    value = function(result) return divided(row(result, "500/10000", "rsm").register_ms, 10) end },
  { "registration of 100,000 files, each", most = 2, unit = " us",
    value = function(result) return divided(row(result, "500/100000", "rsm").register_ms, 100) end },
  { "small machine, 50/20/30, fresh process: fuser", least = 1, unit = "x", value = ratio("50/1", "rsm", "fuser") },
  { "small machine, the scan alone: fuser", least = 1.8, unit = "x",
    value = function(result)
      return divided(row(result, "50/1", "fuser").wall_ms, row(result, "50/1", "rsm").scan_ms)
    end },
  { "small machine, the whole listing: fuser", least = 1.8, unit = "x",
    value = function(result)
      return divided(row(result, "50/1", "fuser").wall_ms, row(result, "50/1", "rsm").list_ms)
    end },
  { "peak memory, 500/200/300, 1 file", most = 8, unit = " MB",
    value = function(result) return divided(row(result, "500/1", "rsm").peak_kb, 1024) end },
  { "rm.who from Lua against the same call in C, worst", most = 1.1, unit = "x", value = worst_who },
  { "shutdown of 50 deaf processes, in graces", most = 1.5, unit = "",
    value = function(result) return divided(result.shutdown.wall_ms, result.shutdown.grace_ms) end },
}

-- {what=, needed=, value= ("not measured"), met= (nil: not measured)}, in order.
function targets.judge(result)
  local judged = {}
  for i, target in ipairs(LIST) do
    local value = target.value(result)
    local met
    if value then
      met = (not target.least or value >= target.least) and (not target.most or value <= target.most)
    end
    local sign = target.least and ">= " or "<= "
    judged[i] = {
      what = target[1],
      needed = ("%s%g%s"):format(sign, target.least or target.most, target.unit),
      value = value and ("%.2f%s"):format(value, target.unit) or "not measured",
      met = met,
    }
  end
  return judged
end

return targets
