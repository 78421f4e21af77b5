// SPDX-License-Identifier: GPL-2.0-or-later
/* Why something is missing, in words for people and as keys for files. */
#include "snapshot/snapshot.h"

static const struct {
	const char *key, *words;
} stop_reasons[STOP_MAX] = {
	[STOP_BOTTOM] = { "bottom", NULL },
	[STOP_LIMIT_ASKED] = { "limit_asked", NULL },
	[STOP_DEPTH] = { "depth", "deeper than the traceback limit can be" },
	[STOP_NO_ROWS] = { "no_rows", "no unwind information" },
	[STOP_UNMAPPED] = { "unmapped", "the return address is in no known mapping" },
	[STOP_MAPS_CHANGED] = { "maps_changed", "code of a file that had not been read yet" },
	[STOP_STACK_READ] = { "stack_read", "the stack could not be read" },
	[STOP_NO_PROGRESS] = { "no_progress", "the next frame does not lie above this one" },
	[STOP_REGISTER] = { "register", "a register needed to go on has lost its value" },
}, lost_reasons[LOST_MAX] = {
	[LOST_BLOCKS_FULL] = { "blocks_full", "blocks not followed: --max-blocks was reached" },
	[LOST_BLOCKS_MEMORY] = { "blocks_memory",
				 "blocks not followed: the kernel had no memory for them" },
	[LOST_BLOCKS_RETURN] = { "blocks_return",
				 "blocks not followed: the allocator's return was not seen" },
	[LOST_BLOCKS_SIZE] = { "blocks_size",
			       "blocks not followed: larger than an address space has room for" },
	[LOST_STACKS_FULL] = { "stacks_full",
			       "allocations without a place: --max-stacks was reached" },
	[LOST_STACKS_MEMORY] = { "stacks_memory",
				 "allocations without a place: the table could not grow in time" },
	[LOST_THREAD] = { "thread",
			  "calls not followed: no memory for the state of their threads" },
	[LOST_FREES_UNMATCHED] = { "frees_unmatched", "frees of blocks that are not in the books "
						      "(allocated before tracing?)" },
	[LOST_FREES_MISSED] = { "frees_missed",
				"blocks whose free was missed: their address came again" },
	[LOST_HEAPS] = { "heaps",
			 "heaps destroyed: the blocks that were in them stay in the books" },
	[LOST_EVENTS] = { "events", "events dropped: the ring buffer was full" },
	[LOST_PROCESSES] = { "processes", "processes not followed: too many at one time" },
	[LOST_REGIONS] = { "regions", "changes of mapped memory missed: the ring buffer was full" },
	[LOST_LIMITS] = { "limits",
			  "files read in part: they claim more than files of their size have" },
	[LOST_PROBES] = { "probes",
			  "probes gone: somebody wrote the code back; calls are missing" },
	[LOST_FILES] = { "files", "files without names and unwind information: too many" },
};

const char *stop_reason__words(enum stop_reason stop)
{
	return stop_reasons[stop].words;
}

const char *stop_reason__key(enum stop_reason stop)
{
	return stop_reasons[stop].key;
}

const char *lost_reason__words(enum lost_reason reason)
{
	return lost_reasons[reason].words;
}

const char *lost_reason__key(enum lost_reason reason)
{
	return lost_reasons[reason].key;
}

uint64_t snapshot__frames_cut(const struct snapshot *snapshot)
{
	uint64_t sum = 0;

	for (int i = 0; i < STOP_MAX; i++)
		if (stop_reason__words(i))
			sum += snapshot->frames_cut[i];
	return sum;
}
