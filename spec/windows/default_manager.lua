-- For LUA_INIT, so that it holds in the Lua programs that specs start, too: sessions that ask for no manager get
-- RSM_SPEC_MANAGER. SPDX-License-Identifier: MIT
local manager = os.getenv("RSM_SPEC_MANAGER")

local function with_manager(module)
  local start, who = module.start, module.who
  function module.start(options)
    if options == nil then
      return start { manager = manager }
    elseif type(options) == "table" and options.manager == nil then
      local with = { manager = manager }
      for name, value in pairs(options) do
        with[name] = value
      end
      return start(with)
    end
    return start(options)
  end
  function module.who(...)
    local first = ...
    if type(first) == "table" and first.manager == nil then
      local with = { manager = manager }
      for name, value in pairs(first) do
        with[name] = value
      end
      return who(with, select(2, ...))
    elseif type(first) == "string" then
      return who { files = { ... }, manager = manager }
    end
    return who(...)
  end
  return module
end

table.insert(package.searchers, 1, function(name)
  if name ~= "restartmanager" then
    return nil
  end
  local path = assert(package.searchpath(name, package.path))
  return function(...)
    return with_manager(assert(loadfile(path))(...))
  end, path
end)
