// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes down one thread's stack for tests/unit/test_walk.c: its registers, the memory and the
 * unwind rules that the walk needs, and the frames that libdw's unwinder finds.
 *
 *	capture_stack PID [TID] > tests/unit/stacks/NAME
 */
#include "../tests/unit/walk_truth.h"

static void write_rule(struct walk *walk, uint64_t address)
{
	int index = rule_of(walk, address);
	const struct unwind_rule *rule = index < 0 ? NULL : rule_at(index);

	if (rule)
		printf("rule %" PRIx64 " %u %u %u %d %d %d %d %d\n", address, rule->cfa, rule->bp,
		       rule->bx, rule->ra_slot, rule->cfa_offset, rule->bp_slot, rule->bx_slot,
		       rule->deref_offset);
}

/* Zeros are left out. */
static void write_page(const struct host_page *page)
{
	static const uint8_t zeros[32];

	printf("page %" PRIx64 "\n", page->address);
	for (int at = 0; at < HOST_PAGE; at += sizeof(zeros)) {
		if (!memcmp(page->data + at, zeros, sizeof(zeros)))
			continue;
		printf("bytes %d ", at);
		for (size_t i = 0; i < sizeof(zeros); i++)
			printf("%02x", page->data[at + i]);
		printf("\n");
	}
}

static void write_truth(struct truth *truth)
{
	struct walk *walk = &truth->walk;
	uint32_t stop = walk->stop;	/* a search sets it anew */

	printf("registers %llx %llx %llx %llx\n", truth->registers.rip, truth->registers.rsp,
	       truth->registers.rbp, truth->registers.rbx);
	for (uint32_t i = 0; i < host->nmappings; i++)
		printf("mapping %llx %llx\n", host->mappings[i].start, host->mappings[i].end);
	for (uint32_t i = 0; i < walk->nframes; i++) {
		uint64_t frame = truth->room.frames[i];

		write_rule(walk, (frame & FRAME_PC_MASK) -
				 (frame >> FRAME_TAG_SHIFT != FRAME_EXACT));
	}
	for (uint32_t i = 0; i < host->npages; i++)
		write_page(&host->pages[i]);
	for (uint32_t i = 0; i < truth->nframes; i++)
		printf("frame %" PRIx64 "\n", truth->frames[i]);
	printf("stop %u\n", stop);
	fprintf(stderr, "%u frames, libdw %u, stop %u\n", walk->nframes, truth->nframes, stop);
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	struct truth *truth = malloc(sizeof(*truth));

	if (!pid || !truth) {
		fprintf(stderr, "usage: capture_stack PID [TID] > FILE\n");
		return 1;
	}
	host = host__new(pid);
	if (!truth__take(truth, pid, argc > 2 ? atoi(argv[2]) : pid)) {
		fprintf(stderr, "cannot read the stack of %d: %s\n", pid, dwfl_errmsg(-1));
		return 1;
	}
	write_truth(truth);
	host__free(host);
	free(truth);
	return 0;
}
