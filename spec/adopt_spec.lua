-- What a primary that died, or forgot, has stopped: it is in the store, and comes back exactly once.
local rm = require "restartmanager"
local programs = require "spec.support_session"
local stop = require "spec.support_stop"
local support = require "spec.support"

-- A primary that stops the holders, starts them again, and is killed on the way: NAME FILE WHEN [DELAY].
-- WHEN is "before" shutdown, "shutdown N" or "restart N" (at their Nth event), "between" the two, or "after" restart.
-- With a DELAY it is killed so many seconds later, at a moment that nobody chose.
local PRIMARY = [[
  local rm = require "restartmanager"
  local name, file, when, delay = ...
  local support = require "spec.support"
  local function say(...)
    io.write(table.concat({ ... }, " "), "\n")
    io.stdout:flush()
  end
  local function die_at(moment)
    if moment == when and delay then
      support.kill_self_later(tonumber(delay))
    elseif moment == when then
      support.kill_self()
    end
  end
  local function counter(phase)
    local count = 0
    return function(event)
      count = count + 1
      say("event", phase, event.action, event.process.pid)
      die_at(phase .. " " .. count)
    end
  end
  local session = assert(rm.start { name = name, restart = { unregistered = true } })
  say("key", session.key)
  assert(session:register { files = file })
  die_at "before"
  assert(session:shutdown { timeout = 3, on_event = counter "shutdown" })
  die_at "between"
  assert(session:restart { on_event = counter "restart" })
  die_at "after"
  while delay do
    support.sleep(0.02)
  end
  say "the end"
]]

-- Adopts when the file GO is there and says how it went; restarts when RELEASE is there: KEY GO RELEASE.
local ADOPTER = [[
  local rm = require "restartmanager"
  local key, go, release = ...
  local function await(path)
    repeat
      local file = io.open(path)
    until file and file:close()
  end
  local function say(...)
    io.write(table.concat({ ... }, " "), "\n")
    io.stdout:flush()
  end
  say "ready ."
  await(go)
  local session, _, code, number = rm.adopt(key)
  say("adopt", session and "won" or code, session and session.role or number)
  if session then
    await(release)
    say("restarted", #assert(session:restart()).restarted)
    say("closed", tostring(session:close()))
  end
]]

local COUNT = 3 -- holders
local NAME = "adopt_spec " .. rm.self().pid .. " " .. rm.self().start_time -- nobody else's

describe("a session whose primary is gone", function()
  local stage, holders, keys

  before_each(function()
    stage = stop.stage()
    holders, keys = {}, {}
    for i = 1, COUNT do
      holders[i] = stop.hold(stage, "name", "holder-" .. i)
    end
  end)

  after_each(function()
    programs.cleanup()
    collectgarbage()
    for _, key in ipairs(keys) do -- what a failed spec has left
      local left = rm.adopt(key)
      if left then
        left:close { leave_stopped = true }
      end
    end
    stop.strike(stage)
    support.cleanup()
  end)

  -- Runs the primary until it is killed; its key, and what it said.
  local function killed(when, delay)
    local program = programs.start(PRIMARY, NAME, stage.file, when, delay)
    local key = program:says("key (%x+)")
    keys[#keys + 1] = key
    local ended = { program:close() }
    local output = program:output()
    assert.same(support.KILLED, ended, output)
    return key, output
  end

  -- How often each holder has started.
  local function starts()
    local counts = {}
    for i = 1, COUNT do
      counts[i] = select(2, support.read(stage.note):gsub("start %d+[^\n]* holder%-" .. i .. "\n", ""))
    end
    return counts
  end

  -- Waits until each has started so often, ends all, and looks whether it was not oftener.
  local function expect_starts(wanted)
    support.eventually(function()
      local now = starts()
      for i = 1, COUNT do
        if now[i] < wanted[i] then
          return false
        end
      end
      return true
    end)
    assert.same(wanted, starts())
    stop.strike(stage)
    assert.same(wanted, starts())
  end

  -- The pids of which the primary has said this, sorted.
  local function told(output, what)
    local pids = {}
    for pid in output:gmatch("event " .. what .. " (%d+)\n") do
      pids[#pids + 1] = math.tointeger(pid)
    end
    table.sort(pids)
    return pids
  end

  -- What had been stopped and not started again by what the primary said.
  local function still_stopped(output)
    local pids, back = {}, {}
    for _, pid in ipairs(told(output, "restart restarted")) do
      back[pid] = true
    end
    for _, pid in ipairs(told(output, "shutdown stopped")) do
      if not back[pid] then
        pids[#pids + 1] = pid
      end
    end
    return pids
  end

  -- Adopts, restarts, closes; afterwards each holder runs, and those that had been stopped were started once.
  -- restarted: how many the primary had started again; nil: nobody knows.
  local function recover(key, restarted)
    if restarted then
      assert.is_truthy(support.eventually(function()
        return #stop.starts(stage) == COUNT + restarted
      end))
    end
    local before = starts()
    local adopted, message, refusal = rm.adopt(key)
    if restarted then
      assert.same(before, starts(), "adopt has started something")
    end
    local dead, wanted, back = {}, {}, {}
    for i, holder in ipairs(holders) do
      wanted[i] = 1
      if not holder:alive() then
        dead[#dead + 1] = holder.pid
        wanted[i] = 2
      end
    end
    if adopted then
      assert.equal("primary", adopted.role)
      assert.is_false(programs.listed(key).abandoned)
      assert.same({ "busy", 170 }, { select(3, rm.adopt(key)) })
      local report = assert(adopted:restart())
      back = stop.pids(report.restarted)
      assert.same({ 0, 0 }, { #report.failed, #report.left_stopped })
      assert.same(0, #assert(adopted:restart()).restarted)
      assert.is_true(adopted:close())
    else -- it owed nothing, and whoever starts a session sweeps such a one
      assert.equal("session_credential_conflict", refusal, message)
    end
    assert.same({ "session_credential_conflict", 1219 }, { select(3, rm.adopt(key)) })
    assert.is_true(programs.gone(key))
    expect_starts(wanted)
    return dead, back
  end

  -- asked: how many were asked by then. ended: how many had been restarted by then.
  local function expect_recovery(when, asked, restarted)
    local key, output = killed(when)
    local info = programs.listed(key)
    if asked == 0 or restarted == COUNT then
      assert.is_nil(info, "nothing was stopped, but it is listed")
    else
      assert.is_true(info.abandoned)
      assert.equal(NAME, info.name)
      assert.same(still_stopped(output), stop.pids(info.stopped))
    end
    assert.equal(restarted, #told(output, "restart restarted"))
    local dead, back = recover(key, restarted)
    if support.on_windows and when:find("^shutdown") then -- threads ask there, which may have died with the primary
      assert.is_true(#dead <= asked and #dead >= #told(output, "shutdown stopped"))
      asked = #dead
    end
    assert.equal(asked, #dead)
    assert.equal(asked - restarted, #back)
  end

  describe("comes back exactly once when it was killed", function()
    it("before shutdown", function()
      expect_recovery("before", 0, 0)
    end)

    for event = 1, 3 * COUNT do -- ask, wait, stopped
      it("at event " .. event .. " of shutdown", function()
        expect_recovery("shutdown " .. event, math.min(event, COUNT), 0)
      end)
    end

    it("between shutdown and restart", function()
      expect_recovery("between", COUNT, 0)
    end)

    for event = 1, 2 * COUNT do -- start, restarted
      it("at event " .. event .. " of restart", function()
        expect_recovery("restart " .. event, COUNT, event // 2)
      end)
    end

    it("after restart", function()
      expect_recovery("after", COUNT, COUNT)
    end)

    for _, delay in ipairs { "0.000", "0.003", "0.010", "0.050" } do
      it(delay .. " s after the first was asked, at a moment that nobody chose", function()
        recover((killed("shutdown 1", delay)))
      end)
    end

    for _, delay in ipairs { "0.000", "0.001", "0.002", "0.003", "0.005", "0.008" } do
      it(delay .. " s after restart began, at a moment that nobody chose", function()
        recover((killed("restart 1", delay)))
      end)
    end
  end)

  describe("is adopted", function()
    it("in the state after shutdown: the stopped are in its list", function()
      local key = killed("between")
      local adopted <close> = assert(rm.adopt(key))
      local list = assert(adopted:list())
      assert.equal(COUNT, #list)
      for i, pid in ipairs(stop.pids(holders)) do
        local entry = support.find(list, pid)
        assert.is_true(entry.app_status.stopped, i)
        assert.is_nil(entry.app_status.running)
        assert.equal("command", entry.restart_by)
      end
    end)

    it("with the files that were registered, to stop and start once more", function()
      local key = killed("between")
      local adopted = assert(rm.adopt(key))
      local files = {}
      for resource in adopted:resources() do
        files[#files + 1] = resource.file
      end
      assert.same({ stage.file }, files)
      local first = assert(adopted:restart()).restarted
      support.eventually(function()
        return #stop.starts(stage) == 2 * COUNT
      end)
      local stopped = assert(adopted:shutdown()).stopped
      assert.equal(COUNT, #stopped)
      for _, entry in ipairs(first) do
        assert.is_not_nil(support.find(stopped, entry.restarted_as.pid))
      end
      assert.equal(COUNT, #assert(adopted:restart()).restarted)
      assert.is_true(adopted:close())
      expect_starts { 3, 3, 3 }
    end)

    it("and, killed again, adopted again", function()
      local key = killed("between")
      local program = programs.start([[
        local rm = require "restartmanager"
        local session = assert(rm.adopt(...))
        session:restart { on_event = function(event)
          if event.action == "restarted" then
            require("spec.support").kill_self()
          end
        end }
      ]], key)
      assert.same(support.KILLED, { program:close() })
      assert.is_true(programs.listed(key).abandoned)
      local dead, back = recover(key, 1)
      assert.same({ COUNT, COUNT - 1 }, { #dead, #back })
    end)

    it("not while its primary lives", function()
      local living <close> = assert(rm.start())
      local _, message, code, number = rm.adopt(living.key)
      assert.same({ "busy", 170 }, { code, number })
      assert.matches("^adopt: ", message)
      assert.is_nil(message:find(living.key, 1, true))
      local output = support.lua([[
        local _, _, code, number = require "restartmanager".adopt(...)
        print(code, number)
      ]], living.key)
      assert.equal("busy\t170\n", output)
    end)

    it("only when a start that is still under way is over", function()
      local key = killed("between")
      local starter = programs.start([[require("spec.support").lock_for(..., 0.5)]],
        support.join(programs.stored(key), "lock"))
      starter:says("locked")
      local adopted <close> = assert(rm.adopt(key))
      assert.matches("over", starter:output())
      assert.equal(COUNT, #assert(adopted:restart()).restarted)
      expect_starts { 2, 2, 2 }
    end)

    it("by exactly one of two that want it at the same time", function()
      local key = killed("between")
      local go, release = support.join(stage.folder, "go"), support.join(stage.folder, "release")
      local adopters = { programs.start(ADOPTER, key, go, release), programs.start(ADOPTER, key, go, release) }
      for _, adopter in ipairs(adopters) do
        adopter:says("ready (.)")
      end
      support.write(go)
      local results, winner = {}, nil
      for i, adopter in ipairs(adopters) do
        results[i] = table.concat({ adopter:says("adopt (%S+) (%S+)\n") }, " ")
        winner = results[i] == "won primary" and adopter or winner
      end
      table.sort(results)
      assert.same({ "busy 170", "won primary" }, results)
      support.write(release)
      assert.equal(tostring(COUNT), winner:says("restarted (%d+)\n"))
      assert.equal("true", winner:says("closed (%S+)\n"))
      expect_starts { 2, 2, 2 }
    end)

    it("by rm.recover, by name, which returns the reports and clears the store", function()
      local key = killed("between")
      assert.same({}, assert(rm.recover { name = NAME .. ", but another" }))
      assert.is_not_nil(programs.listed(key))
      local reports = assert(rm.recover { name = NAME })
      assert.equal(1, #reports)
      assert.same(stop.pids(holders), stop.pids(reports[1].restarted))
      assert.is_nil(programs.listed(key))
      assert.is_nil(programs.stored(key))
      assert.same({}, assert(rm.recover { name = NAME }))
      expect_starts { 2, 2, 2 }
    end)

    it("and not started by recover what restart's default leaves", function()
      local program = programs.start([[
        local rm = require "restartmanager"
        local session = assert(rm.start { name = (...) })
        assert(session:register { files = select(2, ...) })
        assert(session:shutdown())
        io.write("key ", session.key, "\n")
        io.stdout:flush()
        require("spec.support").kill_self()
      ]], NAME, stage.file)
      keys[1] = program:says("key (%x+)")
      program:close()
      local reports = assert(rm.recover { name = NAME })
      assert.same({ 0, COUNT }, { #reports[1].restarted, #reports[1].left_stopped })
      assert.equal("not_registered", reports[1].left_stopped[1].why)
      assert.is_nil(programs.stored(keys[1]))
      expect_starts { 1, 1, 1 }
    end)
  end)

  describe("or that is left", function()
    local function started(unregistered)
      local session = assert(rm.start { name = NAME, restart = { unregistered = unregistered } })
      keys[#keys + 1] = session.key
      assert(session:register { files = stage.file })
      return session
    end

    it("by close restarts first, and returns that report", function()
      local session = started(true)
      assert(session:shutdown())
      assert.same(stop.pids(holders), stop.pids(assert(session:close()).restarted))
      assert.is_true(session:close())
      assert.is_nil(programs.stored(session.key))
      expect_starts { 2, 2, 2 }
    end)

    it("by close after restart does nothing more", function()
      local session = started(true)
      assert(session:shutdown())
      assert(session:restart())
      assert.is_true(session:close())
      expect_starts { 2, 2, 2 }
    end)

    it("by close{leave_stopped} leaves them stopped and forgets them", function()
      local session = started(true)
      assert(session:shutdown())
      assert.is_true(session:close { leave_stopped = true })
      assert.is_nil(programs.listed(session.key))
      assert.is_nil(programs.stored(session.key))
      expect_starts { 1, 1, 1 }
    end)

    it("by __gc is abandoned, and adoptable in the same process", function()
      local key
      do
        local session = started(true)
        key = session.key
        assert(session:shutdown())
        session = nil -- luacheck: ignore 311
      end
      collectgarbage()
      collectgarbage()
      assert.same({ 1, 1, 1 }, starts())
      local info = programs.listed(key)
      assert.is_true(info.abandoned)
      assert.same(stop.pids(holders), stop.pids(info.stopped))
      recover(key, 0)
    end)

    it("by a raise in a <close> scope is back at once, and the same value goes on", function()
      local thrown = {}
      local ok, value = pcall(function()
        local session <close> = started(true)
        assert(session:shutdown())
        error(thrown)
      end)
      assert.is_false(ok)
      assert.equal(thrown, value)
      assert.is_nil(programs.stored(keys[1]))
      expect_starts { 2, 2, 2 }
    end)

    it("by a raise in rm.scope is back at once, and the same value goes on", function()
      local thrown = {}
      local ok, value = pcall(rm.scope, { name = NAME, restart = { unregistered = true } }, function(session)
        keys[1] = session.key
        assert(session:register { files = stage.file })
        assert(session:shutdown())
        error(thrown)
      end)
      assert.is_false(ok)
      assert.equal(thrown, value)
      assert.is_nil(programs.stored(keys[1]))
      expect_starts { 2, 2, 2 }
    end)

    it("by a raise in an event function is back at once", function()
      for _, raise_at in ipairs { 1, COUNT + 1, 2 * COUNT + 1 } do
        local thrown, count, before, began = {}, 0, starts(), support.now()
        local ok, value = pcall(function()
          local session <close> = started(true)
          assert(session:shutdown { on_event = function()
            count = count + 1
            if count == raise_at then
              error(thrown)
            end
          end })
        end)
        assert.is_false(ok)
        assert.equal(thrown, value)
        assert.is_true(support.now() - began < 20, "waited as long as the shutdown would have")
        assert.is_truthy(support.eventually(function()
          return #rm.who(stage.file) == COUNT
        end))
        for i, now in ipairs(starts()) do
          assert.is_true(now == before[i] or now == before[i] + 1)
        end
      end
    end)
  end)
end)
