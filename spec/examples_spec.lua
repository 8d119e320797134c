local support = require "spec.support"

local function run(name, ...)
  local words = { "lua5.4", support.quote(support.source .. "/examples/" .. name .. ".lua") }
  for _, word in ipairs { ... } do
    words[#words + 1] = support.quote(word)
  end
  return support.shell(table.concat(words, " ") .. " 2>&1")
end

-- An installed copy of `holder` with a data file, running; and the new versions of both.
local function installation()
  local app, update = support.folder(), support.folder()
  local it = { program = app .. "/it's a program", data = app .. "/data", notes = app .. "/notes" }
  it.new_program, it.new_data, it.playing = update .. "/program", update .. "/data", app .. "/playing"
  local holder = support.quote(support.build .. "/holder")
  assert(os.execute(("cp %s %s"):format(holder, support.quote(it.program))))
  assert(os.execute(("cp %s %s && printf x >> %s"):format(holder, it.new_program, it.new_program)))
  support.write(it.data, "old")
  support.write(it.new_data, "new")
  support.write(it.playing)
  return it
end

describe("the example", function()
  after_each(support.cleanup)

  for _, name in ipairs { "who_holds", "primary_installer", "secondary_installer" } do
    it(name .. " is short and says how it is used", function()
      local _, lines = support.read(support.source .. "/examples/" .. name .. ".lua"):gsub("\n", "")
      assert.is_true(lines < 60)
      local output, ok, _, status = run(name)
      assert.matches("^usage: lua5%.4 " .. name, output)
      assert.is_falsy(ok)
      assert.equal(2, status)
    end)
  end

  it("who_holds prints who holds a file", function()
    local file = support.write(support.folder() .. "/file")
    local holder = support.hold("open", file)
    local output, ok = run("who_holds", file)
    assert.is_true(ok, output)
    assert.matches("holder +" .. holder.pid .. " .*open +" .. file, (output:gsub("%-", "-")))
  end)

  it("primary_installer updates a program that runs, with a secondary installer", function()
    local it = installation()
    local log = support.folder() .. "/log"
    assert(os.execute(("%s note %s open %s until %s < /dev/null > %s 2>&1 &"):format(support.quote(it.program),
      it.notes, it.data, it.playing, log)))
    assert.is_true(support.eventually(function()
      local file = io.open(log)
      return file and file:read("a"):find("ready", 1, true) and true
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
    assert.is_true(support.eventually(function()
      return not os.execute("pgrep -f " .. support.quote("^" .. it.program) .. " > /dev/null")
    end))
  end)

  it("primary_installer changes nothing if the new program is missing", function()
    local it = installation()
    local before = support.read(it.program)
    local output, ok = run("primary_installer", it.program, it.new_program .. ".none", it.data, it.new_data)
    assert.is_falsy(ok, output)
    assert.equal(before, support.read(it.program))
    assert.equal("old", support.read(it.data))
    assert.is_nil(io.open(it.program .. ".new"))
  end)
end)
