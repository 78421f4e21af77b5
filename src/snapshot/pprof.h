/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots as files: gzip'd pprof profiles (profile.proto), which `go tool pprof` and others read.
 *
 * What pprof has no field for is in comments of the form key=value behind a first comment
 * "memtracebpf VERSION": nframe, size, count, peak_size, min_age_ns, lost.REASON, frames_cut.REASON,
 * programs_skipped, taken, how, note, many, exited, ended.*, coverage.*, not_seen, why,
 * sample_bytes, exact, copy (of a mapping with the build id of another file: its id and a number),
 * and process, which since_ns, cgroup and elsewhere (it had another root directory than the tracer)
 * of the same process follow. Samples carry the labels pid, process (its name),
 * cgroup, domain (the allocator's), bytes (the lower end of the size class), oldest (age in
 * nanoseconds), size_error and count_error (standard errors of estimates) and stopped (why the
 * traceback ends early). Besides inuse and alloc there are the sample types peak_objects,
 * peak_space, temporary_objects and usable_space. The period is the sampling interval, and values
 * are scaled already, as in Go's heap profiles; 1: every byte counts.
 *
 * Locations: pprof wants an address within the call instruction, so it is one less than the return
 * address, but for those listed in "exact". Mappings are laid one behind the other; what counts
 * is the offset in the file, address - memory_start + file_offset.
 */
#ifndef MT_SNAPSHOT_PPROF_H
#define MT_SNAPSHOT_PPROF_H

#include "snapshot/snapshot.h"

/*
 * Writes the file whole or not at all (to a temporary name, fsync, rename), mode 0600. 0 or
 * -errno, after one sentence on stderr.
 */
int pprof__write(const struct snapshot *snapshot, const char *path);
/* Can a file be written there? Leaves none. 0 or -errno, after one sentence on stderr. */
int pprof__try(const char *path);
/* Writes into `fd`, which stays open. 0 or -errno. */
int pprof__write_fd(const struct snapshot *snapshot, int fd);

/* "dir/a.pb.gz" and 2 give "dir/a.2.pb.gz". The caller frees; NULL: no memory. */
char *pprof__numbered_path(const char *path, unsigned int number);

/*
 * Reads a snapshot, written here or elsewhere; "-" is standard input. What it names is added to
 * `names`. The caller frees it with snapshot__free(). 0 or -errno (-EINVAL: no such profile), after one sentence on stderr.
 */
int pprof__read(const char *path, struct names *names, struct snapshot **snapshot);

/* The same from memory, not compressed. `why` is a static sentence when the result is -EINVAL. */
int pprof__parse(const void *data, size_t size, struct names *names, struct snapshot **snapshot,
		 const char **why);

#define PPROF_VERSION_COMMENT "memtracebpf "

#endif
