-- Who uses these files: each kind of use, and nobody else.
local holders = require "spec.support_holders"
local programs = require "spec.support_session"
local rm = require "restartmanager"
local support = require "spec.support"

local join = support.join

describe("a list", function()
  local folder, file

  before_each(function()
    folder = support.folder()
    file = support.write(join(folder, "file"), "content")
  end)

  after_each(function()
    programs.cleanup()
    support.cleanup()
  end)

  local function uses_of(pid, ...)
    return holders.uses(assert(rm.who(...)), pid)
  end

  describe("tells how:", function()
    local kinds = {
      { "open", "open r fd %s" },
      { "write", "open w fd %s" },
      { "rdwr", "open rw fd %s" },
      { "lock", "open r fd %s" },
      { "map", "map r - %s" },
      { "mapw", "map rw - %s" },
    }
    for _, kind in ipairs(kinds) do
      it(kind[1], function()
        local holder = support.hold(kind[1], file)
        assert.same({ kind[2]:format(file) }, uses_of(holder.pid, file))
      end)
    end

    it("the running image, said once", function()
      local program = support.copy(support.program "holder", join(folder, support.program_name "program"))
      local holder = holders.hold_by(program)
      assert.same({ "exec r - " .. program }, uses_of(holder.pid, program))
    end)

    it("a library, once whatever the number of its mappings", function()
      local library = package.searchpath("restartmanager.core", package.cpath)
      assert.same({ "map r - " .. library }, uses_of(rm.self().pid, library))
    end)

    it("a working directory, also of a folder below", function()
      local inner = support.make_folder(join(folder, "inner"))
      local one, two = support.hold("cwd", folder), support.hold("cwd", inner)
      local list = assert(rm.who(folder))
      assert.same({ "cwd - - " .. folder }, holders.uses(list, one.pid))
      assert.same({ "cwd - - " .. inner .. " of " .. folder }, holders.uses(list, two.pid))
      assert.same({ two.pid }, holders.pids(assert(rm.who(inner))))
    end)

    it("all ways of one process", function()
      local holder = support.hold("open", file, "write", file, "map", file)
      assert.same({ "map r - " .. file, "open r fd " .. file, "open w fd " .. file }, uses_of(holder.pid, file))
    end)
  end)

  describe("finds", function()
    it("a file that is missing when registered and appears later", function()
      local missing = join(folder, "later/missing")
      local session <close> = assert(rm.start {})
      assert(session:register { files = missing })
      assert.equal(0, #assert(session:list()))
      support.make_folder(join(folder, "later"))
      local holder = support.hold("open", support.write(missing))
      assert.same({ "open r fd " .. missing }, holders.uses(assert(session:list()), holder.pid))
    end)

    it("what was opened by another name: hard links", function()
      local link = join(folder, "link")
      support.hard_link(file, link)
      local holder = support.hold("open", link, "map", link)
      assert.same({ "map r - " .. file, "open r fd " .. file }, uses_of(holder.pid, file))
    end)

    it("what a link meant when registered, and what it means now", function()
      local reason = support.no_sym_links()
      if reason then
        return pending(reason)
      end
      local held = {}
      for _, version in ipairs { "v1", "v2", "v3" } do
        support.make_folder(join(folder, version))
        held[version] = support.hold("open", support.write(join(folder, version .. "/app")))
      end
      support.sym_link("v1", join(folder, "current"))
      local session <close> = assert(rm.start {})
      local app = join(folder, "current/app")
      assert(session:register { files = app })
      assert.same({ held.v1.pid }, holders.pids(assert(session:list())))
      support.sym_link("v2", join(folder, "current"))
      local list = assert(session:list())
      local expected = { held.v1.pid, held.v2.pid }
      table.sort(expected)
      assert.same(expected, holders.pids(list))
      assert.same({ "open r fd " .. app }, holders.uses(list, held.v2.pid))
      assert.same({ held.v2.pid }, holders.pids(assert(rm.who(app))))
    end)

    it("a folder's whole tree, read anew each time, without following links in it", function()
      local outside = support.write(support.folder() .. "/outside")
      local inner = support.make_folder(join(folder, "a/b/c"))
      if not support.no_sym_links() then
        support.sym_link(outside, join(inner, "link"))
      end
      local session <close> = assert(rm.start {})
      assert(session:register { files = folder })
      local one = support.hold("open", support.write(inner .. "/one"))
      local _ = support.hold("open", outside)
      local list = assert(session:list())
      assert.same({ one.pid }, holders.pids(list))
      assert.same({ ("open r fd %s of %s"):format(join(inner, "one"), folder) }, holders.uses(list, one.pid))
      local new = join(support.make_folder(join(folder, "new")), "two")
      local two = support.hold("map", support.write(new, "x"))
      list = assert(session:list())
      assert.same({ ("map r - %s of %s"):format(new, folder) }, holders.uses(list, two.pid))
    end)

    it("descriptors of folders themselves", function()
      local inner = support.make_folder(join(folder, "a"))
      local holder = support.hold("open", folder, "open", inner)
      assert.same({ "open r fd " .. folder, ("open r fd %s of %s"):format(inner, folder) }, uses_of(holder.pid, folder))
    end)

    it("a path of more than 260 bytes", function()
      local long = folder
      for i = 1, 12 do
        long = join(long, ("x"):rep(200) .. i)
      end
      local path = support.write(join(support.make_folder(long), ("y"):rep(255)), "x")
      local holder = support.hold("open", path, "map", path)
      assert.is_true(#path > 2000)
      assert.same({ "map r - " .. path, "open r fd " .. path }, uses_of(holder.pid, path))
    end)

    it("a path that is given twice once", function()
      local holder = support.hold("open", file)
      local list = assert(rm.who(file, file))
      assert.same({ holder.pid }, holders.pids(list))
      assert.same({ "open r fd " .. file }, holders.uses(list, holder.pid))
    end)

    it("a file that is registered with its folder by both", function()
      local holder = support.hold("open", file)
      local by_both = { "open r fd " .. file, "open r fd " .. file .. " of " .. folder }
      assert.same(by_both, uses_of(holder.pid, file, folder))
    end)

    it("a relative path from where we are", function()
      local up, down = support.relative(file)
      local holder = support.hold("open", file)
      local session <close> = assert(rm.start {})
      assert(session:register { files = up .. down })
      local list = assert(session:list())
      assert.same({ holder.pid }, holders.pids(list))
      assert.is_true(support.is_absolute(support.find(list, holder.pid).uses[1].path))
      for resource in session:resources() do
        assert.is_true(support.is_absolute(resource.file))
      end
    end)
  end)

  describe("has exactly", function()
    it("the holders of both installers' files", function()
      local other = support.write(join(folder, "other"))
      local strangers = { support.hold("open", support.write(join(folder, "third"))),
        support.hold("cwd", support.folder()) }
      local first, second, both = support.hold("open", file), support.hold("map", support.write(other, "x")),
        support.hold("write", file, "open", other)
      local session <close> = assert(rm.start {})
      assert(session:register { files = file })
      assert(session:run { support.LUA, "-e",
        ("require 'restartmanager'.join():register { files = %q }"):format(other) })
      local list = assert(session:list())
      local expected = { first.pid, second.pid, both.pid }
      table.sort(expected)
      assert.same(expected, holders.pids(list))
      assert.same({ "open r fd " .. other, "open w fd " .. file }, holders.uses(list, both.pid))
      for _, stranger in ipairs(strangers) do
        assert.is_nil(support.find(list, stranger.pid))
      end
    end)

    it("nobody, which is an empty list", function()
      local list = assert(rm.who(file))
      assert.equal("table", type(list))
      assert.same({ 0, 0 }, { #list, #list.reboot_reasons })
      assert.equal(#list.unreadable == 0, list.complete)
      assert.matches(list.complete and "^no application uses them" or "^nobody was found", tostring(list))
    end)
  end)

  describe("of working directories", function()
    it("counts whoever holds a file there, too", function()
      local holder = support.hold("cwd", folder, "open", file)
      local session <close> = assert(rm.start {})
      assert(session:register { files = folder })
      assert.same({ holder.pid }, holders.pids(assert(session:shutdown()).stopped))
      assert(session:close { leave_stopped = true })
    end)
  end)

  describe("of registered processes", function()
    local function with(processes)
      return rm.who { processes = processes }
    end

    it("takes a pid, a reference, an entry, and several", function()
      local one, two = support.hold(), support.hold("open", file)
      local list = assert(with(one.pid))
      assert.same({ one.pid }, holders.pids(list))
      assert.same({}, list[1].uses)
      assert.same({ one.pid }, holders.pids(assert(with { pid = one.pid, start_time = list[1].start_time })))
      assert.same({ one.pid }, holders.pids(assert(with { pid = one.pid, start_time = tostring(list[1].start_time) })))
      assert.same({ one.pid }, holders.pids(assert(with(list[1]))))
      local both = assert(rm.who { processes = { one.pid, two.pid }, files = file })
      local expected = { one.pid, two.pid }
      table.sort(expected)
      assert.same(expected, holders.pids(both))
      assert.same({ "open r fd " .. file }, holders.uses(both, two.pid))
    end)

    it("matches nobody by a wrong start time", function()
      local holder = support.hold()
      local right = assert(with(holder.pid))[1].start_time
      assert.equal(holders.start_time(holder.pid), right)
      assert.equal(0, #assert(with { pid = holder.pid, start_time = right - 1 }))
      assert.equal(0, #assert(with { pid = holder.pid, start_time = right + 1 }))
    end)

    it("answers not_found for a pid that nobody has", function()
      local holder = support.hold()
      holder:close()
      local list, message, code, number = with(holder.pid)
      assert.is_nil(list)
      assert.matches("^who: ", message)
      assert.same({ "not_found", 1168 }, { code, number })
    end)
  end)

  describe("has entries with", function()
    it("all that is known about an application", function()
      local program = support.copy(support.program "holder", join(folder, support.program_name "program"))
      local command = { program, "open", file, table.unpack(support.PLAIN) }
      local holder = holders.hold_by(table.unpack(command))
      local entry = assert(rm.who(file))[1]
      assert.equal(holder.pid, entry.pid)
      assert.equal(holders.start_time(holder.pid), entry.start_time)
      assert.equal("integer", math.type(entry.started_at))
      assert.is_true(math.abs(os.time() - entry.started_at) <= 5)
      assert.equal(support.program_name "program", entry.app_name)
      assert.equal(support.PLAIN_TYPE, entry.app_type)
      assert.equal(support.user_name(), entry.user)
      assert.equal(program, entry.exe)
      assert.same(command, entry.command)
      assert.same({ running = true }, entry.app_status)
      assert.is_false(entry.restartable)
      assert.equal("command", entry.restart_by)
      assert.equal(0, #entry.reboot_reasons)
      assert.is_nil(entry.service_name)
      assert.is_true(entry.logon_session == nil or type(entry.logon_session) == "string")
    end)

    it("restartable for who registered", function()
      local script = [[
        local file = assert(io.open(arg[1]))
        assert(require "restartmanager".register_restart { args = { "x" } })
        print("here " .. require "restartmanager".self().pid)
        io.stdout:flush()
        io.read()
      ]]
      local program = programs.start(script, file)
      local pid = math.tointeger(program:says("here (%d+)"))
      local entry = support.find(assert(rm.who(file)), pid)
      assert.is_true(entry.restartable)
      assert.equal("registration", entry.restart_by)
    end)
  end)

  describe("with ourselves in it", function()
    it("says detected_self, and shutdown 350 with nothing touched", function()
      local holder = support.hold("open", file)
      local own <close> = assert(io.open(file))
      local session <close> = assert(rm.start {})
      assert(session:register { files = file })
      local list = assert(session:list())
      local entry = support.find(list, rm.self().pid)
      assert.equal("critical", entry.app_type)
      assert.same({ "detected_self" }, { table.unpack(entry.reboot_reasons) })
      assert.same({ "detected_self" }, { table.unpack(list.reboot_reasons) })
      local report, _, code, number = session:shutdown { force = true }
      assert.same({ "fail_noaction_reboot", 350 }, { code, number })
      assert.is_nil(report)
      assert.is_true(holder:alive())
      assert(own)
    end)

    it("says it of an ancestor", function()
      local script = [[
        local rm = require "restartmanager"
        local list = assert(rm.who(arg[1]))
        print(#list, list[1].pid == math.tointeger(arg[2]), list[1].app_type, table.concat(list.reboot_reasons, ","))
        local session <close> = assert(rm.start {})
        assert(session:register { files = arg[1] })
        print(select(3, session:shutdown { force = true }))
      ]]
      local path = support.write(join(support.folder(), "script.lua"), "io.read()\n" .. script)
      local output = support.lua([[
        local support = require "spec.support"
        local file, path, pid = ...
        local program = support.start { support.LUA, path, file, require "restartmanager".self().pid }
        local held = assert(io.open(file)) -- later, so that the script does not inherit it
        program:tell("go on\n")
        program:close()
        assert(held)
        io.write(program:output(), "survived")
        support.cleanup()
      ]], file, path)
      assert.equal("1\ttrue\tcritical\tdetected_self\nfail_noaction_reboot\t350\nsurvived",
        (output:gsub("(fail_noaction_reboot\t350)[^\n]*", "%1")))
    end)

    it("does not count what the search itself opens", function()
      local inner = support.write(join(support.make_folder(join(folder, "a/b")), "c"))
      assert.equal(0, #assert(rm.who(folder, file, inner)))
    end)
  end)

  it("of rm.who leaves no session", function()
    local function ours() -- of the sessions of all who use the store now
      local count = 0
      for _, info in ipairs(assert(rm.sessions())) do
        count = count + (info.primary.pid == rm.self().pid and 1 or 0)
      end
      return count
    end
    local _ = support.hold("open", file)
    local session <close> = assert(rm.start {})
    assert(session)
    assert.equal(1, ours())
    assert.equal(1, #assert(rm.who(file)))
    assert.is_nil((rm.who { processes = 4194304 }))
    assert.is_false(pcall(rm.who, file, {}))
    assert.equal(1, ours())
  end)
end)
