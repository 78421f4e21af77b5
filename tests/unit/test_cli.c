// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"

#define MAX_ARGS 16

/* Splits at spaces, as a shell would the simple cases used here. */
static int split(char *line, char **argv)
{
	int argc = 0;

	argv[argc++] = "memtracebpf";
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

struct run {
	char line[512];
	char *argv[MAX_ARGS];
	char said[16384];	/* what was printed on `stream` */
	enum cli_result result;
	struct options options;
};

/* Parses `line` and catches what is printed meanwhile on file descriptor `fd`. */
static struct run *run(const char *line, FILE *stream)
{
	struct run *run = calloc(1, sizeof(*run));
	FILE *caught = tmpfile();
	int fd = fileno(stream), saved;

	fflush(stream);
	saved = dup(fd);
	dup2(fileno(caught), fd);
	strcpy(run->line, line);
	run->result = cli__parse(split(run->line, run->argv), run->argv, &run->options);
	fflush(stream);
	dup2(saved, fd);
	close(saved);
	rewind(caught);
	run->said[fread(run->said, 1, sizeof(run->said) - 1, caught)] = '\0';
	fclose(caught);
	return run;
}

static void run__free(struct run *run)
{
	cli__free(&run->options);
	free(run);
}

static struct run *good(const char *line)
{
	struct run *r = run(line, stderr);

	if (r->result != CLI_RUN || *r->said)
		fail_msg("%s: %s", line, r->said);
	return r;
}

static void test_defaults(void **state)
{
	struct run *r = good("-p 1");
	const struct options *o = &r->options;

	assert_int_equal(o->npids, 1);
	assert_int_equal(o->pids[0], 1);
	assert_null(o->command);
	assert_int_equal(o->interval_ns, 5000000000);
	assert_int_equal(o->count, 0);
	assert_int_equal(o->duration_ns, 0);
	assert_int_equal(o->report.top, 10);
	assert_int_equal(o->report.min_size, 0);
	assert_int_equal(o->report.statistics.group_by, GROUP_BY_LINE);
	assert_int_equal(o->format, FORMAT_TEXT);
	assert_int_equal(o->nframe, 64);
	assert_int_equal(o->min_age_ns, 0);
	assert_int_equal(o->max_blocks, 4194304);
	assert_int_equal(o->max_stacks, 131072);
	assert_int_equal(o->verbose, 0);
	assert_false(o->everything || o->follow_fork || o->leaks_at_exit);
	assert_int_equal(o->ncomms + o->ncgroups + o->nusers, 0);
	assert_int_equal(o->domains, DOMAIN_HEAP);
	assert_int_equal(o->sample_bytes, 0);
	run__free(r);
}

static void test_selection(void **state)
{
	struct run *r = good("--comm a --comm redis-server-primary --cgroup /user.slice "
			     "--user root --user 4294967294 --follow-fork");
	const struct options *o = &r->options;

	assert_true(o->everything && o->follow_fork);
	assert_int_equal(o->ncomms, 2);
	assert_string_equal(o->comms[0], "a");
	assert_string_equal(o->comms[1], "redis-server-pr");
	assert_int_equal(o->ncgroups, 1);
	assert_string_equal(o->cgroups[0], "/user.slice");
	assert_int_equal(o->nusers, 2);
	assert_int_equal(o->users[0], 0);
	assert_int_equal(o->users[1], 4294967294);
	run__free(r);
	r = good("-p 12 --user 0 --leaks-at-exit");
	assert_false(r->options.everything);
	assert_true(r->options.leaks_at_exit);
	run__free(r);
	r = good("--follow-fork -- ls");
	assert_false(r->options.everything);
	assert_true(r->options.follow_fork);
	run__free(r);
	r = good("");
	assert_true(r->options.everything);
	run__free(r);
}

static void test_which_memory(void **state)
{
	struct run *r = good("--domain mmap --sample-bytes 512K");

	assert_int_equal(r->options.domains, DOMAIN_MMAP);
	assert_int_equal(r->options.sample_bytes, 512 << 10);
	run__free(r);
	r = good("--domain heap --domain all --sample-bytes 1024G");
	assert_int_equal(r->options.domains, DOMAIN_ALL);
	assert_int_equal(r->options.sample_bytes, 1ULL << 40);
	run__free(r);
}

static void test_every_option(void **state)
{
	struct run *r = good("-p 12,13 --pid=14 -p 13 -i 0.25 -n 3 -d 1.5 -t 0 -g traceback -f 127 "
			     "--min-size 3M");
	const struct options *o = &r->options;

	assert_int_equal(o->npids, 3);
	assert_int_equal(o->pids[2], 14);
	assert_int_equal(o->interval_ns, 250000000);
	assert_int_equal(o->count, 3);
	assert_int_equal(o->duration_ns, 1500000000);
	assert_int_equal(o->report.top, 0);
	assert_int_equal(o->report.statistics.group_by, GROUP_BY_TRACEBACK);
	assert_int_equal(o->nframe, 127);
	assert_int_equal(o->report.min_size, 3 << 20);
	run__free(r);

	r = good("--min-age .001 --format json --max-blocks 1000 --max-stacks 64 -vv "
		 "--group-by filename -- ls -l --help");
	o = &r->options;
	assert_int_equal(o->min_age_ns, 1000000);
	assert_int_equal(o->format, FORMAT_JSON);
	assert_int_equal(o->max_blocks, 1000);
	assert_int_equal(o->max_stacks, 64);
	assert_int_equal(o->verbose, 2);
	assert_int_equal(o->report.statistics.group_by, GROUP_BY_FILE);
	assert_string_equal(o->command[0], "ls");
	assert_string_equal(o->command[2], "--help");
	assert_null(o->command[3]);
	run__free(r);
}

static void test_group_names(void **state)
{
	static const struct {
		const char *line;
		enum group_by group_by;
	} cases[] = {
		{ "-p1 -gline", GROUP_BY_LINE }, { "-p1 -glineno", GROUP_BY_LINE },
		{ "-p1 -gfile", GROUP_BY_FILE }, { "-p1 -gfilename", GROUP_BY_FILE },
		{ "-p1 -gfunction", GROUP_BY_FUNCTION }, { "-p1 -glibrary", GROUP_BY_LIBRARY },
		{ "-p1 -gtraceback", GROUP_BY_TRACEBACK },
		{ "-p1 -gprocess", GROUP_BY_PROCESS }, { "-p1 -gcgroup", GROUP_BY_CGROUP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct run *r = good(cases[i].line);

		assert_int_equal(r->options.report.statistics.group_by, cases[i].group_by);
		run__free(r);
	}
}

static void test_snapshot_options(void **state)
{
	struct run *r = good("-p 1 -o a.pb.gz --block 0x55d0C0ffee10 --reset-peak");

	assert_string_equal(r->options.output, "a.pb.gz");
	assert_int_equal(r->options.block, 0x55d0c0ffee10);
	assert_true(r->options.reset_peak);
	run__free(r);
}

static void test_files(void **state)
{
	struct run *r = good("report a.pb.gz --group-by traceback --top 25 --limit 3 "
			     "--most-recent-last");

	assert_int_equal(r->options.mode, COMMAND_REPORT);
	assert_string_equal(r->options.files[0], "a.pb.gz");
	assert_int_equal(r->options.report.top, 25);
	assert_int_equal(r->options.report.limit, 3);
	assert_true(r->options.report.most_recent_last);
	assert_int_equal(r->options.report.statistics.order, ORDER_SIZE);
	run__free(r);
	r = good("diff --cumulative -g file old new --format csv");
	assert_int_equal(r->options.mode, COMMAND_DIFF);
	assert_string_equal(r->options.files[0], "old");
	assert_string_equal(r->options.files[1], "new");
	assert_int_equal(r->options.format, FORMAT_CSV);
	assert_true(r->options.report.statistics.cumulative);
	assert_int_equal(r->options.report.statistics.order, ORDER_DIFFERENCE);
	run__free(r);
}

static void test_doctor(void **state)
{
	struct run *r = good("doctor");

	assert_int_equal(r->options.mode, COMMAND_DOCTOR);
	assert_int_equal(r->options.npids, 0);
	run__free(r);
	r = good("doctor --format json -p 12,34");
	assert_int_equal(r->options.format, FORMAT_JSON);
	assert_int_equal(r->options.npids, 2);
	assert_int_equal(r->options.pids[1], 34);
	run__free(r);
}

static void test_filters(void **state)
{
	struct run *r = good("-p 1 --include */a.c:12 --exclude b:c --include-domain malloc "
			     "--exclude-domain x --all-frames");
	const struct statistics_opts *opts = &r->options.report.statistics;

	assert_int_equal(opts->nfilters, 4);
	assert_true(opts->all_frames);
	assert_true(opts->filters[0].inclusive && opts->filters[2].inclusive);
	assert_false(opts->filters[1].inclusive || opts->filters[3].inclusive);
	assert_string_equal(opts->filters[0].file, "*/a.c");
	assert_int_equal(opts->filters[0].line, 12);
	assert_string_equal(opts->filters[1].file, "b:c");
	assert_int_equal(opts->filters[1].line, 0);
	assert_string_equal(opts->filters[2].domain, "malloc");
	run__free(r);
}

static void test_environment(void **state)
{
	struct run *r;

	setenv("MEMTRACEBPF_NFRAME", "25", 1);
	r = good("-p 1");
	assert_int_equal(r->options.nframe, 25);
	run__free(r);
	r = good("-p 1 -f 3");
	assert_int_equal(r->options.nframe, 3);
	run__free(r);
	setenv("MEMTRACEBPF_NFRAME", "0", 1);
	r = run("-p 1", stderr);
	assert_int_equal(r->result, CLI_USAGE);
	assert_non_null(strstr(r->said, "MEMTRACEBPF_NFRAME"));
	run__free(r);
	unsetenv("MEMTRACEBPF_NFRAME");
}

static bool has(const struct options *options, const char *pattern)
{
	const char *const *w = options->report.statistics.wrappers;

	while (*w && strcmp(*w, pattern))
		w++;
	return *w;
}

static void test_wrappers(void **state)
{
	struct run *r = good("-p 1");

	assert_true(has(&r->options, "within operator new*"));
	run__free(r);
	r = good("-p 1 --wrappers my_* --wrappers */lib*");
	assert_true(has(&r->options, "within operator new*"));
	assert_true(has(&r->options, "my_*") && has(&r->options, "*/lib*"));
	run__free(r);
	r = good("-p 1 --wrappers my_* --no-wrappers");
	assert_false(has(&r->options, "within operator new*"));
	assert_true(has(&r->options, "my_*"));
	run__free(r);
	r = good("-p 1 --no-source");
	assert_true(r->options.no_source);
	run__free(r);
	r = good("-p 1 --no-wrappers");
	assert_null(r->options.report.statistics.wrappers[0]);
	run__free(r);
}

/* One sentence that names the option and the value. */
static void test_bad_values(void **state)
{
	static const char *const cases[][3] = {
		{ "-p", "--pid", "value" }, { "-p 0", "--pid", "'0'" },
		{ "-p -1", "--pid", "'-1'" },
		{ "-p 1x", "--pid", "'1x'" }, { "-p 1,", "--pid", "'1,'" },
		{ "-p 1,,2", "--pid", "'1,,2'" }, { "-p 2147483648", "--pid", "'2147483648'" },
		{ "-p 99999999999999999999", "--pid", "'99999999999999999999'" },
		{ "-p 1 -i 0", "--interval", "'0'" }, { "-p 1 -i -1", "--interval", "'-1'" },
		{ "-p 1 -i nan", "--interval", "'nan'" }, { "-p 1 -i inf", "--interval", "'inf'" },
		{ "-p 1 -i 1x", "--interval", "'1x'" }, { "-p 1 -i 1e3", "--interval", "'1e3'" },
		{ "-p 1 -i .", "--interval", "'.'" }, { "-p 1 -i 1.2.3", "--interval", "'1.2.3'" },
		{ "-p 1 -i 0x10", "--interval", "'0x10'" },
		{ "-p 1 -i 18446744073.8", "--interval", "'18446744073.8'" },
		{ "-p 1 -i 0.0000000001", "--interval", "'0.0000000001'" },
		{ "-p 1 -d 0", "--duration", "'0'" },
		{ "-p 1 -n 0", "--count", "'0'" }, { "-p 1 -n 1.5", "--count", "'1.5'" },
		{ "-p 1 -n +1", "--count", "'+1'" },
		{ "-p 1 -n 18446744073709551616", "--count", "'18446744073709551616'" },
		{ "-p 1 -t -1", "--top", "'-1'" },
		{ "-p 1 -t 4294967296", "--top", "'4294967296'" },
		{ "-p 1 -f 0", "--nframe", "'0'" }, { "-p 1 -f 128", "--nframe", "'128'" },
		{ "-p 1 -g lines", "--group-by", "'lines'" },
		{ "-p 1 --min-size 1T", "--min-size", "'1T'" },
		{ "-p 1 --min-size 17179869184G", "--min-size", "'17179869184G'" },
		{ "-p 1 --min-size K", "--min-size", "'K'" },
		{ "-p 1 --min-age -5", "--min-age", "'-5'" },
		{ "-p 1 --min-age 4600000", "--min-age", "'4600000'" },
		{ "-p 1 --block 0x", "--block", "'0x'" }, { "-p 1 --block 0", "--block", "'0'" },
		{ "-p 1 --block 0x12345678123456781", "--block", "'0x12345678123456781'" },
		{ "-p 1 --block 12ab", "--block", "'12ab'" },
		{ "-p 1 --output=", "--output", "''" }, { "report a -o b", "--output", "file" },
		{ "report", "report", "FILE" }, { "report a b", "report", "FILE" },
		{ "diff a", "diff", "OLD NEW" }, { "report a -p 3", "--pid", "file" },
		{ "report a --interval 3", "--interval", "file" },
		{ "report a --bogus", "--bogus", "--help" },
		{ "report a --limit 0", "--limit", "'0'" },
		{ "report a --include :3", "--include", "PATTERN" },
		{ "-p 1 --include-domain=", "--include-domain", "''" },
		{ "-p 1 --cumulative -g traceback", "--cumulative", "traceback" },
		{ "--cumulative -g process", "--cumulative", "process" },
		{ "report a --cumulative -g cgroup", "--cumulative", "cgroup" },
		{ "--comm=", "--comm", "''" }, { "--cgroup user.slice", "--cgroup", "'user.slice'" },
		{ "--user nobody-of-this-name", "user", "'nobody-of-this-name'" },
		{ "--user 4294967295", "user", "'4294967295'" }, { "--user=", "user", "''" },
		{ "--domain heaps", "--domain", "'heaps'" },
		{ "--sample-bytes 0", "--sample-bytes", "'0'" },
		{ "--sample-bytes 1025G", "--sample-bytes", "'1025G'" },
		{ "--follow-fork=1", "--follow-fork", "=1" },
		{ "report a --comm x", "--comm", "file" },
		{ "report a --cgroup /x", "--cgroup", "file" },
		{ "report a --user root", "--user", "file" },
		{ "report a --follow-fork", "--follow-fork", "file" },
		{ "report a --sample-bytes 1", "--sample-bytes", "file" },
		{ "diff a b --leaks-at-exit", "--leaks-at-exit", "file" },
		{ "diff a b --domain all", "--domain", "file" },
		{ "--comm x -- ls", "--comm", "COMMAND" },
		{ "--user root -- ls", "--user", "COMMAND" },
		{ "--block 1", "--block", "-p PID" },
		{ "-p 1 --block 1 --sample-bytes 1", "--block", "--sample-bytes" },
		{ "-p 1 --block 1 --leaks-at-exit", "--block", "--leaks-at-exit" },
		{ "-p 1 --format csv -g traceback", "table", "text" },
		{ "-p 1 --format tracemalloc", "tracemalloc", "report" },
		{ "diff a b --format tracemalloc", "tracemalloc", "report" },
		{ "report a --format tracemalloc --include x", "tracemalloc", "filters" },
		{ "doctor 1", "'1'", "-p PID" }, { "doctor --top 3", "--top", "doctor" },
		{ "doctor --interval 3", "--interval", "doctor" },
		{ "doctor --format csv", "--format", "text or json" },
		{ "diff a b --tree", "--tree", "one snapshot" },
		{ "-p 1 --tree --cumulative", "--tree", "--cumulative" },
		{ "-p 1 --format xml", "--format", "'xml'" },
		{ "-p 1 --max-blocks 0", "--max-blocks", "'0'" },
		{ "-p 1 --max-stacks 4194305", "--max-stacks", "'4194305'" },
		{ "-p 1 --interval", "--interval", "value" },
		{ "-p 1 --no-wrappers=3", "--no-wrappers", "=3" },
		{ "-p 1 --bogus", "--bogus", "--help" }, { "-p 1 -x", "-x", "--help" },
		{ "-p 1 --keep 3", "--keep", "--snapshot-every" },
		{ "-p 1 --diff --tree", "--tree", "--diff" },
		{ "report a --diff", "--diff", "file" },
		{ "-p 1 --snapshot-every 0", "--snapshot-every", "'0'" },
		{ "-p 1 --intervall 3", "--intervall", "did you mean --interval?" },
		{ "-p 1 --interval 5 s", "'s'", "--" }, { "dif a b", "'dif'", "did you mean diff?" },
		{ "-p 1 -i 1ss", "--interval", "'1ss'" }, { "-p 1 -i s", "--interval", "'s'" },
		{ "-p 1 --m 3", "--m", "--help" },
		{ "--", "--", "COMMAND" },
		{ "-p 1 -- ls", "-p PID", "COMMAND" }, { "1234", "'1234'", "-p PID" },
		{ "-p 1 ls", "'ls'", "--" }, { "ls --version", "'ls'", "--" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct run *r = run(cases[i][0], stderr);
		const char *newline = strchr(r->said, '\n');

		if (r->result != CLI_USAGE || !strstr(r->said, cases[i][1]) ||
		    !strstr(r->said, cases[i][2]) || !newline || newline[1] ||
		    strncmp(r->said, "memtracebpf: ", 13))
			fail_msg("%s: %d, %s", cases[i][0], r->result, r->said);
		run__free(r);
	}
}

static void test_version(void **state)
{
	static const char *const words[] = { "--version", "-V", "report -V" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct run *r = run(words[i], stdout);

		assert_int_equal(r->result, CLI_DONE);
		assert_string_equal(r->said, "memtracebpf " VERSION "\n");
		run__free(r);
	}
}

static void test_snapshots_while_it_runs(void **state)
{
	struct run *r = good("-p 1 -o x --snapshot-every 10m --keep 6 --diff -d 1h");

	assert_int_equal(r->options.snapshot_every_ns, 600000000000);
	assert_int_equal(r->options.keep, 6);
	assert_true(r->options.diff);
	assert_int_equal(r->options.report.statistics.order, ORDER_DIFFERENCE);
	run__free(r);
}

static void test_units(void **state)
{
	struct run *r = good("-p 1 -i 500ms -d 2h --min-age 1.5m");

	assert_int_equal(r->options.interval_ns, 500000000);
	assert_int_equal(r->options.duration_ns, 7200000000000);
	assert_int_equal(r->options.min_age_ns, 90000000000);
	run__free(r);
	r = good("-p 1 -i 0.0001d --min-size 10M --sample-bytes 2k");
	assert_int_equal(r->options.interval_ns, 8640000000);
	assert_int_equal(r->options.report.min_size, 10 << 20);
	assert_int_equal(r->options.sample_bytes, 2048);
	run__free(r);
}

static void test_help_names_every_option(void **state)
{
	static const char *const options[] = {
		"--pid", "--interval", "--count", "--duration", "--top", "--group-by", "--nframe",
		"--min-size", "--min-age", "--wrappers", "--no-wrappers", "--no-source", "--format",
		"--cumulative", "--include", "--exclude", "--all-frames", "--include-domain",
		"--exclude-domain", "--output", "--block", "--reset-peak", "--tree", "--detail",
		"--limit", "--most-recent-last", "--wide", "--snapshot-every", "--keep", "--diff",
		"--comm", "--cgroup", "--user", "--follow-fork", "--leaks-at-exit", "--domain",
		"--sample-bytes", "What it costs:", "Without PID and COMMAND",
		"--max-blocks", "--max-stacks", "--verbose", "--help", "--version", "Examples:",
	};
	static const char *const words[] = { "--help", "-h", "help", "doctor --help" };
	struct run *r;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		r = run(words[i], stdout);
		assert_int_equal(r->result, CLI_DONE);
		run__free(r);
	}
	r = run("--help", stdout);
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		assert_non_null(strstr(r->said, options[i]));
	run__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_selection),
		cmocka_unit_test(test_which_memory),
		cmocka_unit_test(test_group_names),
		cmocka_unit_test(test_wrappers),
		cmocka_unit_test(test_snapshot_options),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_doctor),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_snapshots_while_it_runs),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
