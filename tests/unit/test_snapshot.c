// SPDX-License-Identifier: GPL-2.0-or-later
#include "books.h"

#include <errno.h>
#include <stdio.h>

#include "snapshot/statistics.h"
#include "snapshot/wrappers.h"

#define LENGTH(a) (sizeof(a) / sizeof(*(a)))

static void assert_group(const struct statistic *item, const char *file, uint32_t line,
			 uint64_t size, uint64_t count)
{
	if (file)
		assert_string_equal(item->frames[0]->file, file);
	else
		assert_null(item->frames[0]->file);
	assert_int_equal(item->frames[0]->line, line);
	assert_int_equal(item->size, size);
	assert_int_equal(item->count, count);
}

/* What a program that ran once leaves: a module, a place and a stack of its own. */
static uint32_t stack_of_program(struct names *names, unsigned int i)
{
	char path[32], function[32], build_id[32];

	sprintf(path, "/tmp/cc%u", i);
	sprintf(function, "main_%u", i);
	sprintf(build_id, "%08x", i);
	return stack(names, STOP_BOTTOM,
		     place_in_build(names, function, path, i, path, build_id, 16), 0);
}

static struct snapshot *snapshot_of_program(struct names *names, unsigned int i, uint32_t both)
{
	struct snapshot *snapshot = snapshot__new(names);
	struct snapshot_process process = { .pid = i + 1 };
	char comm[32];

	sprintf(comm, "cc%u", i);
	process.comm = names__string(names, comm);
	snapshot__add_process(snapshot, &process);
	hold_in(snapshot, 0, stack_of_program(names, i), 100 + i, 1);
	hold_in(snapshot, 0, both, 7, 1);
	return snapshot;
}

#define PROGRAMS 100000

static void test_names_of_short_lived_programs(void **state)
{
	struct names *names = names__new();
	uint32_t start = place(names, "start", "libc.c", 1, "/lib/c.so", 8);
	uint32_t both = stack(names, STOP_BOTTOM, start, 0);
	struct snapshot *first = snapshot_of_program(names, PROGRAMS, both), *last = NULL;
	const struct statistics_opts opts = { .group_by = GROUP_BY_LINE };
	struct statistics *kept = NULL;
	unsigned int rounds = 0;

	for (unsigned int i = 0; i < PROGRAMS; i++) {
		struct snapshot *snapshot;

		if (names__are_many(names)) {
			names__begin_forgetting(names);
			names__use_stack(names, both);
			names__end_forgetting(names);
			assert_false(names__are_many(names));
			rounds++;
		}
		snapshot = snapshot_of_program(names, i, both);
		if (i % 500 == 0 || i == PROGRAMS - 1) {
			assert_int_equal(statistics__update(snapshot, last, &opts, &kept), 0);
			assert_int_equal(kept->count, last ? 3 : 2);
		}
		snapshot__free(last);
		last = snapshot;
	}
	assert_in_range(rounds, 2, PROGRAMS);
	assert_in_range(names__nmodules(names), 1, 10000);
	assert_in_range(names__nlocations(names), 1, 10000);
	assert_in_range(names__nstacks(names), 1, 10000);
	/* The first one has been held all the time. */
	statistics__free(kept);
	kept = group(first, NULL, opts);
	assert_int_equal(kept->count, 2);
	assert_group(&kept->items[0], "/tmp/cc100000", PROGRAMS, 100 + PROGRAMS, 1);
	assert_group(&kept->items[1], "libc.c", 1, 7, 1);
	assert_string_equal(first->processes[0].comm, "cc100000");
	statistics__free(kept);
	snapshot__free(first);
	snapshot__free(last);
	names__free(names);
}

/* What is known of what was forgotten is not taken for what comes in its place. */
static void test_an_index_comes_again(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	const struct statistics_opts opts = { .group_by = GROUP_BY_LINE };
	uint32_t old = stack_of_program(names, 1), new;
	struct statistics *kept = NULL;

	hold(snapshot, old, 5, 1);
	assert_int_equal(statistics__update(snapshot, NULL, &opts, &kept), 0);
	assert_group(&kept->items[0], "/tmp/cc1", 1, 5, 1);
	snapshot__free(snapshot);
	names__begin_forgetting(names);
	assert_false(names__uses_module(names, 1));
	names__end_forgetting(names);
	assert_int_equal(names__get_stack(names, old).nlocations, 0);
	assert_null(names__get_module(names, 1)->path);

	new = stack_of_program(names, 2);
	assert_int_equal(new, old);
	snapshot = snapshot__new(names);
	hold(snapshot, new, 6, 2);
	assert_int_equal(statistics__update(snapshot, NULL, &opts, &kept), 0);
	assert_int_equal(kept->count, 1);
	assert_group(&kept->items[0], "/tmp/cc2", 2, 6, 2);
	statistics__free(kept);
	/* Whichever is freed first. */
	names__free(names);
	snapshot__free(snapshot);
}

static void test_interned_once(void **state)
{
	struct names *names = names__new();
	const char *s = names__string(names, "abc");
	uint32_t a, b, c, locations[] = { 0, 0, 0 };
	char copy[] = "abc";

	assert_ptr_equal(s, names__string(names, copy));
	assert_ptr_not_equal(s, names__string(names, "abd"));
	assert_null(names__string(names, NULL));

	names__module(names, "/bin/x", "00ff", &a);
	names__module(names, "/bin/x", "00ff", &b);
	names__module(names, "/bin/x", NULL, &c);
	assert_int_equal(a, b);
	assert_int_not_equal(a, c);
	assert_null(names__get_module(names, 0)->path);

	names__location(names, a, 16, false, &locations[0]);
	names__location(names, a, 16, true, &locations[1]);
	names__location(names, c, 16, false, &locations[2]);
	assert_int_equal(names__nlocations(names), 4);
	assert_int_equal(names__get_location(names, locations[1])->module, a);
	assert_int_equal(names__get_location(names, locations[1])->nframes, 0);

	names__stack(names, locations, 3, STOP_BOTTOM, &a);
	names__stack(names, locations, 2, STOP_BOTTOM, &b);
	names__stack(names, locations, 3, STOP_DEPTH, &c);
	assert_true(a != b && b != c && a != c);
	names__stack(names, locations, 3, STOP_DEPTH, &b);
	assert_int_equal(b, c);
	assert_int_equal(names__get_stack(names, c).stop, STOP_DEPTH);
	assert_memory_equal(names__get_stack(names, c).locations, locations, sizeof(locations));
	assert_int_equal(names__get_stack(names, 0).nlocations, 0);
	names__free(names);
}

static void test_groups(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t read = place(names, "read", "/s/io.c", 10, "/bin/x", 0x10);
	uint32_t read2 = place(names, "read", "/s/io.c", 11, "/bin/x", 0x18);
	uint32_t parse = place(names, "parse", "/s/p.c", 5, "/lib/p.so", 0x20);
	uint32_t bare = place(names, "stripped", NULL, 0, "/bin/x", 0x30);
	uint32_t bare2 = place(names, "stripped", NULL, 0, "/bin/x", 0x38);
	uint32_t dark = place(names, NULL, NULL, 0, "/bin/x", 0x40);
	struct statistics *s;

	hold(snapshot, stack(names, STOP_BOTTOM, read, parse, 0), 100, 1);
	hold(snapshot, stack(names, STOP_BOTTOM, read, 0), 30, 3);
	hold(snapshot, stack(names, STOP_BOTTOM, read2, 0), 7, 1);
	hold(snapshot, stack(names, STOP_BOTTOM, parse, read, 0), 60, 2);
	hold(snapshot, stack(names, STOP_BOTTOM, bare, 0), 20, 1);
	hold(snapshot, stack(names, STOP_BOTTOM, bare2, 0), 21, 1);
	hold(snapshot, stack(names, STOP_BOTTOM, dark, 0), 4, 1);
	hold(snapshot, 0, 3, 1);

	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_LINE });
	assert_int_equal(s->count, 7);
	assert_group(&s->items[0], "/s/io.c", 10, 130, 4);
	assert_int_equal(s->items[0].alloc_size, 260);
	assert_int_equal(s->items[0].alloc_count, 8);
	assert_string_equal(s->items[0].frames[0]->function, "read");
	assert_int_equal(s->items[0].frames[0]->offset, 0x10);
	assert_int_equal(s->items[0].size_diff, 0);
	assert_group(&s->items[1], "/s/p.c", 5, 60, 2);
	assert_group(&s->items[2], NULL, 0, 21, 1);
	assert_string_equal(s->items[2].frames[0]->function, "stripped");
	assert_int_equal(s->items[2].frames[0]->offset, 0x38);
	assert_group(&s->items[6], NULL, 0, 3, 1);
	assert_null(s->items[6].frames[0]->module);
	statistics__free(s);

	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_FILE });
	assert_int_equal(s->count, 4);
	assert_group(&s->items[0], "/s/io.c", 0, 137, 5);
	assert_null(s->items[0].frames[0]->function);
	assert_group(&s->items[2], NULL, 0, 45, 3);
	assert_string_equal(s->items[2].frames[0]->module, "/bin/x");
	statistics__free(s);

	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_FUNCTION });
	assert_int_equal(s->count, 5);
	assert_group(&s->items[2], NULL, 0, 41, 2);
	assert_string_equal(s->items[2].frames[0]->function, "stripped");
	statistics__free(s);

	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_LIBRARY });
	assert_int_equal(s->count, 3);
	assert_group(&s->items[0], NULL, 0, 182, 8);
	assert_string_equal(s->items[0].frames[0]->module, "/bin/x");
	assert_string_equal(s->items[1].frames[0]->module, "/lib/p.so");
	statistics__free(s);

	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK });
	assert_int_equal(s->count, 8);
	assert_int_equal(s->items[0].nframes, 2);
	assert_string_equal(s->items[0].frames[1]->function, "parse");
	assert_int_equal(s->items[7].nframes, 1);
	statistics__free(s);

	/* Every frame counts: read also below parse. */
	s = group(snapshot, NULL, (struct statistics_opts){ .cumulative = true });
	assert_group(&s->items[0], "/s/io.c", 10, 190, 6);
	assert_group(&s->items[1], "/s/p.c", 5, 160, 3);
	statistics__free(s);

	snapshot__free(snapshot);
	names__free(names);
}

static void test_cumulative_tracebacks_refused(void **state)
{
	const struct statistics_opts opts = { .group_by = GROUP_BY_TRACEBACK, .cumulative = true };
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	struct statistics *s;

	assert_int_equal(statistics__new(snapshot, NULL, &opts, &s), -EINVAL);
	snapshot__free(snapshot);
	names__free(names);
}

/* What differs between the members of a group is not known of the group. */
static void test_only_what_all_agree_on(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	struct statistics *s;

	hold(snapshot, stack(names, 0, place(names, "f<int>", "/t.h", 3, "/bin/x", 0x10), 0), 1, 1);
	hold(snapshot, stack(names, 0, place(names, "f<char>", "/t.h", 3, "/bin/x", 0x20), 0), 2,
	     1);
	s = group(snapshot, NULL, (struct statistics_opts){});
	assert_int_equal(s->count, 1);
	assert_null(s->items[0].frames[0]->function);
	assert_string_equal(s->items[0].frames[0]->module, "/bin/x");
	assert_int_equal(s->items[0].frames[0]->offset, 0);
	statistics__free(s);
	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK });
	assert_int_equal(s->count, 2);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

/* A line of a header lies in two files: the frames of one traceback know in which. */
static void test_frames_of_a_traceback_keep_their_place(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t in_x = place(names, "f", "/t.h", 3, "/bin/x", 0x10);
	uint32_t in_y = place(names, "f", "/t.h", 3, "/lib/y", 0x20);
	uint32_t main = place(names, "main", "/m.c", 1, "/bin/x", 0x30);
	uint32_t main_again = place(names, "main", "/m.c", 1, "/bin/x", 0x40);
	struct stat_frame frame;
	struct statistics *s;

	hold(snapshot, stack(names, 0, in_x, main, 0), 9, 1);
	hold(snapshot, stack(names, 0, in_x, main_again, 0), 9, 1);
	hold(snapshot, stack(names, 0, in_y, 0), 1, 1);
	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK });
	assert_int_equal(s->count, 2);
	frame = statistic__frame(&s->items[0], 0);
	assert_string_equal(frame.module, "/bin/x");
	assert_int_equal(frame.offset, 0x10);
	frame = statistic__frame(&s->items[0], 1);
	assert_string_equal(frame.module, "/bin/x");
	assert_int_equal(frame.offset, 0);
	frame = statistic__frame(&s->items[1], 0);
	assert_string_equal(frame.module, "/lib/y");
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

static void test_order_of_equal_sizes(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	struct statistics *s;

	hold(snapshot, stack(names, 0, place(names, "f", "/b.c", 2, "/x", 1), 0), 10, 1);
	hold(snapshot, stack(names, 0, place(names, "f", "/b.c", 10, "/x", 2), 0), 10, 1);
	hold(snapshot, stack(names, 0, place(names, "f", "/a.c", 99, "/x", 3), 0), 10, 1);
	hold(snapshot, stack(names, 0, place(names, "f", "/a.c", 1, "/x", 4), 0), 10, 2);
	s = group(snapshot, NULL, (struct statistics_opts){});
	assert_group(&s->items[0], "/a.c", 1, 10, 2);
	assert_group(&s->items[1], "/b.c", 10, 10, 1);
	assert_group(&s->items[2], "/b.c", 2, 10, 1);
	assert_group(&s->items[3], "/a.c", 99, 10, 1);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

/* As Python's tuples of frames, which begin with the oldest. */
static void test_order_of_equal_tracebacks(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t a = place(names, "a", "/a.c", 1, "/x", 1);
	uint32_t z = place(names, "z", "/z.c", 1, "/x", 2);
	struct statistics *s;

	hold(snapshot, stack(names, 0, z, a, 0), 10, 1);
	hold(snapshot, stack(names, 0, a, z, 0), 10, 1);
	hold(snapshot, stack(names, 0, z, 0), 10, 1);
	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK });
	assert_group(&s->items[0], "/a.c", 1, 10, 1);
	assert_int_equal(s->items[1].nframes, 1);
	assert_int_equal(s->items[2].nframes, 2);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

static void test_stop_reason_is_part_of_a_traceback(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t f = place(names, "f", "/a.c", 1, "/x", 1);
	struct statistics *s;

	hold(snapshot, stack(names, STOP_BOTTOM, f, 0), 1, 1);
	hold(snapshot, stack(names, STOP_NO_ROWS, f, 0), 2, 1);
	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK });
	assert_int_equal(s->count, 2);
	assert_int_equal(s->items[0].stop, STOP_NO_ROWS);
	statistics__free(s);
	s = group(snapshot, NULL, (struct statistics_opts){});
	assert_int_equal(s->count, 1);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

/* grown, gone, new and unchanged lines; the older snapshot with the same names or its own. */
static void compare(struct names *names, struct names *old_names)
{
	struct snapshot *now = snapshot__new(names), *old = snapshot__new(old_names);
	const struct {
		uint32_t line;
		uint64_t size, count;
		int64_t size_diff, count_diff;
	} by_size[] = { { 4, 500, 5, 0, 0 }, { 1, 300, 3, 200, 2 },
			{ 3, 50, 1, 50, 1 }, { 2, 0, 0, -400, -4 } },
	  by_difference[] = { { 2, 0, 0, -400, -4 }, { 1, 300, 3, 200, 2 },
			      { 3, 50, 1, 50, 1 }, { 4, 500, 5, 0, 0 } };
	struct statistics *s;

	/* Other numbers in the older names. */
	place(old_names, "other", "/other.c", 1, "/y", 77);
	for (uint32_t line = 1; line <= 4; line++) {
		uint64_t size = (uint64_t[]){ 0, 300, 0, 50, 500 }[line];
		uint64_t before = (uint64_t[]){ 0, 100, 400, 0, 500 }[line];

		if (size)
			hold(now, stack(names, 0, place(names, "f", "/a.c", line, "/x", line), 0),
			     size, size / 100 ? size / 100 : 1);
		if (before) {
			uint32_t f = place(old_names, "f", "/a.c", line, "/x", line);

			hold(old, stack(old_names, 0, f, 0), before, before / 100);
		}
	}
	s = group(now, old, (struct statistics_opts){});
	assert_int_equal(s->count, LENGTH(by_size));
	for (size_t i = 0; i < s->count; i++) {
		assert_group(&s->items[i], "/a.c", by_size[i].line, by_size[i].size,
			     by_size[i].count);
		assert_int_equal(s->items[i].size_diff, by_size[i].size_diff);
		assert_int_equal(s->items[i].count_diff, by_size[i].count_diff);
	}
	statistics__free(s);
	s = group(now, old, (struct statistics_opts){ .order = ORDER_DIFFERENCE });
	assert_int_equal(s->count, LENGTH(by_difference));
	for (size_t i = 0; i < s->count; i++)
		assert_group(&s->items[i], "/a.c", by_difference[i].line, by_difference[i].size,
			     by_difference[i].count);
	statistics__free(s);
	s = group(now, old, (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK });
	assert_int_equal(s->count, LENGTH(by_size));
	statistics__free(s);
	snapshot__free(now);
	snapshot__free(old);
}

static void test_compare_same_names(void **state)
{
	struct names *names = names__new();

	compare(names, names);
	names__free(names);
}

static void test_compare_other_names(void **state)
{
	struct names *names = names__new(), *old_names = names__new();

	compare(names, old_names);
	names__free(names);
	names__free(old_names);
}

static void test_return_types(void **state)
{
	static const char *const cases[][2] = {
		{ "main", "main" },
		{ "operator new(unsigned long)", "operator new(unsigned long)" },
		{ "ns::f(int, char const*) const", "ns::f(int, char const*) const" },
		{ "void std::vector<int, std::allocator<int> >::emplace_back<int>(int&&)",
		  "std::vector<int, std::allocator<int> >::emplace_back<int>(int&&)" },
		{ "std::vector<int, std::allocator<int> > build<int>(int)", "build<int>(int)" },
		{ "std::pair<int, bool> ns::f<int>()", "ns::f<int>()" },
		{ "(anonymous namespace)::f(int)", "(anonymous namespace)::f(int)" },
		{ "void (anonymous namespace)::f<int>(int)", "(anonymous namespace)::f<int>(int)" },
		{ "X::operator bool() const", "X::operator bool() const" },
		{ "bool operator< <int>(X<int> const&)", "operator< <int>(X<int> const&)" },
		{ "auto f<1>()::{lambda(int)#1}::operator()(int) const",
		  "f<1>()::{lambda(int)#1}::operator()(int) const" },
		{ "<alloc::vec::Vec<T> as core::clone::Clone>::clone",
		  "<alloc::vec::Vec<T> as core::clone::Clone>::clone" },
		{ "<fn(A) -> B as core::ops::FnOnce>::call",
		  "<fn(A) -> B as core::ops::FnOnce>::call" },
		{ "", "" },
		{ ">>>)(", ">>>)(" },
	};

	for (size_t i = 0; i < LENGTH(cases); i++)
		assert_string_equal(wrappers__skip_return_type(cases[i][0]), cases[i][1]);
}

static enum wrapper_match match(const struct wrappers *wrappers, const char *function,
				const char *file, const char *module)
{
	const struct stat_frame frame = { .function = function, .file = file, .module = module };

	return wrappers__match(wrappers, &frame);
}

static void test_default_wrappers(void **state)
{
	static const char *const yes[] = {
		"operator new(unsigned long)",
		"operator new[](unsigned long, std::nothrow_t const&)",
		"std::allocator<int>::allocate(unsigned long)", "strdup", "__vasprintf_internal",
		"void std::vector<int, std::allocator<int> >::_M_realloc_insert<int>()",
		"__gnu_cxx::new_allocator<int>::allocate(unsigned long, void const*)", "g_malloc0",
		"xmalloc", "zmalloc", "zcalloc_num", "alloc::raw_vec::RawVec<T,A>::reserve",
		"<alloc::vec::Vec<T> as core::clone::Clone>::clone", "__rdl_alloc",
		"std::_Function_handler<void ()>::_M_invoke", "_IO_file_doallocate", "getline",
		"__rustc::__rdl_alloc", "<my::Counting as core::alloc::global::GlobalAlloc>::alloc",
		"<alloc::raw_vec::RawVec<my::T>>::grow_one", "<[u8]>::to_vec",
		"<T as alloc::string::ToString>::to_string", "<&mut [T] as core::clone::Clone>::f",
		"alloc::slice::<impl [T]>::to_vec", "std::rt::lang_start::{{closure}}",
		"_ZN5alloc7raw_vec11finish_grow17h0123456789abcdefE",
		("_ZN63_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..clone..Clone$GT$5clone"
		 "17h0123456789abcdefE"),
		"_RNvMs_NtCsaB1_5alloc7raw_vecINtB2_6RawVechE7reserve", "_ZNSt6vectorIiE3addEv",
		"os::malloc(unsigned long, MEMFLAGS)", "my_malloc", "palloc0", "AllocSetAlloc",
		"ngx_pnalloc", "apr_pstrdup", "CRYPTO_zalloc", "xmlBufCreate", "sqlite3_mprintf",
		"g_strdup_printf", "_talloc_zero", "PyDataMem_UserNEW", "Perl_safesysmalloc",
		"ruby_xmalloc2", "objspace_xcalloc", "_emalloc_large", "l_alloc", "luaM_realloc_",
		"caml_alloc_shr", "__gnat_malloc", "gst_allocator_alloc",
	};
	static const char *const no[] = {
		"main", "mallocate", "my_strdup_user", "std_main", "operator_new", "dictAdd",
		"std::vector<int, std::allocator<int> > build<int>(int)",
		"void f<int>(std::string)",
		"<my::Type as core::clone::Clone>::clone", "gmalloc", "fopen_all", "newlist",
		"<alloc::vec::Vec<T> as my::Trait>::fill", "<&[u8] as my::Trait>::fill",
		"core::Engine::start(int)", "alloc::Pool::grow() const", "core_engine", "",
		("_ZN63_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$my..Trait$GT$4fill"
		 "17h0123456789abcdefE"),
		"_ZN2my5alloc4growE17h0123456789abcdefE", "_RNvXCs1_2myNtB2_1TNtB2_2Tr4fill",
		"_R", "_RN", "_RNvC", "_RNvC99_x", "_ZN", "_ZN9", "<", "<x", "palloc_users(int)",
	};
	struct wrappers wrappers;

	assert_int_equal(wrappers__init(&wrappers, statistics_default_wrappers), 0);
	for (size_t i = 0; i < LENGTH(yes); i++)
		if (!match(&wrappers, yes[i], NULL, "/bin/x"))
			fail_msg("%s is a wrapper", yes[i]);
	for (size_t i = 0; i < LENGTH(no); i++)
		if (match(&wrappers, no[i], NULL, "/bin/x"))
			fail_msg("%s is no wrapper", no[i]);
	assert_true(match(&wrappers, NULL, NULL, "/lib/x86_64-linux-gnu/libc.so.6"));
	assert_false(match(&wrappers, NULL, NULL, "/usr/lib/libcrypto.so.3"));
	assert_false(match(&wrappers, NULL, NULL, NULL));
	wrappers__release(&wrappers);
}

static void test_wrappers_by_file(void **state)
{
	static const char *const yes[] = {
		"/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/fmt/num.rs",
		"/root/.rustup/toolchains/s/lib/rustlib/src/rust/library/alloc/src/alloc.rs",
		"/usr/src/rustc-1.63.0/library/alloc/src/vec/mod.rs",
		"/rust/deps/hashbrown-0.15.2/src/raw/mod.rs",
		"/usr/include/c++/12/bits/basic_string.h",
		"/usr/bin/../lib/gcc/x86_64-linux-gnu/12/../../../../include/c++/12/bits/x.h",
		"/usr/lib/llvm-14/bin/../include/c++/v1/vector",
	};
	static const char *const no[] = {
		"/home/me/library/src/main.rs", "/src/core/src/lib.rs", "/src/include/my.h", "x.rs",
	};
	/* Trait methods: the file tells whose. */
	const char *clone = "<alloc::vec::Vec<T> as core::clone::Clone>::clone";
	struct wrappers wrappers;

	assert_int_equal(wrappers__init(&wrappers, statistics_default_wrappers), 0);
	for (size_t i = 0; i < LENGTH(yes); i++)
		if (!match(&wrappers, "push_back", yes[i], "/bin/x") ||
		    !match(&wrappers, NULL, yes[i], "/bin/x") ||
		    !match(&wrappers, clone, yes[i], "/bin/x"))
			fail_msg("%s is a wrapper's", yes[i]);
	for (size_t i = 0; i < LENGTH(no); i++)
		if (match(&wrappers, "push_back", no[i], "/bin/x") ||
		    match(&wrappers, clone, no[i], "/bin/x"))
			fail_msg("%s is no wrapper's", no[i]);
	wrappers__release(&wrappers);
}

/* Line 0 is no line: the functions of such code are told apart. */
static void test_without_line(void **state)
{
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t a = place(names, "a", "/s/x.c", 0, "/bin/x", 0x10);
	uint32_t b = place(names, "b", "/s/x.c", 0, "/bin/x", 0x20);
	struct statistics *s;

	hold(snapshot, stack(names, STOP_BOTTOM, a, 0), 100, 1);
	hold(snapshot, stack(names, STOP_BOTTOM, b, 0), 20, 1);
	s = group(snapshot, NULL, (struct statistics_opts){});
	assert_int_equal(s->count, 2);
	assert_group(&s->items[0], "/s/x.c", 0, 100, 1);
	assert_string_equal(s->items[0].frames[0]->function, "a");
	assert_int_equal(s->items[0].frames[0]->offset, 0x10);
	statistics__free(s);
	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_FILE });
	assert_int_equal(s->count, 1);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

/* What an allocator calls is its own, whatever it is named. */
static void test_within_wrappers(void **state)
{
	const struct statistics_opts by_line = { .wrappers = statistics_default_wrappers };
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t grow = place(names, "arena::Arena::grow", "/s/arena.rs", 5, "/bin/x", 1);
	uint32_t alloc = place(names, "<arena::Arena as core::alloc::global::GlobalAlloc>::alloc",
			       "/s/arena.rs", 9, "/bin/x", 2);
	uint32_t keep = place(names, "my::keep", "/s/main.rs", 3, "/bin/x", 3);
	struct statistics *s;

	hold(snapshot, stack(names, STOP_BOTTOM, grow, alloc, keep, 0), 100, 1);
	hold(snapshot, stack(names, STOP_BOTTOM, grow, 0), 20, 1);
	s = group(snapshot, NULL, by_line);
	assert_int_equal(s->count, 2);
	assert_group(&s->items[0], "/s/main.rs", 3, 100, 1);
	assert_group(&s->items[1], "/s/arena.rs", 5, 20, 1);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

static void test_first_frame_outside_wrappers(void **state)
{
	const struct statistics_opts by_line = { .wrappers = statistics_default_wrappers };
	const struct names_frame inlined[] = {
		{ "std::allocator<int>::allocate(unsigned long)", "/std/alloc.h", 1, true },
		{ "grow", "/s/v.cc", 7, true },
		{ "main", "/s/main.cc", 9, false },
	};
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint32_t new = place(names, "operator new(unsigned long)", NULL, 0, "/libstdc++.so", 1);
	uint32_t call = place(names, NULL, NULL, 0, "/bin/x", 2);
	uint32_t header = place(names, "std::vector<int>::f()", "/std/v.h", 3, "/bin/x", 3);
	struct statistics *s;

	names__set_frames(names, call, inlined, LENGTH(inlined));
	hold(snapshot, stack(names, 0, new, call, 0), 100, 1);
	/* Nothing but wrappers: the outermost with a line, or else the innermost. */
	hold(snapshot, stack(names, STOP_NO_ROWS, new, header, new, 0), 20, 1);
	hold(snapshot, stack(names, STOP_NO_ROWS, new, 0), 3, 1);

	s = group(snapshot, NULL, by_line);
	assert_int_equal(s->count, 3);
	assert_group(&s->items[0], "/s/v.cc", 7, 100, 1);
	assert_true(s->items[0].frames[0]->inlined);
	assert_group(&s->items[1], "/std/v.h", 3, 20, 1);
	assert_string_equal(s->items[2].frames[0]->function, "operator new(unsigned long)");
	statistics__free(s);

	s = group(snapshot, NULL, (struct statistics_opts){});
	assert_int_equal(s->count, 1);
	assert_group(&s->items[0], NULL, 0, 123, 3);
	statistics__free(s);

	/* A traceback keeps all frames. */
	s = group(snapshot, NULL,
		  (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK,
					    .wrappers = statistics_default_wrappers });
	assert_int_equal(s->items[0].nframes, 4);
	assert_string_equal(s->items[0].frames[0]->function, "operator new(unsigned long)");
	assert_string_equal(s->items[0].frames[3]->function, "main");
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

/* Many traces: nothing gets lost or counted twice. */
static void test_many(void **state)
{
	enum { STACKS = 20000, PROCESSES = 5, LINES = 500 };
	struct names *names = names__new();
	struct snapshot *snapshot = snapshot__new(names);
	uint64_t size = 0, count = 0;
	struct statistics *s;

	for (uint32_t i = 0; i < STACKS; i++) {
		uint32_t inner = place(names, "f", "/a.c", 1 + i % LINES, "/x", 1 + i % LINES);
		uint32_t outer = place(names, "g", "/b.c", 1 + i, "/x", 100000 + i);
		uint32_t index = stack(names, 0, inner, outer, 0);

		for (uint32_t p = 0; p < PROCESSES; p++)
			hold(snapshot, index, i + 1, 1);
	}
	s = group(snapshot, NULL, (struct statistics_opts){});
	assert_int_equal(s->count, LINES);
	for (size_t i = 0; i < s->count; i++) {
		size += s->items[i].size;
		count += s->items[i].count;
		assert_true(!i || s->items[i - 1].size >= s->items[i].size);
	}
	assert_int_equal(size, snapshot->size);
	assert_int_equal(count, STACKS * PROCESSES);
	statistics__free(s);
	s = group(snapshot, NULL, (struct statistics_opts){ .group_by = GROUP_BY_TRACEBACK });
	assert_int_equal(s->count, STACKS);
	statistics__free(s);
	snapshot__free(snapshot);
	names__free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interned_once),
		cmocka_unit_test(test_names_of_short_lived_programs),
		cmocka_unit_test(test_an_index_comes_again),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_cumulative_tracebacks_refused),
		cmocka_unit_test(test_only_what_all_agree_on),
		cmocka_unit_test(test_frames_of_a_traceback_keep_their_place),
		cmocka_unit_test(test_order_of_equal_sizes),
		cmocka_unit_test(test_order_of_equal_tracebacks),
		cmocka_unit_test(test_stop_reason_is_part_of_a_traceback),
		cmocka_unit_test(test_compare_same_names),
		cmocka_unit_test(test_compare_other_names),
		cmocka_unit_test(test_return_types),
		cmocka_unit_test(test_default_wrappers),
		cmocka_unit_test(test_wrappers_by_file),
		cmocka_unit_test(test_within_wrappers),
		cmocka_unit_test(test_without_line),
		cmocka_unit_test(test_first_frame_outside_wrappers),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
