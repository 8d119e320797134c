-- What the specs in spec/systemd share. They run inside tools/in-systemd, as root, on a machine that is thrown away:
-- elsewhere each of them is pending. What is asked here is asked through systemctl, never through the library, so that
-- it can bear witness. SPDX-License-Identifier: MIT
--
--   local systemd = require "spec.support_systemd"
--   after_each(systemd.cleanup)
--   systemd.it("comes back", function()
--     systemd.unit("rm-a.service", {
--       Unit = { "Description=A" },
--       Service = { "Restart=always", "ExecStart=" .. systemd.holder("open", file, "pass", other) },
--     })
--     systemd.start("rm-a")
--     assert.equal("active", systemd.property("rm-a", "ActiveState"))
--   end)
--
-- Functions that take a user as their last argument speak with that user's own manager, else with the system's.
local busted = require "busted"
local environment = require "busted.compatibility".getfenv
local support = require "spec.support"

local systemd = {}

systemd.here = os.getenv("IN_SYSTEMD") == "1"
systemd.reason = os.getenv("IN_SYSTEMD_REASON") or "needs a systemd of its own: tools/in-systemd"
systemd.LIMIT = 10 -- seconds that a unit may take

-- busted gives `pending` to spec files alone, as a global of what they call us with, or from; while a test runs it is
-- another one than before.
local function find_globals(body)
  local level, called = 3, body
  while called do
    local globals = environment(called)
    if globals and globals.pending then
      return globals
    end
    called = (debug.getinfo(level, "f") or {}).func
    level = level + 1
  end
end

-- Like busted's `it`; pending where no systemd of ours runs.
function systemd.it(name, body)
  if systemd.here then
    return busted.it(name, body)
  end
  local globals = find_globals(body)
  return busted.it(name, function()
    globals.pending(systemd.reason)
  end)
end

local function words(...)
  local quoted = {}
  for i, word in ipairs({ ... }) do
    quoted[i] = support.quote(word)
  end
  return table.concat(quoted, " ")
end

local function trimmed(text)
  return (text:gsub("%s+$", ""))
end

-- ---- Asking and ordering ----

local stale = {} -- user, or false for the system: unit files have changed since their manager read them

-- Runs systemctl with these words: its output, and whether it succeeded.
function systemd.ctl(arguments, user)
  if stale[user or false] then
    stale[user or false] = nil
    local output, ok = systemd.ctl({ "daemon-reload" }, user)
    assert(ok, output)
  end
  local command = "systemctl " .. (user and "--user " or "") .. words(table.unpack(arguments))
  if user then
    return user:shell(command)
  end
  local output, ok = support.shell(command .. " 2>&1")
  return output, ok or false
end

-- What systemd and the unit itself have said, for a failure's message.
function systemd.journal(name, user)
  local unit = words(name)
  local of = user and ("--user-unit %s _UID=%d"):format(unit, user.uid) or "-u " .. unit
  return support.shell("journalctl -q -o cat --no-pager -n 30 " .. of .. " 2>&1")
end

local function ordered(verb, name, user)
  local output, ok = systemd.ctl({ verb, name }, user)
  if not ok then
    error(("systemctl %s %s: %s%s"):format(verb, name, output, systemd.journal(name, user)), 3)
  end
end

-- Wait until done, and raise with the journal if it fails (where a failure is wanted: systemd.ctl).
function systemd.start(name, user)
  ordered("start", name, user)
end

function systemd.stop(name, user)
  ordered("stop", name, user)
end

-- One property, as text: systemd.property("rm-a", "MainPID").
function systemd.property(name, key, user)
  return trimmed((systemd.ctl({ "show", "-P", key, "--", name }, user)))
end

-- Which time it is that the unit runs: another text after each start.
function systemd.invocation(name, user)
  return systemd.property(name, "InvocationID", user)
end

-- The states of units of the system's, in one line: "active inactive".
function systemd.states(...)
  local found = systemd.ctl { "is-active", ... }
  return (found:gsub("\n$", ""):gsub("\n", " "))
end

-- The entries of a list or report, sorted, in one line: services by their short names, others as "pid 12".
function systemd.names(entries)
  local found = {}
  for i, entry in ipairs(entries) do
    found[i] = entry.service_name or "pid " .. entry.pid
  end
  table.sort(found)
  return table.concat(found, " ")
end

-- The pid of a unit's main process; nil: it has none.
function systemd.main_pid(name, user)
  local pid = math.tointeger(systemd.property(name, "MainPID", user))
  return pid ~= 0 and pid or nil
end

-- Waits until the unit's ActiveState is this one ("active", "inactive", "failed").
function systemd.wait(name, state, user)
  local reached = support.eventually(function()
    return systemd.property(name, "ActiveState", user) == state
  end, systemd.LIMIT)
  if not reached then
    local found = systemd.property(name, "ActiveState", user)
    error(("%s is not %s but %s: %s"):format(name, state, found, systemd.journal(name, user)), 2)
  end
end

-- What is active, one unit a line, sorted: to compare before and after. polkit and logind are started first: they come
-- up when somebody asks them something, which would be a difference that nobody made.
function systemd.active(user)
  support.shell("systemctl start polkit.service systemd-logind.service 2>&1")
  local output, ok = systemd.ctl({ "list-units", "--state=active", "--plain", "--no-legend", "--no-pager" }, user)
  assert(ok, output)
  local lines = {}
  for line in output:gmatch("[^\n]+") do
    lines[#lines + 1] = trimmed(line)
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

-- ---- Units ----

local made = {} -- { path, name, user }

local function unit_text(sections)
  local names, lines = {}, {}
  for section in pairs(sections) do
    names[#names + 1] = section
  end
  table.sort(names)
  for _, section in ipairs(names) do
    lines[#lines + 1] = "[" .. section .. "]"
    for _, line in ipairs(sections[section]) do
      lines[#lines + 1] = line
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Writes a unit's file (sections as lists of lines, or the text) and makes its manager read it. It is not started. The
-- name with its suffix; "rm-t@.service" is a template. Written again: changed on disk, and read again.
function systemd.unit(name, content, user)
  local folder = user and user.home .. "/.config/systemd/user" or "/run/systemd/system"
  local path = folder .. "/" .. name
  support.write(path, type(content) == "table" and unit_text(content) or content)
  made[#made + 1] = { path = path, name = name, user = user }
  stale[user or false] = true
  return name
end

-- An ExecStart command: `holder` as a daemon, with these orders (see the table in spec/c/holder.c). For services:
-- "fork", N: workers that hold what was opened before; "pass", FILE: a worker alone holds it; "ignore", "TERM";
-- "delay", SECONDS; "note", FILE; "notify", "READY=1" last, for Type=notify; "answer" for socket activation. It ends
-- by TERM (with "delay" or "note": by obeying it), and after two minutes in any case.
function systemd.holder(...)
  local quoted = {}
  for i, word in ipairs({ support.build .. "/holder", "nopdeath", ... }) do
    quoted[i] = '"' .. tostring(word):gsub('[\\"]', "\\%0"):gsub("[%%$]", "%0%0") .. '"'
  end
  return table.concat(quoted, " ")
end

-- Writes a service that is up once its holder has carried out these orders. lines.unit, lines.service: more lines.
function systemd.write_holder(name, lines, ...)
  local orders = { ... }
  table.move({ "notify", "READY=1" }, 1, 2, #orders + 1, orders)
  local all = { "Type=notify", "ExecStart=" .. systemd.holder(table.unpack(orders)) }
  table.move(lines.service or {}, 1, #(lines.service or {}), #all + 1, all)
  return systemd.unit(name .. ".service", { Unit = lines.unit, Service = all })
end

-- Connects to a loopback port where "answer" listens, or is started for it: the pid of who answers; nil: nobody did.
function systemd.connect(port)
  local answer = support.shell(("timeout 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d && cat <&3' 2>&1"):format(port))
  return math.tointeger(answer:match("pid (%d+)"))
end

-- For after_each: ends and forgets the units that the spec has made, in whatever state, and no other. Their files go
-- first, so that neither Restart= nor RefuseManualStop= holds.
function systemd.cleanup()
  local groups = {} -- user, or false for the system: names
  for _, unit in ipairs(made) do
    os.remove(unit.path)
    local of = unit.user or false
    groups[of] = groups[of] or {}
    table.insert(groups[of], (unit.name:gsub("@%.", "@*.")))
  end
  made = {}
  for of, names in pairs(groups) do
    local user = of or nil
    stale[of] = true
    systemd.ctl({ "stop", "--no-block", table.unpack(names) }, user)
    systemd.ctl({ "kill", "--signal=KILL", table.unpack(names) }, user)
    systemd.ctl({ "stop", table.unpack(names) }, user)
    systemd.ctl({ "reset-failed", table.unpack(names) }, user)
  end
  support.cleanup()
end

-- ---- An ordinary user ----

local User = {}
User.__index = User

-- Runs a shell command as that user, with what a login sets, but in our own unit: its output, whether it succeeded.
function User:shell(command)
  local runtime = "/run/user/" .. self.uid
  local settings = { "HOME=" .. self.home, "USER=" .. self.name, "LOGNAME=" .. self.name, "XDG_RUNTIME_DIR=" .. runtime,
    "DBUS_SESSION_BUS_ADDRESS=unix:path=" .. runtime .. "/bus" }
  local become = { "setpriv", "--reuid", self.uid, "--regid", self.uid, "--init-groups", "env" }
  local output, ok = support.shell(("%s %s sh -c %s 2>&1"):format(words(table.unpack(become)),
    words(table.unpack(settings)), support.quote(command)))
  return output, ok or false
end

-- Runs a Lua script as that user, with these arguments: its output, whether it succeeded.
function User:lua(script, ...)
  local folder = support.folder()
  local path = support.write(folder .. "/script.lua", script)
  support.shell("chmod 755 " .. support.quote(folder))
  return self:shell("lua5.4 " .. words(path, ...))
end

-- The project may lie below a folder that is root's alone. Here that can be changed: the layer is thrown away.
local function open_the_way(path)
  while path:match("^/.+") do
    support.shell("chmod o+x " .. support.quote(path))
    path = path:match("^(.*)/")
  end
end

local users = {}

-- An ordinary user with a running manager of its own; the same one for the same name. It stays: the machine does not.
-- Fields: name, uid (and gid), home.
function systemd.user(name)
  name = name or "ordinary"
  if users[name] then
    return users[name]
  end
  local make = "id -u %s >/dev/null 2>&1 || useradd --create-home --user-group --shell /bin/sh %s 2>&1"
  local output, ok = support.shell(make:format(words(name), words(name))) -- another spec file may have made it
  assert(ok, output)
  local user = setmetatable({ name = name, home = "/home/" .. name }, User)
  user.uid = math.tointeger(trimmed((support.shell("id -u " .. words(name)))))
  open_the_way(support.build)
  open_the_way(support.source)
  systemd.start(("user@%d.service"):format(user.uid))
  output, ok = user:shell("mkdir -p ~/.config/systemd/user && systemctl --user is-system-running --wait")
  assert(ok, output)
  users[name] = user
  return user
end

-- ---- Debian's own daemons ----

local DAEMONS = { ["nginx-light"] = "nginx.service", ["redis-server"] = "redis-server.service", cron = "cron.service" }
local installed = {}

-- Twice, for what must be ready before another one may even be unpacked. No file at all: it is installed already. The
-- manual's index would take seconds.
local INSTALL = [[cd %s && exec 2>&1 && export DEBIAN_FRONTEND=noninteractive
  rm -f /var/lib/man-db/auto-update
  for deb in *.deb; do [ ! -e "$deb" ] || set -- "$@" "./$deb"; done
  [ $# -eq 0 ] || dpkg --force-unsafe-io -iE "$@" || dpkg --force-unsafe-io -iE "$@"]]

-- Installs a package that tools/install-missing has downloaded, and starts its daemon: the unit's name. It stays, like
-- the machine. nil and the reason, for `pending`, if it was not downloaded.
function systemd.install(package)
  local unit = assert(DAEMONS[package], "no daemon that tools/install-missing downloads: " .. package)
  local folder = support.source .. "/build/debs/" .. package
  local complete = io.open(folder .. "/complete")
  if not complete then
    return nil, "no package " .. package .. ": tools/install-missing test could not download it"
  end
  complete:close()
  if not installed[package] then
    local output, ok = support.shell(INSTALL:format(support.quote(folder)))
    assert(ok, output)
    installed[package] = true
  end
  local output, ok = systemd.ctl({ "enable", "--now", unit })
  assert(ok, output)
  systemd.wait(unit, "active")
  return unit
end

return systemd
