-- Lists across borders: other users, other mounts, other namespaces.
local holders = require "spec.linux.support"
local users = require "spec.linux.support_users"
local rm = require "restartmanager"
local support = require "spec.support"

local function shell(command)
  local output, ok = support.shell("{ " .. command .. "; } 2>&1")
  assert(ok, output)
  return (output:gsub("\n$", ""))
end

describe("a list", function()
  local folder, file

  before_each(function()
    folder = support.folder()
    file = support.write(folder .. "/file", "content")
  end)

  after_each(function()
    holders.cleanup()
    support.cleanup()
  end)

  describe("for another user", function()
    local reason = users.no_other()

    local function as_other(name, body, needs)
      it(name, function()
        local lacking = reason or needs and holders.lacks(needs)
        if lacking then
          pending(lacking)
          return
        end
        finally(users.clean_other)
        shell("chmod 755 " .. folder)
        local output, ok = body()
        assert(ok, output)
      end)
    end

    as_other("is incomplete, and names the process and the reason", function()
      local holder = support.hold("open", file)
      return users.as_other([[
        local list = assert(require "restartmanager".who(arg[1]))
        assert(#list == 0 and list.complete == false)
        for _, one in ipairs(list.unreadable) do
          if one.pid == math.tointeger(arg[2]) then
            assert(one.app_name == "holder" and one.user == "root" and math.tointeger(one.start_time), "who")
            assert(one.reason:match("descriptors.*: Permission denied"), one.reason)
            assert(#list.reboot_reasons == 0, "reasons")
            assert(tostring(list):match("not complete"), "text")
            return
          end
        end
        error("is not among the unreadable")
      ]], file, holder.pid)
    end)

    as_other("finds that user's own processes all the same", function()
      local holder = holders.hold({ same_pids = true, prefix = { "setpriv", "--reuid", users.OTHER, "--regid",
        users.OTHER, "--clear-groups" } }, "open", file, "map", file)
      return users.as_other([[
        local list = assert(require "restartmanager".who(arg[1]))
        assert(#list == 1 and list[1].pid == math.tointeger(arg[2]), "who")
        assert(#list[1].uses == 2 and #list[1].reboot_reasons == 0, "how")
      ]], file, holder.pid)
    end)

    as_other("says permission_denied of a process that it may not signal", function()
      local holder = support.hold()
      return users.as_other([[
        local rm = require "restartmanager"
        local list = assert(rm.who { processes = math.tointeger(arg[1]) })
        assert(#list == 1 and list[1].user == "root", "who")
        assert(table.concat(list.reboot_reasons, ",") == "permission_denied", table.concat(list.reboot_reasons, ","))
        local session <close> = assert(rm.start {})
        assert(session:register { processes = math.tointeger(arg[1]) })
        local _, _, code = session:shutdown { force = true }
        assert(code == "fail_noaction_reboot", code)
      ]], holder.pid)
    end)

    as_other("says that hidepid hides", function()
      local script = support.write(support.folder() .. "/script.lua", [[
        local list = assert(require "restartmanager".who(arg[1]))
        assert(list.complete == false, "complete")
        for _, one in ipairs(list.unreadable) do
          if one.reason:match("hidepid") then return end
        end
        error("no word of it")
      ]])
      shell("chmod -R go+rX " .. script:match("(.*)/"))
      return support.shell(("unshare -m sh -c 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid %d "
        .. "--regid %d --clear-groups lua5.4 %s %s' 2>&1"):format(users.OTHER, users.OTHER, script, file))
    end, "unshare -m true")
  end)

  describe("across", function()
    -- Body returns why it could not.
    local function with(name, needs, body)
      it(name, function()
        local reason = holders.lacks(needs) or body()
        if reason then
          pending(reason)
        end
      end)
    end

    with("bind mounts finds the same file", "unshare -m true", function()
      return holders.apart("", [[
        local folder = ... -- removed outside, where nothing is mounted there
        support.write(folder .. "/file", "x")
        os.execute(("mkdir %s/real %s/seen && mv %s/file %s/real"):format(folder, folder, folder, folder))
        assert(os.execute(("mount --bind %s/real %s/seen"):format(folder, folder)))
        local holder = support.hold("open", folder .. "/seen/file", "map", folder .. "/seen/file")
        local path = folder .. "/real/file"
        local list = assert(rm.who(path))
        assert(#list == 1)
        local uses = holders.uses(list, holder.pid)
        assert(table.concat(uses, "|") == ("map r - %s|open r fd %s"):format(path, path), table.concat(uses, "|"))
        list = assert(rm.who(folder .. "/real")) -- the mount uses the folder, too
        local mount
        for _, entry in ipairs(list) do
          if not entry.pid then mount = entry end
        end
        assert(mount and mount.uses[1].how == "mount" and mount.app_name == folder .. "/seen", tostring(list))
        assert(list.reboot_reasons.critical_process)
      ]], support.folder())
    end)

    with("overlay mounts finds mappings, whose device differs", "unshare -m true", function()
      return holders.apart("", [[
        local folder = ... -- removed outside, where nothing is mounted there
        os.execute("mount -t tmpfs tmpfs " .. folder)
        os.execute(("cd %s && mkdir lower upper work merged"):format(folder))
        support.write(folder .. "/lower/file", "lower")
        support.write(folder .. "/lower/other", "other")
        if not os.execute(("mount -t overlay overlay -o lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work %s/merged")
          :format(folder, folder, folder, folder)) then
          print("pending: no overlay")
          return
        end
        local path = folder .. "/merged/file"
        local mapped, opened = support.hold("mapx", path), support.hold("open", path)
        local stranger = support.hold("mapx", folder .. "/merged/other")
        local list = assert(rm.who(path))
        assert(#list == 2, tostring(list))
        assert(holders.uses(list, mapped.pid)[1] == "map r - " .. path)
        assert(holders.uses(list, opened.pid)[1] == "open r fd " .. path)
        list = assert(rm.who(folder .. "/merged"))
        assert(#list == 3 and holders.uses(list, stranger.pid)[1]:match("/other of "), tostring(list))
        assert(os.remove(path))
        list = assert(rm.who(path))
        assert(#list == 2 and holders.uses(list, mapped.pid)[1] == "map r - " .. path .. " deleted", tostring(list))
      ]], support.folder())
    end)

    with("mount namespaces finds the file by its identity", "unshare -m true", function()
      local holder = holders.hold({ prefix = { "unshare", "-m", "sh", "-c",
        ('mount --bind %s /mnt && exec "$0" "$@"'):format(folder) } }, "open", "/mnt/file", "map", "/mnt/file")
      local list = assert(rm.who(file))
      assert.same({ "map r - " .. file, "open r fd " .. file }, holders.uses(list, holder.pid))
      local entry = support.find(list, holder.pid)
      assert.is_false(entry.restartable)
      assert.matches("mount namespace", entry.note)
      assert.equal(0, #entry.reboot_reasons)
      return nil
    end)

    for _, kind in ipairs { { "pid", "--pid --fork --kill-child" }, { "user", "--user" } } do
      with(kind[1] .. " namespaces says session_mismatch", "unshare " .. kind[2] .. " true", function()
        local prefix = { "unshare" }
        for word in kind[2]:gmatch("%S+") do
          prefix[#prefix + 1] = word
        end
        local holder = holders.hold({ prefix = prefix }, "open", file)
        local list = assert(rm.who(file))
        assert.same({ holder.pid }, holders.pids(list))
        assert.same({ "session_mismatch" }, { table.unpack(list[1].reboot_reasons) })
        local session <close> = assert(rm.start {})
        assert(session:register { files = file })
        assert.equal("fail_noaction_reboot", (select(3, session:shutdown { force = true })))
        assert.is_true(holder:alive())
        return nil
      end)
    end

    local own_pids = "unshare -m --pid --fork --mount-proc true"
    with("a pid namespace of our own says that it cannot see out", own_pids, function()
      return holders.apart("--pid --fork --kill-child --mount-proc", [[
        local file = support.write(support.folder() .. "/file")
        local holder = support.hold("open", file)
        local list = assert(rm.who(file))
        assert(#list == 1 and list[1].pid == holder.pid and list.complete == false)
        local said
        for _, one in ipairs(list.unreadable) do said = said or one.reason:match("pid namespace") end
        assert(said)
      ]])
    end)

    with("a mount below a registered folder: names it and does not search it", "unshare -m true", function()
      return holders.apart("", [[
        local folder = ... -- removed outside, where nothing is mounted there
        os.execute(("mkdir %s/inner && mount -t tmpfs tmpfs %s/inner"):format(folder, folder))
        local file = support.write(folder .. "/inner/file", "x")
        local holder = support.hold("open", file)
        local list = assert(rm.who(folder))
        assert(#list == 0 and list.complete == false, tostring(list))
        local named = false
        for _, one in ipairs(list.unreadable) do
          named = named or one.path == folder .. "/inner" and one.reason:match("mounted")
        end
        assert(named, "is not named")
        assert(#assert(rm.who(file)) == 1) -- by its own name, of course
        assert(holder:alive())
      ]], support.folder())
    end)

    with("a loop device: an entry without a pid", "losetup -f", function()
      local image = folder .. "/image"
      shell(("dd if=/dev/zero of=%s bs=1024 count=1024"):format(image))
      local device, ok = support.shell(("losetup -f --show %s 2>&1"):format(image))
      if not ok then
        return "no loop device: " .. device:gsub("\n", "")
      end
      device = device:gsub("\n", "")
      finally(function()
        os.execute("losetup -d " .. device)
      end)
      local list = assert(rm.who(image))
      assert.equal(1, #list)
      assert.is_nil(list[1].pid)
      assert.same({ "loop", "rw", device }, { list[1].uses[1].how, list[1].uses[1].access, list[1].app_name })
      assert.is_true(list.reboot_reasons.critical_process)
      return nil
    end)

    with("swap: an entry without a pid", "command -v mkswap swapon swapoff", function()
      local image = folder .. "/swap"
      shell(("dd if=/dev/zero of=%s bs=1024 count=1024 && chmod 600 %s && mkswap %s"):format(image, image, image))
      local output, ok = support.shell(("swapon %s 2>&1"):format(image))
      if not ok then
        return "no swap: " .. output:gsub("\n", "")
      end
      finally(function()
        os.execute("swapoff " .. image)
      end)
      local list = assert(rm.who(image))
      assert.equal(1, #list)
      assert.is_nil(list[1].pid)
      assert.equal("swap", list[1].uses[1].how)
      return nil
    end)
  end)
end)
