/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One option's value each; optarg is the text. */
#ifndef MT_CLI_PARSE_H
#define MT_CLI_PARSE_H

#include "cli/cli.h"

/* What is gathered before it becomes an option. */
struct parser {
	struct options *options;
	const char **patterns;	/* of --wrappers */
	size_t npatterns;
	bool no_wrappers;
};

const char *option_name(int option); /* NULL: there is none */

/* Says what `option` needs instead of optarg. */
enum cli_result refuse(int option, const char *wanted);
enum cli_result no_memory(void);

enum cli_result parse_number(int option, uint64_t min, uint64_t max, uint64_t *number);
enum cli_result parse_u32(int option, uint64_t min, uint64_t max, uint32_t *number);
enum cli_result parse_size(int option, uint64_t *bytes);
enum cli_result parse_seconds(int option, uint64_t min_ns, uint64_t max_ns, uint64_t *ns);
enum cli_result parse_pids(int option, struct options *options);
/* Cut to what the kernel keeps of a name. */
enum cli_result parse_comm(int option, struct options *options);
enum cli_result parse_cgroup(int option, struct options *options);
enum cli_result parse_user(struct options *options);
enum cli_result parse_allocator(struct options *options);
enum cli_result parse_domains(int option, enum domains *domains);
enum cli_result parse_sample_bytes(int option, uint64_t *bytes);
enum cli_result parse_group_by(int option, enum group_by *group_by);
enum cli_result parse_format(int option, enum report_format *format);
enum cli_result parse_wrapper(int option, struct parser *parser);
enum cli_result parse_output(int option, struct options *options);
/* PATTERN[:LINE], or an allocator's name. */
enum cli_result parse_file_filter(int option, bool inclusive, struct options *options);
enum cli_result parse_domain_filter(int option, bool inclusive, struct options *options);

#endif
