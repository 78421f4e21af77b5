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
	[STOP_TABLE_FULL] = { "stacks_full", "--max-stacks was reached" },
	[STOP_REGISTER] = { "register", "a register needed to go on has lost its value" },
	[STOP_GAP] = { "gap", "frames may be missing: code without unwind information" },
};

#define TOO_SMALL "sums are too small"
#define TOO_LARGE "sums are too large"
#define NO_LINES "sums are right, lines are missing"

static const struct {
	const char *key;
	const char *one, *many;	/* what follows the number */
	const char *cause;
	const char *effect;	/* on what a report says */
} lost_reasons[LOST_MAX] = {
	[LOST_BLOCKS_FULL] = { "blocks_full", "block", "blocks", "--max-blocks was reached",
			       TOO_SMALL },
	[LOST_BLOCKS_MEMORY] = { "blocks_memory", "block", "blocks",
				 "the kernel had no memory for them", TOO_SMALL },
	[LOST_BLOCKS_RETURN] = { "blocks_return", "block", "blocks",
				 "the allocator's return was not seen", TOO_SMALL },
	[LOST_BLOCKS_SIZE] = { "blocks_size", "block", "blocks",
			       "larger than an address space has room for", TOO_SMALL },
	[LOST_STACKS_FULL] = { "stacks_full", "allocation without a stack",
			       "allocations without a stack", "--max-stacks was reached",
			       NO_LINES },
	[LOST_STACKS_MEMORY] = { "stacks_memory", "allocation without a stack",
				 "allocations without a stack",
				 "the table could not grow in time", NO_LINES },
	[LOST_THREAD] = { "thread", "call", "calls", "no memory for the state of their threads",
			  TOO_SMALL },
	[LOST_FREES_UNMATCHED] = { "frees_unmatched", "block freed", "blocks freed",
				   "allocated before tracing", "no loss" },
	[LOST_FREES_MISSED] = { "frees_missed", "free", "frees", "the address came again",
				"sums were too large until then" },
	[LOST_HEAPS] = { "heaps", "heap destroyed", "heaps destroyed",
			 "which blocks were in it is not known", TOO_LARGE },
	[LOST_EVENTS] = { "events", "event", "events", "the ring buffer was full",
			  "programs and files are met late" },
	[LOST_PROCESSES] = { "processes", "process", "processes", "too many at one time",
			     TOO_SMALL },
	[LOST_REGIONS] = { "regions", "change of mapped memory", "changes of mapped memory",
			   "the ring buffer was full", "sums of mapped memory are wrong" },
	[LOST_LIMITS] = { "limits", "file read in part", "files read in part",
			  "they claim more than files of their size have", "names are missing" },
	[LOST_PROBES] = { "probes", "probe gone", "probes gone", "somebody wrote the code back",
			  TOO_SMALL },
	[LOST_FILES] = { "files", "look-up of a file", "look-ups of files", "too many files",
			 "sums are right, names are missing" },
};

const char *stop_reason__words(enum stop_reason stop)
{
	return stop_reasons[stop].words;
}

const char *stop_reason__key(enum stop_reason stop)
{
	return stop_reasons[stop].key;
}

const char *lost_reason__noun(enum lost_reason reason, uint64_t count)
{
	return count == 1 ? lost_reasons[reason].one : lost_reasons[reason].many;
}

const char *lost_reason__cause(enum lost_reason reason)
{
	return lost_reasons[reason].cause;
}

const char *lost_reason__effect(enum lost_reason reason)
{
	return lost_reasons[reason].effect;
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
