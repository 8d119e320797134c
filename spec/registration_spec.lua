-- How an application says that, and how, it wants to be started again; and who is believed.
local rm = require "restartmanager"
local registered = require "spec.support_registration"
local support = require "spec.support"

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

  describe("is told", function()
    it("to another process: arguments and occasions", function()
      local pid = application [[
        assert(rm.register_restart { args = { "--resume", "a b", "" }, on = { hang = false } })
      ]]
      local on = { crash = true, hang = false, patch = true, reboot = true }
      local wanted = { args = { "--resume", "a b", "" }, on = on }
      assert.same(wanted, assert(rm.restart_settings(pid)))
      local process = registered.identity(pid)
      assert.same(wanted, assert(rm.restart_settings(process)))
      assert.same(wanted, assert(rm.restart_settings { pid = pid, start_time = process.start_time }))
      registered.not_found { pid = pid, start_time = process.start_time - 1 }
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
      assert.equal(support.join("", "script.lua"), settings.args[1]:match(".script%.lua$"))
      assert.same({ stage.note, stage.flag, file }, { table.unpack(settings.args, 2, 4) })
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
      registered.not_found(application "")
      local pid = application [[
        assert(rm.register_restart { args = "x" })
        assert(rm.unregister_restart())
        local _, message, code, number = rm.unregister_restart()
        assert(code == "not_found" and number == 1168 and message:find "^unregister_restart: ")
      ]]
      registered.not_found(pid)
      local holder = support.hold("open", file)
      holder:close()
      registered.not_found(holder.pid)
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
      registered.not_found(rm.self())
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
      return ("assert(rm.register_restart { args = { %q, %q, %q, %q, 'STAY = true', %s }, on = { %s } })"):format(
        stage.script, stage.note, stage.flag, file, table.concat(words, ", "), on)
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
      stage.started[#stage.started + 1] = report.restarted[1].restarted_as
      assert.is_truthy(support.eventually(function()
        return #registered.starts(stage) == 2
      end))
      assert.same({ "--first", "--again|a b|$HOME; 'x'" }, registered.starts(stage))
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
      assert.equal(1, #registered.starts(stage))
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
