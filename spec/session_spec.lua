-- Sessions: start, join, leave; who may do what; what is registered.
local rm = require "restartmanager"
local programs = require "spec.support_session"
local support = require "spec.support"

local UNKNOWN = ("0"):rep(32)
local PROGRAM = support.program "holder"
local ODD = support.on_windows and "a b; %x^&'" or "a b\n" -- a name that a shell would not leave as it is

describe("a session", function()
  local session, folder

  before_each(function()
    folder = support.folder()
    session = assert(rm.start { name = "session_spec" })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    programs.cleanup()
    support.cleanup()
  end)

  -- The resources, as an array.
  local function resources()
    local all = {}
    for resource in session:resources() do
      all[#all + 1] = resource
    end
    return all
  end

  local function same_process(a, b)
    return a.pid == b.pid and a.start_time == b.start_time
  end

  -- Fails with the code; nothing that it says holds the key.
  local function refused(code, number, ...)
    local results = table.pack(...)
    assert.same({ nil, code, number }, { results[1], results[3], results[4] }, results[2])
    assert.is_nil(results[2]:lower():find(session.key, 1, true), "the message holds the key")
  end

  describe("of the primary", function()
    it("has a key and a role, also when it is closed", function()
      assert.matches("^" .. ("%x"):rep(32) .. "$", session.key)
      assert.equal("primary", session.role)
      local key = session.key
      assert.is_true(session:close())
      assert.same({ key, "primary" }, { session.key, session.role })
      assert.is_true(session:close())
    end)

    it("raises when it is used after close", function()
      session:close()
      for _, method in ipairs { "list", "register", "resources", "filters", "shutdown", "restart", "cancel" } do
        assert.matches("closed session", support.raised(session[method], session, {}), method)
      end
      assert.matches("closed session", support.raised(session.run, session, { "true" }))
    end)

    it("does not show its key when printed", function()
      assert.is_nil(tostring(session):find(session.key, 1, true))
      assert.matches("primary", tostring(session))
    end)

    it("is listed while it lives, as not abandoned", function()
      local info = programs.listed(session.key)
      assert.equal("session_spec", info.name)
      assert.is_false(info.abandoned)
      assert.same({}, setmetatable(info.stopped, nil))
      assert.is_true(same_process(rm.self(), info.primary))
      assert.is_true(math.abs(os.time() - info.started_at) < 60)
      session:close()
      assert.is_nil(programs.listed(session.key))
    end)

    it("is not listed, nor adoptable, when its primary died without stopping anything", function()
      local program = programs.start [[
        local rm = require "restartmanager"
        local session = assert(rm.start { name = "session_spec" })
        print("key " .. session.key)
        io.stdout:flush()
        require("spec.support").kill_self()
      ]]
      local key = program:says("key (%x+)")
      assert.same(support.KILLED, { program:close() })
      assert.is_nil(programs.listed(key))
      refused("session_credential_conflict", 1219, rm.join(key))
      assert(rm.start()):close()
      assert.is_true(programs.gone(key), "start has not swept it")
    end)

    it("refuses a name that is too long", function()
      refused("bad_arguments", 160, rm.start { name = ("x"):rep(256) })
      assert(rm.start { name = ("x"):rep(255) }):close()
    end)

    it("leaves nothing in the store, 200 times", function()
      local keys = {}
      for i = 1, 200 do
        local one = assert(rm.start { name = "session_spec" })
        if i % 2 == 0 then
          assert(one:register { files = support.join(folder, "file") })
        end
        if i % 5 == 0 then
          local second = assert(rm.join(one.key))
          assert(second:register { files = support.join(folder, "other") })
          assert(second:close())
        end
        assert.is_nil(keys[one.key])
        keys[one.key] = true
        assert.is_true(one:close())
      end
      for _, place in ipairs(programs.places()) do
        for _, name in ipairs(support.list(place)) do
          assert.is_nil(keys[name:match("%x+$")], name)
        end
      end
    end)
  end)

  describe("is joined", function()
    it("by its key in either case", function()
      for _, key in ipairs { session.key, session.key:upper() } do
        local second = assert(rm.join(key))
        assert.equal("secondary", second.role)
        assert.equal(session.key, second.key)
        assert.is_true(second:close())
        assert.equal(session.key, second.key)
      end
    end)

    it("not by a malformed or unknown key", function()
      local long = session.key .. "0"
      for _, key in ipairs { "", "x", session.key:sub(2), long, "g" .. session.key:sub(2), " " .. session.key:sub(2),
        "../" .. session.key:sub(4), UNKNOWN } do
        refused("session_credential_conflict", 1219, rm.join(key))
        refused("session_credential_conflict", 1219, rm.adopt(key))
      end
      assert.matches("string", support.raised(rm.join, {}))
      assert.matches("NUL", support.raised(rm.join, session.key .. "\0"))
    end)

    it("not when it has ended", function()
      session:close()
      refused("session_credential_conflict", 1219, rm.join(session.key))
    end)

    it("not without a key and without the variable", function()
      local output = support.lua_with({ RESTARTMANAGER_SESSION_KEY = false }, [[
        local _, message, code, number = require "restartmanager".join()
        print(code, number, message)
      ]])
      assert.matches("^envvar_not_found\t203\tjoin: ", output)
      assert.matches("RESTARTMANAGER_SESSION_KEY", output)
    end)

    it("with the key of the variable", function()
      local output = support.lua_with({ RESTARTMANAGER_SESSION_KEY = session.key:upper() }, [[
        local session = assert(require "restartmanager".join())
        print(session.role, session.key)
      ]])
      assert.equal("secondary\t" .. session.key .. "\n", output)
    end)
  end)

  describe("of a secondary", function()
    local second

    before_each(function()
      second = assert(rm.join(session.key))
    end)

    after_each(function()
      second:close()
    end)

    it("may not do what is the primary's", function()
      local filter = { exe = PROGRAM, action = "no_shutdown" }
      refused("session_credential_conflict", 1219, second:list())
      refused("session_credential_conflict", 1219, second:shutdown())
      refused("session_credential_conflict", 1219, second:restart())
      refused("session_credential_conflict", 1219, second:add_filter(filter))
      refused("session_credential_conflict", 1219, second:remove_filter(filter))
      refused("session_credential_conflict", 1219, second:cancel())
      refused("session_credential_conflict", 1219, second:begin_list())
      refused("session_credential_conflict", 1219, second:begin_shutdown())
      refused("session_credential_conflict", 1219, second:begin_restart())
      for _, name in ipairs { "filters", "resources", "affected" } do
        local message = support.raised(second[name], second)
        assert.matches("^" .. name .. ": .*only the primary installer", message)
        assert.is_nil(message:find(session.key, 1, true))
      end
      assert.matches("^list: .*only the primary installer", (select(2, second:list())))
    end)

    it("registers, in the same process, too, under its own name", function()
      assert(session:register { files = support.join(folder, "a") })
      assert(second:register { files = { support.join(folder, "b"), support.join(folder, "c") } })
      local files = {}
      for i, resource in ipairs(resources()) do
        assert.is_true(same_process(rm.self(), resource.by))
        files[i] = resource.file
      end
      table.sort(files)
      assert.same({ support.join(folder, "a"), support.join(folder, "b"), support.join(folder, "c") }, files)
    end)

    it("leaves what it registered when it closes", function()
      local holder = support.hold("open", support.write(support.join(folder, "file")))
      assert(second:register { files = support.join(folder, "file") })
      assert.is_true(second:close())
      assert.is_not_nil(support.find(assert(session:list()), holder.pid))
    end)

    it("leaves what it registered when it is killed", function()
      local holder = support.hold("open", support.write(support.join(folder, "file")))
      local program = programs.start([[
        local rm = require "restartmanager"
        local session = assert(rm.join(...))
        local self = rm.self()
        assert(session:register { files = select(2, ...), processes = self })
        print(("by %d %d"):format(self.pid, self.start_time))
        io.stdout:flush()
        require("spec.support").kill_self()
      ]], session.key, support.join(folder, "file"))
      local pid, start_time = program:says("by (%d+) (%d+)")
      assert.same(support.KILLED, { program:close() })
      local all = resources()
      assert.equal(2, #all)
      for _, resource in ipairs(all) do
        assert.same({ math.tointeger(pid), math.tointeger(start_time) }, { resource.by.pid, resource.by.start_time })
      end
      local list = assert(session:list())
      assert.equal(1, #list)
      assert.equal(holder.pid, list[1].pid)
    end)

    it("is told of the session's end by 6", function()
      assert(second:register { files = support.join(folder, "a") })
      session:close()
      refused("invalid_handle", 6, second:register { files = support.join(folder, "b") })
      local late = assert(rm.start())
      local third = assert(rm.join(late.key))
      late:close()
      refused("invalid_handle", 6, third:register { files = support.join(folder, "b") })
      refused("invalid_handle", 6, third:register {})
      assert.is_true(third:close())
    end)
  end)

  describe("runs a secondary installer", function()
    local function script(text)
      text = "local rm = require 'restartmanager'\n" .. text
      return support.write(support.join(support.folder(), "secondary.lua"), text)
    end

    it("that joins by itself, registers, and is remembered by its name", function()
      local path = script [[
        local session = assert(rm.join())
        assert(session:register { files = { arg[1], "below" } })
        local self = rm.self()
        local out = assert(io.open(arg[2], "w"))
        out:write(self.pid, " ", self.start_time, " ", self.parent.pid)
        out:close()
      ]]
      local odd, out = support.join(folder, ODD), support.join(folder, "out")
      assert.same({ true }, { session:run { support.LUA, path, odd, out } })
      local pid, start_time, parent = support.read(out):match("(%d+) (%d+) (%d+)")
      assert.equal(rm.self().pid, math.tointeger(parent))
      local by = { pid = math.tointeger(pid), start_time = math.tointeger(start_time) }
      local all = resources()
      assert.same({ odd, support.join(support.working_folder(), "below") }, { all[1].file, all[2].file })
      assert.is_true(same_process(by, all[1].by) and same_process(by, all[2].by))
    end)

    it("without a shell", function()
      local path = script [[
        os.exit(arg[1] == "$HOME; *" and arg[2] == "%PATH% 'a' \"b\\" and arg[3] == "" and #arg == 3)
      ]]
      assert.is_true(session:run { support.LUA, path, "$HOME; *", "%PATH% 'a' \"b\\", "" })
    end)

    it("and tells how it failed", function()
      local ok, message, code, number, how = session:run { support.LUA, "-e", "os.exit(7)" }
      assert.same({ nil, "install_failure", 1603, { exit = 7 } }, { ok, code, number, how })
      assert.matches("^run: .*7", message)
      local killer = "require('spec.support').kill_self()"
      ok, message, code, number, how = session:run { support.LUA, "-e", killer }
      assert.same({ nil, "install_failure", 1603, support.KILLED_HOW }, { ok, code, number, how })
      assert.matches("^run: .*9", message)
    end)

    it("and tells that it could not run", function()
      refused("file_not_found", 2, session:run { support.join(folder, "nothing") })
      local code = select(3, session:run { "no-such-program-anywhere" })
      -- A folder of PATH that we may not look into could have it.
      assert.is_true(code == "file_not_found" or code == "access_denied", code)
      assert.matches("array", support.raised(session.run, session, "true"))
      assert.matches("missing", support.raised(session.run, session, {}))
    end)

    it("as a secondary, too, with the same key", function()
      local second <close> = assert(rm.join(session.key))
      local path = script [[assert(assert(rm.join()):register { files = arg[1] })]]
      assert.is_true(second:run { support.LUA, path, support.join(folder, "deep") })
      assert.equal(support.join(folder, "deep"), resources()[1].file)
    end)
  end)

  describe("keeps", function()
    it("processes by identity", function()
      local holder = support.hold("open", folder)
      assert(session:register { processes = { holder.pid, { pid = holder.pid, start_time = 1 } } })
      local all = resources()
      assert.equal(holder.pid, all[1].process.pid)
      assert.is_true(all[1].process.start_time > 1)
      assert.same({ holder.pid, 1 }, { all[2].process.pid, all[2].process.start_time })
      local list = assert(session:list())
      assert.equal(1, #list)
      assert.equal(holder.pid, list[1].pid)
    end)

    it("all of a registration or nothing", function()
      local holder = support.hold("open", folder)
      holder:close()
      refused("not_found", 1168, session:register { files = support.join(folder, "a"), processes = holder.pid })
      refused("bad_arguments", 160, session:register { files = { support.join(folder, "a"), "" } })
      assert.same({}, resources())
    end)

    it("filters as they were added, and takes them back as it gives them", function()
      local self = rm.self()
      assert.is_true(session:add_filter { exe = PROGRAM, action = "no_restart" })
      assert.is_true(session:add_filter { process = self, action = "no_shutdown" })
      assert.is_true(session:add_filter { exe = PROGRAM, action = "no_shutdown" }) -- replaces
      local all = {}
      for filter in session:filters() do
        all[#all + 1] = filter
      end
      assert.equal(2, #all)
      table.sort(all, function(a, b)
        return a.exe ~= nil and b.exe == nil
      end)
      assert.same({ exe = PROGRAM, action = "no_shutdown" }, all[1])
      assert.equal("no_shutdown", all[2].action)
      assert.is_true(same_process(self, all[2].process))
      for _, filter in ipairs(all) do
        assert.is_true(session:remove_filter(filter))
        refused("file_not_found", 2, session:remove_filter(filter))
      end
      assert.is_nil(session:filters()())
    end)

    it("100,000 files, and a secondary's 100,000", function()
      local limit = support.on_windows and 20 or 5 -- seconds; what grows with the square of the number takes minutes
      local files = {}
      for i = 1, 100000 do
        files[i] = support.join(folder, ("some/folder/file-%06d"):format(i))
      end
      files[77777] = support.write(support.join(folder, "held"))
      local holder = support.hold("open", files[77777])
      local before = programs.now()
      assert(session:register { files = files })
      assert.is_true(programs.now() - before < limit, "registering")
      before = programs.now()
      assert.is_true(session:run { support.LUA, support.write(support.join(folder, "secondary.lua"), [[
        local rm = require "restartmanager"
        local files = {}
        for i = 1, 100000 do
          files[i] = ("%s%s%06d"):format(arg[1], arg[2], i)
        end
        assert(assert(rm.join()):register { files = files })
      ]]), support.join(folder, "other"), support.join("", "file-") })
      assert.is_true(programs.now() - before < limit, "a secondary's registering")
      before = programs.now()
      local list = assert(session:list())
      assert.is_true(programs.now() - before < limit, "listing")
      assert.equal(1, #list)
      assert.equal(holder.pid, list[1].pid)
      assert.equal(files[77777], list[1].uses[1].path)
      before = programs.now()
      local count = 0
      for _ in session:resources() do
        count = count + 1
      end
      assert.is_true(programs.now() - before < limit, "telling")
      assert.equal(200000, count)
    end)
  end)
end)
