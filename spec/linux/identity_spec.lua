-- Nobody is taken for somebody else: recycled pids, odd names, stopped jobs, passed descriptors.
local holders = require "spec.linux.support"
local programs = require "spec.support_session"
local rm = require "restartmanager"
local support = require "spec.support"

local NEW_PIDS = "--pid --fork --kill-child --mount-proc"

local function spec(name, needs, body)
  it(name, function()
    local reason = needs and holders.lacks(needs) or body()
    if reason then
      pending(reason)
    end
  end)
end

describe("identity:", function()
  local folder, file

  before_each(function()
    folder = support.folder()
    file = support.write(folder .. "/file", "content")
  end)

  after_each(function()
    holders.cleanup()
    programs.cleanup()
    support.cleanup()
  end)

  spec("who got a registered process' pid is not taken for it", "unshare " .. NEW_PIDS .. " true", function()
    return holders.apart(NEW_PIDS, [[
      local file = support.write(support.folder() .. "/file")
      local out = support.folder() .. "/out"
      local command = ("%s/recycle hold %s > %s 2>&1"):format(support.build, file, out)
      local recycler = holders.start_command(command, out)
      local pid = math.tointeger(recycler:says("first (%d+)"))
      local session <close> = assert(rm.start {})
      assert(session:register { processes = pid })
      local first = support.find(assert(session:list()), pid)
      assert(first, "the first one is not listed")
      assert(not support.sleep(0.05)) -- so that the start times differ where the kernel has nothing better
      recycler:tell("\n")
      assert(math.tointeger(recycler:says("second (%d+)")) == pid, "another pid")

      local list = assert(session:list())
      assert(#list == 0, "the second one is listed: " .. tostring(list))
      local report = assert(session:shutdown { force = true, timeout = 1 })
      assert(#report.stopped == 0 and #report.gone == 0 and #report.alive == 0, tostring(report))
      assert(holders.alive(pid), "the second one was touched")

      local second = support.find(assert(rm.who(file)), pid)
      assert(second and second.start_time ~= first.start_time, "by what it holds it is listed as itself")
      -- Nor by the list from before: only the first one was confirmed, and it has gone.
      local other <close> = assert(rm.start {})
      assert(other:register { files = file })
      local nothing, _, code, number, told = other:shutdown { force = true, confirmed = { first } }
      assert(nothing == nil and code == "more_data" and number == 234, code)
      assert(#told.new == 1 and told.new[1].pid == pid)
      assert(holders.alive(pid), "the second one was touched")
      assert(other:add_filter { process = first, action = "no_shutdown" }) -- a filter does not keep it either
      assert(#assert(other:shutdown { force = true, timeout = 1 }).stopped == 1)
      other:close { leave_stopped = true }
      recycler:tell("\n")
    ]])
  end)

  spec("nor within one tick of the clock, where the kernel can tell", "unshare " .. NEW_PIDS .. " true", function()
    local output, ok = support.shell(("unshare %s %s/recycle tick %s 2>&1"):format(NEW_PIDS, support.build, file))
    assert(ok, output)
    if output:match("^no instance") then
      return "this kernel has no pidfd inodes"
    elseif output:match("^no twins") then
      return "no pid could be given away within one tick"
    end
    assert.equal([[
twins different
listed 0 stopped 0
first touched nobody
listed 1 stopped 1
second stopped
]], output)
    return nil
  end)

  spec("sessions of two pid namespaces in one store do not take each other for dead", "unshare " .. NEW_PIDS .. " true",
    function()
      local script = support.write(folder .. "/script.lua", [[
        local rm = require "restartmanager"
        print("ready")
        io.stdout:flush()
        for _ = 1, 200 do
          assert(assert(rm.start {}):close())
        end
        print("done")
      ]])
      local out = folder .. "/out"
      local inner = holders.start_command(
        ("timeout --foreground -s KILL 30 unshare %s lua5.4 %s > %s 2>&1"):format(NEW_PIDS, script, out), out)
      inner:says("ready")
      repeat
        assert(assert(rm.start {}):close())
      until inner:output() ~= "ready\n"
      inner:says("done")
      return nil
    end)

  it("a process may be called a) b (c", function()
    local program = folder .. "/a) b (c"
    assert(os.execute(("cp %s/holder %s"):format(support.build, support.quote(program))))
    local holder = holders.hold({ program = program }, "name", ") S 1 (x", "open", file)
    local entry = support.find(assert(rm.who(file)), holder.pid)
    assert.same({ "a) b (c", program, holder.pid, holders.start_time(holder.pid) },
      { entry.app_name, entry.exe, entry.pid, entry.start_time })
    assert.is_true(math.abs(os.time() - entry.started_at) <= 5)
    local session <close> = assert(rm.start {})
    assert(session:register { processes = holder.pid })
    assert.same({ holder.pid }, holders.pids(assert(session:shutdown()).stopped))
    assert(session:close { leave_stopped = true })
  end)

  it("a process of the same pid and start time but another instance is another one", function()
    local holder = support.hold("open", file)
    local entry = support.find(assert(rm.who(file)), holder.pid)
    if not entry.instance then
      return pending("this kernel has no inodes for pidfds")
    end
    local other = { pid = entry.pid, start_time = entry.start_time, instance = entry.instance + 1 }
    assert.same({ holder.pid }, holders.pids(assert(rm.who { processes = entry })))
    assert.equal(0, #assert(rm.who { processes = other }))
  end)

  it("a stopped job wakes to obey, without force", function()
    local note = support.write(folder .. "/note")
    local holder = holders.hold_stopped("note", note, "open", file)
    local session <close> = assert(rm.start {})
    assert(session:register { files = file })
    assert.same({ holder.pid }, holders.pids(assert(session:list())))
    local report = assert(session:shutdown { timeout = 10 })
    assert.same({ holder.pid }, holders.pids(report.stopped))
    assert.matches("term", support.read(note)) -- by its own will
    assert.is_false(holder:alive())
    assert(session:close { leave_stopped = true })
  end)

  it("who got a descriptor passed is a holder by it, and who passed it is none", function()
    local holder = support.hold("pass", file)
    local child = holders.children(holder)[1]
    local list = assert(rm.who(file))
    assert.same({ child }, holders.pids(list))
    assert.same({ "open r fd " .. file }, holders.uses(list, child))
  end)

  it("who got another's registration passed has not registered", function()
    local application = programs.start([[
      local rm = require "restartmanager"
      assert(rm.register_restart { args = { "--resume" } })
      local me = rm.self()
      print(("here %d-%d."):format(me.pid, me.start_time))
      io.stdout:flush()
      io.read()
    ]])
    local name = application:says("here (%d+%-%d+)%.")
    local registration
    for _, place in ipairs(programs.places()) do
      local path = place .. "/registered/" .. name
      local found = io.open(path, "rb")
      if found then
        found:close()
        registration = path
      end
    end
    assert(registration, "the registration is not in the store")
    local holder = support.hold("open", file, "pass", registration)
    local child = holders.children(holder)[1]
    -- It has the file open, and nothing else of the other's.
    local list = assert(rm.who(registration))
    assert.same({ child }, holders.pids(list))
    for _, pid in ipairs { child, holder.pid } do
      local settings, _, code = rm.restart_settings(pid)
      assert.is_nil(settings)
      assert.equal("not_found", code)
      local entry = support.find(assert(rm.who(file, registration)), pid)
      assert.is_false(entry.restartable)
      assert.equal("command", entry.restart_by)
    end
    assert.same({ "--resume" }, assert(rm.restart_settings(math.tointeger(name:match("^%d+")))).args)
  end)
end)
