// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/parse.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/value.h"

#define SEC 1000000000ULL
#define COMM_MAX 15 /* bytes that the kernel keeps of a process's name */
#define SAMPLE_BYTES_MAX (1ULL << 40)

enum cli_result refuse(int option, const char *wanted)
{
	log__error("--%s needs %s, not '%s'", option_name(option), wanted, optarg);
	return CLI_USAGE;
}

enum cli_result no_memory(void)
{
	log__error("no memory for the options");
	return CLI_USAGE;
}

enum cli_result parse_number(int option, uint64_t min, uint64_t max, uint64_t *number)
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

enum cli_result parse_u32(int option, uint64_t min, uint64_t max, uint32_t *number)
{
	enum cli_result result;
	uint64_t value = 0;

	result = parse_number(option, min, max, &value);
	*number = value;
	return result;
}

enum cli_result parse_seconds(int option, uint64_t min_ns, uint64_t max_ns, uint64_t *ns)
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

enum cli_result parse_pids(int option, struct options *options)
{
	const char *p = optarg;

	for (;;) {
		size_t length = strcspn(p, ",");
		char word[16] = "";
		uint64_t pid;

		if (length < sizeof(word))
			memcpy(word, p, length);
		if (!value__number(word, 1, INT32_MAX, &pid))
			return refuse(option, "process ids separated by commas");
		if (add_pid(options, pid))
			return CLI_USAGE;
		if (!p[length])
			return CLI_RUN;
		p += length + 1;
	}
}

static enum cli_result add_word(const char ***words, size_t *count, const char *word)
{
	const char **grown = reallocarray(*words, *count + 1, sizeof(*grown));

	if (!grown)
		return no_memory();
	*words = grown;
	grown[(*count)++] = word;
	return CLI_RUN;
}

enum cli_result parse_comm(int option, struct options *options)
{
	if (!*optarg)
		return refuse(option, "the name of a process");
	if (strlen(optarg) > COMM_MAX)
		optarg[COMM_MAX] = '\0';
	return add_word(&options->comms, &options->ncomms, optarg);
}

enum cli_result parse_cgroup(int option, struct options *options)
{
	if (*optarg != '/')
		return refuse(option, "a directory below /sys/fs/cgroup or a path as in "
				      "/proc/PID/cgroup");
	return add_word(&options->cgroups, &options->ncgroups, optarg);
}

/* A name that consists of digits is a name first, as for chown. */
enum cli_result parse_user(struct options *options)
{
	const struct passwd *user = getpwnam(optarg);
	uint64_t number;
	uid_t *users;

	if (user) {
		number = user->pw_uid;
	} else if (!value__number(optarg, 0, (uid_t)-2, &number)) {
		log__error("there is no user '%s'; give a name or a number", optarg);
		return CLI_USAGE;
	}
	users = reallocarray(options->users, options->nusers + 1, sizeof(*users));
	if (!users)
		return no_memory();
	options->users = users;
	users[options->nusers++] = number;
	return CLI_RUN;
}

enum cli_result parse_allocator(struct options *options)
{
	switch (custom_allocators__add(&options->allocators, optarg)) {
	case 0:
		return CLI_RUN;
	case -ENOMEM:
		return no_memory();
	default:
		return CLI_USAGE;
	}
}

enum cli_result parse_domains(int option, enum domains *domains)
{
	static const char *const names[] = {
		[DOMAIN_HEAP] = "heap",
		[DOMAIN_MMAP] = "mmap",
		[DOMAIN_ALL] = "all",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!strcmp(optarg, names[i])) {
			*domains = i;
			return CLI_RUN;
		}
	}
	return refuse(option, "heap, mmap or all");
}

enum cli_result parse_sample_bytes(int option, uint64_t *bytes)
{
	if (value__bytes(optarg, bytes) && *bytes && *bytes <= SAMPLE_BYTES_MAX)
		return CLI_RUN;
	return refuse(option, "a size from 1 to 1024G");
}

enum cli_result parse_group_by(int option, enum group_by *group_by)
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
		return refuse(option, "line, file, function, traceback, library, process or "
				      "cgroup");
	return CLI_RUN;
}

enum cli_result parse_format(int option, enum report_format *format)
{
	static const char *const names[] = {
		[FORMAT_TEXT] = "text",		[FORMAT_JSON] = "json",
		[FORMAT_MARKDOWN] = "markdown", [FORMAT_CSV] = "csv",
		[FORMAT_TRACEMALLOC] = "tracemalloc",
		[FORMAT_TRACEMALLOC_TEXT] = "tracemalloc-text",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (names[i] && !strcmp(optarg, names[i])) {
			*format = i;
			return CLI_RUN;
		}
	}
	return refuse(option, "text, tracemalloc-text, json, markdown, csv or tracemalloc");
}

enum cli_result parse_size(int option, uint64_t *bytes)
{
	return value__bytes(optarg, bytes) ? CLI_RUN
					   : refuse(option, "a size in bytes, or with K, M or G");
}

enum cli_result parse_output(int option, struct options *options)
{
	if (!*optarg)
		return refuse(option, "the name of a file");
	options->output = optarg;
	return CLI_RUN;
}

enum cli_result parse_wrapper(int option, struct parser *parser)
{
	if (!*optarg)
		return refuse(option, "a pattern");
	return add_word(&parser->patterns, &parser->npatterns, optarg);
}

static enum cli_result add_filter(struct options *options, const struct filter *filter)
{
	struct statistics_opts *opts = &options->report.statistics;
	struct filter *filters;

	filters = reallocarray(options->filters, opts->nfilters + 1, sizeof(*filters));
	if (!filters)
		return no_memory();
	filters[opts->nfilters++] = *filter;
	options->filters = filters;
	opts->filters = filters;
	return CLI_RUN;
}

enum cli_result parse_file_filter(int option, bool inclusive, struct options *options)
{
	struct filter filter = { .inclusive = inclusive, .file = optarg };
	char *colon = strrchr(optarg, ':');
	uint64_t line;

	if (colon && value__number(colon + 1, 1, UINT32_MAX, &line)) {
		filter.line = line;
		*colon = '\0';
	}
	if (!*optarg)
		return refuse(option, "PATTERN or PATTERN:LINE");
	return add_filter(options, &filter);
}

enum cli_result parse_domain_filter(int option, bool inclusive, struct options *options)
{
	const struct filter filter = { .inclusive = inclusive, .domain = optarg };

	if (!*optarg)
		return refuse(option, "an allocator's name, such as malloc");
	return add_filter(options, &filter);
}
