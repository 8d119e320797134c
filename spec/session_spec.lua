-- Sessions: start, join, leave; who may do what; what is registered.
local rm = require "restartmanager"
local programs = require "spec.support_session"
local support = require "spec.support"

local UNKNOWN = ("0"):rep(32)

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
        os.execute("kill -KILL " .. rm.self().pid)
      ]]
      local key = program:says("key (%x+)")
      assert.same({ nil, "signal", 9 }, { program:close() })
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
          assert(one:register { files = folder .. "/file" })
        end
        if i % 5 == 0 then
          local second = assert(rm.join(one.key))
          assert(second:register { files = folder .. "/other" })
          assert(second:close())
        end
        assert.is_nil(keys[one.key])
        keys[one.key] = true
        assert.is_true(one:close())
      end
      for _, place in ipairs(programs.places()) do
        for name in support.shell("ls -A " .. place .. " 2> /dev/null"):gmatch("[^\n]+") do
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
      local output = support.shell("env -u RESTARTMANAGER_SESSION_KEY lua5.4 -e 'local rm = require \"restartmanager\" "
        .. "local _, m, c, n = rm.join() print(c, n, m)' 2>&1")
      assert.matches("^envvar_not_found\t203\tjoin: ", output)
      assert.matches("RESTARTMANAGER_SESSION_KEY", output)
    end)

    it("with the key of the variable", function()
      local output = support.shell(("RESTARTMANAGER_SESSION_KEY=%s lua5.4 -e 'local rm = require \"restartmanager\" "
        .. "local s = assert(rm.join()) print(s.role, s.key)' 2>&1"):format(session.key:upper()))
      assert.equal("secondary\t" .. session.key .. "\n", output)
    end)

    it("not by another user, who does not see it either", function()
      local reason = programs.no_other()
      if reason then
        return pending(reason)
      end
      finally(programs.clean_other)
      local output = programs.as_other([[
        local rm = require "restartmanager"
        local key = ...
        local _, message, code, number = rm.join(key)
        print("join", code, number, message:find(key, 1, true))
        _, message, code, number = rm.adopt(key)
        print("adopt", code, number, message:find(key, 1, true))
        for _, info in ipairs(assert(rm.sessions())) do
          print("listed", info.key)
        end
        local own <close> = assert(rm.start { name = "session_spec" })
        print("own", #rm.sessions(), os.execute("kill -CONT " .. rm.self().pid))
      ]], session.key)
      assert.equal("join\tsession_credential_conflict\t1219\tnil\nadopt\tsession_credential_conflict\t1219\tnil\n" ..
        "own\t1\ttrue\texit\t0\n", output)
    end)

    it("not by root, if it is another user's", function()
      local reason = programs.no_other()
      if reason then
        return pending(reason)
      end
      local program = programs.start_as_other [[
        local rm = require "restartmanager"
        local session <close> = assert(rm.start { name = "session_spec" })
        io.write("key ", session.key, "\n")
        io.stdout:flush()
        io.read()
      ]]
      finally(function()
        program:close()
        programs.clean_other()
      end)
      local key = program:says("key (%x+)")
      refused("session_credential_conflict", 1219, rm.join(key))
      refused("session_credential_conflict", 1219, rm.adopt(key))
      assert.is_nil(programs.listed(key))
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
      local filter = { exe = "/bin/true", action = "no_shutdown" }
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
      assert(session:register { files = folder .. "/a" })
      assert(second:register { files = { folder .. "/b", folder .. "/c" } })
      local files = {}
      for i, resource in ipairs(resources()) do
        assert.is_true(same_process(rm.self(), resource.by))
        files[i] = resource.file
      end
      table.sort(files)
      assert.same({ folder .. "/a", folder .. "/b", folder .. "/c" }, files)
    end)

    it("leaves what it registered when it closes", function()
      local holder = support.hold("open", support.write(folder .. "/file"))
      assert(second:register { files = folder .. "/file" })
      assert.is_true(second:close())
      assert.is_not_nil(support.find(assert(session:list()), holder.pid))
    end)

    it("leaves what it registered when it is killed", function()
      local holder = support.hold("open", support.write(folder .. "/file"))
      local program = programs.start([[
        local rm = require "restartmanager"
        local session = assert(rm.join(...))
        local self = rm.self()
        assert(session:register { files = select(2, ...), processes = self })
        print(("by %d %d"):format(self.pid, self.start_time))
        io.stdout:flush()
        os.execute("kill -KILL " .. self.pid)
      ]], session.key, folder .. "/file")
      local pid, start_time = program:says("by (%d+) (%d+)")
      assert.same({ nil, "signal", 9 }, { program:close() })
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
      assert(second:register { files = folder .. "/a" })
      session:close()
      refused("invalid_handle", 6, second:register { files = folder .. "/b" })
      local late = assert(rm.start())
      local third = assert(rm.join(late.key))
      late:close()
      refused("invalid_handle", 6, third:register { files = folder .. "/b" })
      refused("invalid_handle", 6, third:register {})
      assert.is_true(third:close())
    end)
  end)

  describe("runs a secondary installer", function()
    local function script(text)
      return support.write(support.folder() .. "/secondary.lua", "local rm = require 'restartmanager'\n" .. text)
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
      assert.same({ true }, { session:run { "lua5.4", path, folder .. "/a b\n", folder .. "/out" } })
      local pid, start_time, parent = support.read(folder .. "/out"):match("(%d+) (%d+) (%d+)")
      assert.equal(rm.self().pid, math.tointeger(parent))
      local here = support.shell("pwd -P"):gsub("\n$", "")
      local by = { pid = math.tointeger(pid), start_time = math.tointeger(start_time) }
      local all = resources()
      assert.same({ folder .. "/a b\n", here .. "/below" }, { all[1].file, all[2].file })
      assert.is_true(same_process(by, all[1].by) and same_process(by, all[2].by))
    end)

    it("without a shell", function()
      assert.is_true(session:run { "sh", "-c", "[ \"$1\" = '$HOME; *' ]", "sh", "$HOME; *" })
    end)

    it("and tells how it failed", function()
      local ok, message, code, number, how = session:run { "sh", "-c", "exit 7" }
      assert.same({ nil, "install_failure", 1603, { exit = 7 } }, { ok, code, number, how })
      assert.matches("^run: .*7", message)
      ok, message, code, number, how = session:run { "sh", "-c", "kill -KILL $$" }
      assert.same({ nil, "install_failure", 1603, { signal = 9 } }, { ok, code, number, how })
      assert.matches("^run: .*9", message)
    end)

    it("and tells that it could not run", function()
      refused("file_not_found", 2, session:run { folder .. "/nothing" })
      local code = select(3, session:run { "no-such-program-anywhere" })
      -- A folder of PATH that we may not look into could have it.
      assert.is_true(code == "file_not_found" or code == "access_denied", code)
      refused("access_denied", 5, session:run { support.write(folder .. "/not-executable") })
      assert.matches("array", support.raised(session.run, session, "true"))
      assert.matches("missing", support.raised(session.run, session, {}))
    end)

    it("as a secondary, too, with the same key", function()
      local second <close> = assert(rm.join(session.key))
      local path = script [[assert(assert(rm.join()):register { files = arg[1] })]]
      assert.is_true(second:run { "lua5.4", path, folder .. "/deep" })
      assert.equal(folder .. "/deep", resources()[1].file)
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
      refused("not_found", 1168, session:register { files = folder .. "/a", processes = holder.pid })
      refused("bad_arguments", 160, session:register { files = { folder .. "/a", "" } })
      assert.same({}, resources())
    end)

    it("filters as they were added, and takes them back as it gives them", function()
      local self = rm.self()
      assert.is_true(session:add_filter { exe = "/bin/true", action = "no_restart" })
      assert.is_true(session:add_filter { process = self, action = "no_shutdown" })
      assert.is_true(session:add_filter { exe = "/bin/true", action = "no_shutdown" }) -- replaces
      local all = {}
      for filter in session:filters() do
        all[#all + 1] = filter
      end
      assert.equal(2, #all)
      table.sort(all, function(a, b)
        return a.exe ~= nil and b.exe == nil
      end)
      assert.same({ exe = "/bin/true", action = "no_shutdown" }, all[1])
      assert.equal("no_shutdown", all[2].action)
      assert.is_true(same_process(self, all[2].process))
      for _, filter in ipairs(all) do
        assert.is_true(session:remove_filter(filter))
        refused("file_not_found", 2, session:remove_filter(filter))
      end
      assert.is_nil(session:filters()())
    end)

    it("100,000 files, and a secondary's 100,000", function()
      local files = {}
      for i = 1, 100000 do
        files[i] = ("%s/some/folder/file-%06d"):format(folder, i)
      end
      files[77777] = support.write(folder .. "/held")
      local holder = support.hold("open", files[77777])
      local before = programs.now()
      assert(session:register { files = files })
      assert.is_true(programs.now() - before < 5, "registering")
      before = programs.now()
      assert.is_true(session:run { "lua5.4", support.write(folder .. "/secondary.lua", [[
        local rm = require "restartmanager"
        local files = {}
        for i = 1, 100000 do
          files[i] = ("%s/other/folder/file-%06d"):format(arg[1], i)
        end
        assert(assert(rm.join()):register { files = files })
      ]]), folder })
      assert.is_true(programs.now() - before < 5, "a secondary's registering")
      before = programs.now()
      local list = assert(session:list())
      assert.is_true(programs.now() - before < 5, "listing")
      assert.equal(1, #list)
      assert.equal(holder.pid, list[1].pid)
      assert.equal(files[77777], list[1].uses[1].path)
      before = programs.now()
      local count = 0
      for _ in session:resources() do
        count = count + 1
      end
      assert.is_true(programs.now() - before < 5, "telling")
      assert.equal(200000, count)
    end)
  end)
end)
