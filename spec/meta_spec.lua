-- Every public name is annotated in meta.lua, and every annotated one exists.
local core = require "restartmanager.core"
local rm = require "restartmanager"
local support = require "spec.support"

local text = support.text(support.source .. "/lua/restartmanager/meta.lua")

local function names(pattern)
  local found = {}
  for name in text:gmatch(pattern) do
    found[name] = true
  end
  return found
end

local function keys(table, more)
  local found = more or {}
  for name in pairs(table) do
    found[name] = true
  end
  return found
end

describe("meta.lua", function()
  it("has the module's names", function()
    local annotated = names "\nfunction rm%.([%w_]+)%("
    annotated._VERSION = text:find("\nrm._VERSION", 1, true) and true or nil
    assert.same(keys(rm), annotated)
  end)

  it("has the session's methods", function()
    assert.same(keys(core.layer.session_methods), names "\nfunction Session:([%w_]+)%(")
  end)

  it("has the operation's methods", function()
    assert.same(keys(core.layer.operation_methods), names "\nfunction Operation:([%w_]+)%(")
  end)

  it("has all codes with their numbers", function()
    local annotated, defined = {}, {}
    for code, number in text:gmatch '\n%-%-%-| "([%l_]+)" # (%d+)' do
      annotated[code] = number
    end
    local header = support.text(support.source .. "/src/rsm.h")
    for code, number in header:gmatch 'X%([%u_]+, "([%l_]+)", (%d+),' do
      defined[code] = number
    end
    defined.success, defined.pending = nil, nil
    assert.same(defined, annotated)
  end)

  it("has the version", function()
    assert.equal(rm._VERSION, text:match '\nrm%._VERSION = "([^"]+)"')
  end)
end)
