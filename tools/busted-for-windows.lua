-- lua.exe tools/busted-for-windows.lua [OPTION...] SPEC...: busted where luasystem and lua-term have no binaries: the
-- few functions that it uses of them come from the specs' own C module. SPDX-License-Identifier: MIT
local core = require "spec_windows"

package.preload["system"] = function()
  return { gettime = core.unix_time, monotime = core.now, sleep = core.sleep }
end

package.preload["term"] = function()
  return {
    isatty = function()
      return false
    end,
  }
end

require "busted.runner" { standalone = false }
