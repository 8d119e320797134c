-- Who uses these files, where it is about Linux: deleted files, names of any bytes, shells, kernel threads.
local holders = require "spec.linux.support"
local rm = require "restartmanager"
local support = require "spec.support"

local function shell(command)
  local output, ok = support.shell("{ " .. command .. "; } 2>&1")
  assert(ok, output)
  return (output:gsub("\n$", ""))
end

describe("a list", function()
  local folder, file

  before_each(function()
    folder = support.folder()
    file = support.write(folder .. "/file", "content")
  end)

  after_each(function()
    holders.cleanup()
    support.cleanup()
  end)

  local function uses_of(pid, ...)
    return holders.uses(assert(rm.who(...)), pid)
  end

  describe("tells how:", function()
    local kinds = {
      { "opath", "open - fd %s" },
      { "mapx", "map r - %s" },
      { "thread-open", "open r fd %s" },
      { "dead-leader", "open r fd %s" },
    }
    for _, kind in ipairs(kinds) do
      it(kind[1], function()
        local holder = support.hold(kind[1], file)
        assert.same({ kind[2]:format(file) }, uses_of(holder.pid, file))
      end)
    end

    it("the descriptor's number", function()
      local holder = support.hold("open", file, "open", file)
      local uses = support.find(assert(rm.who(file)), holder.pid).uses
      local expected = {}
      for fd in shell(("find /proc/%d/fd -lname %s -printf '%%f '"):format(holder.pid, file)):gmatch("%d+") do
        expected[#expected + 1] = math.tointeger(fd)
      end
      local found = { uses[1].fd, uses[2].fd }
      table.sort(found)
      table.sort(expected)
      assert.equal(2, #expected)
      assert.same(expected, found)
    end)

    it("a root directory", function()
      if not support.is_root() then
        return pending "needs root"
      end
      local inner = support.make_folder(folder .. "/inner")
      local holder = support.hold("root", inner)
      assert.same({ "root - - " .. inner .. " of " .. folder }, uses_of(holder.pid, folder))
    end)
  end)

  describe("finds", function()
    it("a deleted file's old inode", function()
      local holder = support.hold("open", file, "map", file, "unlink", file)
      assert.same({ "map r - " .. file .. " deleted", "open r fd " .. file .. " deleted" }, uses_of(holder.pid, file))
    end)

    it("a replaced file's old inode, next to the new one's holder", function()
      local new = support.write(folder .. "/new", "new")
      local old = support.hold("open", file, "map", file)
      assert(os.rename(new, file))
      local fresh = support.hold("open", file)
      local list = assert(rm.who(file))
      assert.same({ "map r - " .. file .. " deleted", "open r fd " .. file .. " deleted" }, holders.uses(list, old.pid))
      assert.same({ "open r fd " .. file }, holders.uses(list, fresh.pid))
    end)

    it("a replaced program's old image", function()
      local program = folder .. "/program"
      shell(("cp %s/holder %s && cp %s %s.new"):format(support.build, program, program, program))
      local holder = holders.hold { program = program }
      assert(os.rename(program .. ".new", program))
      assert.same({ "exec r - " .. program .. " deleted" }, uses_of(holder.pid, program))
      assert.equal(program, support.find(assert(rm.who(program)), holder.pid).exe)
    end)

    it("a deleted file in a registered folder, and a deleted folder's", function()
      local inner = folder .. "/a/b"
      shell("mkdir -p " .. inner)
      local one = support.hold("open", support.write(folder .. "/one"), "unlink", folder .. "/one")
      local two = support.hold("open", support.write(inner .. "/two"))
      shell("rm -r " .. folder .. "/a")
      local list = assert(rm.who(folder))
      assert.same({ ("open r fd %s/one of %s deleted"):format(folder, folder) }, holders.uses(list, one.pid))
      assert.same({ ("open r fd %s/two of %s deleted"):format(inner, folder) }, holders.uses(list, two.pid))
    end)

    it("500 processes, in bounded time", function()
      local holder = support.hold("open", file, "fork", "499")
      local expected = holders.children(holder)
      expected[#expected + 1] = holder.pid
      table.sort(expected)
      local start = support.now()
      local list = assert(rm.who(file))
      local seconds = support.now() - start
      assert.equal(500, #list)
      assert.same(expected, holders.pids(list))
      assert.is_true(seconds < 8, "took " .. seconds .. " s")
    end)
  end)

  describe("takes names as bytes:", function()
    local names = {
      "with blanks  in it", "with\na newline", "with\\012a backslash", "a tab\tand \27[31mmore", "real (deleted)",
      "no UTF-8 \xff\xfe\xc3", "'quotes\" $(sh) *", " ", "-f",
    }
    for i, name in ipairs(names) do
      it(("%d: %s"):format(i, name:gsub("[%c\x80-\xff]", "?")), function()
        local path = support.write(folder .. "/" .. name, "x")
        local opened, mapped = support.hold("open", path), support.hold("map", path)
        local list = assert(rm.who(path))
        assert.same({ "open r fd " .. path }, holders.uses(list, opened.pid))
        assert.same({ "map r - " .. path }, holders.uses(list, mapped.pid))
        assert.equal(2, #list)
        list = assert(rm.who(folder))
        assert.same({ ("open r fd %s of %s"):format(path, folder) }, holders.uses(list, opened.pid))
        assert(os.remove(path))
        for _, resource in ipairs { path, folder } do
          list = assert(rm.who(resource))
          assert.is_true(support.find(list, opened.pid).uses[1].deleted)
          assert.equal(path, support.find(list, opened.pid).uses[1].path)
          assert.is_true(support.find(list, mapped.pid).uses[1].deleted)
          local said = support.find(list, mapped.pid).uses[1].path
          -- In a tree anything may have been there, and maps shows a newline and a real \012 alike.
          local ambiguous = resource == folder and path:find("\\012", 1, true)
          assert.equal(path, ambiguous and said:gsub("\n", "\\012") or said)
        end
      end)
    end

    it("a real (deleted) is no deleted file's", function()
      local real = support.write(file .. " (deleted)", "x")
      local holder = support.hold("open", real, "map", real)
      assert.equal(0, #assert(rm.who(file)))
      assert.same({ "map r - " .. real, "open r fd " .. real }, uses_of(holder.pid, real))
      local old = support.hold("open", file, "map", file, "unlink", file)
      assert.same({ old.pid }, holders.pids(assert(rm.who(file))))
      assert.same({ holder.pid }, holders.pids(assert(rm.who(real))))
    end)
  end)

  describe("has exactly", function()
    it("nobody who holds a fresh file that took the old one's inode number", function()
      local session <close> = assert(rm.start {})
      local inode = shell("stat -c %i " .. file)
      assert(session:register { files = file })
      assert(os.remove(file))
      local fresh
      for i = 1, 200 do
        local path = support.write(("%s/fresh%d"):format(folder, i))
        if shell("stat -c %i " .. path) == inode then
          fresh = path
          break
        end
      end
      if not fresh then
        pending("this file system does not give inode numbers away again at once")
        return
      end
      local _ = support.hold("open", fresh, "map", support.write(fresh, "x"))
      assert.equal(0, #assert(session:list()))
      support.write(file)
      assert.equal(0, #assert(session:list()))
    end)
  end)

  describe("of working directories", function()
    -- A shell that reads its commands from us.
    local function start_shell()
      local out = support.folder() .. "/out"
      local terminal = holders.start_command(("env -C %s setsid sh -s > %s 2>&1"):format(folder, out), out)
      terminal:tell("echo shell $$\n")
      terminal.pid = math.tointeger(terminal:says("shell (%d+)"))
      return terminal
    end

    it("is no reboot reason, and a shell that stands there survives a forced shutdown", function()
      local terminal = start_shell()
      local session <close> = assert(rm.start {})
      assert(session:register { files = folder })
      local list = assert(session:list())
      assert.same({ "cwd - - " .. folder }, holders.uses(list, terminal.pid))
      assert.equal(0, #list.reboot_reasons)
      local report = assert(session:shutdown { force = true, timeout = 2 })
      assert.same({ 0, 0, 0 }, { #report.stopped, #report.alive, #report.new })
      terminal:tell("echo again\n")
      terminal:says("again")
    end)

    it("stops it with working_directories", function()
      local terminal = start_shell()
      local session <close> = assert(rm.start {})
      assert(session:register { files = folder, working_directories = true })
      local report = assert(session:shutdown { force = true, timeout = 2 })
      assert.same({ terminal.pid }, holders.pids(report.stopped))
      assert.is_false(terminal:alive())
      assert(session:close { leave_stopped = true })
    end)
  end)

  describe("of registered processes", function()
    local function with(processes)
      return rm.who { processes = processes }
    end

    it("says that the first process is critical", function()
      local list = assert(with(1))
      assert.equal("critical", list[1].app_type)
      local reasons = { table.unpack(list[1].reboot_reasons) }
      assert.same({ "detected_self" }, reasons) -- an ancestor of ours has that reason alone
      local session <close> = assert(rm.start {})
      assert(session:register { processes = 1 })
      assert.equal("fail_noaction_reboot", (select(3, session:shutdown { force = true })))
    end)

    it("says that a kernel thread is critical", function()
      local name = support.shell("cat /proc/2/comm 2> /dev/null")
      if name ~= "kthreadd\n" then
        pending("no kernel threads are seen here")
        return
      end
      local list = assert(with(2))
      assert.equal("critical", list[1].app_type)
      assert.is_true(list.reboot_reasons.critical_process)
      assert.is_nil(list.reboot_reasons.detected_self)
    end)
  end)

  describe("has entries with", function()
    it("the type console for who has a terminal", function()
      local said, works = support.shell("script -qec true /dev/null 2>&1 < /dev/null")
      if not works then
        pending("no pseudo-terminal: " .. said)
        return
      end
      local command = ("%s/holder open %s"):format(support.build, file)
      local out = support.folder() .. "/out"
      local holder = holders.start_command(
        ("timeout --foreground -s KILL 30 script -qec %s /dev/null > %s 2>&1"):format(support.quote(command), out),
        out)
      holders.ready(holder)
      local entry = support.find(assert(rm.who(file)), holder.pid)
      assert.equal("console", entry.app_type)
    end)
  end)

  it("prints for people and escapes what could steer the terminal", function()
    local program = folder .. "/evil\27[31m\n\xff\u{202e}name"
    shell(("cp %s/holder %s"):format(support.build, support.quote(program)))
    local path = support.write(folder .. "/a\r\27]0;title\7b")
    local holder = holders.hold({ program = program }, "open", path)
    local text = tostring(assert(rm.who(path))):gsub("\nnot complete: [^\n]*$", "")
    assert.is_nil((text:gsub("[\n…]", "")):find("[%c\x80-\xff]"))
    assert.equal(2, select(2, (text .. "\n"):gsub("\n", "")))
    assert.matches("evil\\x1B%[31m\\n\\xFF", text)
    assert.matches("a\\r\\x1B%]0;title\\x07b", text)
    assert.matches(" " .. holder.pid .. " ", text)
    assert.matches("open", text)
  end)
end)
