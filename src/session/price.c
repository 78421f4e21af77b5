// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What tracing costs the target. The traps are measured, in a thread of the lowest priority so that
 * nobody waits for it; what our programs do in them is a figure of docs/performance.md.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "doctor/cost.h"
#include "session/parts.h"

#define PROGRAMS_NS 350		/* for an allocation and its free */

struct price {
	pthread_t thread;
	double pair_ns;
	bool known;		/* atomic */
};

static void *measure(void *context)
{
	struct price *price = context;
	struct cost cost;

	setpriority(PRIO_PROCESS, 0, 19);	/* a thread's own, on Linux */
	if (cost__measure(&cost))
		return NULL;
	price->pair_ns = cost__pair_ns(&cost) + PROGRAMS_NS;
	__atomic_store_n(&price->known, true, __ATOMIC_RELEASE);
	return NULL;
}

struct price *price__measure(void)
{
	struct price *price = calloc(1, sizeof(*price));

	if (price && pthread_create(&price->thread, NULL, measure, price)) {
		free(price);
		return NULL;
	}
	return price;
}

double price__of_pair(const struct price *price)
{
	return price && __atomic_load_n(&price->known, __ATOMIC_ACQUIRE) ? price->pair_ns : 0;
}

void price__free(struct price *price)
{
	if (!price)
		return;
	if (!__atomic_load_n(&price->known, __ATOMIC_ACQUIRE)) {
		pthread_detach(price->thread);	/* it ends with us, and its child with it */
		return;
	}
	pthread_join(price->thread, NULL);
	free(price);
}
