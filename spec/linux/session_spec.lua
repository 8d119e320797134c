-- Sessions of other users, and programs without the right to run.
local rm = require "restartmanager"
local programs = require "spec.support_session"
local support = require "spec.support"
local users = require "spec.linux.support_users"

describe("a session", function()
  local session

  before_each(function()
    session = assert(rm.start { name = "session_spec" })
  end)

  after_each(function()
    session:close { leave_stopped = true }
    support.cleanup()
  end)

  -- Fails with the code; nothing that it says holds the key.
  local function refused(code, number, ...)
    local results = table.pack(...)
    assert.same({ nil, code, number }, { results[1], results[3], results[4] }, results[2])
    assert.is_nil(results[2]:lower():find(session.key, 1, true), "the message holds the key")
  end

  describe("is joined", function()
    it("not by another user, who does not see it either", function()
      local reason = users.no_other()
      if reason then
        return pending(reason)
      end
      finally(users.clean_other)
      local output = users.as_other([[
        local rm = require "restartmanager"
        local key = ...
        local _, message, code, number = rm.join(key)
        print("join", code, number, message:find(key, 1, true))
        _, message, code, number = rm.adopt(key)
        print("adopt", code, number, message:find(key, 1, true))
        for _, info in ipairs(assert(rm.sessions())) do
          print("listed", info.key)
        end
        local own <close> = assert(rm.start { name = "session_spec" })
        print("own", #rm.sessions(), os.execute("kill -CONT " .. rm.self().pid))
      ]], session.key)
      assert.equal("join\tsession_credential_conflict\t1219\tnil\nadopt\tsession_credential_conflict\t1219\tnil\n" ..
        "own\t1\ttrue\texit\t0\n", output)
    end)

    it("not by root, if it is another user's", function()
      local reason = users.no_other()
      if reason then
        return pending(reason)
      end
      local program = users.start_as_other [[
        local rm = require "restartmanager"
        local session <close> = assert(rm.start { name = "session_spec" })
        io.write("key ", session.key, "\n")
        io.stdout:flush()
        io.read()
      ]]
      finally(function()
        program:close()
        users.clean_other()
      end)
      local key = program:says("key (%x+)")
      refused("session_credential_conflict", 1219, rm.join(key))
      refused("session_credential_conflict", 1219, rm.adopt(key))
      assert.is_nil(programs.listed(key))
    end)
  end)

  it("does not run a file that is not executable", function()
    refused("access_denied", 5, session:run { support.write(support.folder() .. "/not-executable") })
  end)
end)
