-- How an application says that, and how, it wants to be started again; and who is believed.
local rm = require "restartmanager"
local programs = require "spec.support_session"
local support = require "spec.support"

-- Notes that it has started, with its arguments; registers as CHUNK says; holds the file; ends with its input or, where
-- that is no pipe, when FLAG has gone: script.lua NOTE FLAG FILE CHUNK [ARGS...]
local APPLICATION = [[
  local rm = require "restartmanager"
  local note, flag, file, chunk = table.unpack(arg, 1, 4)
  local out = assert(io.open(note, "a"))
  out:write("start ", rm.self().pid, " ", table.concat(arg, "|", 5), "\n")
  out:close()
  local held = assert(io.open(file))
  assert(load(chunk))(rm)
  io.write("ready ", rm.self().pid, "\n")
  io.stdout:flush()
  if not io.read() and io.open("/dev/stdin"):seek("end") then -- it ended, and it is no pipe
    repeat
      local there = io.open(flag)
    until not there or not there:close() or os.execute("sleep 0.05") == nil
  end
  held:close()
]]

describe("restart registration", function()
  local folder, note, flag, file, script, started

  before_each(function()
    folder = support.folder()
    note, flag, file = folder .. "/note", folder .. "/flag", folder .. "/file"
    support.write(note)
    support.write(flag)
    support.write(file)
    script = support.write(folder .. "/application.lua", APPLICATION)
    started = {}
  end)

  local function identity(pid)
    return assert(rm.who { processes = pid })[1]
  end

  local function is_alive(process)
    local list = assert(rm.who { processes = process })
    return #list > 0
  end

  after_each(function()
    os.remove(flag)
    programs.cleanup()
    for _, process in ipairs(started) do
      assert(support.eventually(function()
        return not is_alive(process)
      end), "an application does not end")
      for _, place in ipairs(programs.places()) do
        os.remove(("%s/registered/%d-%d"):format(place, process.pid, process.start_time))
      end
    end
    support.cleanup()
  end)

  -- Starts the application, which registers by this chunk; its pid.
  local function application(chunk, ...)
    local program = programs.start(APPLICATION, note, flag, file, "local rm = ... " .. chunk, ...)
    local pid = math.tointeger((program:says("ready (%d+)")))
    started[#started + 1] = identity(pid)
    return pid, program
  end

  local function lines()
    local all = {}
    for line in support.read(note):gmatch("start %d+ ([^\n]*)\n") do
      all[#all + 1] = line
    end
    return all
  end

  -- The file where a process' registration is.
  local function registered(pid)
    local process = identity(pid)
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

  local function not_found(process)
    local settings, message, code, number = rm.restart_settings(process)
    assert.same({ nil, "not_found", 1168 }, { settings, code, number })
    assert.matches("^restart_settings: ", message)
  end

  describe("is told", function()
    it("to another process: arguments and occasions", function()
      local pid = application [[
        assert(rm.register_restart { args = { "--resume", "a b", "" }, on = { hang = false } })
      ]]
      local on = { crash = true, hang = false, patch = true, reboot = true }
      local wanted = { args = { "--resume", "a b", "" }, on = on }
      assert.same(wanted, assert(rm.restart_settings(pid)))
      local process = identity(pid)
      assert.same(wanted, assert(rm.restart_settings(process)))
      assert.same(wanted, assert(rm.restart_settings { pid = pid, start_time = process.start_time }))
      not_found { pid = pid, start_time = process.start_time - 1 }
    end)

    it("with each occasion by itself", function()
      for _, name in ipairs { "crash", "hang", "patch", "reboot" } do
        local pid = application(("assert(rm.register_restart { args = {}, on = { %s = false } })"):format(name))
        local wanted = { crash = true, hang = true, patch = true, reboot = true }
        wanted[name] = false
        assert.same({ args = {}, on = wanted }, assert(rm.restart_settings(pid)))
      end
    end)

    it("with the process' own arguments, if none are given", function()
      local pid = application("assert(rm.register_restart())", "--own", "two words")
      local settings = assert(rm.restart_settings(pid))
      assert.matches("/script%.lua$", settings.args[1])
      assert.same({ note, flag, file }, { table.unpack(settings.args, 2, 4) })
      assert.same({ "--own", "two words" }, { table.unpack(settings.args, 6) })
      assert.same({ crash = true, hang = true, patch = true, reboot = true }, settings.on)
    end)

    it("as it was said last", function()
      local pid = application [[
        assert(rm.register_restart { args = { "first" }, on = { patch = false } })
        assert(rm.register_restart { args = "one argument" })
      ]]
      local settings = assert(rm.restart_settings(pid))
      assert.same({ "one argument" }, settings.args)
      assert.is_true(settings.on.patch)
    end)

    it("not of who did not, took it back, or is not there", function()
      not_found(application "")
      local pid = application [[
        assert(rm.register_restart { args = "x" })
        assert(rm.unregister_restart())
        local _, message, code, number = rm.unregister_restart()
        assert(code == "not_found" and number == 1168 and message:find "^unregister_restart: ")
      ]]
      not_found(pid)
      assert.is_nil(registered(pid))
      local holder = support.hold("open", file)
      holder:close()
      not_found(holder.pid)
    end)

    it("not of who has ended, though nothing has removed it yet", function()
      local pid, program = application [[assert(rm.register_restart { args = "x" })]]
      local process, path = identity(pid), registered(pid)
      assert.is_table(rm.restart_settings(process))
      program:close()
      not_found(process)
      not_found(pid)
      assert.is_string(support.read(path))
      application [[assert(rm.register_restart { args = "y" })]] -- the next one sweeps
      assert.is_nil(io.open(path))
    end)
  end)

  describe("takes", function()
    it("1024 characters, not one more", function()
      application [[
        local function answer(args)
          local ok, message, code, number = rm.register_restart { args = args }
          return ok and "ok" or code .. " " .. number, message
        end
        assert(answer(("x"):rep(1024)) == "ok")
        assert(answer { ("x"):rep(1000), ("y"):rep(23) } == "ok") -- and the blank between them
        assert(answer(("\u{20AC}"):rep(1024)) == "ok") -- characters, not bytes
        assert(answer(("z"):rep(1024)) == "ok")
        for _, long in ipairs { ("x"):rep(1025), { ("x"):rep(1000), ("y"):rep(24) }, ("\u{20AC}"):rep(1025) } do
          local how, message = answer(long)
          assert(how == "invalid_parameter 87", how)
          assert(message:find("^register_restart: ") and message:find("1025", 1, true), message)
        end
        local settings = assert(rm.restart_settings(rm.self()))
        assert(settings.args[1] == ("z"):rep(1024), "a refused one has replaced it")
      ]]
    end)

    it("nothing but strings and known occasions", function()
      assert.matches("args", support.raised(rm.register_restart, { args = { {} } }))
      assert.matches("on", support.raised(rm.register_restart, { on = true }))
      assert.matches("did you mean 'on.patch'", support.raised(rm.register_restart, { on = { patsch = false } }))
      not_found(rm.self())
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
      local path = registered(pid)
      local whole = support.read(path)
      local boot = support.read("/proc/sys/kernel/random/boot_id"):gsub("\n", "")
      local exe = identity(pid).exe
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
      local process = identity(holder.pid)
      local path = registered(pid)
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
      not_found(holder.pid)
      assert.equal("command", support.find(assert(rm.who(file)), holder.pid).restart_by)
      -- With the right process, but as if the program that ran before exec had written it.
      local function of_holder(content)
        content = patched(content, "<I4", 9, holder.pid)
        content = patched(content, "<I8", 13, process.start_time)
        return patched(content, "<I8", 21, 0) -- not known
      end
      write(forged(text, of_holder))
      not_found(holder.pid)
      -- With all of it right the file counts: only so the above shows something.
      write(forged(text, function(content)
        local lua = identity(pid).exe
        return replaced(of_holder(content), string.pack("<s4", lua), string.pack("<s4", process.exe))
      end))
      assert.same({ "mine" }, assert(rm.restart_settings(holder.pid)).args)
    end)

    it("if it is a plain file of the process' user", function()
      local pid = application [[assert(rm.register_restart { args = "mine" })]]
      local path = registered(pid)
      local kept = folder .. "/kept"
      assert(os.execute(("cp -p %s %s"):format(path, kept)))
      assert(os.execute(("rm %s && ln -s %s %s"):format(path, kept, path)))
      not_found(pid)
      assert(os.execute(("rm %s && mkfifo -m 600 %s"):format(path, path)))
      not_found(pid)
      assert(os.execute(("rm %s && cp -p %s %s"):format(path, kept, path)))
      assert.is_table(rm.restart_settings(pid))
      if support.shell("id -u") == "0\n" then
        assert(os.execute(("chown %d %s"):format(programs.OTHER, path)))
        not_found(pid)
      end
    end)

    it("if it is not another user's", function()
      local reason = programs.no_other()
      if reason then
        return pending(reason)
      end
      local claim
      finally(function()
        os.remove(claim or "")
        programs.clean_other()
      end)
      -- Another user registers, and so has a folder; there he puts our own, true, file.
      local pid = application [[assert(rm.register_restart { args = "mine" })]]
      local path = registered(pid)
      local output = programs.as_other [[
        local rm = require "restartmanager"
        assert(rm.register_restart { args = "theirs" })
        io.write(assert(rm.restart_settings(rm.self())).args[1])
        assert(rm.unregister_restart())
      ]]
      assert.equal("theirs", output)
      claim = programs.other_place .. "/registered/" .. path:match("[^/]+$")
      assert(os.execute(("mv %s %s && chown %d:%d %s"):format(path, claim, programs.OTHER, programs.OTHER, claim)))
      not_found(pid)
      -- In our folder it counts, so it was the place; but not while it belongs to him.
      assert(os.execute(("mv %s %s"):format(claim, path)))
      not_found(pid)
      assert(os.execute("chown 0:0 " .. path))
      assert.same({ "mine" }, assert(rm.restart_settings(pid)).args)
    end)

    it("for another user's process, if that user wrote it", function()
      local reason = programs.no_other()
      if reason then
        return pending(reason)
      end
      local program = programs.start_as_other [[
        local rm = require "restartmanager"
        assert(rm.register_restart { args = "theirs" })
        io.write("ready ", rm.self().pid, "\n")
        io.stdout:flush()
        io.read()
        rm.unregister_restart()
      ]]
      finally(function()
        program:close()
        programs.clean_other()
      end)
      local pid = math.tointeger((program:says("ready (%d+)")))
      assert.same({ "theirs" }, assert(rm.restart_settings(pid)).args)
    end)
  end)

  describe("in a session", function()
    local session

    before_each(function()
      session = assert(rm.start { name = "registration_spec" })
      assert(session:register { files = file })
    end)

    after_each(function()
      session:close { leave_stopped = true }
    end)

    -- The chunk by which the application registers itself with other last arguments.
    local function registers(on, ...)
      local words = {}
      for i, word in ipairs({ ... }) do
        words[i] = ("%q"):format(word)
      end
      return ("assert(rm.register_restart { args = { %q, %q, %q, %q, 'local rm = ...', %s }, on = { %s } })"):format(
        script, note, flag, file, table.concat(words, ", "), on)
    end

    it("makes an application restartable, by its registration", function()
      local pid = application(registers("", "--again"))
      local other = application ""
      local entry = support.find(assert(session:list()), pid)
      assert.same({ true, "registration" }, { entry.restartable, entry.restart_by })
      entry = support.find(assert(session:list()), other)
      assert.same({ false, "command" }, { entry.restartable, entry.restart_by })
    end)

    it("lets only_restartable pass who registered, and nobody else", function()
      local pid = application(registers("", "--again"))
      local _, other = application ""
      local report, _, code, number = session:shutdown { only_restartable = true }
      assert.same({ nil, "fail_shutdown", 351 }, { report, code, number })
      assert.is_table(rm.restart_settings(pid))
      other:close()
      report = assert(session:shutdown { only_restartable = true })
      assert.equal(pid, report.stopped[1].pid)
    end)

    it("is how it is started again: with those arguments, without being asked for", function()
      local pid = application(registers("", "--again", "a b", "$HOME; 'x'"), "--first")
      assert(session:shutdown())
      local report = assert(session:restart())
      assert.equal(pid, report.restarted[1].pid)
      started[#started + 1] = report.restarted[1].restarted_as
      assert.is_truthy(support.eventually(function()
        return #lines() == 2
      end))
      assert.same({ "--first", "--again|a b|$HOME; 'x'" }, lines())
      assert.equal(0, #assert(session:restart()).restarted)
    end)

    it("with patch = false leaves it stopped, for that reason", function()
      local pid = application(registers("patch = false", "--again"))
      local entry = support.find(assert(session:list()), pid)
      assert.is_false(entry.restartable)
      assert(session:shutdown())
      for _, unregistered in ipairs { false, true } do
        local report = assert(session:restart { unregistered = unregistered })
        assert.same({ 0, 1 }, { #report.restarted, #report.left_stopped })
        assert.same({ pid, "no_patch" }, { report.left_stopped[1].pid, report.left_stopped[1].why })
      end
      assert.equal(1, #lines())
    end)

    it("is left by who did not register, for that reason", function()
      application ""
      assert(session:shutdown())
      local report = assert(session:restart())
      assert.same({ 0, 1 }, { #report.restarted, #report.left_stopped })
      assert.equal("not_registered", report.left_stopped[1].why)
    end)
  end)
end)
