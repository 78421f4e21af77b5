/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++: what its containers hold, and exceptions on their way through the allocator. */
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "truth.h"

/* Everything stays until the process ends. */
template <typename T> static T &forever()
{
	return *new (std::malloc(sizeof(T))) T();
}

/* ---- sizes that the containers' interface tells ---- */

struct alignas(64) wide {
	char text[192];
};

static void news(int, char **)
{
	char *p = new char[101]; TAKE(p, 101);
	wide *q = new wide; TAKE(q, 192);
	int *r = new (std::nothrow) int[25]; TAKE(r, 100);
	char *s = new char[103]; TAKE(s, 103);
	DROP(s); delete[] s;
	std::string *t = new std::string(1000, 'x'); TAKE(t, sizeof(*t)); TAKE(t->data(), 1001);
	std::vector<long> v; v.reserve(1000); TAKE(v.data(), 8000);
	void *kept = new std::vector<long>(std::move(v)); TAKE(kept, sizeof(v));
}

/* ---- containers as they grow: compare with another tool that watches the same run ---- */

static FRAME void fill_vector(std::vector<int> &v)
{
	for (int i = 0; i < 5000; i++)
		v.push_back(i);
}

static FRAME void fill_map(std::map<int, std::string> &m)
{
	for (int i = 0; i < 1000; i++)
		m[i] = std::string(static_cast<size_t>(i % 40), 'm');
	for (int i = 0; i < 1000; i += 3)
		m.erase(i);
}

static FRAME void fill_table(std::unordered_map<std::string, int> &u)
{
	for (int i = 0; i < 3000; i++)
		u["a key of the table, number " + std::to_string(i)] = i;
}

static FRAME void fill_list(std::list<std::shared_ptr<wide>> &l)
{
	for (int i = 0; i < 200; i++)
		l.push_back(std::make_shared<wide>());
}

static void containers(int, char **)
{
	fill_vector(forever<std::vector<int>>());
	fill_map(forever<std::map<int, std::string>>());
	fill_table(forever<std::unordered_map<std::string, int>>());
	fill_list(forever<std::list<std::shared_ptr<wide>>>());
}

/* ---- operator new throws through frames that clean up ---- */

static FRAME void descend(int frames)
{
	std::string held(100, 'h');

	if (frames)
		descend(frames - 1);
	else
		held.reserve(held.max_size() / 2);	/* bad_alloc: more than the address space */
	NOT_A_TAIL_CALL();
}

static void bad_alloc(int, char **)
{
	int caught = 0;

	for (int i = 0; i < 1000; i++) {
		try {
			descend(i % 20);
		} catch (const std::bad_alloc &) {
			caught++;
		}
	}
	if (caught != 1000)
		std::abort();
	char *p = new char[107]; TAKE(p, 107);
}

const struct scenario scenarios[] = {
	{ "news", news },
	{ "containers", containers },
	{ "bad_alloc", bad_alloc },
	{ nullptr, nullptr },
};
