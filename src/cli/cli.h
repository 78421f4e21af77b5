/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From arguments to a plain struct; nothing else parses. */
#ifndef MT_CLI_CLI_H
#define MT_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "probe/custom.h"
#include "report/report.h"

enum command {
	COMMAND_TRACE = 0,
	COMMAND_REPORT,		/* of files[0] */
	COMMAND_DIFF,		/* from files[0] to files[1] */
	COMMAND_DOCTOR,		/* of pids, or of all processes */
};

/* Which memory is followed: the allocators', what is mapped without them, or both. */
enum domains {
	DOMAIN_HEAP = 0,
	DOMAIN_MMAP,
	DOMAIN_ALL,
};

struct options {
	enum command mode;
	const char *files[2];

	pid_t *pids;		/* each once */
	size_t npids;
	char **command;		/* what to run: the end of argv, NULL-terminated; else NULL */
	bool everything;	/* neither of these: all processes, those to come included */
	/* Only processes that are one of each list which is not empty. */
	const char **comms;
	size_t ncomms;
	const char **cgroups;	/* a directory, or the path as in /proc/PID/cgroup */
	size_t ncgroups;
	uid_t *users;
	size_t nusers;
	bool follow_fork;	/* and the children of all these */
	bool leaks_at_exit;	/* one more report of each process that ends */
	enum domains domains;
	struct custom_allocator *allocators;	/* a list; owned */
	uint64_t sample_bytes;	/* mean interval between samples; 0: every allocation */

	uint64_t interval_ns;
	uint64_t count;		/* reports; 0: no limit */
	uint64_t duration_ns;	/* 0: no limit */

	struct report_opts report;
	const char **wrappers;	/* what report.statistics.wrappers points to; owned */
	struct filter *filters;	/* the same of report.statistics.filters */
	bool no_source;		/* reports without the text of source lines */
	enum report_format format;

	uint32_t nframe;	/* traceback limit: 1..MAX_FRAMES */
	uint64_t min_age_ns;	/* younger blocks are left out; 0: none */
	uint32_t max_blocks, max_stacks;
	const char *output;	/* file for the snapshot; NULL: none */
	uint64_t snapshot_every_ns; /* numbered snapshots at this interval; 0: none */
	uint32_t keep;		/* so many of them; 0: all */
	bool diff;		/* one report, at the end: what grew from the start on */
	uint64_t block;		/* only tell about the block at this address; 0: no */
	bool reset_peak;	/* at each report */
	int verbose;		/* how many -v */
};

enum cli_result {
	CLI_RUN = 0,	/* do what the options say */
	CLI_DONE,	/* --help or --version was answered: exit 0 */
	CLI_USAGE,	/* a sentence about the mistake is on stderr: exit 2 */
};

#define CLI_EXIT_USAGE 2

/*
 * Fills `options` from the command line. Strings point into argv. cli__free() releases, whatever
 * the result was.
 */
enum cli_result cli__parse(int argc, char **argv, struct options *options);
void cli__free(struct options *options);

#endif
