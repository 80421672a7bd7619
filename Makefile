# GNU make: builds, tests and installs cekura for Lua. `make help` lists the targets; the checks
# that CI runs are in tools/checks.mk.

SHELL   := bash
BUILD   := build
PREFIX  := /usr/local
POLLER  :=
SPEC    := spec
RUN     :=
PORT    := 8080
CJSON   :=
CFLAGS  := -O2 -g
LDFLAGS :=

# Lua 5.4, unless only Lua 5.5 is installed.
ifndef LUA_VERSION
  LUA_VERSION := $(if $(shell command -v lua5.4 lua54),5.4,$(if $(shell command -v lua5.5 lua55),5.5,5.4))
endif
# Container images with Lua set this variable to a release, such as 5.4.7.
ifneq ($(filter 5.4.% 5.5.%,$(LUA_VERSION)),)
  override LUA_VERSION := $(basename $(LUA_VERSION))
endif
ifeq ($(filter 5.4 5.5,$(LUA_VERSION)),)
  $(error LUA_VERSION must be 5.4 or 5.5, not "$(LUA_VERSION)")
endif

# POLLER=kqueue builds the poller of macOS and the BSDs, on Linux with a replacement for kqueue,
# and selects the specs that depend on it.
ifeq ($(POLLER),kqueue)
  BUILD         := $(BUILD)/kqueue
  SPEC          := spec/retry spec/tasks spec/process
  poller_c      := spec/c/kqueue/kqueue.c
  poller_cflags := -DCK_KQUEUE -Ispec/c/kqueue
endif

# The recipes and the child processes of the specs see these variables.
export CEKURA_BUILD := $(BUILD)
export CEKURA_RUN   := $(RUN)
export CEKURA_GC
export LUA_VERSION
export LUA_PATH     := lua/?.lua;lua/?/init.lua;spec/?.lua;;
export LUA_CPATH    := $(if $(CJSON),$(BUILD)/with_cjson/?.so;)$(BUILD)/?.so;;

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
            -Wundef -Wformat=2 -Wvla -Werror
flags    := -std=c11 -D_GNU_SOURCE -fPIC -fno-plt -fvisibility=hidden -pthread -Isrc -Iinclude $(warnings)
shared   := -shared
ifeq ($(shell uname),Darwin)
  shared := -bundle -undefined dynamic_lookup
endif

# Programs and libraries are looked up when a recipe needs them (`=` instead of `:=`): on a bare
# machine `make demo` installs them first, in the same run.
LUA         = $(firstword $(shell command -v lua$(LUA_VERSION) lua$(subst .,,$(LUA_VERSION)) lua))
lua_pc      = $(shell for p in lua$(LUA_VERSION) lua-$(LUA_VERSION) lua$(subst .,,$(LUA_VERSION)) lua; do \
                pkg-config --exists "$$p >= $(LUA_VERSION) $$p < $(LUA_VERSION).99" && echo $$p && break; done)
lua_cflags  = $(shell pkg-config --cflags $(lua_pc))
lua_libs    = $(shell pkg-config --libs $(lua_pc))
curl_cflags = $(shell pkg-config --cflags libcurl 2>/dev/null || curl-config --cflags)
curl_libs   = $(shell pkg-config --libs libcurl 2>/dev/null || curl-config --libs)
mhd_cflags  = $(shell pkg-config --cflags libmicrohttpd)
mhd_libs    = $(shell pkg-config --libs libmicrohttpd)

sandbox_c := $(wildcard src/sandbox/*.c)
core_c    := $(filter-out $(sandbox_c),$(sort $(shell find src -name '*.c'))) $(poller_c)
object     = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

.PHONY: all core static embed deps demo sandbox test install install-core install-review \
        install-program install-sandbox uninstall rock-core rock-sandbox clean help
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

all: core $(BUILD)/cekura/sandbox/server.so  ## build the client and the sandbox into build/
core: $(BUILD)/cekura/core.so                ## build the client alone; needs no libmicrohttpd
static: $(BUILD)/libcekura.a                 ## build libcekura.a, for a C host that links the client
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

$(BUILD)/embed: $(BUILD)/obj/examples/embed/host.o $(BUILD)/libcekura.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -rdynamic -o $@ $^ $(lua_libs) $(curl_libs)

# Each folder is compiled with the libraries of its layer only.
$(BUILD)/obj/src/policy/%.o:  includes = $(curl_cflags)
$(BUILD)/obj/src/http/%.o:    includes = $(curl_cflags) $(poller_cflags)
$(BUILD)/obj/src/lua/%.o:     includes = $(lua_cflags)
$(BUILD)/obj/src/sandbox/%.o: includes = $(lua_cflags) $(mhd_cflags)
$(BUILD)/obj/examples/%.o:    includes = $(lua_cflags)
$(BUILD)/obj/spec/%.o:        includes = $(curl_cflags) $(lua_cflags)

# Everything is compiled again for another version of Lua.
$(BUILD)/lua-$(LUA_VERSION):
	rm -rf $(BUILD)/cekura $(BUILD)/lua-*
	@mkdir -p $(@D)
	touch $@

# The rockspecs set needed= to nothing, because LuaRocks looks for the libraries itself.
needed = check-$(1)

$(BUILD)/obj/%.o: %.c $(BUILD)/lua-$(LUA_VERSION) | $(call needed,build)
	@mkdir -p $(@D)
	$(CC) $(flags) $(includes) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(call object,$(sandbox_c)): | $(call needed,sandbox)

-include $(patsubst %.o,%.d,$(call object,$(core_c) $(sandbox_c) examples/embed/host.c))

# ---- running: each target installs what is missing, builds, and runs

# needs-build-test installs what is missing of two groups. It is a prerequisite, because make
# expands a whole recipe before it runs the first line.
needs-%:
	@tools/deps.sh $(subst -, ,$*)

check-%:
	@tools/deps.sh --check $*

submake = @$(MAKE) --no-print-directory

deps: needs-build-sandbox-review-test  ## install what building, testing and cekura-review need

demo: needs-build-sandbox-review  ## run the five endpoints against the sandbox: start here
	$(submake) --quiet all
	@$(LUA) bin/cekura-review demo

sandbox: needs-build-sandbox-review  ## run the sandbox in the foreground: PORT=8080
	$(submake) --quiet all
	@$(LUA) bin/cekura-review sandbox --port "$(PORT)"

test: needs-build-sandbox-review-test  ## run the specs, or some: SPEC="spec/retry spec/api/json_spec.lua"
	$(submake) --quiet all embed $(spec_programs) $(if $(CJSON),with-cjson)
	$(RUN) $(LUA) tools/busted.lua $(SPEC)

# ---- installing

# Each path may contain spaces and quotes. `home` is PREFIX as an absolute path.
home        = $(if $(filter /%,$(firstword $(PREFIX))),,$(CURDIR)/)$(PREFIX)
root        = $(DESTDIR)$(PREFIX)
lib         = $(root)/lib/lua/$(LUA_VERSION)
share       = $(root)/share/lua/$(LUA_VERSION)
quoted      = '$(subst ','\'',$(1))'
core_lua    = $(shell find lua/cekura -type d -not -path 'lua/cekura/sandbox*' -not -path 'lua/cekura/review*')
review_lua  = $(shell find lua/cekura/review -type d)
sandbox_lua = $(shell find lua/cekura/sandbox -type d)
install_lua = for folder in $(1); do install -d $(call quoted,$(share))/"$${folder:4}" && \
              install -m 644 $$folder/*.lua $(call quoted,$(share))/"$${folder:4}" || exit 1; done
version     = $(shell sed -n 's/.*CK_VERSION "\(.*\)"/\1/p' src/lua/version.h)
home_path   = $(home)/share/lua/$(LUA_VERSION)/?.lua;$(home)/share/lua/$(LUA_VERSION)/?/init.lua;
home_cpath  = $(home)/lib/lua/$(LUA_VERSION)/?.so;

# No Requires of libcurl: --static would demand the static libraries of libcurl too.
define pkg_config_file
$(call quoted,prefix=$(subst ",\",$(home))) 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
'Name: cekura' 'Description: Client for the API of Cekura, as a Lua module for hosts' \
'URL: https://github.com/cekura-ai/cekura-lua' 'Version: $(version)' 'Requires: $(lua_pc)' \
'Cflags: -I"$${includedir}"' 'Libs: -L"$${libdir}" -lcekura $(curl_libs) -pthread'
endef

# The first lines of the installed program name the interpreter and the folders of the modules.
define program
'#!/usr/bin/env $(notdir $(LUA))' \
$(call quoted,package.path = [==[$(home_path)]==] .. package.path) \
$(call quoted,package.cpath = [==[$(home_cpath)]==] .. package.cpath)
endef

install: install-core install-review install-program static  ## install into PREFIX=/usr/local, after DESTDIR; the sandbox too if it is built
	install -d $(call quoted,$(root)/include) $(call quoted,$(root)/lib/pkgconfig)
	install -m 644 include/cekura.h $(call quoted,$(root)/include)
	install -m 644 $(BUILD)/libcekura.a $(call quoted,$(root)/lib)
	@printf '%s\n' $(pkg_config_file) >$(call quoted,$(root)/lib/pkgconfig/cekura.pc)
	@[ ! -e $(BUILD)/cekura/sandbox/server.so ] || $(MAKE) --no-print-directory install-sandbox
	@printf '%s\n' '' 'The program: '$(call quoted,$(home)/bin/cekura-review) '' \
	  'For programs that use the modules:' '' \
	  $(call quoted,export LUA_PATH=$(call quoted,$(home_path);)) \
	  $(call quoted,export LUA_CPATH=$(call quoted,$(home_cpath);))

install-core: core
	install -d $(call quoted,$(lib)/cekura)
	install -m 755 $(BUILD)/cekura/core.so $(call quoted,$(lib)/cekura)
	$(call install_lua,$(core_lua))

install-review:
	$(call install_lua,$(review_lua))

install-program:
	install -d $(call quoted,$(root)/bin)
	@{ printf '%s\n' $(program); sed 1d bin/cekura-review; } >$(call quoted,$(root)/bin/cekura-review)
	chmod 755 $(call quoted,$(root)/bin/cekura-review)

install-sandbox: $(BUILD)/cekura/sandbox/server.so
	install -d $(call quoted,$(lib)/cekura/sandbox)
	install -m 755 $< $(call quoted,$(lib)/cekura/sandbox)
	$(call install_lua,$(sandbox_lua))

uninstall:  ## remove what install wrote
	rm -rf $(call quoted,$(lib)/cekura) $(call quoted,$(share)/cekura)
	rm -f $(call quoted,$(root)/bin/cekura-review) $(call quoted,$(root)/include/cekura.h) \
	  $(call quoted,$(root)/lib/libcekura.a) $(call quoted,$(root)/lib/pkgconfig/cekura.pc)

# LuaRocks makes these and the install targets, with the variables of the rockspecs. It compiles
# everything: the objects of another run may be for another Lua, or have other flags.
rock-core:
	rm -rf $(BUILD)
	$(submake) core

rock-sandbox:
	rm -rf $(BUILD)
	$(submake) $(BUILD)/cekura/sandbox/server.so

clean:  ## remove build/
	rm -rf $(BUILD)

help:  ## show this list
	@for file in Makefile tools/checks.mk; do \
	  sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $$file | while IFS='|' read -r target text; do \
	    printf '  make %-12s %s\n' "$$target" "$$text"; \
	  done; \
	  [ $$file != Makefile ] || printf '\nThe checks:\n'; \
	done

include tools/checks.mk
