// SPDX-License-Identifier: GPL-2.0-or-later
#include "collect/mapped.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "collect/regions.h"
#include "memtracebpf.skel.h"

/* Not less than are in the ring at any moment. */
#define EVENTS_PER_TURN (4 * 1024 * 1024 / sizeof(struct region_event))

struct mapped {
	struct tables *tables;
	struct ring_buffer *events;
	size_t nevents;		/* read since mapped__drain() was called */
	pthread_mutex_t lock;
	struct regions *of[MAX_PROCESSES];	/* by index of books; NULL: none */
};

static int handle_event(void *context, void *data, size_t size);

int mapped__new(struct tables *tables, struct mapped **out)
{
	struct mapped *mapped = calloc(1, sizeof(*mapped));

	if (!mapped)
		return -ENOMEM;
	mapped->tables = tables;
	mapped->events = ring_buffer__new(bpf_map__fd(tables->skeleton->maps.regions),
					  handle_event, mapped, NULL);
	if (!mapped->events) {
		free(mapped);
		return -ENOMEM;
	}
	pthread_mutex_init(&mapped->lock, NULL);
	*out = mapped;
	return 0;
}

void mapped__free(struct mapped *mapped)
{
	if (!mapped)
		return;
	mapped__clear(mapped);
	ring_buffer__free(mapped->events);
	free(mapped);
}

int mapped__fd(const struct mapped *mapped)
{
	return mapped ? ring_buffer__epoll_fd(mapped->events) : -1;
}

void mapped__lock(struct mapped *mapped)
{
	if (mapped)
		pthread_mutex_lock(&mapped->lock);
}

void mapped__unlock(struct mapped *mapped)
{
	if (mapped)
		pthread_mutex_unlock(&mapped->lock);
}

void mapped__drain(struct mapped *mapped)
{
	mapped__lock(mapped);
	if (mapped) {
		mapped->nevents = 0;
		ring_buffer__consume(mapped->events);
	}
	mapped__unlock(mapped);
}

void mapped__forget(struct mapped *mapped, uint32_t process)
{
	if (!mapped)
		return;
	regions__free(mapped->of[process]);
	mapped->of[process] = NULL;
}

void mapped__clear(struct mapped *mapped)
{
	for (uint32_t i = 0; i < MAX_PROCESSES; i++)
		mapped__forget(mapped, i);
}

/* ---- totals, as bpf/blocks.h keeps those of blocks ---- */

static void add(__u64 *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_ACQ_REL);
}

static void raise_peak(struct process *process, uint64_t size)
{
	__u64 peak = __atomic_load_n(&process->peak_size, __ATOMIC_ACQUIRE);

	while (size > peak)
		if (__atomic_compare_exchange_n(&process->peak_size, &peak, size, false,
						__ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)) {
			add(&process->peak_epoch, 1);
			break;
		}
}

static void note_peak(const struct process *process, struct site *site)
{
	uint64_t epoch = __atomic_load_n(&process->peak_epoch, __ATOMIC_ACQUIRE);

	if (site->peak_epoch == epoch)
		return;
	site->peak_size = site->alloc_size - site->freed_size;
	site->peak_count = site->alloc_count - site->freed_count;
	site->peak_epoch = epoch;
}

/* What an event does to the books of a process. */
struct change {
	struct tables *tables;
	uint32_t process;
};

static struct process *process_of(const struct change *change)
{
	return &change->tables->processes[change->process];
}

/* Of a process, or of the sum of all (0). `size` and `unplaced` may be negative. */
static void add_to(struct tables *tables, uint32_t process, uint64_t size, uint64_t unplaced)
{
	struct totals *totals = tables__mapped(tables, process);

	totals->size += size;
	totals->unplaced += unplaced;
	__atomic_store_n(&totals->changed, 1, __ATOMIC_RELEASE);
	if (totals->size <= totals->high)
		return;
	add(&tables->processes[process].bound, totals->size - totals->high);
	totals->high = totals->size;
}

static void add_to_totals(const struct change *change, uint64_t size, uint64_t unplaced)
{
	add_to(change->tables, change->process, size, unplaced);
	if (change->tables->skeleton->rodata->keep_sum)
		add_to(change->tables, 0, size, unplaced);
}

static void book_out(void *context, uint32_t id, uint64_t size, bool last)
{
	const struct change *change = context;
	struct site *site = id ? tables__site(change->tables, id) : NULL;

	if (site) {
		note_peak(process_of(change), site);
		add(&site->freed_size, size);
		add(&site->freed_count, last);
	}
	add_to_totals(change, -size, site ? 0 : -(uint64_t)last);
}

static void book_in(const struct change *change, const struct region_event *event)
{
	struct totals *mapped = tables__mapped(change->tables, change->process);
	struct tables *tables = change->tables;
	struct site *site = event->site ? tables__site(tables, event->site) : NULL;
	uint64_t size = event->end - event->start;

	if (site) {
		note_peak(process_of(change), site);
		add(&site->alloc_size, size);
		add(&site->alloc_count, 1);
	} else {
		mapped->unplaced_size += size;
		mapped->unplaced_count++;
	}
	add_to_totals(change, size, !site);
	raise_peak(process_of(change), event->heap_size + mapped->size);
	raise_peak(&tables->processes[0], tables__totals(tables, 0).size);
}

/* ---- events ---- */

static bool is_credible(const struct change *change, const struct region_event *event)
{
	const struct site *site = event->site ? tables__site(change->tables, event->site) : NULL;
	uint64_t ever = site ? site->alloc_size :
			       tables__mapped(change->tables, change->process)->unplaced_size;

	return ever < MAX_ALLOCATED;
}

static void map_region(struct regions *regions, const struct change *change,
		       const struct region_event *event)
{
	const struct region_call call = { .site = event->site, .time_ns = event->time };

	if (regions__take(regions, event->start, event->end, event->ended, book_out,
			  (void *)change))
		tables__count_lost(change->tables, LOST_REGIONS);
	else if (!is_credible(change, event))
		tables__count_lost(change->tables, LOST_BLOCKS_SIZE);
	else if (regions__add(regions, event->start, event->end, event->ended, &call))
		tables__count_lost(change->tables, LOST_REGIONS);
	else
		book_in(change, event);
}

static void apply_event(struct mapped *mapped, const struct region_event *event)
{
	struct tables *tables = mapped->tables;
	struct change change = { tables, event->process };
	struct regions *regions;

	/* Of books that are closed, or of all that were forgotten. */
	if (event->books != process_of(&change)->id ||
	    event->generation != __atomic_load_n(&tables->skeleton->bss->counting, __ATOMIC_ACQUIRE))
		return;
	if (!mapped->of[event->process])
		mapped->of[event->process] = regions__new();
	regions = mapped->of[event->process];
	if (!regions || regions__take(regions, event->old_start, event->old_end, event->began,
				      book_out, &change))
		tables__count_lost(tables, LOST_REGIONS);
	if (regions && event->start < event->end)
		map_region(regions, &change, event);
}

static int handle_event(void *context, void *data, size_t size __unused)
{
	struct mapped *mapped = context;

	apply_event(mapped, data);
	return ++mapped->nevents < EVENTS_PER_TURN ? 0 : -EAGAIN;
}

/* ---- questions ---- */

struct age_sums {
	struct block_ages *ages;
	uint64_t now_ns;
};

static uint64_t age_of(const struct region *region, uint64_t now_ns)
{
	return now_ns > region->call->time_ns ? now_ns - region->call->time_ns : 1;
}

static void add_age(const struct region *region, void *context)
{
	const struct age_sums *sums = context;
	struct block_ages *ages = sums->ages;
	uint64_t age = age_of(region, sums->now_ns);
	struct region_call *call = region->call;
	bool first = !call->nseen++;
	uint32_t site = call->site;

	if (call->nseen == call->npieces)
		call->nseen = 0;
	if (site >= ages->nsites || age < ages->min_age_ns)
		return;
	if (age > ages->oldest_ns[site])
		ages->oldest_ns[site] = age;
	if (!ages->min_age_ns)
		return;
	ages->size[site] += region->end - region->start;
	ages->count[site] += first;
}

void mapped__read_ages(struct mapped *mapped, struct block_ages *ages)
{
	struct age_sums sums = { ages, clock_ns(CLOCK_MONOTONIC) };

	mapped__lock(mapped);
	for (uint32_t i = 0; mapped && i < MAX_PROCESSES; i++)
		if (mapped->of[i] && ages->processes[i])
			regions__each(mapped->of[i], add_age, &sums);
	mapped__unlock(mapped);
}

bool mapped__find(struct mapped *mapped, uint32_t process, uint64_t address,
		  struct found_block *found)
{
	const struct region *region = NULL;

	mapped__drain(mapped);
	mapped__lock(mapped);
	if (mapped && mapped->of[process])
		region = regions__find(mapped->of[process], address);
	if (region)
		*found = (struct found_block){
			.address = region->start,
			.size = region->end - region->start,
			.age_ns = age_of(region, clock_ns(CLOCK_MONOTONIC)),
			.site = region->call->site,
		};
	mapped__unlock(mapped);
	return region;
}
