/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which allocations are recorded when not all are: each byte asked for is hit with the same small
 * probability, and a block that was hit is recorded (a Poisson process, as tcmalloc's sampler has
 * it). The way to the next hit is exponentially distributed, whatever came before.
 */
#ifndef MT_BPF_SAMPLING_H
#define MT_BPF_SAMPLING_H

#define FRACTION_BITS 32
#define PART_OF_BYTE 8		/* ways are counted in 256ths of bytes: for small blocks that matters */
#define LN2 0xb17217f7ULL	/* in 2^-32 */

/* -log2(x / 2^32) in 2^-32, for x from 1 on: squaring shifts one bit after the other out. */
static __always_inline __u64 minus_log2(__u32 x)
{
	__u64 mantissa = x, square, fraction = 0, whole = 31, bit;
	__u32 i, shift;

	for (shift = 16; shift; shift >>= 1) {
		if (mantissa >> (32 - shift))
			continue;
		mantissa <<= shift;
		whole -= shift;
	}
	for (i = 0; i < FRACTION_BITS; i++) {
		square = mantissa * mantissa;
		bit = square >> 63;
		mantissa = square >> (31 + bit);
		fraction = fraction << 1 | bit;
	}
	return (32ULL << FRACTION_BITS) - (whole << FRACTION_BITS | fraction);
}

/* The way to the next hit, in 256ths of bytes: minus the logarithm of a number from 0 to 1. */
static __noinline __u64 next_way(void)
{
	__u64 log2 = minus_log2(bpf_get_prandom_u32() | 1);
	__u64 ln = (log2 >> 8) * (LN2 >> 8) >> 16;	/* in 2^-32, less than 23 << 32 */

	if (sample_bytes >> 26)		/* 23 << 32 takes 37 bits */
		return (ln >> 16) * sample_bytes >> (FRACTION_BITS - 16 - PART_OF_BYTE);
	return ln * sample_bytes >> (FRACTION_BITS - PART_OF_BYTE);
}

/* Was a block of so many bytes hit? Those of no bytes count as one. */
static __always_inline bool is_hit(struct thread *thread, __u64 size)
{
	size = (size ? size : 1) << PART_OF_BYTE;
	if (thread->way > size) {
		thread->way -= size;
		return false;
	}
	thread->way = next_way();
	return true;
}

/*
 * Is the call that begins part of one that was let pass? Nobody saw whether that one has returned.
 * Further down it is; and one that begins at the same place, but is another function, was jumped to.
 */
static __always_inline bool is_part_of_passed(struct thread *thread, __u64 sp, __u32 call)
{
	if (!thread->passed_sp || thread->passed_sp - sp >= CALL_REACH)
		return false;
	if (sp == thread->passed_sp && call == thread->passed_call)
		return false;
	return return_address(thread->passed_sp) == thread->passed_back;
}

static __always_inline void let_pass(struct thread *thread, __u64 sp, __u32 call)
{
	thread->passed_back = return_address(sp);
	thread->passed_sp = thread->passed_back ? sp : 0;
	thread->passed_call = call;
}

#endif
