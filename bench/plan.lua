-- plan: what is measured. A stage is a load and what is asked of it. SPDX-License-Identifier: MIT
local plan = {}

local function sizes(processes, descriptors, mappings, files)
  return { processes = processes, descriptors = descriptors, mappings = mappings, files = files }
end

local function title(size, rest)
  return ("%d/%d/%d, %s"):format(size.processes, size.descriptors, size.mappings, rest)
end

local function grouped(number)
  local text = ("%d"):format(number)
  return (text:reverse():gsub("(%d%d%d)(%d)", "%1,%2"):reverse())
end

local CONFIRM = { lsof = true, lsfd = true } -- few rounds are enough for them

-- The first `files` of the targets: some of them are held by descriptor, some by a mapping alone.
local function registered(size, files)
  return { key = ("%d/%d"):format(size.processes, files), files = files, few = files > 1 and CONFIRM or nil,
    title = title(size, files == 1 and "1 file" or grouped(files) .. " files") }
end

local SINGLES = { opened = "1 file that nobody maps", mapped = "1 file, held by mappings alone",
  common = "1 file that everybody maps" }

local function single(size, name)
  return { key = ("%d/%s"):format(size.processes, name), single = name, title = title(size, SINGLES[name]),
    few = CONFIRM }
end

local function tree(size, refused)
  return { key = ("%d/tree"):format(size.processes), tree = true, files = size.files, refused = refused, few = CONFIRM,
    title = title(size, ("a folder with %s files"):format(grouped(size.files))) }
end

local DEAF = sizes(50, 4, 1, 1)
DEAF.deaf = true

function plan.full()
  local small, middle, large = sizes(50, 20, 30, 100), sizes(500, 200, 300, 100000), sizes(2000, 200, 300, 100)
  local slow_tree = { lsof = "it asks for each file of the tree" }
  return {
    rounds = 7, shutdowns = 3, grace_ms = 1000, sessions = 200, who_ms = 3000, deaf = DEAF,
    stages = {
      { size = small, scenarios = { registered(small, 1) } },
      {
        size = middle,
        scenarios = { registered(middle, 1), registered(middle, 100), registered(middle, 10000),
          registered(middle, 100000), tree(middle, slow_tree), single(middle, "opened"), single(middle, "mapped"),
          single(middle, "common") },
        who = { registered(middle, 1), registered(middle, 100), single(middle, "common") },
      },
      { size = large, scenarios = { registered(large, 1) } },
    },
  }
end

-- For people: is anything wrong, and roughly how do we stand?
function plan.quick()
  local small, middle = sizes(50, 20, 30, 1000), sizes(100, 50, 100, 100)
  return {
    rounds = 3, shutdowns = 1, grace_ms = 300, sessions = 50, who_ms = 300, deaf = DEAF,
    stages = {
      {
        size = small,
        scenarios = { registered(small, 1), registered(small, 100), registered(small, 1000), tree(small),
          single(small, "opened"), single(small, "mapped"), single(small, "common") },
        who = { registered(small, 1), single(small, "common") },
      },
      { size = middle, scenarios = { registered(middle, 1) } },
    },
  }
end

return plan
