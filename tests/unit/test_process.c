// SPDX-License-Identifier: GPL-2.0-or-later
/* Processes: our own and children of ours, of which we know what they are and what they map. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "directory.h"
#include "process/process.h"

/* Runs target__check() with stderr going to `said`. */
static int check(pid_t pid, char said[512])
{
	int saved = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);
	ssize_t n;
	int err;

	assert_true(saved >= 0 && file >= 0);
	fflush(stderr);
	dup2(file, STDERR_FILENO);
	err = target__check(pid);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	n = pread(file, said, 511, 0);
	said[n > 0 ? n : 0] = '\0';
	close(saved);
	close(file);
	return err;
}

/* One sentence that names the process and says what is wrong with it. */
static void check_refused(pid_t pid, int expected, const char *words)
{
	char said[512], number[16];

	assert_int_equal(check(pid, said), expected);
	snprintf(number, sizeof(number), "%d", (int)pid);
	assert_non_null(strstr(said, number));
	assert_non_null(strstr(said, words));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

/* A child that has done `prepare` and waits to be killed. */
static pid_t spawn(void (*prepare)(void))
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prepare)
			prepare();
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_check(void **state)
{
	pid_t pid = spawn(NULL);
	char said[512];
	siginfo_t info;

	assert_int_equal(check(pid, said), 0);
	assert_string_equal(said, "");
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	check_refused(pid, -ECHILD, "is a zombie");
	waitpid(pid, NULL, 0);
	check_refused(pid, -ESRCH, "there is no process");
	check_refused(0, -ESRCH, "there is no process");
	check_refused(-1, -ESRCH, "there is no process");
	check_refused(INT_MAX, -ESRCH, "there is no process");
	check_refused(getpid(), -EINVAL, "memtracebpf itself");
}

static void test_check_kernel_thread(void **state)
{
	char comm[16];

	target__comm(2, comm);
	if (strcmp(comm, "kthreadd"))
		skip();
	check_refused(2, -EINVAL, "is a kernel thread");
}

static pthread_barrier_t barrier;

static void *wait_twice(void *tid)
{
	*(pid_t *)tid = syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void *sleep_on(void *unused)
{
	pause();
	return NULL;
}

/* The first thread leaves the other alone. */
static void leave_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, sleep_on, NULL);
	syscall(SYS_exit, 0);
}

static void test_check_thread(void **state)
{
	char said[512], expected[64];
	pthread_t thread;
	pid_t tid, pid;

	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, wait_twice, &tid), 0);
	pthread_barrier_wait(&barrier);
	/* Our own threads are ourselves ... */
	check_refused(tid, -EINVAL, "memtracebpf itself");
	/* ... and as another process sees it, a thread of ours. */
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		snprintf(expected, sizeof(expected), "%d is a thread of process %d", (int)tid,
			 (int)getppid());
		_exit(check(tid, said) == -EINVAL && strstr(said, expected) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &tid, 0), pid);
	assert_int_equal(tid, 0);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
}

static char state_of(pid_t pid)
{
	char path[64], state = '?';
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	in = fopen(path, "r");
	if (!in || fscanf(in, "%*d (%*[^)]) %c", &state) != 1)
		state = '?';
	if (in)
		fclose(in);
	return state;
}

static void test_check_first_thread_gone(void **state)
{
	struct target_maps maps;
	pid_t pid = fork();
	char said[512];

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		leave_thread();
	}
	while (state_of(pid) != 'Z')
		sched_yield();
	assert_int_equal(check(pid, said), 0);
	assert_string_equal(said, "");
	assert_int_equal(target_maps__read(pid, &maps), 0);
	assert_true(maps.count > 0);
	target_maps__free(&maps);
	end(pid);
}

static void name_badly(void)
{
	prctl(PR_SET_NAME, "a) Z 1\n\033[2J");
}

static void test_comm(void **state)
{
	pid_t pid = spawn(name_badly);
	char comm[16], said[512];

	target__comm(pid, comm);
	assert_string_equal(comm, "a) Z 1??[2J");
	/* It does not look like a zombie for that. */
	assert_int_equal(check(pid, said), 0);
	end(pid);
	target__comm(pid, comm);
	assert_string_equal(comm, "?");
}

static const struct target_mapping *find_mapping(const struct target_maps *maps,
						 const void *address)
{
	for (size_t i = 0; i < maps->count; i++)
		if (maps->items[i].start <= (uintptr_t)address &&
		    (uintptr_t)address < maps->items[i].end)
			return &maps->items[i];
	return NULL;
}

/* Our maps as the dynamic linker knows them. */
static int compare_object(struct dl_phdr_info *info, size_t size, void *data)
{
	const struct target_maps *maps = data;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *phdr = &info->dlpi_phdr[i];
		uintptr_t address = info->dlpi_addr + phdr->p_vaddr;
		const struct target_mapping *mapping;

		if (phdr->p_type != PT_LOAD || !(phdr->p_flags & PF_X))
			continue;
		mapping = find_mapping(maps, (void *)address);
		assert_non_null(mapping);
		assert_true(mapping->executable);
		assert_true(mapping->end >= address + phdr->p_memsz);
		if (info->dlpi_addr + info->dlpi_phdr[0].p_vaddr ==
		    getauxval(AT_SYSINFO_EHDR)) {
			assert_string_equal(mapping->path, "[vdso]");
			assert_int_equal(mapping->inode, 0);
		} else {
			assert_int_equal(address - mapping->start + mapping->offset,
					 phdr->p_offset);
			assert_true(mapping->inode != 0);
		}
	}
	return 0;
}

static void test_maps_of_ourselves(void **state)
{
	struct target_maps maps;

	assert_int_equal(target_maps__read(getpid(), &maps), 0);
	for (size_t i = 0; i < maps.count; i++) {
		assert_true(maps.items[i].start < maps.items[i].end);
		assert_true(!i || maps.items[i - 1].end <= maps.items[i].start);
	}
	dl_iterate_phdr(compare_object, &maps);
	assert_string_equal(find_mapping(&maps, &maps)->path, "[stack]");
	assert_false(find_mapping(&maps, &maps)->executable);
	target_maps__free(&maps);
	target_maps__free(&maps);
}

static void test_maps_of_nobody(void **state)
{
	struct target_maps maps;
	pid_t pid = spawn(NULL);
	siginfo_t info;

	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(target_maps__read(pid, &maps), -ESRCH);
	assert_null(maps.items);
	waitpid(pid, NULL, 0);
	assert_int_equal(target_maps__read(pid, &maps), -ESRCH);
	target_maps__free(&maps);
}

/* Maps the second page of a new file, and fills the file with `fill`. */
static void *map_new_file(int fd, char fill, struct stat *st)
{
	char bytes[8192];
	void *address;

	assert_true(fd >= 0);
	memset(bytes, fill, sizeof(bytes));
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(fstat(fd, st), 0);
	address = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 4096);
	assert_true(address != MAP_FAILED);
	close(fd);
	return address;
}

static int open_new(const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", directory, name);
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* The mapping's file holds `fill`. -errno where it cannot be opened. */
static int read_fill(const struct target_mapping *mapping, char fill)
{
	int fd = target__open_mapping(getpid(), mapping);
	char byte = 0;

	if (fd < 0)
		return fd;
	assert_int_equal(pread(fd, &byte, 1, 4096), 1);
	assert_int_equal(byte, fill);
	assert_int_equal(pread(fd, &byte, 1, 8192), 0);
	close(fd);
	return 0;
}

/* /proc/PID/map_files takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. */
static bool can_read_map_files(void)
{
	return geteuid() == 0;
}

static void test_files(void **state)
{
	static const char *const names[] = {
		"plain", "with space", "  two  spaces ", "line\nbreak\n", "tab\tand\\backslash",
		"(deleted)", "[vdso]",
	};
	const struct target_mapping *mapping;
	struct target_maps maps;
	char path[128];
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *address = map_new_file(open_new(names[i], path), 'a' + i, &st);

		assert_int_equal(target_maps__read(getpid(), &maps), 0);
		mapping = find_mapping(&maps, address);
		assert_non_null(mapping);
		assert_string_equal(mapping->path, path);
		assert_int_equal(mapping->offset, 4096);
		assert_int_equal(mapping->inode, st.st_ino);
		assert_true(mapping->executable);
		assert_int_equal(read_fill(mapping, 'a' + i), 0);
		target_maps__free(&maps);
		munmap(address, 4096);
	}
}

/* A file that is gone, or whose name another file has now: the right one, or none. */
static void test_deleted_file(void **state)
{
	struct target_maps maps;
	const struct target_mapping *mapping;
	char path[128];
	struct stat st, other;
	void *address = map_new_file(open_new("deleted", path), 'd', &st), *new_address;

	assert_int_equal(unlink(path), 0);
	new_address = map_new_file(open_new("deleted", path), 'n', &other);
	assert_int_equal(target_maps__read(getpid(), &maps), 0);
	mapping = find_mapping(&maps, address);
	assert_string_equal(mapping->path, path);
	assert_int_equal(mapping->inode, st.st_ino);
	assert_int_equal(read_fill(mapping, 'd'), can_read_map_files() ? 0 : -ESTALE);
	/* Without map_files (here: no mapping has these addresses) only the name is left. */
	maps.items[mapping - maps.items].start++;
	assert_int_equal(read_fill(mapping, 'd'), -ESTALE);
	mapping = find_mapping(&maps, new_address);
	maps.items[mapping - maps.items].start++;
	assert_int_equal(read_fill(mapping, 'n'), 0);
	target_maps__free(&maps);
	munmap(address, 4096);
	munmap(new_address, 4096);
}

/* Between reading the maps and opening, another file came to lie there. */
static void test_replaced_mapping(void **state)
{
	char path[128], new_path[128];
	struct target_maps maps;
	struct stat st, other;
	void *address = map_new_file(open_new("before", path), 'b', &st);
	int fd = open_new("after", new_path);

	assert_int_equal(target_maps__read(getpid(), &maps), 0);
	assert_ptr_equal(mmap(address, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0), address);
	assert_int_equal(fstat(fd, &other), 0);
	close(fd);
	assert_int_equal(read_fill(find_mapping(&maps, address), 'b'), 0);
	assert_int_equal(unlink(path), 0);
	assert_true(read_fill(find_mapping(&maps, address), 'b') < 0);
	target_maps__free(&maps);
	munmap(address, 4096);
}

/* The name leads to a FIFO by now, as it could to a device: that is not opened to see what it is. */
static void test_name_of_a_fifo(void **state)
{
	char path[128], fifo[128], event[256];
	struct target_mapping mapping;
	struct target_maps maps;
	struct stat st;
	void *address = map_new_file(open_new("taken", path), 't', &st);
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_true(inotify_add_watch(watch, fifo, IN_OPEN) >= 0);
	assert_int_equal(unlink(path), 0);
	/* Both in the process' root and in ours. */
	assert_int_equal(symlink(fifo, path), 0);
	assert_int_equal(target_maps__read(getpid(), &maps), 0);
	mapping = *find_mapping(&maps, address);
	mapping.start++;	/* there is no such link in map_files */
	assert_int_equal(target__open_mapping(getpid(), &mapping), -EINVAL);
	assert_int_equal(read(watch, event, sizeof(event)), -1);
	close(watch);
	target_maps__free(&maps);
	munmap(address, 4096);
}

static void test_memfd_and_anonymous(void **state)
{
	const struct target_mapping *mapping;
	struct target_maps maps;
	struct stat st;
	void *address = map_new_file(memfd_create("jit code", MFD_CLOEXEC), 'm', &st);
	void *anonymous = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(target_maps__read(getpid(), &maps), 0);
	mapping = find_mapping(&maps, address);
	assert_string_equal(mapping->path, "/memfd:jit code");
	assert_int_equal(mapping->inode, st.st_ino);
	assert_int_equal(read_fill(mapping, 'm'), can_read_map_files() ? 0 : -ENOENT);
	mapping = find_mapping(&maps, anonymous);
	assert_string_equal(mapping->path, "");
	assert_true(mapping->executable);
	assert_int_equal(mapping->inode, 0);
	assert_int_equal(target__open_mapping(getpid(), mapping), -ENOENT);
	target_maps__free(&maps);
	munmap(address, 4096);
	munmap(anonymous, 4096);
}

static void check_vdso(pid_t pid)
{
	const void *ours = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct target_maps maps;
	char bytes[4096];
	struct stat st;
	int fd = -1;

	assert_int_equal(target_maps__read(pid, &maps), 0);
	for (size_t i = 0; i < maps.count; i++) {
		if (strcmp(maps.items[i].path, "[vdso]"))
			continue;
		fd = target__open_vdso(pid, &maps.items[i]);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, maps.items[i].end - maps.items[i].start);
	}
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_memory_equal(bytes, ours, sizeof(bytes));
	close(fd);
	target_maps__free(&maps);
}

static void test_vdso(void **state)
{
	struct target_mapping mapping = { .start = 4096, .end = 8192 };
	pid_t pid = spawn(NULL);

	check_vdso(getpid());
	check_vdso(pid);
	/* Nothing is mapped there; far too much of it; nothing at all; nobody to read it from. */
	assert_int_equal(target__open_vdso(getpid(), &mapping), -EIO);
	mapping.end = UINT64_MAX;
	assert_int_equal(target__open_vdso(getpid(), &mapping), -EINVAL);
	mapping.end = mapping.start;
	assert_int_equal(target__open_vdso(getpid(), &mapping), -EINVAL);
	end(pid);
	mapping.end = 8192;
	assert_int_equal(target__open_vdso(pid, &mapping), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_kernel_thread),
		cmocka_unit_test(test_check_thread),
		cmocka_unit_test(test_check_first_thread_gone),
		cmocka_unit_test(test_comm),
		cmocka_unit_test(test_maps_of_ourselves),
		cmocka_unit_test(test_maps_of_nobody),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_deleted_file),
		cmocka_unit_test(test_replaced_mapping),
		cmocka_unit_test(test_name_of_a_fifo),
		cmocka_unit_test(test_memfd_and_anonymous),
		cmocka_unit_test(test_vdso),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
