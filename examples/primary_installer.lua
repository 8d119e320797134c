-- lua5.4 primary_installer.lua PROGRAM NEW_PROGRAM DATA NEW_DATA
-- Updates a program while it runs. Another installer, which looks after the data file, takes part in the session: all
-- who use either file are stopped once, both files are replaced, and everybody comes back.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"

local program, new_program, data, new_data = table.unpack(arg)
if not new_data then
  io.stderr:write("usage: lua5.4 primary_installer.lua PROGRAM NEW_PROGRAM DATA NEW_DATA\n")
  os.exit(2)
end
local on_windows = package.config:sub(1, 1) == "\\"
local here = arg[0]:match("^(.*[/\\])") or ""
local lua = on_windows and arg[-1] or "lua5.4"

local function quoted(path)
  return on_windows and '"' .. path .. '"' or "'" .. path:gsub("'", "'\\''") .. "'"
end

-- A copy beside the file, with its mode; renaming it over the file is then a single step, but on Windows.
local function prepare(new, file)
  local copy = on_windows and "copy /y %s %s > nul" or "cp -p -- %s %s"
  assert(os.execute(copy:format(quoted(new), quoted(file .. ".new"))))
end

local function replace(file)
  if on_windows then
    assert(os.remove(file))
  end
  assert(os.rename(file .. ".new", file))
end

local function progress(percent, phase)
  print(("%-8s %3d %%"):format(phase, percent))
end

local function update(session)
  assert(session:register { files = program })
  prepare(new_program, program)
  assert(session:run { lua, here .. "secondary_installer.lua", data, new_data })

  print(assert(session:list()))
  print(assert(session:shutdown { progress = progress }))
  replace(program)
  replace(data)
  print("both files are replaced")
  return assert(session:restart { progress = progress })
end

-- Whatever goes wrong after the shutdown: leaving the scope brings back what was stopped.
local name = "update of " .. program:match("[^/\\]*$")
local ok, result, message = pcall(rm.scope, { name = name, restart = { unregistered = true } }, update)
if not ok or not result then
  os.remove(program .. ".new")
  os.remove(data .. ".new")
  io.stderr:write(tostring(message or result), "\n")
  os.exit(1)
end
print(result)
