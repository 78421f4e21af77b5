/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of source files. Who compiled a program chose their names: each is looked for where its
 * processes see it, with the rights of their owners, so that nobody's name shows what he may not
 * read. What is read is bounded in size and time, and kept for the rest of a report.
 */
#ifndef MT_SOURCE_H
#define MT_SOURCE_H

#include "snapshot/statistics.h"

struct sources;
struct view;

/* `others`: where those are looked for whose processes nobody looked at, as all are that come from a
 * file; NULL: nowhere. NULL: no memory. */
struct sources *sources__new(struct view *others);
void sources__free(struct sources *sources);	/* takes NULL */

/*
 * The line of the frame, without white space around it, until the next call. NULL where one of the
 * item's processes does not see it, two see different ones, or where the name is not absolute and so
 * could be any file.
 */
const char *sources__line(struct sources *sources, const struct statistic *item,
			  const struct stat_frame *frame);
/* At the end of a report: files may be others in the next one. Takes NULL. */
void sources__forget(struct sources *sources);

#endif
