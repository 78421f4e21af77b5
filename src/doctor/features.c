// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel can do, asked for by trial wherever that is possible. */
#include "doctor/findings.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/types.h"
#include "probe/attach.h"
#include "probe/empty.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe/type"
#define BPF_JIT "/proc/sys/net/core/bpf_jit_enable"

struct trial {
	bool privileged;
	int load_error;		/* of an empty program; where it fails, all trials do */
	struct btf *types;	/* the kernel's; NULL: not known */
	int argument;		/* of this question */
};

static enum answer answer(bool yes)
{
	return yes ? ANSWER_YES : ANSWER_NO;
}

/* Of a file descriptor that a trial was to make. */
static enum answer answer_and_close(int fd)
{
	if (fd >= 0)
		close(fd);
	return answer(fd >= 0);
}

/* ---- files ---- */

static enum answer has_types(const struct trial *trial)
{
	if (trial->types)
		return ANSWER_YES;
	return access(KERNEL_BTF, F_OK) ? ANSWER_NO : ANSWER_UNKNOWN;
}

static enum answer has_uprobe_events(__unused const struct trial *trial)
{
	return answer(!access(UPROBE_PMU, R_OK));
}

static enum answer has_jit(__unused const struct trial *trial)
{
	FILE *in = fopen(BPF_JIT, "re");
	int value, n;

	if (!in)
		return errno == ENOENT ? ANSWER_NO : ANSWER_UNKNOWN;
	n = fscanf(in, "%d", &value);
	fclose(in);
	return n == 1 ? answer(value) : ANSWER_UNKNOWN;
}

/* ---- programs ---- */

static bool is_denied(const struct trial *trial)
{
	return trial->load_error == -EPERM || trial->load_error == -EACCES;
}

/* With all capabilities it is something else that forbids it: a user namespace, seccomp. */
static enum answer loads_programs(const struct trial *trial)
{
	if (is_denied(trial) && !trial->privileged)
		return ANSWER_UNKNOWN;
	return answer(!trial->load_error);
}

static enum answer has_links(const struct trial *trial)
{
	return answer(probe__has_links(trial->argument));
}

/*
 * In programs on uprobes. A call of it without its arguments is refused anyway; the verifier's words
 * say why. libbpf_probe_bpf_helper() of libbpf 1.1 does not know the last, of newer kernels.
 */
static enum answer has_helper(const struct trial *trial)
{
	static const char *const refusals[] = { "invalid func ", "unknown func ",
						"cannot use helper " };
	const struct bpf_insn program[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = trial->argument },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	char log[4096] = "";
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = sizeof(log),
		    .log_level = 1);
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "helper", "GPL", program, 2, &opts);

	if (fd >= 0)
		return answer_and_close(fd);
	if (!*log)
		return ANSWER_UNKNOWN;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (strstr(log, refusals[i]))
			return ANSWER_NO;
	return ANSWER_YES;
}

static enum answer has_program_type(const struct trial *trial)
{
	int has;

	has = libbpf_probe_bpf_prog_type(trial->argument, NULL);
	return has < 0 ? ANSWER_UNKNOWN : answer(has);
}

/* x = 0; fetch and add x to x */
static enum answer has_atomics(__unused const struct trial *trial)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_10, .off = -8 },
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_10, .off = -8,
		  .imm = BPF_ADD | BPF_FETCH },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return answer_and_close(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "atomics", "GPL", program,
					      sizeof(program) / sizeof(program[0]), NULL));
}

/* An empty program for a place in the kernel that its types describe. -ENOENT: there is none. */
static int load_at_type(const struct trial *trial, const char *name, int kind, int attach_type)
{
	const struct bpf_insn nothing[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);
	int id = btf__find_by_name_kind(trial->types, name, kind);

	if (id < 0)
		return -ENOENT;
	opts.attach_btf_id = id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "GPL", nothing, 2, &opts);
}

static const char *const tracepoints[] = {
	"btf_trace_sched_process_exec",
	"btf_trace_sched_process_exit",
	"btf_trace_task_rename",
	"btf_trace_sched_process_fork",
	"btf_trace_cgroup_attach_task",
};

static enum answer has_tracepoint(const struct trial *trial)
{
	int prog_fd, fd;

	prog_fd = load_at_type(trial, tracepoints[trial->argument], BTF_KIND_TYPEDEF,
			       BPF_TRACE_RAW_TP);
	if (prog_fd < 0)
		return ANSWER_NO;
	fd = bpf_raw_tracepoint_open(NULL, prog_fd);
	close(prog_fd);
	return answer_and_close(fd);
}

static int load_iterator(const struct trial *trial)
{
	return load_at_type(trial, "bpf_iter_task_vma", BTF_KIND_FUNC, BPF_TRACE_ITER);
}

static enum answer has_iterator(const struct trial *trial)
{
	return answer_and_close(load_iterator(trial));
}

/* Kernels that know no such choice refuse one that has bytes beyond those that they know. */
static enum answer has_iterator_of_one(const struct trial *trial)
{
	union bpf_iter_link_info info = { .task.pid = getpid() };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	int prog_fd = load_iterator(trial), fd;

	if (prog_fd < 0)
		return ANSWER_NO;
	fd = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, &opts);
	close(prog_fd);
	return answer_and_close(fd);
}

/*
 * Since 6.12 a hit goes through a uprobe's consumers under SRCU, before under a semaphore that all
 * CPUs write (kernel/events/uprobes.c). The list that came with it can be seen in the types.
 */
static enum answer has_lockless_hits(const struct trial *trial)
{
	const struct btf_type *consumer;
	int id;

	id = btf__find_by_name_kind(trial->types, "uprobe_consumer", BTF_KIND_STRUCT);
	if (id < 0)
		return ANSWER_UNKNOWN;
	consumer = btf__type_by_id(trial->types, id);
	for (int i = 0; i < btf_vlen(consumer); i++) {
		const struct btf_member *member = &btf_members(consumer)[i];

		if (!strcmp(btf__name_by_offset(trial->types, member->name_off), "cons_node"))
			return ANSWER_YES;
	}
	return ANSWER_NO;
}

/* ---- tables ---- */

static enum answer has_ring_buffer(__unused const struct trial *trial)
{
	return answer_and_close(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "ring", 0, 0,
					       sysconf(_SC_PAGESIZE), NULL));
}

static int make_array(uint32_t count, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "array", sizeof(uint32_t), sizeof(uint64_t),
			      count, &opts);
}

static enum answer has_mapped_arrays(__unused const struct trial *trial)
{
	long page = sysconf(_SC_PAGESIZE);
	void *mapped;
	int fd;

	fd = make_array(1, BPF_F_MMAPABLE);
	if (fd < 0)
		return ANSWER_NO;
	mapped = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mapped == MAP_FAILED)
		return ANSWER_NO;
	munmap(mapped, page);
	return ANSWER_YES;
}

enum { ONE_BY_ONE, IN_BATCHES };

/* A table made for arrays of one length takes one of another. */
static enum answer has_arrays_of_arrays(const struct trial *trial)
{
	const uint32_t flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP, zero = 0;
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int one, two, outer = -1;
	uint32_t count = 1;
	bool takes;

	one = make_array(1, flags);
	two = make_array(2, flags);
	opts.inner_map_fd = one;
	if (one >= 0 && two >= 0)
		outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "outer", sizeof(uint32_t),
				       sizeof(uint32_t), 1, &opts);
	if (trial->argument == IN_BATCHES)
		takes = outer >= 0 && !bpf_map_update_batch(outer, &zero, &two, &count, NULL);
	else
		takes = outer >= 0 && !bpf_map_update_elem(outer, &zero, &two, BPF_ANY);
	answer_and_close(one);
	answer_and_close(two);
	answer_and_close(outer);
	return answer(takes);
}

static enum answer has_batches(__unused const struct trial *trial)
{
	uint64_t key = 1, value = 2;
	uint32_t token, count = 1;
	bool reads;
	int fd;

	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "hash", sizeof(key), sizeof(value), 1, NULL);
	if (fd < 0)
		return ANSWER_UNKNOWN;
	reads = !bpf_map_update_elem(fd, &key, &value, BPF_ANY);
	/* -ENOENT: that was the last batch. */
	if (reads && bpf_map_lookup_batch(fd, NULL, &token, &key, &value, &count, NULL))
		reads = errno == ENOENT;
	close(fd);
	return answer(reads && count == 1);
}

/* ---- all of them ---- */

#define TOO_OLD "take a newer kernel: Linux 5.17 has all that is needed"
#define NO_EVENTS "take a kernel with CONFIG_BPF_EVENTS=y"

enum {
	LOADING = 1 << 0,
	TYPES = 1 << 1,
};

static const struct {
	const char *key, *title, *how, *without;
	enum need need;
	unsigned int takes;	/* what has to be there to ask */
	enum answer (*ask)(const struct trial *trial);
	int argument;
} table[] = {
	{ "btf", "types of the kernel (BTF)", "file read",
	  "take a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions' kernels have",
	  NEEDED, 0, has_types, 0 },
	{ "programs", "programs for probes", "trial load",
	  NO_EVENTS "; a container may forbid bpf(2)",
	  NEEDED, 0, loads_programs, 0 },
	{ "jit", "compiler for programs (JIT)", "file read",
	  "switch it on: sysctl net.core.bpf_jit_enable=1", NEEDED, 0, has_jit, 0 },
	{ "uprobe_session", "uprobe.session links", "trial link",
	  "hits cost more, and detaching takes seconds",
	  USEFUL, LOADING, has_links, TRACE_UPROBE_SESSION },
	{ "uprobe_multi", "uprobe.multi links", "trial link",
	  "as for uprobe.session, which needs it",
	  USEFUL, LOADING, has_links, TRACE_UPROBE_MULTI },
	{ "uprobe_event", "uprobes as perf events", "file read",
	  "take a kernel with CONFIG_UPROBE_EVENTS=y",
	  NEEDED_WITHOUT_SESSIONS, 0, has_uprobe_events, 0 },
	{ "uprobe_lockless", "hits without shared locks", "BTF",
	  "threads that allocate on many CPUs wait for each other",
	  USEFUL, TYPES, has_lockless_hits, 0 },
	{ "attach_cookie", "attach cookies", "trial load",
	  TOO_OLD, NEEDED, LOADING, has_helper, BPF_FUNC_get_attach_cookie },
	{ "bpf_loop", "loops (bpf_loop)", "trial load",
	  TOO_OLD, NEEDED, LOADING, has_helper, BPF_FUNC_loop },
	{ "task_storage", "task storage for tracing", "trial load",
	  TOO_OLD, NEEDED, LOADING, has_helper, BPF_FUNC_task_storage_get },
	{ "send_signal", "signals from programs", "trial load",
	  TOO_OLD, NEEDED, LOADING, has_helper, BPF_FUNC_send_signal },
	{ "find_vma", "look-up of mappings (bpf_find_vma)", "trial load",
	  TOO_OLD, NEEDED, LOADING, has_helper, BPF_FUNC_find_vma },
	{ "probe_read_kernel", "reading the kernel's memory", "trial load",
	  "lift the kernel's lockdown: \"confidentiality\" forbids it",
	  NEEDED, LOADING, has_helper, BPF_FUNC_probe_read_kernel },
	{ "atomics", "atomic operations that fetch", "trial load",
	  TOO_OLD, NEEDED, LOADING, has_atomics, 0 },
	{ "syscall_programs", "programs run by user space", "trial load",
	  TOO_OLD, NEEDED, LOADING, has_program_type, BPF_PROG_TYPE_SYSCALL },
	{ "tp_exec", "tracepoint of exec (tp_btf)", "trial link",
	  NO_EVENTS, NEEDED, LOADING | TYPES, has_tracepoint, 0 },
	{ "tp_exit", "tracepoint of exit (tp_btf)", "trial link",
	  NO_EVENTS, NEEDED, LOADING | TYPES, has_tracepoint, 1 },
	{ "tp_rename", "tracepoint of rename (tp_btf)", "trial link",
	  NO_EVENTS, NEEDED, LOADING | TYPES, has_tracepoint, 2 },
	{ "tp_fork", "tracepoint of fork (tp_btf)", "trial link",
	  "--follow-fork is not possible", USEFUL, LOADING | TYPES, has_tracepoint, 3 },
	{ "tp_cgroup", "tracepoint of cgroups (tp_btf)", "trial link",
	  "--cgroup is not possible", USEFUL, LOADING | TYPES, has_tracepoint, 4 },
	{ "iter_vma", "iterator of mappings", "trial load",
	  TOO_OLD, NEEDED, LOADING | TYPES, has_iterator, 0 },
	{ "iter_vma_of_one", "the same of one process", "trial link",
	  "all processes' are gone through for it",
	  USEFUL, LOADING | TYPES, has_iterator_of_one, 0 },
	{ "ring_buffer", "ring buffers", "trial map",
	  TOO_OLD, NEEDED, LOADING, has_ring_buffer, 0 },
	{ "mapped_arrays", "arrays that can be mapped", "trial map",
	  TOO_OLD, NEEDED, LOADING, has_mapped_arrays, 0 },
	{ "arrays_of_arrays", "arrays of arrays of any length", "trial map",
	  TOO_OLD, NEEDED, LOADING, has_arrays_of_arrays, ONE_BY_ONE },
	{ "arrays_at_once", "many such arrays changed at once", "trial map",
	  "attaching takes 5 to 30 ms more a file",
	  USEFUL, LOADING, has_arrays_of_arrays, IN_BATCHES },
	{ "batches", "many entries read at once", "trial map",
	  TOO_OLD, NEEDED, LOADING, has_batches, 0 },
};

_Static_assert(sizeof(table) / sizeof(table[0]) <= MAX_FEATURES, "room for all");

static int say_nothing(__unused enum libbpf_print_level level, __unused const char *format,
		       __unused va_list args)
{
	return 0;
}

static enum answer ask(const struct trial *trial, size_t i)
{
	struct trial asked = *trial;

	asked.argument = table[i].argument;
	if (((table[i].takes & LOADING) && is_denied(trial)) ||
	    ((table[i].takes & TYPES) && !trial->types))
		return ANSWER_UNKNOWN;
	return table[i].ask(&asked);
}

void features__find(bool privileged, struct feature features[MAX_FEATURES], size_t *count)
{
	struct trial trial;
	int fd;

	libbpf_set_print(say_nothing);	/* that a trial fails is an answer */
	fd = empty_program__load(0);
	answer_and_close(fd);
	trial = (struct trial){
		.privileged = privileged,
		.load_error = fd < 0 ? fd : 0,
		.types = btf__parse(KERNEL_BTF, NULL),
	};
	*count = sizeof(table) / sizeof(table[0]);
	for (size_t i = 0; i < *count; i++)
		features[i] = (struct feature){
			.key = table[i].key,
			.title = table[i].title,
			.how = table[i].how,
			.without = table[i].without,
			.need = table[i].need,
			.answer = ask(&trial, i),
		};
	btf__free(trial.types);
}
