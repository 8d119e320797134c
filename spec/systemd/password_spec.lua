-- Nobody is asked for a password, not even where a desktop could ask: in a session that has a polkit agent.
-- SPDX-License-Identifier: MIT
local support = require "spec.support"
local systemd = require "spec.support_systemd"

local AGENT = support.build .. "/agent" -- built where libsystemd can be linked
local PAM = "/etc/pam.d/rm-session"

-- Runs a command beside the agent, which has registered first and ends after it; what the agent says goes to $SAID.
local BESIDE = [[
  said() {
    tries=0
    until grep -q "^$1" "$SAID" || [ $((tries += 1)) -gt 100 ]; do sleep 0.05; done
  }
  exec 3>&1
  : >"$SAID"
  { said registered; . "$2" >&3; } | "$1" >>"$SAID"
]]

local OURS = [[
  lua5.4 "${SAID%/*}/script.lua"
  echo "ours is done" >>"$SAID"
]]

-- The witness. Whoever is asked never answers: then there is nothing more to wait for.
local STOP = [[
  systemctl stop rm-a &
  said asked
  kill $!
]]

local SCRIPT = [[
  local rm = require "restartmanager"
  local function now()
    return tonumber((io.open("/proc/uptime"):read()):match("^%S+"))
  end
  local session <close> = assert(rm.start())
  assert(session:register { services = "rm-a" })
  local before = now()
  local list = assert(session:list())
  print("list", #list, list[1].service_name, table.concat(list[1].reboot_reasons, ","))
  print("seconds", now() - before)
  local report, _, code, number = session:shutdown()
  print("shutdown", report, code, number)
]]

-- In a new logind session of that user: what the command and what the agent said.
local function in_session(user, command)
  local folder = support.folder()
  local said = folder .. "/said"
  support.write(folder .. "/beside.sh", BESIDE)
  support.write(folder .. "/command.sh", command)
  support.write(folder .. "/script.lua", SCRIPT)
  support.write(PAM, "account required pam_permit.so\nsession required pam_systemd.so\n")
  support.shell(("chown -R %s %s"):format(user.name, folder))
  local words = { "systemd-run --quiet --pipe --wait --collect -p RuntimeMaxSec=30 -p PAMName=rm-session" }
  for _, name in ipairs({ "PATH", "LUA_PATH", "LUA_CPATH", "ASAN_OPTIONS", "UBSAN_OPTIONS" }) do
    words[#words + 1] = "-E " .. name .. "=" .. support.quote(os.getenv(name) or "")
  end
  words[#words + 1] = ("-E SAID=%s -p User=%s sh %s/beside.sh"):format(said, user.name, folder)
  words[#words + 1] = ("%s %s/command.sh </dev/null 2>&1"):format(support.quote(AGENT), folder)
  local output, ok = support.shell(table.concat(words, " "))
  os.remove(PAM)
  assert.is_true(ok, output)
  local id = assert(support.read(said):match("^registered (%S+)\n"), output)
  systemd.wait(("session-%s.scope"):format(id), "inactive")
  return output, support.read(said)
end

describe("in a session with a polkit agent an ordinary user", function()
  local user

  before_each(function()
    if systemd.here then
      user = systemd.user("desktop")
      support.shell("loginctl enable-linger " .. user.name) -- else its manager ends later, in another spec
      systemd.unit("rm-a.service", { Service = { "ExecStart=" .. systemd.holder() } })
      systemd.start("rm-a")
    end
  end)

  after_each(systemd.cleanup)

  systemd.it("is asked nothing by the list and the shutdown, which are refused at once; but by systemctl", function()
    local agent = io.open(AGENT)
    if not agent then
      pending("no polkit agent was built: needs libsystemd's headers (Debian: libsystemd-dev)")
      return
    end
    agent:close()
    local pid = systemd.main_pid("rm-a")
    local output, said = in_session(user, OURS .. STOP)
    local before, after = said:match("^registered %S+\n(.*)ours is done\n(.*)$")
    assert.equal("", before, output)
    assert.equal("asked org.freedesktop.systemd1.manage-units\n", after, output) -- or all this would prove nothing
    assert.matches("^list\t1\trm%-a\tpermission_denied\n", output)
    assert.matches("\nshutdown\tnil\tfail_noaction_reboot\t350\n", output)
    assert.is_true(tonumber(output:match("\nseconds\t(%S+)")) < 2, output)
    assert.equal(pid, systemd.main_pid("rm-a"))
  end)
end)
