-- The machine that the other specs in this folder stand on: if one of these fails, look here first.
-- SPDX-License-Identifier: MIT
local support = require "spec.support"
local systemd = require "spec.support_systemd"

describe("the machine of tools/in-systemd", function()
  after_each(systemd.cleanup)

  systemd.it("has systemd as its first process, and carries us in a unit", function()
    assert.equal("systemd\n", support.read("/proc/1/comm"))
    assert.equal("in-systemd.service", support.read("/proc/self/cgroup"):match("0::/system.slice/([^\n]*)"))
  end)

  systemd.it("cannot reach the real one's sysctls, devices or file systems", function()
    local _, written = support.shell("echo 1 2>&1 > /proc/sys/kernel/sysrq")
    assert.falsy(written)
    assert.equal("", (support.shell("find /dev -type b")))
    assert.equal("lo\n", (support.shell("ls /sys/class/net")))
  end)

  systemd.it("has pseudo-terminals", function()
    assert.matches("^/dev/pts/%d", (support.shell("script -qec tty /dev/null < /dev/null")))
  end)

  systemd.it("starts a service again that must always run, and not once it is cleaned up", function()
    local name = systemd.unit("rm-machine.service", {
      Unit = { "Description=A machine's own" },
      Service = { "Restart=always", "RestartSec=0", "ExecStart=" .. systemd.holder("open", "/etc/passwd", "fork", 1) },
    })
    local before = systemd.active()
    systemd.start(name)
    local first = assert(systemd.main_pid(name))
    support.shell("kill -KILL " .. first)
    local second = support.eventually(function()
      local pid = systemd.main_pid(name)
      return pid ~= first and pid
    end)
    assert.truthy(second)
    assert.not_equal(before, systemd.active())
    systemd.cleanup()
    assert.equal(before, systemd.active())
    assert.equal("not-found", systemd.property(name, "LoadState"))
  end)

  systemd.it("ends what is deaf and refuses to be stopped, without waiting for it", function()
    local name = systemd.unit("rm-deaf.service", {
      Unit = { "RefuseManualStop=yes" },
      Service = { "ExecStart=" .. systemd.holder("ignore", "TERM"), "Restart=always" },
    })
    systemd.start(name)
    local pid = systemd.main_pid(name)
    local started = os.time()
    systemd.cleanup()
    assert.is_true(os.time() - started < 5)
    assert.is_nil(io.open("/proc/" .. pid .. "/stat"))
  end)

  systemd.it("tells a manager when it is ready, and answers by socket activation", function()
    systemd.unit("rm-machine.socket", { Socket = { "ListenStream=127.0.0.1:7001" } })
    systemd.unit("rm-machine.service", {
      Service = { "Type=notify", "ExecStart=" .. systemd.holder("answer", "notify", "READY=1") },
    })
    systemd.start("rm-machine.socket")
    assert.equal("inactive", systemd.property("rm-machine.service", "ActiveState"))
    assert.equal(systemd.connect(7001), systemd.main_pid("rm-machine.service"))
  end)

  systemd.it("has ordinary users with a manager of their own", function()
    local user = systemd.user()
    systemd.unit("rm-own.service", { Service = { "ExecStart=" .. systemd.holder("open", "/etc/passwd") } }, user)
    systemd.start("rm-own", user)
    local pid = systemd.main_pid("rm-own", user)
    assert.matches("\nUid:%s+" .. user.uid .. "%s", support.read("/proc/" .. pid .. "/status"))
    assert.matches("/user@" .. user.uid .. ".service/.*/rm%-own.service", support.read("/proc/" .. pid .. "/cgroup"))
    assert.equal("inactive", systemd.property("rm-own", "ActiveState")) -- the system's manager knows none
    local output, ok = user:lua([[print((io.popen("id -u"):read("a")), require "restartmanager" and arg[1])]], "a 'b'")
    assert.is_true(ok, output)
    assert.equal(user.uid .. "\n\ta 'b'\n", output)
  end)

  systemd.it("lets no ordinary user stop a service of the system", function()
    local name = systemd.unit("rm-machine.service", { Service = { "ExecStart=" .. systemd.holder() } })
    systemd.start(name)
    local output, ok = systemd.user():shell("systemctl --no-ask-password stop " .. name)
    assert.is_false(ok)
    assert.matches("authentication required", output)
    assert.equal("active", systemd.property(name, "ActiveState"))
    assert.equal("active", systemd.property("polkit", "ActiveState"))
  end)

  describe("has Debian's", function()
    local function daemon(package, answers)
      systemd.it(package, function()
        local unit, reason = systemd.install(package)
        if not unit then
          pending(reason)
          return
        end
        assert.equal("active", systemd.property(unit, "ActiveState"))
        answers()
      end)
    end

    daemon("nginx-light", function()
      local page = support.shell([[bash -c 'exec 3<>/dev/tcp/127.0.0.1/80
        printf "GET / HTTP/1.0\r\n\r\n" >&3; cat <&3' 2>&1]])
      assert.matches("Welcome to nginx", page)
    end)

    daemon("redis-server", function()
      assert.equal("PONG\n", (support.shell("redis-cli ping 2>&1")))
    end)

    daemon("cron", function()
      assert.truthy(systemd.main_pid("cron"))
    end)
  end)
end)
