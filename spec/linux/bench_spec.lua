-- What the benchmark's figures rest on: that answers are read and compared rightly. SPDX-License-Identifier: MIT
local source = os.getenv("RSM_SOURCE") or "."
package.path = source .. "/?.lua;" .. package.path

local machine = require "bench.machine"
local report = require "bench.report"
local run = require "bench.run"
local targets = require "bench.targets"
local tools = require "bench.tools"

describe("the benchmark", function()
  it("refuses an answer with a holder too few or too many", function()
    assert.has_no_error(function()
      run.check("fuser", { [3] = true, [4] = true }, { [4] = true, [3] = true })
    end)
    assert.error_matches(function()
      run.check("fuser", { [3] = true, [4] = true }, { [3] = true })
    end, "fuser found other holders: it missed 4, and named nobody")
    assert.error_matches(function()
      run.check("lsof", { [3] = true }, { [3] = true, [12] = true, [5] = true })
    end, "it missed nobody, and named 5 12,")
  end)

  it("takes the middle of the figures", function()
    assert.equal(2, run.median { 3, 1, 2 })
    assert.equal(2.5, run.median { 4, 1, 2, 3 })
    local values = { 3, 1 }
    run.median(values)
    assert.same({ 3, 1 }, values)
  end)

  it("reads what lsof, fuser, lsfd and our own program say", function()
    assert.same({ [12] = true, [7] = true }, tools.lsof.pids("p12\nf3\nn/a/p55\nf4\np7\nfmem\n"))
    assert.same({ [12] = true, [7] = true }, tools.fuser.pids("   12     7"))
    local question = { ids = { ["254:0 77"] = true } }
    assert.same({ [12] = true }, tools.lsfd.pids("12 254:0 77\n13 254:1 77\n14 254:0 777\n15  \n", question))
    assert.same({ [9] = true }, tools.fresh("build").pids("list 1.0\nholder 9\nend 2.0\n"))
    local inside = tools.fresh("build").inside("start 1000.0\nregister 20.5\nlist 3000.0\nscanner proc\nend 1.0\n")
    assert.same({ start = 1, register = 0.0205, list = 3, ["end"] = 0.001, scanner = "proc" }, inside)
    local again = tools.again("build", nil, 300).inside(
      "list 9.0\nagain 2000.0 1000.0 500\nagain 4000.0 3000.0 700\nend 1.0\n")
    assert.same({ walls = { 2, 4 }, cpus = { 1, 3 }, scans = { 0.5, 0.7 } }, again)
  end)

  it("knows who holds a path, or something below it", function()
    local load = setmetatable({ holds = { { pid = 1, path = "/a/b/c" }, { pid = 2, path = "/a/bc" } } },
      { __index = machine.load_methods })
    assert.same({ [1] = true }, load:holders { "/a/b/c" })
    assert.same({ [1] = true }, load:holders { "/a/b" })
    assert.same({ [1] = true, [2] = true }, load:holders { "/a" })
    assert.same({}, load:holders { "/a/b/c/d", "/b" })
  end)
end)

describe("the benchmark's report", function()
  local function result_with(rsm)
    local rows = { { tool = "fuser", wall_ms = 100, min_ms = 90, max_ms = 110, cpu_ms = 1, peak_kb = 1024, rounds = 7 },
      { tool = "rsm", wall_ms = rsm, min_ms = rsm, max_ms = rsm, cpu_ms = 1, peak_kb = 2048, rounds = 7 },
      { tool = "lsof", refused = "it may not" } }
    return {
      date = "today", commit = "abc", seconds = 1, skipped = { "lsfd is not installed" }, versions = { fuser = "1" },
      machine = { cpu = "c", cores = 2, memory_mb = 1, kernel = "k", system = "s", filesystem = "f", user = "root",
        processes = 1, load_average = 0 },
      scenarios = { { key = "500/1", title = "title", holders = 4, rows = rows } }, who = {},
      session = { total_us = 4, start_us = 1, join_us = 1, register_us = 1, end_us = 1 },
      shutdown = { processes = 50, grace_ms = 1000, wall_ms = 1100 },
    }
  end

  local function judged(rsm, what)
    for _, target in ipairs(targets.judge(result_with(rsm))) do
      if target.what:find(what, 1, true) then
        return target
      end
    end
  end

  it("tells what is reached, what is not, and what was not measured", function()
    assert.is_true(judged(10, "as fast as fuser").met)
    assert.equal("10.00x", judged(10, "as fast as fuser").value)
    assert.is_false(judged(10.1, "as fast as fuser").met)
    assert.is_nil(judged(10, "2000/200/300").met)
    assert.is_true(judged(10, "in graces").met)
  end)

  it("shows each figure, and what was left out", function()
    local page = report.page(result_with(12.5))
    for _, text in ipairs { "| rsm ", "12.5", "NOT reached", "lsof was not asked: it may not.",
      "Skipped: lsfd is not installed.", "Commit abc" } do
      assert.truthy(page:find(text, 1, true), text)
    end
    assert.truthy(report.text(result_with(12.5)):find("title: 4 holders", 1, true))
  end)
end)
