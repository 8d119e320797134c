-- What the specs about users share: Lua programs as another user, and in a mount namespace whose /run and /var/tmp are
-- empty. SPDX-License-Identifier: MIT
local support = require "spec.support"

local users = {}

users.LIMIT = 30 -- seconds after which a program is killed, whatever it does
users.OTHER = 65534 -- another user

local AS_OTHER = ("setpriv --reuid %d --regid %d --clear-groups lua5.4 "):format(users.OTHER, users.OTHER)

-- Runs a Lua program as another user; the output, and how it ended.
function users.as_other(script, ...)
  local path = support.write(support.folder() .. "/script.lua", script) -- which is not for him to read
  local words = support.words { ... }
  return support.shell(("timeout -s KILL %d %s - %s < %s 2>&1"):format(users.LIMIT, AS_OTHER, words, path))
end

-- Starts one, without arguments, that is to end when its input does.
function users.start_as_other(script)
  local out = support.folder() .. "/out"
  local line = ("timeout -s KILL %d %s-e %s > %s 2>&1"):format(users.LIMIT, AS_OTHER, support.quote(script), out)
  return support.keep(support.start_line(line), out)
end

-- Why as_other cannot be used; nil: it can.
function users.no_other()
  if not support.is_root() then
    return "needs root, to be another user"
  end
  local output, ok = users.as_other([[require "restartmanager"]])
  if not ok then
    return "another user cannot load the module here: " .. output
  end
  return nil
end

-- The other user's folder.
users.other_place = "/var/tmp/restartmanager-" .. users.OTHER

-- Removes the other user's folder if nothing is in it.
function users.clean_other()
  os.execute(("rmdir %s/registered %s 2> /dev/null"):format(users.other_place, users.other_place))
end

-- ---- A place of our own ----

local PRIVATE = "mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /var/tmp && exec \"$@\""

-- Runs a Lua program as root where /run and /var/tmp are empty and its own; its output, and how it ended.
function users.apart(script, ...)
  local path = support.write(support.folder() .. "/script.lua", script)
  return support.shell(("timeout -s KILL %d unshare -m sh -c %s sh lua5.4 %s 2>&1"):format(users.LIMIT,
    support.quote(PRIVATE), support.words { path, ... }))
end

-- Why `apart` cannot be used; nil: it can.
function users.not_apart()
  if not support.is_root() then
    return "needs root, for a mount namespace"
  end
  local folder = support.build .. "/"
  if folder:match("^/run/") or folder:match("^/var/tmp/") then
    return "the build is in a folder that would be hidden"
  end
  local output, ok = users.apart([[require "restartmanager"]])
  if not ok then
    return "no mount namespace here: " .. output
  end
  return nil
end

return users
