-- tools: who is measured: how each one is asked, and how its answer is read. A question is {paths=, list= (a file with
-- the paths), ids= (set of "MAJOR:MINOR INODE"), tree= (paths[1] is a folder)}. SPDX-License-Identifier: MIT
local tools = {}

local MOST_ARGUMENTS = 20000 -- more might not fit into a command line

local function each_pid(text, pattern)
  local pids = {}
  for pid in text:gmatch(pattern) do
    pids[math.tointeger(pid)] = true
  end
  return pids
end

local function with_paths(argv, question)
  return table.move(question.paths, 1, #question.paths, #argv + 1, argv)
end

local function too_many(question)
  return #question.paths > MOST_ARGUMENTS and "so many files do not fit into its command line" or nil
end

tools.lsof = {
  name = "lsof",
  statuses = { ["0"] = true, ["1"] = true }, -- 1: some of the files are used by nobody
  refuses = too_many,
  argv = function(question)
    return with_paths({ "lsof", "-nPw", "-Fp", question.tree and "+D" or "--" }, question)
  end,
  pids = function(text)
    return each_pid("\n" .. text, "\np(%d+)")
  end,
}

tools.fuser = {
  name = "fuser",
  statuses = { ["0"] = true },
  refuses = function(question)
    return question.tree and "it knows no trees" or too_many(question)
  end,
  argv = function(question)
    return with_paths({ "fuser" }, question)
  end,
  pids = function(text)
    return each_pid(text, "%d+")
  end,
}

-- One file: by its own filter. More: everything, and who asks looks for them in that; his time is not counted.
tools.lsfd = {
  name = "lsfd",
  statuses = { ["0"] = true },
  refuses = function() end,
  argv = function(question)
    local argv = { "lsfd", "-r", "-n", "-o", "PID,DEV,INODE" }
    local id = next(question.ids)
    if next(question.ids, id) == nil then
      table.move({ "-Q", "INODE == " .. id:match("%d+$") }, 1, 2, #argv + 1, argv)
    end
    return argv
  end,
  pids = function(text, question)
    local pids = {}
    for pid, id in text:gmatch("(%d+) +(%d+:%d+ +%d+)\n") do
      if question.ids[id] then
        pids[math.tointeger(pid)] = true
      end
    end
    return pids
  end,
}

local function numbers(text, word)
  local values = {}
  for value in text:gmatch("%f[%w]" .. word .. " ([%d.]+)") do
    values[#values + 1] = tonumber(value) / 1000
  end
  return values
end

-- The times that our program took itself, in milliseconds.
local function inside(text)
  local result = { scanner = text:match("%f[%w]scanner (%S+)") }
  for _, word in ipairs { "start", "register", "list", "scan", "end" } do
    result[word] = numbers(text, word)[1]
  end
  return result
end

-- The library, in a process that lists once. scan: what RSM_SCAN is to say; nil: as it is.
function tools.fresh(build, scan)
  return {
    name = "rsm" .. (scan and " " .. scan or ""),
    environment = { RSM_SCAN = scan },
    statuses = { ["0"] = true },
    refuses = function() end,
    argv = function(question)
      return { build .. "/bench/client", "list", question.list, tostring(#question.paths), "0" }
    end,
    pids = function(text)
      return each_pid(text, "holder (%d+)\n")
    end,
    inside = inside,
  }
end

-- The library, listing again in the same session: its wall and processor time are those of one listing.
function tools.again(build, scan, milliseconds)
  local tool = tools.fresh(build, scan)
  tool.name = tool.name .. ", again"
  tool.argv = function(question)
    local count = tostring(#question.paths)
    return { build .. "/bench/client", "list", question.list, count, tostring(milliseconds) }
  end
  tool.inside = function(text)
    local result = { scanner = text:match("%f[%w]scanner (%S+)"), walls = numbers(text, "again") }
    result.cpus, result.scans = {}, {}
    for cpu, took in text:gmatch("again [%d.]+ ([%d.]+) (%d+)") do
      result.cpus[#result.cpus + 1] = tonumber(cpu) / 1000
      result.scans[#result.scans + 1] = tonumber(took) / 1000
    end
    return result
  end
  return tool
end

return tools
