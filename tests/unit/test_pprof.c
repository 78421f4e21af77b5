// SPDX-License-Identifier: GPL-2.0-or-later
#include "books.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "needs.h"
#include "snapshot/pprof.h"

struct file {
	char directory[32], path[64];
};

static int setup(void **state)
{
	struct file *file = calloc(1, sizeof(*file));

	strcpy(file->directory, "/tmp/test_pprof.XXXXXX");
	assert_non_null(mkdtemp(file->directory));
	snprintf(file->path, sizeof(file->path), "%s/s.pb.gz", file->directory);
	*state = file;
	return 0;
}

static int teardown(void **state)
{
	struct file *file = *state;

	unlink(file->path);
	assert_int_equal(rmdir(file->directory), 0); /* nothing left behind */
	free(file);
	return 0;
}

/* A snapshot in which everything that can be said is said. */
static const struct snapshot_gap gap = {
	.pid = 4711,
	.comm = "a name",
	.grown = 30,
	.tracked = 20,
	.unseen = 10,
	.why = "Go: see pprof",
};

static struct snapshot *full_snapshot(struct names *names)
{
	struct snapshot *s = snapshot__new(names);
	const struct snapshot_process processes[] = {
		{ .pid = 4711, .comm = names__string(names, "redis server=1"), .size = 1000,
		  .count = 10, .peak_size = 1500, .since_ns = 1500000000,
		  .cgroup = names__string(names, "/a b/size=3/comm=x") },
		{ .pid = 12, .comm = names__string(names, "comm= x"), .size = 23, .count = 4,
		  .peak_size = 99 },
		{ .pid = 13 },
	};
	const struct names_frame inlined[] = {
		{ "std::vector<int>::f(int)", "/usr/include/v.h", 7, true },
		{ "g", NULL, 0, true },
		{ NULL, "/s/ü.cc", 4000000000, true },
		{ "outer", "/s/x.cc", 12, false },
	};
	uint32_t module, locations[7];

	names__module(names, "/usr/bin/x", "00ffaa", &module);
	names__location(names, module, 0x1234, false, &locations[0]);
	names__set_frames(names, locations[0], inlined, 4);
	names__location(names, module, 0x1234, true, &locations[1]);
	names__set_frames(names, locations[1], &inlined[3], 1);
	names__location(names, module, 0, false, &locations[2]); /* not looked at */
	names__location(names, 0, 0x7fff12345678, false, &locations[3]);
	names__module(names, "/lib/y.so", NULL, &module);
	names__location(names, module, 0xffffffffff, false, &locations[4]);
	names__set_frames(names, locations[4], &inlined[1], 1);
	names__module(names, NULL, "beef", &module);
	names__location(names, module, 77, true, &locations[5]);
	/* Another file with this path. */
	names__module_copy(names, "/lib/y.so", NULL, 1, &module);
	names__location(names, module, 0xffffffffff, false, &locations[6]);

	for (size_t i = 0; i < 3; i++)
		snapshot__add_process(s, &processes[i]);
	for (uint32_t stop = 0; stop < STOP_MAX; stop++) {
		struct trace trace = {
			.domain = stop % 2 ? names__string(names, "jemalloc") : NULL,
			.size = 1000 + stop,
			.count = stop,
			.alloc_size = 1ULL << 40,
			.alloc_count = 5,
			.peak_size = 70 + stop,
			.peak_count = 7,
			.temporary = stop,
			.usable_size = 2000 + stop,
			.oldest_ns = stop * 1000000000ULL,
			.size_variance = 0x1p80 * stop * stop,
			.count_variance = 9 * stop * stop,
			.size_class = stop * 8 % SIZE_CLASSES,
		};

		names__stack(names, locations + stop % 4, 4, stop, &trace.stack);
		snapshot__add_trace(s, stop % 4, &trace);
	}
	snapshot__add_trace(s, 0, &(struct trace){ .size = INT64_MAX, .count = INT64_MAX,
						   .size_class = SIZE_CLASS_UNKNOWN });
	s->time_ns = 1700000000123456789;
	s->elapsed_ns = 5000000001;
	s->nframe = 64;
	s->min_age_ns = 60000000000;
	s->coverage = (struct snapshot_coverage){ true, 30, 20, 10, calloc(1, sizeof(gap)), 1 };
	s->coverage.gaps[0] = gap;
	s->size = 123456;
	s->count = 789;
	s->peak_size = 1ULL << 63;
	for (int i = 0; i < LOST_MAX; i++)
		s->lost[i] = i * 3;
	for (int i = 0; i < STOP_MAX; i++)
		s->frames_cut[i] = i * 5;
	s->programs_skipped = 6;
	s->own_rss = 7;
	s->own_peak = 9;
	s->own_kernel = 8;
	s->ended = (struct snapshot_ended){ 9, 10, 11, 12, 13 };
	s->frees_inherited = 14;
	s->sample_bytes = 1ULL << 40;
	s->many = true;
	s->exited = true;
	s->how = names__string(names, "every call, by hand");
	s->note = names__string(names, "lost.thread=3\nanother allocator");
	return s;
}

static void assert_same_string(const char *a, const char *b)
{
	if (!a || !b)
		assert_ptr_equal(a, b);
	else
		assert_string_equal(a, b);
}

static void assert_same_location(const struct names *x, uint32_t i, const struct names *y,
				 uint32_t j)
{
	const struct names_location *a = names__get_location(x, i), *b = names__get_location(y, j);
	const struct names_module *m = names__get_module(x, a->module);
	const struct names_module *n = names__get_module(y, b->module);

	assert_same_string(m->path, n->path);
	assert_same_string(m->build_id, n->build_id);
	assert_int_equal(m->copy, n->copy);
	assert_int_equal(a->offset, b->offset);
	assert_int_equal(a->exact, b->exact);
	if (!a->nframes) { /* comes back as one unknown frame */
		assert_int_equal(b->nframes, 1);
		assert_null(b->frames[0].function);
		return;
	}
	assert_int_equal(a->nframes, b->nframes);
	for (uint32_t f = 0; f < a->nframes; f++) {
		assert_same_string(a->frames[f].function, b->frames[f].function);
		assert_same_string(a->frames[f].file, b->frames[f].file);
		assert_int_equal(a->frames[f].line, b->frames[f].line);
		assert_int_equal(b->frames[f].inlined, f + 1 < b->nframes);
	}
}

static void assert_same_trace(const struct snapshot *x, const struct trace *a,
			      const struct snapshot *y, const struct trace *b)
{
	struct names_stack s = names__get_stack(x->names, a->stack);
	struct names_stack t = names__get_stack(y->names, b->stack);

	assert_same_string(a->domain, b->domain);
	assert_int_equal(a->size, b->size);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->alloc_size, b->alloc_size);
	assert_int_equal(a->alloc_count, b->alloc_count);
	assert_int_equal(a->peak_size, b->peak_size);
	assert_int_equal(a->peak_count, b->peak_count);
	assert_int_equal(a->temporary, b->temporary);
	assert_int_equal(a->usable_size, b->usable_size);
	assert_int_equal(a->oldest_ns, b->oldest_ns);
	assert_int_equal(a->size_class, b->size_class);
	assert_true(a->size_variance == b->size_variance);
	assert_true(a->count_variance == b->count_variance);
	assert_int_equal(s.stop, t.stop);
	assert_int_equal(s.nlocations, t.nlocations);
	for (uint32_t l = 0; l < s.nlocations; l++)
		assert_same_location(x->names, s.locations[l], y->names, t.locations[l]);
}

static void assert_same(const struct snapshot *x, const struct snapshot *y)
{
	assert_int_equal(x->time_ns, y->time_ns);
	assert_int_equal(x->elapsed_ns, y->elapsed_ns);
	assert_int_equal(x->nframe, y->nframe);
	assert_int_equal(x->min_age_ns, y->min_age_ns);
	assert_int_equal(x->coverage.measured, y->coverage.measured);
	assert_int_equal(x->coverage.grown, y->coverage.grown);
	assert_int_equal(x->coverage.tracked, y->coverage.tracked);
	assert_int_equal(x->coverage.unseen, y->coverage.unseen);
	assert_int_equal(x->coverage.ngaps, y->coverage.ngaps);
	for (size_t i = 0; i < x->coverage.ngaps; i++) {
		assert_int_equal(x->coverage.gaps[i].pid, y->coverage.gaps[i].pid);
		assert_int_equal(x->coverage.gaps[i].unseen, y->coverage.gaps[i].unseen);
		assert_string_equal(x->coverage.gaps[i].comm, y->coverage.gaps[i].comm);
		assert_string_equal(x->coverage.gaps[i].why, y->coverage.gaps[i].why);
	}
	assert_int_equal(x->size, y->size);
	assert_int_equal(x->count, y->count);
	assert_int_equal(x->peak_size, y->peak_size);
	assert_memory_equal(x->lost, y->lost, sizeof(x->lost));
	assert_memory_equal(x->frames_cut, y->frames_cut, sizeof(x->frames_cut));
	assert_int_equal(x->own_rss, y->own_rss);
	assert_int_equal(x->own_peak, y->own_peak);
	assert_int_equal(x->own_kernel, y->own_kernel);
	assert_memory_equal(&x->ended, &y->ended, sizeof(x->ended));
	assert_int_equal(x->frees_inherited, y->frees_inherited);
	assert_int_equal(x->sample_bytes, y->sample_bytes);
	assert_int_equal(x->without_variances, y->without_variances);
	assert_int_equal(x->many, y->many);
	assert_int_equal(x->exited, y->exited);
	assert_int_equal(x->without_details, y->without_details);
	assert_int_equal(x->programs_skipped, y->programs_skipped);
	assert_same_string(x->how, y->how);
	assert_same_string(x->note, y->note);
	assert_int_equal(x->nprocesses, y->nprocesses);
	for (size_t i = 0; i < x->nprocesses; i++) {
		assert_int_equal(x->processes[i].pid, y->processes[i].pid);
		assert_same_string(x->processes[i].comm, y->processes[i].comm);
		assert_same_string(x->processes[i].cgroup, y->processes[i].cgroup);
		assert_int_equal(x->processes[i].since_ns, y->processes[i].since_ns);
		assert_int_equal(x->processes[i].size, y->processes[i].size);
		assert_int_equal(x->processes[i].count, y->processes[i].count);
		assert_int_equal(x->processes[i].peak_size, y->processes[i].peak_size);
	}
	for (size_t i = 0; i <= x->nprocesses; i++) {
		const struct traces *a = snapshot__traces(x, i), *b = snapshot__traces(y, i);

		assert_int_equal(a->count, b->count);
		for (size_t j = 0; j < a->count; j++)
			assert_same_trace(x, &a->items[j], y, &b->items[j]);
	}
}

static void test_round_trip(void **state)
{
	struct file *file = *state;
	struct names *names = names__new(), *back = names__new();
	struct snapshot *snapshot = full_snapshot(names), *read, *again;
	struct stat st;

	assert_int_equal(pprof__write(snapshot, file->path), 0);
	assert_int_equal(stat(file->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(pprof__read(file->path, back, &read), 0);
	assert_same(snapshot, read);

	/* And once more, from what was read, into names that are not empty. */
	assert_int_equal(pprof__write(read, file->path), 0);
	assert_int_equal(pprof__read(file->path, names, &again), 0);
	assert_same(read, again);

	snapshot__free(snapshot);
	snapshot__free(read);
	snapshot__free(again);
	names__free(names);
	names__free(back);
}

static void test_empty_snapshot(void **state)
{
	struct file *file = *state;
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names), *read;

	assert_int_equal(pprof__write(snapshot, file->path), 0);
	assert_int_equal(pprof__read(file->path, names, &read), 0);
	assert_same(snapshot, read);
	snapshot__free(snapshot);
	snapshot__free(read);
	names__free(names);
}

/* Errors are sentences on stderr: not in the output of the tests. */
static int silently(int (*call)(void *), void *argument)
{
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY), err;

	dup2(null, STDERR_FILENO);
	err = call(argument);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	return err;
}

static int try_read(void *path)
{
	struct names *names = names__new();
	struct snapshot *snapshot = NULL;
	int err = pprof__read(path, names, &snapshot);

	snapshot__free(snapshot);
	names__free(names);
	return err;
}

static int try_write(void *path)
{
	struct names *names = names__new();
	struct snapshot *snapshot = full_snapshot(names);
	int err = pprof__write(snapshot, path);

	snapshot__free(snapshot);
	names__free(names);
	return err;
}

/* An older file survives an attempt that fails; nothing else is left behind (see teardown). */
static void test_whole_or_not_at_all(void **state)
{
	struct file *file = *state;
	char path[96];

	snprintf(path, sizeof(path), "%s/missing/s.pb.gz", file->directory);
	assert_int_equal(silently(try_write, path), -ENOENT);
	assert_int_equal(mkdir(file->path, 0700), 0);
	assert_int_equal(silently(try_write, file->path), -EISDIR);
	assert_int_equal(silently(try_read, file->path), -EISDIR);
	assert_int_equal(rmdir(file->path), 0);
}

static void test_numbered_paths(void **state)
{
	static const char *const cases[][2] = {
		{ "a.pb.gz", "a.2.pb.gz" },	{ "d.d/a.pb.gz", "d.d/a.2.pb.gz" },
		{ "/d.d/a", "/d.d/a.2" },	{ ".a", ".a.2" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *path = pprof__numbered_path(cases[i][0], 2);

		assert_string_equal(path, cases[i][1]);
		free(path);
	}
}

static void write_file(const char *path, const void *data, size_t size)
{
	FILE *out = fopen(path, "w");

	assert_int_equal(fwrite(data, 1, size, out), size);
	fclose(out);
}

/* Cut off anywhere, it is refused. */
static void test_truncated(void **state)
{
	struct file *file = *state;
	static uint8_t data[65536];
	size_t size;
	FILE *in;

	assert_int_equal(try_write(file->path), 0);
	in = fopen(file->path, "r");
	size = fread(data, 1, sizeof(data), in);
	fclose(in);
	for (size_t i = 0; i < size; i++) {
		write_file(file->path, data, i);
		assert_int_equal(silently(try_read, file->path), -EINVAL);
	}
	write_file(file->path, data, size);
	assert_int_equal(try_read(file->path), 0);
	data[size / 2] ^= 0x10;
	write_file(file->path, data, size);
	assert_int_equal(silently(try_read, file->path), -EINVAL);
	assert_int_equal(silently(try_read, "/nowhere/x.pb.gz"), -ENOENT);
}

/* ---- messages by hand ---- */

#define TYPES "\x32\0\x32\x05space\x32\x05""bytes\x0a\x04\x08\x01\x10\x02"
#define CASE(result, bytes) { result, bytes, sizeof(bytes) - 1 }

static void test_hostile_messages(void **state)
{
	static const struct {
		int result;
		const char *bytes;
		size_t size;
	} cases[] = {
		CASE(-EINVAL, ""), /* no sample type */
		CASE(0, TYPES),
		CASE(0, TYPES "\x12\x02\x10\x05"), /* a sample: value 5, not packed */
		CASE(0, TYPES "\x12\x03\x12\x01\x05"), /* packed */
		CASE(0, TYPES "\x98\x06\x01" "\x9a\x06\x02xx" "\x9d\x06zzzz" "\x99\x06zzzzzzzz"),
		CASE(-EINVAL, TYPES "\x12\x02\x10"), /* cut off */
		CASE(-EINVAL, TYPES "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		CASE(-EINVAL, TYPES "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		CASE(-EINVAL, TYPES "\x13"), /* a group */
		CASE(-EINVAL, TYPES "\x00\x01"), /* field 0 */
		CASE(-EINVAL, TYPES "\x10\x01"), /* a sample that is a number */
		CASE(-EINVAL, TYPES "\x12\x00"), /* no value */
		CASE(-EINVAL, TYPES "\x12\x04\x10\x05\x10\x06"), /* two values */
		/* value -1 */
		CASE(-EINVAL, TYPES "\x12\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		CASE(-EINVAL, TYPES "\x12\x04\x08\x01\x10\x05"), /* no such location */
		CASE(0, TYPES "\x12\x04\x08\x01\x10\x05\x22\x02\x08\x01"),
		CASE(-EINVAL, TYPES "\x22\x02\x08\x01\x22\x02\x08\x01"), /* twice */
		/* an id of 2^63, and a sample with it */
		CASE(0, TYPES "\x12\x0d\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x10\x05"
		     "\x22\x0b\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
		CASE(-EINVAL, TYPES "\x22\x02\x08\x00"), /* id 0 */
		CASE(-EINVAL, TYPES "\x22\x04\x08\x01\x10\x01"), /* no such mapping */
		CASE(-EINVAL, TYPES "\x22\x06\x08\x01\x22\x02\x08\x01"), /* no such function */
		CASE(-EINVAL, TYPES "\x2a\x04\x08\x01\x10\x7f"), /* no such string */
		CASE(-EINVAL, TYPES "\x68\x63"), /* a comment that is no string */
		/* a comment of somebody else's, which only looks like one of ours */
		CASE(0, TYPES "\x32\x07size=99\x68\x03\x12\x02\x10\x05"),
		CASE(-EINVAL, "\x32\0\x32\x03" "cpu\x0a\x02\x08\x01"), /* not about memory */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct names *names = names__new();
		struct snapshot *snapshot;
		const char *why;
		int err = pprof__parse(cases[i].bytes, cases[i].size, names, &snapshot, &why);

		if (err != cases[i].result || (err && (!why || !*why)))
			fail_msg("case %zu: %d %s", i, err, why);
		if (!err && snapshot->others)
			assert_int_equal(snapshot->size, 5);
		snapshot__free(snapshot);
		names__free(names);
	}
}

/* A location of another writer: its address is as it says; ids and addresses may be anything. */
static void test_foreign_locations(void **state)
{
	static const uint8_t profile[] = {
		0x32, 0, 0x32, 5, 's', 'p', 'a', 'c', 'e', 0x32, 1, 'f', 0x32, 1, 'g',
		0x0a, 2, 8, 1,
		0x12, 7, 8, 0xff, 1, 8, 7, 0x10, 5,	/* sample: locations 255, 7 */
		0x22, 7, 8, 7, 0x22, 3, 8, 0x90, 1,	/* location 7: function 144 */
		0x22, 7, 8, 0xff, 1, 0x22, 2, 8, 1,	/* location 255: function 1 */
		0x2a, 5, 8, 0x90, 1, 0x10, 2,		/* function 144: f */
		0x2a, 4, 8, 1, 0x10, 3,			/* function 1: g */
	};
	const struct names_location *f, *g;
	struct names *names = names__new();
	struct names_stack stack;
	struct snapshot *s;
	const char *why;

	assert_int_equal(pprof__parse(profile, sizeof(profile), names, &s, &why), 0);
	stack = names__get_stack(names, s->others->items[0].stack);
	assert_int_equal(stack.nlocations, 2);
	g = names__get_location(names, stack.locations[0]);
	f = names__get_location(names, stack.locations[1]);
	assert_string_equal(g->frames[0].function, "g");
	assert_string_equal(f->frames[0].function, "f");
	assert_int_equal(g->offset, 0);
	assert_true(g->exact);
	assert_int_equal(s->peak_size, 0);
	assert_true(s->without_details);
	assert_int_equal(s->others->items[0].size_class, SIZE_CLASS_UNKNOWN);
	assert_int_equal(s->nprocesses, 0);
	snapshot__free(s);
	names__free(names);
}

/* Go says how it samples, but not how good its estimates are. */
static void test_foreign_samples(void **state)
{
	static const uint8_t in_bytes[] = {
		0x32, 0, 0x32, 5, 's', 'p', 'a', 'c', 'e', 0x32, 3, 'c', 'p', 'u',
		0x0a, 2, 8, 1, 0x12, 2, 0x10, 5, 0x60, 0x80, 0x80, 0x20, /* period: 524288 */
		0x5a, 2, 8, 1,				/* of space; last: 2 would be of cpu */
	};
	uint8_t profile[sizeof(in_bytes)];

	memcpy(profile, in_bytes, sizeof(profile));
	for (int type = 1; type <= 2; type++) {
		struct names *names = names__new();
		struct snapshot *s;
		const char *why;

		profile[sizeof(profile) - 1] = type;
		assert_int_equal(pprof__parse(profile, sizeof(profile), names, &s, &why), 0);
		assert_int_equal(s->sample_bytes, type == 1 ? 524288 : 0);
		assert_int_equal(s->without_variances, type == 1);
		assert_false(snapshot__has_errors(s));
		snapshot__free(s);
		names__free(names);
	}
}

/* ---- the reference implementation ---- */

/* Runs `go tool pprof -top` in bytes; finds the row of `function` and its flat value. */
static void assert_go_says(const char *path, const char *base, const char *index,
			   const char *function, int64_t flat, int64_t total)
{
	char command[512], line[512], wanted[64], row[64];
	bool total_seen = false, row_seen = false;
	FILE *in;

	snprintf(command, sizeof(command),
		 "go tool pprof -top -nodefraction=0 -unit=B -sample_index=%s %s%s %s 2>/dev/null",
		 index, base ? "-diff_base=" : "", base ? base : "", path);
	in = popen(command, "r");
	assert_non_null(in);
	snprintf(wanted, sizeof(wanted), " of %" PRId64 "B total", total);
	snprintf(row, sizeof(row), "%%  %s\n", function);
	while (fgets(line, sizeof(line), in)) {
		if (strstr(line, wanted))
			total_seen = true;
		if (strstr(line, row)) {
			assert_int_equal(strtoll(line, NULL, 10), flat);
			row_seen = true;
		}
	}
	assert_int_equal(pclose(in), 0);
	assert_true(total_seen);
	assert_true(row_seen);
}

/* x(): 300 bytes in 3 blocks by two ways, y(): 50 more; twice that allocated. */
static void write_for_go(const char *path, uint64_t factor)
{
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);
	uint32_t x = place(names, "x", "/s/x.c", 1, "/bin/x", 0x10);
	uint32_t y = place(names, "y", "/s/x.c", 9, "/bin/x", 0x20);
	uint32_t dark = place(names, NULL, NULL, 0, "/lib/n.so", 0x20);

	hold(s, stack(names, STOP_BOTTOM, x, y, 0), 100 * factor, 1 * factor);
	hold(s, stack(names, STOP_NO_ROWS, x, dark, 0), 200 * factor, 2 * factor);
	hold(s, stack(names, STOP_BOTTOM, y, 0), 50 * factor, 5 * factor);
	hold(s, 0, 7, 1);
	assert_int_equal(pprof__write(s, path), 0);
	snapshot__free(s);
	names__free(names);
}

static void test_go_tool_pprof(void **state)
{
	struct file *file = *state;
	char newer[80];

	needs("go");
	write_for_go(file->path, 1);
	assert_go_says(file->path, NULL, "inuse_space", "x", 300, 357);
	assert_go_says(file->path, NULL, "inuse_objects", "y", 5, 9);
	assert_go_says(file->path, NULL, "alloc_space", "y", 100, 714);
	assert_go_says(file->path, NULL, "alloc_objects", "x", 6, 18);

	snprintf(newer, sizeof(newer), "%s.newer", file->path);
	write_for_go(newer, 3);
	/* pprof takes a difference's total from the base. */
	assert_go_says(newer, file->path, "inuse_space", "x", 600, 357);
	unlink(newer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_empty_snapshot),
		TEST(test_whole_or_not_at_all),
		cmocka_unit_test(test_numbered_paths),
		TEST(test_truncated),
		TEST(test_go_tool_pprof),
		cmocka_unit_test(test_hostile_messages),
		cmocka_unit_test(test_foreign_locations),
		cmocka_unit_test(test_foreign_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
