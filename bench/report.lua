-- report: the figures as tables for people, on a terminal or as a page. SPDX-License-Identifier: MIT
local targets = require "bench.targets"

local report = {}

local function milliseconds(value)
  return value and (value < 10 and "%.2f" or "%.1f"):format(value) or ""
end

local function times(value)
  return value and (value < 10 and "%.2f" or "%.1f"):format(value) .. "x" or ""
end

-- ---- Tables: an array of rows, the first one the heads; all columns but the first are figures ----

local function widths_of(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, utf8.len(cell) or #cell)
    end
  end
  return widths
end

local function padded(cell, width, left)
  local space = (" "):rep(width - (utf8.len(cell) or #cell))
  return left and cell .. space or space .. cell
end

local function drawn(rows, before, between, after)
  local widths, lines = widths_of(rows), {}
  for r, row in ipairs(rows) do
    local cells = {}
    for i, width in ipairs(widths) do
      cells[i] = padded(row[i] or "", width, i == 1)
    end
    lines[r] = (before .. table.concat(cells, between) .. after):gsub("%s+$", "")
  end
  return lines, widths
end

local function plain(rows)
  return table.concat((drawn(rows, "  ", "  ", "")), "\n") .. "\n"
end

local function markdown(rows)
  local lines, widths = drawn(rows, "| ", " | ", " |")
  local rule = {}
  for i, width in ipairs(widths) do
    rule[i] = i == 1 and ("-"):rep(width + 2) or ("-"):rep(width + 1) .. ":"
  end
  table.insert(lines, 2, "|" .. table.concat(rule, "|") .. "|")
  return table.concat(lines, "\n") .. "\n"
end

-- ---- What is in them ----

local function inside_of(row)
  if row.in_process or not row.list_ms then
    return row.in_process and milliseconds(row.wall_ms) or ""
  end
  return milliseconds(row.start_ms + row.register_ms + row.list_ms + row["end_ms"])
end

local function scenario_rows(scenario)
  local rows = { { "", "ms", "from", "to", "rounds", "CPU ms", "peak MB", "in process ms", "register ms", "list ms",
    "fuser", "lsof", "lsfd" } }
  for _, row in ipairs(scenario.rows) do
    local name = row.tool .. (row.scanner and " (" .. row.scanner .. ")" or "")
    if row.refused then
      rows[#rows + 1] = { name, "-" }
    else
      rows[#rows + 1] = { name, milliseconds(row.wall_ms), milliseconds(row.min_ms), milliseconds(row.max_ms),
        tostring(row.rounds), milliseconds(row.cpu_ms), ("%.1f"):format(row.peak_kb / 1024), inside_of(row),
        milliseconds(row.register_ms), milliseconds(row.list_ms), times(row.times_fuser), times(row.times_lsof),
        times(row.times_lsfd) }
    end
  end
  return rows
end

local function refusals(scenario)
  local lines = {}
  for _, row in ipairs(scenario.rows) do
    if row.refused then
      lines[#lines + 1] = ("%s was not asked: %s."):format(row.tool, row.refused)
    end
  end
  return lines
end

local function who_rows(result)
  local rows = { { "rm.who", "C ms", "Lua ms", "Lua / C", "calls" } }
  for _, who in ipairs(result.who) do
    rows[#rows + 1] = { who.title, milliseconds(who.c_ms), milliseconds(who.lua_ms), times(who.lua_per_c),
      tostring(who.calls) }
  end
  return rows
end

local function other_rows(result)
  local session, stop = result.session, result.shutdown
  return {
    { "", "" },
    { "a session: start + join + register + end", ("%.0f us"):format(session.total_us) },
    { "  start", ("%.0f us"):format(session.start_us) },
    { "  join", ("%.0f us"):format(session.join_us) },
    { "  register one file", ("%.0f us"):format(session.register_us) },
    { "  end, of both", ("%.0f us"):format(session.end_us) },
    { ("shutdown with force of %d processes that ignore TERM, grace %d ms"):format(stop.processes, stop.grace_ms),
      ("%.0f ms"):format(stop.wall_ms) },
  }
end

local function target_rows(result)
  local rows = { { "what", "needed", "is", "" } }
  for _, target in ipairs(targets.judge(result)) do
    local mark = target.met == nil and "?" or target.met and "reached" or "NOT reached"
    rows[#rows + 1] = { target.what, target.needed, target.value, mark }
  end
  return rows
end

local function machine_lines(result)
  local machine, versions = result.machine, {}
  for _, name in ipairs { "lsof", "fuser", "lsfd" } do
    versions[#versions + 1] = result.versions[name] and name .. " " .. result.versions[name]
  end
  return {
    ("Commit %s, %s."):format(result.commit, result.date),
    ("%s, %d cores, %.1f GB; kernel %s; %s; files on %s; as %s; %s."):format(machine.cpu, machine.cores,
      machine.memory_mb / 1024, machine.kernel, machine.system, machine.filesystem, machine.user,
      table.concat(versions, ", ")),
    ("Besides the load %d processes ran; load average before: %.2f. The run took %d seconds."):format(
      machine.processes, machine.load_average, result.seconds),
  }
end

local HOW = {
  "A load P/D/M is P idle processes with D descriptors and M file mappings each, besides those of their C library.",
  "All programs are asked in turn, round after round, and every answer is compared with who really holds the files.",
  "Figures are medians; 'from' and 'to' are the least and the most. The last three columns tell how many times as fast",
  "as fuser, lsof and lsfd a row is. 'rsm' is a process that starts a session, registers, lists and ends; 'rsm, again'",
  "is one more listing in the same session. For several files lsfd prints everything, and matching is not counted.",
  "Unless the run is a thorough one, 3 rounds are enough for what needs more than 3.5 seconds of processor time, and",
  "for lsof and lsfd where fuser is the one to compare with.",
}

local function body(result, heading, table_text)
  local parts = {}
  for _, scenario in ipairs(result.scenarios) do
    parts[#parts + 1] = heading(("%s: %d holders"):format(scenario.title, scenario.holders))
    parts[#parts + 1] = table_text(scenario_rows(scenario))
    for _, line in ipairs(refusals(scenario)) do
      parts[#parts + 1] = line .. "\n"
    end
  end
  parts[#parts + 1] = heading("From Lua and from C")
  parts[#parts + 1] = table_text(who_rows(result))
  parts[#parts + 1] = heading("Sessions and shutdown")
  parts[#parts + 1] = table_text(other_rows(result))
  if not result.quick then
    parts[#parts + 1] = heading("What is to be reached")
    parts[#parts + 1] = table_text(target_rows(result))
  end
  for _, reason in ipairs(result.skipped) do
    parts[#parts + 1] = "\nSkipped: " .. reason .. ".\n"
  end
  return table.concat(parts)
end

function report.text(result)
  return table.concat(machine_lines(result), "\n") .. "\n" .. body(result, function(text)
    return "\n" .. text .. "\n"
  end, plain)
end

function report.page(result)
  return ("# Results\n\nWritten by `tools/bench --results`; do not edit.\n\n%s\n\n%s\n%s"):format(
    table.concat(machine_lines(result), "\n"), table.concat(HOW, "\n"), body(result, function(text)
      return "\n## " .. text .. "\n\n"
    end, markdown))
end

return report
