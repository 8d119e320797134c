local rm = require "restartmanager"
local support = require "spec.support"

-- A holder that comes back when it is started again: it lives until its file "until" is removed, and notes its starts.
local function lasting()
  local folder = support.folder()
  local held = { folder = folder, file = support.write(support.join(folder, "file")),
    notes = support.join(folder, "notes") }
  local flag = support.write(support.join(folder, "until"))
  held.holder = support.hold("note", held.notes, "open", held.file, "until", flag)
  return held
end

local function starts(held)
  return select(2, support.read(held.notes):gsub("start %d+", ""))
end

local OPTIONS = { name = "scope_spec", restart = { unregistered = true } }

local function stop(session, held)
  assert(session:register { files = held.file })
  local report = assert(session:shutdown { timeout = 10 })
  assert.equal(1, #report.stopped)
end

local function back(held)
  assert.is_true(support.eventually(function()
    return starts(held) == 2
  end))
end

describe("leaving a session", function()
  after_each(function()
    for _, info in ipairs(assert(rm.sessions())) do
      if info.abandoned and info.name == "scope_spec" then
        assert(rm.adopt(info.key)):close { leave_stopped = true }
      end
    end
    support.cleanup()
  end)

  it("by close restarts what was stopped, and returns the report", function()
    local held = lasting()
    local session = assert(rm.start(OPTIONS))
    stop(session, held)
    local report = session:close()
    assert.equal(1, #report.restarted)
    assert.is_true(session:close())
    back(held)
  end)

  it("by close{leave_stopped} does not", function()
    local held = lasting()
    local session = assert(rm.start(OPTIONS))
    stop(session, held)
    assert.is_true(session:close { leave_stopped = true })
    assert.equal(1, starts(held))
    for _, info in ipairs(assert(rm.sessions())) do
      assert.not_equal(session.key, info.key)
    end
  end)

  it("cancels a shutdown under way, then restarts", function()
    local held = lasting()
    local session = assert(rm.start(OPTIONS))
    assert(session:register { files = held.file })
    local deaf = support.hold("open", held.file, "ignore", "TERM")
    local op = assert(session:begin_shutdown { timeout = 1 })
    local last = os.time() + 5
    repeat
      op:step(0.1)
    until not held.holder:alive() or os.time() > last
    op:step(0.1)
    local report = session:close()
    assert.equal("table", type(report))
    back(held)
    assert.is_true(deaf:alive())
  end)

  it("by the end of a <close> block restarts", function()
    local held = lasting()
    do
      local session <close> = assert(rm.start(OPTIONS))
      stop(session, held)
    end
    back(held)
  end)

  it("by a raise restarts and keeps the error", function()
    local held, value = lasting(), {}
    local ok, caught = pcall(function()
      local session <close> = assert(rm.start(OPTIONS))
      stop(session, held)
      error(value)
    end)
    assert.is_false(ok)
    assert.equal(value, caught)
    back(held)
  end)

  it("by garbage collection starts nothing: it can be adopted", function()
    local held = lasting()
    do
      local session = assert(rm.start(OPTIONS))
      stop(session, held)
    end
    collectgarbage()
    collectgarbage()
    assert.equal(1, starts(held))
    local reports = assert(rm.recover { name = "scope_spec" })
    assert.equal(1, #reports)
    assert.equal(1, #reports[1].restarted)
    back(held)
    assert.same({}, assert(rm.recover { name = "scope_spec" }))
    assert.same({}, assert(rm.recover { name = "another name" }))
  end)

  it("by the end of the process leaves it abandoned", function()
    local held = lasting()
    local output = support.lua([[
      local rm = require "restartmanager"
      local session = assert(rm.start { name = "scope_spec", restart = { unregistered = true } })
      assert(session:register { files = ... })
      assert(session:shutdown())
      io.write(session.key)
      os.exit(true, false)
    ]], held.file)
    local key = output:match("^%x+$")
    assert.is_truthy(key, output)
    local found
    for _, info in ipairs(assert(rm.sessions())) do
      found = info.key == key and info or found
    end
    assert.is_true(found.abandoned)
    assert.equal(held.holder.pid, found.stopped[1].pid)
    local session = assert(rm.adopt(key))
    assert.equal("primary", session.role)
    assert.equal(1, starts(held))
    assert.equal(1, #session:close().restarted)
    back(held)
  end)
end)

describe("rm.scope", function()
  after_each(support.cleanup)

  it("passes results on", function()
    assert.same({ 1, nil, 3, n = 3 }, table.pack(rm.scope(OPTIONS, function(session)
      assert.equal("primary", session.role)
      return 1, nil, 3
    end)))
    assert.equal("x", rm.scope(function()
      return "x"
    end))
    assert.equal("x", rm.scope(nil, function()
      return "x"
    end))
  end)

  it("closes", function()
    local session
    rm.scope({}, function(s)
      session = s
    end)
    assert.equal("restartmanager.session (closed)", tostring(session))
  end)

  it("brings back what was stopped, and raises the same value again", function()
    local held, value = lasting(), {}
    local ok, caught = pcall(rm.scope, OPTIONS, function(session)
      stop(session, held)
      error(value)
    end)
    assert.is_false(ok)
    assert.equal(value, caught)
    back(held)
  end)

  it("works for functions that yield", function()
    local run = coroutine.wrap(function()
      return rm.scope(OPTIONS, function(session)
        coroutine.yield(session)
        return "end"
      end)
    end)
    local session = run()
    assert.equal("restartmanager.session (primary)", tostring(session))
    assert.equal("end", run())
    assert.equal("restartmanager.session (closed)", tostring(session))
  end)
end)
