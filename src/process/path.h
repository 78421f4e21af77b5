/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one way to open a file under a name that a target chose. Merely opening a device does
 * something, a FIFO or a leased file makes one wait, and what /proc shows is no file of the target's:
 * only regular files with content, of file systems that keep files, are opened, to be read, after
 * a look at what they are.
 */
#ifndef MT_PROCESS_PATH_H
#define MT_PROCESS_PATH_H

/*
 * The path, absolute or not, begins at the directory `root`, and so does what symbolic links on it
 * say; it does not lead out of it. The caller closes. -EINVAL: it is no file as above, -EAGAIN:
 * somebody holds a lease on it, -errno.
 */
int path__open_below(int root, const char *path);

/* The same for a link below /proc that leads to the file itself, as /proc/PID/map_files/... do.
 * The caller, and not a target, chooses its name. */
int path__open_link(const char *link);

#endif
