# The checks: sanitizers, valgrind, fuzzing, static analysis, measurements. `make help` lists them,
# and .ci/run runs them. Each target installs what is missing, builds, and runs.

.PHONY: lint format generate asan aggressive tsan memcheck valgrind coverage fuzz soak soak-asan mutants \
        flat alloc bench conformance schemas drift rocks matrix with-cjson hosts

# ---- what the specs build

spec_programs = $(patsubst %,$(BUILD)/%,alloc host linked session) \
                $(patsubst %,$(BUILD)/%.so,decisions fork signals warnings $(preloaded)) \
                $(BUILD)/clamping/cjson.so

# The pure decisions of the core, as a Lua module.
$(BUILD)/decisions.so: $(BUILD)/obj/spec/c/decisions.o $(call object,$(filter-out src/lua/%,$(core_c)))
	$(CC) $(CFLAGS) $(LDFLAGS) $(shared) -pthread -o $@ $^ $(curl_libs)

# A host that makes allocations of the module and of libcurl fail, with the linker's --wrap.
comma   := ,
wrapped := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup strndup free)
$(BUILD)/alloc: $(BUILD)/obj/spec/c/alloc.o $(BUILD)/libcekura.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -rdynamic $(wrapped) -o $@ $^ $(lua_libs) $(curl_libs)

# libcurl alone, when its allocations fail.
$(BUILD)/session: $(BUILD)/obj/spec/c/session.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(curl_libs)

# Lua modules for scripts that fork, handle signals, or receive warnings.
$(BUILD)/fork.so $(BUILD)/signals.so $(BUILD)/warnings.so: $(BUILD)/%.so: $(BUILD)/obj/spec/c/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) $(shared) -o $@ $^

# A stand-in for newer versions of lua-cjson: `make test CJSON=build/clamping/cjson.so`.
$(BUILD)/clamping/cjson.so: $(BUILD)/obj/spec/c/clamping_cjson.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(shared) -o $@ $^

# Links the lua-cjson of CJSON into the folder in which every Lua of the specs looks first.
with-cjson: $(spec_programs)
	@[ -f "$(CJSON)" ] || { echo 'CJSON=: not a file: "$(CJSON)"' >&2; exit 1; }
	@mkdir -p $(BUILD)/with_cjson
	@ln -sfn "$(abspath $(CJSON))" $(BUILD)/with_cjson/cjson.so
	@$(RUN) $(LUA) -e 'require "cjson".new()' || { echo 'CJSON=: not lua-cjson: "$(CJSON)"' >&2; exit 1; }

# Preloaded libraries: a resolver that hangs for some names, a slow disk, a Ctrl-C at a chosen moment,
# a poller that refuses a socket, other authorities of the system, and counts of system calls. Programs
# without Lua must load them, so that Lua's functions are looked up when they are called.
preloaded = slow_dns fast_clock slow_sync late_signal full_poller system_certificates system_calls
$(patsubst %,$(BUILD)/%.so,$(preloaded)): $(BUILD)/%.so: spec/c/%.c
	@mkdir -p $(@D)
	$(CC) $(flags) -fplt $(lua_cflags) $(shared) -o $@ $< -ldl

# A host with one Lua state in each of its threads.
$(BUILD)/host: $(BUILD)/obj/spec/c/host.o
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -rdynamic -o $@ $^ $(lua_libs)

# A host with the client and the sandbox linked in.
$(BUILD)/linked: $(BUILD)/obj/spec/c/linked.o $(call object,$(sandbox_c)) $(BUILD)/libcekura.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -rdynamic -o $@ $^ $(lua_libs) $(curl_libs) $(mhd_libs)

-include $(wildcard $(BUILD)/obj/spec/*/*.d)

# ---- static analysis and generated files

lint: needs-build-sandbox-lint  ## direction of calls, generated files, luacheck, cppcheck, clang-tidy, analyzers, formats
	$(submake) --quiet all
	@BUILD=$(BUILD) tools/lint.sh

format: needs-lint  ## format the C sources
	clang-format -i $$(find src include examples spec -name '*.[ch]')

generate: core  ## write lua/cekura/types.lua and docs/reference.md from the contract
	$(LUA) tools/generate.lua

# ---- the specs under an instrument

# The C code that these folders call has specs of its own.
no_instrument = $(patsubst %,spec/%/,review examples docs tools conformance)
asan coverage valgrind: SPEC = $(filter-out $(no_instrument),$(sort $(dir $(wildcard spec/*/*_spec.lua))))
# These two folders reach most of the C code in little time.
aggressive memcheck: SPEC = spec/api spec/tasks

# -z nodelete keeps the symbols of leaks: lua_close would unload the module before the report.
asan_test = $(submake) test BUILD=$(BUILD)/asan RUN=tools/asan.sh CC=gcc LDFLAGS=-Wl,-z,nodelete \
            CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover"

asan:  ## the specs of the client and the sandbox, under ASan, UBSan and LSan
	$(asan_test) SPEC="$(SPEC)"

aggressive:  ## spec/api and spec/tasks under ASan with an aggressive collector
	$(asan_test) SPEC="$(SPEC)" CEKURA_GC=aggressive

memcheck: needs-valgrind  ## spec/api and spec/tasks under valgrind with a frequent collector
	$(submake) test SPEC="$(SPEC)" RUN=tools/valgrind.sh CEKURA_GC=frequent

valgrind: needs-valgrind  ## the same specs as `make asan`, under valgrind: half an hour
	$(submake) test SPEC="$(SPEC)" RUN=tools/valgrind.sh

tsan: needs-build-sandbox-test  ## eight threads with a Lua state each, under ThreadSanitizer
	$(submake) --quiet core $(BUILD)/tsan/host BUILD=$(BUILD)/tsan CC=gcc CFLAGS="-O1 -g -fsanitize=thread"
	$(submake) test SPEC=spec/process/threads_spec.lua HOST=$(BUILD)/tsan/host HOST_CPATH="$(BUILD)/tsan/?.so;;"

# -O0: a branch of the report is then a branch of the source. The counters are atomic because there
# are threads. With RUN=env the specs have longer limits, as under valgrind.
coverage: needs-build-sandbox-review-test-coverage  ## lines and branches of the client that the specs reach
	@mkdir -p $(BUILD)/coverage && find $(BUILD)/coverage -name '*.gcda' -delete
	$(submake) test SPEC="$(SPEC)" BUILD=$(BUILD)/coverage RUN=env CC=gcc LDFLAGS=--coverage \
	  CFLAGS="-O0 -g -fno-inline --coverage -fprofile-update=atomic"
	@gcovr --filter src/ --exclude src/sandbox/ --print-summary \
	  --html-details $(BUILD)/coverage/index.html --fail-under-line 95 --fail-under-branch 85 $(BUILD)/coverage

# ---- long runs

fuzz_shared  := fuzz value
fuzz_targets := $(filter-out $(fuzz_shared),$(patsubst spec/fuzz/%.c,%,$(wildcard spec/fuzz/*.c)))

fuzz: TARGET := $(fuzz_targets)
fuzz: needs-build-fuzz  ## libFuzzer on every reader and writer: SECONDS=60 for each, TARGET="csv url"
	$(submake) --quiet BUILD=$(BUILD)/fuzz CC=clang $(patsubst %,$(BUILD)/fuzz/fuzzers/%,$(TARGET)) \
	  CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	  -fno-sanitize-recover=undefined"
	@tools/fuzz.sh $(BUILD)/fuzz $(or $(SECONDS),60) $(TARGET)

$(BUILD)/fuzzers/%: $(BUILD)/obj/spec/fuzz/%.o $(patsubst %,$(BUILD)/obj/spec/fuzz/%.o,$(fuzz_shared)) $(call object,$(core_c))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -pthread -rdynamic -o $@ $^ $(lua_libs) $(curl_libs)

.SECONDARY: $(patsubst %,$(BUILD)/obj/spec/fuzz/%.o,$(fuzz_targets))

soak soak-asan: export SOAK_SECONDS = $(or $(SECONDS),300)
soak: export CALLS := 5000
soak:  ## calls and random programs against a mixture of faults: CALLS=5000, SECONDS=300, SEED=number
	$(submake) test SPEC="$(patsubst %,spec/stress/%_spec.lua,soak spending combination)"

soak-asan:  ## the random programs of `make soak` under ASan: SECONDS=300, SEED=number
	$(asan_test) SPEC=spec/stress/combination_spec.lua

mutants: needs-build-sandbox-review-test  ## spend_limit holds for 10,000 calls, and faults in its code are detected
	@CALLS=10000 $(MAKE) --no-print-directory test SPEC=spec/stress/spending_spec.lua
	@$(LUA) tools/mutants.lua $(BUILD)

flat: export CALLS := 100000
flat: export CLIENTS := 10000
flat:  ## memory and descriptors stay flat over CALLS=100000 and CLIENTS=10000
	$(submake) test SPEC=spec/stress/flat_spec.lua

alloc: export ALLOC_EVERY := 1
alloc:  ## every allocation fails once, with figures
	$(submake) test SPEC=spec/stress/alloc_spec.lua

# ---- measurements, the API's schemas, LuaRocks

bench_programs = $(patsubst spec/bench/%.c,$(BUILD)/bench/%,$(wildcard spec/bench/*.c))
undici         = $(BUILD)/bench/node_modules/.package-lock.json

# A row with 4,096 connections needs more descriptors than the usual limit of 1,024.
bench: needs-build-sandbox-valgrind-bench  ## the cost of a call on nginx, against C and other clients: ROWS="paid each", QUICK=yes
	$(submake) --quiet all $(bench_programs) $(BUILD)/slow_sync.so $(undici)
	@ulimit -n "$$(ulimit -Hn)"; ROWS="$(ROWS)" QUICK="$(QUICK)" NODE_PATH=$(dir $(undici)) no_proxy=127.0.0.1 \
	  $(LUA) spec/bench/bench.lua

$(BUILD)/bench/%: $(BUILD)/obj/spec/bench/%.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(curl_libs)

$(undici): spec/bench/rivals/package.json spec/bench/rivals/package-lock.json
	@mkdir -p $(BUILD)/bench
	cp $^ $(BUILD)/bench
	cd $(BUILD)/bench && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

node_path = $(BUILD)/conformance/node_modules
prism     = $(node_path)/.bin/prism

conformance: needs-build-sandbox-test-conformance  ## the client and the sandbox against Prism, with the API's documents
	$(submake) --quiet all $(prism)
	PRISM=$(prism) NODE_PATH=$(node_path) $(LUA) tools/busted.lua spec/conformance/conformance_spec.lua

schemas: needs-conformance  ## copy those documents into spec/conformance/, from CONTRACT=folder
	@[ -d "$(CONTRACT)" ] || { echo 'CONTRACT=: not a folder: "$(CONTRACT)"' >&2; exit 1; }
	$(submake) --quiet $(prism)
	NODE_PATH=$(node_path) node tools/conformance/schemas.js "$(CONTRACT)" spec/conformance

# make itself ends with 2 if the program ends with 1 or 2. Only YAML needs Node.js.
is_yaml = $(filter %.yaml %.yml,$(SPEC))
drift: SPEC =
drift: needs-build$(if $(is_yaml),-conformance)  ## what a newer API document changes: SPEC=openapi.json
	$(submake) --quiet core $(if $(is_yaml),$(prism))
	@NODE_PATH=$(node_path) $(LUA) tools/drift.lua "$(SPEC)"

$(prism): tools/conformance/package.json tools/conformance/package-lock.json
	mkdir -p $(BUILD)/conformance
	cp $^ $(BUILD)/conformance
	cd $(BUILD)/conformance && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

rocks: needs-build-sandbox-review-rocks  ## install the three rocks with LuaRocks into a temporary tree and use them
	@tools/rocks.sh

MATRIX := bookworm,trixie,sid

matrix: needs-matrix  ## `make demo` and `make test` in bare systems: MATRIX=bookworm,trixie,sid; needs root
	@SPEC="$(SPEC)" tools/matrix.sh $(subst $(comma), ,$(MATRIX))

hosts: needs-matrix  ## lighttpd, Apache, HAProxy, Kamailio and other hosts, on Debian 13 and sid; needs root
	@tools/hosts.sh
