// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A row for each allocator, library or runtime. What the patterns mean is told in wrappers.h.
 * Functions that do work of their own and allocate for it are no wrappers: they have a line that
 * somebody wants to see.
 */
#include "snapshot/statistics.h"

const char *const statistics_default_wrappers[] = {
	/* ---- C ---- */

	/* The C library allocates for its caller; its inner functions often have no names. */
	"*/libc.so.6", "*/libc-2.*.so", "*/ld-musl-*.so*", "*/libc.musl-*.so*",
	/* An allocator that is linked in or put in front, with all that it does itself. */
	"*/libjemalloc*.so*", "*/libtcmalloc*.so*", "*/libmimalloc*.so*", "within malloc",
	"within calloc", "within realloc", "within reallocarray", "within memalign",
	"within aligned_alloc", "within posix_memalign", "within valloc", "within pvalloc",
	"within __libc_*alloc", "within __interceptor_*alloc", "within mi_*alloc*",
	"within mi_new*", "within _rjem_*alloc*", "within je_*alloc*", "within tc_*alloc*",
	"within tc_new*",
	/* A C library that is linked in statically. */
	"strdup", "__strdup", "strndup", "__strndup", "wcsdup", "__wcsdup", "asprintf",
	"*_asprintf", "*_asprintf_chk", "vasprintf", "*_vasprintf", "*_vasprintf_internal",
	"*_vasprintf_chk", "getline", "__getline", "getdelim", "__getdelim", "_IO_*", "fopen",
	"fopen64", "__fopen_*", "fdopen", "popen", "open_memstream", "qsort", "qsort_r",
	"realpath", "__realpath", "getcwd", "__getcwd", "opendir", "__opendir*", "__alloc_dir",
	/* Names that many programs use. */
	"xmalloc*", "xcalloc*", "xrealloc*", "xreallocarray", "xstrdup*", "xstrndup", "xmemdup*",
	"xzalloc", "xnmalloc", "xnrealloc", "xasprintf", "xvasprintf", "x2realloc", "x2nrealloc",
	"xpalloc", "ximalloc", "xicalloc", "xirealloc", "xcharalloc", "sh_xmalloc", "sh_xrealloc",
	"safe_malloc", "safe_calloc", "safe_realloc", "safe_strdup",

	/* ---- C++ ---- */

	/* operator new and the standard library: its containers allocate for their user. The
	 * last ones are names too long to demangle. */
	"within operator new*", "std::*", "__gnu_cxx::*", "__cxa_allocate_exception",
	"*/include/c++/*", "*/c++/v1/*", "*/libstdc++-v3/*", "*/libcxx/include/*",
	"*/libc++/src/include/*", "_ZNSt*", "_ZNKSt*", "_ZSt*", "_ZNS[absiod]*", "_ZNKS[absiod]*",
	"_ZN9__gnu_cxx*", "_ZNK9__gnu_cxx*", "_Zn[wa]*",
	/* Boost's, Abseil's and Qt's containers */
	"boost::container::*", "boost::unordered::*", "boost::make_shared*", "boost::detail::*",
	"*/boost/container/*", "*/boost/unordered/*", "*/boost/smart_ptr/*",
	"absl::*container_internal::*", "absl::*inlined_vector_internal::*",
	"*/absl/container/*", "QArrayData::*", "QListData::*", "QHashData::*", "QMapDataBase::*",
	"QtPrivate::*", "qMallocAligned*",
	/* protobuf's arenas */
	"google::protobuf::Arena::*", "google::protobuf::internal::*Arena*",

	/* ---- Rust ---- */

	/* The crates of the standard library, under the paths that rustc, rust-src and the
	 * builds of distributions give them. */
	"crate alloc", "crate core", "crate std", "crate hashbrown", "/rustc/*/library/*",
	"/rustc/*/src/lib*", "*/rustlib/src/rust/library/*", "*/library/alloc/src/*",
	"*/library/core/src/*", "*/library/std/src/*", "/rust/deps/*", "*/hashbrown-*/src/*",
	/* The allocator, whose it may be: what a crate does to implement it is its own. */
	"within __rust_*alloc*", "within __rdl_*alloc*", "within __rg_*alloc*",
	"within __rustc::*alloc*",
	"within <* as core::alloc::global::GlobalAlloc>::*", "within <* as core::alloc::Allocator>::*",
	"within <* as allocator_api2::*Allocator>::*",
	"within _ZN*core..alloc..global..GlobalAlloc*", "crate allocator_api2",
	"crate tikv_jemallocator", "crate jemallocator", "crate mimalloc", "crate snmalloc_rs",
	"crate bumpalo",

	/* ---- libraries ---- */

	/* GLib and GObject: as the C library */
	"*/libglib-2.0.so*", "*/libgobject-2.0.so*", "g_malloc*", "g_try_malloc*", "g_realloc*",
	"g_try_realloc*", "g_strdup*", "g_strndup", "g_strconcat", "g_memdup*", "g_slice_alloc*",
	"g_aligned_alloc*", "g_object_new*", "g_type_create_instance",
	/* APR */
	"*/libapr-1.so*", "apr_palloc*", "apr_pcalloc*", "apr_pstr*", "apr_pmemdup",
	"apr_p*sprintf", "apr_pool_create*", "apr_allocator_alloc", "allocator_alloc",
	"apr_array_*", "apr_table_*", "apr_bucket_alloc*", "psprintf_flush",
	/* OpenSSL, BoringSSL */
	"CRYPTO_malloc*", "CRYPTO_zalloc", "CRYPTO_calloc", "CRYPTO_realloc*",
	"CRYPTO_clear_realloc*", "CRYPTO_strdup", "CRYPTO_strndup", "CRYPTO_memdup",
	"CRYPTO_secure_*alloc", "CRYPTO_aligned_alloc*", "OPENSSL_malloc*", "OPENSSL_zalloc",
	"OPENSSL_calloc", "OPENSSL_realloc*", "OPENSSL_strdup", "OPENSSL_strndup",
	"OPENSSL_memdup", "OPENSSL_sk_*", "sk_reserve", "BUF_MEM_*",
	/* libxml2 */
	"xmlStrdup", "xmlStrndup", "xmlCharStrdup", "xmlCharStrndup", "xmlStrcat", "xmlStrncat*",
	"xmlMem*alloc*", "xmlMalloc*", "xmlRealloc*", "xmlMemStrdup*", "xmlMemoryStrdup*",
	"xmlBuf*", "xmlDictAddString*", "xmlDictAddQString*",
	/* SQLite */
	"sqlite3MemMalloc", "sqlite3MemRealloc", "sqlite3Malloc*", "sqlite3_malloc*",
	"sqlite3Realloc*", "sqlite3_realloc*", "sqlite3DbMalloc*", "sqlite3DbRealloc*",
	"sqlite3DbStr*Dup", "mallocWithAlarm", "dbMallocRawFinish", "dbReallocFinish",
	"sqlite3PageMalloc", "pcache1Alloc*", "sqlite3_str_*", "sqlite3StrAccum*",
	"sqlite3*printf", "sqlite3*Printf",
	/* talloc */
	"*/libtalloc.so*", "talloc_*", "_talloc_*", "__talloc*",
	/* GStreamer */
	"within gst_allocator_alloc", "gst_memory_*", "gst_buffer_new*", "gst_buffer_copy*",
	/* FFmpeg, ImageMagick, Cairo */
	"av_malloc*", "av_calloc", "av_realloc*", "av_strdup", "av_strndup", "av_memdup",
	"av_fast_*alloc*", "av_buffer_alloc*", "av_buffer_realloc", "AcquireMagickMemory",
	"AcquireQuantumMemory", "AcquireCriticalMemory", "AcquireAlignedMemory",
	"AcquireVirtualMemory", "ResizeMagickMemory", "ResizeQuantumMemory", "_cairo_malloc*",
	"_cairo_realloc*", "_cairo_array_*",
	/* libuv, libevent, curl, hiredis, ISC's libraries, systemd */
	"uv__malloc", "uv__calloc", "uv__realloc*", "uv__strdup", "uv__strndup",
	"event_mm_*", "evbuffer_expand*", "evbuffer_chain_new", "Curl_dyn_*", "Curl_memdup*",
	"hi_malloc", "hi_calloc", "hi_realloc", "hi_strdup", "hi_sds*", "within isc_mem_*",
	"within isc__mem_*", "greedy_realloc*", "strextend*", "memdup_suffix0",
	/* Boehm's collector */
	"GC_malloc*", "GC_generic_malloc*", "GC_core_malloc*", "GC_core_*_malloc", "GC_realloc",

	/* ---- servers ---- */

	/* Redis and its kin */
	"zmalloc*", "zcalloc*", "zrealloc*", "ztrymalloc*", "ztrycalloc*", "ztryrealloc*",
	"zstrdup", "valkey_malloc*", "valkey_calloc*", "valkey_realloc*", "sdsnew*", "_sdsnewlen",
	"sdsdup", "sdscat*", "sdsempty", "sdsMakeRoomFor*", "_sdsMakeRoomFor", "sdsgrowzero",
	/* nginx */
	"ngx_alloc", "ngx_calloc", "ngx_memalign", "within ngx_palloc*", "within ngx_pcalloc",
	"within ngx_pnalloc", "ngx_pmemalign", "ngx_create_pool", "within ngx_pstrdup",
	"within ngx_array_create", "within ngx_array_push*", "within ngx_list_create",
	"within ngx_list_push", "within ngx_create_temp_buf", "within ngx_create_chain_of_bufs",
	"within ngx_alloc_chain_link",
	/* PostgreSQL: palloc, its memory contexts and what grows in them */
	"palloc", "palloc0", "palloc_extended",
	"palloc_aligned", "palloc0_*", "repalloc", "repalloc0", "repalloc_extended", "repalloc_huge",
	"pstrdup", "pnstrdup", "psprintf", "pvsprintf",
	"MemoryContextAlloc*", "MemoryContextStrdup", "AllocSet*", "SlabAlloc*",
	"SlabContextCreate*", "GenerationAlloc*", "GenerationContextCreate*",
	"BumpAlloc*", "BumpContextCreate", "pg_malloc*", "pg_realloc*", "pg_strdup",
	"guc_malloc", "guc_realloc", "guc_strdup", "pqResultAlloc", "enlargeStringInfo",
	"initStringInfo*", "makeStringInfo*", "append*StringInfo*", "DynaHashAlloc",
	"element_alloc", "dir_realloc", "seg_alloc",
	/* MariaDB and MySQL */
	"my_malloc", "my_malloc(*", "my_realloc", "my_realloc(*", "my_strdup", "my_strdup(*",
	"my_strndup", "my_strndup(*", "my_memdup", "my_memdup(*", "my_multi_malloc*",
	"my_raw_malloc*", "my_raw_realloc*", "my_internal_malloc*", "redirecting_allocator*",
	"sf_malloc", "sf_realloc", "alloc_root", "multi_alloc_root", "root_alloc*",
	"strdup_root", "strmake_root", "memdup_root", "init_alloc_root", "reset_root_defaults",
	"MEM_ROOT::*", "sql_alloc*", "sql_calloc*", "init_dynamic_array*", "insert_dynamic",
	"alloc_dynamic", "allocate_dynamic", "ut_allocator<*", "ut_malloc*", "mem_heap_*",
	"mem_strdup*", "Binary_string::*alloc*", "String::*alloc*",

	/* ---- runtimes ---- */

	/* The JVM */
	"within os::malloc*", "os::realloc*", "os::strdup*", "AllocateHeap*", "ReallocateHeap*",
	"CHeapObj*", "AnyObj::operator new*", "ResourceObj::operator new*", "Arena::*alloc*",
	"Arena::grow*", "Chunk::operator new*", "ChunkPool::*", "resource_allocate_bytes*",
	"resource_reallocate_bytes*",
	"ArrayAllocator<*", "MallocArrayAllocator<*", "GrowableArray*",
	/* V8 and node */
	"v8::internal::Malloced::*", "v8::internal::AllocWithRetry*", "v8::internal::NewArray<*",
	"v8::internal::Zone::*", "v8::internal::AccountingAllocator::*", "v8::base::Malloc*",
	"v8::base::Calloc*", "node::Malloc*", "node::Calloc*", "node::Realloc*",
	"node::Unchecked*alloc*", "node::NodeArrayBufferAllocator::*",
	/* SpiderMonkey */
	"js_malloc", "js_calloc", "js_realloc", "js_arena_*alloc", "js_pod_*alloc*",
	"moz_xmalloc", "moz_xcalloc", "moz_xrealloc", "moz_xstrdup", "moz_arena_*alloc",
	/* CPython and numpy */
	"within PyMem_*alloc", "within _PyMem_*", "within PyObject_*alloc",
	"within _PyObject_*alloc", "_PyObject_New*", "within _PyObject_GC_*",
	"PyType_GenericAlloc", "_PyType_AllocNoTrack", "within PyDataMem_*NEW*",
	"npy_alloc_cache*", "_npy_alloc_cache", "PyArray_NewFromDescr*",
	/* Perl */
	"Perl_safesys*", "Perl_savepv*", "Perl_savesv*", "Perl_sv_grow*", "Perl_more_bodies",
	"Perl_more_sv", "S_more_sv", "Perl_get_arena", "Perl_newSV*", "Perl_newRV*",
	/* Ruby */
	"ruby_x*alloc*", "rb_x*alloc*", "ruby_mimmalloc", "ruby_strdup", "objspace_x*alloc*",
	"objspace_malloc*", "rb_gc_impl_*alloc*", "rb_alloc_tmp_buffer*", "rb_aligned_malloc",
	/* PHP */
	"emalloc", "ecalloc", "erealloc", "estrdup", "_emalloc*", "_ecalloc*", "_erealloc*",
	"_estrdup*", "_estrndup*", "_safe_*alloc*", "__zend_*alloc*", "zend_mm_*",
	"_malloc_custom", "_realloc_custom", "zend_strndup", "zend_arena_*", "smart_str_*alloc*",
	/* Lua and LuaJIT */
	"l_alloc", "within luaM_*", "luaC_newobj*", "lj_mem_*", "lj_alloc_*",
	/* OCaml */
	"within caml_alloc*", "caml_stat_*alloc*", "caml_stat_str*", "caml_ba_alloc*", "caml_shared_*",
	"caml_c_call*", "caml_call_gc", "within caml_garbage_collection",
	/* Ada */
	"__gnat_malloc", "__gnat_realloc", "system__memory__*", "system__pool_global__*",
	"system__storage_pools__*", "system__secondary_stack__*",
	/* Go's cgo, D, Haskell, Erlang, Tcl */
	"_cgo_*_Cfunc*alloc", "_cgo_*_CMalloc", "_d_newclass", "_d_newitem*", "_d_newarray*",
	"_d_allocmemory*", "gc_malloc", "gc_qalloc", "stgMallocBytes", "stgCallocBytes",
	"stgReallocBytes", "erts_alloc*", "erts_realloc*", "erts_sys_*alloc", "Tcl_Alloc*",
	"Tcl_Realloc*", "Tcl_Attempt*", "TclpAlloc*", "TclpRealloc*",
	NULL,
};
