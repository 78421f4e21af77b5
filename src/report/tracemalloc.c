// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A pickle (protocol 2, PEP 307) that Python's tracemalloc.Snapshot.load() opens: an object
 * Snapshot with a _Traces, a list of (domain, size, traceback, total_nframe) for each block.
 *
 * Sizes of single blocks are not in the books: the blocks of a trace get equal sizes, but for a
 * remainder, so that sums are exact. Frames of equal locations and tracebacks are written once and
 * fetched from the pickle's memo after that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "report/format.h"
#include "report/report.h"

#define BATCH 1000 /* items on the unpickler's stack, as Python's own pickler has it */

struct pickler {
	FILE *out;
	const struct names *names;
	uint32_t memo;			/* next free entry */
	uint32_t *locations;		/* memo of a location's first frame, plus 1; 0: none yet */
	uint32_t *stacks;		/* memo of a traceback, plus 1; 0: none yet */
	const char **domains;		/* in the order of their numbers, from 1; 0 is malloc */
	size_t ndomains;
	unsigned int batch;		/* items since the last mark */
};

static void put_u32(struct pickler *p, char op, uint32_t value)
{
	const unsigned char bytes[] = { op, value, value >> 8, value >> 16, value >> 24 };

	fwrite(bytes, 1, sizeof(bytes), p->out);
}

/* LONG1: little-endian two's complement. */
static void put_number(struct pickler *p, uint64_t value)
{
	putc(0x8a, p->out);
	putc(9, p->out);
	for (int i = 0; i < 8; i++)
		putc(value >> (8 * i) & 0xff, p->out);
	putc(0, p->out);
}

static int put_string(struct pickler *p, const char *s)
{
	char *text = utf8__valid_copy(s);

	if (!text)
		return -ENOMEM;
	put_u32(p, 'X', strlen(text));
	fputs(text, p->out);
	free(text);
	return 0;
}

/* LONG_BINPUT; the number of the entry. */
static uint32_t remember(struct pickler *p)
{
	put_u32(p, 'r', p->memo);
	return p->memo++;
}

static int put_new_frame(struct pickler *p, const struct names_frame *frame)
{
	int err = put_string(p, frame->file ? frame->file : "<unknown>");

	put_number(p, frame->file ? frame->line : 0);
	putc('\x86', p->out); /* TUPLE2 */
	remember(p);
	return err;
}

static int put_location(struct pickler *p, uint32_t index)
{
	static const struct names_frame unknown;
	const struct names_location *location = names__get_location(p->names, index);
	const struct names_frame *frames = location->nframes ? location->frames : &unknown;
	uint32_t nframes = location->nframes ? location->nframes : 1;
	uint32_t known = p->locations[index];
	int err = 0;

	if (!known)
		p->locations[index] = p->memo + 1;
	for (uint32_t i = 0; i < nframes && !err; i++) {
		if (known)
			put_u32(p, 'j', known - 1 + i); /* LONG_BINGET */
		else
			err = put_new_frame(p, &frames[i]);
	}
	return err;
}

/* The traceback, a tuple of frames; most recent first, as _tracemalloc gives them. */
static int put_traceback(struct pickler *p, uint32_t index)
{
	struct names_stack stack = names__get_stack(p->names, index);
	int err = 0;

	if (p->stacks[index]) {
		put_u32(p, 'j', p->stacks[index] - 1);
		return 0;
	}
	putc('(', p->out);
	if (!stack.nlocations)
		err = put_location(p, 0);
	for (uint32_t i = 0; i < stack.nlocations && !err; i++)
		err = put_location(p, stack.locations[i]);
	putc('t', p->out);
	p->stacks[index] = remember(p) + 1;
	return err;
}

static int domain_number(struct pickler *p, const char *domain, size_t *number)
{
	const char **domains;

	for (*number = 0; *number < p->ndomains; ++*number)
		if (p->domains[*number] == domain)
			break;
	if (*number == p->ndomains && domain) {
		domains = reallocarray(p->domains, p->ndomains + 1, sizeof(*domains));
		if (!domains)
			return -ENOMEM;
		p->domains = domains;
		domains[p->ndomains++] = domain;
	}
	*number = domain ? *number + 1 : 0;
	return 0;
}

/* Items of a list go in batches: MARK items APPENDS. */
static void next_item(struct pickler *p)
{
	if (p->batch++ < BATCH)
		return;
	fputs("e(", p->out);
	p->batch = 1;
}

/* `count` blocks of `size` bytes, all the same object. */
static int put_blocks(struct pickler *p, const struct trace *trace, uint64_t size, uint64_t count)
{
	size_t domain;
	uint32_t memo;
	int err;

	if (!count)
		return 0;
	err = domain_number(p, trace->domain, &domain);
	if (err)
		return err;
	next_item(p);
	putc('(', p->out);
	put_number(p, domain);
	put_number(p, size);
	err = put_traceback(p, trace->stack);
	putc('N', p->out);
	putc('t', p->out);
	memo = remember(p);
	for (uint64_t i = 1; i < count && !ferror(p->out); i++) {
		next_item(p);
		put_u32(p, 'j', memo);
	}
	return err;
}

static int put_trace(struct pickler *p, const struct trace *trace)
{
	uint64_t larger;
	int err;

	if (!trace->count)
		return 0;
	larger = trace->size % trace->count;
	err = put_blocks(p, trace, trace->size / trace->count + 1, larger);
	return err ? err : put_blocks(p, trace, trace->size / trace->count, trace->count - larger);
}

static int put_traces(struct pickler *p, const struct snapshot *snapshot)
{
	int err = 0;

	fputs("](", p->out);
	for (size_t i = 0; i <= snapshot->nprocesses; i++) {
		const struct traces *traces = snapshot__traces(snapshot, i);

		for (size_t j = 0; j < traces->count && !err; j++)
			err = put_trace(p, &traces->items[j]);
	}
	putc('e', p->out);
	return err;
}

static int put_snapshot(struct pickler *p, const struct snapshot *snapshot)
{
	int err;

	/* PROTO 2, Snapshot.__new__(): GLOBAL EMPTY_TUPLE NEWOBJ, its __dict__: EMPTY_DICT MARK */
	fputs("\x80\x02" "ctracemalloc\nSnapshot\n)\x81}(", p->out);
	err = put_string(p, "traces");
	fputs("ctracemalloc\n_Traces\n)\x81}(", p->out);
	if (!err)
		err = put_string(p, "_traces");
	if (!err)
		err = put_traces(p, snapshot);
	fputs("ub", p->out); /* SETITEMS BUILD */
	if (!err)
		err = put_string(p, "traceback_limit");
	put_number(p, snapshot->nframe);
	fputs("ub.", p->out);
	return err;
}

int report__tracemalloc(FILE *out, const struct snapshot *snapshot,
			const struct snapshot *old __unused,
			const struct report_opts *opts __unused,
			struct statistics **kept __unused)
{
	struct pickler p = { .out = out, .names = snapshot->names };
	int err = -ENOMEM;

	p.locations = calloc(names__nlocations(p.names), sizeof(*p.locations));
	p.stacks = calloc(names__nstacks(p.names), sizeof(*p.stacks));
	if (p.locations && p.stacks)
		err = put_snapshot(&p, snapshot);
	free(p.locations);
	free(p.stacks);
	free(p.domains);
	return err ? err : finish_stream(out);
}
