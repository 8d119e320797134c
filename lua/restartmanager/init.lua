-- restartmanager: who uses these files, stop them, replace the files, bring them back.
-- SPDX-License-Identifier: MIT
local core = require "restartmanager.core"
local operation = require "restartmanager.operation"
local render = require "restartmanager.render"
local scope = require "restartmanager.scope"

-- What the C module calls back into. It has checked all arguments before.
local layer = core.layer
layer.run = operation.run
layer.step = operation.step
layer.affected = operation.affected
layer.who = operation.who
layer.each = operation.each
layer.scope = scope.scope
layer.recover = scope.recover

local metatables = core.metatables
metatables.list.__tostring = render.list
metatables.entry.__tostring = render.entry
metatables.report.__tostring = render.report
metatables.reasons.__tostring = render.reasons

-- reasons.critical_process is true if that is one of the reasons.
function metatables.reasons.__index(reasons, name)
  for i = 1, #reasons do
    if rawget(reasons, i) == name then
      return true
    end
  end
  return nil
end

return {
  _VERSION = core.version,
  start = core.start,
  join = core.join,
  scope = core.scope,
  sessions = core.sessions,
  adopt = core.adopt,
  recover = core.recover,
  who = core.who,
  register_restart = core.register_restart,
  unregister_restart = core.unregister_restart,
  restart_settings = core.restart_settings,
  self = core.self,
  scanner = core.scanner,
}
