-- internal.open_file and the other functions on files: lock, append, truncate, sync, replace.
local child = require "support.child"
local scratch = require "support.scratch"
require "cekura"
local internal = require "cekura.internal"

describe("a file", function()
  local path

  before_each(function() path = scratch.path() end)
  after_each(function() os.remove(path) end)

  it("whose path has a NUL byte raises", function()
    assert.error_matches(function() internal.open_file "a\0b" end, "without a zero byte")
  end)

  it("is made empty if it is missing", function()
    local file <close> = assert(internal.open_file(path))
    assert.equal("", file:read())
    assert.equal("", scratch.read(path))
  end)

  it("is read as a whole, with all bytes", function()
    local content = ("a\0b\r\n\xFF"):rep(20000)
    scratch.write(path, content)
    local file <close> = assert(internal.open_file(path))
    assert.equal(content, file:read())
    assert.equal(content, file:read())
  end)

  it("is appended to and truncated at its end", function()
    scratch.write(path, "one\n")
    local file <close> = assert(internal.open_file(path))
    assert.is_true(file:append "two\0\n")
    assert.is_true(file:append "")
    assert.equal("one\ntwo\0\n", scratch.read(path))
    assert.is_true(file:truncate(4))
    assert.is_true(file:append "three\n")
    assert.equal("one\nthree\n", file:read())
    assert.same({ nil, path .. ": Invalid argument" }, { file:truncate(-1) })
  end)

  it("and its name are forced to disk", function()
    local file <close> = assert(internal.open_file(path))
    assert(file:append "x")
    assert.is_true(file:sync())
    assert.is_true(internal.sync_folder(path:match "^.*/"))
    assert.same({ nil, path .. ": Not a directory" }, { internal.sync_folder(path) })
  end)

  it("is locked until it is closed", function()
    local first = assert(internal.open_file(path))
    local refusal = { nil, path .. ": another run is using this file" }
    assert.same(refusal, { internal.open_file(path) })
    assert.same(refusal, { internal.open_file(path) })
    first:close()
    local second <close> = assert(internal.open_file(path))
    assert.is_true(second:append "x")
  end)

  it("is closed by the collector", function()
    coroutine.wrap(internal.open_file)(path)  -- in a coroutine, which is collected, too
    collectgarbage()
    collectgarbage()
    assert(internal.open_file(path)):close()
  end)

  it("raises if it is used after close, but close may be repeated", function()
    local file = assert(internal.open_file(path))
    file:close()
    file:close()
    for _, name in ipairs { "read", "append", "truncate", "sync" } do
      local ok, message = pcall(file[name], file, 1)
      assert.is_false(ok)
      assert.equal(path .. ": this file has been closed", message)
    end
  end)

  it("has nothing of a text that does not fit on the disk", function()
    -- A limit on the size of files simulates a full disk. Its unit is 512 or 1024 bytes. With both,
    -- the last line of 100 bytes fits only in part, and a line of 20 bytes fits.
    local output = child.run_on_full_disk(2, ([[
        require "cekura"
        local file = assert(require "cekura.internal".open_file(%q))
        local ok, problem
        local count = -1
        repeat
          count = count + 1
          ok, problem = file:append(("x"):rep(99) .. "\n")
        until not ok
        print(problem)
        print(file:read() == (("x"):rep(99) .. "\n"):rep(count), count == 10 or count == 20)
        print(file:append(("y"):rep(19) .. "\n"))
        print(#file:read() - 100 * count)
      ]]):format(path))
    assert.equal(path .. ": File too large\ntrue\ttrue\ntrue\n20\n", output)
  end)

  it("may be a pipe, which can only be appended to and synced", function()
    os.remove(path)
    assert(os.execute("exec env -u LD_PRELOAD mkfifo -m 600 '" .. path .. "'"))
    local file <close> = assert(internal.open_file(path))
    assert.is_true(file:append "x")
    assert.is_true(file:sync())
    assert.same({ nil, path .. ": not a regular file" }, { file:read() })
    assert.same({ nil, path .. ": Invalid argument" }, { file:truncate(0) })
  end)

  for what, row in pairs {
    ["in a missing folder"] = { "/no/such/folder/x", "No such file or directory" },
    ["that is a folder"] = { "/", "Is a directory" },
    ["that is not writable"] = { "/proc/sys/kernel/ostype", "[PR]e.+" },  -- nor for root
  } do
    it("is not opened at a path " .. what, function()
      local file, message = internal.open_file(row[1])
      assert.is_nil(file)
      assert.matches("^" .. row[1] .. ": " .. row[2] .. "$", message)
    end)
  end

  describe("that is replaced", function()
    local function others()
      local names = {}
      for name in require "lfs".dir(path:match "^.*/") do
        if name:find(path:match "[^/]+$" .. ".", 1, true) then names[#names + 1] = name end
      end
      return names
    end

    it("gets the new content and keeps its permissions", function()
      assert.is_true(internal.replace_file(path, "one\0\n"))
      assert.equal("one\0\n", scratch.read(path))
      assert(os.execute("exec env -u LD_PRELOAD chmod 640 " .. path))
      assert.is_true(internal.replace_file(path, ""))
      assert.equal("", scratch.read(path))
      assert.equal("rw-r-----", require "lfs".attributes(path, "permissions"))
      assert.same({}, others())
    end)

    it("keeps its old content if the disk is full", function()
      scratch.write(path, "old\n")
      local output = child.run_on_full_disk(2, ([[
          require "cekura"
          print(require "cekura.internal".replace_file(%q, ("x"):rep(100000)))
        ]]):format(path))
      assert.equal("nil\t" .. path .. ": File too large\n", output)
      assert.equal("old\n", scratch.read(path))
      assert.same({}, others())
    end)

    it("is written to if it is a device", function()
      if not io.open "/dev/full" then return pending "needs /dev/full" end
      assert.same({ nil, "/dev/full: No space left on device" },
        { internal.replace_file("/dev/full", "x") })
      assert.is_true(internal.replace_file("/dev/null", "x"))
    end)

    it("is not made in a missing folder", function()
      assert.same({ nil, "/none/x: No such file or directory" },
        { internal.replace_file("/none/x", "x") })
    end)
  end)

  it("has the same id and real path under each of its names", function()
    scratch.write(path, "")
    local link = path .. ".link"
    finally(function() os.remove(link) end)
    assert(os.execute(("exec env -u LD_PRELOAD ln -s %s %s"):format(path, link)))
    assert.equal(internal.file_id(path), internal.file_id(link))
    assert.is_not.equal(internal.file_id(path), internal.file_id "/dev/null")
    assert.is_nil(internal.file_id(path .. ".none"))
    assert.equal(path, internal.read_link(link))
    assert.is_nil(internal.read_link(path))
    assert.equal(internal.real_path(path), internal.real_path(link))
    assert.same({ nil, "/none: No such file or directory" }, { internal.real_path "/none" })
  end)

  it("has a path, which must be a string without NUL bytes", function()
    assert.has_error(function() internal.open_file() end)
    assert.has_error(function() internal.open_file "/tmp/a\0b" end)
    assert.has_error(function() internal.sync_folder "/tmp\0" end)
  end)
end)
