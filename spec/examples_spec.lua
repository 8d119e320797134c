local support = require "spec.support"

local join = support.join

local function run(name, ...)
  local program = support.start { support.LUA, join(support.source, "examples/" .. name .. ".lua"), limit = 30, ... }
  local ok, how, status = program:close()
  return program:output(), ok, how, status
end

-- An installed copy of `holder` with a data file, running; and the new versions of both.
local function installation()
  local app, update = support.folder(), support.folder()
  local it = { program = join(app, support.program_name "it's a program"), data = join(app, "data"),
    notes = join(app, "notes") }
  it.new_program, it.new_data, it.playing = join(update, "program"), join(update, "data"), join(app, "playing")
  local holder = support.program "holder"
  support.copy(holder, it.program)
  support.copy(holder, it.new_program)
  support.append(it.new_program, "x")
  support.write(it.data, "old")
  support.write(it.new_data, "new")
  support.write(it.playing)
  return it
end

describe("the example", function()
  after_each(support.cleanup)

  for _, name in ipairs { "who_holds", "primary_installer", "secondary_installer" } do
    it(name .. " is short and says how it is used", function()
      local _, lines = support.text(join(support.source, "examples/" .. name .. ".lua")):gsub("\n", "")
      assert.is_true(lines < 60)
      local output, ok, _, status = run(name)
      assert.matches("^usage: lua5%.4 " .. name, output)
      assert.is_falsy(ok)
      assert.equal(2, status)
    end)
  end

  it("who_holds prints who holds a file", function()
    local file = support.write(join(support.folder(), "file"))
    local holder = support.hold("open", file)
    local output, ok = run("who_holds", file)
    assert.is_true(ok, output)
    local row = output:match("holder[^\n]* " .. holder.pid .. " [^\n]*")
    assert.matches("open +" .. file:gsub("%p", "%%%0"), row)
  end)

  it("primary_installer updates a program that runs, with a secondary installer", function()
    local it = installation()
    local pid = support.start_apart { it.program, "open", it.data, "until", it.playing, "note", it.notes }
    assert.is_truthy(support.eventually(function()
      return (support.contents(it.notes) or ""):find("start", 1, true)
    end))
    local output, ok = run("primary_installer", it.program, it.new_program, it.data, it.new_data)
    assert.is_true(ok, output)
    assert.matches("secondary installer: .*data is registered", output)
    assert.matches("shutdown +100 %%", output)
    assert.matches("both files are replaced", output, 1, true)
    assert.matches("restart +100 %%", output)
    assert.matches("restarted .* now pid %d+", output)
    assert.equal("new", support.read(it.data))
    assert.equal(support.read(it.new_program), support.read(it.program))
    assert.is_true(support.eventually(function()
      return select(2, support.read(it.notes):gsub("start %d+", "")) == 2
    end))
    os.remove(it.playing)
    assert.is_false(support.alive(pid))
    local back = math.tointeger((output:match("now pid (%d+)")))
    assert.is_true(support.eventually(function()
      return not support.alive(back)
    end))
  end)

  it("primary_installer changes nothing if the new program is missing", function()
    local it = installation()
    local before = support.read(it.program)
    local output, ok = run("primary_installer", it.program, it.new_program .. ".none", it.data, it.new_data)
    assert.is_falsy(ok, output)
    assert.equal(before, support.read(it.program))
    assert.equal("old", support.read(it.data))
    assert.is_false(support.exists(it.program .. ".new"))
  end)
end)
