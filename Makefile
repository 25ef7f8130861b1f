# The whole build. `make help` lists the targets; built files go to build/ only.
#
#   SAN=address,undefined | SAN=thread   sanitizers, into build/san-address-undefined, build/san-thread
#   MUTANT=1                             stages whose crash protocol can be broken on purpose, into build/mutant (tests only)
#   NO_PROBES=1                          stages without probe points, into build/no-probes (tests/bench.sh probes)
#   PREBUILT=no                          the BPF object is compiled here, even if the one of `make prebuilt` is that of these sources
#   V=1                                  show the commands
#   CC, CFLAGS, CPPFLAGS, LDFLAGS        as usual; what another value changes is built again
#   PREFIX, BINDIR, LIBEXECDIR, SYSCONFDIR, DATADIR, MANDIR, INCLUDEDIR, SYSTEMDUNITDIR, SYSUSERSDIR, DESTDIR   where `make install` puts things
#   BASHCOMPDIR, ZSHCOMPDIR, FISHCOMPDIR  likewise, the shells' completion
#
# A file is found by its place:
#   STAGE/*.c                        the program build/STAGE
#   run/NAME/NAME.c                  the program build/NAME; the rest of its folder is part of it, NAME.bpf.c its kernel side
#   tests/NAME/NAME.c                the program build/tests/NAME, with the rest of its folder
#   tests/FOLDER/FILE.c              where no file is named after the folder: the program build/tests/FILE
#   tests/fuzz/TARGET.c              what libFuzzer calls; tests/fuzz/t_fuzz.sh builds it with clang, into build/fuzz
#   edf/plugins/*.c tests/plugins/*.c   shared objects
#   common/                          linked into every program; tests/harness/ into every test
#   run/options/NAME.options         a program's options: what parses and explains them is generated into $(OBJ)/options, $(BUILD)/completion
#   run/man/PAGE.in                  a man page, built into $(BUILD)/man with the options in it
# Only what one program needs beyond that is said, below: LIBS_NAME and PARTS_NAME.
comma := ,
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))$(if $(MUTANT),/mutant)$(if $(NO_PROBES),/no-probes)
OBJ := $(BUILD)/obj
CFLAGS ?= -O2 -g
ALL_CPPFLAGS = -D_GNU_SOURCE -Icommon -I. -Irun -Itests -I$(OBJ) $(if $(MUTANT),-DONTIME_MUTANT) $(if $(NO_PROBES),-DONTIME_NO_PROBES) \
	$(if $(SAN)$(findstring --coverage,$(CFLAGS) $(LDFLAGS)),-DONTIME_INSTRUMENTED) $(CPPFLAGS)
ALL_CFLAGS = -std=gnu17 -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Werror=implicit -fno-omit-frame-pointer $(SAN_FLAGS) \
	$(CFLAGS)
ALL_LDFLAGS = -rdynamic -Wl,-z,now $(SAN_FLAGS) $(LDFLAGS)
LIBS := -ldl -pthread
ifneq ($(SAN),)
SAN_FLAGS := -fsanitize=$(SAN) -fno-sanitize-recover=all $(if $(findstring thread,$(SAN)),-Wno-tsan -Wno-unknown-warning-option)
endif

# What there is.
folders = $(patsubst $(1)/%/,%,$(wildcard $(1)/*/))
with_program = $(foreach d,$(filter-out $(2),$(call folders,$(1))),$(if $(wildcard $(1)/$(d)/$(d).c),$(d)))
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))
STAGES := ingress edf egress
SOCKETS := run/hold/sockets.c run/hold/session_sockets.c run/hold/unexpected.c run/hold/hand_on.c run/hold/kept.c run/hold/kept_sessions.c run/hold/bundle.c run/hold/take.c run/hold/parts.c
STAGE_PARTS := $(filter-out %/main.c,$(wildcard $(STAGES:%=%/*.c)))
RUN_PROGRAMS := $(call with_program,run)
TEST_LIBRARIES := harness mortal plugins fuzz models
TEST_FOLDERS := $(call with_program,tests,$(TEST_LIBRARIES))
TEST_FILES := $(filter-out $(foreach d,$(TEST_LIBRARIES) $(TEST_FOLDERS),tests/$(d)/%),$(wildcard tests/*/*.c))
TEST_PROGRAMS := $(TEST_FOLDERS) $(basename $(notdir $(TEST_FILES)))
COMMON := $(call objects,$(wildcard common/*.c common/*/*.c))
TEST_SHARED := $(call objects,$(wildcard tests/harness/*.c))
PLUGINS := $(patsubst edf/plugins/%.c,$(BUILD)/plugins/%.so,$(wildcard edf/plugins/*.c))
TEST_PLUGINS := $(patsubst %.c,$(BUILD)/%.so,$(wildcard tests/plugins/*.c))
BPF := $(foreach f,$(wildcard run/*/*.bpf.c),$(BUILD)/$(notdir $(f:.c=.o)))
TABLES := $(wildcard run/options/*.options)
COMMANDS := $(filter $(RUN_PROGRAMS) stage,$(TABLES:run/options/%.options=%))
COMPLETION := $(patsubst %,$(BUILD)/completion/%,ontime.bash _ontime ontime.fish)
BUILT_PAGES := $(patsubst run/man/%.in,$(BUILD)/man/%,$(wildcard run/man/*.in))
run_files = $(filter-out %.bpf.c,$(wildcard run/$(1)/*.c))
test_files = $(if $(filter $(1),$(TEST_FOLDERS)),$(wildcard tests/$(1)/*.c),$(filter %/$(1).c,$(TEST_FILES)))

# LIBS_NAME: libraries and linker options. PARTS_NAME: sources of other folders; of another program's only pure ones (tests/lint.sh).
wrap = $(patsubst %,-Wl$(comma)--wrap=%,$(1))
LOOK := $(wildcard run/look/*.c)
SINK := run/traffic/sink.c run/traffic/content.c run/traffic/flow.c run/traffic/sockets.c run/traffic/short.c
TRACE := run/traffic/trace.c run/traffic/capture.c run/traffic/frame.c
MORTAL := tests/mortal/mortal.c tests/mortal/trap.c
LIBS_dash := -lmicrohttpd
PARTS_dash := $(LOOK)
LIBS_latency := -lbpf -lelf
PARTS_load := $(LOOK) $(SINK) $(TRACE)
PARTS_check := $(LOOK)
PARTS_simulate := $(LOOK) edf/policy.c edf/plan.c edf/slack.c $(TRACE)
LIBS_scout := -lcares
LIBS_stat := -lncursesw
PARTS_stat := $(LOOK)
PARTS_tape := $(LOOK)
PARTS_supervise := run/hold/directory.c run/hold/parts.c run/hold/process.c run/hold/rights.c run/hold/spawn.c
LIBS_unit := -lcunit
PARTS_unit := $(STAGE_PARTS) $(LOOK) $(patsubst %,run/stat/%.c,columns grid lost screen table) $(patsubst %,run/dash/%.c,accept describe feed metrics ready report) $(SINK) run/traffic/frame.c $(patsubst %,run/tape/%.c,before block comment ends file follow) run/scout/look.c run/load/schedule.c run/check/feasible.c run/check/cost.c $(SOCKETS)
LIBS_crash := $(call wrap,mmap munmap recvmmsg sendmmsg)
PARTS_crash := $(wildcard tests/mortal/*.c) $(STAGE_PARTS) $(SOCKETS)
LIBS_replies := $(call wrap,mmap munmap recvmmsg sendmmsg epoll_wait clock_gettime)
PARTS_replies := $(PARTS_crash)
LIBS_sim := $(call wrap,mmap munmap mlock2 shm_open shm_unlink fcntl clock_gettime clock_nanosleep nanosleep \
	syscall recvmmsg sendmmsg recvmsg poll socket bind connect getsockname getpeername \
	setsockopt getsockopt close epoll_create1 epoll_ctl epoll_wait read write softnet_is_starvable \
	workers_open workers_close workers_idle workers_give workers_next workers_have_news workers_due_ns)
PARTS_sim := $(MORTAL) $(STAGE_PARTS)
LIBS_threads := $(call wrap,mmap munmap)
PARTS_threads := $(STAGE_PARTS) $(SOCKETS) $(SINK)
PARTS_storm := $(SOCKETS) $(SINK)
PARTS_churn := $(SOCKETS)
PARTS_reference := $(SOCKETS)
PARTS_pipeline := $(SOCKETS)
PARTS_plugin := $(SOCKETS)
PARTS_cage := $(STAGE_PARTS)
PARTS_decide := edf/policy.c edf/plan.c edf/slack.c
PARTS_gap := $(SINK)
PARTS_voice := $(SINK)

# The fuzz targets; to LIBS_ and PARTS_ each is fuzz_TARGET.
FUZZ_TARGETS := $(basename $(notdir $(wildcard tests/fuzz/*.c)))
$(foreach t,$(FUZZ_TARGETS),$(eval LIBS_fuzz_$(t) := -fsanitize=fuzzer))
PARTS_fuzz_trace := run/traffic/trace.c
PARTS_fuzz_capture := $(TRACE)
PARTS_fuzz_packet := run/traffic/content.c run/traffic/flow.c run/traffic/short.c run/traffic/sockets.c
PARTS_fuzz_http := $(LOOK) $(filter-out %/dash.c,$(wildcard run/dash/*.c))
LIBS_fuzz_http += -lmicrohttpd
PARTS_fuzz_control := $(filter-out %/supervise.c,$(wildcard run/supervise/*.c)) $(PARTS_supervise)
LIBS_fuzz_control += $(call wrap,life_restart life_try_again reload_now reload_publish renew_is_due renew_ask stop_begin process_signal)
PARTS_fuzz_segment := $(LOOK)
PARTS_fuzz_recovery := $(MORTAL) $(STAGE_PARTS) $(SOCKETS) $(wildcard tests/harness/*.c)
LIBS_fuzz_recovery += $(call wrap,mmap munmap abort epoll_wait bell_sleep clock_gettime)

LIBS_weak := $(call wrap,syscall)

# gcc says x86_64-linux-gnu, clang x86_64-pc-linux-gnu; bpf_tracing.h calls it x86, and AArch64 arm64.
machine = $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
arch = $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(machine)))

# fits: what `make prebuilt` made for this machine of $(1), NAME.bpf, if that is of the sources as they are. listed: what $(1),
# NAME.bpf.c, was made of then.
fits = $(if $(filter no,$(PREBUILT)),,$(foreach f,$(wildcard run/*/$(1).$(arch).gz),$(shell sha256sum -c --status $(f:.gz=.sha256) && echo $(f))))
listed = $(foreach l,$(wildcard $(1:.c=.$(arch).sha256)),$(l) $(wildcard $(filter-out $(1),$(shell sed -n 's/^[0-9a-f]*  //p' $(l)))))

# Nothing below runs a compiler for these.
COMPILING := $(filter-out help clean lint format check quick deb prebuilt uninstall,$(or $(MAKECMDGOALS),all))
self := $(shell echo $$PPID)# this make, among several at once

# $(1): header, $(2): compiler options. `yes` if it is there.
has = $(shell printf '\043include <%s>\n' $(1) | $(CC) $(2) -E -x c - >/dev/null 2>&1 && echo yes)
# $(1): programs, $(2): packages
without = $(info make: without $(1): to have it, apt-get install $(2))$(eval RUN_PROGRAMS := $(filter-out $(1),$(RUN_PROGRAMS)))
ifneq ($(COMPILING),)
ifeq ($(and $(BPF),$(if $(and $(call has,bpf/libbpf.h),$(call has,gelf.h)),,no)),no)
$(call without,$(patsubst $(BUILD)/%.bpf.o,%,$(BPF)),libbpf-dev)
BPF :=
endif
ifeq ($(and $(BPF),$(or $(foreach f,$(BPF),$(call fits,$(notdir $(f:.o=)))),$(shell command -v clang),no)),no)
$(call without,$(patsubst $(BUILD)/%.bpf.o,%,$(BPF)),clang)
BPF :=
endif
ifeq ($(call has,microhttpd.h,$(CPPFLAGS)),)
$(call without,dash,libmicrohttpd-dev)
endif
ifeq ($(call has,ares.h,$(CPPFLAGS)),)
$(call without,scout,libc-ares-dev)
endif
endif
PROGRAMS := $(STAGES:%=$(BUILD)/%) $(RUN_PROGRAMS:%=$(BUILD)/%)

Q := $(if $(V),,@)
silent = $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(V)$(silent),,@printf '  %-7s %s\n' $(1) $(2))
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests check quick unit fuzz fuzzers bench lint format prebuilt deb install uninstall can-install clean help

all: $(PROGRAMS) $(PLUGINS) $(BPF) $(COMPLETION) $(BUILT_PAGES) $(BUILD)/full.conf ## build everything an operator runs

tests: all $(TEST_PROGRAMS:%=$(BUILD)/tests/%) $(TEST_PLUGINS) ## build the tests too

fuzzers: $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)

check: ## run every test; installs nothing (run/deps.sh test does)
	tests/run.sh --no-install

quick: ## run lint and the unit tests only
	tests/run.sh --no-install quick

unit: all $(BUILD)/tests/unit ## run the unit tests
	$(BUILD)/tests/unit

fuzz: ## fuzz one target, TARGET=config, or each, for SECONDS=60; what it found stays in build/fuzz/found
	@tests/fuzz/t_fuzz.sh "$(or $(SECONDS),60)" $(TARGET)

bench: tests ## measure every number in README.md
	tests/bench.sh

lint: ## all that can be checked without running anything
	tests/lint.sh

format: ## rewrite the sources as lint wants them
	tests/format.sh

deb: ## make the Debian packages ontime and ontime-dash, in build/deb
	@run/debian/build.sh

prebuilt: ## compile the BPF object anew that machines without clang use
	@run/latency/prebuilt.sh

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | while read -r target text; do \
		printf '  make %-9s %s\n' "$$target" "$$text"; done
	@sed -n '/^#   PREFIX/p; s/^#   \(SAN=\|MUTANT=\|NO_PROBES=\|V=\|CC,\)/  \1/p' Makefile | sed 's/^#   /  /'

PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec
SYSCONFDIR ?= $(if $(filter / /usr /usr/local,$(abspath $(PREFIX))),/etc,$(PREFIX)/etc)
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
INCLUDEDIR ?= $(PREFIX)/include
SYSTEMDUNITDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BASHCOMPDIR ?= $(DATADIR)/bash-completion/completions
ZSHCOMPDIR ?= $(DATADIR)/zsh/site-functions
FISHCOMPDIR ?= $(DATADIR)/fish/vendor_completions.d
INSTALL_DIRS := BINDIR LIBEXECDIR SYSCONFDIR DATADIR MANDIR INCLUDEDIR SYSTEMDUNITDIR SYSUSERSDIR BASHCOMPDIR ZSHCOMPDIR FISHCOMPDIR
MANPAGES ?= $(wildcard run/man/*.[1-9]) $(BUILT_PAGES)
install uninstall can-install: export WHERE = DESTDIR=$(DESTDIR)|$(foreach d,$(INSTALL_DIRS),$(d)=$($(d))|)
install uninstall can-install: export INTO = $(foreach d,$(INSTALL_DIRS),$(d)=$(abspath $($(d))))
install: export WHAT = $(PROGRAMS) $(PLUGINS) $(BPF) $(COMPLETION) $(MANPAGES) $(BUILD)/full.conf

install: can-install all ## install the programs, or below DESTDIR for a package
	@run/install.sh install

uninstall: can-install ## remove what install put there; a config that was changed stays
	@run/install.sh uninstall

can-install:
	@run/install.sh check

# Whatever writes a file that a target names, writes to a name of its own first: at no time can another make see half a file.
new = $@.$(self).new
done = mv $(new) $@

# $(1): file, $(2): the command that made, or will make, what depends on the file. Rewrites it when the command is another. Make 4.3 leaves
# the newline at the end of a long file now and then, so both are stripped.
same = $(and $(findstring x$(1)x,x$(2)x),$(findstring x$(2)x,x$(1)x))
record = $(if $(findstring n,$(firstword -$(MAKEFLAGS))),,$(if $(call same,$(strip $(file <$(1))),$(strip $(2))),,$(call rewrite,$(1),$(2))))
rewrite = $(shell mkdir -p $(dir $(1)))$(file >$(1).$(self).new,$(2))$(shell mv $(1).$(self).new $(1))

# $(1): the program's path below $(BUILD), $(2): its sources, $(3): its name
$(OBJ)/%.link: ; # written when the Makefile is read, but not by make -n
$(OBJ)/compile $(OBJ)/bpf.compile: ;
define program
$(BUILD)/$(1): $(call objects,$(sort $(2) $(PARTS_$(3)))) $(COMMON) $(OBJ)/$(1).link
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $$(ALL_LDFLAGS) $$(filter %.o,$$^) $(LIBS) $(LIBS_$(3)) -o $$(new) && $$(done)
ifneq ($(COMPILING),)
$$(call record,$(OBJ)/$(1).link,$$(CC) $$(ALL_LDFLAGS) $(2) $(PARTS_$(3)) $(COMMON) $$(LIBS) $$(LIBS_$(3)))
endif
endef
$(foreach s,$(STAGES),$(eval $(call program,$(s),$(wildcard $(s)/*.c),$(s))))
$(foreach p,$(RUN_PROGRAMS),$(eval $(call program,$(p),$(call run_files,$(p)),$(p))))
$(foreach t,$(FUZZ_TARGETS),$(eval $(call program,fuzz/$(t),tests/fuzz/$(t).c,fuzz_$(t))))
$(eval $(call program,weak,$(wildcard tests/models/*.c),weak))
$(foreach p,$(TEST_PROGRAMS),$(eval $(call program,tests/$(p),$(call test_files,$(p)) $(wildcard tests/harness/*.c),$(p))))

$(PLUGINS): $(BUILD)/plugins/%.so: $(OBJ)/edf/plugins/%.o
$(TEST_PLUGINS): $(BUILD)/%.so: $(OBJ)/%.o
$(PLUGINS) $(TEST_PLUGINS): $(OBJ)/plugins.link
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared $(SAN_FLAGS) $(LDFLAGS) $(filter %.o,$^) -o $(new) && $(done)

$(OBJ)/%.o: %.c $(OBJ)/compile | $(COMMANDS:%=$(OBJ)/options/%.h)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_CPPFLAGS) -MMD -MP -MT $@ -MF $(new)-d -c $< -o $(new) && mv $(new)-d $(@:.o=.d) && $(done)
$(OBJ)/edf/plugins/%.o $(OBJ)/tests/plugins/%.o: ALL_CFLAGS += -fPIC
# An example is built as a user's own plugin is: against the header that make install puts into INCLUDEDIR, and no other of ours.
$(OBJ)/edf/plugins/%.o: ALL_CPPFLAGS = -I$(OBJ)/include $(CPPFLAGS)
$(patsubst %.c,$(OBJ)/%.o,$(wildcard edf/plugins/*.c)): $(OBJ)/include/ontime/plugin.h
$(OBJ)/include/ontime/plugin.h: edf/plugin.h
	@mkdir -p $(@D)
	$(Q)cp $< $(new) && $(done)
$(OBJ)/run/stat/live.o: | $(OBJ)/have-ncurses
$(OBJ)/run/traffic/capture.o: | $(OBJ)/have-libpcap
$(call objects,$(wildcard tests/unit/*.c)): | $(OBJ)/have-cunit
$(OBJ)/run/dash/files.o: $(wildcard run/dash/page/* run/dash/vendor/*)

# What is made of the tables of options. Nothing that was built is run for it, so it works for another machine too.
$(OBJ)/options/%.h: run/options/%.options run/options/generate.sh run/options/read.awk run/options/header.awk
	@mkdir -p $(@D)
	$(Q)run/options/generate.sh header $< >$(new) && $(done)
$(BUILD)/completion/ontime.bash: for_shell = bash
$(BUILD)/completion/_ontime: for_shell = zsh
$(BUILD)/completion/ontime.fish: for_shell = fish
$(COMPLETION): $(TABLES) $(wildcard run/options/*.awk) run/options/generate.sh
	@mkdir -p $(@D)
	$(Q)run/options/generate.sh $(for_shell) $(TABLES) >$(new) && $(done)
$(BUILD)/man/%: run/man/%.in $(TABLES) $(wildcard run/options/*.awk) run/options/generate.sh
	@mkdir -p $(@D)
	$(Q)run/options/generate.sh page $< >$(new) && $(done)

# What a segment is made of: a build that declares it otherwise is told from this one, whatever LAYOUT_VERSION says.
$(OBJ)/layout-hash.h: common/shm/layout.h $(OBJ)/compile
	@mkdir -p $(@D)
	$(Q)$(CC) -E -std=gnu17 -D_GNU_SOURCE -Icommon $(CPPFLAGS) -MMD -MP -MT $@ -MF $(new)-d $< -o $(new)-i && \
		{ printf '#define LAYOUT_HASH 0x' && awk '/^# [0-9]+ "/ {keep = /"common\/shm\/layout[a-z_]*\.h"/; next} keep' $(new)-i | tr -d '[:space:]' | sha256sum | \
		sed 's/^\(.\{16\}\).*/\1ULL/'; } >$(new) && rm $(new)-i && mv $(new)-d $(@:.h=.d) && $(done)
HASHED := $(call objects,$(shell grep -ls LAYOUT_HASH common/shm/*.c))
$(HASHED): ALL_CPPFLAGS += -include $(OBJ)/layout-hash.h
$(HASHED): $(OBJ)/layout-hash.h

# The system calls of the machine that is built for, as its headers name them.
$(OBJ)/call-names.h: $(OBJ)/compile
	@mkdir -p $(@D)
	$(Q)printf '\043include <sys/syscall.h>\n' | $(CC) $(CPPFLAGS) -E -dM -x c - | \
		awk 'BEGIN {printf "#define CALL_NAMES"} /^#define __NR_[a-z][a-z0-9_]* / && $$2 !~ /__NR_(syscalls|arch_specific_syscall)$$/ \
		{n = $$2; sub(/__NR_/, "", n); printf " [%s] = \"%s\",", $$2, n} END {print ""}' >$(new) && $(done)
$(call objects,common/calls.c): ALL_CPPFLAGS += -include sys/syscall.h -include $(OBJ)/call-names.h
$(call objects,common/calls.c): $(OBJ)/call-names.h

# The keys of the configuration for people, as the sources of the parser have them: a commented configuration, and a page.
KEYS := $(patsubst %,common/%,config/keys.awk config/keys.txt units.h config/value.c config/table.c config/config.c)
$(BUILD)/full.conf: $(KEYS)
$(BUILD)/man/ontime.conf.5: $(KEYS) run/man/ontime.conf.5.in
$(BUILD)/full.conf $(BUILD)/man/ontime.conf.5:
	$(call say,KEYS,$@)
	@mkdir -p $(@D)
	$(Q)awk -f $^ >$(new) && $(done)

BPF_FLAGS = -target bpf -mcpu=v3 -D__TARGET_ARCH_$(arch) -O2 -g -fdebug-compilation-dir=. -Wall -Icommon -I. -Irun -I/usr/include/$(machine)-linux-gnu
$(BUILD)/%.bpf.o: $(OBJ)/bpf.compile
	$(call say,$(if $(call fits,$*.bpf),GUNZIP,BPF),$(or $(call fits,$*.bpf),$(filter %.c,$^)))
	@mkdir -p $(@D)
	$(Q)$(if $(call fits,$*.bpf),gzip -dc $(call fits,$*.bpf) >$(new),clang $(BPF_FLAGS) -MMD -MP -MT $@ -MF $(new)-d -c $(filter %.c,$^) -o $(new) && \
		mv $(new)-d $(OBJ)/$*.bpf.d) && $(done)
$(foreach f,$(wildcard run/*/*.bpf.c),$(eval $(BUILD)/$(notdir $(f:.c=.o)): $(f) $(call listed,$(f))))

# $(1): header, $(2): what it is called, $(3): which dependencies bring it
need = @printf '\043include <%s>\n' $(1) | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 || \
	{ echo "make: $(2) is missing: run/deps.sh $(3) installs it" >&2; exit 1; }; mkdir -p $(@D); touch $@

$(OBJ)/have-ncurses:
	$(call need,ncurses.h,ncurses,build)

$(OBJ)/have-libpcap:
	$(call need,pcap/pcap.h,libpcap,build)

$(OBJ)/have-cunit:
	$(call need,CUnit/CUnit.h,CUnit,test)

ifneq ($(COMPILING),)
$(call record,$(OBJ)/compile,$(CC) $(ALL_CFLAGS) $(ALL_CPPFLAGS))
$(call record,$(OBJ)/plugins.link,$(CC) $(SAN_FLAGS) $(LDFLAGS))
$(call record,$(OBJ)/bpf.compile,clang $(BPF_FLAGS)$(PREBUILT))
-include $(shell find $(OBJ) -name '*.d' 2>/dev/null)
endif
