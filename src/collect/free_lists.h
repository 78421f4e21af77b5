/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lists of free entries that we share with the kernel half: see FREE_LIST_INDEX. */
#ifndef MT_COLLECT_FREE_LISTS_H
#define MT_COLLECT_FREE_LISTS_H

#include "base/types.h"
#include "collect/tables.h"

/* Puts an entry at the head of a list; *link is where the entry keeps the next one's index. */
static inline void give_back(__u64 *list, __u32 index, __u32 *link)
{
	__u64 head = __atomic_load_n(list, __ATOMIC_ACQUIRE), new;

	do {
		*link = head;
		new = (head & ~FREE_LIST_INDEX) + FREE_LIST_STEP + index;
	} while (!__atomic_compare_exchange_n(list, &head, new, false, __ATOMIC_SEQ_CST,
					      __ATOMIC_ACQUIRE));
}

/* Where the entry with this index keeps the next one's; NULL: we cannot see it yet. */
typedef const __u32 *link_of_entry(const struct tables *tables, __u32 index);

/* Takes the first entry; 0: there is none. */
static inline __u32 take_back(__u64 *list, const struct tables *tables, link_of_entry *link_of)
{
	__u64 head = __atomic_load_n(list, __ATOMIC_ACQUIRE), rest;

	while (head & FREE_LIST_INDEX) {
		const __u32 *link = link_of(tables, head);

		if (!link)
			return 0;
		rest = (head & ~FREE_LIST_INDEX) + FREE_LIST_STEP +
		       __atomic_load_n(link, __ATOMIC_ACQUIRE);
		if (__atomic_compare_exchange_n(list, &head, rest, false, __ATOMIC_SEQ_CST,
						__ATOMIC_ACQUIRE))
			break;
	}
	return head;
}

#endif
