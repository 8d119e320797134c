local rm = require "restartmanager"
local support = require "spec.support"

-- A session with one holder of its one file.
local function one(...)
  local file = support.write(support.join(support.folder(), "file"))
  local holder = support.hold("open", file, ...)
  local session = assert(rm.start { name = "op_spec", restart = { unregistered = true } })
  assert(session:register { files = file })
  return session, holder, file
end

local function finish(op)
  local last = os.time() + 10
  repeat
    local done = op:step(0.5)
    assert.is_true(os.time() <= last, "takes too long")
  until done
end

describe("an operation", function()
  local session, holder

  after_each(function()
    if session then
      session:close { leave_stopped = true }
    end
    session = nil
    support.cleanup()
  end)

  it("moves only when stepped, and stays done", function()
    session = one()
    local op = assert(session:begin_list())
    assert.matches("restartmanager.operation %(list", tostring(op))
    assert.matches("not done", support.raised(op.result, op))
    finish(op)
    assert.same({ true, 100 }, { op:step() })
    assert.same({ true, 100 }, { op:step(5) })
    assert.equal(1, #op:result())
    assert.equal(op:result(), op:result())
    assert.is_true(op:cancel())
    assert.is_true(op:close())
    assert.is_true(op:close())
    assert.matches("attempt to use a closed operation", support.raised(op.step, op))
    assert.matches("attempt to use a closed operation", support.raised(op.result, op))
    assert.equal(1, #session:list())
  end)

  it("excludes another one meanwhile", function()
    session = one()
    local op <close> = assert(session:begin_list())
    for _, name in ipairs { "list", "shutdown", "begin_list", "begin_shutdown" } do
      local result, message, code, number = session[name](session)
      assert.is_nil(result)
      assert.matches("^" .. name .. ": ", message)
      assert.same({ "busy", 170 }, { code, number })
    end
    finish(op)
    assert.is_truthy(session:list())
  end)

  it("gives the blocking form's results", function()
    session, holder = one("ignore", "TERM")
    local op <close> = assert(session:begin_shutdown { timeout = 0.1 })
    finish(op)
    local report, message, code, number, failed = op:result()
    assert.is_nil(report)
    assert.matches("^shutdown: ", message)
    assert.same({ "fail_shutdown", 351 }, { code, number })
    assert.equal(holder.pid, failed.alive[1].pid)
    assert.matches("holder", tostring(failed))
    assert.equal(5, select("#", op:result()))
    assert.is_true(holder:alive())
  end)

  it("can be cancelled, by itself and by its session", function()
    session, holder = one("ignore", "TERM")
    assert.is_true(session:cancel())
    for _, cancel in ipairs { "operation", "session" } do
      local op <close> = assert(session:begin_shutdown())
      op:step(1)
      assert.is_true((cancel == "session" and session or op):cancel())
      finish(op)
      local _, message, code, number, report = op:result()
      assert.matches("^shutdown: ", message)
      assert.same({ "cancelled", 1223 }, { code, number })
      assert.equal("table", type(report.alive))
    end
    assert.is_true(holder:alive())
    assert.is_true(session:cancel())
    assert.is_truthy(session:list())
  end)

  it("can be cancelled though an earlier one is freed meanwhile", function()
    session = one()
    local earlier = assert(session:begin_list())
    finish(earlier)
    local op = assert(session:begin_list())
    earlier:close()
    assert.is_true(op:cancel())
    finish(op)
    assert.equal("cancelled", (select(3, op:result())))
  end)

  it("is cancelled by close, by leaving its block, and by its session's end", function()
    session = one("ignore", "TERM")
    local op = assert(session:begin_shutdown { timeout = 1 })
    op:step(0.2)
    assert.is_true(op:close())
    do
      local other <close> = assert(session:begin_shutdown { timeout = 1 })
      other:step(0.2)
    end
    op = assert(session:begin_shutdown { timeout = 1 })
    op:step(0.2)
    session:close()
    assert.is_true(op:step())
    assert.equal("cancelled", (select(3, op:result())))
  end)

  it("is cancelled when it is collected", function()
    session = one("ignore", "TERM")
    assert(session:begin_shutdown()):step(0.2)
    collectgarbage()
    collectgarbage()
    assert.is_truthy(session:list())
  end)

  it("keeps its session alive", function()
    local op
    do
      op = assert(assert(rm.start()):begin_list())
    end
    collectgarbage()
    collectgarbage()
    finish(op)
    assert.equal(0, #op:result())
  end)

  it("has a descriptor for event loops, where they take descriptors", function()
    session = one("ignore", "TERM")
    local op <close> = assert(session:begin_shutdown { timeout = 0.2 })
    local fd = op:fd()
    if support.on_windows then
      assert.is_nil(fd)
    else
      assert.equal("integer", math.type(fd))
    end
    finish(op)
  end)
end)

describe("who watches", function()
  local session, holder

  after_each(function()
    if session then
      session:close { leave_stopped = true }
    end
    session = nil
    support.cleanup()
  end)

  it("sees progress rise to 100", function()
    session = one()
    local seen, actions = {}, {}
    local report = assert(session:shutdown {
      progress = function(percent, phase)
        assert.equal("shutdown", phase)
        assert.is_true(percent > (seen[#seen] or -1))
        seen[#seen + 1] = percent
      end,
      on_event = function(event)
        actions[#actions + 1] = event.action
        assert.is_truthy(event.process)
      end,
    })
    assert.equal(1, #report.stopped)
    assert.equal(100, seen[#seen])
    assert.equal("ask", actions[1])
    assert.equal("stopped", actions[#actions])
  end)

  for _, callback in ipairs { "progress", "on_event", "wait" } do
    it("may raise in " .. callback .. ": the same value comes back", function()
      session, holder = one("ignore", "TERM")
      local value = {}
      local ok, caught = pcall(session.shutdown, session, {
        [callback] = function()
          error(value)
        end,
      })
      assert.is_false(ok)
      assert.equal(value, caught)
      assert.is_true(holder:alive())
      assert.is_truthy(session:list())
    end)
  end

  for _, callback in ipairs { "progress", "on_event" } do
    it("cancels by false in " .. callback, function()
      session, holder = one("ignore", "TERM")
      local calls = 0
      local result, message, code, number, report = session:shutdown {
        [callback] = function()
          calls = calls + 1
          return false
        end,
      }
      assert.is_nil(result)
      assert.matches("^shutdown: ", message)
      assert.same({ "cancelled", 1223 }, { code, number })
      assert.equal("table", type(report))
      assert.equal(1, calls)
      assert.is_true(holder:alive())
    end)
  end

  it("is called from step, and a raise settles the operation", function()
    session = one("ignore", "TERM")
    local op <close> = assert(session:begin_shutdown {
      on_event = function()
        error("stop it", 0)
      end,
    })
    local ok, message
    repeat
      ok, message = pcall(op.step, op, 0.5)
    until not ok
    assert.equal("stop it", message)
    assert.is_true(op:step())
    assert.equal("cancelled", (select(3, op:result())))
  end)

  it("may yield anywhere", function()
    session, holder = one("delay", "0.3")
    local steps, events = 0, 0
    local run = coroutine.wrap(function()
      return "done", session:shutdown {
        wait = coroutine.yield,
        on_event = function()
          coroutine.yield("event")
        end,
      }
    end)
    local what, report
    repeat
      what, report = run()
      steps = steps + 1
      if what == "event" then
        events = events + 1
      elseif what ~= "done" then
        assert.matches("^restartmanager.operation", tostring(what))
        support.sleep(0.02)
      end
    until what == "done"
    assert.equal(1, #report.stopped)
    assert.is_true(events >= 2 and steps > events)
    assert.is_false(holder:alive())
  end)

  it("cancels when its coroutine is closed", function()
    session, holder = one("ignore", "TERM")
    local co = coroutine.create(function()
      return session:shutdown { wait = coroutine.yield }
    end)
    assert(coroutine.resume(co))
    assert.same({ "busy" }, { (select(3, session:list())) })
    assert.is_true(coroutine.close(co))
    assert.is_truthy(session:list())
    assert.is_true(holder:alive())
  end)
end)
