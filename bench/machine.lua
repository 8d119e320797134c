-- machine: starting the programs of the benchmark, and what is to be known about the machine.
-- SPDX-License-Identifier: MIT
local machine = {}

local LIMIT = 300 -- seconds that a measured program may take

function machine.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

function machine.contents(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end

function machine.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

-- The output of a short command.
function machine.output(command)
  local pipe = assert(io.popen(command .. " 2>&1", "r"))
  local text = pipe:read("a") or ""
  local ok = pipe:close()
  return (text:gsub("%s+$", "")), ok
end

-- The first line of the output that matches.
local function found_in(command, pattern)
  return machine.output(command):match(pattern) or "unknown"
end

function machine.has(program)
  return select(2, machine.output("command -v " .. program)) == true
end

function machine.versions()
  return {
    lsof = machine.has("lsof") and found_in("lsof -v", "revision: ([%w.]+)") or nil,
    fuser = machine.has("fuser") and found_in("fuser -V", "PSmisc%) ([%w.]+)") or nil,
    lsfd = machine.has("lsfd") and found_in("lsfd --version", "util%-linux ([%w.]+)") or nil,
  }
end

function machine.facts(folder)
  local cpu = machine.contents("/proc/cpuinfo")
  local _, cores = cpu:gsub("processor%s*:", "")
  local memory = tonumber(machine.contents("/proc/meminfo"):match("MemTotal:%s*(%d+)")) or 0
  return {
    cpu = cpu:match("model name%s*:%s*([^\n]*)") or "unknown",
    cores = cores,
    kernel = found_in("uname -srm", "[^\n]+"),
    system = machine.contents("/etc/os-release"):match('PRETTY_NAME="([^"]*)"') or "unknown",
    memory_mb = memory // 1024,
    filesystem = found_in("stat -f -c %T " .. machine.quote(folder), "[^\n]+"),
    user = found_in("id -u", "%d+") == "0" and "root" or "an ordinary user",
    load_average = tonumber(machine.contents("/proc/loadavg"):match("^[%d.]+")) or 0,
    processes = tonumber(found_in("ls /proc | grep -c '^[0-9]'", "%d+")) or 0,
  }
end

-- The commit of the sources, and whether they differ from it.
function machine.commit(root)
  local git = "git -C " .. machine.quote(root) .. " "
  local commit, ok = machine.output(git .. "rev-parse HEAD")
  if not ok then
    return "unknown"
  end
  local changes = machine.output(git .. "status --porcelain --untracked-files=no")
  return commit .. (changes ~= "" and " with changes" or "")
end

-- ---- The load ----

local Load = {}
Load.__index = Load
machine.load_methods = Load

local function read_facts(self, out)
  for line in out:lines() do
    local word, rest = line:match("^(%S+) ?(.*)$")
    if word == "dir" then
      self.dir = rest
    elseif word == "file" then
      local id, path = rest:match("^(%S+ %S+) (.*)$")
      self.ids[path] = id
    elseif word == "holds" then
      local pid, path = rest:match("^(%d+) (.*)$")
      self.holds[#self.holds + 1] = { pid = math.tointeger(pid), path = path }
    elseif word == "ready" then
      return
    end
  end
  error("the load did not come up", 0)
end

local removed = { __close = function(self) os.remove(self.path) end }

-- Starts processes that hold files; they live until this is closed, or until we have ended in whatever way.
function machine.load(build, folder, size)
  local fifo <close> = setmetatable({ path = os.tmpname() }, removed)
  os.remove(fifo.path)
  assert(os.execute("mkfifo -m 600 " .. machine.quote(fifo.path)))
  local command = ("exec %s %s %d %d %d %d %s >%s"):format(machine.quote(build .. "/bench/load"),
    machine.quote(folder), size.processes, size.descriptors, size.mappings, size.files, size.deaf and "deaf" or "",
    machine.quote(fifo.path))
  local self = setmetatable({ size = size, ids = {}, holds = {}, input = assert(io.popen(command, "w")) }, Load)
  local ok, failure = pcall(function()
    local out <close> = assert(io.open(fifo.path, "r"))
    os.remove(fifo.path)
    read_facts(self, out)
  end)
  if not ok then
    self:close()
    error(failure, 0)
  end
  return self
end

-- Ends the processes, and waits until everything of theirs is gone.
function Load:close()
  local input = self.input
  self.input = nil
  return input == nil or input:close()
end
Load.__close = Load.close

function Load:path(name)
  return self.dir .. "/" .. name
end

-- The first `count` lines of one of its files.
function Load:lines(name, count)
  local lines = {}
  for line in io.lines(self:path(name)) do
    lines[#lines + 1] = line
    if #lines == count then
      break
    end
  end
  return lines
end

-- Who holds one of the paths, or a file below one of them, as a set of pids.
function Load:holders(paths)
  local wanted, pids = {}, {}
  for _, path in ipairs(paths) do
    wanted[path] = true
  end
  for _, hold in ipairs(self.holds) do
    local path = hold.path
    while path and not wanted[path] do
      path = path:match("^(.+)/[^/]*$")
    end
    if path then
      pids[hold.pid] = true
    end
  end
  return pids
end

-- ---- The stopwatch ----

-- Prepares a program: `place` is a path that its files begin with; `environment` is a set of variables.
function machine.prepare(build, place, argv, environment)
  machine.write(place .. ".args", table.concat(argv, "\n") .. "\n")
  local words = {}
  for name, value in pairs(environment or {}) do
    words[#words + 1] = name .. "=" .. machine.quote(value)
  end
  table.move({ "exec", machine.quote(build .. "/bench/stopwatch"), tostring(LIMIT), machine.quote(place .. ".args"),
    machine.quote(place .. ".out"), machine.quote(place .. ".err") }, 1, 6, #words + 1, words)
  local command = table.concat(words, " ")
  return { command = command, name = argv[1], out = place .. ".out", err = place .. ".err" }
end

-- Runs it once. Returns milliseconds, KiB, and the output; raises unless its exit status is one of `statuses`.
function machine.measure(program, statuses)
  local pipe = assert(io.popen(program.command, "r"))
  local line = pipe:read("l")
  pipe:close()
  local wall, user, system, peak, how = (line or ""):match("^(%d+) (%d+) (%d+) (%d+) (.+)$")
  if not wall then
    error(program.name .. ": could not be measured", 0)
  end
  if not statuses[how] then
    error(("%s: ended with %s: %s"):format(program.name, how, machine.contents(program.err):sub(-500)), 0)
  end
  return {
    wall = tonumber(wall) / 1000,
    cpu = (tonumber(user) + tonumber(system)) / 1000,
    peak = math.tointeger(peak),
  }, machine.contents(program.out)
end

return machine
