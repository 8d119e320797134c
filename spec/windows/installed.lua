-- installed.lua: for the Lua of an installed folder, which finds the module by itself. Who holds a file so that nobody
-- else may open it, is found, how it is held is told, to the one whose session it is, and then it is out of the way.
-- SPDX-License-Identifier: MIT
local rm = require "restartmanager" -- while only the folder's own modules are to be had

package.path = package.path .. ";" .. os.getenv("RSM_SOURCE") .. "/?.lua"
package.cpath = package.cpath .. ";" .. os.getenv("RSM_BUILD") .. "/spec/?.dll"
local support = require "spec.support"

local function scenario()
  local file = support.write(support.join(support.folder(), "file"), "version 1")
  local holder = support.hold("noshare", file)
  assert(not io.open(file, "r+"), "others may open it")

  local session <close> = assert(rm.start { name = "installed" })
  assert(session:register { files = file })
  local entry = assert(support.find(assert(session:list { uses = true }), holder.pid), "the holder is not listed")
  assert(#entry.uses == 1 and entry.uses[1].how == "open" and entry.uses[1].path == file, "how it is used")

  local joined <close> = assert(rm.join(session.key))
  local list, _, code, number = joined:list()
  assert(not list and code == "session_credential_conflict" and number == 1219, "a secondary may not list")

  local report = assert(session:shutdown { force = true })
  assert(#report.stopped == 1 and report.stopped[1].pid == holder.pid, "who was stopped")
  assert(io.open(file, "r+")):close()
end

local ok, message = xpcall(scenario, debug.traceback)
support.cleanup()
assert(ok, message)
