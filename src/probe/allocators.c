// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An allocator is a row of the table at the end. What its functions call of each other needs no
 * word here: the outermost call owns the block, and the innermost of what can throw
 * (bpf/allocation.h).
 */
#include "probe/allocators.h"

/* Which argument is what; 1 is the first. */
#define ALLOCATES(size) MAKE_CALL(CALL_ALLOCATES, size, 0, 0)
#define ALLOCATES_N(count, size) MAKE_CALL(CALL_ALLOCATES, size, count, 0)
#define STORES(pointer, size) MAKE_CALL(CALL_STORES, size, 0, pointer)
#define REALLOCATES(pointer, size) MAKE_CALL(CALL_REALLOCATES, size, 0, pointer)
#define REALLOCATES_N(pointer, count, size) MAKE_CALL(CALL_REALLOCATES, size, count, pointer)
#define REALLOCATES_OR_FREES(pointer, size) MAKE_CALL(CALL_REALLOCATES_OR_FREES, size, 0, pointer)
#define RESIZES(pointer, size, extra) MAKE_CALL(CALL_RESIZES, size, extra, pointer)
#define FREES(pointer) MAKE_CALL(CALL_FREES, 0, 0, pointer)
#define DESTROYS() MAKE_CALL(CALL_DESTROYS, 0, 0, 0)
#define NEWS(size) MAKE_CALL(CALL_NEWS, size, 0, 0)
#define NEWS_N(count, size) MAKE_CALL(CALL_NEWS, size, count, 0)

const struct function standard_functions[] = {
	{ "malloc", ALLOCATES(1) },
	{ "calloc", ALLOCATES_N(1, 2) },
	{ "realloc", REALLOCATES(1, 2) },
	{ "reallocarray", REALLOCATES_N(1, 2, 3) },
	{ "reallocf", REALLOCATES_OR_FREES(1, 2) },
	{ "free", FREES(1) },
	{ "posix_memalign", STORES(1, 3) },
	{ "aligned_alloc", ALLOCATES(2) },
	{ "memalign", ALLOCATES(2) },
	{ "valloc", ALLOCATES(1) },
	{ "pvalloc", ALLOCATES(1) },
	{ "cfree", FREES(1) },
	{ "free_sized", FREES(1) },		/* C23 7.24.3.4 */
	{ "free_aligned_sized", FREES(1) },	/* C23 7.24.3.5 */
	{}
};

/* The Itanium C++ ABI's names of N4861 17.6.3. Those that can throw come first: where the code of
 * one is also that of one that cannot, it can. */
const struct function cxx_operators[] = {
	{ "_Znwm", NEWS(1) },
	{ "_Znam", NEWS(1) },
	{ "_ZnwmSt11align_val_t", NEWS(1) },
	{ "_ZnamSt11align_val_t", NEWS(1) },
	{ "_ZnwmRKSt9nothrow_t", ALLOCATES(1) },
	{ "_ZnamRKSt9nothrow_t", ALLOCATES(1) },
	{ "_ZnwmSt11align_val_tRKSt9nothrow_t", ALLOCATES(1) },
	{ "_ZnamSt11align_val_tRKSt9nothrow_t", ALLOCATES(1) },
	{ "_ZdlPv", FREES(1) },
	{ "_ZdaPv", FREES(1) },
	{ "_ZdlPvm", FREES(1) },
	{ "_ZdaPvm", FREES(1) },
	{ "_ZdlPvRKSt9nothrow_t", FREES(1) },
	{ "_ZdaPvRKSt9nothrow_t", FREES(1) },
	{ "_ZdlPvSt11align_val_t", FREES(1) },
	{ "_ZdaPvSt11align_val_t", FREES(1) },
	{ "_ZdlPvmSt11align_val_t", FREES(1) },
	{ "_ZdaPvmSt11align_val_t", FREES(1) },
	{ "_ZdlPvSt11align_val_tRKSt9nothrow_t", FREES(1) },
	{ "_ZdaPvSt11align_val_tRKSt9nothrow_t", FREES(1) },
	{}
};

const struct function cxx_functions[] = {
	{ "new", NEWS(1) },
	{ "delete", FREES(1) },
	{}
};

/* jemalloc(3), "Non-standard API". */
static const struct function jemalloc_functions[] = {
	{ "mallocx", ALLOCATES(1) },
	{ "rallocx", REALLOCATES(1, 2) },
	{ "xallocx", RESIZES(1, 2, 3) },
	{ "dallocx", FREES(1) },
	{ "sdallocx", FREES(1) },
	{}
};

/* gperftools/tcmalloc.h */
static const struct function tcmalloc_functions[] = {
	{ "tc_new", NEWS(1) },
	{ "tc_newarray", NEWS(1) },
	{ "tc_new_aligned", NEWS(1) },
	{ "tc_newarray_aligned", NEWS(1) },
	{ "tc_new_nothrow", ALLOCATES(1) },
	{ "tc_newarray_nothrow", ALLOCATES(1) },
	{ "tc_new_aligned_nothrow", ALLOCATES(1) },
	{ "tc_newarray_aligned_nothrow", ALLOCATES(1) },
	{ "tc_malloc", ALLOCATES(1) },
	{ "tc_malloc_skip_new_handler", ALLOCATES(1) },
	{ "tc_calloc", ALLOCATES_N(1, 2) },
	{ "tc_realloc", REALLOCATES(1, 2) },
	{ "tc_memalign", ALLOCATES(2) },
	{ "tc_posix_memalign", STORES(1, 3) },
	{ "tc_valloc", ALLOCATES(1) },
	{ "tc_pvalloc", ALLOCATES(1) },
	{ "tc_free", FREES(1) },
	{ "tc_free_sized", FREES(1) },
	{ "tc_cfree", FREES(1) },
	{ "tc_delete", FREES(1) },
	{ "tc_delete_sized", FREES(1) },
	{ "tc_delete_nothrow", FREES(1) },
	{ "tc_delete_aligned", FREES(1) },
	{ "tc_delete_sized_aligned", FREES(1) },
	{ "tc_delete_aligned_nothrow", FREES(1) },
	{ "tc_deletearray", FREES(1) },
	{ "tc_deletearray_sized", FREES(1) },
	{ "tc_deletearray_nothrow", FREES(1) },
	{ "tc_deletearray_aligned", FREES(1) },
	{ "tc_deletearray_sized_aligned", FREES(1) },
	{ "tc_deletearray_aligned_nothrow", FREES(1) },
	{}
};

/* mimalloc.h. Of what is not here, most calls what is; mi_strdup and its like do not, but the size
 * of what they return is none of their arguments. */
static const struct function mimalloc_functions[] = {
	{ "mi_new", NEWS(1) },
	{ "mi_new_aligned", NEWS(1) },
	{ "mi_new_n", NEWS_N(1, 2) },
	{ "mi_heap_alloc_new", NEWS(2) },
	{ "mi_heap_alloc_new_n", NEWS_N(2, 3) },
	{ "mi_new_nothrow", ALLOCATES(1) },
	{ "mi_new_aligned_nothrow", ALLOCATES(1) },
	{ "mi_malloc", ALLOCATES(1) },
	{ "mi_malloc_small", ALLOCATES(1) },
	{ "mi_malloc_aligned", ALLOCATES(1) },
	{ "mi_malloc_aligned_at", ALLOCATES(1) },
	{ "mi_mallocn", ALLOCATES_N(1, 2) },
	{ "mi_zalloc", ALLOCATES(1) },
	{ "mi_zalloc_small", ALLOCATES(1) },
	{ "mi_zalloc_aligned", ALLOCATES(1) },
	{ "mi_zalloc_aligned_at", ALLOCATES(1) },
	{ "mi_calloc", ALLOCATES_N(1, 2) },
	{ "mi_calloc_aligned", ALLOCATES_N(1, 2) },
	{ "mi_calloc_aligned_at", ALLOCATES_N(1, 2) },
	{ "mi_posix_memalign", STORES(1, 3) },
	{ "mi_memalign", ALLOCATES(2) },
	{ "mi_aligned_alloc", ALLOCATES(2) },
	{ "mi_valloc", ALLOCATES(1) },
	{ "mi_pvalloc", ALLOCATES(1) },
	{ "mi_expand", REALLOCATES(1, 2) },
	{ "mi_realloc", REALLOCATES(1, 2) },
	{ "mi_realloc_aligned", REALLOCATES(1, 2) },
	{ "mi_realloc_aligned_at", REALLOCATES(1, 2) },
	{ "mi_reallocf", REALLOCATES_OR_FREES(1, 2) },
	{ "mi_reallocn", REALLOCATES_N(1, 2, 3) },
	{ "mi_reallocarray", REALLOCATES_N(1, 2, 3) },
	{ "mi_rezalloc", REALLOCATES(1, 2) },
	{ "mi_rezalloc_aligned", REALLOCATES(1, 2) },
	{ "mi_rezalloc_aligned_at", REALLOCATES(1, 2) },
	{ "mi_recalloc", REALLOCATES_N(1, 2, 3) },
	{ "mi_recalloc_aligned", REALLOCATES_N(1, 2, 3) },
	{ "mi_recalloc_aligned_at", REALLOCATES_N(1, 2, 3) },
	{ "mi_free", FREES(1) },
	{ "mi_free_size", FREES(1) },
	{ "mi_free_aligned", FREES(1) },
	{ "mi_free_size_aligned", FREES(1) },
	{ "mi_cfree", FREES(1) },
	/* The same in a heap of the program's own, the first argument. */
	{ "mi_heap_malloc", ALLOCATES(2) },
	{ "mi_heap_malloc_small", ALLOCATES(2) },
	{ "mi_heap_malloc_aligned", ALLOCATES(2) },
	{ "mi_heap_malloc_aligned_at", ALLOCATES(2) },
	{ "mi_heap_mallocn", ALLOCATES_N(2, 3) },
	{ "mi_heap_zalloc", ALLOCATES(2) },
	{ "mi_heap_zalloc_aligned", ALLOCATES(2) },
	{ "mi_heap_zalloc_aligned_at", ALLOCATES(2) },
	{ "mi_heap_calloc", ALLOCATES_N(2, 3) },
	{ "mi_heap_calloc_aligned", ALLOCATES_N(2, 3) },
	{ "mi_heap_calloc_aligned_at", ALLOCATES_N(2, 3) },
	{ "mi_heap_realloc", REALLOCATES(2, 3) },
	{ "mi_heap_realloc_aligned", REALLOCATES(2, 3) },
	{ "mi_heap_realloc_aligned_at", REALLOCATES(2, 3) },
	{ "mi_heap_reallocf", REALLOCATES_OR_FREES(2, 3) },
	{ "mi_heap_reallocn", REALLOCATES_N(2, 3, 4) },
	{ "mi_heap_rezalloc", REALLOCATES(2, 3) },
	{ "mi_heap_rezalloc_aligned", REALLOCATES(2, 3) },
	{ "mi_heap_rezalloc_aligned_at", REALLOCATES(2, 3) },
	{ "mi_heap_recalloc", REALLOCATES_N(2, 3, 4) },
	{ "mi_heap_recalloc_aligned", REALLOCATES_N(2, 3, 4) },
	{ "mi_heap_recalloc_aligned_at", REALLOCATES_N(2, 3, 4) },
	{ "mi_heap_destroy", DESTROYS() },
	{}
};

const struct allocator prefixed_jemalloc = { .name = "jemalloc", .functions = jemalloc_functions };

const char *const jemalloc_signs[] = { "mallctl", "mallctlbymib", "malloc_stats_print", "mallocx",
				       "rallocx", "sdallocx", NULL };

const struct allocator allocators[] = {
	/* The dynamic linker: glibc's exports malloc up to 2.31. */
	{ .marker = "_rtld_global", .unfollowed = true },
	{ .name = "jemalloc", .marker = "mallctl", .has_operators = true,
	  .functions = jemalloc_functions },
	{ .name = "jemalloc", .marker = "je_malloc", .also = "je_free", .prefix = "je_",
	  .functions = jemalloc_functions },
	/* Rust's crate tikv-jemalloc-sys */
	{ .name = "jemalloc", .marker = "_rjem_malloc", .also = "_rjem_sdallocx",
	  .prefix = "_rjem_", .functions = jemalloc_functions },
	{ .name = "tcmalloc", .marker = "tc_malloc", .also = "tc_free", .is_malloc = true,
	  .has_operators = true, .functions = tcmalloc_functions },
	{ .name = "mimalloc", .marker = "mi_malloc", .also = "mi_free", .is_malloc = true,
	  .has_operators = true, .functions = mimalloc_functions },
	/* All that is left of it in a program of Rust that has no use for the other. */
	{ .name = "mimalloc", .marker = "mi_malloc_aligned", .also = "mi_free",
	  .is_malloc = true, .functions = mimalloc_functions },
	{ .name = "sanitizer", .marker = "__interceptor_malloc", .is_malloc = true,
	  .unfollowed = true },
	/* Browsers' allocators have a __libc_malloc, too, but none of glibc's tuning. */
	{ .name = "glibc", .marker = "__libc_malloc", .also = "__libc_mallopt",
	  .is_malloc = true, .flags = CALL_CHUNK_HEADS },
	/* Shared: a stage of its dynamic linker; static, where symbols are left. */
	{ .name = "musl", .marker = "__dls2b", .hidden = true },
	{ .name = "musl", .marker = "__malloc_atfork", .hidden = true },
	/* What musl calls itself, whoever's malloc is. */
	{ .name = "musl", .marker = "__libc_malloc_impl", .prefix = LIBC_PREFIX },
	{ .name = "unknown", .has_operators = true, .flags = CALL_PENDING },
};
const size_t nallocators = sizeof(allocators) / sizeof(allocators[0]);
_Static_assert(sizeof(allocators) / sizeof(allocators[0]) <= MAX_ALLOCATORS, "room for each");
