-- run: measures in turn, compares the answers, and makes rows of medians. SPDX-License-Identifier: MIT
local machine = require "bench.machine"
local tools = require "bench.tools"

local run = {}

local FEW = 3 -- rounds of what takes longer than SLOW, or of which few are enough
local SLOW = 3500 -- milliseconds of processor time: the clock's would depend on who else is busy
local AGAIN = 300 -- milliseconds of listing again and again

function run.median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

local function listed(pids, others)
  local result = {}
  for pid in pairs(pids) do
    if not others[pid] then
      result[#result + 1] = pid
    end
  end
  table.sort(result)
  return result
end

local function shown(pids)
  local words = table.concat(pids, " ", 1, math.min(#pids, 10))
  return #pids == 0 and "nobody" or words .. (#pids > 10 and (" and %d more"):format(#pids - 10) or "")
end

-- Raises if a tool did not find exactly the holders.
function run.check(name, expected, found)
  local missing, others = listed(expected, found), listed(found, expected)
  if #missing + #others > 0 then
    error(("%s found other holders: it missed %s, and named %s, who hold nothing"):format(name, shown(missing),
      shown(others)), 0)
  end
end

-- ---- One scenario ----

local function question_of(load, scenario)
  local question = { tree = scenario.tree, ids = {}, list = load:path("list") }
  if scenario.single then
    local path = load:path(scenario.single)
    question.paths, question.list = { path }, load:path("list." .. scenario.single)
    machine.write(question.list, path .. "\n")
    question.ids[load.ids[path] or ""] = true
  else
    question.paths = load:lines("list", scenario.files)
    for _, id in ipairs(load:lines("ids", scenario.files)) do
      question.ids[id] = true
    end
  end
  if scenario.tree then
    question.paths, question.list = { load:path("tree") }, load:path("list.tree")
    machine.write(question.list, load:path("tree") .. "\n")
  end
  return question
end

local function entries_of(load, question, scenario, contenders, options)
  local entries = {}
  for i, tool in ipairs(contenders) do
    local entry = { tool = tool, samples = {}, few = (scenario.few or {})[tool.name],
      refused = tool.refuses(question) or (scenario.refused or {})[tool.name] }
    if not entry.refused then
      entry.program = machine.prepare(options.build, load:path("run" .. i), tool.argv(question), tool.environment)
    end
    entries[i] = entry
  end
  return entries
end

local function add_inside(sample, times)
  sample.inside = times
  if times.walls then
    sample.wall, sample.cpu, times.scan = run.median(times.walls), run.median(times.cpus), run.median(times.scans)
  end
end

local function measure_once(entry, question, expected)
  local sample, text = machine.measure(entry.program, entry.tool.statuses)
  run.check(entry.tool.name, expected, entry.tool.pids(text, question))
  entry.few = entry.few or sample.cpu > SLOW
  if entry.tool.inside then
    add_inside(sample, entry.tool.inside(text))
  end
  entry.samples[#entry.samples + 1] = sample
end

-- Every round starts with another one, so that nobody always comes after the same.
local function measure_all(entries, question, expected, options)
  for round = 1, options.rounds do
    options.say(("  round %d of %d"):format(round, options.rounds))
    for i = 1, #entries do
      local entry = entries[(i + round) % #entries + 1]
      local enough = entry.few and not options.thorough and #entry.samples >= FEW
      if not entry.refused and not enough then
        measure_once(entry, question, expected)
      end
    end
  end
end

local function column(samples, key)
  local values = {}
  for i, sample in ipairs(samples) do
    values[i] = sample[key]
  end
  return values
end

local function inside_row(row, samples)
  local times = column(samples, "inside")
  for _, word in ipairs { "start", "register", "list", "end" } do
    local values = column(times, word)
    row[word .. "_ms"] = values[1] and run.median(values)
  end
  local scans = column(times, "scan")
  row.scan_ms = scans[1] and run.median(scans)
  row.scanner = times[1] and times[1].scanner
  row.in_process = times[1] and times[1].walls ~= nil or nil
end

local function row_of(entry)
  local row = { tool = entry.tool.name, refused = entry.refused, rounds = #entry.samples }
  if not entry.refused then
    local walls = column(entry.samples, "wall")
    row.wall_ms = run.median(walls)
    row.min_ms, row.max_ms = math.min(table.unpack(walls)), math.max(table.unpack(walls))
    row.cpu_ms = run.median(column(entry.samples, "cpu"))
    row.peak_kb = math.max(table.unpack(column(entry.samples, "peak")))
    inside_row(row, entry.samples)
  end
  return row
end

local function add_ratios(rows)
  local peers = {}
  for _, row in ipairs(rows) do
    peers[row.tool] = row.wall_ms
  end
  for _, row in ipairs(rows) do
    for _, peer in ipairs { "fuser", "lsof", "lsfd" } do
      row["times_" .. peer] = row.wall_ms and peers[peer] and peers[peer] / row.wall_ms
    end
  end
end

local function count(set)
  local number = 0
  for _ in pairs(set) do
    number = number + 1
  end
  return number
end

function run.scenario(load, scenario, contenders, options)
  options.say(scenario.title)
  local question = question_of(load, scenario)
  local expected = load:holders(question.paths)
  local entries = entries_of(load, question, scenario, contenders, options)
  measure_all(entries, question, expected, options)
  local rows = {}
  for i, entry in ipairs(entries) do
    rows[i] = row_of(entry)
  end
  add_ratios(rows)
  local size = load.size
  return { key = scenario.key, title = scenario.title, processes = size.processes, descriptors = size.descriptors,
    mappings = size.mappings, files = scenario.files or 1, holders = count(expected), rows = rows }
end

-- ---- Who is measured ----

local function tells_scanner(load, options)
  local tool = tools.fresh(options.build)
  local question = question_of(load, { files = 1 })
  local program = machine.prepare(options.build, load:path("probe"), tool.argv(question))
  local _, text = machine.measure(program, tool.statuses)
  return tool.inside(text).scanner ~= nil
end

-- The other tools that are there, and us; the reasons for who is not there.
function run.contenders(load, options)
  local contenders, skipped = {}, {}
  for _, name in ipairs { "lsof", "fuser", "lsfd" } do
    if machine.has(name) then
      contenders[#contenders + 1] = tools[name]
    else
      skipped[#skipped + 1] = name .. " is not installed"
    end
  end
  local forced_by_user = os.getenv("RSM_SCAN")
  local scans = options.scans or (forced_by_user and { forced_by_user }) or
    (tells_scanner(load, options) and { "auto", "proc" }) or { "auto" }
  for _, scan in ipairs(scans) do
    local forced = scan ~= "auto" and scan or nil
    contenders[#contenders + 1] = tools.fresh(options.build, forced)
    contenders[#contenders + 1] = tools.again(options.build, forced, AGAIN)
  end
  return contenders, skipped
end

-- ---- What has no peer ----

local function values_of(text, word)
  local values = {}
  for value in text:gmatch("%f[%w]" .. word .. " ([%d.]+)") do
    values[#values + 1] = tonumber(value) / 1000
  end
  return values
end

-- rm.who from Lua against the same call in C.
function run.who(load, scenario, options)
  options.say(scenario.title .. ", from Lua and from C")
  local question = question_of(load, scenario)
  local argv = { options.build .. "/bench/lua_client", question.list, tostring(#question.paths),
    tostring(options.who_ms) }
  local environment = { LUA_PATH = ("%s/lua/?.lua;%s/lua/?/init.lua"):format(options.root, options.root),
    LUA_CPATH = options.build .. "/lua/?.so" }
  local program = machine.prepare(options.build, load:path("who"), argv, environment)
  local _, text = machine.measure(program, { ["0"] = true })
  local own = tools.fresh(options.build)
  run.check("rm.who", load:holders(question.paths), own.pids(text))
  local in_c, in_lua = values_of(text, "c"), values_of(text, "lua")
  local ratios = {}
  for i, value in ipairs(in_lua) do
    ratios[i] = value / in_c[i]
  end
  return { key = scenario.key, title = scenario.title, calls = #in_c, c_ms = run.median(in_c),
    lua_ms = run.median(in_lua), lua_per_c = run.median(ratios) }
end

-- Processes that ignore TERM, and force: all of them share one grace.
function run.shutdown(size, options)
  local times, stopped = {}, 0
  for round = 1, options.shutdowns do
    options.say(("shutdown of %d processes that ignore TERM: round %d of %d"):format(size.processes, round,
      options.shutdowns))
    local load <close> = machine.load(options.build, options.folder, size)
    local question = question_of(load, { single = "common" })
    local argv = { options.build .. "/bench/client", "shutdown", question.list, "1", tostring(options.grace_ms) }
    local _, text = machine.measure(machine.prepare(options.build, load:path("stop"), argv), { ["0"] = true })
    local expected = load:holders(question.paths)
    run.check("shutdown", expected, tools.fresh(options.build).pids(text))
    times[round], stopped = values_of(text, "shutdown")[1], count(expected)
  end
  return { processes = stopped, grace_ms = options.grace_ms, rounds = #times, wall_ms = run.median(times) }
end

function run.session(load, options)
  options.say("sessions")
  local argv = { options.build .. "/bench/client", "session", tostring(options.sessions) }
  local _, text = machine.measure(machine.prepare(options.build, load:path("session"), argv), { ["0"] = true })
  local columns = { start = {}, join = {}, register = {}, ["end"] = {}, total = {} }
  for start, join, register, ending in text:gmatch("session ([%d.]+) ([%d.]+) ([%d.]+) ([%d.]+)") do
    local at = #columns.start + 1
    columns.start[at], columns.join[at], columns.register[at] = tonumber(start), tonumber(join), tonumber(register)
    columns["end"][at] = tonumber(ending)
    columns.total[at] = columns.start[at] + columns.join[at] + columns.register[at] + columns["end"][at]
  end
  local result = { sessions = #columns.start }
  for word, values in pairs(columns) do
    result[word .. "_us"] = run.median(values)
  end
  return result
end

return run
