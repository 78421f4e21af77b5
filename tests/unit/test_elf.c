// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that change while they are read, and files that claim more than they have. What is read of a
 * sound file is compared with others' tools where it is used: see test_symbol, test_probe, test_unwind.
 */
#include "symbol/truth.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "directory.h"
#include "elf/notes.h"
#include "elf/symbols.h"
#include "probe/mappers.h"
#include "probe/probe.h"
#include "unwind/unwind.h"

#define ROUNDS 1000

static const char *at(const char *name)
{
	static char paths[2][128];
	static unsigned int next;

	next = (next + 1) % 2;
	snprintf(paths[next], sizeof(paths[next]), "%s/%s", directory, name);
	return paths[next];
}

/* ---- a file that changes ---- */

struct changer {
	const char *paths[2];
	atomic_bool stop;
};

/* Cuts the files short, writes them again, makes them longer, and again. */
static void *change(void *arg)
{
	struct changer *changer = arg;
	char *bytes[2];
	struct stat st[2];
	int fds[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = open(changer->paths[i], O_RDWR | O_CLOEXEC);
		fstat(fds[i], &st[i]);
		bytes[i] = malloc(st[i].st_size);
		if (pread(fds[i], bytes[i], st[i].st_size, 0) != st[i].st_size)
			abort();
	}
	for (unsigned int round = 0; !changer->stop; round++) {
		int i = round % 2;
		off_t size = st[i].st_size;

		if (ftruncate(fds[i], round % 7 * size / 7) ||
		    pwrite(fds[i], bytes[i], size, 0) != size || ftruncate(fds[i], 4 * size))
			abort();
	}
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		free(bytes[i]);
	}
	return NULL;
}

static void read_rows(int fd, int debug_fd)
{
	struct unwind_rules *rules = unwind_rules__new();
	struct elf_file file, debug;
	struct unwind_rows rows = {};
	int err = elf_file__open(&file, fd), debug_err = elf_file__open(&debug, debug_fd);

	if (!err)
		unwind_rows__read(&file, debug_err ? NULL : &debug, "changing", rules, &rows);
	elf_file__close(&file);
	elf_file__close(&debug);
	unwind_rows__free(&rows);
	unwind_rules__free(rules);
}

static void name_it(int fd, const char *path)
{
	struct roots *roots = roots__new();
	struct symbolizer *symbolizer = symbolizer__new(roots);
	struct names *names = names__new();
	uint32_t module, location;

	names__module(names, path, NULL, &module);
	assert_int_equal(symbolizer__add_module(symbolizer, module, fd, path, NULL), 0);
	for (uint64_t offset = 0x1000; offset < 0x1400; offset += 0x20)
		names__add_location(names, module, offset, true, &location);
	assert_int_equal(symbolizer__name_all(symbolizer, names), 0);
	symbolizer__free(symbolizer);
	names__free(names);
	roots__free(roots);
}

/* Nearly every file is damaged: no need to say so. */
void log__warn(const char *fmt, ...)
{
}

void log__error(const char *fmt, ...)
{
}

static void test_changes_while_read(void **state)
{
	struct changer changer = { .paths = { strdup(at("lib.so")), strdup(at("lib.so.debug")) } };
	struct probes probes;
	struct mappers mappers;
	pthread_t thread;
	int fd, debug_fd;

	run("gcc -O2 -g -shared -fPIC -Wl,--build-id tests/unit/symbol/inlines.c -o %s", at("lib.so"));
	run("cd %s && objcopy --only-keep-debug lib.so lib.so.debug && objcopy "
	    "--add-gnu-debuglink=lib.so.debug --strip-debug lib.so", directory);
	fd = open(changer.paths[0], O_RDONLY | O_CLOEXEC);
	debug_fd = open(changer.paths[1], O_RDONLY | O_CLOEXEC);
	assert_int_equal(pthread_create(&thread, NULL, change, &changer), 0);
	for (int i = 0; i < ROUNDS; i++) {
		if (!probes__find(fd, "changing", NULL, &probes))
			probes__free(&probes);
		mappers__find(fd, &mappers);
		read_rows(fd, debug_fd);
		name_it(fd, changer.paths[0]);
	}
	changer.stop = true;
	pthread_join(thread, NULL);
	close(fd);
	close(debug_fd);
	free((char *)changer.paths[0]);
	free((char *)changer.paths[1]);
}

/* ---- a file that claims too much ---- */

#define SECTIONS 16

/* Section headers, one after the other, at an offset; the file ends where they say. */
static int claim(Elf64_Shdr *sections, uint16_t n, uint64_t size)
{
	Elf64_Ehdr header = { .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			      .e_ehsize = sizeof(header), .e_shoff = sizeof(header),
			      .e_shentsize = sizeof(*sections), .e_shnum = n };
	int fd = memfd_create("claims", MFD_CLOEXEC);

	memcpy(header.e_ident, ELFMAG "\2\1\1", SELFMAG + 3);
	assert_int_equal(write(fd, &header, sizeof(header)), sizeof(header));
	n += !n;	/* the number is in the first of them */
	assert_int_equal(write(fd, sections, n * sizeof(*sections)), n * sizeof(*sections));
	assert_return_code(ftruncate(fd, size), 0);
	return fd;
}

static void test_hole_for_a_table(void **state)
{
	Elf64_Shdr sections[SECTIONS] = {};
	struct elf_symbols symbols;
	struct elf_file file;
	int fd;

	for (int i = 1; i < SECTIONS; i++)
		sections[i] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB, .sh_offset = 4096, .sh_link = 1,
					    .sh_size = 3UL << 30, .sh_entsize = 24 };
	fd = claim(sections, SECTIONS, 4UL << 30);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_null(file.over);
	assert_int_equal(elf_symbols__read(&file, &symbols), 0);
	assert_int_equal(symbols.tables[1].count, 0);
	assert_non_null(file.over);
	elf_symbols__release(&symbols);
	elf_file__close(&file);
	close(fd);
}

/* A table of section headers that lies in a hole of gigabytes: their number does not fit the field. */
static void test_hole_for_the_headers(void **state)
{
	Elf64_Shdr first = { .sh_size = 1U << 26 };
	struct elf_file file;
	int fd = claim(&first, 0, 5UL << 30);

	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(file.nsections, 0);
	assert_string_equal(file.over, "it has too many sections");
	elf_file__close(&file);
	close(fd);
}

static void unpack(uint64_t unpacked, int expected)
{
	Elf64_Chdr header = { .ch_type = ELFCOMPRESS_ZLIB, .ch_size = unpacked };
	Elf64_Shdr sections[2] = { {}, { .sh_type = SHT_PROGBITS, .sh_flags = SHF_COMPRESSED,
					 .sh_offset = 4096, .sh_size = 65536 } };
	struct elf_bytes bytes;
	struct elf_file file;
	int fd = claim(sections, 2, 4096 + 65536);

	assert_int_equal(pwrite(fd, &header, sizeof(header), 4096), sizeof(header));
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(elf_file__read_section(&file, &file.sections[1], &bytes), expected);
	elf_bytes__release(&bytes);
	elf_file__close(&file);
	close(fd);
}

static void test_unpacks_to_gigabytes(void **state)
{
	unpack(1UL << 30, -EFBIG);
	unpack(1UL << 40, -EFBIG);
	unpack(UINT64_MAX, -EFBIG);
	unpack(0, -EINVAL);
	unpack(1000, -EINVAL);
}

static void test_headers_beyond_the_end(void **state)
{
	static const uint64_t offsets[] = { 100, 1UL << 40, UINT64_MAX - 10, INT64_MAX };
	Elf64_Shdr sections[2] = {};
	struct elf_bytes bytes;
	struct elf_file file;
	int fd;

	for (size_t i = 0; i < 4; i++) {
		sections[1] = (Elf64_Shdr){ .sh_type = SHT_NOTE, .sh_offset = offsets[i],
					    .sh_size = UINT64_MAX - offsets[i] / 2 };
		fd = claim(sections, 2, 4096);
		assert_int_equal(elf_file__open(&file, fd), 0);
		elf_file__read_section(&file, &file.sections[1], &bytes);
		assert_true(bytes.size <= 4096);
		elf_bytes__release(&bytes);
		elf_file__close(&file);
		close(fd);
	}
}

static void test_build_id(void **state)
{
	char ours[BUILD_ID_HEX], theirs[BUILD_ID_HEX] = "";
	struct elf_file file;
	FILE *pipe;
	int fd;

	run("gcc -shared -fPIC -Wl,--build-id=sha1 -x c /dev/null -o %s", at("id.so"));
	pipe = pipe_from("readelf -n %s | sed -n 's/.*Build ID: //p'", at("id.so"));
	assert_int_equal(fscanf(pipe, "%128s", theirs), 1);
	pclose(pipe);
	fd = open(at("id.so"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_true(elf__build_id(&file, ours));
	assert_string_equal(ours, theirs);
	elf_file__close(&file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_while_read),
		cmocka_unit_test(test_hole_for_a_table),
		cmocka_unit_test(test_hole_for_the_headers),
		cmocka_unit_test(test_unpacks_to_gigabytes),
		cmocka_unit_test(test_headers_beyond_the_end),
		cmocka_unit_test(test_build_id),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
