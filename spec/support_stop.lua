-- What the specs of shutdown and restart share: holders that can be started again and surely end.
-- SPDX-License-Identifier: MIT
local support = require "spec.support"

local stop = {}

-- A folder with a file to hold, a note of who started and was asked, and the flag whose removal ends every holder.
function stop.stage()
  local folder = support.folder()
  local stage = { folder = folder, file = support.join(folder, "file"),
    note = support.join(folder, "note"), flag = support.join(folder, "flag") }
  support.write(stage.file, "version 1")
  support.write(stage.flag)
  support.write(stage.note)
  return stage
end

-- A holder of the stage's file that notes its starts and can be started again.
function stop.hold(stage, ...)
  return support.hold("until", stage.flag, "note", stage.note, "open", stage.file, ...)
end

-- The pids of those that have started, in order.
function stop.starts(stage)
  local pids = {}
  for pid in support.read(stage.note):gmatch("start (%d+)") do
    pids[#pids + 1] = math.tointeger(pid)
  end
  return pids
end

stop.alive = support.alive

-- Ends what was started again, and waits until it has ended.
function stop.strike(stage)
  os.remove(stage.flag)
  for _, pid in ipairs(stop.starts(stage)) do
    assert(support.eventually(function()
      return not stop.alive(pid)
    end), "a holder does not end")
  end
end

function stop.pids(entries)
  local pids = {}
  for i, entry in ipairs(entries) do
    pids[i] = entry.pid
  end
  table.sort(pids)
  return pids
end

-- Records events as "action pid" and progress as numbers.
function stop.recorder()
  local seen = { events = {}, progress = {} }
  function seen.on_event(event)
    seen.events[#seen.events + 1] = event.action .. " " .. event.process.pid
  end
  function seen.on_progress(percent)
    seen.progress[#seen.progress + 1] = percent
  end
  return seen
end

function stop.position(list, wanted)
  for i, value in ipairs(list) do
    if value == wanted then
      return i
    end
  end
  return nil
end

return stop
