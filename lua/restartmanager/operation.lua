-- The loop over an operation's steps. It is written in Lua so that who waits or watches may yield.
-- SPDX-License-Identifier: MIT
local core = require "restartmanager.core"

local operation = {}

-- Without `wait` a step blocks, but not for longer: Lua's own hooks (an interrupt, say) must get their turn.
local SLICE = 0.2

-- Calls who watches. A raise cancels, waits until the operation has settled, and goes on as the same value; false
-- cancels. After either nobody is called any more.
local function tell(op, watch, callback, ...)
  local ok, answer = pcall(callback, ...)
  if ok and answer ~= false then
    return
  end
  watch.silent = true
  if ok then
    op:cancel()
  else
    core.settle(op)
    error(answer, 0)
  end
end

-- One step, with the callbacks. Returns done, percent, and whether something happened.
local function step(op, seconds)
  local watch = core.watch(op)
  local on_event = not watch.silent and watch.on_event
  local done, percent, event = core.advance(op, seconds, on_event)
  if on_event and event then
    tell(op, watch, on_event, event)
  end
  local progress = not watch.silent and watch.progress
  if progress and percent > (watch.percent or (event or done) and -1 or 0) then -- it may rise without an event
    watch.percent = percent
    tell(op, watch, progress, percent, watch.phase)
  end
  return done, percent, event and true or false
end

--- op:step(seconds)
function operation.step(op, seconds)
  local done, percent = step(op, seconds)
  return done, percent
end

--- The blocking form: steps until done, returns the results.
function operation.run(op)
  local held <close> = op
  local wait = core.watch(op).wait
  repeat
    local done, _, happened = step(op, wait and 0 or SLICE)
    if wait and not done and not happened then
      wait(op)
    end
  until done
  return held:result()
end

--- An iterator over the values of an array.
function operation.each(array)
  local i = 0
  return function()
    i = i + 1
    return array[i]
  end
end

--- session:affected(): a loop cannot be handed a failure, so it is raised.
function operation.affected(op)
  local list, message = operation.run(op)
  if not list then
    error(message, 0)
  end
  return operation.each(list)
end

--- rm.who: the session lives as long as the operation.
function operation.who(op, session)
  local _ <close> = session
  return operation.run(op)
end

return operation
