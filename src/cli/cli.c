// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/help.h"
#include "cli/value.h"

#define MSEC 1000000ULL
#define SEC 1000000000ULL
#define MAX_PID (1 << 22) /* PID_MAX_LIMIT of the kernel */
#define MAX_SECONDS (1000000000 * SEC)
/* The age of a block is kept in 32 bits. */
#define MAX_AGE ((uint64_t)UINT32_MAX << BLOCK_TIME_SHIFT)

enum {
	OPT_MIN_SIZE = 256,
	OPT_MIN_AGE,
	OPT_WRAPPERS,
	OPT_NO_WRAPPERS,
	OPT_FORMAT,
	OPT_MAX_BLOCKS,
	OPT_MAX_STACKS,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "pid", required_argument, NULL, 'p' },
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
	{ "max-blocks", required_argument, NULL, OPT_MAX_BLOCKS },
	{ "max-stacks", required_argument, NULL, OPT_MAX_STACKS },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{},
};

/* What is gathered before it becomes an option. */
struct parser {
	struct options *options;
	const char **patterns; /* of --wrappers */
	size_t npatterns;
	bool no_wrappers;
};

static const char *option_name(int option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == option)
			return o->name;
	return NULL;
}

static enum cli_result refuse(int option, const char *wanted)
{
	log__error("--%s needs %s, not '%s'", option_name(option), wanted, optarg);
	return CLI_USAGE;
}

static enum cli_result no_memory(void)
{
	log__error("no memory for the options");
	return CLI_USAGE;
}

static enum cli_result parse_number(int option, uint64_t min, uint64_t max, uint64_t *number)
{
	char wanted[64];

	if (value__number(optarg, min, max, number))
		return CLI_RUN;
	if (max == UINT64_MAX)
		snprintf(wanted, sizeof(wanted), "a whole number from %ju up", (uintmax_t)min);
	else
		snprintf(wanted, sizeof(wanted), "a whole number from %ju to %ju", (uintmax_t)min,
			 (uintmax_t)max);
	return refuse(option, wanted);
}

static enum cli_result parse_u32(int option, uint64_t min, uint64_t max, uint32_t *number)
{
	enum cli_result result;
	uint64_t value = 0;

	result = parse_number(option, min, max, &value);
	*number = value;
	return result;
}

static enum cli_result parse_seconds(int option, uint64_t min_ns, uint64_t max_ns, uint64_t *ns)
{
	char wanted[80];

	if (value__seconds(optarg, min_ns, max_ns, ns))
		return CLI_RUN;
	snprintf(wanted, sizeof(wanted), "seconds from %g to %.0f", (double)min_ns / SEC,
		 (double)max_ns / SEC);
	return refuse(option, wanted);
}

static enum cli_result add_pid(struct options *options, pid_t pid)
{
	pid_t *pids;

	for (size_t i = 0; i < options->npids; i++)
		if (options->pids[i] == pid)
			return CLI_RUN;
	pids = reallocarray(options->pids, options->npids + 1, sizeof(*pids));
	if (!pids)
		return no_memory();
	options->pids = pids;
	pids[options->npids++] = pid;
	return CLI_RUN;
}

static enum cli_result parse_pids(struct options *options)
{
	const char *p = optarg;

	for (;;) {
		size_t length = strcspn(p, ",");
		char word[16] = "";
		uint64_t pid;

		if (length < sizeof(word))
			memcpy(word, p, length);
		if (!value__number(word, 1, MAX_PID, &pid))
			return refuse('p', "process ids separated by commas");
		if (add_pid(options, pid))
			return CLI_USAGE;
		if (!p[length])
			return CLI_RUN;
		p += length + 1;
	}
}

static enum cli_result parse_group_by(enum group_by *group_by)
{
	for (int i = 0; i < GROUP_BY_MAX; i++) {
		if (!strcmp(optarg, group_by__name(i))) {
			*group_by = i;
			return CLI_RUN;
		}
	}
	/* tracemalloc's names */
	if (!strcmp(optarg, "lineno"))
		*group_by = GROUP_BY_LINE;
	else if (!strcmp(optarg, "filename"))
		*group_by = GROUP_BY_FILE;
	else
		return refuse('g', "line, file, function, traceback or library");
	return CLI_RUN;
}

static enum cli_result parse_format(enum report_format *format)
{
	if (!strcmp(optarg, "text"))
		*format = FORMAT_TEXT;
	else if (!strcmp(optarg, "json"))
		*format = FORMAT_JSON;
	else
		return refuse(OPT_FORMAT, "text or json");
	return CLI_RUN;
}

static enum cli_result add_pattern(struct parser *parser)
{
	const char **patterns;

	if (!*optarg)
		return refuse(OPT_WRAPPERS, "a pattern");
	patterns = reallocarray(parser->patterns, parser->npatterns + 1, sizeof(*patterns));
	if (!patterns)
		return no_memory();
	parser->patterns = patterns;
	patterns[parser->npatterns++] = optarg;
	return CLI_RUN;
}

static enum cli_result parse_option(struct parser *parser, int option)
{
	struct options *options = parser->options;

	switch (option) {
	case 'p':
		return parse_pids(options);
	case 'i':
		return parse_seconds(option, MSEC, MAX_SECONDS, &options->interval_ns);
	case 'n':
		return parse_number(option, 1, UINT64_MAX, &options->count);
	case 'd':
		return parse_seconds(option, MSEC, MAX_SECONDS, &options->duration_ns);
	case 't':
		return parse_u32(option, 0, UINT32_MAX, &options->report.top);
	case 'g':
		return parse_group_by(&options->report.statistics.group_by);
	case 'f':
		return parse_u32(option, 1, MAX_FRAMES, &options->nframe);
	case OPT_MIN_SIZE:
		return value__bytes(optarg, &options->report.min_size)
			       ? CLI_RUN
			       : refuse(option, "a size in bytes, or with K, M or G");
	case OPT_MIN_AGE:
		return parse_seconds(option, 0, MAX_AGE, &options->min_age_ns);
	case OPT_WRAPPERS:
		return add_pattern(parser);
	case OPT_NO_WRAPPERS:
		parser->no_wrappers = true;
		return CLI_RUN;
	case OPT_FORMAT:
		return parse_format(&options->format);
	case OPT_MAX_BLOCKS:
		return parse_u32(option, 1, 1 << 30, &options->max_blocks);
	case OPT_MAX_STACKS:
		return parse_u32(option, 1, MAX_SITE_PIECES << SITE_PIECE_SHIFT,
				 &options->max_stacks);
	case 'v':
		options->verbose++;
		return CLI_RUN;
	case OPT_HELP:
		printf("%s\n%s", help_usage, help_text);
		return CLI_DONE;
	case OPT_VERSION:
		puts("memtracebpf " VERSION);
		return CLI_DONE;
	}
	return CLI_USAGE;
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
		log__error("there is no option '%s', or more than one begins so; "
			   "see memtracebpf --help", word);
	return CLI_USAGE;
}

static enum cli_result parse_operands(int argc, char **argv, struct options *options)
{
	bool separated = optind > 1 && !strcmp(argv[optind - 1], "--");

	if (optind < argc && !separated) {
		log__error("'%s' is no option; to trace a process give -p PID, to start a program "
			   "put -- before it", argv[optind]);
		return CLI_USAGE;
	}
	if (optind < argc)
		options->command = argv + optind;
	if (options->command && options->npids) {
		log__error("give either -p PID or -- COMMAND, not both");
		return CLI_USAGE;
	}
	if (!options->command && !options->npids) {
		log__error("what should be traced? Give -p PID or -- COMMAND; "
			   "see memtracebpf --help");
		return CLI_USAGE;
	}
	return CLI_RUN;
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

enum cli_result cli__parse(int argc, char **argv, struct options *options)
{
	struct parser parser = { .options = options };
	enum cli_result result = CLI_RUN;
	int option;

	*options = (struct options){
		.interval_ns = 5 * SEC,
		.report.top = 10,
		.nframe = 64,
		.max_blocks = 4 << 20,
		.max_stacks = 64 << 10,
	};
	optind = 0; /* glibc: start anew */
	/* '+': COMMAND's own options are not ours; ':': we say what is wrong. */
	while (result == CLI_RUN) {
		option = getopt_long(argc, argv, "+:p:i:n:d:t:g:f:v", long_options, NULL);
		if (option == -1)
			break;
		result = option == '?' || option == ':' ? complain(option, argv)
							: parse_option(&parser, option);
	}
	if (result == CLI_RUN)
		result = parse_operands(argc, argv, options);
	if (result == CLI_RUN)
		result = set_wrappers(&parser);
	free(parser.patterns);
	return result;
}

void cli__free(struct options *options)
{
	free(options->pids);
	free(options->wrappers);
	*options = (struct options){};
}
