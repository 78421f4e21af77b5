// SPDX-License-Identifier: GPL-2.0-or-later
/* Several processes in one snapshot, and estimates: what is grouped and what is reported. */
#include "reports.h"

#include <errno.h>
#include <stdio.h>

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void add_process(struct snapshot *snapshot, uint64_t id, uint32_t pid, const char *comm,
			const char *cgroup)
{
	const struct snapshot_process process = {
		.id = id,
		.pid = pid,
		.comm = names__string(snapshot->names, comm),
		.cgroup = names__string(snapshot->names, cgroup),
	};

	assert_int_equal(snapshot__add_process(snapshot, &process), 0);
}

static void assert_pids(const struct statistic *item, const char *pids)
{
	char text[64] = "";

	for (size_t i = 0; i < item->nprocesses; i++)
		sprintf(text + strlen(text), " %u", item->processes[i]->process->pid);
	assert_string_equal(text, pids);
}

/* Two containers: /lib/c.so is the same file in 7 and 8, another one in 9. */
static struct snapshot *containers(struct names *names)
{
	struct snapshot *s = snapshot__new(names);
	uint32_t bare = place_in_build(names, "f", NULL, 0, "/lib/c.so", "aa", 0x10);
	uint32_t moved = place_in_build(names, "f", NULL, 0, "/a/c.so", "aa", 0x10);
	uint32_t other = place_in_build(names, "f", NULL, 0, "/lib/c.so", "bb", 0x10);
	uint32_t line = place_in_build(names, "v", "/v.h", 3, "/lib/c.so", "aa", 0x20);
	uint32_t other_line = place_in_build(names, "v", "/v.h", 3, "/lib/c.so", "bb", 0x20);

	add_process(s, 1, 9, "c", "/y");
	add_process(s, 2, 7, "a", "/x");
	add_process(s, 3, 8, "b", "/x");
	hold_in(s, 1, stack(names, 0, bare, 0), 1000, 1);
	hold_in(s, 2, stack(names, 0, moved, 0), 200, 2);
	hold_in(s, 0, stack(names, 0, other, 0), 30, 3);
	hold_in(s, 1, stack(names, 0, line, 0), 4, 1);
	hold_in(s, 2, stack(names, 0, line, 0), 5, 1);
	hold_in(s, 0, stack(names, 0, other_line, 0), 6, 1);
	return s;
}

/* Lines of one file merge over processes, those of different files never do. */
static void test_files_of_several_processes(void **state)
{
	static const struct {
		enum group_by group_by;
		uint64_t sizes[5];
		const char *pids[5];
	} cases[] = {
		{ GROUP_BY_LINE, { 1200, 30, 9, 6 }, { " 7 8", " 9", " 7 8", " 9" } },
		{ GROUP_BY_TRACEBACK, { 1200, 30, 9, 6 }, { " 7 8", " 9", " 7 8", " 9" } },
		{ GROUP_BY_FUNCTION, { 1200, 30, 9, 6 }, { " 7 8", " 9", " 7 8", " 9" } },
		{ GROUP_BY_FILE, { 1200, 30, 9, 6 }, { " 7 8", " 9", " 7 8", " 9" } },
		{ GROUP_BY_LIBRARY, { 1209, 36 }, { " 7 8", " 9" } },
		{ GROUP_BY_ADDRESS, { 1200, 30, 9, 6 }, { " 7 8", " 9", " 7 8", " 9" } },
	};
	struct names *names = names__new();
	struct snapshot *snapshot = containers(names);

	for (size_t c = 0; c < LENGTH(cases); c++) {
		/* With a histogram traces are added one by one, else by stack. */
		for (int histogram = 0; histogram < 2; histogram++) {
			struct statistics *s =
				group(snapshot, NULL,
				      (struct statistics_opts){ .group_by = cases[c].group_by,
								.histogram = histogram });

			for (size_t i = 0; i < s->count; i++) {
				assert_int_equal(s->items[i].size, cases[c].sizes[i]);
				assert_pids(&s->items[i], cases[c].pids[i]);
			}
			assert_int_equal(cases[c].sizes[s->count], 0);
			/* One file under two names goes by the first of them. */
			assert_string_equal(statistic__frame(&s->items[0], 0).module, "/a/c.so");
			statistics__free(s);
		}
	}
	snapshot__free(snapshot);
	names__free(names);
}

/* Without a build id files of one path are told apart by whoever names them. */
static void test_files_without_a_build_id(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t modules[3], locations[3];
	struct statistics *s;

	names__module(names, "/lib/c.so", NULL, &modules[0]);
	for (uint64_t copy = 0; copy < 3; copy++) {
		names__module_copy(names, "/lib/c.so", NULL, copy, &modules[copy]);
		names__location(names, modules[copy], 0x10, false, &locations[copy]);
		add_process(snapshot, copy + 1, copy + 1, "x", NULL);
		hold_in(snapshot, copy, stack(names, 0, locations[copy], 0), 1, 1);
	}
	names__module(names, "/lib/c.so", NULL, &modules[1]);
	assert_int_equal(modules[1], modules[0]);
	for (int group_by = GROUP_BY_LINE; group_by <= GROUP_BY_LIBRARY; group_by++) {
		s = group(snapshot, NULL, (struct statistics_opts){ .group_by = group_by });
		assert_int_equal(s->count, 3);
		statistics__free(s);
	}
	snapshot__free(snapshot);
	names__free(names);
}

/* Of one process, another build is compared line by line, as tracemalloc does it. */
static void test_another_build_of_one_program(void **state)
{
	struct names *names = names__new();
	struct snapshot *now = snapshot__new(names), *old = snapshot__new(names);
	struct statistics *s;

	add_process(now, 0, 2, "x", NULL);
	add_process(old, 0, 1, "x", NULL);
	hold_in(now, 0, stack(names, 0, place_in_build(names, "f", "/a.c", 1, "/x", "bb", 2), 0),
		5, 1);
	hold_in(old, 0, stack(names, 0, place_in_build(names, "f", "/a.c", 1, "/x", "aa", 1), 0),
		3, 1);
	for (int group_by = GROUP_BY_LINE; group_by <= GROUP_BY_LIBRARY; group_by++) {
		s = group(now, old, (struct statistics_opts){ .group_by = group_by });
		assert_int_equal(s->count, 1);
		assert_int_equal(s->items[0].size_diff, 2);
		assert_pids(&s->items[0], " 2");
		statistics__free(s);
	}
	snapshot__free(now);
	snapshot__free(old);
	names__free(names);
}

static void test_by_process_and_cgroup(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = containers(names);
	const struct trace nobodys = { .size = 3, .count = 1 };
	const struct filter filter = { .inclusive = true, .file = "/v.h" };
	struct statistics_opts opts = { .group_by = GROUP_BY_PROCESS };
	struct statistics *s;

	snapshot__add_trace(snapshot, UINT32_MAX, &nobodys);
	s = group(snapshot, NULL, opts);
	assert_int_equal(s->count, 4);
	assert_int_equal(s->items[0].size, 1004);
	assert_int_equal(s->items[0].nframes, 0);
	assert_int_equal(s->items[0].process->pid, 7);
	assert_int_equal(s->items[1].process->pid, 8);
	assert_int_equal(s->items[2].process->pid, 9);
	assert_null(s->items[3].process);
	assert_pids(&s->items[0], " 7");
	assert_pids(&s->items[3], "");
	statistics__free(s);
	opts.group_by = GROUP_BY_CGROUP;
	s = group(snapshot, NULL, opts);
	assert_int_equal(s->count, 3);
	assert_int_equal(s->items[0].size, 1209);
	assert_string_equal(s->items[0].cgroup, "/x");
	assert_pids(&s->items[0], " 7 8");
	assert_string_equal(s->items[1].cgroup, "/y");
	assert_null(s->items[2].cgroup);
	statistics__free(s);
	opts.filters = &filter;
	opts.nfilters = 1;
	s = group(snapshot, NULL, opts);
	assert_int_equal(s->items[0].size, 9);
	assert_int_equal(s->filtered_size, 1233);
	statistics__free(s);
	opts.cumulative = true;
	assert_int_equal(statistics__new(snapshot, NULL, &opts, &s), -EINVAL);
	snapshot__free(snapshot);
	names__free(names);
}

/* 7 has ended and its pid was given again, 8 grows, 9 is new and holds nothing. */
static void compare_processes(struct names *names, struct names *old_names, uint64_t id)
{
	struct snapshot *now = snapshot__new(names), *old = snapshot__new(old_names);
	uint32_t f = place(names, "f", "/f.c", 1, "/x", 1);
	uint32_t g = place(old_names, "g", "/g.c", 1, "/x", 2);
	struct statistics *s;

	add_process(old, id, 7, "a", "/x");
	add_process(old, 2 * id, 8, "b", "/x");
	hold_in(old, 0, stack(old_names, 0, g, 0), 100, 1);
	hold_in(old, 1, stack(old_names, 0, place(old_names, "f", "/f.c", 1, "/x", 1), 0), 50, 5);
	add_process(now, 3 * id, 9, "c", "/x");
	add_process(now, 2 * id, 8, "b", "/x");
	add_process(now, 4 * id, 7, id ? "a" : "another", "/y");
	hold_in(now, 1, stack(names, 0, f, 0), 60, 6);
	hold_in(now, 2, stack(names, 0, f, 0), 30, 1);
	s = group(now, old, (struct statistics_opts){ .group_by = GROUP_BY_PROCESS,
						      .order = ORDER_DIFFERENCE });
	assert_int_equal(s->count, 3);
	assert_int_equal(s->items[0].size_diff, -100);
	assert_int_equal(s->items[0].process->pid, 7);
	assert_int_equal(s->items[1].size_diff, 30);
	assert_int_equal(s->items[1].process->pid, 7);
	assert_int_equal(s->items[2].size_diff, 10);
	assert_int_equal(s->nprocesses, 3);
	assert_int_equal(s->processes[0].process->pid, 7);
	assert_int_equal(s->processes[0].size_diff, 30);
	assert_int_equal(s->processes[1].process->pid, 8);
	assert_int_equal(s->processes[1].size_diff, 10);
	assert_int_equal(s->processes[1].count_diff, 1);
	assert_int_equal(s->processes[2].size_diff, 0);
	statistics__free(s);
	s = group(now, old, (struct statistics_opts){ .order = ORDER_DIFFERENCE });
	assert_int_equal(s->count, 2);
	assert_string_equal(s->items[0].frames[0]->function, "g");
	assert_int_equal(s->items[0].size_diff, -100);
	assert_pids(&s->items[0], " 7");	/* who did hold it */
	assert_pids(&s->items[1], " 7 8");
	statistics__free(s);
	s = group(now, NULL, (struct statistics_opts){});
	assert_int_equal(s->processes[0].size_diff, 0);
	statistics__free(s);
	snapshot__free(now);
	snapshot__free(old);
}

static void test_processes_that_come_and_go(void **state)
{
	for (uint64_t id = 0; id < 2; id++) {
		struct names *names = names__new(), *old_names = names__new();

		compare_processes(names, names, id);
		compare_processes(names, old_names, id);
		names__free(names);
		names__free(old_names);
	}
}

/* Variances add, not errors. */
static void test_errors_of_estimates(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	struct trace trace = { .size = 100, .count = 10, .size_variance = 9, .count_variance = 16 };
	struct statistics *s;

	snapshot__add_trace(snapshot, 0, &trace);
	trace.size_class = 3;
	trace.size_variance = 16;
	trace.count_variance = 128;
	snapshot__add_trace(snapshot, 0, &trace);
	s = group(snapshot, NULL, (struct statistics_opts){});
	assert_true(s->items[0].size_error == 5);
	assert_true(s->items[0].count_error == 12);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

/* ---- what reports say ---- */

#define SECOND 1000000000ULL

static void assert_says(report_fn *report, const struct snapshot *now, const struct snapshot *old,
			struct report_opts opts, const char *expected)
{
	char *text = print(report, now, old, opts);

	if (!strstr(text, expected))
		fail_msg("%s lacks %s", text, expected);
	free(text);
}

/* The machine of the containers, 10 s traced: 8 has been watched for 3 s. */
static struct snapshot *machine(struct names *names)
{
	struct snapshot *s = containers(names);

	s->many = true;
	s->elapsed_ns = 10 * SECOND;
	s->processes[0].since_ns = 9950000000;
	s->processes[1].since_ns = 10 * SECOND;
	s->processes[2].since_ns = 3 * SECOND;
	s->ended = (struct snapshot_ended){ 12, 100000, 70, 24, 3 };
	return s;
}

static void drop_last_process(struct snapshot *s)
{
	traces__release(s->processes[--s->nprocesses].traces);
}

static void test_text_of_the_machine(void **state)
{
	struct names *names = names__new();
	struct snapshot *now = machine(names), *old = machine(names);
	struct report_opts opts = { .top = 2 };

	now->frees_inherited = 7;
	assert_report(report__text, now, NULL, opts,
		      "[ --:--:-- · 3 processes · 10.0 s traced ]\n"
		      "    PID COMMAND               SIZE     COUNT   WATCHED  CGROUP\n"
		      "      7 a                   1004 B         2            x\n"
		      "      8 b                    205 B         3     3.0 s  x\n"
		      "and 1 more: size=36 B, count=4\n"
		      "\n"
		      "f (/a/c.so+0x10): size=1200 B, count=3, average=400 B, in 2 processes\n"
		      "f (/lib/c.so+0x10): size=30 B, count=3, average=10 B, in c (9)\n"
		      "2 other lines: size=15 B, count=3\n"
		      "Total: size=1245 B, count=9, peak=1245 B\n"
		      "Ended: 12 processes; allocated: size=97.7 KiB, count=70; "
		      "still held: size=24 B, count=3\n"
		      "Freed after fork: 7 blocks of the parent (no loss)\n");
	now->frees_inherited = 0;
	drop_last_process(old);	/* 8 was not there yet */
	old->processes[1].size = 2004;
	assert_says(report__text, now, old, opts,
		    "    PID COMMAND               SIZE     GROWTH     COUNT   WATCHED  CGROUP\n"
		    "      7 a                   1004 B    -1000 B         2            x\n"
		    "      8 b                    205 B     +205 B         3     3.0 s  x\n");
	opts.statistics.group_by = GROUP_BY_TRACEBACK;
	assert_says(report__text, now, NULL, opts,
		    "3 memory blocks: 1.2 KiB, in 2 processes\n  File");
	opts.statistics.group_by = GROUP_BY_LIBRARY;
	assert_says(report__text, now, NULL, opts, "average=242 B, in 2 processes\n");
	/* The table would say the same twice. */
	opts.statistics.group_by = GROUP_BY_PROCESS;
	assert_says(report__text, now, NULL, opts,
		    " · 10.0 s traced ]\n"
		    "a (7): size=1004 B, count=2, average=502 B\n"
		    "b (8): size=205 B, count=3, average=68 B, watched for 3.0 s\n"
		    "1 other process: size=36 B, count=4\n");
	opts.statistics.group_by = GROUP_BY_CGROUP;
	assert_says(report__text, now, NULL, opts,
		    "/x: size=1209 B, count=5, average=242 B, in 2 processes\n"
		    "/y: size=36 B, count=4, average=9 B, in c (9)\n");
	snapshot__free(now);
	snapshot__free(old);
	names__free(names);
}

/* Eighty columns are kept, whatever processes and cgroups are called. */
static void test_table_fits(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = machine(names);

	s->processes[0].comm = names__string(names, "äöü\x1b[31m-long-and-on");
	s->processes[0].cgroup = names__string(names, "/docker-0123456789abcdef.scope");
	s->processes[2].cgroup = NULL;
	assert_says(report__text, s, s, (struct report_opts){},
		    "      9 äöü\\x1b[31m-lo…       36 B       +0 B         4            "
		    "docker-01234…\n");
	assert_says(report__text, s, s, (struct report_opts){}, "     3.0 s  ?\n");
	for (size_t i = 0; i < 3; i++) {
		s->processes[i].since_ns = 0;	/* not known */
		s->processes[i].cgroup = NULL;
	}
	assert_says(report__text, s, s, (struct report_opts){},
		    "    PID COMMAND               SIZE     GROWTH     COUNT\n"
		    "      7 a                   1004 B       +0 B         2\n");
	snapshot__free(s);
	names__free(names);
}

static void test_text_of_an_ended_process(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);

	add_process(s, 1, 7, "a", NULL);
	hold_in(s, 0, stack(names, 0, place(names, "f", "/f.c", 1, "/x", 1), 0), 60, 6);
	s->exited = true;
	assert_says(report__text, s, NULL, (struct report_opts){},
		    " · a (7) has ended · 0.0 s traced ]\n/f.c:1: size=60 B, count=6, "
		    "average=10 B\n");
	assert_says(report__json, s, NULL, (struct report_opts){}, "\"exited\":true");
	snapshot__free(s);
	names__free(names);
}

static void test_tables_of_several_processes(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = machine(names);
	struct report_opts opts = { .top = 2 };

	assert_report(report__csv, s, NULL, opts,
		      "File,linenum,size,count,average,processes\r\n"
		      "f (/a/c.so+0x10),0,1200,3,400,2 processes\r\n"
		      "f (/lib/c.so+0x10),0,30,3,10,c (9)\r\n");
	opts.statistics.group_by = GROUP_BY_PROCESS;
	assert_report(report__csv, s, s, opts,
		      "Process,PID,Size,Size diff,Count,Count diff,Average\r\n"
		      "a,7,1004,0,2,0,502\r\n"
		      "b,8,205,0,3,0,68\r\n");
	opts.statistics.group_by = GROUP_BY_CGROUP;
	assert_says(report__markdown, s, NULL, opts,
		    "| Cgroup | Size | Count | Average | Processes |\n"
		    "| --- | ---: | ---: | ---: | ---: |\n"
		    "| /x | 1209 B | 5 | 242 B | 2 processes |\n"
		    "| /y | 36 B | 4 | 9 B | c (9) |\n");
	s->sample_bytes = 4096;
	s->processes[1].traces->items[0].size_variance = 1 << 20;
	s->processes[1].traces->items[0].count_variance = 4;
	opts.statistics.group_by = GROUP_BY_LINE;
	opts.top = 1;
	assert_report(report__csv, s, NULL, opts,
		      "File,linenum,size,size_error,count,count_error,average,processes\r\n"
		      "f (/a/c.so+0x10),0,1200,1024,3,2,400,2 processes\r\n");
	snapshot__free(s);
	names__free(names);
}

/* Two files of one path are two libraries, one file of two paths is one. */
static void test_tree_of_several_processes(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = containers(names);

	assert_report(report__tree, s, NULL, (struct report_opts){},
		      "   User size  Usable size        Count\n"
		      "      1209 B            ?            5  /a/c.so\n"
		      "      1200 B            ?            3    f\n"
		      "      1200 B            ?            3      +0x10\n"
		      "         9 B            ?            2    v\n"
		      "         9 B            ?            2      +0x20 /v.h:3\n"
		      "        36 B            ?            4  /lib/c.so\n"
		      "        30 B            ?            3    f\n"
		      "        30 B            ?            3      +0x10\n"
		      "         6 B            ?            1    v\n"
		      "         6 B            ?            1      +0x20 /v.h:3\n"
		      "Total: size=1245 B, count=9, peak=1245 B\n");
	snapshot__free(s);
	names__free(names);
}

static void test_text_of_a_sample(void **state)
{
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);
	const struct trace trace = { .size = 1 << 20, .count = 65536, .size_variance = 0x1p38,
				     .count_variance = 0x1p30 };
	struct report_opts opts = {};

	snapshot__add_trace(s, 0, &trace);
	snapshot__add_trace(s, 0, &trace);
	s->size = 2 << 20;
	s->count = 131072;
	s->sample_bytes = 512 << 10;
	assert_says(report__text, s, NULL, opts,
		    "<unknown>:0: size=2048 KiB ± 724 KiB, count=131072 ± 46341, average=16 B\n"
		    "Total: size=2048 KiB ± 724 KiB, count=131072 ± 46341\n"
		    "Estimated from a sample of 1 in about 512 KiB; ± is one standard error\n");
	opts.statistics.group_by = GROUP_BY_TRACEBACK;
	assert_says(report__text, s, s, opts,
		    "131072 ± 46341 memory blocks: 2048.0 ± 724.1 KiB (+0 blocks, +0.0 KiB)\n");
	assert_says(report__json, s, NULL, opts, ",\"sample_bytes\":524288,");
	assert_says(report__json, s, NULL, opts,
		    "\"size_error\":741455.2,\"count_error\":46341.0}");
	/* As Go's profiles. */
	s->without_variances = true;
	opts.statistics.group_by = GROUP_BY_LINE;
	assert_says(report__text, s, NULL, opts,
		    ": size=2048 KiB, count=131072, average=16 B\n"
		    "Total: size=2048 KiB, count=131072\n"
		    "Estimated from a sample of 1 in about 512 KiB\n");
	assert_says(report__json, s, NULL, opts, "\"size_error\":null,\"count_error\":null}");
	snapshot__free(s);
	names__free(names);
}

#define PROCESSES                                                                                  \
	"\"processes\":["                                                                          \
	"{\"pid\":7,\"comm\":\"a\",\"cgroup\":\"/x\",\"since_ms\":10000,\"size\":1004,"                \
	"\"count\":2,\"size_diff\":4,\"count_diff\":0},"                                           \
	"{\"pid\":8,\"comm\":\"b\",\"cgroup\":\"/x\",\"since_ms\":3000,\"size\":205,\"count\":3,"      \
	"\"size_diff\":205,\"count_diff\":3},"                                                     \
	"{\"pid\":9,\"comm\":\"c\",\"cgroup\":null,\"since_ms\":null,\"size\":36,\"count\":4,"         \
	"\"size_diff\":0,\"count_diff\":0}],"

static void test_json_of_several_processes(void **state)
{
	struct names *names = names__new();
	struct snapshot *now = machine(names), *old = machine(names);
	struct report_opts opts = {};

	now->processes[0].cgroup = NULL;
	now->processes[0].since_ns = 0;
	drop_last_process(old);
	old->processes[1].size = 1000;
	assert_says(report__json, now, old, opts, PROCESSES);
	assert_says(report__json, now, old, opts,
		    "\"ended\":{\"processes\":12,\"alloc_size\":100000,\"alloc_count\":70,"
		    "\"size\":24,\"count\":3},\"exited\":false,");
	assert_says(report__json, now, old, opts, ",\"pids\":[7,8],\"size_error\":null,");
	opts.statistics.group_by = GROUP_BY_PROCESS;
	assert_says(report__json, now, old, opts,
		    "\"process\":{\"pid\":8,\"comm\":\"b\"},\"traceback\":[],");
	opts.statistics.group_by = GROUP_BY_CGROUP;
	assert_says(report__json, now, old, opts, "\"cgroup\":\"/x\",\"traceback\":[],");
	assert_says(report__json, now, old, opts, "\"cgroup\":null,\"traceback\":[],");
	/* The same pid, given twice. */
	now->processes[2].pid = 7;
	opts.statistics.group_by = GROUP_BY_LINE;
	assert_says(report__json, now, NULL, opts, ",\"pids\":[7],\"size_error\":null,");
	snapshot__free(now);
	snapshot__free(old);
	names__free(names);
}

/* Traces that were read a while ago say what age blocks had then. */
static void test_ages_of_traces_read_before(void **state)
{
	const struct trace trace = { .size = 1, .count = 1, .oldest_ns = 2000 };
	struct names *names = names__new();
	struct snapshot *s = snapshot__new(names);
	struct statistics *statistics;

	add_process(s, 1, 7, "a", NULL);
	add_process(s, 2, 8, "b", NULL);
	snapshot__add_trace(s, 0, &trace);
	snapshot__add_trace(s, 1, &trace);
	s->processes[1].aged_ns = 500;
	assert_int_equal(trace__oldest_ns(&trace, &s->processes[1]), 2500);
	statistics = group(s, NULL, (struct statistics_opts){});
	assert_int_equal(statistics->items[0].oldest_ns, 2500);
	statistics__free(statistics);
	snapshot__free(s);
	names__free(names);
}

#define NPROCESSES 6

static struct traces *random_traces(const uint32_t *stacks, uint32_t nstacks)
{
	struct traces *traces = traces__new();

	for (int n = rand() % 20; n; n--) {
		const struct trace trace = {
			.stack = stacks[rand() % nstacks],
			.size = rand() % 3 ? rand() % 1000 : 0,
			.count = rand() % 3,
			.alloc_size = 1000,
			.alloc_count = 10,
			.oldest_ns = rand() % 1000 * 1000000000ULL,
			.size_class = rand() % 11,
		};

		assert_int_equal(traces__add(traces, &trace), 0);
	}
	return traces;
}

/* Some processes of the last snapshot, some with other traces, and others that are new. */
static struct snapshot *next_snapshot(struct names *names, const struct snapshot *last,
				      const uint32_t *stacks, uint32_t nstacks, uint64_t *id)
{
	struct snapshot *s = snapshot__new(names);

	s->many = true;
	for (size_t i = 0; i < NPROCESSES; i++) {
		struct snapshot_process process = { .comm = names__string(names, "a") };

		if (last && rand() % 4) {
			process = last->processes[i];
			process.aged_ns += 1000000000;
		}
		if (process.id && rand() % 2) {
			traces__use(process.traces);
		} else {
			process.traces = random_traces(stacks, nstacks);
			process.aged_ns = 0;
		}
		process.id = process.id ? process.id : ++*id;
		process.pid = 1 + process.id % 50;
		assert_int_equal(snapshot__add_process(s, &process), 0);
	}
	return s;
}

/* Whatever was kept of the reports before, a report says what it would say without. */
static void assert_kept_says_the_same(const struct statistics_opts *statistics)
{
	const struct report_opts opts = { .statistics = *statistics };
	uint32_t stacks[40], places[5];
	struct snapshot *now, *last = NULL;
	struct names *names = names__new();
	struct statistics *kept = NULL;
	uint64_t id = 0;
	size_t size;

	for (uint32_t i = 0; i < 5; i++)
		places[i] = place(names, "f", i ? "/s.c" : NULL, i, "/x", i);
	for (int i = 0; i < 40; i++)
		stacks[i] = stack(names, i % 2, places[i % 5], places[i / 8], 0);
	for (int round = 0; round < 1000; round++) {
		char *text = NULL, *anew;
		FILE *out = open_memstream(&text, &size);

		now = next_snapshot(names, last, stacks, 40, &id);
		assert_int_equal(report__json(out, now, last, &opts, &kept), 0);
		fclose(out);
		anew = print(report__json, now, last, opts);
		assert_string_equal(text, anew);
		free(text);
		free(anew);
		snapshot__free(last);
		last = now;
	}
	statistics__free(kept);
	snapshot__free(last);
	names__free(names);
}

static void test_what_is_kept_between_reports(void **state)
{
	const struct filter filter = { .inclusive = true, .file = "/s.c" };
	struct statistics_opts opts = {};

	srand(1);
	for (opts.group_by = 0; opts.group_by < GROUP_BY_MAX; opts.group_by++)
		assert_kept_says_the_same(&opts);
	opts.group_by = GROUP_BY_LINE;
	opts.order = ORDER_DIFFERENCE;
	opts.filters = &filter;
	opts.nfilters = 1;
	assert_kept_says_the_same(&opts);
	opts.cumulative = true;
	assert_kept_says_the_same(&opts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_of_several_processes),
		cmocka_unit_test(test_files_without_a_build_id),
		cmocka_unit_test(test_another_build_of_one_program),
		cmocka_unit_test(test_by_process_and_cgroup),
		cmocka_unit_test(test_processes_that_come_and_go),
		cmocka_unit_test(test_errors_of_estimates),
		cmocka_unit_test(test_text_of_the_machine),
		cmocka_unit_test(test_table_fits),
		cmocka_unit_test(test_text_of_an_ended_process),
		cmocka_unit_test(test_tables_of_several_processes),
		cmocka_unit_test(test_tree_of_several_processes),
		cmocka_unit_test(test_text_of_a_sample),
		cmocka_unit_test(test_json_of_several_processes),
		cmocka_unit_test(test_ages_of_traces_read_before),
		cmocka_unit_test(test_what_is_kept_between_reports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
