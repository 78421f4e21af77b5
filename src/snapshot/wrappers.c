// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot/wrappers.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/statistics.h"

const char *const statistics_default_wrappers[] = {
	/* Whatever the C library allocates, it allocates for its caller; its inner functions often
	 * have no names. */
	"*/libc.so.6", "*/libc-2.*.so", "*/ld-musl-*.so*", "*/libc.musl-*.so*",
	/* The allocator's own, where one is linked in or put in front. */
	"*/libjemalloc*.so*", "*/libtcmalloc*.so*", "*/libmimalloc*.so*", "mi_new*",
	"malloc", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc",
	"posix_memalign", "valloc", "pvalloc", "__libc_*alloc", "__interceptor_*alloc",
	/* A C library that is linked in statically. */
	"strdup", "__strdup", "strndup", "__strndup", "wcsdup", "__wcsdup", "asprintf",
	"*_asprintf", "*_asprintf_chk", "vasprintf", "*_vasprintf", "*_vasprintf_internal",
	"*_vasprintf_chk", "getline", "__getline", "getdelim", "__getdelim", "_IO_*", "fopen",
	"fopen64", "__fopen_*", "fdopen", "popen", "open_memstream", "qsort", "qsort_r",
	"realpath", "__realpath", "getcwd", "__getcwd", "opendir", "__opendir*", "__alloc_dir",
	/* C++: operator new and the standard library. Its containers allocate for their user. */
	"operator new*", "std::*", "__gnu_cxx::*", "__cxa_allocate_exception",
	/* Rust: its allocator and the crates that the standard library is made of. */
	"__rust_alloc*", "__rust_realloc", "__rdl_*", "__rg_*", "alloc::*", "<alloc::*", "core::*",
	"<core::*", "<std::*", "<T as alloc::*", "<T as core::*", "hashbrown::*", "<hashbrown::*",
	/* GLib, APR, SQLite, OpenSSL, libxml2, talloc */
	"g_malloc*", "g_try_malloc*", "g_realloc*", "g_try_realloc*", "g_strdup*", "g_strndup",
	"g_strconcat", "g_memdup*", "g_slice_alloc*", "apr_palloc*", "apr_pcalloc*",
	"sqlite3MemMalloc", "sqlite3MemRealloc", "sqlite3Malloc*", "sqlite3_malloc*",
	"sqlite3Realloc*", "sqlite3_realloc*", "sqlite3DbMalloc*", "sqlite3DbRealloc*",
	"sqlite3DbStr*Dup", "mallocWithAlarm", "dbMallocRawFinish", "dbReallocFinish",
	"CRYPTO_malloc", "CRYPTO_zalloc", "CRYPTO_realloc", "CRYPTO_clear_realloc",
	"CRYPTO_strdup", "CRYPTO_strndup", "CRYPTO_memdup", "xmlStrdup", "xmlStrndup",
	"talloc_*", "_talloc_*",
	/* Redis and valkey, nginx, CPython's own layers, names that many programs use */
	"zmalloc*", "zcalloc*", "zrealloc*", "ztrymalloc*", "ztrycalloc*", "ztryrealloc*",
	"zstrdup", "valkey_malloc*", "valkey_calloc*", "valkey_realloc*", "ngx_alloc",
	"ngx_calloc", "ngx_memalign", "ngx_palloc*", "ngx_pcalloc", "ngx_pnalloc",
	"PyMem_*alloc", "PyMem_Raw*alloc", "_PyMem_*", "PyObject_Malloc", "PyObject_Calloc",
	"PyObject_Realloc", "_PyObject_Malloc", "_PyObject_Calloc", "_PyObject_Realloc",
	"xmalloc*", "xcalloc*", "xrealloc*", "xreallocarray", "xstrdup*", "xstrndup", "xmemdup*",
	"xzalloc", "xnmalloc", "xnrealloc", "xasprintf", "xvasprintf", "x2realloc", "x2nrealloc",
	"safe_malloc", "safe_calloc", "safe_realloc", "safe_strdup", "Perl_safesys*", "emalloc",
	"ecalloc", "erealloc", "estrdup",
	NULL,
};

static size_t count_patterns(const char *const *patterns)
{
	size_t n = 0;

	while (patterns && patterns[n])
		n++;
	return n;
}

int wrappers__init(struct wrappers *wrappers, const char *const *patterns)
{
	*wrappers = (struct wrappers){ .count = count_patterns(patterns) };
	if (!wrappers->count)
		return 0;
	wrappers->items = calloc(wrappers->count, sizeof(*wrappers->items));
	if (!wrappers->items)
		return -ENOMEM;
	for (size_t i = 0; i < wrappers->count; i++) {
		wrappers->items[i].pattern = patterns[i];
		wrappers->items[i].literal = strcspn(patterns[i], "*?[\\");
		wrappers->items[i].of_module = strchr(patterns[i], '/');
	}
	return 0;
}

void wrappers__release(struct wrappers *wrappers)
{
	free(wrappers->items);
	*wrappers = (struct wrappers){};
}

static bool wrapper__match(const struct wrapper *wrapper, const char *name)
{
	return name && !strncmp(wrapper->pattern, name, wrapper->literal) &&
	       !fnmatch(wrapper->pattern + wrapper->literal, name + wrapper->literal, 0);
}

bool wrappers__match(const struct wrappers *wrappers, const char *function, const char *module)
{
	const char *name = function ? wrappers__skip_return_type(function) : NULL;

	for (size_t i = 0; i < wrappers->count; i++)
		if (wrapper__match(&wrappers->items[i],
				   wrappers->items[i].of_module ? module : name))
			return true;
	return false;
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$';
}

const char *wrappers__skip_return_type(const char *signature)
{
	const char *start = signature;
	int depth = 0;

	for (const char *p = signature; *p; p++) {
		bool word = p == signature || !is_name(p[-1]);

		/* What follows "operator" may be anything, a space or a bracket too. */
		if (!depth && word && !strncmp(p, "operator", 8) && !is_name(p[8]))
			break;
		/* Parameters; but "(anonymous namespace)" starts a name. */
		if (!depth && *p == '(' && p > start && p[-1] != ':')
			break;
		if (strchr("<([{", *p))
			depth++;
		else if (strchr(">)]}", *p) && !(p > signature && p[-1] == '-'))
			depth--;
		else if (*p == ' ' && !depth)
			start = p + 1;
	}
	return start;
}
