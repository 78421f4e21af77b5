/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that writes its C library's code back, as it was before anybody attached. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "truth.h"

#define CODE 64	/* bytes of malloc that are saved */
#define PAGE 4096UL

static unsigned char code[CODE];
static void *volatile last;

static __attribute__((constructor)) void save(void)
{
	memcpy(code, (void *)malloc, CODE);
}

static FRAME void hide(int argc, char **argv)
{
	uintptr_t page = (uintptr_t)malloc & -PAGE;

	for (size_t i = 0; i < 400; i++)
		last = malloc(100), TAKE(last, 100);
	mprotect((void *)page, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy((void *)malloc, code, CODE);
	mprotect((void *)page, 2 * PAGE, PROT_READ | PROT_EXEC);
	for (size_t i = 0; i < 1000; i++)
		last = malloc(100);
}

static FRAME void many(int argc, char **argv)
{
	for (size_t i = 0; i < 400; i++)
		last = malloc(100), TAKE(last, 100);
}

const struct scenario scenarios[] = {
	{ "hide", hide },
	{ "many", many },
	{ NULL, NULL },
};
