// SPDX-License-Identifier: GPL-2.0-or-later
/* Library -> function -> return address, each with what the blocks below it take. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/saturate.h"
#include "report/footer.h"
#include "report/format.h"
#include "report/label.h"
#include "report/report.h"

enum level {
	LEVEL_LIBRARY = 0,
	LEVEL_FUNCTION,
	LEVEL_ADDRESS,
	LEVEL_MAX,
};

/* Neighbouring items that are one entry of a level. */
struct node {
	const struct statistic *const *items;
	size_t nitems;
	uint64_t size, usable_size, count;
	bool usable_known;
};

struct tree {
	FILE *out;
	const struct report_opts *opts;
};

static int compare_strings(const char *a, const char *b)
{
	return a == b ? 0 : strcmp(a ? a : "", b ? b : "");
}

/* Libraries are told apart by their build ids, where they have one, else by their paths. */
static int compare_libraries(const struct stat_frame *a, const struct stat_frame *b)
{
	int d = compare_strings(a->build_id, b->build_id);

	if (!d && !a->build_id)
		d = compare_strings(a->module, b->module);
	return d ? d : (a->copy > b->copy) - (a->copy < b->copy);
}

/* Brings the items of a library, and within it those of a function, together. */
static int by_place(const void *x, const void *y)
{
	const struct stat_frame *a = (*(const struct statistic *const *)x)->frames[0];
	const struct stat_frame *b = (*(const struct statistic *const *)y)->frames[0];
	int d = compare_libraries(a, b);

	if (!d)
		d = compare_strings(a->function, b->function);
	return d ? d : (a->offset > b->offset) - (a->offset < b->offset);
}

static int by_size(const void *x, const void *y)
{
	const struct node *a = x, *b = y;

	if (a->size != b->size)
		return a->size < b->size ? 1 : -1;
	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return by_place(a->items, b->items);
}

static bool is_same(const struct statistic *x, const struct statistic *y, enum level level)
{
	const struct stat_frame *a = x->frames[0], *b = y->frames[0];

	return level != LEVEL_ADDRESS && !compare_libraries(a, b) &&
	       (level == LEVEL_LIBRARY || !compare_strings(a->function, b->function));
}

static void node__add(struct node *node, const struct statistic *item)
{
	node->nitems++;
	add_saturated(&node->size, item->size);
	node->count += item->count;
	add_saturated(&node->usable_size, item->usable_size);
	node->usable_known &= item->usable_size || !item->size;
}

static size_t make_nodes(const struct statistic *const *items, size_t n, enum level level,
			 struct node *nodes)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (!count || !is_same(*nodes[count - 1].items, items[i], level))
			nodes[count++] = (struct node){ .items = &items[i], .usable_known = true };
		node__add(&nodes[count - 1], items[i]);
	}
	qsort(nodes, count, sizeof(*nodes), by_size);
	return count;
}

static void tree__label(struct tree *tree, const struct stat_frame *frame, enum level level)
{
	switch (level) {
	case LEVEL_LIBRARY:
		write_text(tree->out, frame->module ? frame->module : "<unknown>");
		break;
	case LEVEL_FUNCTION:
		write_text(tree->out, frame->function ? frame->function : "<unknown>");
		break;
	default:
		if (frame->offset)
			fprintf(tree->out, "+0x%" PRIx64 "%s", frame->offset,
				frame->file ? " " : "");
		if (frame->file || !frame->offset)
			write_label(tree->out, frame, GROUP_BY_LINE);
	}
}

static void tree__row(struct tree *tree, const struct node *node, enum level level)
{
	char size[FORMAT_SIZE_MAX], usable[FORMAT_SIZE_MAX] = "?";

	format_size(size, node->size, false);
	if (node->usable_known)
		format_size(usable, node->usable_size, false);
	fprintf(tree->out, "%12s %12s %12" PRIu64 "  %*s", size, usable, node->count, 2 * level,
		"");
	tree__label(tree, (*node->items)->frames[0], level);
	putc('\n', tree->out);
}

/* The nodes of a level, the biggest first, each with those below it. 0 or -ENOMEM. */
static int tree__level(struct tree *tree, const struct statistic *const *items, size_t n,
		       enum level level)
{
	struct node *nodes = calloc(n + 1, sizeof(*nodes));
	size_t count, shown = 0, hidden = 0;
	int err = 0;

	if (!nodes)
		return -ENOMEM;
	count = make_nodes(items, n, level, nodes);
	for (size_t i = 0; i < count && !err; i++) {
		if (!nodes[i].count)
			continue; /* all freed */
		if ((tree->opts->top && shown >= tree->opts->top) ||
		    nodes[i].size < tree->opts->min_size) {
			hidden++;
			continue;
		}
		shown++;
		tree__row(tree, &nodes[i], level);
		if (level + 1 < LEVEL_MAX)
			err = tree__level(tree, nodes[i].items, nodes[i].nitems, level + 1);
	}
	if (hidden)
		fprintf(tree->out, "%40s%*sand %zu more\n", "", 2 * level, "", hidden);
	free(nodes);
	return err;
}

int report__tree(FILE *out, const struct snapshot *snapshot, const struct snapshot *old __unused,
		 const struct report_opts *opts, struct statistics **kept)
{
	struct statistics_opts by_address = opts->statistics;
	struct tree tree = { .out = out, .opts = opts };
	const struct statistic **items;
	struct statistics *statistics;
	int err;

	by_address.group_by = GROUP_BY_ADDRESS;
	by_address.cumulative = false;
	err = statistics__update(snapshot, NULL, &by_address, kept);
	if (err)
		return err;
	statistics = *kept;
	items = calloc(statistics->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < statistics->count; i++)
		items[i] = &statistics->items[i];
	qsort(items, statistics->count, sizeof(*items), by_place);
	fprintf(out, "%12s %12s %12s\n", "User size", "Usable size", "Count");
	err = tree__level(&tree, items, statistics->count, LEVEL_LIBRARY);
	free(items);
	write_footer(out, snapshot, statistics, opts);
	return err ? err : finish_stream(out);
}
