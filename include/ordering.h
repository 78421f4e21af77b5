/* SPDX-License-Identifier: GPL-2.0-or-later OR GPL-2.0 */
/*
 * Words that others read and write meanwhile, without locks. BPF has no loads and stores that are
 * ordered before v4 and Linux 6.14; on x86-64 plain ones are (Intel SDM, 3A, 9.2.2), so that it
 * takes but to keep the compiler from moving them. Another machine needs its own here.
 *
 *	load_acquire(word)		what follows sees what was there before the word was written
 *	store_release(word, value)	whoever reads the value sees what was written before
 *	loads_in_order()		between two loads: the second is not done before the first
 */
#ifndef MT_ORDERING_H
#define MT_ORDERING_H

#ifdef __bpf__
#ifndef __TARGET_ARCH_x86
#error "no ordered loads and stores for this machine"
#endif
#define compiler_barrier() asm volatile("" ::: "memory")
#define load_acquire(word)                                                                         \
	({                                                                                         \
		typeof(*(word)) loaded_ = *(const volatile typeof(*(word)) *)(word);               \
		compiler_barrier();                                                                \
		loaded_;                                                                           \
	})
#define store_release(word, value)                                                                 \
	do {                                                                                       \
		compiler_barrier();                                                                \
		*(volatile typeof(*(word)) *)(word) = (value);                                     \
	} while (0)
#define loads_in_order() compiler_barrier()
#else
#define load_acquire(word) __atomic_load_n(word, __ATOMIC_ACQUIRE)
#define store_release(word, value) __atomic_store_n(word, value, __ATOMIC_RELEASE)
#define loads_in_order() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#endif

#endif
