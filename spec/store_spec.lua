-- What stands where sessions are kept, but is not what we wrote there: it is not believed, and does no harm.
local programs = require "spec.support_session"
local rm = require "restartmanager"
local stop = require "spec.support_stop"
local support = require "spec.support"

local join = support.join
local NAME = "store_spec " .. rm.self().pid .. " " .. rm.self().start_time -- nobody else's

-- A number, the same in every run.
local seed = 42
local function random(limit)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % limit
end

local function noise(length)
  local bytes = {}
  for i = 1, length do
    bytes[i] = string.char(random(256))
  end
  return table.concat(bytes)
end

-- As long, and another in one bit of the byte after so many.
local function changed(text, after)
  return text:sub(1, after) .. string.char(text:byte(after + 1) ~ 1 << random(8)) .. text:sub(after + 2)
end

-- A file of one record with another content, which is as long, and the sum that it needs.
local function forged(file, change)
  local magic, content = string.unpack("<I4", file), file:sub(13)
  assert.equal(string.unpack("<I4", file, 9), programs.crc32c(content), "the record is made in another way")
  content = change(content)
  return string.pack("<I4I4I4", magic, #content, programs.crc32c(content)) .. content
end

-- Names that are no key's, and none of ours that are being made or removed.
local ODD = { "a b", "~'{}$", "\u{e4}", ("0"):rep(31), ("0"):rep(33), ("g"):rep(32), ".new-", ".new-1-2", ".newer" }

describe("what is stored", function()
  local stage, garbage

  before_each(function()
    garbage = {}
  end)

  after_each(function()
    for _, path in ipairs(garbage) do
      support.remove_tree(path)
    end
    if stage then
      stop.strike(stage)
      stage = nil
    end
    support.cleanup()
  end)

  -- A session with two holders that it has stopped, and that is left as abandoned; its key.
  local function abandoned()
    stage = stop.stage()
    local key = programs.abandoned(stage, NAME, 2)
    garbage[#garbage + 1] = programs.stored(key) -- if the spec fails
    return key
  end

  local function place_of(session)
    return programs.stored(session.key):sub(1, -#session.key - 2)
  end

  -- The path of something that stands there under that name, and is removed afterwards.
  local function beside(session, name)
    garbage[#garbage + 1] = join(place_of(session), name)
    return garbage[#garbage]
  end

  -- Something that has a session's name: its path, and the key.
  local function another(session)
    local key = ("%016x%016x"):format(rm.self().pid, #garbage)
    return beside(session, key), key
  end

  -- A copy of the session's folder, with another 'primary' or none.
  local function copy(session, primary)
    local path = support.copy_folder(programs.stored(session.key), (another(session)))
    support.remove_tree(join(path, "primary"))
    if primary then
      support.write(join(path, "primary"), primary)
    end
    return path
  end

  it("whole is believed, also a copy", function()
    local session <close> = assert(rm.start { name = NAME })
    local path, key = another(session)
    support.copy_folder(programs.stored(session.key), path)
    assert.is_not_nil(programs.listed(key)) -- else all that the others make would be refused for its rights
  end)

  it("is told from garbage", function()
    local living = assert(rm.start { name = NAME })
    local primary = support.read(join(programs.stored(living.key), "primary"))
    for _, name in ipairs(ODD) do
      support.write(beside(living, name), noise(100))
    end
    for _, name in ipairs { (".new-%d-1-x"):format(rm.self().pid), ".new-x", ".old-x", ".old-" } do
      support.make_folder(beside(living, name))
    end
    support.make_folder(join(beside(living, ".old-deep"), "deeper"))
    local others = #garbage
    support.write((another(living)), noise(50))
    copy(living)
    support.make_folder(join(copy(living), "primary"))
    for _, length in ipairs { 0, 1, 12, 100, 4095, 4096, 4097, 100000 } do
      local path = copy(living, noise(length))
      support.write(join(path, "journal"), noise(length))
      support.write(join(path, "resources-" .. length), noise(length))
    end
    copy(living, primary:rep(4096)) -- too long
    copy(living, primary:sub(1, 4) .. ("\xff"):rep(8) .. primary:sub(13)) -- a huge length
    for i = others + 1, #garbage do
      programs.refused(garbage[i]:match("%x+$"))
    end
    assert.is_not_nil(programs.listed(living.key))
    local more = assert(rm.start())
    assert.is_not_nil(programs.listed(more.key))
    local place = place_of(living)
    assert(more:close() and living:close())
    for _, name in ipairs(support.list(place)) do
      assert.is_not_equal(".old-x", name, "it has not been swept")
    end
    assert.same({}, assert(rm.recover { name = NAME }))
  end)

  it("as 'primary' is not believed, cut off or changed anywhere", function()
    local session <close> = assert(rm.start { name = NAME })
    local path = join(programs.stored(session.key), "primary")
    local whole = support.read(path)
    for length = 0, #whole - 1 do
      support.write(path, whole:sub(1, length))
      programs.refused(session.key)
      support.write(path, changed(whole, length))
      programs.refused(session.key)
    end
    support.write(path, whole)
    assert.is_not_nil(programs.listed(session.key))
    assert(rm.join(session.key)):close()
  end)

  it("as 'journal' does no harm, cut off or changed anywhere", function()
    local key = abandoned()
    local folder = programs.stored(key)
    local kept = support.copy_folder(folder, join(stage.folder, "kept"))
    local journal = join(folder, "journal")
    local whole = support.read(journal)

    local function put(content)
      support.remove_tree(folder)
      support.copy_folder(kept, folder)
      support.write(journal, content)
    end

    local function try(content)
      put(content)
      local info = programs.listed(key)
      assert.is_true(not info or info.abandoned and #info.stopped <= 2)
      local session = assert(rm.adopt(key))
      assert.is_true(#assert(session:list()) <= 2)
      assert(session:close { leave_stopped = true })
      assert.is_nil(programs.stored(key))
    end

    for _ = 1, 10 do
      local at = random(#whole)
      try(whole:sub(1, at))
      try(changed(whole, at))
      try(noise(at))
    end
    try(whole .. noise(100))
    try(whole .. whole)
    assert.equal(2, #stop.starts(stage), "somebody was started")
    -- The same, whole, brings them back; garbage at the end, and in the place of a launch record, does not hinder it.
    put(whole .. noise(100))
    support.write(join(folder, "start-0"), noise(40))
    support.write(join(folder, "start-1"), "")
    support.write(join(folder, "start-7"), noise(5000))
    assert.equal(2, #programs.listed(key).stopped)
    local session = assert(rm.adopt(key))
    assert.equal(2, #assert(session:restart()).restarted)
    assert(session:close())
    assert.is_truthy(support.eventually(function()
      return #stop.starts(stage) == 4
    end))
    assert.is_nil(programs.stored(key))
  end)

  it("as 'resources-...' is read as far as it is whole", function()
    local session <close> = assert(rm.start { name = NAME })
    local folder = programs.stored(session.key)
    local one, two = join(support.folder(), "one"), join(support.folder(), "other")
    local both = one .. " " .. two
    local path
    assert(session:register { files = one })
    assert(session:register { files = two })
    for _, name in ipairs(support.list(folder)) do
      path = name:find("^resources%-") and join(folder, name) or path
    end
    local whole = support.read(path)
    local first = 12 + string.unpack("<I4", whole, 5) -- bytes of the first record

    local function files()
      local found = {}
      for resource in session:resources() do
        found[#found + 1] = resource.file
      end
      return table.concat(found, " ")
    end

    assert.equal(both, files())
    for length = 0, #whole - 1 do
      support.write(path, whole:sub(1, length))
      assert.equal(length < first and "" or one, files(), length)
    end
    for _ = 1, 100 do
      local at = random(#whole)
      support.write(path, changed(whole, at))
      assert.equal(at < first and "" or one, files(), at)
    end
    support.write(path, whole .. noise(200))
    for length = 0, 3000, 500 do
      support.write(join(folder, "resources-" .. length), noise(length))
    end
    assert.equal(both, files())
    assert.equal(0, #assert(session:list()))
    assert(session:register { files = join(support.folder(), "third") })
    support.make_folder(join(folder, "resources-x")) -- what is no plain file of ours is refused in words
    local list, message, code = session:list()
    assert.same({ nil, "access_denied" }, { list, code }, message)
    assert.matches("resources%-x", message)
    support.remove_tree(join(folder, "resources-x"))
    assert(session:list())
  end)

  it("before another boot is removed", function()
    local key = abandoned()
    local path = join(programs.stored(key), "primary")
    support.write(path, forged(support.read(path), function(content)
      local boot = string.unpack("<s4", content, 25) -- behind the version, and the primary's pid, start and instance
      local from = 25 + 4
      return content:sub(1, from - 1) .. boot:reverse() .. content:sub(from + #boot)
    end))
    assert.equal(1219, (select(4, rm.adopt(key))))
    assert.is_not_nil(programs.stored(key))
    assert.is_nil(programs.listed(key))
    assert.is_nil(programs.stored(key))
  end)
end)
