-- What spec/support.lua stands on, on Windows and under Wine: the C module spec_windows, where Lua's own library knows
-- only names in the system's code page, and os.execute and io.popen are inexact. spec/support_linux.lua has the same
-- names. SPDX-License-Identifier: MIT
local core = require "spec_windows"

local windows = {}

core.open_desktop()

windows.NAME = "windows"
windows.LUA = core.program() -- the interpreter
windows.GRACE = 4 -- seconds in which who obeys has surely obeyed: Wine starts a program that asks it
windows.KILLED = { nil, "exit", 9 } -- what close() says of who killed itself
windows.KILLED_HOW = { exit = 9 } -- and what session:run says
windows.PLAIN = {} -- what a holder is told so that it is what its program makes it
windows.PLAIN_TYPE = "console" -- and the type that it then has

-- ---- Files ----

function windows.join(folder, path)
  return folder:gsub("[/\\]$", "") .. "\\" .. path:gsub("/", "\\")
end

-- The whole file as it is; nil: it cannot be opened.
windows.contents = core.read

function windows.write(path, text)
  core.write(path, text or "")
  return path
end

local folders = 0

function windows.new_folder()
  folders = folders + 1
  local name = ("rsm-%x-%x-%x"):format(math.random(0x7FFFFFFF), math.floor(core.now() * 1000), folders)
  return windows.make_folder(windows.join(core.temporary_folder(), name))
end

function windows.make_folder(path)
  local parent = path:match("^(.+)\\[^\\]+$")
  if not core.kind(parent) then
    windows.make_folder(parent)
  end
  if not core.kind(path) then
    core.make_folder(path)
  end
  return path
end

-- A program that was started again may begin only now: it writes into the folder, misses its files and ends. On a busy
-- machine that takes seconds. What somebody has open when it is removed goes when that closes it, which may be
-- between two looks.
local function patiently(remove, path)
  local last = core.now() + 20
  local ok, message
  repeat
    ok, message = pcall(remove, path)
    if ok or not core.kind(path) then
      return
    end
    core.sleep(0.02)
  until core.now() > last
  error(message, 0)
end

-- What is in it goes, too: also what a program writes there at its end, after we have looked.
local function remove_folder(path)
  for _, name in ipairs(core.list(path)) do
    windows.remove_tree(path .. "\\" .. name)
  end
  local ok, message = pcall(core.remove_folder, path)
  if not ok then
    error(("%s; in it: %s"):format(message, core.kind(path) and table.concat(core.list(path), ", ")), 0)
  end
end

function windows.remove_tree(path)
  local kind = core.kind(path)
  if kind == "folder" then
    patiently(remove_folder, path)
  elseif kind then
    patiently(core.remove_file, path)
  end
end

function windows.copy(from, to)
  core.copy(from, to)
  return to
end

-- With the rights that it has, and the files that are in it.
function windows.copy_folder(from, to)
  core.copy_rights(from, windows.make_folder(to))
  for _, name in ipairs(core.list(from)) do
    windows.copy(windows.join(from, name), windows.join(to, name))
  end
  return to
end

-- Puts the file in the other one's place.
windows.rename = function(from, to)
  core.rename(from, to)
  return true
end

windows.hard_link = core.hard_link

-- target: as it is to stand in the link, so relative to the link's folder.
function windows.sym_link(target, path)
  if core.kind(path) then
    core.remove_file(path)
  end
  local folder = path:match("^(.*)\\")
  core.sym_link(target, path, core.kind(windows.join(folder, target)) == "folder")
end

-- Why there are no symbolic links here; nil: there are. Wine 8 says that it makes them, and makes none.
function windows.no_sym_links()
  local folder = windows.new_folder()
  local made, message = pcall(core.sym_link, windows.write(folder .. "\\file"), folder .. "\\link")
  local there = core.kind(folder .. "\\link")
  windows.remove_tree(folder)
  return not there and ("no symbolic links: " .. (made and "none was made" or message)) or nil
end

-- The names in a folder, none if there is no folder.
function windows.list(folder)
  return core.kind(folder) and core.list(folder) or {}
end

windows.working_folder = core.working_folder

function windows.is_absolute(path)
  return path:match("^%a:\\") ~= nil
end

-- A path from the working folder, in two parts: up, and down again. On another drive than that only a longer one, which
-- the drive begins and which is resolved all the same.
function windows.relative(path)
  local here = core.working_folder()
  if here:sub(1, 2):lower() == path:sub(1, 2):lower() then
    return here:sub(3):gsub("\\[^\\]+", "..\\"):gsub("\\$", ""), path:sub(3)
  end
  return path:sub(1, 2), "\\none\\.." .. path:sub(3)
end

-- ---- Processes ----

function windows.program_name(name)
  return name .. ".exe"
end

-- A program of the build folder.
function windows.program(name)
  return windows.join(windows.build, windows.program_name(name))
end

local Started = {}
Started.__index = Started

function Started:write(text)
  self.process:write(text)
end

-- Ends its input and waits for its end, for a limited time; as io.close says it.
function Started:close()
  self.process:end_input()
  local status
  local last = core.now() + self.limit
  repeat -- in between Lua heeds an interruption
    status = self.process:wait(0.05)
  until status or core.now() > last
  if not status then
    self.process:kill(124)
    status = assert(self.process:wait(5), "it cannot be killed")
  end
  if status == 0 then
    return true, "exit", 0
  end
  return nil, "exit", status
end

-- Starts a program: { PROGRAM, WORD..., out = PATH }. limit: seconds after which it is killed; directory: where;
-- set: variables (false: without it); console: hidden (one of its own), new, none or ours.
function windows.start_words(words)
  for name, value in pairs(words.set or {}) do
    core.set_variable(name, value or nil)
  end
  local ok, process = pcall(core.start, words)
  for name in pairs(words.set or {}) do
    core.set_variable(name, os.getenv(name)) -- C's own copy of the variables is as it was
  end
  assert(ok, process)
  return setmetatable({ process = process, limit = words.limit or windows.LIMIT }, Started)
end

-- Starts one that outlives us, without input and output; its pid.
function windows.start_apart(words)
  local started = core.start(table.move(words, 1, #words, 1, { input = "null" }))
  return started:pid()
end

function windows.alive(pid)
  return select(2, core.identity(pid)) == true
end

function windows.start_time(pid)
  return (core.identity(pid))
end

-- Ends the process that calls it, without any of the courtesies.
function windows.kill_self()
  core.kill_self(9)
end

-- The same after some seconds, whatever it does meanwhile.
function windows.kill_self_later(seconds)
  core.kill_self(9, seconds)
end

-- Holds the lock on the file for so many seconds, as a start does; says "locked" when it has it, and "over" at the end.
-- The lock goes with the process that calls it.
function windows.lock_for(path, seconds)
  core.lock(path)
  print "locked"
  io.stdout:flush()
  core.sleep(seconds)
  print "over"
end

-- Whoever asks this Lua program to end is obeyed at once, as a program usually does.
windows.obey = core.obey

function windows.user_name()
  return os.getenv("USERNAME")
end

function windows.is_root()
  return false
end

-- The places where this user's sessions can be.
function windows.store_places()
  return { windows.join(os.getenv("LOCALAPPDATA"), "restartmanager") }
end

-- ---- Time ----

windows.sleep = core.sleep
windows.now = core.now

return windows
