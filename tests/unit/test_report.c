// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report/block.h"
#include "report/format.h"
#include "report/shorten.h"

#define PYTHON "/usr/bin/python3"

/* ---- sizes: Python's own answers ---- */

static void test_sizes_as_python(void **state)
{
	/* Prints "size|sign|text" around every threshold of tracemalloc._format_size(). */
	FILE *in = popen(PYTHON " -c '\n"
			 "import tracemalloc, random\n"
			 "random.seed(1)\n"
			 "units = (1, 2**10, 2**20, 2**30, 2**40)\n"
			 "factors = (0, 1, 9, 10, 99, 100, 1000, 1024, 9999, 10239, 10240)\n"
			 "sizes = [u * f + d for u in units for f in factors\n"
			 "         for d in (-1, 0, 1, 0.5, 52.3)]\n"
			 "sizes += [random.randrange(1 << random.randrange(1, 62))\n"
			 "          for _ in range(2000)]\n"
			 "sizes += [99.95 * u for u in units] + [2**64 - 1]\n"
			 "for size in sizes:\n"
			 "    for sign in (False, True):\n"
			 "        for s in (size, -size):\n"
			 "            text = tracemalloc._format_size(s, sign)\n"
			 "            print(repr(float(s)), int(sign), text, sep=\"|\")\n"
			 "'", "r");
	char line[128], buffer[FORMAT_SIZE_MAX];
	int lines = 0;

	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		char *sign = strchr(line, '|') + 1, *text = strchr(sign, '|') + 1;

		text[strcspn(text, "\n")] = '\0';
		assert_string_equal(format_size(buffer, strtod(line, NULL), *sign == '1'), text);
		lines++;
	}
	assert_int_equal(pclose(in), 0);
	assert_true(lines > 8000);
}

/* ---- what a report says ---- */

struct books {
	struct names *names;
	struct snapshot *now, *old;
	char source[64];	/* a file with lines */
	struct roots *roots;
	struct sources *sources;
};

static int setup(void **state)
{
	struct books *b = calloc(1, sizeof(*b));
	struct snapshot_process process = { .pid = 4711 };
	uint32_t main_, add, none, dark;
	struct view *view;
	FILE *source;

	strcpy(b->source, "/tmp/test_report.XXXXXX");
	source = fdopen(mkstemp(b->source), "w");
	fputs("one\n\t  entry\t= zmalloc(\x1b[31m);  \n\nfour", source);
	fclose(source);

	b->roots = roots__new();
	view = view__of_caller(b->roots);
	b->sources = sources__new(view);
	view__release(view);
	b->names = names__new();
	process.comm = names__string(b->names, "redis-server");
	main_ = place(b->names, "main", "/nowhere/main.c", 12, "/bin/x", 0x10);
	add = place(b->names, "dictAdd", b->source, 2, "/bin/x", 0x20);
	none = place(b->names, "bare", NULL, 0, "/lib/n.so", 0x1234);
	dark = place(b->names, NULL, NULL, 0, "/lib/n.so", 0x30);
	for (int i = 0; i < 2; i++) {
		struct snapshot *s = snapshot__new(b->names);

		s->time_ns = 1700000000123456789 + i * 5000000000LL;
		s->elapsed_ns = 5000000000ULL * (i + 1);
		snapshot__add_process(s, &process);
		hold(s, stack(b->names, STOP_BOTTOM, add, main_, 0), 4971520 * (i + 1), 39328 + i);
		hold(s, stack(b->names, STOP_NO_ROWS, none, 0), 3000, 3);
		hold(s, stack(b->names, STOP_BOTTOM, dark, main_, 0), 200, 1);
		hold(s, 0, 17, 1);
		*(i ? &b->now : &b->old) = s;
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct books *b = *state;

	unlink(b->source);
	sources__free(b->sources);
	roots__free(b->roots);
	snapshot__free(b->now);
	snapshot__free(b->old);
	names__free(b->names);
	free(b);
	return 0;
}

/* As Python reads it: runs `program` with the JSON on its standard input. */
static void check_json(const char *json, const char *program)
{
	char command[4096];
	FILE *python;

	snprintf(command, sizeof(command), PYTHON " -c '\nimport json, sys\n"
		 "text = sys.stdin.buffer.read().decode()\n"
		 "assert text.count(\"\\n\") == 1 and text.endswith(\"\\n\")\n"
		 "o = json.loads(text)\n%s'", program);
	python = popen(command, "w");
	assert_non_null(python);
	fputs(json, python);
	assert_int_equal(pclose(python), 0);
}

static void test_text_by_line(void **state)
{
	struct books *b = *state;
	char expected[1024];

	setenv("TZ", "UTC", 1);
	tzset();
	snprintf(expected, sizeof(expected),
		 "[ 22:13:20 · redis-server (4711) · 5.0 s traced ]\n"
		 "%s:2: size=4855 KiB, count=39328, average=126 B\n"
		 "    entry = zmalloc(\\x1b[31m);\n"
		 "bare (/lib/n.so+0x1234): size=3000 B, count=3, average=1000 B\n"
		 "2 other lines: size=217 B, count=2\n"
		 "Total: size=4858 KiB, count=39333, peak=4858 KiB\n",
		 b->source);
	assert_report(report__text, b->old, NULL, (struct report_opts){ .top = 2 }, expected);

	snprintf(expected, sizeof(expected),
		 "[ 22:13:25 · redis-server (4711) · 10.0 s traced ]\n"
		 "%s:2: size=9710 KiB (+4855 KiB), count=39329 (+1), average=253 B\n"
		 "    entry = zmalloc(\\x1b[31m);\n"
		 "bare (/lib/n.so+0x1234): size=3000 B (+0 B), count=3 (+0), average=1000 B\n"
		 "<unknown> (/lib/n.so+0x30): size=200 B (+0 B), count=1 (+0), average=200 B\n"
		 "<unknown>:0: size=17 B (+0 B), count=1 (+0), average=17 B\n"
		 "Total: size=9713 KiB, count=39334, peak=9713 KiB\n",
		 b->source);
	assert_report(report__text, b->now, b->old, (struct report_opts){}, expected);
}

#define RED "\x1b[31m"
#define NO_COLOUR "\x1b[0m"

/* What is left out is said, and what it took: entries and it are the total. */
static void test_what_is_left_out(void **state)
{
	const struct filter filters[] = {
		{ .inclusive = true, .file = "*.c" },
		{ .inclusive = true, .file = "/x/*", .line = 7 },
		{ .file = "<unknown>" },
	};
	const struct report_opts opts = {
		.top = 1,
		.statistics = { .filters = filters, .nfilters = 3 },
	};
	struct books *b = *state;
	char *text;

	b->old->min_age_ns = 1500000000;
	b->old->size += 1000;
	b->old->count += 10;
	text = print(report__text, b->old, NULL, opts);
	assert_non_null(strstr(text, "[ 22:13:20 · redis-server (4711) · 5.0 s traced · blocks older than "
			    "1.5 s · only *.c or /x/*:7 · without <unknown> ]\n"));
	assert_non_null(strstr(text, "Younger than 1.5 s: size=1000 B, count=10\nTotal:"));
	free(text);
	text = print(report__json, b->old, NULL, opts);
	check_json(text, "assert o[\"min_age_ms\"] == 1500\n"
		   "assert o[\"younger\"] == dict(size=1000, count=10)\n");
	free(text);
}

static void add_gap(struct snapshot *snapshot, const char *why)
{
	struct snapshot_coverage *coverage = &snapshot->coverage;

	coverage->measured = true;
	coverage->grown = 50 << 20;
	coverage->tracked = 9 << 20;
	coverage->unseen = 41 << 20;
	coverage->gaps = calloc(1, sizeof(*coverage->gaps));
	coverage->gaps[coverage->ngaps++] = (struct snapshot_gap){
		.pid = 4711,
		.comm = "redis-server",
		.grown = 50 << 20,
		.tracked = 9 << 20,
		.unseen = 41 << 20,
		.why = why,
	};
}

static void test_growth_that_is_not_seen(void **state)
{
	struct books *b = *state;
	char *text;

	add_gap(b->old, "Go: see pprof");
	text = print(report__text, b->old, NULL, (struct report_opts){ .top = 1 });
	assert_non_null(strstr(text, "peak=4858 KiB\nNot seen: resident memory grew by 50.0 MiB, "
				     "tracked allocations by 9216 KiB.\n    Go: see pprof\n"));
	free(text);
	b->old->many = true;
	text = print(report__text, b->old, NULL, (struct report_opts){ .top = 1 });
	assert_non_null(strstr(text, "\nNot seen: redis-server (4711): resident memory grew by"));
	free(text);
}

static void test_price(void **state)
{
	struct report_opts opts = { .top = 1, .pair_ns = 1700 };
	struct books *b = *state;
	struct trace *trace = &b->now->processes[0].traces->items[0];
	char *text;

	trace->alloc_count += 1234567;		/* in 5 s */
	text = print(report__text, b->now, b->old, opts);
	assert_non_null(strstr(text, " ]\n247,000 allocations/s; tracing costs this process about 42 % "
				     "of a CPU; --sample-bytes 512K would cost less\n"));
	free(text);
	trace->alloc_count += 6000000;
	text = print(report__text, b->now, b->old, opts);
	assert_non_null(strstr(text, "\n1,450,000 allocations/s; "));
	free(text);
	opts.pair_ns = 1;	/* less than a percent is not worth a line */
	text = print(report__text, b->now, b->old, opts);
	assert_null(strstr(text, "allocations/s"));
	free(text);
}

/* Files say when they began to count; two runs each begin with nothing. */
static void test_compared_files(void **state)
{
	struct books *b = *state;
	char *text;

	b->old->file = "a.pb.gz";
	b->now->file = "b.pb.gz";
	text = print(report__text, b->now, b->old, (struct report_opts){ .top = 1 });
	assert_non_null(strstr(text, "\nfrom a.pb.gz (22:13:20, counting since 22:13:15) to b.pb.gz "
				     "(22:13:25, counting since 22:13:15)\n"));
	assert_null(strstr(text, "Note:"));
	free(text);
	b->now->elapsed_ns = 3000000000;
	text = print(report__text, b->now, b->old, (struct report_opts){ .top = 1 });
	assert_non_null(strstr(text, "\nNote: the snapshots began to count 7.0 s apart"));
	free(text);
	text = print(report__json, b->now, b->old, (struct report_opts){ .top = 1 });
	check_json(text, "assert o[\"compared_with\"] == dict(file=\"a.pb.gz\", "
		   "time=\"2023-11-14T22:13:20.123Z\", elapsed_ms=5000)\n");
	free(text);
}

static void test_columns_on_a_terminal(void **state)
{
	const struct report_opts plain = { .terminal.width = 80, .top = 3 };
	const struct report_opts coloured = { .terminal = { 80, true }, .top = 1 };
	const struct report_opts wide = { .terminal.width = 80, .top = 3, .wide = true };
	struct books *b = *state;
	char expected[1024];

	setenv("TZ", "UTC", 1);
	tzset();
	snprintf(expected, sizeof(expected),
		 "[ 22:13:25 · redis-server (4711) · 10.0 s traced ]\n"
		 "      SIZE     GROWTH     COUNT  WHERE\n"
		 "  9710 KiB  +4855 KiB     39329  %s:2  dictAdd\n"
		 "    entry = zmalloc(\\x1b[31m);\n"
		 "    3000 B       +0 B         3  bare (n.so+0x1234)\n"
		 "     200 B       +0 B         1  n.so+0x30\n"
		 "1 other line: size=17 B, count=1\n"
		 "Total: size=9713 KiB, count=39334, peak=9713 KiB\n",
		 b->source);
	assert_report(report__text, b->now, b->old, plain, expected);

	snprintf(expected, sizeof(expected),
		 "[ 22:13:25 · redis-server (4711) · 10.0 s traced ]\n"
		 "      SIZE     GROWTH     COUNT  WHERE\n"
		 "  9710 KiB" RED "  +4855 KiB" NO_COLOUR "     39329  %s:2  dictAdd\n"
		 "    entry = zmalloc(\\x1b[31m);\n"
		 "3 other lines: size=3217 B, count=5\n"
		 "Total: size=9713 KiB, count=39334, peak=9713 KiB\n",
		 b->source);
	assert_report(report__text, b->now, b->old, coloured, expected);

	snprintf(expected, sizeof(expected),
		 "[ 22:13:20 · redis-server (4711) · 5.0 s traced ]\n"
		 "      SIZE     COUNT  WHERE\n"
		 "  4855 KiB     39328  %s:2\n"
		 "    entry = zmalloc(\\x1b[31m);\n"
		 "    3000 B         3  bare (/lib/n.so+0x1234)\n"
		 "     200 B         1  <unknown> (/lib/n.so+0x30)\n"
		 "1 other line: size=17 B, count=1\n"
		 "Total: size=4858 KiB, count=39333, peak=4858 KiB\n",
		 b->source);
	assert_report(report__text, b->old, NULL, wide, expected);
}

static void test_tracebacks_on_a_terminal(void **state)
{
	const struct report_opts opts = {
		.terminal.width = 80,
		.top = 2,
		.statistics.group_by = GROUP_BY_TRACEBACK,
	};
	struct books *b = *state;
	char expected[1024];

	snprintf(expected, sizeof(expected),
		 "      SIZE     COUNT  WHERE\n"
		 "  4855 KiB     39328  %s:2  dictAdd\n"
		 "    %s:2  dictAdd\n"
		 "    /nowhere/main.c:12  main\n"
		 "    3000 B         3  bare (n.so+0x1234)\n"
		 "    bare (n.so+0x1234)\n"
		 "  [stopped: no unwind information in /lib/n.so]\n"
		 "2 other tracebacks: size=217 B, count=2\n",
		 b->source, b->source);
	char *text = print(report__text, b->old, NULL, opts);

	assert_non_null(strstr(text, expected));
	free(text);
}

/* Runs of library frames are one line; the traceback begins behind the first. */
static void test_folded_tracebacks(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);
	uint32_t add = place(names, "std::vector<int>::push_back(int&&)", "/usr/include/c++/12/vec.h",
			     9, "/bin/x", 0x10);
	uint32_t allocate = place(names, "operator new(unsigned long)", NULL, 0,
				  "/usr/lib/libstdc++.so.6", 0x20);
	uint32_t f = place(names, "shop::f(int)", "/src/f.cc", 7, "/bin/x", 0x30);
	uint32_t main_ = place(names, "main", "/src/main.cc", 3, "/bin/x", 0x40);
	uint32_t start1 = place(names, "__libc_start_call_main", NULL, 0, "/lib/libc.so.6", 0x50);
	uint32_t start2 = place(names, "__libc_start_main", NULL, 0, "/lib/libc.so.6", 0x60);
	uint32_t start = place(names, "_start", NULL, 0, "/bin/x", 0x70);
	struct report_opts opts = {
		.terminal.width = 80,
		.statistics = { .group_by = GROUP_BY_TRACEBACK,
				.wrappers = statistics_default_wrappers },
	};
	char *text;

	snapshot__add_process(s, &(struct snapshot_process){ .pid = 1 });
	hold(s, stack(names, STOP_BOTTOM, allocate, add, f, main_, start1, start2, start, 0), 40, 1);
	text = print(report__text, s, NULL, opts);
	assert_non_null(strstr(text, "      40 B         1  /src/f.cc:7  shop::f\n"
			       "    /src/f.cc:7  shop::f  by way of 2 frames of the C++ library\n"
			       "    /src/main.cc:3  main\n"
			       "    2 frames of the C library\n"
			       "    _start (x+0x70)\n"
			       "Total:"));
	free(text);
	opts.limit = 2;
	text = print(report__text, s, NULL, opts);
	assert_non_null(strstr(text, "  main\nTotal:"));
	free(text);
	/* All of it is a wrapper: then all of it is shown. */
	snapshot__free(s);
	s = snapshot__new(names);
	snapshot__add_process(s, &(struct snapshot_process){ .pid = 1 });
	hold(s, stack(names, STOP_BOTTOM, allocate, add, 0), 40, 1);
	text = print(report__text, s, NULL, opts);
	assert_non_null(strstr(text, "    operator new (libstdc++.so.6+0x20)\n"
			       "    /usr/include/c++/12/vec.h:9  std::vector<…>::push_back\n"));
	free(text);
	snapshot__free(s);
	names__free(names);
}

static void assert_short(const char *name, const char *expected)
{
	char *text = shorten_function(name);

	assert_string_equal(text, expected);
	free(text);
}

static void test_short_names(void **state)
{
	_Bool cut;

	assert_short("main", "main");
	assert_short("f(int, char const*)", "f");
	assert_short("std::vector<int, std::allocator<int> >::push_back(int&&)",
		     "std::vector<…>::push_back");
	assert_short("(anonymous namespace)::f(int) const", "(anonymous namespace)::f");
	assert_short("A::operator()(int) const", "A::operator()");
	assert_short("bool operator< <int>(A<int> const&, A<int>)", "bool operator< <…>");
	assert_short("A::operator->() const", "A::operator->");
	assert_short("std::ostream::operator<<(int)", "std::ostream::operator<<");
	assert_short("g()::{lambda(int)#1}::operator()(int) const", "g::{lambda#1}::operator()");
	assert_short("<alloc::vec::Vec<T> as core::clone::Clone>::clone",
		     "<alloc::vec::Vec<…> as core::clone::Clone>::clone");
	assert_short("f(void (*)(int), std::function<void (int)>) [clone .cold]", "f");
	assert_short("operator new(unsigned long)", "operator new");
	assert_short("f<(x", "f<…>");
	assert_short("()", "()");

	assert_string_equal(shorten_path("src/dict.c:214", 14, &cut), "src/dict.c:214");
	assert_false(cut);
	assert_string_equal(shorten_path("/usr/include/c++/12/new:4", 13, &cut), "/12/new:4");
	assert_true(cut);
	assert_string_equal(shorten_path("äöüßäöüß", 5, &cut), "äöüß");
	assert_true(cut);
}

static void test_text_shows_files_from_here(void **state)
{
	struct books *b = *state;
	char *text;
	int here = open(".", O_RDONLY | O_DIRECTORY);

	assert_int_equal(chdir("/tmp"), 0);
	text = print(report__text, b->now, NULL, (struct report_opts){ .top = 1 });
	assert_non_null(strstr(text, "\ntest_report."));
	free(text);
	assert_int_equal(fchdir(here), 0);
	close(here);
}

static void test_text_other_groupings(void **state)
{
	static const char *const expected[GROUP_BY_MAX] = {
		[GROUP_BY_FILE] = "<unknown> (/lib/n.so): size=3200 B, count=4, average=800 B\n"
				  "1 other file: size=17 B, count=1\n",
		[GROUP_BY_FUNCTION] = "bare (/lib/n.so): size=3000 B, count=3, average=1000 B\n"
				      "2 other functions: size=217 B, count=2\n",
		[GROUP_BY_LIBRARY] = "/lib/n.so: size=3200 B, count=4, average=800 B\n"
				     "1 other library: size=17 B, count=1\n",
		[GROUP_BY_PROCESS] = "redis-server (4711): size=9713 KiB, count=39334, "
				     "average=253 B\nTotal: ",
		[GROUP_BY_CGROUP] = "<unknown>: size=9713 KiB, count=39334, average=253 B\nTotal: ",
	};
	struct books *b = *state;

	for (int g = 0; g < GROUP_BY_MAX; g++) {
		char *text;

		if (!expected[g])
			continue;
		text = print(report__text, b->now, NULL,
			     (struct report_opts){ .statistics.group_by = g, .top = 2 });
		if (!strstr(text, expected[g]))
			fail_msg("%s lacks %s", text, expected[g]);
		free(text);
	}
}

static void test_text_tracebacks(void **state)
{
	struct books *b = *state;
	char expected[1024];
	char *text;

	snprintf(expected, sizeof(expected),
		 "39329 memory blocks: 9710.0 KiB (+1 blocks, +4855.0 KiB)\n"
		 "  File \"%s\", line 2, in dictAdd\n"
		 "    entry = zmalloc(\\x1b[31m);\n"
		 "  File \"/nowhere/main.c\", line 12, in main\n"
		 "3 memory blocks: 2.9 KiB (+0 blocks, +0.0 KiB)\n"
		 "  File \"<unknown>\", line 0, in bare (/lib/n.so+0x1234)\n"
		 "  [stopped: no unwind information in /lib/n.so]\n"
		 "2 other tracebacks: size=217 B, count=2\n",
		 b->source);
	text = print(report__text, b->now, b->old,
		     (struct report_opts){ .statistics.group_by = GROUP_BY_TRACEBACK, .top = 2 });
	if (!strstr(text, expected))
		fail_msg("%s lacks %s", text, expected);
	free(text);
}

static size_t position(const char *text, const char *word)
{
	const char *found = strstr(text, word);

	assert_non_null(found);
	return found - text;
}

static void test_traceback_order_and_limit(void **state)
{
	struct books *b = *state;
	struct report_opts opts = {
		.statistics.group_by = GROUP_BY_TRACEBACK,
		.top = 2,
		.most_recent_last = true,
	};
	char *text = print(report__text, b->now, NULL, opts);

	assert_true(position(text, "in main\n") < position(text, "in dictAdd\n"));
	assert_true(position(text, "in dictAdd\n") < position(text, "  [stopped: "));
	assert_true(position(text, "  [stopped: ") < position(text, "in bare "));
	free(text);

	opts.limit = 1;
	for (int last = 0; last < 2; last++) {
		opts.most_recent_last = last;
		text = print(report__text, b->now, NULL, opts);
		assert_non_null(strstr(text, "in dictAdd\n"));
		assert_null(strstr(text, "in main\n"));
		free(text);
	}
}

static void test_tables(void **state)
{
	const struct names_frame odd = { "f|g,\"h\"", "/s/a,\"b|c.c", 3 };
	struct report_opts opts = { .top = 1 };
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names), *old = snapshot__new(names);
	uint32_t f = place(names, odd.function, odd.file, odd.line, "/bin/x", 1);

	hold(s, stack(names, 0, f, 0), 100000, 3);
	hold(s, 0, 2, 1);
	hold(old, stack(names, 0, f, 0), 100001, 4);
	assert_report(report__markdown, s, NULL, opts,
		      "| File | linenum | size | count | average |\n"
		      "| --- | ---: | ---: | ---: | ---: |\n"
		      "| /s/a,\"b\\|c.c | 3 | 97.7 KiB | 3 | 32.6 KiB |\n"
		      "\nTotal: size=97.7 KiB, count=4, peak=97.7 KiB\n");
	assert_report(report__csv, s, old, opts,
		      "File,linenum,size,size_diff,count,count_diff,average\r\n"
		      "\"/s/a,\"\"b|c.c\",3,100000,-1,3,-1,33333\r\n");
	opts.top = 0;
	opts.statistics.group_by = GROUP_BY_FILE;
	assert_report(report__csv, s, NULL, opts,
		      "File,Size,Count,Average\r\n"
		      "\"/s/a,\"\"b|c.c\",100000,3,33333\r\n"
		      "<unknown>,2,1,2\r\n");
	opts.statistics.group_by = GROUP_BY_FUNCTION;
	assert_report(report__csv, s, NULL, opts,
		      "Function,Size,Count,Average\r\n"
		      "\"f|g,\"\"h\"\" (/s/a,\"\"b|c.c)\",100000,3,33333\r\n"
		      "<unknown>,2,1,2\r\n");
	opts.statistics.group_by = GROUP_BY_TRACEBACK;
	assert_int_equal(report__csv(stdout, s, NULL, &opts, NULL), -EINVAL);
	snapshot__free(s);
	snapshot__free(old);
	names__free(names);
}

/* Names that a program which shows the table would take for more than names. */
static void test_active_names(void **state)
{
	static const struct {
		const char *name, *markdown, *csv;
	} cases[] = {
		{ "=HYPERLINK(\"x\")", "=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\"" },
		{ "-[Item free]", "-\\[Item free\\]", "'-[Item free]" },
		{ "+1", "+1", "'+1" },
		{ "@SUM(1;2)", "@SUM(1;2)", "\"'@SUM(1;2)\"" },
		{ "＝1", "＝1", "'＝1" },
		{ "a=1-2", "a=1-2", "a=1-2" },
		{ "\t=1", "\\\\x09=1", "\\x09=1" },
		{ "<img src=x> &lt; a_b __c", "&lt;img src=x&gt; &amp;lt; a_b \\_\\_c",
		  "\"<img src=x> &lt; a_b __c\"" },
		{ "![a](b) *c* `d` ~e~", "!\\[a\\](b) \\*c\\* \\`d\\` \\~e\\~", "![a](b) *c* `d` ~e~" },
	};
	struct report_opts opts = { .statistics.group_by = GROUP_BY_LIBRARY };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct names *names = names__new();
		struct snapshot *s = snapshot__new(names);
		char text[256];

		hold(s, stack(names, 0, place(names, NULL, NULL, 0, cases[i].name, 1), 0), 2, 1);
		s->note = names__string(names, cases[i].name);
		snprintf(text, sizeof(text),
			 "| Library | Size | Count | Average |\n"
			 "| --- | ---: | ---: | ---: |\n"
			 "| %s | 2 B | 1 | 2 B |\n"
			 "\nTotal: size=2 B, count=1, peak=2 B\nNote: %s\n",
			 cases[i].markdown, cases[i].markdown);
		assert_report(report__markdown, s, NULL, opts, text);
		snprintf(text, sizeof(text), "Library,Size,Count,Average\r\n%s,2,1,2\r\n",
			 cases[i].csv);
		assert_report(report__csv, s, NULL, opts, text);
		snapshot__free(s);
		names__free(names);
	}
}

static void test_filters(void **state)
{
	struct filter filters[] = { { .inclusive = true, .file = "*/main.c", .line = 12 },
				    { .inclusive = true, .domain = "jemalloc" } };
	struct report_opts opts = { .statistics = { .filters = filters, .nfilters = 2 } };
	struct books *b = *state;
	char *text;

	/* Nothing is allocated in main.c itself ... */
	b->now->processes[0].traces->items[1].domain = names__string(b->names, "jemalloc");
	text = print(report__text, b->now, b->old, opts);
	assert_null(strstr(text, b->source));
	assert_non_null(strstr(text, "bare (/lib/n.so+0x1234): size=3000 B (+3000 B)"));
	assert_non_null(strstr(text, "Filtered out: size=9710 KiB, count=39331\n"));
	free(text);
	/* ... but from there. */
	opts.statistics.all_frames = true;
	text = print(report__text, b->now, NULL, opts);
	assert_non_null(strstr(text, b->source));
	assert_non_null(strstr(text, "Filtered out: size=17 B, count=1\n"));
	free(text);
	filters[1].inclusive = false;
	text = print(report__json, b->now, NULL, opts);
	assert_non_null(strstr(text, "\"filtered\":{\"size\":3017,\"count\":4}"));
	free(text);
}

/* One place with blocks of two size classes, and a second way to it. */
static struct snapshot *detailed(struct names *names)
{
	struct snapshot *s = snapshot__new(names);
	uint32_t f = place(names, "f", "/s/a.c", 3, "/bin/x", 0x10);
	uint32_t g = place(names, "g", NULL, 0, "/lib/y.so", 0x20);
	const struct trace traces[] = {
		{ .stack = stack(names, 0, f, 0), .size = 100, .count = 2, .alloc_size = 1000,
		  .alloc_count = 20, .peak_size = 500, .peak_count = 10, .temporary = 7,
		  .usable_size = 112, .oldest_ns = 2500000000, .size_class = 6 },
		{ .stack = stack(names, 0, f, 0), .size = 9, .count = 1, .alloc_size = 9,
		  .alloc_count = 1, .peak_size = 1, .peak_count = 1, .temporary = 1,
		  .usable_size = 24, .oldest_ns = 1500000000, .size_class = 4 },
		{ .stack = stack(names, 0, f, g, 0), .size = 1, .count = 1, .usable_size = 24,
		  .size_class = 1 },
		{ .stack = stack(names, 0, g, f, 0), .size = 20, .count = 3, .size_class = 5 },
	};

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(snapshot__add_trace(s, 0, &traces[i]), 0);
	s->size = 130;
	s->count = 7;
	s->peak_size = 501;
	return s;
}

static void test_block(void **state)
{
	struct report_block block = {
		.pid = 12, .comm = "redis", .address = 0x55d0c0ffee10, .size = 126,
		.age_ns = 3210000000,
	};
	struct books *b = *state;
	const struct report_opts opts = { .sources = b->sources };
	char *text = NULL, expected[512];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	block.stack = b->now->processes[0].traces->items[0].stack;
	assert_int_equal(report__block(out, FORMAT_TEXT, b->names, &block, &opts), 0);
	snprintf(expected, sizeof(expected),
		 "0x55d0c0ffee10 in redis (12): 126 B, allocated 3.2 s ago\n"
		 "  File \"%s\", line 2, in dictAdd\n"
		 "    entry = zmalloc(\\x1b[31m);\n"
		 "  File \"/nowhere/main.c\", line 12, in main\n", b->source);
	assert_string_equal(text, expected);
	rewind(out);
	assert_int_equal(report__block(out, FORMAT_JSON, b->names, &block, &opts), 0);
	fclose(out);
	check_json(text,
		"assert list(o) == [\"version\", \"pid\", \"address\", \"size\", \"age_ms\",\n"
		"    \"traceback\", \"stopped\"]\n"
		"assert o[\"address\"] == 0x55d0c0ffee10 and o[\"age_ms\"] == 3210\n"
		"assert [f[\"line\"] for f in o[\"traceback\"]] == [2, 12]\n");
	free(text);
}

static void test_details(void **state)
{
	struct report_opts opts = { .detail = true };
	struct names *names = names__new();
	struct snapshot *s = detailed(names);
	char *text = print(report__text, s, NULL, opts);

	assert_non_null(strstr(text,
		"/s/a.c:3: size=110 B, count=4, average=28 B\n"
		"    allocated: size=1009 B, count=21, temporary=8; at the peak: size=501 B, "
		"count=11; oldest: 2.5 s\n"
		"    sizes: 1 B+: 1, 8 B+: 1, 32 B+: 2\n"
		"g (/lib/y.so+0x20): size=20 B, count=3, average=7 B\n"
		"    allocated: size=0 B, count=0, temporary=0; at the peak: size=0 B, count=0\n"
		"    sizes: 16 B+: 3\n"));
	free(text);
	/* What is compared with plays no part in them. */
	text = print(report__json, s, s, opts);
	check_json(text,
		"a, b = o[\"statistics\"]\n"
		"assert list(a.values())[7:13] == [501, 11, 8, 160, 2500,\n"
		"    [dict(min=1, max=1, count=1), dict(min=8, max=15, count=1),\n"
		"     dict(min=32, max=63, count=2)]], a\n"
		"assert list(a)[7:] == [\"peak_size\", \"peak_count\", \"temporary\",\n"
		"    \"usable_size\", \"oldest_ms\", \"histogram\", \"pids\", \"size_error\",\n"
		"    \"count_error\"]\n"
		"assert list(b.values())[7:12] == [0, 0, 0, None, None]\n");
	free(text);
	s->without_details = true;
	text = print(report__json, s, NULL, opts);
	check_json(text, "assert list(o[\"statistics\"][0].values())[7:10] == [None] * 3\n");
	free(text);
	text = print(report__text, s, NULL, opts);
	assert_null(strstr(text, "temporary"));
	free(text);
	snapshot__free(s);
	names__free(names);
}

static void test_size_classes(void **state)
{
	assert_int_equal(size_class__max(0), 0);
	for (unsigned int i = 1; i < SIZE_CLASSES; i++)
		assert_true(size_class__min(i) == size_class__max(i - 1) + 1);
	assert_true(size_class__max(SIZE_CLASSES - 1) == UINT64_MAX);
}

static void test_tree(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = detailed(names);
	const struct trace again = {
		.stack = stack(names, 0, place(names, "f", "/s/a.c", 4, "/bin/x", 0x18), 0),
		.size = 5000000, .count = 1, .usable_size = 5000008,
	};

	assert_int_equal(snapshot__add_trace(s, 0, &again), 0);
	assert_report(report__tree, s, NULL, (struct report_opts){},
		      "   User size  Usable size        Count\n"
		      "    4883 KiB     4883 KiB            5  /bin/x\n"
		      "    4883 KiB     4883 KiB            5    f\n"
		      "    4883 KiB     4883 KiB            1      +0x18 /s/a.c:4\n"
		      "       110 B        160 B            4      +0x10 /s/a.c:3\n"
		      "        20 B            ?            3  /lib/y.so\n"
		      "        20 B            ?            3    g\n"
		      "        20 B            ?            3      +0x20\n"
		      "Total: size=130 B, count=7, peak=501 B\n");
	assert_report(report__tree, s, NULL, (struct report_opts){ .top = 1 },
		      "   User size  Usable size        Count\n"
		      "    4883 KiB     4883 KiB            5  /bin/x\n"
		      "    4883 KiB     4883 KiB            5    f\n"
		      "    4883 KiB     4883 KiB            1      +0x18 /s/a.c:4\n"
		      "                                            and 1 more\n"
		      "                                        and 1 more\n"
		      "Total: size=130 B, count=7, peak=501 B\n");
	snapshot__free(s);
	names__free(names);
}

static void test_peak_that_is_not_known(void **state)
{
	struct books *b = *state;
	char *text;

	b->now->peak_size = 0;
	text = print(report__text, b->now, NULL, (struct report_opts){});
	assert_null(strstr(text, "peak"));
	free(text);
	text = print(report__json, b->now, NULL, (struct report_opts){});
	assert_non_null(strstr(text, "\"peak_size\":null"));
	free(text);
}

static void test_text_says_what_was_lost(void **state)
{
	struct books *b = *state;
	char *text;

	text = print(report__text, b->now, NULL, (struct report_opts){});
	assert_null(strstr(text, "Lost"));
	free(text);
	for (int i = 0; i < LOST_MAX; i++)
		b->now->lost[i] = 1000 + i;
	for (int i = 0; i < STOP_MAX; i++)
		b->now->frames_cut[i] = 2000 + i;
	b->now->programs_skipped = 3000;
	b->now->note = "another allocator was found";
	text = print(report__text, b->now, NULL, (struct report_opts){});
	for (int i = 0; i < LOST_MAX; i++) {
		char line[256];

		snprintf(line, sizeof(line), "\nLost: %d %s: %s (%s)\n", 1000 + i,
			 lost_reason__noun(i, 2), lost_reason__cause(i), lost_reason__effect(i));
		assert_true(!strstr(text, line) == (i == LOST_FREES_UNMATCHED));
	}
	assert_non_null(strstr(text, "\nFreed from before tracing: 1007 blocks (no loss)\n"));
	assert_non_null(strstr(text, "\nLost: the way up of 2003 allocations: no unwind information, "
				     "most of them in /lib/n.so (sums and lines are right)\n"));
	/* Complete, or as short as the user asked for. */
	assert_null(strstr(text, "2000 "));
	assert_null(strstr(text, "2001 "));
	assert_non_null(strstr(text, "\nLost: 3000 "));
	assert_non_null(strstr(text, "\nNote: another allocator was found\n"));
	free(text);
	b->now->note = NULL;
}

/* One line for what is less than a thousandth, in good English. */
static void test_small_losses(void **state)
{
	struct books *b = *state;
	char *text;

	b->now->lost[LOST_BLOCKS_MEMORY] = 1;
	b->now->lost[LOST_PROCESSES] = 78;	/* of 78,666 allocations */
	b->now->frames_cut[STOP_NO_ROWS] = 20;
	text = print(report__text, b->now, NULL, (struct report_opts){});
	assert_non_null(strstr(text, "\nLost: 78 processes: too many at one time (sums are too "
				     "small)\nLost: 21 events, less than a thousandth each of "));
	free(text);
	b->now->lost[LOST_PROCESSES] = 0;
	b->now->frames_cut[STOP_NO_ROWS] = 0;
	text = print(report__text, b->now, NULL, (struct report_opts){});
	assert_non_null(strstr(text, "\nLost: 1 event, less than"));
	free(text);
}

static void test_every_reason_has_words(void **state)
{
	for (int i = 0; i < LOST_MAX; i++)
		assert_true(lost_reason__noun(i, 1) && lost_reason__noun(i, 0) &&
			    lost_reason__cause(i) && lost_reason__effect(i) && lost_reason__key(i));
	for (int i = 0; i < STOP_MAX; i++) {
		assert_non_null(stop_reason__key(i));
		assert_int_equal(stop_reason__words(i) != NULL,
				 i != STOP_BOTTOM && i != STOP_LIMIT_ASKED);
	}
}

static void test_min_size(void **state)
{
	struct books *b = *state;
	char *text = print(report__text, b->now, NULL, (struct report_opts){ .min_size = 201 });

	assert_non_null(strstr(text, "bare"));
	assert_non_null(strstr(text, "2 other lines: size=217 B, count=2\n"));
	free(text);
	text = print(report__text, b->now, NULL, (struct report_opts){ .min_size = 200 });
	assert_non_null(strstr(text, "1 other line: size=17 B, count=1\n"));
	free(text);
}

/* Lines that hold nothing any more: no news for people, but their totals for programs. */
static void test_freed_groups(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);
	struct trace trace = { .alloc_size = 10, .alloc_count = 2 };
	char *text;

	trace.stack = stack(names, 0, place(names, "f", "/a.c", 3, "/x", 1), 0);
	snapshot__add_trace(s, 0, &trace);
	text = print(report__text, s, NULL, (struct report_opts){});
	assert_null(strstr(text, "a.c"));
	free(text);
	text = print(report__json, s, NULL, (struct report_opts){});
	assert_non_null(strstr(text, "\"alloc_size\":10,\"alloc_count\":2"));
	free(text);
	snapshot__free(s);
	names__free(names);
}

static void test_escapes(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	write_text(out, "a\x1b[2J\n\t\x7f\xc2\x9b ü€😀 "
			"\xff\xc0\xaf\xed\xa0\x80 \xe2\x80\xae \xe2\x82");
	fclose(out);
	assert_string_equal(text, "a\\x1b[2J\\x0a\\x09\\x7f\\xc2\\x9b ü€😀 "
				  "\\xff\\xc0\\xaf\\xed\\xa0\\x80 \\xe2\\x80\\xae \\xe2\\x82");
	free(text);
}

static const char *line_of(const struct books *b, const char *file, uint32_t line)
{
	const struct stat_frame frame = { .file = file, .line = line };
	const struct statistic of_nobody = {};

	return sources__line(b->sources, &of_nobody, &frame);
}

static void test_unreadable_sources(void **state)
{
	struct books *b = *state;
	const char *line;
	char path[80];
	int fifo;

	/* Would give a line, but reading takes it away from somebody. */
	snprintf(path, sizeof(path), "%s.fifo", b->source);
	assert_int_equal(mkfifo(path, 0600), 0);
	fifo = open(path, O_RDWR);
	assert_int_equal(write(fifo, "one\n", 4), 4);
	assert_null(line_of(b, path, 1));
	close(fifo);
	unlink(path);

	assert_null(line_of(b, "/nowhere/x.c", 1));
	assert_null(line_of(b, "Makefile", 1));
	assert_null(line_of(b, "/tmp", 1));
	assert_null(line_of(b, NULL, 1));
	assert_null(line_of(b, b->source, 0));
	assert_null(line_of(b, b->source, 3));
	assert_null(line_of(b, b->source, 5));
	line = line_of(b, b->source, 4);
	assert_string_equal(line, "four");
}

/* ---- JSON ---- */

static void test_json(void **state)
{
	struct books *b = *state;
	char *text;

	b->now->lost[LOST_BLOCKS_FULL] = 1;
	b->now->lost[LOST_BLOCKS_MEMORY] = 20;
	b->now->lost[LOST_BLOCKS_RETURN] = 300;
	b->now->lost[LOST_THREAD] = 4000;
	b->now->lost[LOST_STACKS_FULL] = 5;
	b->now->lost[LOST_STACKS_MEMORY] = 60;
	b->now->lost[LOST_FREES_UNMATCHED] = 7;
	b->now->lost[LOST_FREES_MISSED] = 3;
	b->now->lost[LOST_HEAPS] = 5;
	b->now->frames_cut[STOP_BOTTOM] = 100;
	b->now->frames_cut[STOP_LIMIT_ASKED] = 100;
	b->now->frames_cut[STOP_NO_ROWS] = 2;
	b->now->frames_cut[STOP_REGISTER] = 3;
	b->now->programs_skipped = 9;
	b->now->frees_inherited = 12;
	b->now->own_rss = 5000000;
	b->now->own_peak = 6000000;
	b->now->own_kernel = 7000;
	add_gap(b->now, NULL);
	b->now->killed[0] = (struct snapshot_killed){ 31441, SIGILL, "leaksvc" };
	b->now->nkilled = 12;
	text = print(report__json, b->now, b->old, (struct report_opts){ .top = 2 });
	check_json(text,
		"assert \" \".join(o) == \"version time elapsed_ms pids group_by traced processes\"\\\n"
		"    \" ended exited killed sample_bytes min_age_ms younger compared_with statistics other\"\\\n"
		"    \" lost frees_inherited\"\\\n"
		"    \" filtered coverage own_memory note\"\n"
		"assert o[\"exited\"] is False and o[\"sample_bytes\"] is None\n"
		"assert o[\"min_age_ms\"] is None and o[\"younger\"] is None\n"
		"assert o[\"compared_with\"] is None\n"
		"assert set(o[\"ended\"].values()) == {0}\n"
		"assert o[\"coverage\"] == dict(grown=50 << 20, tracked=9 << 20, unseen=41 << 20,\n"
		"    not_seen=[dict(pid=4711, comm=\"redis-server\", grown=50 << 20,\n"
		"        tracked=9 << 20, unseen=41 << 20, why=None)])\n"
		"assert o[\"killed\"] == dict(count=12, processes=[dict(pid=31441, comm=\"leaksvc\",\n"
		"    signal=\"SIGILL\")])\n"
		"assert o[\"own_memory\"] == dict(rss=5000000, peak_rss=6000000, kernel=7000)\n"
		"assert o[\"version\"] == 1 and o[\"time\"] == \"2023-11-14T22:13:25.123Z\"\n"
		"assert o[\"elapsed_ms\"] == 10000 and o[\"pids\"] == [4711]\n"
		"assert o[\"group_by\"] == \"line\" and o[\"note\"] is None\n"
		"assert o[\"traced\"] == dict(size=9946257, count=39334, peak_size=9946257)\n"
		"s = o[\"statistics\"]\n"
		"assert len(s) == 2 and list(s[0])[:7] == [\"size\", \"count\", \"size_diff\",\n"
		"    \"count_diff\", \"alloc_size\", \"alloc_count\", \"traceback\"]\n"
		"assert list(s[0].values())[:6] == [9943040, 39329, 4971520, 1, 19886080, 78658]\n"
		"assert s[1][\"traceback\"] == [dict(function=\"bare\", file=None, line=0,\n"
		"    module=\"/lib/n.so\", offset=0x1234, inlined=False)]\n"
		"assert o[\"other\"] == {\"groups\": 2, \"size\": 217, \"count\": 2}\n"
		"by = o[\"lost\"].pop(\"frames_cut_by\")\n"
		"assert by[\"no_rows\"] == 2 and by[\"register\"] == 3 and sum(by.values()) == 5\n"
		"by = o[\"lost\"].pop(\"by_reason\")\n"
		"assert {k: n for k, n in by.items() if n} == dict(blocks_full=1, blocks_memory=20,\n"
		"    blocks_return=300, thread=4000, stacks_full=5, stacks_memory=60,\n"
		"    frees_unmatched=7, frees_missed=3, heaps=5) and by[\"regions\"] == 0\n"
		"assert o[\"lost\"] == {\"blocks\": 4321, \"stacks\": 65, \"frames_cut\": 5,\n"
		"    \"frees_unmatched\": 7, \"frees_missed\": 8, \"programs_skipped\": 9,\n"
		"    \"events\": 0}\n"
		"assert o[\"frees_inherited\"] == 12\n");
	free(text);

	text = print(report__json, b->now, NULL,
		     (struct report_opts){ .statistics.group_by = GROUP_BY_TRACEBACK });
	check_json(text,
		"s = o[\"statistics\"]\n"
		"assert [x[\"stopped\"] for x in s] == [None, \"no_rows\", None, None]\n"
		"assert [f[\"function\"] for f in s[0][\"traceback\"]] == [\"dictAdd\", \"main\"]\n"
		"assert s[3][\"traceback\"] == [{\"function\": None, \"file\": None, \"line\": 0,\n"
		"    \"module\": None, \"offset\": 0, \"inlined\": False}]\n");
	free(text);
}

/* They are the caller's, who may show them in another way next. */
static void test_reports_leave_statistics_alone(void **state)
{
	static report_fn *const formats[] = { report__tree, report__text, report__csv, report__json };
	struct books *b = *state;
	struct report_opts opts = { .statistics.group_by = GROUP_BY_ADDRESS, .top = 1,
				    .min_size = 1000 };

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		struct statistics *kept = NULL, *fresh = NULL;
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		assert_int_equal(formats[i](out, b->now, NULL, &opts, &kept), 0);
		assert_int_equal(statistics__new(b->now, NULL, &opts.statistics, &fresh), 0);
		assert_int_equal(kept->count, fresh->count);
		for (size_t j = 0; j < fresh->count; j++) {
			assert_int_equal(kept->items[j].size, fresh->items[j].size);
			assert_int_equal(kept->items[j].count, fresh->items[j].count);
		}
		statistics__free(kept);
		statistics__free(fresh);
		opts.statistics.group_by = GROUP_BY_LINE;	/* only a tree has addresses */
		fclose(out);
		free(text);
	}
}

static void test_json_with_hostile_names(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);
	char *text;

	hold(s, stack(names, 0, place(names, "a\"\\\n\x01\xff\xed\xa0\x80\x7f ü", "/\xf0\x9f", 3,
				      "/m\xe2\x80\xa8", 1), 0), 1, 1);
	text = print(report__json, s, NULL, (struct report_opts){});
	check_json(text,
		"f = o[\"statistics\"][0][\"traceback\"][0]\n"
		"bad = 4 * \"\\ufffd\"\n"
		"assert f[\"function\"] == \"a\\\"\\\\\\n\\x01\" + bad + \"\\x7f \\u00fc\"\n"
		"assert f[\"file\"] == \"/\\ufffd\\ufffd\", f\n"
		"assert f[\"module\"] == \"/m\\u2028\"\n");
	free(text);
	snapshot__free(s);
	names__free(names);
}

static void test_empty(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);
	char *text = print(report__json, s, NULL, (struct report_opts){});

	check_json(text, "assert o[\"statistics\"] == [] and o[\"pids\"] == []\n"
			 "assert o[\"time\"] is None\n");
	free(text);
	text = print(report__text, s, NULL, (struct report_opts){});
	assert_non_null(strstr(text, "Total: size=0 B, count=0, peak=0 B\n"));
	free(text);
	snapshot__free(s);
	names__free(names);
}

static void test_broken_stream(void **state)
{
	static report_fn *const reports[] = { report__text, report__json };
	const struct report_opts opts = {};
	struct statistics *kept = NULL;
	struct books *b = *state;

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 2; i++) {
		int ends[2];
		FILE *out;

		assert_int_equal(pipe(ends), 0);
		close(ends[0]);
		out = fdopen(ends[1], "w");
		assert_int_equal(reports[i](out, b->now, NULL, &opts, &kept), -EPIPE);
		fclose(out);
		out = fopen("/dev/full", "w");
		assert_int_equal(reports[i](out, b->now, NULL, &opts, &kept), -ENOSPC);
		fclose(out);
		statistics__free(kept);
		kept = NULL;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sizes_as_python),
		TEST(test_text_by_line),
		TEST(test_what_is_left_out),
		TEST(test_price),
		TEST(test_compared_files),
		TEST(test_growth_that_is_not_seen),
		TEST(test_columns_on_a_terminal),
		TEST(test_tracebacks_on_a_terminal),
		TEST(test_folded_tracebacks),
		TEST(test_short_names),
		TEST(test_text_shows_files_from_here),
		TEST(test_text_other_groupings),
		TEST(test_text_tracebacks),
		TEST(test_traceback_order_and_limit),
		TEST(test_tables),
		TEST(test_active_names),
		TEST(test_filters),
		TEST(test_block),
		TEST(test_details),
		TEST(test_size_classes),
		TEST(test_tree),
		TEST(test_peak_that_is_not_known),
		TEST(test_text_says_what_was_lost),
		TEST(test_small_losses),
		TEST(test_every_reason_has_words),
		TEST(test_min_size),
		TEST(test_freed_groups),
		TEST(test_escapes),
		TEST(test_unreadable_sources),
		TEST(test_json),
		TEST(test_reports_leave_statistics_alone),
		TEST(test_json_with_hostile_names),
		TEST(test_empty),
		TEST(test_broken_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
