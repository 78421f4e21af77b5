// SPDX-License-Identifier: GPL-2.0-or-later
/* The few places of code without unwind information that are known by their instructions. */
#include "unwind/decode.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <string.h>

#include "unwind/functions.h"

#define MAX_STRAIGHT 32	/* instructions; musl's _start has 5 */

static bool starts_with(const struct image_code *code, size_t at, const void *bytes, size_t size)
{
	return at <= code->size && size <= code->size - at && !memcmp(code->data + at, bytes, size);
}

/*
 * A frame with nobody above it clears rbp first (psABI 3.4.1), unlike what linkers put for the
 * entry of a library. It is the code from `start` to its first call, which is the only place that
 * a stack can return to. What is called gets into `functions`.
 */
static int add_bottom(const struct image_code *code, uint64_t start, struct pieces *pieces,
		      struct functions *functions)
{
	struct piece piece = { .start = start, .rule = { .cfa = CFA_BOTTOM } };
	ZydisDecoder decoder;
	ZydisDecodedInstruction instruction;
	uint64_t at = start - code->address;

	if (!starts_with(code, at, "\x31\xed", 2) && !starts_with(code, at, "\x48\x31\xed", 3))
		return 0;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (int i = 0; i < MAX_STRAIGHT; i++) {
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, code->data + at,
							      code->size - at, &instruction)))
			return 0;
		at += instruction.length;
		if (instruction.mnemonic == ZYDIS_MNEMONIC_CALL)
			break;
		if (instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
			return 0;
	}
	piece.end = code->address + at;
	if (instruction.mnemonic != ZYDIS_MNEMONIC_CALL ||
	    pieces__overlap(pieces, piece.start, piece.end))
		return 0;
	if (instruction.raw.imm[0].is_relative)
		functions__expect(functions, piece.end + instruction.raw.imm[0].value.s, 0);
	return pieces__add(pieces, &piece);
}

/*
 * Where glibc's dynamic linker begins (sysdeps/x86_64/dl-machine.h, RTLD_START), and from where it
 * calls what libraries want to have called before main: mov %rsp,%rdi; call _dl_start; ...; the
 * program is entered by jmp *%r12.
 */
static int add_linker_start(const struct image_code *code, uint64_t start, struct pieces *pieces)
{
	struct piece piece = { .start = start, .rule = { .cfa = CFA_BOTTOM } };
	ZydisDecoder decoder;
	ZydisDecodedInstruction instruction;
	uint64_t at = start - code->address;

	if (!starts_with(code, at, "\x48\x89\xe7\xe8", 4))
		return 0;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (int i = 0; i < MAX_STRAIGHT; i++) {
		bool last = starts_with(code, at, "\x41\xff\xe4", 3);

		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(&decoder, NULL, code->data + at,
							      code->size - at, &instruction)))
			return 0;
		at += instruction.length;
		piece.end = code->address + at;
		if (last)
			return pieces__overlap(pieces, piece.start, piece.end) ?
				       0 : pieces__add(pieces, &piece);
	}
	return 0;
}

/*
 * musl and Go describe no frame for the code that their signal handlers return to; every unwinder
 * knows it by its bytes (libgcc's md-unwind-support.h, gdb's amd64-linux-tdep.c):
 * mov $15 (rt_sigreturn), %rax or %eax; syscall.
 */
static int add_signal_return(const struct image_code *code, size_t syscall, struct pieces *pieces)
{
	struct piece piece = { .end = code->address + syscall + 2, .rule = { .cfa = CFA_SIGNAL } };

	if (syscall >= 7 && starts_with(code, syscall - 7, "\x48\xc7\xc0\x0f\0\0\0", 7))
		piece.start = piece.end - 9;
	else if (syscall >= 5 && starts_with(code, syscall - 5, "\xb8\x0f\0\0\0", 5))
		piece.start = piece.end - 7;
	else
		return 0;
	if (pieces__overlap(pieces, piece.start, piece.end))
		return 0;
	/* A handler returns to the first byte, and return addresses are looked up at pc - 1. */
	if (piece.start > code->address && !pieces__overlap(pieces, piece.start - 1, piece.end))
		piece.start--;
	return pieces__add(pieces, &piece);
}

/* After a clone (musl, src/thread/x86_64/clone.s): test %eax,%eax; jne parent; xor %ebp,%ebp. */
static int add_clone(const struct image_code *code, size_t syscall, struct pieces *pieces,
		     struct functions *functions)
{
	size_t child = syscall + 6;

	if (!starts_with(code, syscall, "\x0f\x05\x85\xc0\x75", 5) || child >= code->size)
		return 0;
	return add_bottom(code, code->address + child, pieces, functions);
}

/*
 * A coroutine's outermost frame, glibc's __start_context (sysdeps/unix/sysv/linux/x86_64): its
 * function returns to the very first byte, so the lookup at pc - 1 misses the entry, which says
 * nothing useful anyway. mov %rbx,%rsp; mov (%rsp),%rdi; test %rdi,%rdi; je.
 */
static void make_coroutine_bottom(struct image *image, const struct image_code *code,
				  struct piece *piece)
{
	static const char begin[] = "\x48\x89\xdc\x48\x8b\x3c\x24\x48\x85\xff\x74";
	const uint8_t *bytes = unwind_image__peek(image, code, piece->start,
						  piece->start + sizeof(begin) - 1);

	if (!bytes || memcmp(bytes, begin, sizeof(begin) - 1))
		return;
	*piece = (struct piece){ .start = piece->start - 1, .end = piece->end,
				 .rule = { .cfa = CFA_BOTTOM } };
}

static int add_syscall(const struct image_code *code, size_t syscall, struct pieces *pieces,
		       struct functions *functions)
{
	int err = add_signal_return(code, syscall, pieces);

	return err ?: add_clone(code, syscall, pieces, functions);
}

/* memchr is ten times as fast as memmem, and old linkers put data into these segments. */
static const uint8_t *find_syscall(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *second = at + 1;

	while (second < end && (second = memchr(second, 0x05, end - second))) {
		if (second[-1] == 0x0f)
			return second - 1;
		second++;
	}
	return NULL;
}

static int add_syscalls(struct image *image, const struct image_code *code, uint64_t start,
			uint64_t end, struct pieces *pieces, struct functions *functions)
{
	const uint8_t *bytes = unwind_image__peek(image, code, start, end), *at, *stop;
	int err = 0;

	/* Hardly any gap has one. */
	if ((bytes && !find_syscall(bytes, bytes + (end - start))) ||
	    !unwind_image__load(image, code, start, end))
		return 0;
	at = code->data + (start - code->address);
	stop = code->data + (end - code->address);
	while (!err && (at = find_syscall(at, stop))) {
		err = add_syscall(code, at - code->data, pieces, functions);
		at += 2;
	}
	return err;
}

/* Every stretch of the segment that no settled piece covers, and what begins behind it. */
static int search_gaps(struct image *image, const struct image_code *code, struct pieces *pieces,
		       struct functions *functions)
{
	uint64_t start = code->address, end = code->address + code->size;
	size_t settled = pieces->settled;
	int err;

	for (size_t i = 0; i < settled; i++) {
		struct piece piece = pieces->list[i];

		if (piece.end <= start)
			continue;
		if (piece.start > start && piece.start < end) {
			err = add_syscalls(image, code, start, piece.start, pieces, functions);
			if (err)
				return err;
			make_coroutine_bottom(image, code, &pieces->list[i]);
		}
		start = piece.end;
		if (start >= end)
			return 0;
	}
	return add_syscalls(image, code, start, end, pieces, functions);
}

int decode__uncovered(struct image *image, struct pieces *pieces)
{
	const struct image_code *entry = unwind_image__code_at(image, image->file->entry);
	struct functions *functions = functions__new(image);
	int err = functions ? 0 : -ENOMEM;

	if (!err && entry)
		err = add_bottom(entry, image->file->entry, pieces, functions);
	if (!err && entry)
		err = add_linker_start(entry, image->file->entry, pieces);
	for (uint32_t i = 0; i < image->ncode && !err; i++)
		err = search_gaps(image, &image->code[i], pieces, functions);
	pieces__settle(pieces);
	if (!err)
		err = functions__follow(functions, pieces);
	functions__free(functions);
	return err;
}
