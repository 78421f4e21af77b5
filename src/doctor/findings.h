/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of this room find out, for those that print it. */
#ifndef MT_DOCTOR_FINDINGS_H
#define MT_DOCTOR_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/utsname.h>

#include "base/privilege.h"
#include "doctor/cost.h"
#include "elf/notes.h"
#include "probe/probe.h"

/* ---- the kernel ---- */

enum answer {
	ANSWER_NO,
	ANSWER_YES,
	ANSWER_UNKNOWN,		/* we may not ask */
};

enum need {
	NEEDED,
	NEEDED_WITHOUT_SESSIONS, /* one of two ways of attaching */
	USEFUL,
};

struct feature {
	const char *key, *title;
	const char *how;	/* it was found out */
	const char *without;	/* what it means to the user that it is missing */
	enum need need;
	enum answer answer;
};

#define MAX_FEATURES 32
#define MAX_SETTINGS 4

struct setting {
	const char *key;
	char value[32];		/* "": there is no such setting, or it may not be read */
};

struct machine {
	struct utsname name;
	long ncpus;
	enum answer virtual;
	char missing[PRIVILEGE_TEXT_SIZE];	/* capabilities; "": none */
	struct setting settings[MAX_SETTINGS];
	size_t nsettings;
	struct feature features[MAX_FEATURES];
	size_t nfeatures;
};

void machine__look(struct machine *machine);

/* Without privileges most answers are unknown. */
void features__find(bool privileged, struct feature features[MAX_FEATURES], size_t *count);

/* Does its absence keep tracing from working? */
bool machine__lacks(const struct machine *machine, const struct feature *feature);
bool machine__can_trace(const struct machine *machine);

/* ---- processes and what they map ---- */


struct carrier {		/* a file with an allocator */
	char *path;
	char build_id[BUILD_ID_HEX];	/* "": none */
	struct probes probes;
	size_t nprocesses;
};

struct carried {		/* by a process */
	size_t carrier;		/* index */
	bool is_program;	/* the program itself, not a library */
};

struct surveyed {		/* a process */
	pid_t pid;
	char comm[16];
	struct carried *items;
	size_t count;
	char *signs;		/* of memory that is not seen; NULL: none, or not asked for */
};

struct survey {
	struct carrier *carriers;
	size_t ncarriers;
	struct surveyed *processes;
	size_t nprocesses;
	size_t nunreadable;	/* processes whose maps we may not see */
	size_t nunread_files;	/* mapped files that could not be opened or read */
};

/* 0 or -errno. survey__free() releases, also after an error. */
int survey__take(struct survey *survey, const pid_t *pids, size_t npids);
void survey__free(struct survey *survey);

/* Why an allocator is not followed; NULL: it is. */
const char *carrier__reason(const struct carrier *carrier);

/* ---- printing ---- */

struct findings {
	struct machine machine;
	struct cost cost;
	struct survey survey;
};

void findings__text(FILE *out, const struct findings *findings);
void findings__json(FILE *out, const struct findings *findings);

#endif
