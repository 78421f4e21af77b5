# SPDX-License-Identifier: GPL-2.0-or-later
# memtracebpf: build, try, test, install. `make help` lists the targets.

VERSION := 0.1.0
PREFIX ?= /usr/local
BUILD ?= build
CLANG ?= clang
BPFTOOL ?= $(or $(shell command -v bpftool),/usr/sbin/bpftool)
PYTHON ?= /usr/bin/python3
ARCH := $(shell uname -m)
JOBS := $(shell nproc)

ifeq ($(V),1)
Q =
msg =
else
Q = @
msg = @printf '  %-8s %s\n' '$(1)' '$(2)';
endif

# make -s
ifneq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
msg =
endif

CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Werror
ifeq ($(SANITIZE),1)
override BUILD := $(BUILD)/sanitize
SAN := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
# cmocka's tests have a parameter that few of them use.
$(BUILD)/tests/%.o $(BUILD)/fuzz_unwind $(BUILD)/fuzz_pprof: WARN += -Wno-unused-parameter -Wno-missing-field-initializers

ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARN) $(SAN) $(VARIANT:%=-D%) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' \
	-Isrc -Iinclude -I$(BUILD) -MMD -MP
LIBS := -lbpf -ldw -lelf -lz -lzstd -llzma -lprotobuf-c -lZydis -liberty -lpthread -lm

SRCS := $(sort $(wildcard src/*.c src/*/*.c))
PROFILE := src/snapshot/profile.pb-c
OBJS := $(SRCS:%.c=$(BUILD)/%.o) $(BUILD)/$(PROFILE).o
BIN := $(BUILD)/memtracebpf
SKEL := $(BUILD)/memtracebpf.skel.h

.PHONY: all
all: $(BIN) ## build memtracebpf into build/

$(BIN): $(OBJS)
	$(call msg,LINK,$@)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c
	$(call msg,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/$(PROFILE).c: src/snapshot/profile.proto
	$(call msg,PROTO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(@D) $<

$(BUILD)/$(PROFILE).o: $(BUILD)/$(PROFILE).c
	$(call msg,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/src/snapshot/pprof_read.o $(BUILD)/src/snapshot/pprof_write.o: $(BUILD)/$(PROFILE).c

# Only the loader of the kernel half sees the skeleton.
$(filter $(BUILD)/src/collect/%,$(OBJS)): $(SKEL)

$(BUILD)/memtracebpf.bpf.o: bpf/memtracebpf.bpf.c
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Werror \
		-Ivmlinux/$(ARCH) -Iinclude -Ibpf -MMD -MP -c -o $@ $<

$(SKEL): $(BUILD)/memtracebpf.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name memtracebpf_bpf > $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- tests ----

# tests/unit/test_X.c links with what it tests and nothing else.
BASE := src/base/log.c src/base/progress.c src/base/text.c
PATHS := $(addprefix src/process/,path.c process.c rights.c root.c view.c)
SNAPSHOT := $(wildcard src/snapshot/*.c) $(PROFILE).c $(PATHS) $(BASE)
unit_snapshot := $(SNAPSHOT)
unit_pprof := $(SNAPSHOT)
unit_report := $(wildcard src/report/*.c) $(SNAPSHOT)
unit_processes := $(unit_report)
unit_cli := $(wildcard src/cli/*.c) src/probe/custom.c src/probe/allocators.c $(SNAPSHOT)
unit_regions := src/collect/regions.c
unit_jit_map := src/collect/jit_map.c $(PATHS) $(BASE)
ELF := $(wildcard src/elf/*.c)
unit_symbol := $(wildcard src/symbol/*.c) $(ELF) $(SNAPSHOT)
unit_unwind := $(wildcard src/unwind/*.c) $(ELF) $(BASE)
unit_unwind_libdw := $(unit_unwind)
unit_unwind_code := $(unit_unwind)
unit_walk := $(unit_unwind)
unit_probe := $(filter-out src/probe/attach.c src/probe/empty.c,$(wildcard src/probe/*.c)) \
	$(unit_unwind)
unit_exits := $(unit_probe)
unit_elf := $(filter-out $(BASE),$(sort $(unit_probe) $(unit_symbol))) src/base/progress.c
unit_mappers := $(unit_probe)
unit_doctor := $(addprefix src/doctor/,findings.c text.c json.c) src/report/format.c \
	src/base/text.c src/symbol/demangle.c
unit_path := $(PATHS) $(BASE)
unit_process := $(wildcard src/process/*.c) $(BASE)

UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BINS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/unit/%)

objects = $(1:%.c=$(BUILD)/%.o)

.SECONDEXPANSION:
$(BUILD)/unit/test_%: $(BUILD)/tests/unit/test_%.o $$(call objects,$$(unit_$$*))
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(filter-out -lbpf,$(LIBS))

.PHONY: unit-programs
unit-programs: $(UNIT_BINS) $(BUILD)/replay_unwind $(BUILD)/replay_pprof

.PHONY: unit
unit: unit-programs ## unit tests: no root, no BPF
	$(Q)for t in $(UNIT_BINS); do $$t || exit 1; done
	$(Q)$(BUILD)/replay_unwind tests/fuzz/corpus/unwind/*
	$(Q)$(BUILD)/replay_pprof tests/fuzz/corpus/pprof/*

FUZZ_UNWIND := tests/fuzz/fuzz_unwind.c $(wildcard src/unwind/*.c) $(ELF)

FUZZ_PPROF := tests/fuzz/fuzz_pprof.c $(wildcard src/report/*.c) $(SNAPSHOT)

$(BUILD)/replay_unwind: $(call objects,tests/fuzz/replay.c $(FUZZ_UNWIND))
$(BUILD)/replay_pprof: $(call objects,tests/fuzz/replay.c $(FUZZ_PPROF))
$(BUILD)/replay_unwind $(BUILD)/replay_pprof:
	$(call msg,LINK,$@)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(filter-out -lbpf,$(LIBS))

$(BUILD)/fuzz_unwind: $(FUZZ_UNWIND)
	$(call msg,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(ALL_CFLAGS) -fsanitize=fuzzer,address,undefined \
		-o $@ $(FUZZ_UNWIND) -lz -lzstd -llzma -lZydis

$(BUILD)/fuzz_pprof: $(FUZZ_PPROF:$(PROFILE).c=$(BUILD)/$(PROFILE).c)
	$(call msg,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(ALL_CFLAGS) -fsanitize=fuzzer,address,undefined \
		-o $@ $(filter %.c,$^) -lz -lprotobuf-c

.PHONY: fuzz
fuzz: $(BUILD)/fuzz_unwind $(BUILD)/fuzz_pprof ## read arbitrary unwind information, then profiles, for a minute each
	$(Q)mkdir -p $(BUILD)/corpus/unwind $(BUILD)/corpus/pprof
	$(Q)$(BUILD)/fuzz_unwind -max_total_time=60 -artifact_prefix=$(BUILD)/ \
		$(BUILD)/corpus/unwind tests/fuzz/corpus/unwind
	$(Q)$(BUILD)/fuzz_pprof -max_total_time=60 -artifact_prefix=$(BUILD)/ \
		$(BUILD)/corpus/pprof tests/fuzz/corpus/pprof

.PHONY: unwind-rows
unwind-rows: $(BUILD)/unwind_rows ## what is read from FILES="/usr/bin/python3.11 ..." to unwind stacks
	$(Q)$(BUILD)/unwind_rows $(FILES)

$(BUILD)/unwind_rows $(BUILD)/capture_stack: $(BUILD)/%: $(BUILD)/tools/%.o $(call objects,$(unit_unwind))
	$(call msg,LINK,$@)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(filter-out -lbpf,$(LIBS))

include tests/workloads/workloads.mk

$(BUILD)/demo-server: tools/demo/server.c
	$(call msg,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -D_GNU_SOURCE $(WARN) -o $@ $<

# ---- benchmarks ----

BENCH := $(BUILD)/bench

$(BENCH)/floor: $(call objects,tools/bench/floor.c $(wildcard src/probe/*.c src/process/*.c) \
		$(unit_unwind))
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BENCH)/naming: $(call objects,tools/bench/naming.c $(wildcard src/symbol/*.c) $(ELF) $(SNAPSHOT))
	$(call msg,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(filter-out -lbpf,$(LIBS))

$(BENCH)/loops: tools/bench/loops.c
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -fomit-frame-pointer -o $@ $< -lpthread

# 28 times the same unit, whose names are all local: 105 MB of DWARF for one compilation.
$(BENCH)/dwarf: tools/bench/dwarf.cc
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -std=c++17 -O1 -g -c -o $@.o $<
	$(Q)objcopy --localize-symbol=unit $@.o
	$(Q)echo 'int main(void) { return 0; }' | $(CC) -x c -c -o $@.main.o -
	$(Q)$(CXX) -o $@ $@.main.o $(foreach i,0 1 2 3,$(foreach j,0 1 2 3 4 5 6,$@.o))

.PHONY: bench-programs
bench-programs: $(addprefix $(BENCH)/,floor loops naming)

.PHONY: bench
bench: $(BIN) bench-programs $(BENCH)/dwarf ## what tracing costs, in ratios (as root)
	$(Q)BUILD=$(BUILD) $(PYTHON) tools/bench/bench.py $(BENCH_FLAGS)

# ---- install ----

BINDIR := $(DESTDIR)$(PREFIX)/bin
MANDIR := $(DESTDIR)$(PREFIX)/share/man/man8

.PHONY: install
install: $(BIN) ## install program and man page under PREFIX (/usr/local), in DESTDIR
	$(Q)install -D -m 755 $(BIN) $(BINDIR)/memtracebpf
	$(Q)install -D -m 644 docs/memtracebpf.8 $(MANDIR)/memtracebpf.8

.PHONY: uninstall
uninstall: ## take them away again
	$(Q)rm -f $(BINDIR)/memtracebpf $(MANDIR)/memtracebpf.8

# ---- style ----

# Stops with a sentence where one of $(1) is not installed.
needs = $(Q)for t in $(1); do command -v $$t >/dev/null || { \
	echo "make $@ needs $$t: apt-get install cppcheck clang clang-format clang-tidy shellcheck" >&2; \
	exit 1; }; done

.PHONY: fmt
fmt: ## format the lines that changed since the last commit
	$(call needs,git-clang-format)
	$(Q)git clang-format --quiet --force --extensions c,h HEAD -- src include bpf tests tools

# What cppcheck takes for mistakes and is none: a pointer that the caller still has; putc() of a
# negative char, which is converted (C11 7.21.7.3); a value that is read only if it was written; what
# HASH_ITER() walks over.
CPPCHECK := cppcheck --quiet --std=c11 --error-exitcode=1 \
	--enable=warning,performance,portability \
	--suppress=memleakOnRealloc:src/base/array.h \
	--suppress=invalidFunctionArg:src/report/tracemalloc.c \
	--suppress=legacyUninitvar:src/probe/attach.c \
	--suppress=uninitvar:src/collect/twins.c --suppress=uninitvar:src/snapshot/copies.c \
	--suppress=uninitvar:src/snapshot/names.c --suppress=uninitvar:src/coverage/coverage.c \
	'-DLIBBPF_OPTS(type,name,...)=struct type name = { __VA_ARGS__ }'

.PHONY: lint
lint: ## build with clang, cppcheck, clang-tidy, shellcheck; stops at a finding
	$(call needs,$(CLANG) cppcheck clang-tidy shellcheck)
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=$(CLANG) all unit-programs bench-programs
	$(call msg,LINT,cppcheck)
	$(Q)$(CPPCHECK) -D_GNU_SOURCE -DVERSION='""' -Isrc -Iinclude src
	$(call msg,LINT,guards)
	$(Q)! git grep -h '^#ifndef MT_' -- '*.h' | sort | uniq -d | grep .
	$(call msg,LINT,clang-tidy)
	$(Q)clang-tidy --quiet $(SRCS) -- -std=gnu11 -D_GNU_SOURCE -DVERSION='""' -Isrc -Iinclude \
		-I$(BUILD)/clang 2>/dev/null
	$(call msg,LINT,shellcheck)
	$(Q)shellcheck .ci/run $(wildcard tools/*.sh tools/kernels/* tests/*.sh)

# ---- what a fresh machine can say; sub-makes, because what they need is installed first ----

.PHONY: deps
deps: ## install what a Debian 12 machine lacks (as root)
	$(Q)tools/install-deps.sh

.PHONY: build-deps
build-deps:
	$(Q)tools/install-deps.sh build

.PHONY: as-root
as-root:
	@[ "$$(id -u)" = 0 ] || { echo "eBPF needs privileges: run this as root" >&2; exit 1; }

.PHONY: test
test: as-root deps ## install, build, run all tests (as root)
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all workloads
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) SANITIZE=1 unit-programs
	$(Q)BUILD=$(BUILD) PYTHON=$(PYTHON) tests/run.sh

.PHONY: bare
bare: as-root ## README's first commands and `make test` in a new, minimal Debian 12 (as root)
	$(Q)tools/bare.sh

.PHONY: field
field: all ## programs of Debian hold memory, and the first entry is who asked for it (as root)
	$(Q)BUILD=$(BUILD) $(PYTHON) -m pytest -q -p no:cacheprovider tests/field

.PHONY: soak
soak: all workloads ## some twenty minutes of all sorts of processes: no loss, no growth, no harm (as root)
	$(Q)BUILD=$(BUILD) $(PYTHON) -m pytest -q -p no:cacheprovider -m soak tests/system
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/soak.py
	$(Q)BUILD=$(BUILD) $(PYTHON) tests/zoo.py

VARIANTS := WITHOUT_SESSIONS WITHOUT_SHARED_ROOMS
.PHONY: variants $(VARIANTS)
variants: $(VARIANTS) ## system tests as if the kernel had less (TESTS="...", as root)
$(VARIANTS): workloads
	$(Q)mkdir -p $(BUILD)/$@
	$(Q)ln -sfn $(abspath $(BUILD))/workloads $(BUILD)/$@/workloads
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/$@ VARIANT=$@=1 all
	$(Q)BUILD=$(BUILD)/$@ $(PYTHON) -m pytest -q -p no:cacheprovider $(or $(TESTS),tests/system)

.PHONY: kernels
kernels: all workloads ## system tests on Debian's kernels, in qemu (some minutes)
	$(Q)BUILD=$(BUILD) tools/kernels.sh

.PHONY: demo
demo: as-root build-deps ## install, build, watch a leaking server (as root)
	@echo "Building memtracebpf"
	$(Q)$(MAKE) -s --no-print-directory -j$(JOBS) all $(BUILD)/demo-server
	$(Q)BUILD=$(BUILD) PYTHON=$(PYTHON) tools/demo.sh

.PHONY: clean
clean: ## remove what was built
	$(Q)rm -rf $(BUILD)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(filter %akefile %.mk,$(MAKEFILE_LIST)) | expand -t 20

.DELETE_ON_ERROR:
.SECONDARY:
