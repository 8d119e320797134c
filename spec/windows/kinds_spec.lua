-- What listings on Windows say of a program: what it calls itself, what kind it is, and what we have no words for. The
-- last needs the rstrtmgr.dll that follows a script (tools/in-wine-with). SPDX-License-Identifier: MIT
local core = require "spec_windows"
local rm = require "restartmanager"
local support = require "spec.support"

describe("a listing on Windows", function()
  local folder, file, session

  before_each(function()
    folder = support.folder()
    file = support.write(support.join(folder, "held"))
    session = assert(rm.start { manager = "builtin", bpf = false }) -- which is Linux' only, and no error elsewhere
    assert(session:register { files = file })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    support.cleanup()
  end)

  local function listed(program)
    local pid = support.ready(program).pid
    return assert(support.find(assert(session:list()), pid))
  end

  local function without_console(...)
    return support.start { support.program "holder_windowed", "open", file, ... }
  end

  it("calls a program what it calls itself, else by its file", function()
    local copy = support.copy(support.program "registered", support.join(folder, support.program_name "registered"))
    local entry = listed(support.start { copy, "none" })
    assert.equal("Pr\u{FC}fling \u{2013} \u{518D}\u{8D77}\u{52D5}", entry.app_name)
    assert.equal("holder_windowed.exe", listed(without_console()).app_name)
  end)

  it("tells kinds by windows, seen and unseen", function()
    assert.equal("main_window", listed(without_console("window", "agree")).app_type)
    assert.equal("other_window", listed(without_console("look", "hidden", "window", "agree")).app_type)
    assert.equal("other_window", listed(without_console("look", "owned", "window", "agree")).app_type)
    assert.equal("unknown", listed(without_console()).app_type)
  end)

  it("says of who has no window that he cannot be asked", function()
    local holder = support.ready(without_console())
    local report, _, code, _, partial = session:shutdown()
    assert.same({ nil, "fail_shutdown" }, { report, code })
    assert.is_true(holder:alive())
    assert.matches("neither a window nor a console", partial.alive[1].error.message)
  end)

  it("knows one way to find holders, which has no name", function()
    assert(session:list())
    assert.same({ n = 1 }, table.pack(rm.scanner()))
  end)
end)

describe("what only a later Windows knows", function()
  it("keeps its number", function()
    if not core.script_application(7, 0x101, 0x20) then
      return pending("the system's rstrtmgr.dll follows no script")
    end
    local session <close> = assert(rm.start { manager = "system" })
    local list = assert(session:list())
    assert.equal("unrecognized:7", list[1].app_type)
    assert.same({ running = true, ["unrecognized:256"] = true }, list[1].app_status)
    assert.same({ "unrecognized:32" }, { table.unpack(list.reboot_reasons) })
  end)
end)
