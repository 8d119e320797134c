-- lua5.4 update_service.lua SERVICE FILE NEW_FILE
-- Replaces a file of a service, such as its program: the service and what depends on it are stopped through their
-- manager, and are up again afterwards; what was down stays down. Other programs that use the file are stopped and
-- started, too.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"

local service, file, new_file = table.unpack(arg)
if not new_file then
  io.stderr:write("usage: lua5.4 update_service.lua SERVICE FILE NEW_FILE\n")
  os.exit(2)
end
local name = "update of " .. service
local prepared = file .. ".prepared"

local function quoted(path)
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function update(session)
  assert(session:register { services = service, files = file })
  local list = assert(session:list())
  print(list)
  -- All that may fail or take long comes first: while the service is down there is a single step left, the renaming.
  assert(os.execute(("cp -p -- %s %s"):format(quoted(new_file), quoted(prepared))), new_file .. " cannot be copied")
  assert(session:shutdown {
    confirmed = list,
    on_event = function(event)
      print(event.action, event.process and (event.process.service_name or event.process.app_name) or "")
    end,
  })
  local renamed, why = os.rename(prepared, file)
  assert(renamed, ("%s cannot be replaced: %s"):format(file, why))
  return assert(session:restart())
end

local ok, result = pcall(function()
  -- The last one may have been killed between stopping and starting: whatever it left stopped is started first.
  for _, report in ipairs(assert(rm.recover { name = name })) do
    print("brought back after an update that did not end:\n" .. tostring(report))
  end
  -- Whatever goes wrong after the shutdown: leaving the scope starts what was stopped.
  return rm.scope({ name = name, restart = { unregistered = true } }, update)
end)
if not ok then
  os.remove(prepared)
  io.stderr:write(tostring(result), "\n")
  os.exit(1)
end
print(result)
