/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Libraries that come, go, and come again elsewhere. Their blocks are plugin.c's. */
#include <dlfcn.h>
#include <stdlib.h>

#include "truth.h"

static void *library;

static void load(const char *path, const char *wait_for)
{
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		abort();
	if (wait_for)
		truth_wait(wait_for);
}

static FRAME void call(void)
{
	((void (*)(void))dlsym(library, "plugin_allocate"))();
	NOT_A_TAIL_CALL();
}

/* late PLUGIN: is loaded, is waited for ("loaded"), allocates. */
static void late(int argc, char **argv)
{
	load(argv[0], "loaded");
	call();
	NOT_A_TAIL_CALL();
}

/* at_once PLUGIN: allocates in the very moment it is there. */
static void at_once(int argc, char **argv)
{
	load(argv[0], NULL);
	call();
	NOT_A_TAIL_CALL();
}

/* swapped ONE TWO: One goes, Two takes its addresses, One comes back at others. */
static void swapped(int argc, char **argv)
{
	void *one, *two;

	load(argv[0], "loaded");
	one = dlsym(library, "plugin_allocate");
	call();
	dlclose(library);
	load(argv[1], "loaded");
	two = dlsym(library, "plugin_allocate");
	call();
	load(argv[0], "loaded");
	call();
	if (dlsym(library, "plugin_allocate") == one || labs((char *)one - (char *)two) > 4096)
		truth_wait("addresses are not as planned");
}

const struct scenario scenarios[] = {
	{ "late", late },
	{ "at_once", at_once },
	{ "swapped", swapped },
	{ NULL, NULL },
};
