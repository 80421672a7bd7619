# GNU make; `make help` lists the targets.
#
# Tools and libraries are looked up when a recipe needs them (`=`, not `:=`), because
# on a bare machine `make demo` installs them first, in the same run.

SHELL   := bash
BUILD   := build
PREFIX  := /usr/local
POLLER  :=
SPEC    := spec
RUN     :=
PORT    := 8080
CONTRACT := spec/conformance
CFLAGS  := -O2 -g
LDFLAGS :=
LUA      = $(firstword $(shell command -v lua5.4 lua54 lua))

# POLLER=kqueue: the poller of macOS and the BSDs, on a stand-in for kqueue, and the specs that depend
# on it.
ifeq ($(POLLER),kqueue)
  BUILD         := $(BUILD)/kqueue
  SPEC          := spec/retry spec/tasks spec/process
  poller_c      := spec/c/kqueue/kqueue.c
  poller_cflags := -DCK_KQUEUE -Ispec/c/kqueue
endif

# Recipes run from here on with these; a spec's child processes see them too.
export CEKURA_BUILD := $(BUILD)
export CEKURA_RUN   := $(RUN)
export CEKURA_GC
export LUA_PATH     := lua/?.lua;lua/?/init.lua;spec/?.lua;;
export LUA_CPATH    := $(BUILD)/?.so;;

comma    := ,
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
            -Wundef -Wformat=2 -Wvla -Werror
flags    := -std=c11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread -Isrc $(warnings)
shared   := -shared
ifeq ($(shell uname),Darwin)
  shared := -bundle -undefined dynamic_lookup
endif

lua_cflags  = $(shell for p in lua5.4 lua-5.4 lua54 lua; do pkg-config --cflags $$p 2>/dev/null && break; done)
lua_libs    = $(shell for p in lua5.4 lua-5.4 lua54 lua; do pkg-config --libs $$p 2>/dev/null && break; done)
curl_cflags = $(shell pkg-config --cflags libcurl 2>/dev/null || curl-config --cflags)
curl_libs   = $(shell pkg-config --libs libcurl 2>/dev/null || curl-config --libs)
mhd_cflags  = $(shell pkg-config --cflags libmicrohttpd)
mhd_libs    = $(shell pkg-config --libs libmicrohttpd)

core_c    := $(wildcard src/core/*.c src/lua/*.c) $(poller_c)
sandbox_c := $(wildcard src/sandbox/*.c)
embed_c   := $(wildcard examples/embed/*.c)
bench_c   := $(wildcard spec/bench/*.c)
object     = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
objects   := $(call object,$(core_c) $(sandbox_c) $(embed_c) $(bench_c) \
             $(wildcard spec/fuzz/*.c) $(patsubst %,spec/c/%.c,alloc decisions fork host session signals))

.PHONY: all core deps demo sandbox test soak soak-asan flat alloc lint format asan aggressive tsan memcheck valgrind \
        coverage fuzz bench \
        conformance schemas rocks static embed generate install uninstall clean help
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

all: core $(BUILD)/cekura/sandbox/server.so  ## build the client and the sandbox into build/
core: $(BUILD)/cekura/core.so                ## build only the client (needs no libmicrohttpd)
static: $(BUILD)/libcekura.a                 ## build libcekura.a, for a host that links the client in
embed: $(BUILD)/embed                        ## build the example of such a host, examples/embed/

# ---- building

$(BUILD)/cekura/core.so: $(call object,$(core_c))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(shared) -pthread -o $@ $^ $(curl_libs)

$(BUILD)/cekura/sandbox/server.so: $(call object,$(sandbox_c))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(shared) -pthread -o $@ $^ $(mhd_libs)

$(BUILD)/libcekura.a: $(call object,$(core_c))
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/embed: $(call object,$(embed_c) $(sandbox_c)) $(BUILD)/libcekura.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -rdynamic -o $@ $^ $(lua_libs) $(curl_libs) $(mhd_libs)

$(BUILD)/bench/%: $(BUILD)/obj/spec/bench/%.o
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(curl_libs)

# The core's pure decisions as a module that the specs can call.
$(BUILD)/decisions.so: $(BUILD)/obj/spec/c/decisions.o $(call object,$(wildcard src/core/*.c) $(poller_c))
	$(CC) $(CFLAGS) $(LDFLAGS) $(shared) -pthread -o $@ $^ $(curl_libs)

# A host whose allocations, libcurl's and the module's fail. (GNU ld's --wrap, lld's.)
wrapped := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc strdup strndup free)
$(BUILD)/alloc: $(BUILD)/obj/spec/c/alloc.o $(BUILD)/libcekura.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -rdynamic $(wrapped) -o $@ $^ $(lua_libs) $(curl_libs)

# libcurl by itself, when its allocations fail.
$(BUILD)/session: $(BUILD)/obj/spec/c/session.o
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(curl_libs)

# What a script does that forks, or handles signals.
$(BUILD)/fork.so $(BUILD)/signals.so: $(BUILD)/%.so: $(BUILD)/obj/spec/c/%.o
	$(CC) $(CFLAGS) $(LDFLAGS) $(shared) -o $@ $^

# Preloaded: one makes some names hang the resolver, the other has Ctrl-C come at a bad moment.
$(BUILD)/slow_dns.so $(BUILD)/late_signal.so: $(BUILD)/%.so: spec/c/%.c
	@mkdir -p $(@D)
	$(CC) $(flags) $(shared) -o $@ $< -ldl

# States in threads.
$(BUILD)/host: $(BUILD)/obj/spec/c/host.o
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -rdynamic -o $@ $^ $(lua_libs)

fuzz_shared  := fuzz value
fuzz_targets := $(filter-out $(fuzz_shared),$(patsubst spec/fuzz/%.c,%,$(wildcard spec/fuzz/*.c)))
$(BUILD)/fuzzers/%: $(BUILD)/obj/spec/fuzz/%.o $(patsubst %,$(BUILD)/obj/spec/fuzz/%.o,$(fuzz_shared)) $(call object,$(core_c))
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -pthread -rdynamic -o $@ $^ $(lua_libs) $(curl_libs)

.SECONDARY: $(patsubst %,$(BUILD)/obj/spec/fuzz/%.o,$(fuzz_targets))

# Each folder is compiled with the libraries of its layer only.
$(BUILD)/obj/src/core/%.o:    includes = $(curl_cflags) $(poller_cflags)
$(BUILD)/obj/src/lua/%.o:     includes = $(lua_cflags)
$(BUILD)/obj/src/sandbox/%.o: includes = $(lua_cflags) $(mhd_cflags)
$(BUILD)/obj/examples/%.o:    includes = $(lua_cflags)
$(BUILD)/obj/spec/%.o:        includes = $(curl_cflags) $(lua_cflags)

$(BUILD)/obj/%.o: %.c | check-build
	@mkdir -p $(@D)
	$(CC) $(flags) $(includes) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(call object,$(sandbox_c)): | check-sandbox

-include $(objects:.o=.d)

generate: core  ## write lua/cekura/types.lua and docs/reference.md from the contract
	$(LUA) tools/generate.lua

# ---- running: each target installs what it needs, builds, and runs

# needs-build-test: installs what is missing of these two groups. A prerequisite and not a
# line of the recipe, because make expands a whole recipe before it runs the first line.
needs-%:
	@tools/deps.sh $(subst -, ,$*)

check-%:
	@tools/deps.sh --check $*

submake = @$(MAKE) --no-print-directory

deps: needs-build-sandbox-examples-test  ## install what building, testing and the examples need

demo: needs-build-sandbox-examples  ## the five endpoints against the sandbox: start here
	$(submake) --quiet all
	@$(LUA) examples/quickstart.lua

sandbox: needs-build-sandbox-examples  ## run the sandbox in the foreground (PORT=8080)
	$(submake) --quiet all
	@$(LUA) tools/sandbox.lua "$(PORT)"

test: needs-build-sandbox-examples-test  ## the specs, or one of them: SPEC=spec/x_spec.lua (POLLER=kqueue: as on macOS)
	$(submake) --quiet all embed $(patsubst %,$(BUILD)/%,alloc host session) \
	  $(patsubst %,$(BUILD)/%.so,decisions fork signals slow_dns late_signal)
	$(RUN) $(LUA) tools/busted.lua $(SPEC)

soak soak-asan: export SOAK_SECONDS = $(or $(SECONDS),300)
soak: export CALLS := 5000
soak:  ## calls and random programs against a mixture of faults: CALLS=5000, SECONDS=300, SEED=number
	$(submake) test SPEC="spec/stress/soak_spec.lua spec/stress/combination_spec.lua"

flat: export CALLS := 100000
flat: export CLIENTS := 10000
flat:  ## memory and descriptors over CALLS=100000, in turn and at once, and CLIENTS=10000
	$(submake) test SPEC=spec/stress/flat_spec.lua

alloc: export ALLOC_EVERY := 1
alloc:  ## memory that runs out: every allocation in turn, with figures
	$(submake) test SPEC=spec/stress/alloc_spec.lua

# -z nodelete: a module that lua_close unloads takes along the symbols of its leaks.
asan_test = $(submake) test BUILD=$(BUILD)/asan RUN=tools/asan.sh CC=gcc LDFLAGS=-Wl,-z,nodelete \
            CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover"
asan:  ## all specs but the examples' under ASan, UBSan and LSan, then some of them with an aggressive collector
	$(asan_test) SPEC="$(most)"
	$(asan_test) CEKURA_GC=aggressive SPEC="$(some)"

soak-asan:  ## the random programs of `make soak` under ASan: SECONDS=300, SEED=number
	$(asan_test) SPEC=spec/stress/combination_spec.lua

aggressive:  ## most of the specs under ASan with an aggressive collector: ten minutes
	$(asan_test) CEKURA_GC=aggressive SPEC="$(most)"

# Nothing is suppressed: neither libcurl nor OpenSSL nor glibc gives it cause to complain.
tsan: needs-build-sandbox-test  ## eight threads with a Lua state each, under ThreadSanitizer
	$(submake) --quiet core $(BUILD)/tsan/host BUILD=$(BUILD)/tsan CC=gcc CFLAGS="-O1 -g -fsanitize=thread"
	$(submake) test SPEC=spec/process/threads_spec.lua HOST=$(BUILD)/tsan/host HOST_CPATH="$(BUILD)/tsan/?.so;;"

# Where a run is slow, folders are left out. The examples are Lua, and the C that they call has specs
# of its own. Under memcheck, and with an aggressive collector, CI runs the folders that go through
# most of the C in little time.
folders = $(sort $(dir $(wildcard spec/*/*_spec.lua)))
most    = $(if $(filter spec,$(SPEC)),$(filter-out spec/examples/,$(folders)),$(SPEC))
some    = $(if $(filter spec,$(SPEC)),spec/api spec/tasks,$(SPEC))
memchecked = $(submake) test RUN=tools/valgrind.sh

memcheck: needs-valgrind  ## some of the specs under memcheck, with a frequent collector
	$(memchecked) CEKURA_GC=frequent SPEC="$(some)"

valgrind: memcheck  ## the same, then all but the examples' with the usual collector: half an hour
	$(memchecked) SPEC="$(most)"

# Without the optimizer a branch of the report is a branch of the source. The counters are atomic,
# because there are threads. RUN=env only tells the specs that all takes longer, as under valgrind.
coverage: needs-build-sandbox-examples-test-coverage  ## lines and branches of the client that the specs reach
	@mkdir -p $(BUILD)/coverage && find $(BUILD)/coverage -name '*.gcda' -delete
	$(submake) test BUILD=$(BUILD)/coverage RUN=env CC=gcc LDFLAGS=--coverage SPEC="$(most)" \
	  CFLAGS="-O0 -g -fno-inline --coverage -fprofile-update=atomic"
	@gcovr --filter src/core/ --filter src/lua/ --print-summary --html-details $(BUILD)/coverage/index.html \
	  --fail-under-line 95 --fail-under-branch 85 $(BUILD)/coverage

fuzz: TARGET := $(fuzz_targets)
fuzz: needs-build-fuzz  ## libFuzzer on all that reads or writes: SECONDS=60 for each, TARGET="csv url"
	$(submake) --quiet BUILD=$(BUILD)/fuzz CC=clang $(patsubst %,$(BUILD)/fuzz/fuzzers/%,$(TARGET)) \
	  CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
	  -fno-sanitize-recover=undefined"
	@tools/fuzz.sh $(BUILD)/fuzz $(or $(SECONDS),60) $(TARGET)

bench: needs-build-sandbox-valgrind  ## what a call costs, against a plain C loop on libcurl
	$(submake) --quiet all $(patsubst spec/bench/%.c,$(BUILD)/bench/%,$(bench_c))
	@$(LUA) spec/bench/bench.lua

lint: needs-build-sandbox-lint  ## layers, generated files, luacheck, cppcheck, clang, clang-tidy, gcc's analyzer, formats
	$(submake) --quiet all
	@tools/lint.sh

format: needs-lint  ## put the C sources into the project's format
	clang-format -i $$(find src examples spec -name '*.[ch]')

prism = $(BUILD)/conformance/node_modules/.bin/prism
$(prism): tools/conformance/package.json tools/conformance/package-lock.json
	mkdir -p $(BUILD)/conformance
	cp $^ $(BUILD)/conformance
	cd $(BUILD)/conformance && npm ci --silent --ignore-scripts --no-audit --no-fund
	touch $@

conformance: needs-build-test-conformance  ## the client against Prism, by the API's schemas (CONTRACT=folder: by others)
	@[ -d "$(CONTRACT)" ] || { echo 'CONTRACT=: not a folder: "$(CONTRACT)"' >&2; exit 1; }
	$(submake) --quiet core $(prism)
	CONTRACT="$(CONTRACT)" PRISM=$(prism) $(LUA) tools/busted.lua spec/conformance/conformance_spec.lua

schemas: needs-conformance  ## write those schemas anew, from the API's documents in CONTRACT=folder
	$(submake) --quiet $(prism)
	NODE_PATH=$(dir $(prism)).. node tools/conformance/schemas.js "$(CONTRACT)" spec/conformance

rocks: needs-build-sandbox-rocks  ## install both rocks with LuaRocks into a temporary tree and use them
	@tools/rocks.sh

# ---- installing

lib   = $(DESTDIR)$(PREFIX)/lib/lua/5.4/cekura
share = $(DESTDIR)$(PREFIX)/share/lua/5.4/cekura
home  = $(abspath $(PREFIX))

install: core  ## into PREFIX=/usr/local (DESTDIR= is put before it); the sandbox too when built
	install -d $(lib)
	install -m 755 $(BUILD)/cekura/core.so $(lib)
	for folder in . each wait internal; do \
	  install -d $(share)/$$folder && \
	  install -m 644 lua/cekura/$$folder/*.lua $(share)/$$folder || exit 1; \
	done
	if [ -e $(BUILD)/cekura/sandbox/server.so ]; then \
	  install -d $(lib)/sandbox $(share)/sandbox && \
	  install -m 755 $(BUILD)/cekura/sandbox/server.so $(lib)/sandbox && \
	  install -m 644 lua/cekura/sandbox/*.lua $(share)/sandbox; \
	fi
	@printf '%s\n' '' 'For programs that use it:' '' \
	  'export LUA_PATH="$(home)/share/lua/5.4/?.lua;$(home)/share/lua/5.4/?/init.lua;;"' \
	  'export LUA_CPATH="$(home)/lib/lua/5.4/?.so;;"'

uninstall:  ## remove what install put there
	rm -rf $(lib) $(share)

clean:  ## remove build/
	rm -rf $(BUILD)

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r target text; do \
	  printf '  make %-12s %s\n' "$$target" "$$text"; done
