// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "cli/suggest.h"
#include "cli/value.h"

#define MSEC 1000000ULL
#define SEC 1000000000ULL
#define FEW_STACKS (128 << 10)
#define MANY_STACKS (512 << 10) /* of many processes */
#define MOST_STACKS (3 << 20)
#define MAX_SECONDS (1000000000 * SEC)
/* The blocks' clock goes round after no less. */
#define MAX_AGE (UINT32_MAX * MSEC)
#define NFRAME_VARIABLE "MEMTRACEBPF_NFRAME" /* as PYTHONTRACEMALLOC */

enum {
	OPT_COMM = 256,
	OPT_CGROUP,
	OPT_USER,
	OPT_FOLLOW_FORK,
	OPT_LEAKS_AT_EXIT,
	OPT_ALLOCATOR,
	OPT_DOMAIN,
	OPT_SAMPLE_BYTES,
	OPT_MIN_SIZE,
	OPT_MIN_AGE,
	OPT_WRAPPERS,
	OPT_NO_WRAPPERS,
	OPT_FORMAT,
	OPT_TREE,
	OPT_WIDE,
	OPT_DETAIL,
	OPT_NO_SOURCE,
	OPT_CUMULATIVE,
	OPT_INCLUDE,
	OPT_EXCLUDE,
	OPT_INCLUDE_DOMAIN,
	OPT_EXCLUDE_DOMAIN,
	OPT_ALL_FRAMES,
	OPT_LIMIT,
	OPT_MOST_RECENT_LAST,
	OPT_MAX_BLOCKS,
	OPT_MAX_STACKS,
	OPT_BLOCK,
	OPT_RESET_PEAK,
	OPT_SNAPSHOT_EVERY,
	OPT_KEEP,
	OPT_DIFF,
};

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'p' },
	{ "comm", required_argument, NULL, OPT_COMM },
	{ "cgroup", required_argument, NULL, OPT_CGROUP },
	{ "user", required_argument, NULL, OPT_USER },
	{ "follow-fork", no_argument, NULL, OPT_FOLLOW_FORK },
	{ "leaks-at-exit", no_argument, NULL, OPT_LEAKS_AT_EXIT },
	{ "allocator", required_argument, NULL, OPT_ALLOCATOR },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "sample-bytes", required_argument, NULL, OPT_SAMPLE_BYTES },
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'n' },
	{ "duration", required_argument, NULL, 'd' },
	{ "top", required_argument, NULL, 't' },
	{ "group-by", required_argument, NULL, 'g' },
	{ "nframe", required_argument, NULL, 'f' },
	{ "min-size", required_argument, NULL, OPT_MIN_SIZE },
	{ "min-age", required_argument, NULL, OPT_MIN_AGE },
	{ "wrappers", required_argument, NULL, OPT_WRAPPERS },
	{ "no-wrappers", no_argument, NULL, OPT_NO_WRAPPERS },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "tree", no_argument, NULL, OPT_TREE },
	{ "wide", no_argument, NULL, OPT_WIDE },
	{ "detail", no_argument, NULL, OPT_DETAIL },
	{ "no-source", no_argument, NULL, OPT_NO_SOURCE },
	{ "cumulative", no_argument, NULL, OPT_CUMULATIVE },
	{ "include", required_argument, NULL, OPT_INCLUDE },
	{ "exclude", required_argument, NULL, OPT_EXCLUDE },
	{ "include-domain", required_argument, NULL, OPT_INCLUDE_DOMAIN },
	{ "exclude-domain", required_argument, NULL, OPT_EXCLUDE_DOMAIN },
	{ "all-frames", no_argument, NULL, OPT_ALL_FRAMES },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "most-recent-last", no_argument, NULL, OPT_MOST_RECENT_LAST },
	{ "max-blocks", required_argument, NULL, OPT_MAX_BLOCKS },
	{ "max-stacks", required_argument, NULL, OPT_MAX_STACKS },
	{ "output", required_argument, NULL, 'o' },
	{ "block", required_argument, NULL, OPT_BLOCK },
	{ "snapshot-every", required_argument, NULL, OPT_SNAPSHOT_EVERY },
	{ "keep", required_argument, NULL, OPT_KEEP },
	{ "diff", no_argument, NULL, OPT_DIFF },
	{ "reset-peak", no_argument, NULL, OPT_RESET_PEAK },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{},
};

const char *option_name(int option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == option)
			return o->name;
	return NULL;
}

/* Which processes, and which of their memory. */
static enum cli_result parse_selection_option(struct parser *parser, int option)
{
	struct options *options = parser->options;

	switch (option) {
	case 'p':
		return parse_pids(option, options);
	case OPT_COMM:
		return parse_comm(option, options);
	case OPT_CGROUP:
		return parse_cgroup(option, options);
	case OPT_USER:
		return parse_user(options);
	case OPT_FOLLOW_FORK:
		options->follow_fork = true;
		return CLI_RUN;
	case OPT_ALLOCATOR:
		return parse_allocator(options);
	case OPT_DOMAIN:
		return parse_domains(option, &options->domains);
	case OPT_SAMPLE_BYTES:
		return parse_sample_bytes(option, &options->sample_bytes);
	}
	return CLI_USAGE;
}

/* How and when to trace. */
static enum cli_result parse_trace_option(struct parser *parser, int option)
{
	struct options *options = parser->options;

	if (options->mode != COMMAND_TRACE) {
		log__error("--%s is about tracing: it has no meaning for a file",
			   option_name(option));
		return CLI_USAGE;
	}
	switch (option) {
	case 'i':
		return parse_seconds(option, MSEC, MAX_SECONDS, &options->interval_ns);
	case 'n':
		return parse_number(option, 1, UINT64_MAX, &options->count);
	case 'd':
		return parse_seconds(option, MSEC, MAX_SECONDS, &options->duration_ns);
	case 'f':
		return parse_u32(option, 1, MAX_FRAMES, &options->nframe);
	case OPT_MIN_AGE:
		return parse_seconds(option, 0, MAX_AGE, &options->min_age_ns);
	case OPT_MAX_BLOCKS:
		return parse_u32(option, 1, 1 << 30, &options->max_blocks);
	case OPT_MAX_STACKS:
		return parse_u32(option, 1, MOST_STACKS,
				 &options->max_stacks);
	case 'o':
		return parse_output(option, options);
	case OPT_BLOCK:
		return value__address(optarg, &options->block)
			       ? CLI_RUN
			       : refuse(option, "an address, such as 0x55d0c0ffee10");
	case OPT_SNAPSHOT_EVERY:
		return parse_seconds(option, MSEC, MAX_SECONDS, &options->snapshot_every_ns);
	case OPT_KEEP:
		return parse_u32(option, 1, UINT32_MAX, &options->keep);
	case OPT_DIFF:
		options->diff = true;
		options->report.statistics.order = ORDER_DIFFERENCE;
		return CLI_RUN;
	case OPT_RESET_PEAK:
		options->reset_peak = true;
		return CLI_RUN;
	case OPT_LEAKS_AT_EXIT:
		options->leaks_at_exit = true;
		return CLI_RUN;
	}
	return parse_selection_option(parser, option);
}

/* What to report. */
static enum cli_result parse_report_option(struct parser *parser, int option)
{
	struct options *options = parser->options;
	struct report_opts *report = &options->report;

	switch (option) {
	case 't':
		return parse_u32(option, 0, UINT32_MAX, &report->top);
	case 'g':
		return parse_group_by(option, &report->statistics.group_by);
	case OPT_MIN_SIZE:
		return parse_size(option, &report->min_size);
	case OPT_WRAPPERS:
		return parse_wrapper(option, parser);
	case OPT_NO_WRAPPERS:
		parser->no_wrappers = true;
		return CLI_RUN;
	case OPT_FORMAT:
		return parse_format(option, &options->format);
	case OPT_TREE:
		options->format = FORMAT_TREE;
		return CLI_RUN;
	case OPT_WIDE:
		report->wide = true;
		return CLI_RUN;
	case OPT_DETAIL:
		report->detail = true;
		return CLI_RUN;
	case OPT_NO_SOURCE:
		options->no_source = true;
		return CLI_RUN;
	case OPT_CUMULATIVE:
		report->statistics.cumulative = true;
		return CLI_RUN;
	case OPT_INCLUDE:
	case OPT_EXCLUDE:
		return parse_file_filter(option, option == OPT_INCLUDE, options);
	case OPT_INCLUDE_DOMAIN:
	case OPT_EXCLUDE_DOMAIN:
		return parse_domain_filter(option, option == OPT_INCLUDE_DOMAIN, options);
	case OPT_ALL_FRAMES:
		report->statistics.all_frames = true;
		return CLI_RUN;
	case OPT_LIMIT:
		return parse_u32(option, 1, UINT32_MAX, &report->limit);
	case OPT_MOST_RECENT_LAST:
		report->most_recent_last = true;
		return CLI_RUN;
	}
	return parse_trace_option(parser, option);
}

static enum cli_result parse_doctor_option(struct parser *parser, int option)
{
	switch (option) {
	case 'p':
		return parse_pids(option, parser->options);
	case OPT_FORMAT:
		return parse_format(option, &parser->options->format);
	}
	log__error("--%s has no meaning for doctor", option_name(option));
	return CLI_USAGE;
}

static enum cli_result print_help(void)
{
	printf("%s\n%s", help_usage, help_text);
	return CLI_DONE;
}

static enum cli_result parse_option(struct parser *parser, int option)
{
	switch (option) {
	case 'v':
		parser->options->verbose++;
		return CLI_RUN;
	case 'h':
		return print_help();
	case 'V':
		puts("memtracebpf " VERSION);
		return CLI_DONE;
	}
	return parser->options->mode == COMMAND_DOCTOR ? parse_doctor_option(parser, option)
						       : parse_report_option(parser, option);
}

static const char *suggest_option(const char *word)
{
	const char *names[sizeof(long_options) / sizeof(*long_options)];
	size_t n = 0;

	for (const struct option *o = long_options; o->name; o++)
		names[n++] = o->name;
	names[n] = NULL;
	return suggest(word + strspn(word, "-"), names);
}

static void complain_of_unknown(const char *word)
{
	const char *meant = suggest_option(word);

	if (meant)
		log__error("there is no option '%s'; did you mean --%s?", word, meant);
	else
		log__error("there is no option '%s', or more than one begins so; "
			   "see memtracebpf --help", word);
}

/* getopt's ':' (a value is missing) and '?' (everything else). */
static enum cli_result complain(int option, char **argv)
{
	const char *word = argv[optind - 1];

	if (option == ':')
		log__error("--%s needs a value", option_name(optopt));
	else if (optopt && option_name(optopt))
		log__error("--%s takes no value: '%s'", option_name(optopt), word);
	else if (optopt)
		log__error("there is no option '-%c'; see memtracebpf --help", optopt);
	else
		complain_of_unknown(word);
	return CLI_USAGE;
}

static enum cli_result parse_files(int argc, char **argv, struct options *options)
{
	int wanted = options->mode == COMMAND_DIFF ? 2 : 1;

	if (argc - optind != wanted) {
		log__error(options->mode == COMMAND_DIFF
				   ? "diff needs two snapshots: memtracebpf diff OLD NEW"
				   : "report needs one snapshot: memtracebpf report FILE, or - for "
				     "standard input");
		return CLI_USAGE;
	}
	for (int i = 0; i < wanted; i++)
		options->files[i] = argv[optind + i];
	return CLI_RUN;
}

static const char *const commands[] = { "report", "diff", "doctor", "help", NULL };

static void complain_of_word(const char *word)
{
	const char *meant = suggest(word, commands);

	if (meant)
		log__error("there is no command '%s'; did you mean %s?", word, meant);
	else
		log__error("'%s' is no option; to trace a process give -p PID, to start a program "
			   "put -- before it", word);
}

static enum cli_result parse_targets(int argc, char **argv, struct options *options)
{
	bool separated = optind > 1 && !strcmp(argv[optind - 1], "--");

	if (optind < argc && !separated) {
		complain_of_word(argv[optind]);
		return CLI_USAGE;
	}
	if (optind == argc && separated) {
		log__error("-- needs a COMMAND behind it; without both, all processes are traced");
		return CLI_USAGE;
	}
	if (optind < argc)
		options->command = argv + optind;
	if (options->command && options->npids) {
		log__error("give either -p PID or -- COMMAND, not both");
		return CLI_USAGE;
	}
	if (options->command && (options->ncomms || options->ncgroups || options->nusers)) {
		log__error("--comm, --cgroup and --user select running processes: they do not go "
			   "with -- COMMAND");
		return CLI_USAGE;
	}
	options->everything = !options->command && !options->npids;
	return CLI_RUN;
}

static enum cli_result check_block(const struct options *options)
{
	const char *why = NULL;

	if (!options->block)
		return CLI_RUN;
	if (options->everything)
		why = "give -p PID, as many processes have the same addresses";
	else if (options->sample_bytes)
		why = "--sample-bytes records only some blocks";
	else if (options->leaks_at_exit)
		why = "--leaks-at-exit is about all blocks";
	if (!why)
		return CLI_RUN;
	log__error("--block looks for a single block: %s", why);
	return CLI_USAGE;
}

/* What does not go together. */
static enum cli_result check(const struct options *options)
{
	const struct statistics_opts *opts = &options->report.statistics;
	bool table = options->format == FORMAT_MARKDOWN || options->format == FORMAT_CSV;

	if (options->mode == COMMAND_DOCTOR && options->format != FORMAT_TEXT &&
	    options->format != FORMAT_JSON) {
		log__error("doctor writes --format text or json");
		return CLI_USAGE;
	}
	if (opts->cumulative && !group_by__is_frame(opts->group_by)) {
		log__error("--cumulative counts frames: it cannot be used with --group-by %s",
			   group_by__name(opts->group_by));
		return CLI_USAGE;
	}
	if (opts->group_by == GROUP_BY_TRACEBACK && table) {
		log__error("tracebacks do not fit in a table: use --format text or json");
		return CLI_USAGE;
	}
	if (options->format == FORMAT_TREE &&
	    (options->mode == COMMAND_DIFF || opts->cumulative)) {
		log__error("--tree shows one snapshot, without --cumulative");
		return CLI_USAGE;
	}
	if (options->format == FORMAT_TRACEMALLOC &&
	    (options->mode != COMMAND_REPORT || opts->nfilters)) {
		log__error("--format tracemalloc writes a whole snapshot: it goes with report and "
			   "without filters");
		return CLI_USAGE;
	}
	if (options->keep && !options->snapshot_every_ns) {
		log__error("--keep says how many files of --snapshot-every stay: give both");
		return CLI_USAGE;
	}
	if (options->diff && options->format == FORMAT_TREE) {
		log__error("--tree shows one snapshot, without --diff");
		return CLI_USAGE;
	}
	return check_block(options);
}

/* The list known from the start, if wanted, and the user's patterns. */
static enum cli_result set_wrappers(struct parser *parser)
{
	struct options *options = parser->options;
	size_t n = 0, known = 0;

	while (!parser->no_wrappers && statistics_default_wrappers[known])
		known++;
	options->wrappers = calloc(known + parser->npatterns + 1, sizeof(*options->wrappers));
	if (!options->wrappers)
		return no_memory();
	for (size_t i = 0; i < known; i++)
		options->wrappers[n++] = statistics_default_wrappers[i];
	for (size_t i = 0; i < parser->npatterns; i++)
		options->wrappers[n++] = parser->patterns[i];
	options->report.statistics.wrappers = options->wrappers;
	return CLI_RUN;
}

/* The traceback limit's default can come from the environment. */
static enum cli_result read_environment(struct options *options)
{
	const char *text = getenv(NFRAME_VARIABLE);
	uint64_t nframe = options->nframe;

	if (text && *text && !value__number(text, 1, MAX_FRAMES, &nframe)) {
		log__error(NFRAME_VARIABLE " needs a whole number from 1 to %d, not '%s'",
			   MAX_FRAMES, text);
		return CLI_USAGE;
	}
	options->nframe = nframe;
	return CLI_RUN;
}

/* "report", "diff" or "doctor" as the first word; what follows is parsed without it. */
static void parse_command(int *argc, char ***argv, struct options *options)
{
	const char *word = *argc > 1 ? (*argv)[1] : "";

	if (!strcmp(word, "report"))
		options->mode = COMMAND_REPORT;
	else if (!strcmp(word, "diff"))
		options->mode = COMMAND_DIFF;
	else if (!strcmp(word, "doctor"))
		options->mode = COMMAND_DOCTOR;
	else
		return;
	++*argv;
	--*argc;
}

static enum cli_result parse_words(int argc, char **argv, struct parser *parser)
{
	bool tracing = parser->options->mode == COMMAND_TRACE;
	/* '+': COMMAND's own options are not ours; ':': we say what is wrong. */
	const char *letters = tracing ? "+:p:i:n:d:t:g:f:o:vhV" : ":p:i:n:d:t:g:f:o:vhV";
	enum cli_result result = CLI_RUN;

	optind = 0; /* glibc: start anew */
	while (result == CLI_RUN) {
		int option = getopt_long(argc, argv, letters, long_options, NULL);

		if (option == -1)
			break;
		result = option == '?' || option == ':' ? complain(option, argv)
							: parse_option(parser, option);
	}
	if (result != CLI_RUN)
		return result;
	if (tracing)
		return parse_targets(argc, argv, parser->options);
	if (parser->options->mode != COMMAND_DOCTOR)
		return parse_files(argc, argv, parser->options);
	if (optind == argc)
		return CLI_RUN;
	log__error("'%s' is no option; to look at one process give -p PID", argv[optind]);
	return CLI_USAGE;
}

/*
 * The table of stacks grows with use, but the index to find them by, some 13 bytes for each, is there
 * from the start.
 */
static uint32_t choose_max_stacks(const struct options *options)
{
	return options->everything || options->follow_fork ? MANY_STACKS : FEW_STACKS;
}

enum cli_result cli__parse(int argc, char **argv, struct options *options)
{
	struct parser parser = { .options = options };
	enum cli_result result;

	*options = (struct options){
		.interval_ns = 5 * SEC,
		.report.top = 10,
		.nframe = 64,
		.max_blocks = 4 << 20,
	};
	if (argc > 1 && !strcmp(argv[1], "help"))
		return print_help();
	parse_command(&argc, &argv, options);
	if (options->mode == COMMAND_DIFF)
		options->report.statistics.order = ORDER_DIFFERENCE;
	result = read_environment(options);
	if (result == CLI_RUN)
		result = parse_words(argc, argv, &parser);
	if (!options->max_stacks)
		options->max_stacks = choose_max_stacks(options);
	if (result == CLI_RUN)
		result = check(options);
	if (result == CLI_RUN)
		result = set_wrappers(&parser);
	free(parser.patterns);
	return result;
}

void cli__free(struct options *options)
{
	free(options->pids);
	free(options->comms);
	free(options->cgroups);
	free(options->users);
	custom_allocators__free(options->allocators);
	free(options->wrappers);
	free(options->filters);
	*options = (struct options){};
}
