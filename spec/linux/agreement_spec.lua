-- The same holders as lsof and fuser see, and as both our ways of looking do, on 40 paths and 60 random holders, but
-- for the differences that the README tells of. RSM_SEED repeats a run.
local holders = require "spec.linux.support"
local rm = require "restartmanager"
local support = require "spec.support"

-- Why the others may miss somebody whom we find. What they find and we do not has no excuse.
local EXCUSES = {
  deleted = "a deleted or replaced file: they ask for the inode that the path has now",
  thread = "a thread with a table of descriptors of its own: they look at the process' table only",
  dead_leader = "the main thread has ended: they look at its table, which is empty",
  device = "a mapping where the device numbers in maps are not those of stat (overlay, btrfs)",
}

local PLAIN = { "open", "open", "write", "rdwr", "opath", "map", "mapx", "mapw" }
local ODD = { "a b", "x (deleted)", "new\nline", "\xfe\xff" }

local function pick(array)
  return array[math.random(#array)]
end

local function run(...)
  local words = { ... }
  for i, word in ipairs(words) do
    words[i] = support.quote(word)
  end
  assert(os.execute(table.concat(words, " ")))
end

-- 40 paths: 6 folders, and in them 24 plain files, some with odd names, 3 hard links, 3 links, 4 users. Those with
-- the same id are the same file.
local function make_paths(folder)
  local paths = { plain = {}, programs = {}, folders = {}, all = {} }
  local function add(kind, path, id)
    local new = { path = path, id = id or path, folder = kind == "folders" }
    table.insert(paths[kind], new)
    table.insert(paths.all, new)
    return new
  end
  for i = 1, 6 do
    run("mkdir", add("folders", ("%s/folder %d"):format(folder, i)).path)
  end
  local function name(i)
    return ("%s/%d %s"):format(pick(paths.folders).path, i, ODD[i] or "plain")
  end
  for i = 1, 24 do
    support.write(add("plain", name(i)).path, "some content")
  end
  for i = 25, 30 do
    local old, path = paths.plain[i - 24], name(i)
    run("ln", i <= 27 and "-f" or "-sf", old.path, path)
    add("plain", path, old.id)
  end
  for i = 31, 34 do
    run("cp", support.build .. "/holder", add("programs", name(i)).path)
  end
  return paths
end

-- What one holder will do, and what it holds then: held[id][way] = true.
local Plan = {}
Plan.__index = Plan

function Plan:hold(way, file, ...)
  table.move({ ... }, 1, select("#", ...), #self.commands + 1, self.commands)
  self.held[file.id] = self.held[file.id] or {}
  self.held[file.id][way] = true
end

-- Uses a plain file, a folder or a program file in one of the ordinary ways.
function Plan:use(paths)
  local dice = math.random(10)
  if dice == 1 then
    local file = pick(paths.folders)
    self:hold("open", file, "open", file.path)
  elseif dice == 2 then
    local file = pick(paths.programs)
    self:hold("open", file, "open", file.path)
  elseif dice == 3 then
    self.cwd = pick(paths.folders) -- the last one counts
    table.insert(self.commands, "cwd")
    table.insert(self.commands, self.cwd.path)
  else
    local command, file = pick(PLAIN), pick(paths.plain)
    self:hold(command:match("^map") and "map" or "open", file, command, file.path)
  end
end

local function new_plan()
  return setmetatable({ commands = {}, held = {}, children = 0 }, Plan)
end

local function ordinary(paths)
  local plan = new_plan()
  for _ = 1, math.random(4) do
    plan:use(paths)
  end
  if support.is_root() and math.random(8) == 1 then -- the last of those with paths, which would mean others then
    local root = pick(paths.folders)
    plan:hold("root", root, "root", root.path)
  end
  if math.random(5) == 1 then
    plan.children = math.random(2)
    table.insert(plan.commands, "fork")
    table.insert(plan.commands, tostring(plan.children))
  end
  if plan.children == 0 and math.random(4) == 1 then
    plan.program = pick(paths.programs)
    plan:hold("exec", plan.program)
  end
  return plan
end

-- Those of which the others miss something, and a lock, which only one can have; each for a file of its own, so that it
-- disturbs nobody's plan.
local special = {
  function(plan, file)
    plan:hold("deleted", file, "open", file.path, "unlink", file.path)
  end,
  function(plan, file)
    support.write(file.path .. ".new", "new content")
    plan:hold("deleted", file, "map", file.path, "replace", file.path .. ".new", file.path)
  end,
  function(plan, file)
    plan:hold("thread", file, "thread-open", file.path)
  end,
  function(plan, file)
    plan.dead_leader = true
    plan:hold("dead_leader", file, "dead-leader", file.path)
  end,
  function(plan, file)
    plan:hold("open", file, "lock", file.path)
  end,
}

-- All 60 plans; 10 of them special, for which further paths are made.
local function make_plans(paths, folder)
  local plans = {}
  for i = 1, 60 do
    if i <= 10 then
      local path = ("%s/special %d"):format(folder, i)
      local file = { path = support.write(path, "content"), id = path, special = true }
      table.insert(paths.all, file)
      plans[i] = new_plan()
      special[(i - 1) % #special + 1](plans[i], file)
    else
      plans[i] = ordinary(paths)
    end
  end
  return plans
end

-- Carries the plans out; who holds what by right: truth[id][pid] = ways, and whose main thread has ended.
local function carry_out(plans)
  local truth, leaderless = {}, {}
  local function add(id, pid, ways)
    truth[id] = truth[id] or {}
    truth[id][pid] = ways
  end
  for _, plan in ipairs(plans) do
    plan.holder = holders.start({ program = plan.program and plan.program.path }, table.unpack(plan.commands))
  end
  for _, plan in ipairs(plans) do
    local pids = holders.children(holders.ready(plan.holder))
    assert(#pids == plan.children)
    pids[#pids + 1] = plan.holder.pid
    for _, pid in ipairs(pids) do
      for id, ways in pairs(plan.held) do
        add(id, pid, ways)
      end
      if plan.cwd then
        local ways = { cwd = true }
        for way in pairs(plan.held[plan.cwd.id] or {}) do
          ways[way] = true
        end
        add(plan.cwd.id, pid, ways)
      end
      leaderless[pid] = plan.dead_leader
    end
  end
  return truth, leaderless
end

-- The pids that a command says, as a set.
local function pids_said(command, path)
  local pids = {}
  for pid in support.shell(("%s %s 2> /dev/null"):format(command, support.quote(path))):gmatch("%d+") do
    pids[math.tointeger(pid)] = true
  end
  return pids
end

-- Ours. A folder counts with its whole tree: alone is what uses the folder itself, as the others take it.
-- bpf: false does without the walk in the kernel.
local function pids_listed(path, alone, bpf)
  local pids = {}
  local session <close> = assert(rm.start { bpf = bpf })
  assert(session:register { files = path })
  for _, entry in ipairs(assert(session:list { uses = true })) do
    for _, use in ipairs(entry.uses) do
      if entry.pid and (not alone or use.path == path) then
        pids[entry.pid] = true
      end
    end
  end
  return pids
end

-- Do the device numbers of mappings say something there?
local function maps_are_like_stat(folder)
  local path = support.write(folder .. "/probe", "x")
  local holder = support.hold("map", path)
  local pattern = "(%x+):(%x+) %d+ +" .. path:gsub("%p", "%%%0")
  local major, minor = support.read(("/proc/%d/maps"):format(holder.pid)):match(pattern)
  local stat = support.shell(("stat -c '%%Hd %%Ld' %s"):format(support.quote(path)))
  holder:close()
  return stat == ("%d %d\n"):format(tonumber(major, 16), tonumber(minor, 16))
end

describe("agreement with lsof and fuser", function()
  local folder, seed, truth, leaderless, like_stat, differences

  after_each(function()
    holders.cleanup()
    support.cleanup()
  end)

  -- Why another program may miss this process there, or nil.
  local function excuse(ways, pid)
    if leaderless[pid] then
      return EXCUSES.dead_leader
    end
    local left = {}
    for way in pairs(ways) do
      left[#left + 1] = way
    end
    if #left ~= 1 then
      return nil
    elseif left[1] == "map" then
      return not like_stat and EXCUSES.device or nil
    end
    return EXCUSES[left[1]]
  end

  local function compare(who, path, ours, theirs, ways_of)
    for pid in pairs(ours) do
      if not theirs[pid] and not excuse(ways_of[pid] or {}, pid) then
        table.insert(differences, ("%s misses %d on %s"):format(who, pid, path))
      end
    end
    for pid in pairs(theirs) do
      if not ours[pid] then
        table.insert(differences, ("%s finds %d on %s, and we do not"):format(who, pid, path))
      end
    end
  end

  -- In a tree somebody is excused if that holds for everything of his in it.
  local function ways_in_tree(path)
    local result = {}
    for id, pids in pairs(truth) do
      if id == path or id:sub(1, #path + 1) == path .. "/" then
        for pid, ways in pairs(pids) do
          result[pid] = result[pid] or {}
          for way in pairs(ways) do
            result[pid][way] = true
          end
        end
      end
    end
    return result
  end

  it("on files and folders", function()
    for _, program in ipairs { "lsof", "fuser" } do
      if not support.shell("command -v " .. program):match("/") then
        pending("no program " .. program)
        return
      end
    end
    seed = math.tointeger(os.getenv("RSM_SEED") or "") or os.time()
    math.randomseed(seed)
    folder, differences = support.folder(), {}
    local paths = make_paths(folder)
    assert.equal(40, #paths.all)
    like_stat = maps_are_like_stat(folder)
    truth, leaderless = carry_out(make_plans(paths, folder))
    for _, file in ipairs(paths.all) do
      local path, ways = file.path, truth[file.id] or {}
      local plain = pids_listed(path, file.folder, false)
      assert.equal("proc", (rm.scanner()))
      local ours = pids_listed(path, file.folder)
      local scanner, reason = rm.scanner()
      assert(scanner == "bpf" or #reason > 0)
      compare("/proc alone", path, ours, plain, {})
      compare("the plan", path, ours, ways, {})
      compare("lsof", path, ours, pids_said("lsof -t -f --", path), ways)
      compare("fuser", path, ours, pids_said("fuser", path), ways)
      if file.folder then
        compare("lsof +D", path, pids_listed(path), pids_said("lsof -t +D", path), ways_in_tree(path))
      end
    end
    assert.same({}, differences, ("RSM_SEED=%d"):format(seed))
  end)
end)
