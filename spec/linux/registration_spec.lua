-- Which of the files of registrations is believed.
local rm = require "restartmanager"
local registered = require "spec.support_registration"
local programs = require "spec.support_session"
local support = require "spec.support"
local users = require "spec.linux.support_users"

describe("restart registration", function()
  local stage, file

  before_each(function()
    stage = registered.stage()
    file = stage.file
  end)

  after_each(function()
    registered.strike(stage)
  end)

  local function application(chunk, ...)
    return registered.application(stage, chunk, ...)
  end

  -- The file where a process' registration is.
  local function file_of(pid)
    local process = registered.identity(pid)
    for _, place in ipairs(programs.places()) do
      local path = ("%s/registered/%d-%d"):format(place, pid, process.start_time)
      local there = io.open(path)
      if there then
        there:close()
        return path
      end
    end
    return nil
  end

  describe("is told", function()
    it("not of who took it back, whose file has gone", function()
      local pid = application [[
        assert(rm.register_restart { args = "x" })
        assert(rm.unregister_restart())
      ]]
      registered.not_found(pid)
      assert.is_nil(file_of(pid))
    end)

    it("not of who has ended, though nothing has removed it yet", function()
      local pid, program = application [[assert(rm.register_restart { args = "x" })]]
      local process, path = registered.identity(pid), file_of(pid)
      assert.is_table(rm.restart_settings(process))
      program:close()
      registered.not_found(process)
      registered.not_found(pid)
      assert.is_string(support.read(path))
      application [[assert(rm.register_restart { args = "y" })]] -- the next one sweeps
      assert.is_nil(io.open(path))
    end)
  end)

  describe("counts only", function()
    -- Its bytes with another content, which is as long or not, and the sum that it needs.
    local function forged(text, change)
      local content, sum = text:sub(1, -5), string.unpack("<I4", text, #text - 3)
      assert.equal(sum, programs.crc32c(content), "the file is made in another way")
      content = change(content)
      return content .. string.pack("<I4", programs.crc32c(content))
    end

    local function replaced(content, old, new)
      local from, to = content:find(old, 1, true)
      assert(from, "not found in the file")
      return content:sub(1, from - 1) .. new .. content:sub(to + 1)
    end

    local function patched(content, format, at, value)
      local bytes = string.pack(format, value)
      return content:sub(1, at - 1) .. bytes .. content:sub(at + #bytes)
    end

    it("if it names that very process, boot, and program", function()
      local pid = application [[assert(rm.register_restart { args = "mine" })]]
      local path = file_of(pid)
      local whole = support.read(path)
      local boot = support.read("/proc/sys/kernel/random/boot_id"):gsub("\n", "")
      local exe = registered.identity(pid).exe
      local instance = string.unpack("<I8", whole, 21)
      local changes = {
        pid = function(content) return patched(content, "<I4", 9, pid + 1) end,
        start_time = function(content) return patched(content, "<I8", 13, string.unpack("<I8", content, 13) + 1) end,
        boot = function(content) return replaced(content, boot, boot:reverse()) end,
        program = function(content) -- as of one that has run another program since
          return replaced(content, string.pack("<s4", exe), string.pack("<s4", exe .. "x"))
        end,
        flags = function(content) return replaced(content, exe .. "\0\0\0\0", exe .. "\x40\0\0\0") end,
        nothing = function() return "" end,
        more = function(content) return content .. "more" end,
        instance = instance ~= 0 and function(content) return patched(content, "<I8", 21, instance + 1) end or nil,
      }
      for name, change in pairs(changes) do
        support.write(path, forged(whole, change))
        assert.is_nil(rm.restart_settings(pid), name)
      end
      support.write(path, forged(whole, function(content)
        return replaced(content, "mine", "thin")
      end))
      assert.same({ "thin" }, assert(rm.restart_settings(pid)).args)
      for length = 0, #whole - 1 do
        support.write(path, whole:sub(1, length))
        assert.is_nil(rm.restart_settings(pid), length)
      end
      support.write(path, whole)
      assert.same({ "mine" }, assert(rm.restart_settings(pid)).args)
    end)

    it("for the process that it names, not for another of the same user", function()
      local pid = application [[assert(rm.register_restart { args = "mine" })]]
      local holder = support.hold("open", file)
      local process = registered.identity(holder.pid)
      local path = file_of(pid)
      local text = support.read(path)
      local claim = path:gsub("[^/]+$", ("%d-%d"):format(holder.pid, process.start_time))
      finally(function()
        os.remove(claim)
      end)
      local function write(content)
        support.write(claim, content)
        os.execute("chmod 600 " .. claim)
      end
      write(text)
      registered.not_found(holder.pid)
      assert.equal("command", support.find(assert(rm.who(file)), holder.pid).restart_by)
      -- With the right process, but as if the program that ran before exec had written it.
      local function of_holder(content)
        content = patched(content, "<I4", 9, holder.pid)
        content = patched(content, "<I8", 13, process.start_time)
        return patched(content, "<I8", 21, 0) -- not known
      end
      write(forged(text, of_holder))
      registered.not_found(holder.pid)
      -- With all of it right the file counts: only so the above shows something.
      write(forged(text, function(content)
        local lua = registered.identity(pid).exe
        return replaced(of_holder(content), string.pack("<s4", lua), string.pack("<s4", process.exe))
      end))
      assert.same({ "mine" }, assert(rm.restart_settings(holder.pid)).args)
    end)

    it("if it is a plain file of the process' user", function()
      local pid = application [[assert(rm.register_restart { args = "mine" })]]
      local path = file_of(pid)
      local kept = stage.folder .. "/kept"
      assert(os.execute(("cp -p %s %s"):format(path, kept)))
      assert(os.execute(("rm %s && ln -s %s %s"):format(path, kept, path)))
      registered.not_found(pid)
      assert(os.execute(("rm %s && mkfifo -m 600 %s"):format(path, path)))
      registered.not_found(pid)
      assert(os.execute(("rm %s && cp -p %s %s"):format(path, kept, path)))
      assert.is_table(rm.restart_settings(pid))
      if support.is_root() then
        assert(os.execute(("chown %d %s"):format(users.OTHER, path)))
        registered.not_found(pid)
      end
    end)

    it("if it is not another user's", function()
      local reason = users.no_other()
      if reason then
        return pending(reason)
      end
      local claim
      finally(function()
        os.remove(claim or "")
        users.clean_other()
      end)
      -- Another user registers, and so has a folder; there he puts our own, true, file.
      local pid = application [[assert(rm.register_restart { args = "mine" })]]
      local path = file_of(pid)
      local output = users.as_other [[
        local rm = require "restartmanager"
local registered = require "spec.support_registration"
        assert(rm.register_restart { args = "theirs" })
        io.write(assert(rm.restart_settings(rm.self())).args[1])
        assert(rm.unregister_restart())
      ]]
      assert.equal("theirs", output)
      claim = users.other_place .. "/registered/" .. path:match("[^/]+$")
      assert(os.execute(("mv %s %s && chown %d:%d %s"):format(path, claim, users.OTHER, users.OTHER, claim)))
      registered.not_found(pid)
      -- In our folder it counts, so it was the place; but not while it belongs to him.
      assert(os.execute(("mv %s %s"):format(claim, path)))
      registered.not_found(pid)
      assert(os.execute("chown 0:0 " .. path))
      assert.same({ "mine" }, assert(rm.restart_settings(pid)).args)
    end)

    it("for another user's process, if that user wrote it", function()
      local reason = users.no_other()
      if reason then
        return pending(reason)
      end
      local program = users.start_as_other [[
        local rm = require "restartmanager"
local registered = require "spec.support_registration"
        assert(rm.register_restart { args = "theirs" })
        io.write("ready ", rm.self().pid, "\n")
        io.stdout:flush()
        io.read()
        rm.unregister_restart()
      ]]
      finally(function()
        program:close()
        users.clean_other()
      end)
      local pid = math.tointeger((program:says("ready (%d+)")))
      assert.same({ "theirs" }, assert(rm.restart_settings(pid)).args)
    end)
  end)
end)
