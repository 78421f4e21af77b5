// SPDX-License-Identifier: GPL-2.0-or-later
/* Who maps which file, and which of the files carry an allocator. */
#include "doctor/findings.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "files/describe.h"
#include "process/process.h"
#include "signs/signs.h"

#define NO_CARRIER SIZE_MAX

/* A file that was seen in some process, by what the kernel's maps call it. */
struct seen {
	uint64_t device, inode;
	size_t carrier;		/* index, or NO_CARRIER */
};

struct surveyor {
	struct survey *survey;
	struct seen *seen;
	size_t nseen;
};

/* Takes the probes. */
static int add_carrier(struct survey *survey, const char *path, struct file_description *file)
{
	struct carrier *carrier;

	if (array__make_room(&survey->carriers, survey->ncarriers, sizeof(*carrier))) {
		file_description__release(file);
		return -ENOMEM;
	}
	carrier = &survey->carriers[survey->ncarriers++];
	*carrier = (struct carrier){ .path = strdup(path), .probes = file->probes };
	strcpy(carrier->build_id, file->build_id);
	return carrier->path ? 0 : -ENOMEM;
}

/* 0 with an index or NO_CARRIER, or -ENOMEM. What cannot be read carries nothing that we know. */
static int examine(struct survey *survey, pid_t pid, const struct target_mapping *mapping,
		   size_t *index)
{
	struct file_description file;
	int fd = target__open_mapping(pid, mapping), err;

	*index = NO_CARRIER;
	if (fd < 0) {
		survey->nunread_files++;
		return 0;
	}
	err = file__describe(fd, mapping->path, NULL, &file);
	close(fd);
	if (err || !file.probes.allocator) {
		file_description__release(&file);
		survey->nunread_files += file.over || (err && err != -ENOEXEC && err != -ENOMEM);
		return err == -ENOMEM ? err : 0;
	}
	err = add_carrier(survey, mapping->path, &file);
	*index = survey->ncarriers - 1;
	return err;
}

static int look_at_file(struct surveyor *surveyor, pid_t pid,
			const struct target_mapping *mapping, size_t *carrier)
{
	struct seen *seen;
	int err;

	for (size_t i = 0; i < surveyor->nseen; i++) {
		seen = &surveyor->seen[i];
		if (seen->device == mapping->device && seen->inode == mapping->inode) {
			*carrier = seen->carrier;
			return 0;
		}
	}
	err = examine(surveyor->survey, pid, mapping, carrier);
	if (err)
		return err;
	if (array__make_room(&surveyor->seen, surveyor->nseen, sizeof(*seen)))
		return -ENOMEM;
	surveyor->seen[surveyor->nseen++] =
		(struct seen){ mapping->device, mapping->inode, *carrier };
	return 0;
}

/* The path of the process's program, as in its maps; "" where it cannot be known. */
static void read_program(pid_t pid, char path[PATH_MAX])
{
	static const char deleted[] = " (deleted)";
	char link[64], *end;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)target__thread(pid));
	n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	end = path + strlen(path) - strlen(deleted);
	if (end > path && !strcmp(end, deleted))
		*end = '\0';
}

static int add_carried(struct survey *survey, struct surveyed *process, size_t carrier,
		       const char *program)
{
	for (size_t i = 0; i < process->count; i++)
		if (process->items[i].carrier == carrier)
			return 0;
	if (array__make_room(&process->items, process->count, sizeof(*process->items)))
		return -ENOMEM;
	process->items[process->count++] = (struct carried){
		.carrier = carrier,
		.is_program = !strcmp(program, survey->carriers[carrier].path),
	};
	survey->carriers[carrier].nprocesses++;
	return 0;
}

static int look_at_maps(struct surveyor *surveyor, struct surveyed *process,
			const struct target_maps *maps)
{
	char program[PATH_MAX];
	int err = 0;

	read_program(process->pid, program);
	for (size_t i = 0; !err && i < maps->count; i++) {
		const struct target_mapping *mapping = &maps->items[i];
		size_t carrier;

		if (!mapping->executable || !mapping->inode)
			continue;
		err = look_at_file(surveyor, process->pid, mapping, &carrier);
		if (!err && carrier != NO_CARRIER)
			err = add_carried(surveyor->survey, process, carrier, program);
	}
	return err;
}

static int look_at_process(struct surveyor *surveyor, pid_t pid)
{
	struct survey *survey = surveyor->survey;
	struct surveyed *process;
	struct target_maps maps;
	int err;

	if (pid == getpid())
		return 0;
	err = target_maps__read(pid, &maps);
	if (err == -ESRCH)	/* a kernel thread, a zombie, or it has ended meanwhile */
		return 0;
	if (err == -ENOMEM)
		return err;
	if (err) {
		survey->nunreadable++;
		return 0;
	}
	err = array__make_room(&survey->processes, survey->nprocesses, sizeof(*process));
	if (!err) {
		process = &survey->processes[survey->nprocesses++];
		*process = (struct surveyed){ .pid = pid };
		target__comm(pid, process->comm);
		err = look_at_maps(surveyor, process, &maps);
	}
	target_maps__free(&maps);
	return err;
}

static int look_at_all(struct surveyor *surveyor)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int err = 0;

	if (!proc)
		return -errno;
	while (!err && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			err = look_at_process(surveyor, atoi(entry->d_name));
	closedir(proc);
	return err;
}

int survey__take(struct survey *survey, const pid_t *pids, size_t npids)
{
	struct surveyor surveyor = { .survey = survey };
	uint64_t left_ns = SIGNS_NS;
	int err = 0;

	*survey = (struct survey){};
	for (size_t i = 0; !err && i < npids; i++)
		err = look_at_process(&surveyor, pids[i]);
	/* Files are searched for them, which takes too long for all processes. */
	for (size_t i = 0; npids && i < survey->nprocesses; i++)
		survey->processes[i].signs = signs__explain(survey->processes[i].pid, &left_ns);
	if (!npids)
		err = look_at_all(&surveyor);
	free(surveyor.seen);
	return err;
}

void survey__free(struct survey *survey)
{
	for (size_t i = 0; i < survey->ncarriers; i++) {
		probes__free(&survey->carriers[i].probes);
		free(survey->carriers[i].path);
	}
	for (size_t i = 0; i < survey->nprocesses; i++) {
		free(survey->processes[i].items);
		free(survey->processes[i].signs);
	}
	free(survey->carriers);
	free(survey->processes);
	*survey = (struct survey){};
}
