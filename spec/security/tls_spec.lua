-- TLS: which certificates the client trusts, and that nothing is sent after a failed handshake.
local cekura = require "cekura"
local calls = require "support.calls"
local child = require "support.child"
local faults = require "support.faults"
local script = require "support.script"
local tls = require "support.tls"

local PRELOAD = (os.getenv "CEKURA_BUILD" or "build") .. "/system_certificates.so"
local VOTE, SPENDING = "runs.mark_metric_vote", "results.evaluate_metrics"
local LIMIT = (os.getenv "CEKURA_RUN" or "") == "" and 15 or 120  -- seconds; more under valgrind

describe("over TLS", function()
  local certificates = tls.certificates()
  local server

  local function new(options, url)
    local all = {
      api_url = url or server.url, api_key = "the-key", timeout = LIMIT, connect_timeout = LIMIT,
      backoff = { base = 0.001, cap = 0.001 }, proxy = "",
      ca_file = not (options and options.ca_path) and certificates.ca or nil,
    }
    for name, value in pairs(options or {}) do all[name] = value end
    return assert(cekura.new(all))
  end

  -- Fails unless the call has ended as `wanted`, and the server has seen no byte of a request.
  local function never_sent(wanted, at, value, err)
    assert.is_nil(value)
    assert.same({ kind = wanted.kind or "tls", applied = "no", attempts = wanted.attempts },
      { kind = err.kind, applied = err.applied, attempts = err.attempts })
    assert.is_nil(err.status)
    assert.same({ deliveries = 0, connections = wanted.attempts, silent = wanted.attempts },
      { deliveries = at:deliveries(), connections = at:connections(), silent = at:silent() })
    return err
  end

  setup(function() server = faults.start { tls = true } end)
  teardown(function() server:stop() end)
  before_each(function() server:clear() end)

  it("the client speaks HTTP/1.1 to a server that prefers HTTP/2", function()
    local both <close> = faults.start { tls = true, alpn = { "h2", "http/1.1" } }
    local client <close> = new({}, both.url)
    for _, endpoint in ipairs { VOTE, SPENDING } do assert(calls.make(client, endpoint)) end
    for _, row in ipairs(both:ledger()) do assert.matches(" HTTP/1.1$", row.request_line) end
  end)

  for _, endpoint in ipairs { VOTE, SPENDING } do
    describe(endpoint, function()
      for _, row in ipairs {
        { "expired", "expired" }, { "not_yet_valid", "not yet valid" },
        { "wrong_host", "localhost" }, { "self_signed", "self[- ]signed" },
        { "unknown_authority", "unable to get local issuer" },
      } do
        it("is not sent to a server with this certificate: " .. row[1], function()
          local bad <close> = faults.start { tls = certificates[row[1]] }
          local client <close> = new({}, bad.url)
          local err = never_sent({ attempts = 1 }, bad, calls.make(client, endpoint))
          local words = "^the certificate of the server is not accepted: .*"
          assert.matches(words .. row[2], err.message)
          local good <close> = new()
          assert.same({ success = true }, (calls.make(good, endpoint)))
        end)
      end

      -- A load balancer that restarts cuts handshakes off. Nothing was sent: a retry is harmless.
      for _, name in ipairs {
        "close_before_handshake", "cut_handshake", "reset_before_handshake",
      } do
        -- a reset that arrives while libcurl connects is not an error of TLS
        local function kind_of(err)
          return name == "reset_before_handshake" and err and err.kind == "network" and err.kind
        end

        it("is retried after " .. name .. " until max_attempts", function()
          local client <close> = new { max_attempts = 3 }
          server:script { name, name, name }
          local value, err = calls.make(client, endpoint)
          never_sent({ attempts = 3, kind = kind_of(err) or "tls" }, server, value, err)
          assert.same({ success = true }, (calls.make(client, endpoint)))
          assert.equal(1, server:deliveries())
        end)

        it("is retried after " .. name .. ", and succeeds", function()
          local client <close> = new()
          server:script { name, name }
          local value, response = calls.make(client, endpoint)
          assert.same({ success = true }, value)
          assert.equal(3, response.attempts)
          assert.same({ 1, 3, 2 }, { server:deliveries(), server:connections(), server:silent() })
        end)

        it("is not retried after " .. name .. " with max_attempts = 1", function()
          local client <close> = new { max_attempts = 1 }
          server:script { name }
          local value, err = calls.make(client, endpoint)
          never_sent({ attempts = 1, kind = kind_of(err) or "tls" }, server, value, err)
        end)
      end

      it("is retried after a handshake that exceeds connect_timeout", function()
        local client <close> = new { connect_timeout = 0.1, max_attempts = 2 }
        server:script { "hang_before_handshake", "hang_before_handshake" }
        never_sent({ attempts = 2, kind = "timeout" }, server, calls.make(client, endpoint))
      end)
    end)
  end

  describe("a client", function()
    -- OpenSSL finds an authority in a folder by the hash of its name.
    local function folder_of(authority)
      local pipe = assert(io.popen(([[
        exec env -u LD_PRELOAD sh -ec 'cd "$1"; folder=$(mktemp -d ./XXXXXX); cp "$2" $folder
          cp "$2" "$folder/$(openssl x509 -hash -noout -in "$2").0"; cd "$folder"; pwd' \
        sh '%s' '%s']]):format(certificates.folder, authority)))
      local folder = pipe:read "l"
      assert(pipe:close())
      return folder
    end

    -- Returns the environment of a process whose system has this authority.
    local function with_system_authority(authority)
      local system = folder_of(authority)
      assert(os.rename(system .. authority:match "/[^/]+$", system .. "/ca-certificates.crt"))
      return { LD_PRELOAD = PRELOAD, SYSTEM_CERTIFICATES = system }
    end

    local function is_trusted(options)
      local client <close> = new(options)
      return (assert(calls.vote(client))).success
    end

    it("trusts the authority of ca_file", function()
      assert.is_true(is_trusted { ca_file = certificates.ca })
    end)

    it("trusts the authority of CEKURA_CA_FILE unless ca_file is given", function()
      local output = script.run(([[
        local function vote(options)
          options.api_url, options.api_key, options.proxy = %q, "k", ""
          local client = assert(require "cekura".new(options))
          local value, err = client.runs:mark_metric_vote {
            run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
          print(value and value.success or err.kind)
        end
        vote {}
        vote { ca_file = %q }]]):format(server.url, certificates.folder .. "/other_ca"),
        { CEKURA_CA_FILE = certificates.ca })
      assert.equal("true\ntls\n", output)
    end)

    it("trusts the authorities in ca_path", function()
      assert.is_true(is_trusted { ca_path = folder_of(certificates.ca) })
    end)

    it("trusts the system's authorities unless it has ca_file or ca_path", function()
      local other = certificates.folder .. "/other_ca"
      local output = script.run(([[
        local function kind(options)
          options.api_url, options.api_key, options.proxy = %q, "k", ""
          local client = assert(require "cekura".new(options))
          local value, err = client.runs:mark_metric_vote {
            run_id = 1, metric_id = 2, thumbs_up = true, expected_value = 1 }
          print(value and "trusted" or err.kind)
        end
        kind {}
        kind { ca_file = %q }
        kind { ca_path = %q }
        kind { ca_path = "/etc/ssl/certs" }]]):format(server.url, other, folder_of(other)),
        with_system_authority(certificates.ca))
      assert.equal("trusted\ntls\ntls\ntrusted\n", output)
    end)

    it("reads the system's authorities once for all connections", function()
      local environment = with_system_authority(certificates.ca)
      local output = script.run(([[
        local client = assert(require "cekura".new { api_url = %q, api_key = "k", proxy = "" })
        for _ = 1, 10 do
          print(client.results:bulk_evaluate_metrics { result_ids = { 1 }, metric_ids = { 2 } })
        end]]):format(server.url), environment)
      assert.equal(10, select(2, output:gsub("table: [^\n]*\n", "")), output)
      assert.equal(10, server:connections())
      local file <close> = assert(io.open(environment.SYSTEM_CERTIFICATES .. "/opened"))
      assert.equal("!", file:read "a")
    end)

    it("resumes the TLS session in each connection after the first", function()
      local client <close> = new()
      for _ = 1, 10 do assert(calls.make(client, SPENDING)) end
      assert.same({ 10, 9 }, { server:connections(), server:resumed() })
    end)

    it("trusts a certificate for an address", function()
      local client <close> = new({}, "https://127.0.0.1:" .. server.port)
      assert.is_true(assert(calls.vote(client)).success)
    end)

    it("trusts no other authority", function()
      local other = certificates.folder .. "/other_ca"
      for _, options in ipairs {
        { ca_file = other }, { ca_path = folder_of(other), ca_file = other },
        { ca_file = other, ca_path = certificates.folder .. "/none" },
      } do
        server:clear()
        local client <close> = new(options)
        never_sent({ attempts = 1 }, server, calls.vote(client))
      end
    end)

    it("trusts no server if ca_file does not exist, or contains no certificate", function()
      for _, path in ipairs { certificates.folder .. "/none", certificates.folder .. "/key" } do
        local client <close> = new { ca_file = path }
        local _, err = calls.make(client, SPENDING)
        assert.same({ "tls", "no", 1 }, { err.kind, err.applied, err.attempts })
        assert.matches("^the trusted certificates cannot be read: .*" .. path:gsub("%p", "%%%0")
          .. ".* %(check ca_file or CEKURA_CA_FILE%)$", err.message)
        assert.equal(0, server:deliveries())
      end
    end)
  end)

  describe("a write to a closed connection", function()
    -- As a shell starts it: the process that runs the specs may ignore SIGPIPE, which is inherited.
    local DEFAULT = "import os, signal, sys; signal.signal(signal.SIGPIPE, signal.SIG_DFL); "
      .. "os.execvp(sys.argv[1], sys.argv[1:])"

    local function run(text)
      local words = { "python3", "-c", DEFAULT }
      for word in (os.getenv "CEKURA_RUN" or ""):gmatch "%S+" do words[#words + 1] = word end
      words[#words + 1] = child.lua
      words[#words + 1] = "-e"
      words[#words + 1] = ([[
        local client = assert(require "cekura".new {
          api_url = %q, api_key = "k", ca_file = %q, proxy = "", max_attempts = 2, timeout = %d,
          backoff = { base = 0.001, cap = 0.001 },
        })
        local function vote(size)
          return client.runs:mark_metric_vote({ run_id = 1, metric_id = 2, thumbs_up = true,
            expected_value = 1, feedback = ("x"):rep(size) })
        end
      ]]):format(server.url, certificates.ca, LIMIT) .. text .. ' io.write "alive"'
      return child.run(words)
    end

    it("raises SIGPIPE, which kills a process by default", function()
      assert.is_not.equal("alive", (run [[
        local pipe = io.popen("exit", "w")
        pipe:setvbuf "no"
        while true do if not pipe:write "x" then break end end
      ]]))
    end)

    for _, row in ipairs {
      { "is reset", { { "read_body", 65536 }, { "reset" } } },
      { "is closed", { { "read_body", 65536 }, { "close" } } },
      { "is cut off", { { "read_body", 65536 }, { "tls_cut" } } },
      { "gets an early response, and is reset", { { "read_body", 65536 },
        { "answer", 413, {}, "{}" }, { "reset" } } },
    } do
      it("that " .. row[1] .. " while a large body goes out does not kill the process", function()
        local entries = {}
        for i = 1, 20 do entries[i] = row[2] end
        server:script(entries)
        assert.same({ "alive", 0 }, { run "for _ = 1, 10 do vote(4 << 20) end" })
        assert.is_true(server:deliveries() >= 10)
      end)
    end

    for _, how in ipairs { "fin", "reset", "close" } do
      it("that ended after a response (" .. how .. ") does not kill the process", function()
        local entries = {}
        for i = 1, 12 do entries[i] = faults.ok_then_dead(how) end
        server:script(entries)
        assert.same({ "alive", 0 },
          { run "for _ = 1, 5 do vote(10); vote(1 << 20) end vote(1); client:close()" })
      end)
    end
  end)

  it("calls of all kinds to a name that cannot be resolved fail alike", function()
    local client <close> = new({ max_attempts = 1 }, "https://name.invalid")
    for _, endpoint in ipairs { "results.get", VOTE, SPENDING, "results.get" } do
      local _, err = calls.make(client, endpoint)
      assert.matches("^the name of the server cannot be resolved: .*name%.invalid", err.message)
    end
  end)

  it("a call to a name that cannot be resolved is retried, and nothing is sent", function()
    for _, endpoint in ipairs { VOTE, SPENDING } do
      local client <close> = new({ max_attempts = 3 }, "https://name.invalid")
      local value, err = calls.make(client, endpoint)
      assert.is_nil(value)
      assert.same({ "network", "no", 3 }, { err.kind, err.applied, err.attempts })
      assert.matches("^the name of the server cannot be resolved: .*name%.invalid", err.message)
    end
  end)
end)
