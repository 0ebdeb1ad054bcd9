# Builds, tests and installs Irmak. `make help` lists what it can do.
#
# Sources are found, not listed: every src/ROOM/*.c belongs to the server, every src/ROOM/*_test.c
# is a cmocka program of its own. A room's tests are linked with that room, what its tests share
# (src/ROOM/*_fixture.c) and the rooms that it may know (tests/tidy/layers.txt), and with nothing
# else, so a room that leans on a stranger does not link.
#
# One build directory for each FLAVOUR, below BUILD=build:
#   release  build/        -O3, link-time optimisation; its tests are built with -O2 without it
#   debug    build/debug/  no optimisation
#   asan     build/asan/   AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan     build/tsan/   ThreadSanitizer
#   coverage build/coverage/  gcc's counts of branches, without optimisation
#   fuzz     build/fuzz/   clang's libFuzzer with AddressSanitizer; msan: with MemorySanitizer
# The sanitizers must see every allocation, so their flavours take src/base/memory_libc.c where the
# others take src/base/memory_jemalloc.c.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SECONDEXPANSION:
MAKEFLAGS += --no-builtin-rules

BUILD     ?= build
FLAVOUR   ?= release
ROOM      ?= *
SEED      ?= 1
STATES    ?= 100000
PREFIX    ?= /usr/local
BINDIR    ?= $(PREFIX)/bin
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
UNITDIR   ?= $(PREFIX)/lib/systemd/system
JOBS      ?= $(shell nproc 2>/dev/null || echo 2)
ifeq ($(origin CC),default)
CC := gcc
endif

# --- flags ---------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wvla -Wundef -Wwrite-strings \
            -Wconversion -Wno-sign-conversion
LANGUAGE := -std=c11 -D_GNU_SOURCE -Isrc -pthread
ALWAYS   := -g -fno-omit-frame-pointer
HARDENED := -fstack-protector-strong -D_FORTIFY_SOURCE=2
IS_CLANG := $(findstring clang,$(CC))
LTO      := $(if $(IS_CLANG),-flto=thin,-flto=auto)

# What libFuzzer is told: the paths that were taken. Each comparison, too, made an execution a quarter
# slower; the formats are in the seeds. Small tables: a key space for each execution (base/hash.h).
FUZZED   := -fsanitize=fuzzer-no-link -fno-sanitize-coverage=trace-cmp -fno-sanitize-recover=all \
            -DIRMAK_SLOTS=128

ifeq ($(FLAVOUR),release)
DIR        := $(BUILD)
SERVER_OPT := -O3 $(HARDENED) $(LTO)
TEST_OPT   := -O2 $(HARDENED)
SERVER_OBJ := $(BUILD)/obj
TEST_OBJ   := $(BUILD)/test/obj
else ifeq ($(FLAVOUR),debug)
TEST_OPT   := -O0
else ifeq ($(FLAVOUR),asan)
TEST_OPT   := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(FLAVOUR),tsan)
TEST_OPT   := -O1 -fsanitize=thread
else ifeq ($(FLAVOUR),coverage)
TEST_OPT   := -O0 --coverage -fprofile-update=atomic
else ifeq ($(FLAVOUR),fuzz)
TEST_OPT    = -O2 $(FUZZED) -fsanitize=address,undefined
FUZZ_OPT   := -fsanitize=fuzzer
else ifeq ($(FLAVOUR),msan)
# Every byte that is read must have been written (XXH3 is compiled in, so it is seen too).
TEST_OPT    = -O2 $(FUZZED) -fsanitize=memory
FUZZ_OPT   := -fsanitize=fuzzer
else
$(error FLAVOUR is '$(FLAVOUR)', but must be release, debug, asan, tsan, coverage, fuzz or msan)
endif
DIR        ?= $(BUILD)/$(FLAVOUR)
TEST_OBJ   ?= $(DIR)/obj
SERVER_OBJ ?= $(TEST_OBJ)
SERVER_OPT ?= $(TEST_OPT)

SANITIZED  := $(filter asan tsan fuzz msan,$(FLAVOUR))
# gcc sees uninitialised variables in the code that the sanitizers add; the other flavours look.
$(if $(SANITIZED),$(if $(IS_CLANG),,$(eval TEST_OPT += -Wno-maybe-uninitialized)))
MEMORY_NOT := src/base/memory_$(if $(SANITIZED),jemalloc,libc).c
PACKAGES   := $(if $(SANITIZED),,jemalloc) libxxhash

# Their headers are system headers: our warnings are about our code.
package_flags = $(patsubst -I%,-isystem %,$(shell pkg-config $1 $2 2>/dev/null))
CFLAGS_ALL   = $(LANGUAGE) $(ALWAYS) $(WARNINGS) $(PACKAGE_CFLAGS) $(CPPFLAGS) $(CFLAGS)
LDFLAGS_ALL  = -pthread $(LDFLAGS) -Wl,-z,relro,-z,now
PACKAGE_CFLAGS := $(call package_flags,--cflags,$(PACKAGES))
PACKAGE_LIBS   := $(call package_flags,--libs,$(PACKAGES))

ifeq ($(V),)
say = @echo '  $1';
endif

# --- sources -------------------------------------------------------------------------------------

ROOMS       := $(notdir $(patsubst %/,%,$(wildcard src/*/)))
sources_in   = $(filter-out %_test.c %_fixture.c %/main.c $(MEMORY_NOT),$(wildcard src/$1/*.c))
test_objects = $(patsubst %.c,$(TEST_OBJ)/%.o,$1)

SERVER_MAIN    := $(wildcard src/server/main.c)
SERVER_SOURCES := $(foreach room,$(filter-out check,$(ROOMS)),$(call sources_in,$(room))) \
    $(SERVER_MAIN)
SERVER_OBJECTS := $(patsubst %.c,$(SERVER_OBJ)/%.o,$(SERVER_SOURCES))
LIBRARY        := $(foreach room,$(ROOMS),$(call sources_in,$(room)))

UNIT_SOURCES := $(wildcard src/$(ROOM)/*_test.c)
UNIT_PARTS   := $(wildcard src/*/*_fixture.c)
SIM_MAIN     := $(wildcard tests/sim/main.c)
# One crash oracle for the simulator and for the drivers of a real process.
SIM_PARTS    := $(filter-out %_test.c $(SIM_MAIN),\
    $(wildcard tests/sim/*.c tests/integration/crash_oracle*.c))
SIM_TESTS    := $(wildcard tests/sim/*_test.c)
INTEGRATION_SOURCES := $(wildcard tests/integration/*_test.c)
INTEGRATION_PARTS   := $(filter-out %_test.c %_preload.c,$(wildcard tests/integration/*.c))
PRELOADS            := $(wildcard tests/integration/*_preload.c)
BENCH_SOURCES       := $(wildcard tests/bench/*_bench.c)

SERVER := $(if $(SERVER_MAIN),$(DIR)/irmak-server)
CHECK  := $(DIR)/irmak-check
SIM    := $(if $(SIM_MAIN),$(DIR)/irmak-sim)
UNIT_PROGRAMS        := $(UNIT_SOURCES:src/%.c=$(DIR)/test/%)
SIM_TEST_PROGRAMS    := $(SIM_TESTS:tests/%.c=$(DIR)/test/%)
INTEGRATION_PROGRAMS := $(INTEGRATION_SOURCES:tests/%.c=$(DIR)/test/%)
PRELOAD_LIBRARIES    := $(PRELOADS:tests/%.c=$(DIR)/test/%.so)
FUZZ_PROGRAMS        := $(patsubst tests/%.c,$(DIR)/%,$(wildcard tests/fuzz/*.c))
BENCH_PROGRAMS       := $(BENCH_SOURCES:tests/%.c=$(DIR)/%)
LOAD_PROGRAMS        := $(patsubst tests/%.c,$(DIR)/%,$(wildcard tests/bench/*_load.c \
    tests/bench/*_server.c))

# knows_ROOM: the rooms on ROOM's line of layers.txt; reach: ROOM and all that it knows, in depth.
comma := ,
$(foreach line,$(shell awk -F: '/^[a-z]+:/ { gsub(/^ +| +$$/, "", $$2); gsub(/ +/, ",", $$2); \
        print $$1 ":" $$2 }' tests/tidy/layers.txt),$(eval \
    knows_$(word 1,$(subst :, ,$(line))) := $(subst $(comma), ,$(word 2,$(subst :, ,$(line))))))
knows_server := $(filter-out server check,$(ROOMS))
reach = $(sort $1 $(foreach room,$(knows_$1),$(call reach,$(room))))
CHECK_SOURCES := $(foreach room,$(call reach,check),$(call sources_in,$(room))) src/check/main.c
# The objects for the unit test with stem room/name_test.
unit_objects = $(call test_objects,$(filter src/$(dir $1)%,$(UNIT_PARTS)) \
    $(foreach room,$(call reach,$(patsubst %/,%,$(dir $1))),$(call sources_in,$(room))))

# --- what people call ----------------------------------------------------------------------------

# Parallel by default; a -j on the command line has its way.
parallel = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(JOBS))
again    = $(MAKE) --no-print-directory $(parallel)
run_in   = tests/run --dir $1 --room '$(ROOM)' --seed '$(SEED)' --states '$(STATES)'

.PHONY: all run test unit scenario sim mutants integration clients debug asan tsan tidy \
        tidy-fast format bench bench-durable large bitflip \
        coverage fuzz fuzz-msan soak deps install clean help
.PHONY: bench-streams

all: ## build the server and its tool: build/irmak-server, build/irmak-check
	+@$(again) programs

run: ## install what is missing, build, and start the server with conf/irmak.conf
	@deps/install.sh run
	+@$(again) programs
	$(DIR)/irmak-server conf/irmak.conf

test: ## install what is missing, build, and run every test there is
	@deps/install.sh run test
	+@$(again) programs tests
	+@$(again) FLAVOUR=fuzz CC=clang fuzz-programs
	+@$(again) FLAVOUR=coverage CC=gcc unit-programs sim-programs
	@$(call run_in,$(DIR)) tidy unit scenario sim fuzz coverage integration clients

unit: ## unit tests; ROOM=stream for those of one room
	+@$(again) unit-programs
	@$(call run_in,$(DIR)) unit

scenario: ## tests/scenario/*.txt: commands and expected replies, in the simulator
	+@$(again) sim-programs
	@$(call run_in,$(DIR)) scenario

sim: ## simulated crashes; SEED=1 STATES=100000
	+@$(again) sim-programs
	@$(call run_in,$(DIR)) sim

mutants: ## plant the bugs of tests/mutants/ in a copy of the tree: each must make its test fail
	@tests/mutants/run

integration: ## tests against a real server process (hiredis)
	+@$(again) programs integration-programs
	@$(call run_in,$(DIR)) integration

clients: ## tests with real client libraries and tools (redis-tests/)
	+@$(again) programs
	@$(call run_in,$(DIR)) clients

debug: ## build/debug/irmak-server, without optimisation
	+@$(again) FLAVOUR=debug programs

asan: STATES = 10000
asan: ## build and run the tests with AddressSanitizer and UndefinedBehaviorSanitizer
	+@$(again) FLAVOUR=asan programs tests
	@$(call run_in,$(BUILD)/asan) unit scenario sim integration

tsan: ## build and run the tests with ThreadSanitizer
	+@$(again) FLAVOUR=tsan programs tests
	@$(call run_in,$(BUILD)/tsan) unit integration

tidy: ## everything a machine can say about the code: layers, sizes, format, analysers
	@deps/install.sh run test tidy
	+-@$(again) -k analysed
	@BUILD='$(BUILD)' tests/tidy/run all

tidy-fast: ## the part of tidy that takes seconds
	@tests/tidy/run fast

format: ## lay out every C file with clang-format
	@find src tests -name '*.[ch]' -exec clang-format -i {} +

bench: ## performance figures: tests/bench/*_bench.c, then beside redis-server: bench, bench_streams
	+@$(again) programs bench-programs load-programs
	@set -e; for program in $(BENCH_PROGRAMS); do echo "== $$program"; "$$program"; done
	@IRMAK_SERVER='$(DIR)/irmak-server' redis-tests/bench
	@IRMAK_SERVER='$(DIR)/irmak-server' redis-tests/bench_streams

bench-streams: ## the part of bench about streams; ROW=xrange-1000 for one row
	+@$(again) programs load-programs
	@IRMAK_SERVER='$(DIR)/irmak-server' redis-tests/bench_streams

bench-durable: ## the figures of docs/durability.md, beside redis-server on the same disk
	+@$(again) programs load-programs
	@IRMAK_SERVER='$(DIR)/irmak-server' redis-tests/bench_durable

large: ## 10 M keys and a stream of 10 M entries, beside redis-server; SCALE=1 (not in CI)
	+@$(again) programs load-programs
	@IRMAK_SERVER='$(DIR)/irmak-server' tests/large/run

bitflip: ## single bits flipped in our files and in redis-server's AOF: who notices; FLIPS=400
	+@$(again) programs
	@IRMAK_SERVER='$(DIR)/irmak-server' redis-tests/bitflip

coverage: ## branches taken by unit tests, scenarios and simulator in what keeps the promise
	+@$(again) FLAVOUR=coverage CC=gcc unit-programs sim-programs
	@tests/coverage --dir '$(BUILD)/coverage' --goal 95

fuzz: ## fuzz parsers, loaders and commands; FUZZ_RUNS=1000000 of each
	+@$(again) FLAVOUR=fuzz CC=clang fuzz-programs
	@DIR='$(BUILD)/fuzz' tests/fuzz/run

fuzz-msan: ## the same, looking for bytes that nobody wrote
	+@$(again) FLAVOUR=msan CC=clang fuzz-programs
	@DIR='$(BUILD)/msan' tests/fuzz/run

soak: ## every driver that looks for a broken promise, in turn, for SOAK_MINUTES=30
	+@$(again) programs sim-programs integration-programs
	+@if command -v clang >/dev/null; then $(again) FLAVOUR=fuzz CC=clang fuzz-programs; fi
	@DIR='$(DIR)' tests/soak

deps: ## install what building and testing needs
	@deps/install.sh run test tidy

install: all ## install under PREFIX=/usr/local, staged in DESTDIR
	install -d '$(DESTDIR)$(BINDIR)' '$(DESTDIR)$(SYSCONFDIR)/irmak'
	install -m 755 $(BUILD)/irmak-server '$(DESTDIR)$(BINDIR)/irmak-server'
	install -m 755 $(BUILD)/irmak-check '$(DESTDIR)$(BINDIR)/irmak-check'
	install -m 644 conf/irmak.conf '$(DESTDIR)$(SYSCONFDIR)/irmak/irmak.conf.example'
	test -e '$(DESTDIR)$(SYSCONFDIR)/irmak/irmak.conf' || \
	    install -m 640 conf/irmak.conf '$(DESTDIR)$(SYSCONFDIR)/irmak/irmak.conf'
	install -d '$(DESTDIR)$(UNITDIR)'
	sed -e 's|/usr/local/bin/|$(BINDIR)/|g' -e 's|/usr/local/etc/|$(SYSCONFDIR)/|g' \
	    conf/irmak.service > '$(DESTDIR)$(UNITDIR)/irmak.service'

clean: ## remove all that was built
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# The script does the work.
define delegate
if [ -f $1 ] && [ -x $1 ]; then exec $1; fi; echo "make $@: there is no $1 yet" >&2; exit 1
endef

# --- how it is built -----------------------------------------------------------------------------

.PHONY: programs tests unit-programs sim-programs integration-programs bench-programs \
        fuzz-programs load-programs analysed FORCE
programs: $(SERVER) $(if $(SERVER),,no-server) $(CHECK)
tests: unit-programs sim-programs integration-programs
unit-programs: $(UNIT_PROGRAMS) $(if $(filter *,$(ROOM)),$(SIM_TEST_PROGRAMS))
sim-programs: $(SIM)
integration-programs: $(INTEGRATION_PROGRAMS) $(PRELOAD_LIBRARIES)
bench-programs: $(BENCH_PROGRAMS)
fuzz-programs: $(FUZZ_PROGRAMS)
load-programs: $(LOAD_PROGRAMS)
programs tests unit-programs sim-programs integration-programs bench-programs fuzz-programs \
        load-programs analysed: ; @:

.PHONY: no-server
no-server:
	@echo 'no src/server/main.c yet: the server is not built'

# Rewritten only when compiler or flags change, so that only then all is compiled again.
$(DIR)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS_ALL) $(SERVER_OPT) / $(TEST_OPT) / $(LDFLAGS_ALL)' | cmp -s - $@ || \
	    echo '$(CC) $(CFLAGS_ALL) $(SERVER_OPT) / $(TEST_OPT) / $(LDFLAGS_ALL)' > $@
# Rewritten only when sources come or go, so that a removed one is linked no longer.
$(DIR)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(SERVER_SOURCES) $(CHECK_SOURCES) $(SIM_PARTS)' | cmp -s - $@ || \
	    echo '$(SERVER_SOURCES) $(CHECK_SOURCES) $(SIM_PARTS)' > $@

# Without the libraries nothing compiles: say what is missing instead.
ifeq ($(PACKAGE_LIBS),)
LIBRARIES := no-libraries
endif
.PHONY: no-libraries
no-libraries:
	@deps/install.sh --check run

compile = $(call say,CC   $<)$(CC) $(CFLAGS_ALL) $1 -MMD -MP -c $< -o $@
link    = $(call say,LINK $@)$(CC) $1 $(LDFLAGS_ALL) $(filter %.o,$^) $(PACKAGE_LIBS) $2 -lm -o $@

ifneq ($(SERVER_OBJ),$(TEST_OBJ))
$(SERVER_OBJ)/%.o: %.c $(DIR)/flags | $(LIBRARIES)
	@mkdir -p $(@D)
	$(call compile,$(SERVER_OPT))
endif

$(TEST_OBJ)/%.o: %.c $(DIR)/flags | $(LIBRARIES)
	@mkdir -p $(@D)
	$(call compile,$(TEST_OPT))

$(TEST_OBJ)/tests/integration/%.o: CFLAGS_ALL += $(call package_flags,--cflags,hiredis)

$(DIR)/irmak-server: $(SERVER_OBJECTS) $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(SERVER_OPT))

$(DIR)/irmak-check: $(CHECK_SOURCES:%.c=$(SERVER_OBJ)/%.o) $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(SERVER_OPT))

$(DIR)/irmak-sim: $(call test_objects,$(LIBRARY) $(SIM_PARTS) $(SIM_MAIN)) $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(TEST_OPT))

$(DIR)/test/%_test: $(TEST_OBJ)/src/%_test.o $$(call unit_objects,$$*) $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(TEST_OPT),-lcmocka)

$(DIR)/test/sim/%_test: $(TEST_OBJ)/tests/sim/%_test.o \
        $(call test_objects,$(LIBRARY) $(SIM_PARTS)) $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(TEST_OPT),-lcmocka)

$(DIR)/test/integration/%_test: $(TEST_OBJ)/tests/integration/%_test.o \
        $(call test_objects,$(INTEGRATION_PARTS)) $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(TEST_OPT),-lcmocka -lhiredis)

$(DIR)/fuzz/%_fuzz: $(TEST_OBJ)/tests/fuzz/%_fuzz.o $(call test_objects,$(LIBRARY) $(SIM_PARTS)) \
        $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(TEST_OPT) $(FUZZ_OPT))

$(DIR)/fuzz/seeds: $(TEST_OBJ)/tests/fuzz/seeds.o $(call test_objects,$(LIBRARY) $(SIM_PARTS)) \
        $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(TEST_OPT))

# Into a server of any flavour, so without a sanitizer of its own.
$(DIR)/test/%_preload.so: tests/%_preload.c tests/integration/fault.h $(DIR)/flags
	@mkdir -p $(@D)
	$(call say,SO   $@)$(CC) $(CFLAGS_ALL) -O1 -fPIC -shared $< -ldl -o $@

# Load generators, and the floor: they are linked with load.c, and with nothing of the server.
$(LOAD_PROGRAMS): $(DIR)/%: tests/%.c tests/bench/load.c tests/bench/load.h $(DIR)/flags
	@mkdir -p $(@D)
	$(call say,LINK $@)$(CC) $(CFLAGS_ALL) -O2 $(call package_flags,--cflags,hiredis) \
	    $(filter %.c,$^) $(LDFLAGS_ALL) -lhiredis -o $@

# Measured as it is shipped: the objects of the server.
$(DIR)/bench/%: $(SERVER_OBJ)/tests/bench/%.o $(patsubst %.c,$(SERVER_OBJ)/%.o,$(LIBRARY)) \
        $(DIR)/sources
	@mkdir -p $(@D)
	$(call link,$(ALWAYS) $(SERVER_OPT))

# What clang-tidy says of each file, asked again only after a change: the object is newer when the
# file or any of its headers is. An empty answer is a good one; tests/tidy/run shows the others.
ANALYSED := $(patsubst %.c,$(BUILD)/tidy/%.analysed,\
    $(wildcard $(ROOMS:%=src/%/*.c) tests/sim/*.c tests/integration/*.c))
analysed: $(ANALYSED)
$(BUILD)/tidy/%.analysed: %.c $(TEST_OBJ)/%.o .clang-tidy tests/tidy/analyse.sh
	@mkdir -p $(@D)
	$(call say,TIDY $<)tests/tidy/analyse.sh $< \
	    $(filter-out -Werror,$(WARNINGS)) $(PACKAGE_CFLAGS) > $@

-include $(patsubst %.c,$(SERVER_OBJ)/%.d,$(SERVER_SOURCES) $(CHECK_SOURCES) $(BENCH_SOURCES))
-include $(patsubst %.c,$(TEST_OBJ)/%.d,$(LIBRARY) $(SIM_PARTS) $(SIM_MAIN) $(UNIT_SOURCES) \
    $(UNIT_PARTS) $(SIM_TESTS) $(wildcard tests/fuzz/*.c) $(INTEGRATION_SOURCES) \
    $(INTEGRATION_PARTS))
