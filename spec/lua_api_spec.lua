local rm = require "restartmanager"
local support = require "spec.support"

local join, raised = support.join, support.raised

describe("require", function()
  it("sets no global and leaves nothing behind", function()
    local output = support.lua [[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      local rm = require "restartmanager"
      for name in pairs(_G) do assert(before[name], name) end
      print(rm._VERSION)
    ]]
    assert.equal(rm._VERSION .. "\n", output)
    assert.matches("^%d+%.%d+%.%d+$", rm._VERSION)
  end)

  it("can be repeated in one state", function()
    local core = require "restartmanager.core"
    package.loaded["restartmanager.core"] = nil
    local again = require "restartmanager.core"
    package.loaded["restartmanager.core"] = core
    assert.equal(core.version, again.version)
    local session <close> = assert(rm.start())
    assert.is_nil(session:resources()())
  end)
end)

describe("a misused function", function()
  local session

  before_each(function()
    session = assert(rm.start())
  end)

  after_each(function()
    session:close()
    support.cleanup()
  end)

  it("names the argument and the nearest option", function()
    assert.matches("bad argument #1 to 'shutdown' %(unknown option 'forse' %(did you mean 'force'%?%)%)",
      raised(function()
        session:shutdown { forse = true }
      end))
    assert.matches("bad argument #2 to 'shutdown' %(unknown option 'forse'",
      raised(session.shutdown, session, { forse = true }))
    assert.matches("#1 to 'start' %(unknown option 'restart%.unregistred' %(did you mean 'restart%.unregistered'",
      raised(rm.start, { restart = { unregistred = true } }))
    assert.matches("unknown option '1'", raised(rm.start, { "builtin" }))
    assert.matches("did you mean 'leave_stopped'", raised(session.close, session, { leave = true }))
    assert.matches("did you mean 'crash'", (raised(rm.register_restart, { on = { crsh = true } }):gsub("on%.", "")))
  end)

  it("says where the caller stands", function()
    local line = debug.getinfo(1, "l").currentline + 2
    assert.matches("lua_api_spec%.lua:" .. line .. ": bad argument #1", raised(function()
      session:shutdown(5)
    end))
  end)

  it("checks the types of options", function()
    local function bad(text, options)
      assert.matches(text, raised(session.shutdown, session, options))
    end
    bad("option 'force': boolean expected, got number", { force = 1 })
    bad("option 'progress': function expected, got table", { progress = {} })
    bad("option 'timeout': number of seconds expected, got string", { timeout = "3" })
    bad("option 'timeout': number of seconds, not negative", { timeout = -1 })
    bad("option 'timeout': number of seconds, not negative", { timeout = 0 / 0 })
    bad("option 'confirmed'", { confirmed = "all" })
    assert.matches("only the blocking form waits", raised(session.begin_shutdown, session, { wait = print }))
    assert.matches("table expected, got string", raised(session.list, session, "x"))
  end)

  it("checks text", function()
    local function bad(text, options)
      assert.matches(text, raised(session.register, session, options))
    end
    bad("option 'files': string expected, got number", { files = { "/a", 5 } })
    bad("option 'files': .*array of strings expected, got boolean", { files = true })
    bad("option 'files': .*other keys", { files = { path = "/a" } })
    bad("option 'files': text must not contain a NUL", { files = "/a\0b" })
    bad("option 'services': text must not contain a NUL", { services = { "a\0" } })
    assert.matches("text must not contain a NUL", raised(rm.join, "a\0"))
    assert.matches("#2 to 'who' %(path expected, got table%)", raised(rm.who, "/a", {}))
    assert.matches("#1 to 'who' %(path or table expected, got nil%)", raised(rm.who))
    assert.matches("text must not contain a NUL", raised(session.run, session, { "true", "\0" }))
    assert.matches("the program's name is missing", raised(session.run, session, {}))
    assert.matches("array of strings expected, got string", raised(session.run, session, "true"))
  end)

  it("checks processes", function()
    local function bad(text, value)
      assert.matches("option 'processes': " .. text, raised(session.register, session, { processes = value }))
    end
    bad("pid or table with pid and start_time expected, got string", "12")
    bad("0 is no pid", 0)
    bad("%-1 is no pid", { -1 })
    bad("4294967296 is no pid", 2 ^ 32)
    bad("integer as pid expected, got string", { pid = "1" })
    bad("integer as pid expected, got number", 1.5)
    bad("table without a pid", { { start_time = 5 } })
    bad("table without a pid", { app_name = "a service" })
    bad("start_time must be", { pid = 1, start_time = "1x" })
    bad("start_time must be", { pid = 1, start_time = "18446744073709551616" })
    bad("start_time must be", { pid = 1, start_time = {} })
  end)

  it("checks filters", function()
    local function bad(text, filter)
      assert.matches(text, raised(session.add_filter, session, filter))
    end
    bad("exactly one of", { action = "no_restart" })
    bad("exactly one of", { exe = "/a", service = "b", action = "no_restart" })
    bad("option 'action': 'no_shutdown' or 'no_restart' expected, got nil", { exe = "/a" })
    bad("option 'action': 'no_shutdown' or 'no_restart' expected, got none", { exe = "/a", action = "none" })
  end)

  it("raises for an unknown manager; one that is lacking here is a failure", function()
    assert.matches("#1 to 'start' %(option 'manager': unknown manager 'nonsense'%)",
      raised(rm.start, { manager = "nonsense" }))
    assert.matches("unknown manager", raised(rm.who, { files = "/a", manager = "nonsense" }))
  end)

  it("raises for a closed session and for what is no session", function()
    session:close()
    for _, name in ipairs { "list", "register", "shutdown", "restart", "cancel", "run", "filters", "resources",
      "begin_list", "affected", "add_filter" } do
      assert.matches("attempt to use a closed session", raised(session[name], session, {}))
    end
    assert.matches("restartmanager%.session expected", raised(session.list, {}))
    assert.matches("restartmanager%.session expected", raised(session.close, io.stdout))
    assert.matches("#1 to 'recover' %(option 'name': string expected, got nil%)", raised(rm.recover))
    assert.matches("#2 to 'scope' %(function expected, got nil%)", raised(rm.scope, {}))
  end)
end)

describe("a failure of the world", function()
  after_each(support.cleanup)

  it("is nil, message, code, number, without the key", function()
    local session = assert(rm.start())
    local result, message, code, number = session:restart()
    assert.is_nil(result)
    assert.matches("^restart: ", message)
    assert.same({ "request_out_of_sequence", 776 }, { code, number })
    assert.is_nil(message:find(session.key, 1, true))
    local second = assert(rm.join(session.key:upper()))
    assert.equal("secondary", second.role)
    result, message, code, number = second:list()
    assert.is_nil(result)
    assert.matches("^list: ", message)
    assert.is_nil(message:lower():find(session.key, 1, true))
    assert.same({ "session_credential_conflict", 1219 }, { code, number })
    assert.matches("^affected: ", raised(second.affected, second))
    assert.matches("^resources: ", raised(second.resources, second))
    assert.matches("^filters: ", raised(second.filters, second))
    second:close()
    session:close()
  end)

  it("names the function as the user wrote it", function()
    assert.same({ "session_credential_conflict", 1219 }, { select(3, rm.join("no key")) })
    assert.matches("^join: ", (select(2, rm.join("no key"))))
    assert.matches("^adopt: ", (select(2, rm.adopt(("0"):rep(32)))))
    local nobody = { pid = 1, start_time = "12345678901234567" }
    assert.matches("^restart_settings: ", (select(2, rm.restart_settings(nobody))))
    local session <close> = assert(rm.start())
    local _, message, code = session:add_filter { process = 4194304, action = "no_restart" }
    assert.matches("^add_filter: ", message)
    assert.equal("not_found", code)
    assert.matches("^begin_restart: ", (select(2, session:begin_restart())))
    assert.same({ "file_not_found", 2 }, { select(3, session:remove_filter { exe = "/none" }) })
  end)

  it("tells how a secondary installer ended", function()
    local session <close> = assert(rm.start())
    assert.is_true(session:run { support.LUA, "-e", "" })
    local function how(chunk)
      local ok, message, code, number, exit = session:run { support.LUA, "-e", chunk }
      assert.is_nil(ok)
      assert.matches("^run: ", message)
      assert.same({ "install_failure", 1603 }, { code, number })
      return exit
    end
    assert.same({ exit = 3 }, how "os.exit(3)")
    assert.same(support.KILLED_HOW, how "require('spec.support').kill_self()")
    assert.equal("file_not_found", (select(3, session:run { join(support.folder(), "program") })))
    local file = join(support.folder(), "key")
    assert.is_true(session:run { support.LUA, "-e",
      ("assert(io.open(%q, 'w')):write(os.getenv 'RESTARTMANAGER_SESSION_KEY')"):format(file) })
    assert.equal(session.key, support.read(file))
  end)
end)

describe("values", function()
  after_each(support.cleanup)

  it("of a session show no key", function()
    local session = assert(rm.start { name = "values" })
    assert.matches("^%x+$", session.key)
    assert.equal(32, #session.key)
    assert.equal("restartmanager.session (primary)", tostring(session))
    local key = session.key
    assert.is_true(session:close())
    assert.is_true(session:close())
    assert.equal("restartmanager.session (closed)", tostring(session))
    assert.same({ key, "primary" }, { session.key, session.role })
  end)

  it("of a list are plain tables that print", function()
    local folder = support.folder()
    local odd = support.on_windows and "a\u{85}\u{202e}é" or "a\27[31m\n\xff\u{202e}é"
    local file = support.write(join(folder, odd))
    local holder = support.hold("open", file)
    local list = assert(rm.who(file))
    local entry = support.find(list, holder.pid)
    assert.equal(1, #list)
    assert.equal("integer", math.type(entry.start_time))
    assert.equal("integer", math.type(entry.started_at))
    assert.is_true(entry.app_status.running)
    assert.same({ path = file, resource = file, how = "open", access = "r", fd = entry.uses[1].fd, deleted = false },
      entry.uses[1])
    assert.same({ "open", file }, { entry.command[2], entry.command[3] })
    assert.equal(0, #list.reboot_reasons)
    local text = tostring(list)
    local escaped = support.on_windows and "a\\xC2\\x85\\xE2\\x80\\xAEé" or "a\\x1B[31m\\n\\xFF\\xE2\\x80\\xAEé"
    assert.matches(join("", escaped), text, 1, true)
    assert.is_nil(text:find("[\27\xff]"))
    assert.matches("holder", tostring(entry))
    for _, value in ipairs { list, entry, list.reboot_reasons } do
      local allowed = { __tostring = true, __name = true, __index = value == list.reboot_reasons or
        value == entry.reboot_reasons }
      for name in pairs(getmetatable(value)) do
        assert.is_true(allowed[name], name)
      end
    end
  end)

  it("of nobody are an empty list", function()
    local list = assert(rm.who(support.write(join(support.folder(), "nobody"))))
    assert.equal(0, #list)
    assert.matches(list.complete and "^no application uses them" or "^nobody was found", tostring(list))
  end)

  it("that could not be completed say so, and about whom", function()
    local list = assert(rm.who(support.write(join(support.folder(), "nobody"))))
    list.complete = false
    list.unreadable = {}
    for pid = 1, 5 do
      list.unreadable[pid] = { pid = pid, app_name = "a\27b", reason = "descriptors: no" }
    end
    local one = "a\\x1Bb (pid %d): descriptors: no"
    assert.equal("nobody was found who uses them\nnot complete: 5 could not be inspected: " .. one:format(1) .. "; "
      .. one:format(2) .. "; " .. one:format(3) .. "; ...", tostring(list))
  end)

  it("answer reasons.NAME", function()
    local file <close> = assert(io.open(support.write(join(support.folder(), "mine")), "r"))
    assert.is_truthy(file)
    local session <close> = assert(rm.start())
    assert(session:register { files = join(support.folder(), "../.") })
    local list = assert(rm.who { processes = rm.self() })
    assert.same({ "detected_self" }, { table.unpack(list.reboot_reasons) })
    assert.is_true(list.reboot_reasons.detected_self)
    assert.is_nil(list.reboot_reasons.critical_process)
    assert.is_true(list[1].reboot_reasons.detected_self)
  end)

  it("of resources and filters come back as they went in", function()
    local session <close> = assert(rm.start())
    local me, none = rm.self(), support.folder()
    local a, b = join(none, "a"), join(none, "b")
    assert.is_true(session:register { files = { a, b }, processes = { me, me.pid } })
    assert.is_true(session:register { processes = { pid = me.pid, start_time = tostring(me.start_time) } })
    local files = {}
    for resource in session:resources() do
      assert.equal(me.pid, resource.by.pid)
      files[#files + 1] = resource.file
      assert.is_true((resource.process and resource.process.pid or me.pid) == me.pid)
    end
    table.sort(files)
    assert.same({ a, b }, files)
    assert.is_true(session:add_filter { exe = join(none, "x"), action = "no_restart" })
    assert.is_true(session:add_filter { process = me, action = "no_shutdown" })
    local count = 0
    for filter in session:filters() do
      count = count + 1
      assert.is_true(session:remove_filter(filter))
    end
    assert.equal(2, count)
    assert.is_nil(session:filters()())
  end)

  it("of a restart registration come back as they went in", function()
    assert.is_true(rm.register_restart { args = { "a b", "" }, on = { crash = false } })
    assert.same({ args = { "a b", "" }, on = { crash = false, hang = true, patch = true, reboot = true } },
      rm.restart_settings(rm.self()))
    assert.is_true(rm.register_restart { args = "one" })
    assert.same({ "one" }, rm.restart_settings(rm.self().pid).args)
    assert.is_true(rm.register_restart())
    assert.same({ "invalid_parameter", 87 }, { select(3, rm.register_restart { args = { ("x"):rep(1025) } }) })
    assert.is_true(rm.unregister_restart())
    assert.equal("not_found", (select(3, rm.unregister_restart())))
  end)
end)
