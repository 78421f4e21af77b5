/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process without an allocator, without libc, without anything: pause() for ever. */
	.globl _start
_start:
	mov	$34, %eax	/* __NR_pause */
	syscall
	jmp	_start
	.section .note.GNU-stack, "", @progbits
