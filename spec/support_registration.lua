-- What the specs about restart registrations share: an application that registers itself.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local programs = require "spec.support_session"
local support = require "spec.support"

local registered = {}

-- Notes that it has started, with its arguments; does what CHUNK says; holds the file; ends with its input or, if CHUNK
-- has set STAY, when FLAG has gone: script.lua NOTE FLAG FILE CHUNK [ARGS...]
registered.APPLICATION = [[
  local rm = require "restartmanager"
  local support = require "spec.support"
  support.obey()
  local note, flag, file, chunk = table.unpack(arg, 1, 4)
  local out = assert(io.open(note, "a"))
  out:write("start ", rm.self().pid, " ", table.concat(arg, "|", 5), "\n")
  out:close()
  local held = assert(io.open(file))
  assert(load(chunk))(rm)
  io.write("ready ", rm.self().pid, "\n")
  io.stdout:flush()
  if STAY then
    repeat
      support.sleep(0.05)
    until not support.exists(flag)
  else
    io.read()
  end
  held:close()
]]

-- What one spec needs: a folder with the files that the application takes.
function registered.stage()
  local folder = support.folder()
  local stage = { folder = folder, note = support.write(support.join(folder, "note")), started = {},
    flag = support.write(support.join(folder, "flag")), file = support.write(support.join(folder, "file")) }
  stage.script = support.write(support.join(folder, "application.lua"), registered.APPLICATION)
  return stage
end

function registered.identity(pid)
  return assert(rm.who { processes = pid })[1]
end

-- Starts the application, which registers by this chunk; its pid, and the program.
function registered.application(stage, chunk, ...)
  local program = programs.start(registered.APPLICATION, stage.note, stage.flag, stage.file, "local rm = ... " .. chunk,
    ...)
  local pid = math.tointeger((program:says("ready (%d+)")))
  stage.started[#stage.started + 1] = registered.identity(pid)
  return pid, program
end

-- The arguments of each start of the application, in order.
function registered.starts(stage)
  local all = {}
  for line in support.text(stage.note):gmatch("start %d+ ([^\n]*)\n") do
    all[#all + 1] = line
  end
  return all
end

-- For after_each: everything ends, and no registration is left.
function registered.strike(stage)
  os.remove(stage.flag)
  programs.cleanup()
  for _, process in ipairs(stage.started) do
    assert(support.eventually(function()
      return #assert(rm.who { processes = process }) == 0
    end), "an application does not end")
    for _, place in ipairs(programs.places()) do
      os.remove(support.join(place, ("registered/%d-%d"):format(process.pid, process.start_time)))
    end
  end
  support.cleanup()
end

-- Fails unless nobody is registered with this identity.
function registered.not_found(process)
  local settings, message, code, number = rm.restart_settings(process)
  assert(settings == nil and code == "not_found" and number == 1168, message)
  assert(message:find("^restart_settings: "), message)
end

return registered
