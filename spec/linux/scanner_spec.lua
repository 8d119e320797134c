-- rm.scanner, rm.start{bpf=}, RSM_SCAN: which way listings look for holders. What the ways find: agreement_spec.
local rm = require "restartmanager"
local support = require "spec.support"

local SCRIPT = [[
local rm = require "restartmanager"
assert(rm.scanner() == nil)
for _, path in ipairs(arg) do
  assert(rm.who(path))
  print(rm.scanner())
end
]]

describe("rm.scanner", function()
  after_each(support.cleanup)

  local function lines_of(scan, ...)
    local script = support.write(support.folder() .. "/script.lua", SCRIPT)
    local words = { "env", scan and "RSM_SCAN=" .. scan or "RSM_OTHER=", "lua5.4", script, ... }
    for i, word in ipairs(words) do
      words[i] = support.quote(word)
    end
    local lines = {}
    for line in support.shell(table.concat(words, " ") .. " 2>&1"):gmatch("[^\n]+") do
      lines[#lines + 1] = line
    end
    assert.equal(select("#", ...), #lines, table.concat(lines, "\n"))
    return lines
  end

  it("says why it was not the program in the kernel", function()
    for _, line in ipairs(lines_of("proc", "/bin/sh", "/bin/sh")) do
      assert.equal("proc\tRSM_SCAN=proc is in the environment", line)
    end
  end)

  it("names the program, without a reason, where that can be had", function()
    local lines = lines_of("bpf", "/bin/sh")
    if lines[1] ~= "bpf" then
      pending(lines[1])
      return
    end
    lines = lines_of(nil, "/bin/sh", "/bin/sh", "/bin/sh")
    assert.is_true(lines[1] == "bpf" or lines[1]:find("first listing", 1, true) ~= nil)
    assert.same({ "bpf", "bpf" }, { lines[2], lines[3] })
  end)

  it("is proc in a session that was started without it", function()
    local session <close> = assert(rm.start { bpf = false })
    assert(session:register { files = "/bin/sh" })
    assert(session:list())
    local scanner, reason = rm.scanner()
    assert.equal("proc", scanner)
    assert.is_true(reason:find("bpf = false", 1, true) ~= nil or reason:find("RSM_SCAN", 1, true) ~= nil)
  end)

  it("is asked for by a truth value", function()
    assert.has_error(function()
      rm.start { bpf = "no" }
    end, "bad argument #1 to 'start' (option 'bpf': boolean expected, got string)")
  end)
end)
