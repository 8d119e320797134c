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
local here = arg[0]:match("^(.*/)") or ""

local function quoted(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

-- A copy beside the file, with its mode; renaming it over the file is then a single step.
local function prepare(new, file)
  assert(os.execute(("cp -p -- %s %s"):format(quoted(new), quoted(file .. ".new"))))
end

local function progress(percent, phase)
  print(("%-8s %3d %%"):format(phase, percent))
end

local function update(session)
  assert(session:register { files = program })
  prepare(new_program, program)
  assert(session:run { "lua5.4", here .. "secondary_installer.lua", data, new_data })

  print(assert(session:list()))
  print(assert(session:shutdown { progress = progress }))
  assert(os.rename(program .. ".new", program))
  assert(os.rename(data .. ".new", data))
  print("both files are replaced")
  return assert(session:restart { progress = progress })
end

-- Whatever goes wrong after the shutdown: leaving the scope brings back what was stopped.
local name = "update of " .. program:match("[^/]*$")
local ok, result, message = pcall(rm.scope, { name = name, restart = { unregistered = true } }, update)
if not ok or not result then
  os.remove(program .. ".new")
  os.remove(data .. ".new")
  io.stderr:write(tostring(message or result), "\n")
  os.exit(1)
end
print(result)
