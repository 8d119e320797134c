-- lua5.4 secondary_installer.lua DATA NEW_DATA
-- Run by primary_installer.lua: joins its session, whose key is in the environment, adds its own file to it, and
-- prepares the new one. It stops nobody: that is for the primary installer.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"

local data, new_data = table.unpack(arg)
if not new_data then
  io.stderr:write("usage: lua5.4 secondary_installer.lua DATA NEW_DATA\n")
  os.exit(2)
end

local on_windows = package.config:sub(1, 1) == "\\"
local copy = on_windows and 'copy /y "%s" "%s" > nul' or "cp -p -- '%s' '%s'"

local function escaped(path)
  return on_windows and path or (path:gsub("'", "'\\''"))
end

local session <close> = assert(rm.join())
assert(session:register { files = data })
assert(os.execute(copy:format(escaped(new_data), escaped(data .. ".new"))))
print("secondary installer: " .. data .. " is registered, its new version is ready")
