// SPDX-License-Identifier: GPL-2.0-or-later
/* One row each: what gives an allocator or a runtime away, also in a stripped file. */
#include "signs/signs.h"

const struct sign signs[] = {
	{ .name = "AddressSanitizer", .kind = SIGN_REFUSED, .text = "__asan_init",
	  .advice = "its allocator is not followed: trace a build without -fsanitize" },

	/* What allocators say in their warnings is there without symbols, too. */
	{ .name = "jemalloc", .kind = SIGN_ALLOCATOR, .text = "<jemalloc>: " },
	{ .name = "mimalloc", .kind = SIGN_ALLOCATOR, .text = "mimalloc: warning: " },
	{ .name = "tcmalloc", .kind = SIGN_ALLOCATOR, .text = "tcmalloc: large alloc" },
	{ .name = "tcmalloc", .kind = SIGN_ALLOCATOR, .text = "tcmalloc_internal" },
	{ .name = "snmalloc", .kind = SIGN_ALLOCATOR, .text = "snmalloc",
	  .functions = "malloc=sn_malloc,calloc=sn_calloc,realloc=sn_realloc,free=sn_free" },
	{ .name = "rpmalloc", .kind = SIGN_ALLOCATOR, .text = "rpmalloc",
	  .functions = "malloc=rpmalloc,calloc=rpcalloc,realloc=rprealloc,free=rpfree" },
	{ .name = "PartitionAlloc", .kind = SIGN_ALLOCATOR, .text = "partition_alloc" },
	{ .name = "Scudo", .kind = SIGN_ALLOCATOR, .text = "Scudo ERROR: ",
	  .functions = "malloc=scudo_malloc,calloc=scudo_calloc,realloc=scudo_realloc,"
		       "free=scudo_free" },

	{ .name = "Go", .kind = SIGN_RUNTIME, .text = "\xff Go buildinf:",
	  .advice = "Go's objects are in a heap of its own: net/http/pprof shows it (go tool pprof "
		    "http://HOST/debug/pprof/heap); what its C code (cgo) allocates is seen here" },
	{ .name = "the JVM", .kind = SIGN_RUNTIME, .file = "libjvm.so*",
	  .advice = "Java objects are in a heap of its own: jcmd PID GC.class_histogram shows them, "
		    "jcmd PID VM.native_memory the rest; direct buffers and JNI are seen here" },
	{ .name = "V8", .kind = SIGN_RUNTIME, .file = "node",
	  .advice = "JavaScript objects are in V8's heap: node --heapsnapshot-signal=SIGUSR2, or "
		    "--inspect, shows them; Buffers are seen here" },
	{ .name = "V8", .kind = SIGN_RUNTIME, .file = "libnode.so*",
	  .advice = "JavaScript objects are in V8's heap: node --heapsnapshot-signal=SIGUSR2, or "
		    "--inspect, shows them; Buffers are seen here" },
	{ .name = "V8", .kind = SIGN_RUNTIME, .text = "V8.GCScavenger",
	  .advice = "JavaScript objects are in V8's heap: the browser's Memory panel, or --inspect, "
		    "shows them" },
	{ .name = "PyPy", .kind = SIGN_RUNTIME, .file = "libpypy*",
	  .advice = "Python objects are in PyPy's heap: gc.get_stats() shows its size" },
	{ .name = "CPython", .kind = SIGN_RUNTIME, .text = "Py_InitializeFromConfig",
	  .advice = "Python's objects up to 512 bytes are in arenas of its own: tracemalloc, or a "
		    "start with PYTHONMALLOC=malloc, shows them; larger ones are seen here" },
	{ .name = "Ruby", .kind = SIGN_RUNTIME, .text = "ruby_run_node",
	  .advice = "Ruby's objects are in pages of its own: ObjectSpace.dump_all and "
		    "allocation_tracer show them; long strings and arrays are seen here" },
	{ .name = "PHP", .kind = SIGN_RUNTIME, .text = "zend_mm_alloc",
	  .advice = "PHP's values are in chunks of 2 MiB of its own: memory_get_usage(), or a start "
		    "with USE_ZEND_ALLOC=0, shows them" },
	{ .name = ".NET", .kind = SIGN_RUNTIME, .file = "libcoreclr.so*",
	  .advice = ".NET's objects are in a heap of its own: dotnet-gcdump shows them" },
	{ .name = "BEAM", .kind = SIGN_RUNTIME, .file = "beam.smp",
	  .advice = "Erlang's terms are in carriers of its own: erlang:memory() and recon_alloc show "
		    "them" },
	{ .name = "OCaml", .kind = SIGN_RUNTIME, .text = "caml_startup",
	  .advice = "OCaml's values are in a heap of its own: Gc.stat() and memtrace show them" },
	{ .name = "Wasm", .kind = SIGN_RUNTIME, .text = "wasm_memory_grow",
	  .advice = "a module's linear memory is mapped whole: --domain all shows where" },
	{ .name = "Perl", .kind = SIGN_RUNTIME, .text = "Perl_safesysmalloc",
	  .advice = "Perl takes its values from malloc, as seen here; what it had before tracing and "
		    "fills now is not" },
	{ .name = "Lua", .kind = SIGN_RUNTIME, .text = "luaL_newstate",
	  .advice = "LuaJIT maps its heap itself: collectgarbage('count') shows its size" },
	{},
};
