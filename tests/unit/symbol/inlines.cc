// SPDX-License-Identifier: GPL-2.0-or-later
/* What C++ code makes of names: templates, overloads, lambdas, anonymous namespaces, local classes. */
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

struct hidden {
	__attribute__((noinline)) explicit hidden(int n) : text(n, 'x') {}
	__attribute__((noinline)) std::string twice() const { return text + text; }
	std::string text;
};

__attribute__((noinline)) int in_anonymous_namespace(const hidden &h)
{
	return h.twice().size();
}

} // namespace

namespace shop {

template <typename T>
class shelf {
public:
	void put(T item) { items.push_back(std::move(item)); }
	__attribute__((noinline)) size_t count() const { return items.size(); }

private:
	std::vector<T> items;
};

__attribute__((noinline)) size_t fill(int n)
{
	shelf<std::string> words;
	shelf<std::unique_ptr<int>> numbers;

	for (int i = 0; i < n; i++) {
		words.put(std::to_string(i));
		numbers.put(std::make_unique<int>(i));
	}
	return words.count() + numbers.count();
}

} // namespace shop

static __attribute__((noinline)) int overloaded(int n)
{
	auto lambda = [n](int m) __attribute__((noinline)) { return new int[n * m]; };
	int *p = lambda(3);

	p[0] = n;
	n = p[0];
	delete[] p;
	return n;
}

static __attribute__((noinline)) int overloaded(const char *s)
{
	struct local {
		__attribute__((noinline)) static int length(const std::string &s) { return s.size(); }
	};

	return local::length(s);
}

int main(int argc, char **argv)
{
	std::map<std::string, int> map;

	map[argv[0]] = in_anonymous_namespace(hidden(argc));
	try {
		map.at("none");
	} catch (const std::exception &e) {
		std::puts(e.what());
	}
	return shop::fill(argc) + overloaded(argc) + overloaded(argv[0]) + map.size();
}
