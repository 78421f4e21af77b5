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
	.section .note.GNU-stack, "", @progbits
