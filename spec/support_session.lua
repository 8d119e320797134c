-- What the specs about sessions share: Lua programs in the background, sessions that were left, and what is in the
-- store. Other users and places of our own, which only Linux has, are in spec/linux/support_users.lua.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

local programs = {}

programs.now = support.now
programs.start = support.start_lua

-- For after_each, before support.cleanup.
programs.cleanup = support.end_programs

-- The sum that the stored records carry.
function programs.crc32c(bytes)
  local crc = 0xFFFFFFFF
  for i = 1, #bytes do
    crc = crc ~ bytes:byte(i)
    for _ = 1, 8 do
      crc = crc & 1 == 1 and crc >> 1 ~ 0x82F63B78 or crc >> 1
    end
  end
  return ~crc & 0xFFFFFFFF
end

-- The places where this user's sessions can be.
programs.places = support.store_places

-- The session's folder in the store, with whatever name; nil: nothing of it is there.
function programs.stored(key)
  for _, place in ipairs(programs.places()) do
    for _, name in ipairs(support.list(place)) do
      if name:find(key, 1, true) then
        return support.join(place, name)
      end
    end
  end
  return nil
end

-- Whether it goes: another process may be about to remove it.
function programs.gone(key)
  return support.eventually(function()
    return not programs.stored(key)
  end)
end

-- The session in rm.sessions().
function programs.listed(key)
  for _, info in ipairs(assert(rm.sessions())) do
    if info.key == key then
      return info
    end
  end
  return nil
end

-- Nobody knows a session of this key.
function programs.refused(key)
  for _, take in ipairs { rm.join, rm.adopt } do
    local _, message, _, number = take(key)
    assert(number == 1219, message or "it was taken")
  end
  assert(not programs.listed(key), "it is listed")
end

-- A session that has stopped so many holders of the stage's file, and is left as abandoned; its key.
function programs.abandoned(stage, name, count)
  for i = 1, count do
    stop.hold(stage, "name", "holder-" .. i)
  end
  local session = assert(rm.start { name = name, restart = { unregistered = true } })
  local key = session.key
  assert(session:register { files = stage.file })
  assert(session:shutdown())
  session = nil -- luacheck: ignore 311
  collectgarbage()
  collectgarbage()
  assert(#programs.listed(key).stopped == count, "it is not abandoned")
  return key
end

return programs
