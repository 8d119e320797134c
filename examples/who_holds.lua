-- lua5.4 examples/who_holds.lua PATH...: prints who uses these files and folders.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"

if #arg == 0 then
  io.stderr:write("usage: lua5.4 who_holds.lua PATH...\n")
  os.exit(2)
end

local list, message = rm.who { files = arg }
if not list then
  io.stderr:write(message, "\n")
  os.exit(1)
end

print(list)
