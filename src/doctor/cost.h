/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hit of a probe costs on this machine. */
#ifndef MT_DOCTOR_COST_H
#define MT_DOCTOR_COST_H

/* Nanoseconds: the fastest of many short runs. All but call_ns are added to what a call takes. */
struct cost {
	const char *kind;	/* of link: probe_links__kind(); NULL: not measured */
	double call_ns;		/* of a function that does nothing */
	double entry_ns;	/* a probe at its entry */
	double entry_return_ns;	/* at its entry and return */
	double stepped_ns;	/* at its entry, on an instruction that is single-stepped */
};

/* 0, or -errno and no kind. */
int cost__measure(struct cost *cost);
/* malloc's entry and return, free's entry. */
double cost__pair_ns(const struct cost *cost);

#endif
