/* SPDX-License-Identifier: GPL-2.0-or-later */
/* void f(void (*call)(size_t), size_t arg), without a word of unwind information. */
	.text
	.globl asm_with_frame_pointer
	.type asm_with_frame_pointer, @function
asm_with_frame_pointer:
	push	%rbp
	mov	%rsp, %rbp
	sub	$48, %rsp
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
	leave
	ret
	.size asm_with_frame_pointer, . - asm_with_frame_pointer

	/* rbp is put to another use, so that following it leads nowhere. */
	.globl asm_without_frame_pointer
	.type asm_without_frame_pointer, @function
asm_without_frame_pointer:
	push	%rbp
	sub	$48, %rsp
	mov	$1, %ebp
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
	add	$48, %rsp
	pop	%rbp
	ret
	.size asm_without_frame_pointer, . - asm_without_frame_pointer
	/* How far the stack pointer moves is known at run time only, and who keeps its old value by
	 * nobody outside. */
	.globl asm_blind
	.type asm_blind, @function
asm_blind:
	push	%rbp
	push	%r12
	mov	%rsp, %r12
	mov	$1, %ebp
	sub	%rsi, %rsp
	and	$-64, %rsp
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
	mov	%r12, %rsp
	pop	%r12
	pop	%rbp
	ret
	.size asm_blind, . - asm_blind
	.section .note.GNU-stack, "", @progbits
