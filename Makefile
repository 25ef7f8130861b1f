# The whole build: `make help` lists the targets. Built files go to build/ only.
#   SAN=address,undefined | SAN=thread   sanitizers, into build/san-address-undefined, build/san-thread
#   MUTANT=1                             stages whose crash protocol can be broken on purpose, into build/mutant (tests only)
#   NO_PROBES=1                          stages without probe points, into build/no-probes (tests/bench.sh probes)
#   V=1                                  show the commands
#   CC, CFLAGS, CPPFLAGS, LDFLAGS        as usual
#
# New files are found by their place and name; only what one of them needs beyond common/ is said here:
#   LIBS_NAME    libraries
#   PARTS_NAME   sources that are parts of another program; below run/ only pure ones (tests/lint.sh)
comma := ,
LOAD_SINK := run/load_sink.c run/load_flow.c run/load_short.c
LIBS_latency := -lbpf -lelf
LIBS_stat := -lncursesw
PARTS_unit += $(patsubst %,run/stat_%.c,change columns grid health json lost number screen view)
PARTS_unit += $(LOAD_SINK) run/load_schedule.c
PARTS_supervise := run/hold_directory.c run/hold_process.c
PARTS_storm := run/hold_sockets.c $(LOAD_SINK)
PARTS_reference := run/hold_sockets.c
PARTS_bench_decide := edf/edf.c edf/plan.c
PARTS_bench_gap := $(LOAD_SINK)
PARTS_pipeline := run/hold_sockets.c
PARTS_plugin := run/hold_sockets.c
PARTS_crash := run/hold_sockets.c $(filter-out %/main.c,$(wildcard ingress/*.c edf/*.c egress/*.c))
LIBS_crash := -Wl,--wrap=mmap -Wl,--wrap=munmap -Wl,--wrap=recvmmsg -Wl,--wrap=sendmmsg
PARTS_threads := run/hold_sockets.c $(LOAD_SINK) $(filter-out %/main.c,$(wildcard ingress/*.c edf/*.c egress/*.c))
PARTS_sim := tests/crash_trap.c tests/crash_ingress.c tests/crash_edf.c tests/crash_egress.c \
	$(filter-out %/main.c,$(wildcard ingress/*.c edf/*.c egress/*.c))
LIBS_sim := $(patsubst %,-Wl$(comma)--wrap=%,mmap munmap mlock2 shm_open shm_unlink fcntl clock_gettime clock_nanosleep nanosleep \
	syscall recvmmsg sendmmsg recvmsg socket bind connect getsockname getpeername \
	setsockopt getsockopt close epoll_create1 epoll_ctl epoll_wait read write softnet_is_starvable)
LIBS_threads := -Wl,--wrap=mmap -Wl,--wrap=munmap
PARTS_check := edf/feasible.c
PARTS_simulate := edf/edf.c edf/plan.c run/load_trace.c
PARTS_dash := run/stat_view.c run/stat_health.c run/stat_json.c
LIBS_dash := -lmicrohttpd

ifeq ($(origin CC),default)
CC := gcc
endif
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))$(if $(MUTANT),/mutant)$(if $(NO_PROBES),/no-probes)
OBJ := $(BUILD)/obj
Q := $(if $(V),,@)
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V)$(silent),,@printf '  %-7s %s\n' $(1) $(2))
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

CFLAGS ?= -O2 -g
ALL_CPPFLAGS = -D_GNU_SOURCE -Icommon $(if $(MUTANT),-DONTIME_MUTANT) $(if $(NO_PROBES),-DONTIME_NO_PROBES) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu17 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -fno-omit-frame-pointer $(SAN_FLAGS) \
	$(CFLAGS)
ALL_LDFLAGS = -rdynamic -Wl,-z,now $(SAN_FLAGS) $(LDFLAGS)
LIBS := -linih -ldl -pthread
ifneq ($(SAN),)
SAN_FLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all $(if $(findstring thread,$(SAN)),-Wno-tsan -Wno-unknown-warning-option)
endif

STAGES := ingress edf egress
COMMON := $(call objects,$(wildcard common/*.c))
STAGE_PARTS := $(call objects,$(filter-out %/main.c,$(wildcard $(STAGES:%=%/*.c))))
PLUGINS := $(patsubst edf/plugins/%.c,$(BUILD)/plugins/%.so,$(wildcard edf/plugins/*.c))
TEST_PLUGINS := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/plugins/*.c))

# run/NAME.c is a program, run/NAME_*.c are its parts.
run_sources := $(patsubst run/%.c,%,$(filter-out %.bpf.c,$(wildcard run/*.c)))
RUN_PROGRAMS := $(filter-out $(addsuffix _%,$(run_sources)),$(run_sources))

# tests/NAME.c is a program if it has a main(), and tests/NAME_*.c without one are its parts. harness*.c goes into all of
# them. The rest, test_*.c and its helpers, is the unit program.
test_sources := $(patsubst tests/%.c,%,$(wildcard tests/*.c))
test_mains := $(patsubst tests/%.c,%,$(if $(test_sources),$(shell grep -l '^int main\>' tests/*.c)))
TEST_PROGRAMS := $(filter-out main test_%,$(test_mains))
TEST_SHARED := $(call objects,$(wildcard tests/harness*.c))
UNIT := $(call objects,$(patsubst %,tests/%.c,$(filter-out \
	harness% $(TEST_PROGRAMS) $(addsuffix _%,$(TEST_PROGRAMS)),$(test_sources))))

# run/NAME.bpf.c is the kernel side of run/NAME.c; both need clang and libbpf.
BPF := $(patsubst run/%.bpf.c,$(BUILD)/%.bpf.o,$(wildcard run/*.bpf.c))
ifneq ($(BPF),)
have_bpf := $(shell command -v clang >/dev/null && \
	printf '\043include <bpf/libbpf.h>\n\043include <gelf.h>\n' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)
ifeq ($(have_bpf),)
$(info make: without $(patsubst $(BUILD)/%.bpf.o,%,$(BPF)): to have it, apt-get install clang libbpf-dev)
RUN_PROGRAMS := $(filter-out $(patsubst $(BUILD)/%.bpf.o,%,$(BPF)),$(RUN_PROGRAMS))
BPF :=
endif
endif

# run/dash.c needs libmicrohttpd.
ifeq ($(shell printf '\043include <microhttpd.h>\n' | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo yes),)
$(info make: without dash: to have it, apt-get install libmicrohttpd-dev)
RUN_PROGRAMS := $(filter-out dash,$(RUN_PROGRAMS))
endif

# gcc says x86_64-linux-gnu, clang x86_64-pc-linux-gnu. What bpf_tracing.h calls it: x86, arm64
machine := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
bpf_arch := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(machine)))

PROGRAMS := $(STAGES:%=$(BUILD)/%) $(RUN_PROGRAMS:%=$(BUILD)/%)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests check quick unit bench lint format install can-install clean help have-inih have-ncurses have-cunit

all: $(PROGRAMS) $(PLUGINS) $(BPF) ## build everything an operator runs

tests: all $(BUILD)/tests/unit $(TEST_PROGRAMS:%=$(BUILD)/tests/%) $(TEST_PLUGINS) ## build the tests too

check: ## run every test; installs what is missing
	tests/run.sh

quick: ## run lint and the unit tests only
	tests/run.sh quick

unit: all $(BUILD)/tests/unit ## run the unit tests
	$(BUILD)/tests/unit

bench: tests ## measure every number in README.md
	tests/bench.sh

lint: ## format, shellcheck, cppcheck, include rules, purity, two-ended ORDER edges
	tests/lint.sh

format: ## let clang-format rewrite the sources
	clang-format -i $$(find . -path ./build -prune -o -name '*.[ch]' -print)

PREFIX ?= /usr/local
LIB_DIR = $(abspath $(PREFIX)/lib/ontime)# where it is found at last, which DESTDIR is no part of
HOME_DIR = $(DESTDIR)$(LIB_DIR)
install: can-install all ## install below $(DESTDIR)$(PREFIX)/lib/ontime, in the tree's own layout
	install -d $(HOME_DIR)/build/plugins $(HOME_DIR)/run
	install $(PROGRAMS) $(HOME_DIR)/build
	$(if $(PLUGINS),install -m 644 $(PLUGINS) $(HOME_DIR)/build/plugins)
	$(if $(BPF),install -m 644 $(BPF) $(HOME_DIR)/build)
	$(if $(wildcard run/*.sh),install $(wildcard run/*.sh) $(HOME_DIR)/run)
	install -m 644 LICENSE run/stress.conf $(wildcard run/*.json) $(HOME_DIR)/run
	install -d $(HOME_DIR)/run/vendor && install -m 644 run/vendor/LICENSE $(HOME_DIR)/run/vendor # of what dash embeds
	[ -e $(HOME_DIR)/run/ontime.conf ] || install -m 644 run/ontime.conf $(HOME_DIR)/run # the operator's own is kept
	install -d $(HOME_DIR)/run/systemd
	for unit in run/systemd/*; do sed 's|/usr/local/lib/ontime|$(LIB_DIR)|g' $$unit | \
		install -m 644 /dev/stdin $(HOME_DIR)/$$unit || exit 1; done
	@case $(LIB_DIR) in /home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*) \
		echo "make: the units cannot start what is in $(LIB_DIR): they hide it (ProtectHome, PrivateTmp); use another PREFIX for systemd";; esac

# A name that the units, the shell and this file read as it is written.
can-install: export WHERE = $(DESTDIR)$(PREFIX)
can-install:
	@[ -z "$$(printf '%s' "$$WHERE" | LC_ALL=C tr -d 'A-Za-z0-9/._+@:,=~\200-\377-')" ] || \
		{ echo "make: install below '$$WHERE': PREFIX and DESTDIR may have letters, digits and /._+@:,=~- only, no blanks" >&2; exit 1; }

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | while read -r target text; do \
		printf '  make %-8s %s\n' "$$target" "$$text"; done
	@sed -n 's/^#   \(SAN=\|MUTANT=\|NO_PROBES=\|V=\)/  \1/p' Makefile

# $(1): the program's path below $(BUILD), $(2): its own objects, $(3): its name
define program
$(BUILD)/$(1): $(2) $(call objects,$(PARTS_$(3))) $(COMMON)
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $$(ALL_LDFLAGS) $$^ $(LIBS) $(LIBS_$(3)) -o $$@
endef
$(foreach s,$(STAGES),$(eval $(call program,$(s),$(call objects,$(wildcard $(s)/*.c)),$(s))))
$(foreach p,$(RUN_PROGRAMS),$(eval $(call program,$(p),$(call objects,run/$(p).c $(wildcard run/$(p)_*.c)),$(p))))
$(foreach p,$(TEST_PROGRAMS),$(eval $(call program,tests/$(p),$(call objects,tests/$(p).c $(filter-out \
	$(test_mains:%=tests/%.c),$(wildcard tests/$(p)_*.c))) $(TEST_SHARED),$(p))))
LIBS_unit += -lcunit
$(eval $(call program,tests/unit,$(UNIT) $(TEST_SHARED) $(STAGE_PARTS),unit))

$(UNIT): | have-cunit
$(OBJ)/run/stat_live.o: | have-ncurses

$(PLUGINS): $(BUILD)/plugins/%.so: $(OBJ)/edf/plugins/%.o
$(TEST_PLUGINS): $(BUILD)/%.so: $(OBJ)/%.o
$(PLUGINS) $(TEST_PLUGINS):
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(SAN_FLAGS) $(LDFLAGS) $< -o $@

$(BUILD)/%.bpf.o: run/%.bpf.c $(wildcard run/*.h common/*.h)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)clang -target bpf -mcpu=v3 -D__TARGET_ARCH_$(bpf_arch) -O2 -g -Wall -Icommon \
		-I/usr/include/$(machine)-linux-gnu -c $< -o $@

$(OBJ)/run/dash_files.o: $(wildcard run/dash*.html run/dash*.css run/dash*.js run/dash*.svg run/vendor/*)

# What a segment is made of: a build that declares it otherwise is told from this one, whatever LAYOUT_VERSION says.
layout_hash := $(shell $(CC) -E -std=gnu17 -D_GNU_SOURCE -Icommon $(CPPFLAGS) common/layout.h | \
	awk '/^\# [0-9]+ "/ {keep = /"common\//; next} keep' | sha256sum | cut -c1-16)
$(OBJ)/common/segment.o: ALL_CPPFLAGS += -DLAYOUT_HASH=0x$(layout_hash)ULL

$(OBJ)/edf/plugins/%.o $(OBJ)/tests/plugins/%.o: ALL_CFLAGS += -fPIC
$(OBJ)/%.o: %.c Makefile | have-inih
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_CPPFLAGS) -MMD -MP -c $< -o $@

# $(1): header, $(2): what it is called, $(3): which dependencies bring it
need = @printf '\043include <%s>\n' $(1) | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || \
	{ echo "make: $(2) is missing: run/deps.sh $(3) installs it" >&2; exit 1; }

have-inih:
	$(call need,ini.h,libinih,build)

have-ncurses:
	$(call need,ncurses.h,ncurses,build)

have-cunit:
	$(call need,CUnit/CUnit.h,CUnit,test)

-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
