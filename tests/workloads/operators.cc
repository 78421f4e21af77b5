/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++'s operator new and delete in all their forms, and exceptions that pass through them. */
#include <sys/resource.h>

#include <cstdlib>
#include <new>

#include "truth.h"

using std::align_val_t;
using std::nothrow;

/* ---- every form: N4861 17.6.3. Aligned sizes are multiples, to which libstdc++ rounds up. ---- */

static void forms(int, char **)
{
	align_val_t wide{64};
	void *kept;

	kept = ::operator new(101); TAKE(kept, 101);
	kept = ::operator new[](102); TAKE(kept, 102);
	kept = ::operator new(103, nothrow); TAKE(kept, 103);
	kept = ::operator new[](104, nothrow); TAKE(kept, 104);
	kept = ::operator new(128, wide); TAKE(kept, 128);
	kept = ::operator new[](192, wide); TAKE(kept, 192);
	kept = ::operator new(256, wide, nothrow); TAKE(kept, 256);
	kept = ::operator new[](320, wide, nothrow); TAKE(kept, 320);
	kept = ::operator new(3000000); TAKE(kept, 3000000);
	kept = ::operator new[](70016, wide); TAKE(kept, 70016);

	void *p = ::operator new(201); TAKE(p, 201);
	DROP(p); ::operator delete(p);
	p = ::operator new[](202); TAKE(p, 202);
	DROP(p); ::operator delete[](p);
	p = ::operator new(203); TAKE(p, 203);
	DROP(p); ::operator delete(p, 203);
	p = ::operator new[](204); TAKE(p, 204);
	DROP(p); ::operator delete[](p, 204);
	p = ::operator new(205, nothrow); TAKE(p, 205);
	DROP(p); ::operator delete(p, nothrow);
	p = ::operator new[](206, nothrow); TAKE(p, 206);
	DROP(p); ::operator delete[](p, nothrow);
	p = ::operator new(448, wide); TAKE(p, 448);
	DROP(p); ::operator delete(p, wide);
	p = ::operator new[](512, wide); TAKE(p, 512);
	DROP(p); ::operator delete[](p, wide);
	p = ::operator new(576, wide); TAKE(p, 576);
	DROP(p); ::operator delete(p, 576, wide);
	p = ::operator new[](640, wide); TAKE(p, 640);
	DROP(p); ::operator delete[](p, 640, wide);
	p = ::operator new(704, wide, nothrow); TAKE(p, 704);
	DROP(p); ::operator delete(p, wide, nothrow);
	p = ::operator new[](768, wide, nothrow); TAKE(p, 768);
	DROP(p); ::operator delete[](p, wide, nothrow);
	::operator delete(nullptr);
	::operator delete[](nullptr, 8, wide);

	/* Fast paths and slow ones, caches that fill and empty. */
	static char *many[5000];
	for (int i = 1; i < 5000; i++) {
		many[i] = new char[i]; TAKE(many[i], i);
	}
	for (int i = 1; i < 5000; i += 2) {
		DROP(many[i]); delete[] many[i];
	}
}

/* ---- C's functions, which share the memory with the operators ---- */

static void mixed(int, char **)
{
	void *p = std::malloc(301); TAKE(p, 301);
	p = std::calloc(3, 101); TAKE(p, 303);
	p = std::realloc(nullptr, 304); TAKE(p, 304);
	DROP(p); p = std::realloc(p, 30000); TAKE(p, 30000);
	DROP(p); p = std::realloc(p, 30); TAKE(p, 30);
	p = std::aligned_alloc(64, 320); TAKE(p, 320);
	int err = posix_memalign(&p, 256, 306); TAKE(p, 306);
	if (err)
		std::abort();
	p = std::malloc(307); TAKE(p, 307);
	DROP(p); std::free(p);
	p = ::operator new(308); TAKE(p, 308);
}

/* ---- exceptions ---- */

constexpr std::size_t LIMIT = std::size_t(8) << 30;	/* of the address space, for a while */
constexpr std::size_t TOO_MUCH = LIMIT * 2;

static void limit_memory(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	if (setrlimit(RLIMIT_AS, &limit))
		std::abort();
}

static void *volatile nothing;

struct refusal {
	int number;
};

static void refuse()
{
	throw refusal{42};
}

template <typename Attempt> static FRAME int caught(Attempt attempt, int frames)
{
	char *held = new char[static_cast<std::size_t>(frames) + 400]; TAKE(held, frames + 400);
	int n = 0;

	try {
		if (frames)
			n = caught(attempt, frames - 1);
		else
			attempt();
	} catch (const refusal &) {
		n = 1;
	}
	DROP(held); delete[] held;
	NOT_A_TAIL_CALL();
	return n;
}

/* A handler throws through operator new, again and again, from shallow and deep stacks. */
static void exceptions(int, char **)
{
	int n = 0;

	limit_memory(LIMIT);
	std::set_new_handler(refuse);
	for (int i = 0; i < 300; i++) {
		n += caught([] { nothing = ::operator new(TOO_MUCH); }, i % 20);
		n += caught([] { nothing = ::operator new[](TOO_MUCH); }, i % 7);
		n += caught([] { nothing = ::operator new(TOO_MUCH, align_val_t{64}); }, i % 13);
	}
	if (n != 900)
		std::abort();
	char *p = new char[501]; TAKE(p, 501);
}

/* std::bad_alloc as operator new throws it itself, and NULL of the forms that do not throw. */
static void bad_alloc(int, char **)
{
	int n = 0;

	limit_memory(LIMIT);
	for (int i = 0; i < 300; i++) {
		try {
			nothing = ::operator new(TOO_MUCH);
		} catch (const std::bad_alloc &) {
			n++;
		}
		if (!::operator new(TOO_MUCH, nothrow) && !::operator new[](TOO_MUCH, nothrow))
			n++;
		char *p = new char[600]; TAKE(p, 600);
		if (i % 2) {
			DROP(p); delete[] p;
		}
	}
	if (n != 600)
		std::abort();
}

/* A handler that makes room, with allocations of its own, before operator new tries again. */
static void *diary;

static void make_room()
{
	limit_memory(RLIM_INFINITY);
	char *p = new char[701]; TAKE(p, 701);
	DROP(p); delete[] p;
	diary = new char[702]; TAKE(diary, 702);
	diary = std::malloc(703); TAKE(diary, 703);
}

static void handler(int, char **)
{
	void *p;

	std::set_new_handler(make_room);
	limit_memory(LIMIT);
	p = ::operator new(TOO_MUCH); TAKE(p, TOO_MUCH);
	DROP(p); ::operator delete(p);
	limit_memory(LIMIT);
	p = ::operator new(TOO_MUCH, nothrow); TAKE(p, TOO_MUCH);
}

const struct scenario scenarios[] = {
	{ "forms", forms },
	{ "mixed", mixed },
	{ "exceptions", exceptions },
	{ "bad_alloc", bad_alloc },
	{ "handler", handler },
	{ nullptr, nullptr },
};
