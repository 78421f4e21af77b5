// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions without unwind information allocate for culprit(). */
#include <stdlib.h>

void *asm_alloc(size_t n);

#if defined(WITH_FRAME)		/* it has a frame pointer of its own */
__asm__(".text\n.type asm_alloc,@function\nasm_alloc: push %rbp; mov %rsp,%rbp; sub $64,%rsp;"
	"call malloc@PLT; leave; ret\n.size asm_alloc,.-asm_alloc\n");
#elif defined(NEIGHBOUR)	/* it has not, but the one before it, which calls it, has */
__asm__(".text\n.type asm_alloc,@function\nasm_alloc: push %rbp; mov %rsp,%rbp; call inner;"
	"leave; ret\n.size asm_alloc,.-asm_alloc\n"
	".type inner,@function\ninner: push %r12; mov %rsp,%r12; sub $64,%rsp; and $-64,%rsp;"
	"call malloc@PLT; mov %r12,%rsp; pop %r12; ret\n"
	".size inner,.-inner\n");
#else				/* it keeps its caller's frame pointer */
__asm__(".text\n.type asm_alloc,@function\nasm_alloc: push %r12; mov %rsp,%r12; sub $64,%rsp;"
	"and $-64,%rsp; call malloc@PLT; mov %r12,%rsp; pop %r12; ret\n"
	".size asm_alloc,.-asm_alloc\n");
#endif

static void *volatile keep[100];

__attribute__((noinline)) void culprit(int i)
{
	keep[i] = asm_alloc(500);
}

__attribute__((noinline)) void bystander(int i)
{
	culprit(i);
	__asm__ volatile("");
}

int main(void)
{
	for (int i = 0; i < 100; i++)
		bystander(i);
	return 0;
}
