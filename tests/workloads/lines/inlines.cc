// SPDX-License-Identifier: GPL-2.0-or-later
// With -g1 the inlined functions of the C++ library have no namespace in their names.
#include <string>
#include <vector>

std::vector<std::string> *names;

__attribute__((noinline)) void add(int n)
{
	names->push_back(std::string(n, 'x')); // 101 blocks
}

int main()
{
	names = new std::vector<std::string>; // 1 blocks
	for (int i = 0; i < 100; i++)
		add(200);
}
