// SPDX-License-Identifier: GPL-2.0-or-later
// A unit with much debug information. All of it is local to the unit, so that objects of it can be
// linked many times over: one compilation, any amount of DWARF.
#include <algorithm>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

template <int N> struct number {
	int value;

	bool operator<(const number &other) const { return value < other.value; }
};

template <int N> long use(int n)
{
	std::map<number<N>, std::vector<number<N>>> lists;
	std::deque<number<N>> deque;
	std::list<number<N>> list;
	std::set<number<N>> set;
	long sum = 0;

	for (int i = 0; i < n; i++) {
		lists[{ i % 10 }].push_back({ i });
		deque.push_back({ i });
		list.push_front({ i });
		set.insert({ i });
	}
	std::sort(deque.begin(), deque.end());
	list.sort();
	auto shared = std::make_shared<std::vector<number<N>>>(deque.begin(), deque.end());
	std::stable_sort(shared->begin(), shared->end());
	std::function<long(number<N>)> count = [&](number<N> i) {
		return lists[i].size() + set.count(i);
	};
	for (auto &i : *shared)
		sum += count(i);
	return sum;
}

template <int... N> long use_all(int n, std::integer_sequence<int, N...>)
{
	return (use<N>(n) + ...);
}

} // namespace

extern "C" __attribute__((visibility("hidden"))) long unit(int n)
{
	return use_all(n, std::make_integer_sequence<int, 16>());
}
