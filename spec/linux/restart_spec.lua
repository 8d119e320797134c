-- Restart where programs are replaced while they run, and what a process of Linux has besides.
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

describe("restart()", function()
  local stage, session

  before_each(function()
    stage = stop.stage()
    session = assert(rm.start { name = "restart_spec", restart = { unregistered = true } })
    assert(session:register { files = stage.file })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    stop.strike(stage)
    support.cleanup()
  end)

  -- The facts of a report of the holder's, without those that differ from process to process.
  local function facts(path)
    assert.is_truthy(support.eventually(function()
      local file = io.open(path)
      return file and file:close()
    end))
    local result = {}
    for line in support.read(path):gmatch("[^\n]+") do
      local name, value = line:match("^(%S+)%s*(.*)$")
      result[name] = (result[name] and result[name] .. "\n" or "") .. value
    end
    return result
  end

  it("brings the program's new version, and the old one still shows while it runs", function()
    local program = stage.folder .. "/program"
    os.execute(("cp %s %s"):format(support.quote(support.build .. "/holder"), program))
    local command = ("%s until %s note %s nopdeath > /dev/null 2>&1 < /dev/null & echo $!")
      :format(program, stage.flag, stage.note)
    local pid = math.tointeger((support.shell(command)))
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 1
    end))
    assert(session:register { files = program })
    os.execute(("cp %s %s.new && mv %s.new %s"):format(support.quote(support.build .. "/holder"), program,
      program, program))
    local entry = support.find(assert(session:list()), pid)
    assert.is_true(entry.uses[1].deleted)
    assert.equal(program, entry.uses[1].path)
    assert(session:shutdown())
    local back = assert(session:restart()).restarted[1].restarted_as
    assert.equal(program .. "\n", (support.shell("readlink /proc/" .. back.pid .. "/exe")))
  end)

  it("gives back directory, limits, mask, priority, environment and arguments", function()
    local first, again = stage.folder .. "/first", stage.folder .. "/again"
    local place = support.folder()
    local path = stage.folder .. "/report"
    local command = ("cd %s && umask 027 && ulimit -n 100 && RSM_MARK='a b' exec nice -n 3 %s/holder until %s note %s "
      .. "report %s env RSM_MARK open %s nopdeath > /dev/null 2>&1 < /dev/null & echo $!"):format(place,
      support.quote(support.build), stage.flag, stage.note, path, stage.file)
    local pid = math.tointeger((support.shell(command)))
    assert.is_truthy(support.eventually(function()
      return support.find(assert(session:list()), pid)
    end))
    facts(path)
    assert(os.rename(path, first))
    local environ = support.read("/proc/" .. pid .. "/environ")
    assert(session:shutdown())
    local back = assert(session:restart()).restarted[1].restarted_as
    facts(path)
    assert(os.rename(path, again))
    assert.equal(environ, support.read("/proc/" .. back.pid .. "/environ"))
    local before, after = facts(first), facts(again)
    local same = { "uid", "gid", "Groups", "cwd", "root", "Umask", "nice", "nofile", "NoNewPrivs", "arg",
      "CapInh", "CapPrm", "CapEff", "CapBnd" }
    for _, name in ipairs(same) do
      assert.equal(assert(before[name], name), after[name], name)
    end
    assert.equal("0000000000000000", after.SigBlk)
    assert.matches("^0 /dev/null\n1 /dev/null\n2 /dev/null\n?[^\n]*$", after.fd) -- the fourth is the file that it opens
    assert.not_equal(before.sid, after.sid)
  end)

  it("does not start again a program of another network namespace, and says why", function()
    if support.shell("id -u") ~= "0\n" or not os.execute("unshare --net true 2> /dev/null") then
      return pending("needs root and network namespaces")
    end
    local command = ("unshare --net %s/holder until %s note %s open %s nopdeath > /dev/null 2>&1 < /dev/null & echo $!")
      :format(support.quote(support.build), stage.flag, stage.note, stage.file)
    local pid = math.tointeger((support.shell(command)))
    assert.is_truthy(support.eventually(function()
      return support.find(assert(session:list()), pid)
    end))
    local entry = support.find(assert(session:list()), pid)
    assert.is_false(entry.restartable)
    assert(session:shutdown())
    local left = assert(session:restart()).left_stopped
    assert.same({ pid }, stop.pids(left))
    assert.equal("not_restorable", left[1].why)
    assert.matches("namespace", left[1].note)
  end)
end)
