/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of what others wrote we take in. A stranger's file or snapshot may claim any size, and
 * a hole of gigabytes takes no block on the disk: so what is kept in memory follows what the disk
 * really holds. What is over a limit is left out of the file, which is said by name and counted.
 */
#ifndef MT_BASE_LIMITS_H
#define MT_BASE_LIMITS_H

/* Of an ELF file: apparent size, and section headers (all real files have a few dozen). */
#define MAX_FILE_SIZE (64ULL << 30)
#define MAX_SEGMENTS 128
#define MAX_SECTIONS 65536
/* One section in memory, unpacked. Chromium's .debug_info has 1 GiB. */
#define MAX_SECTION_SIZE (2ULL << 30)
/*
 * All that is read of a file in one go, unpacked, is so many times what the disk holds of it (real
 * debug information packs to a third), and this much for any file.
 */
#define MAX_UNPACKING 16
#define MIN_FILE_BUDGET (16ULL << 20)

/* Unwind rows: by what the disk holds of the file, and of all files together (8 bytes each). */
#define MIN_FILE_ROWS (64U << 10)
#define ROW_BYTES 4		/* real files have a row for 15 bytes and more */
#define MAX_FILE_ROWS (64U << 20)
#define MAX_ALL_ROWS (128U << 20)

/* CPU time for one reading of one file. What takes longest, a browser's names, takes a tenth. */
#define MAX_FILE_SECONDS 20

/* A name in a symbol table or in DWARF; longer ones are no names. */
#define MAX_NAME_SIZE 65536

/* The map of code made at run time: bytes and functions, of the newest. Large programs have 100,000. */
#define MAX_JIT_MAP_SIZE (64L << 20)
#define MAX_JIT_FUNCTIONS (1U << 18)

/* Of a snapshot that is read: unpacked bytes; samples; strings, locations and other records, each. */
#define MAX_SNAPSHOT_SIZE (1UL << 30)
#define MAX_SNAPSHOT_SAMPLES (8U << 20)
#define MAX_SNAPSHOT_RECORDS (2U << 20)

#endif
