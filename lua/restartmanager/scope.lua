-- Brackets around sessions.
-- SPDX-License-Identifier: MIT
local core = require "restartmanager.core"

local scope = {}

--- Calls fn with the session and leaves it on every way out, bringing back what was stopped.
function scope.scope(session, fn)
  local held <close> = session
  return fn(held)
end

-- Failures of others are told as this function's.
local function renamed(message)
  return (message:gsub("^[%w_]+: ", "recover: ", 1))
end

-- Returns the report; or nil and the failure, whose message is false if there was nothing for us to do.
local function bring_back(key)
  local session, message, code, number = core.adopt(key)
  if not session then
    -- Somebody else has it, or it has ended: then it is his.
    local taken = code == "busy" or code == "session_credential_conflict"
    return nil, not taken and message, code, number
  end
  local held <close> = session
  return held:restart()
end

--- Brings back what abandoned sessions of a name have stopped. All are tried; the first failure is returned, with the
-- reports there are.
function scope.recover(name)
  local sessions, why, word, win32 = core.sessions()
  if not sessions then
    return nil, renamed(why), word, win32
  end
  local reports, failure = {}, nil
  for _, info in ipairs(sessions) do
    if info.abandoned and info.name == name then
      local report, message, code, number, partial = bring_back(info.key)
      reports[#reports + 1] = report or partial
      if not report and message and not failure then
        failure = { renamed(message), code, number }
      end
    end
  end
  if failure then
    return nil, failure[1], failure[2], failure[3], reports
  end
  return reports
end

return scope
