# SPDX-License-Identifier: GPL-2.0-or-later
# The programs that the system tests trace: $(WL)/PROGRAM.VARIANT.

WL := $(BUILD)/workloads
WL_FLAGS := -O2 -g -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-unused-parameter
WL_FP := -fno-omit-frame-pointer
WL_NOFP := -fomit-frame-pointer -fasynchronous-unwind-tables

# In how many ways a file can be built; everything but `fp` is without frame pointers.
variant_fp := $(WL_FP)
variant_nofp := $(WL_NOFP)
variant_lazy := $(WL_NOFP) -Wl,-z,lazy
variant_now := $(WL_NOFP) -Wl,-z,now
variant_plt := $(WL_NOFP) -fcf-protection=none -Wl,-z,lazy
variant_static := $(WL_NOFP) -static
variant_static-pie := $(WL_NOFP) -static-pie
variant_no-pie := $(WL_NOFP) -no-pie
variant_stripped := $(WL_NOFP) -s -DSTRIPPED
variant_no-eh-frame-hdr := $(WL_NOFP) -Wl,--no-eh-frame-hdr
variant_debug-frame := $(WL_NOFP) -fno-asynchronous-unwind-tables
variant_musl := $(WL_NOFP)
variant_musl-static := $(WL_NOFP) -static
variant_clang := $(WL_NOFP)

compiler_musl := musl-gcc
compiler_musl-static := musl-gcc
compiler_clang := $(CLANG)
wl_cc = $(or $(compiler_$*),gcc)

# What an allocator's program is linked with. Debian has no static mimalloc.
libs_jemalloc := -ljemalloc
libs_tcmalloc := -ltcmalloc
libs_tcmalloc_minimal := -ltcmalloc_minimal
libs_mimalloc := -lmimalloc
# truth.o asks for what only libc's malloc has, which brings all of it.
libs_static-jemalloc := -static -ljemalloc -lm -Wl,-z,muldefs
libs_static-pie-jemalloc := -static-pie -ljemalloc_pic -lm -Wl,-z,muldefs
libs_static-tcmalloc := -static -ltcmalloc_minimal -Wl,-z,muldefs
libs_static-pie-tcmalloc := -static-pie -ltcmalloc_minimal -Wl,-z,muldefs
# In the executable itself, which has no symbols but the dynamic ones.
libs_stripped-jemalloc := -rdynamic -Wl,-Bstatic -ljemalloc -Wl,-Bdynamic -lm
libs_stripped-tcmalloc := -rdynamic -Wl,-Bstatic -ltcmalloc_minimal -Wl,-Bdynamic
after_stripped-jemalloc = $(after_debug-frame)
after_stripped-tcmalloc = $(after_debug-frame)

# Without .eh_frame; .debug_frame and all the names are in a separate file.
after_debug-frame = objcopy --only-keep-debug $@ $@.debug && \
	objcopy --strip-all --add-gnu-debuglink=$@.debug $@

WL_PROGRAMS := \
	$(addprefix alloc.,fp nofp musl musl-static) \
	$(addprefix threads.,fp nofp musl) \
	$(addprefix containers.,fp nofp) \
	operators.libstdc++ $(addprefix operators.,$(patsubst libs_%,%,$(filter libs_%,$(.VARIABLES)))) \
	jemalloc tcmalloc mimalloc pool fibers.pool fibers.heap nops.mcount nops.patchable \
	$(addprefix lifecycle.,fp) \
	$(addprefix processes.,nofp musl static) \
	$(addprefix quick.,nofp musl-static) become.musl-static crowd.nofp \
	$(addprefix grow.,nofp stripped) \
	$(addprefix maps.,nofp static static-pie musl musl-static) \
	$(addprefix snapshots.,nofp musl) \
	$(addprefix samples.,nofp musl) absurd.nofp hide.nofp made.nofp \
	$(addprefix loader.,fp nofp) plugin1.so plugin2.so \
	$(addprefix stacks.,$(patsubst variant_%,%,$(filter variant_%,$(.VARIABLES)))) \
	bare

.PHONY: workloads
workloads: $(addprefix $(WL)/,$(WL_PROGRAMS)) ## the programs that the system tests trace

WL_TRUTH := tests/workloads/truth.c tests/workloads/truth.h

define wl_rule
$$(WL)/$(1).%: $(2) $$(WL_TRUTH) tests/workloads/workloads.mk
	$$(call msg,WORKLOAD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(wl_cc) -std=gnu11 $$(WL_FLAGS) $$(variant_$$*) -o $$@ $$(filter %.c %.S,$$^) $(3)
	$$(Q)$$(after_$$*)
endef

$(eval $(call wl_rule,alloc,tests/workloads/alloc.c))
$(eval $(call wl_rule,threads,tests/workloads/threads.c))
$(eval $(call wl_rule,lifecycle,tests/workloads/lifecycle.c))
$(eval $(call wl_rule,processes,tests/workloads/processes.c))
$(eval $(call wl_rule,maps,tests/workloads/maps.c))
$(eval $(call wl_rule,snapshots,tests/workloads/snapshots.c))
$(eval $(call wl_rule,samples,tests/workloads/samples.c))
$(eval $(call wl_rule,absurd,tests/workloads/absurd.c,-fno-builtin))
$(eval $(call wl_rule,hide,tests/workloads/hide.c))
$(eval $(call wl_rule,made,tests/workloads/made.c))
$(eval $(call wl_rule,loader,tests/workloads/loader.c,-rdynamic))
$(eval $(call wl_rule,stacks,tests/workloads/stacks.c tests/workloads/stacks_asm.S))

define wl_rule_untold
$$(WL)/$(1).%: tests/workloads/$(1).c tests/workloads/workloads.mk
	$$(call msg,WORKLOAD,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(wl_cc) -std=gnu11 $$(WL_FLAGS) $$(variant_$$*) -o $$@ $$<
endef

$(eval $(call wl_rule_untold,quick))
$(eval $(call wl_rule_untold,become))
$(eval $(call wl_rule_untold,grow))
$(eval $(call wl_rule_untold,crowd))

$(WL)/truth.o: $(WL_TRUTH)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 $(WL_FLAGS) -c -o $@ $<

$(WL)/containers.%: tests/workloads/containers.cc $(WL)/truth.o tests/workloads/workloads.mk
	$(call msg,WORKLOAD,$@)
	$(Q)g++ -std=gnu++17 $(WL_FLAGS) $(variant_$*) -o $@ $(filter %.cc %.o,$^)

$(WL)/operators.%: tests/workloads/operators.cc $(WL)/truth.o tests/workloads/workloads.mk
	$(call msg,WORKLOAD,$@)
	$(Q)g++ -std=gnu++17 $(WL_FLAGS) $(WL_NOFP) -o $@ $(filter %.cc %.o,$^) $(libs_$*)
	$(Q)$(after_$*)

$(WL)/pool: tests/workloads/pool.cc tests/workloads/pool_user.cc $(WL)/truth.o tests/workloads/workloads.mk
	$(call msg,WORKLOAD,$@)
	$(Q)g++ -std=gnu++17 $(WL_FLAGS) $(WL_NOFP) -o $@ $(filter %.cc %.o,$^)

# A nop of five bytes at the beginning of each function.
flags_mcount := -pg -mfentry -mnop-mcount
compiler_patchable := $(CLANG)
flags_patchable := -fpatchable-function-entry=5

$(WL)/nops.%: tests/workloads/nops.c $(WL)/truth.o tests/workloads/workloads.mk
	$(call msg,WORKLOAD,$@)
	$(Q)$(wl_cc) -std=gnu11 $(WL_FLAGS) -fasynchronous-unwind-tables -fno-pie -fno-builtin \
		$(flags_$*) -c -o $@.o $<
	$(Q)gcc -no-pie -rdynamic -o $@ $@.o $(WL)/truth.o

flags_heap := -DHEAP -fno-builtin -rdynamic
boost := $(if $(wildcard /usr/include/boost/context),-DBOOST -lboost_context)

$(WL)/fibers.%: tests/workloads/fibers.cc $(WL)/truth.o tests/workloads/workloads.mk
	$(call msg,WORKLOAD,$@)
	$(Q)g++ -std=gnu++17 $(WL_FLAGS) $(WL_NOFP) $(flags_$*) -o $@ \
		$(filter %.cc %.o,$^) $(boost)

$(WL)/jemalloc $(WL)/tcmalloc $(WL)/mimalloc: $(WL)/%: tests/workloads/%.c $(WL)/truth.o \
		tests/workloads/workloads.mk
	$(call msg,WORKLOAD,$@)
	$(Q)gcc -std=gnu11 $(WL_FLAGS) $(WL_NOFP) -o $@ $(filter %.c %.o,$^) -l$*

$(WL)/plugin%.so: tests/workloads/plugin.c tests/workloads/truth.h
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 $(WL_FLAGS) $(WL_NOFP) -fPIC -shared -DPLUGIN=$* -o $@ $<

$(WL)/bare: tests/workloads/bare.S
	$(call msg,WORKLOAD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -nostdlib -static -o $@ $<
