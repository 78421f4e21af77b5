// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unwind rows of code without unwind information: of libraries that do have it, hidden, so that
 * the compiler's own words are the truth; of musl, which has none; and of hand-made code.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "frame_image.h"
#include "unwind/unwind.h"

struct file {
	uint8_t *data;
	size_t size;
};

/* False: the file is not here. */
static bool read_file(const char *path, struct file *file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0) {
		print_message("%s: not here\n", path);
		return false;
	}
	assert_int_equal(fstat(fd, &status), 0);
	file->size = status.st_size;
	file->data = malloc(file->size);
	assert_int_equal(read(fd, file->data, file->size), file->size);
	close(fd);
	return true;
}

static void hide_eh_frame(struct file *file)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)file->data;
	Elf64_Phdr *segments = (Elf64_Phdr *)(file->data + header->e_phoff);
	Elf64_Shdr *sections = (Elf64_Shdr *)(file->data + header->e_shoff);
	const char *names = (const char *)file->data + sections[header->e_shstrndx].sh_offset;

	for (int i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_GNU_EH_FRAME)
			segments[i].p_type = PT_NULL;
	}
	for (int i = 0; i < header->e_shnum; i++) {
		if (!strcmp(names + sections[i].sh_name, ".eh_frame"))
			sections[i].sh_type = SHT_NOBITS;
	}
}

/*
 * Between a push and the note of it, and between a pop and the end, both may name a register's
 * value differently and be right: only two different places are wrong.
 */
static bool contradicts(const struct unwind_rule *said, const struct unwind_rule *seen)
{
	if (said->cfa != CFA_SP || seen->cfa != CFA_SP)
		return false;
	return said->cfa_offset != seen->cfa_offset || said->ra_slot != seen->ra_slot ||
	       (said->bp == SAVED_AT_CFA && seen->bp == SAVED_AT_CFA &&
		said->bp_slot != seen->bp_slot) ||
	       (said->bx == SAVED_AT_CFA && seen->bx == SAVED_AT_CFA &&
		said->bx_slot != seen->bx_slot);
}

static void compare_hidden(const char *path, unsigned int least_percent)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct unwind_rows said, seen;
	const struct unwind_rule *table;
	unsigned long total = 0, found = 0;
	struct file file;
	uint32_t count;

	if (!read_file(path, &file)) {
		unwind_rules__free(rules);
		return;
	}
	assert_int_equal(read_memory(file.data, file.size, NULL, 0, path, rules, &said), 0);
	hide_eh_frame(&file);
	assert_int_equal(read_memory(file.data, file.size, NULL, 0, path, rules, &seen), 0);
	table = unwind_rules__table(rules, &count);
	for (uint32_t i = 0; i + 1 < said.nrows; i++) {
		const struct unwind_rule *rule = &table[said.rows[i].rule];
		uint64_t end = said.base + said.rows[i + 1].start;

		for (uint64_t at = said.base + said.rows[i].start; at < end; at++) {
			const struct unwind_rule *other = &table[rule_at(&seen, at)];

			total += rule->cfa != CFA_NONE;
			found += rule->cfa != CFA_NONE && other->cfa != CFA_NONE;
			if (contradicts(rule, other))
				fail_msg("%s: %#lx: CFA = rsp%+d, not rsp%+d", path, at,
					 rule->cfa_offset, other->cfa_offset);
		}
	}
	print_message("%s: rows for %lu of %lu bytes of code\n", path, found, total);
	assert_true(found * 100 >= total * least_percent);
	unwind_rows__free(&said);
	unwind_rows__free(&seen);
	unwind_rules__free(rules);
	free(file.data);
}

#define LIB "/usr/lib/x86_64-linux-gnu/"

static void test_hidden_libraries(void **state)
{
	compare_hidden(LIB "libstdc++.so.6", 60);
	compare_hidden(LIB "libm.so.6", 60);
	compare_hidden("/usr/bin/python3.11", 30);
	compare_hidden(LIB "libz.so.1", 70);
}

static uint64_t address_of(const struct file *file, const char *name)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)file->data;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(file->data + header->e_shoff);

	for (int i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *symbols = (const Elf64_Sym *)(file->data + sections[i].sh_offset);
		const char *names = (const char *)file->data +
				    sections[sections[i].sh_link].sh_offset;

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		for (size_t j = 0; j < sections[i].sh_size / sizeof(*symbols); j++) {
			if (!strcmp(names + symbols[j].st_name, name))
				return symbols[j].st_value;
		}
	}
	fail_msg("no %s", name);
	return 0;
}

static void test_musl(void **state)
{
	static const char *const names[] = { "strdup", "getline", "fopen", "__libc_start_main",
					     "qsort", "pthread_create", "getdelim", "opendir" };
	struct unwind_rules *rules = unwind_rules__new();
	const struct unwind_rule *table;
	unsigned int bottoms = 0, signals = 0;
	struct unwind_rows rows;
	struct file file;
	uint32_t count;

	if (!read_file("/lib/ld-musl-x86_64.so.1", &file)) {
		unwind_rules__free(rules);
		return;
	}
	assert_int_equal(read_memory(file.data, file.size, NULL, 0, "musl", rules, &rows), 0);
	table = unwind_rules__table(rules, &count);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		uint64_t address = address_of(&file, names[i]);
		const struct unwind_rule *rule = &table[rule_at(&rows, address)];

		assert_int_equal(rule->cfa, CFA_SP);
		assert_int_equal(rule->cfa_offset, 8);
	}
	for (uint32_t i = 0; i < rows.nrows; i++) {
		bottoms += table[rows.rows[i].rule].cfa == CFA_BOTTOM;
		signals += table[rows.rows[i].rule].cfa == CFA_SIGNAL;
	}
	assert_int_equal(bottoms, 2);	/* _dlstart and __clone */
	assert_int_equal(signals, 1);	/* __restore_rt */
	unwind_rows__free(&rows);
	unwind_rules__free(rules);
	free(file.data);
}

/* The rule at CODE + `offset` of hand-made code, which starts with the ELF entry. */
static struct unwind_rule rule_of_code(const uint8_t *code, size_t size, uint64_t offset)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct unwind_rows rows;
	struct unwind_rule rule;
	size_t image_size;
	uint8_t *image = frame_image(BY_SECTION, NULL, 0, &image_size);
	uint32_t count;

	memset(image + CODE, 0xcc, CODE_SIZE);
	memcpy(image + CODE, code, size);
	((Elf64_Ehdr *)image)->e_entry = CODE;
	assert_int_equal(read_memory(image, image_size, NULL, 0, "code", rules, &rows), 0);
	rule = unwind_rules__table(rules, &count)[rule_at(&rows, CODE + offset)];
	unwind_rows__free(&rows);
	unwind_rules__free(rules);
	free(image);
	return rule;
}

#define RULE_OF(offset, ...)                                                                       \
	rule_of_code((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }),   \
		     offset)

#define ENTRY 0x31, 0xed, 0xe8, 9, 0, 0, 0, 0xf4, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc
#define ENTRY_SIZE 16	/* xor %ebp,%ebp; call behind this; hlt; int3... */

static void test_hand_made(void **state)
{
	struct unwind_rule rule;

	/* push %rbp; push %rbx; sub $24,%rsp; xor %ebx,%ebx; add $24,%rsp; pop %rbx; pop %rbp */
#define BALANCED 0x55, 0x53, 0x48, 0x83, 0xec, 0x18, 0x31, 0xdb, 0x48, 0x83, 0xc4, 0x18, 0x5b, 0x5d
	assert_int_equal(RULE_OF(0, ENTRY, BALANCED, 0xc3).cfa, CFA_BOTTOM);
	assert_int_equal(RULE_OF(6, ENTRY, BALANCED, 0xc3).cfa, CFA_BOTTOM);
	assert_int_equal(RULE_OF(7, ENTRY, BALANCED, 0xc3).cfa, CFA_NONE);
	rule = RULE_OF(ENTRY_SIZE + 8, ENTRY, BALANCED, 0xc3);
	assert_int_equal(rule.cfa, CFA_SP);
	assert_int_equal(rule.cfa_offset, 48);
	assert_int_equal(rule.bp_slot, -2);
	assert_int_equal(rule.bx_slot, -3);
	rule = RULE_OF(ENTRY_SIZE + 14, ENTRY, BALANCED, 0xc3);
	assert_int_equal(rule.cfa_offset, 8);
	assert_int_equal(rule.bp, SAVED_SAME);
	assert_int_equal(rule.bx, SAVED_SAME);

	/* A library's entry, where linkers put the first function: push %rbp; call. */
	assert_int_equal(RULE_OF(0, 0x55, 0xe8, 9, 0, 0, 0).cfa, CFA_NONE);

	/* push; ret: the stack depth does not fit. push %rbx; pop %rbp; ret: nor does rbp. */
	assert_int_equal(RULE_OF(ENTRY_SIZE, ENTRY, 0x55, 0xc3).cfa, CFA_NONE);
	assert_int_equal(RULE_OF(ENTRY_SIZE, ENTRY, 0x53, 0x5d, 0xc3).cfa, CFA_NONE);
	/* and $-16,%rsp; ret */
	assert_int_equal(RULE_OF(ENTRY_SIZE, ENTRY, 0x48, 0x83, 0xe4, 0xf0, 0xc3).cfa, CFA_NONE);
	/* je over the push: two depths at the ret */
	assert_int_equal(RULE_OF(ENTRY_SIZE, ENTRY, 0x74, 1, 0x50, 0xc3).cfa, CFA_NONE);
	/* push %rax; call *%rax: what follows is another function, or not. */
#define CALL ENTRY, 0x50, 0xff, 0xd0
	assert_int_equal(RULE_OF(ENTRY_SIZE + 2, CALL, 0x31, 0xc0, 0xeb, 0xfc).cfa, CFA_SP);
	assert_int_equal(RULE_OF(ENTRY_SIZE + 3, CALL, 0x31, 0xc0, 0xeb, 0xfc).cfa, CFA_NONE);
	assert_int_equal(RULE_OF(ENTRY_SIZE + 3, CALL, 0x31, 0xc0, 0x59, 0xc3).cfa, CFA_SP);

	/* nop; mov $15,%eax; syscall: with the byte before it, for lookups at pc - 1. */
	assert_int_equal(RULE_OF(15, ENTRY, 0xb8, 15, 0, 0, 0, 0x0f, 5).cfa, CFA_SIGNAL);
	assert_int_equal(RULE_OF(22, ENTRY, 0xb8, 15, 0, 0, 0, 0x0f, 5).cfa, CFA_SIGNAL);
	assert_int_equal(RULE_OF(23, ENTRY, 0xb8, 15, 0, 0, 0, 0x0f, 5).cfa, CFA_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden_libraries),
		cmocka_unit_test(test_musl),
		cmocka_unit_test(test_hand_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
