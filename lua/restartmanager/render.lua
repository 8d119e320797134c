-- Lists, entries and reports as text for people. Names and paths come from strangers: nothing of them reaches the
-- terminal that could steer it.
-- SPDX-License-Identifier: MIT
local render = {}

local NAMED = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local WIDEST = 32
local MOST_TOLD = 3 -- of what could not be inspected

-- Invisible characters that change direction or layout, so that a text looks like another one.
local function deceives(code)
  return code >= 0x80 and code <= 0x9f or code == 0xad or code == 0x61c or code == 0xfeff
    or code >= 0x200b and code <= 0x200f or code >= 0x2028 and code <= 0x202e or code >= 0x2060 and code <= 0x206f
    or code >= 0xfff9 and code <= 0xfffb or code >= 0xe0000
end

local function hexadecimal(bytes)
  return (bytes:gsub(".", function(byte)
    return ("\\x%02X"):format(byte:byte())
  end))
end

--- Text as it may be printed: control characters and bytes that are no UTF-8 as \xNN.
function render.escape(text)
  local parts, position = {}, 1
  while position <= #text do
    local stop = position
    if utf8.len(text, position, position) then
      stop = utf8.offset(text, 2, position) - 1
    end
    local char = text:sub(position, stop)
    if NAMED[char] then
      char = NAMED[char]
    elseif char:find("^[%c\x7f]") or not utf8.len(char) or deceives(utf8.codepoint(char)) then
      char = hexadecimal(char)
    end
    parts[#parts + 1] = char
    position = stop + 1
  end
  return table.concat(parts)
end

local function width(text)
  return utf8.len(text) or #text
end

local function shortened(text, limit)
  if width(text) <= limit then
    return text
  end
  return text:sub(1, utf8.offset(text, limit) - 1) .. "…"
end

-- Rows as aligned columns; the last one is as long as it wants.
local function columns(rows)
  local widths, lines = {}, {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      widths[i] = math.max(widths[i] or 0, width(cell))
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = cell .. (i < #row and (" "):rep(widths[i] - width(cell)) or "")
    end
    lines[#lines + 1] = (table.concat(cells, "  "):gsub(" +$", ""))
  end
  return lines
end

local function sorted_keys(set)
  local keys = {}
  for key in pairs(type(set) == "table" and set or {}) do
    keys[#keys + 1] = tostring(key)
  end
  table.sort(keys)
  return table.concat(keys, ",")
end

-- How and what: "open,map /path (+2)".
local function uses_text(uses)
  local hows, seen, paths, first = {}, {}, 0, nil
  for _, use in ipairs(type(uses) == "table" and uses or {}) do
    local how = tostring(use.how)
    if not seen[how] then
      seen[how] = true
      hows[#hows + 1] = how
    end
    local path = use.path or use.resource
    if path and not seen["/" .. path] then
      seen["/" .. path] = true
      paths = paths + 1
      first = first or render.escape(path) .. (use.deleted and " (deleted)" or "")
    end
  end
  return table.concat(hows, ","), (first or "") .. (paths > 1 and (" (+%d)"):format(paths - 1) or "")
end

local function name_of(entry)
  return shortened(render.escape(tostring(entry.service_name or entry.app_name or "?")), WIDEST)
end

local function reasons_text(reasons)
  return type(reasons) == "table" and table.concat(reasons, ", ") or ""
end

--- One process in a sentence: name (pid 12).
function render.entry(entry)
  local pid = entry.pid and ("pid %s"):format(tostring(entry.pid)) or "no process"
  return ("%s (%s)"):format(name_of(entry), pid)
end

function render.reasons(reasons)
  return reasons_text(reasons)
end

-- "not complete: 3 could not be inspected: init (pid 1): descriptors: Permission denied; ..."
local function unreadable_text(unreadable)
  local told = {}
  for i = 1, math.min(#unreadable, MOST_TOLD) do
    local one = unreadable[i]
    local about = one.path and render.escape(one.path)
      or one.pid and ("%s (pid %d)"):format(render.escape(one.app_name or "process"), one.pid)
    told[i] = (about and about .. ": " or "") .. render.escape(one.reason)
  end
  if #unreadable > MOST_TOLD then
    told[#told + 1] = "..."
  end
  return ("not complete: %d could not be inspected: %s"):format(#unreadable, table.concat(told, "; "))
end

--- A table, one application a line, and what else the caller should know.
function render.list(list)
  local rows = { { "NAME", "PID", "TYPE", "STATUS", "USE", "PATH" } }
  for _, entry in ipairs(list) do
    local how, path = uses_text(entry.uses)
    rows[#rows + 1] = { name_of(entry), tostring(entry.pid or "-"), tostring(entry.app_type or "-"),
      sorted_keys(entry.app_status), how, path }
  end
  local nobody = list.complete == false and "nobody was found who uses them" or "no application uses them"
  local lines = #rows > 1 and columns(rows) or { nobody }
  for _, entry in ipairs(list) do
    local also = entry.dependents or {}
    if #also > 0 then
      lines[#lines + 1] = ("stopping %s also stops %s"):format(name_of(entry), render.escape(table.concat(also, ", ")))
    end
  end
  if list.reboot_reasons and #list.reboot_reasons > 0 then
    lines[#lines + 1] = "a reboot would be needed: " .. reasons_text(list.reboot_reasons)
  end
  if list.complete == false then
    lines[#lines + 1] = unreadable_text(list.unreadable or {})
  end
  return table.concat(lines, "\n")
end

local OUTCOMES = { "stopped", "gone", "alive", "kept", "new", "restarted", "failed", "left_stopped" }

-- Why an application is where it is.
local function remark(entry)
  if entry.error then
    return ": " .. render.escape(tostring(entry.error.message))
  elseif entry.restarted_as then
    return (", now pid %s"):format(tostring(entry.restarted_as.pid))
  elseif entry.why then
    return ": " .. render.escape(tostring(entry.why))
  end
  return ""
end

--- One application a line, with what became of it.
function render.report(report)
  local lines = {}
  for _, outcome in ipairs(OUTCOMES) do
    for _, entry in ipairs(report[outcome] or {}) do
      lines[#lines + 1] = ("%-13s %s%s"):format(outcome, render.entry(entry), remark(entry))
    end
  end
  return #lines > 0 and table.concat(lines, "\n") or "nothing to do"
end

return render
