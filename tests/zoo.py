# SPDX-License-Identifier: GPL-2.0-or-later
"""`make soak`: programs of all kinds live through ZOO_CYCLES (200) times attaching and detaching, to the
whole machine and then by their pids. What each prints and its exit status are those of a run that
nobody traces."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "system"))

from tracing import MEMTRACEBPF, WORKLOADS  # noqa: E402

CYCLES = int(os.environ.get("ZOO_CYCLES", 200))
TIMEOUT = 300

# Each allocates until its input ends, checks itself, prints a line and exits with 7.
PYTHON = """
import sys, threading
def work():
    while not done: assert sum(len(str(i)) for i in range(2000)) == 6890
done = False
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
sys.stdin.read(); done = True
for thread in threads: thread.join()
print("python"); sys.exit(7)
"""
RUBY = """
done = false
work = Thread.new { until done do raise "sum" unless (0...2000).sum { |i| i.to_s.size } == 6890 end }
fiber = Thread.new { until done do
  f = Fiber.new { 50.times { |i| Fiber.yield i.to_s * 100 } }
  50.times { |i| raise "fiber" unless f.resume == i.to_s * 100 }
end }
STDIN.read; done = true; work.join; fiber.join
puts "ruby"; exit 7
"""
NODE = """
let done = false;
process.stdin.on("end", () => { done = true; }).resume();
function work() {
  let n = 0;
  for (let i = 0; i < 2000; i++) n += Buffer.from(String(i)).length;
  if (n !== 6890) process.exit(1);
  if (done) { console.log("node"); process.exitCode = 7; } else setTimeout(work, 1);
}
work();
"""
JAVA = """
public class Zoo {
    static volatile boolean done;
    static void work() {
        while (!done) {
            var buffer = java.nio.ByteBuffer.allocateDirect(1 << 16);
            int n = 0;
            for (int i = 0; i < 2000; i++) n += Integer.toString(i).length();
            if (n != 6890 || buffer.capacity() != 1 << 16) System.exit(1);
        }
    }
    public static void main(String[] args) throws Exception {
        var threads = new Thread[3];
        for (int i = 0; i < 3; i++) (threads[i] = new Thread(Zoo::work)).start();
        while (System.in.read() >= 0);
        done = true;
        for (var thread : threads) thread.join();
        System.out.println("java");
        System.exit(7);
    }
}
"""
GO = """
package main

// #include <stdlib.h>
import "C"
import ("fmt"; "io"; "os"; "sync/atomic"; "sync")

func main() {
	var done atomic.Bool
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for !done.Load() {
				p := C.malloc(100)
				n := 0
				for i := 0; i < 200; i++ { n += len(fmt.Sprint(i)) }
				C.free(p)
				if n != 490 { os.Exit(1) }
			}
		}()
	}
	io.ReadAll(os.Stdin)
	done.Store(true)
	all.Wait()
	fmt.Println("go")
	os.Exit(7)
}
"""
# Every call but these kills it.
FILTER = r"""
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

int main(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(read), ALLOW(write), ALLOW(poll), ALLOW(brk), ALLOW(mmap), ALLOW(munmap),
		ALLOW(mremap), ALLOW(getrandom), ALLOW(exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	struct pollfd input = { .fd = 0, .events = POLLIN };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	while (poll(&input, 1, 0) == 0)
		for (size_t n = 1; n < 1 << 20; n = n * 3 / 2 + 1) {
			char *p = memset(malloc(n), 1, n), *q = realloc(p, 2 * n);

			if (!q || q[n - 1] != 1)
				return 2;
			free(q);
		}
	write(1, "seccomp\n", 8);
	_exit(7);
}
"""
STRICT = r"""
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	void *volatile p;

	free(malloc(1));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 1;
	for (int i = 0; i < 3000000; i++) {
		p = malloc(100 + i % 100);
		free(p);
	}
	write(1, "strict\n", 7);
	syscall(SYS_exit, 7);
}
"""


def build(directory):
    """The programs that stay until their input ends, and those that are run again and again."""
    def source(name, text):
        file = directory / name
        file.write_text(text)
        return file

    def compiled(name, text):
        subprocess.run(["gcc", "-g", "-O1", "-fno-builtin", "-o", directory / name,
                        source(f"{name}.c", text)], check=True)
        return [directory / name]

    stay = {"python": ["python3", source("zoo_work.py", PYTHON)], "ruby": ["ruby", source("zoo.rb", RUBY)],
            "node": ["node", source("zoo.js", NODE)], "java": ["java", source("Zoo.java", JAVA)],
            "seccomp": compiled("filter", FILTER)}
    if shutil.which("go"):
        subprocess.run(["go", "build", "-o", directory / "zoo_go", source("zoo.go", GO)], check=True,
                       env={**os.environ, "GOFLAGS": "-mod=mod", "GOCACHE": str(directory / "cache")})
        stay["go"] = [directory / "zoo_go"]
    again = {"strict": compiled("strict", STRICT),
             # What gdb itself says of libraries depends on a breakpoint that it shares with us.
             "gdb": ["sh", "-c", "gdb -q -nx -batch -ex 'break main' -ex run -ex continue --args "
                     f"{WORKLOADS}/alloc.fp entry_points | grep -Eo '^ready|^[{{].*|exited.*'"],
             "strace": ["strace", "-f", "-qq", "-o", "/dev/null", "python3", "-c", "print('strace')"],
             "git": ["git", "--version"]}
    for program in sorted(WORKLOADS.glob("fibers.*")):
        for way in ("ucontext", "threads", "boost"):
            for order in ("up", "down"):
                if way != "boost" or program.name == "fibers.pool":
                    again[f"{program.name} {way} {order}"] = [program, way, order]
    for programs in (stay, again):
        for name in [name for name, command in programs.items() if not shutil.which(command[0])]:
            print(f"zoo: no {name}: {programs.pop(name)[0]} is not installed", flush=True)
    return stay, again


def end_of(command):
    done = subprocess.run(command, input=b"\n\n\n\n", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=TIMEOUT, check=False)
    return done.returncode, done.stdout


class Again(threading.Thread):
    """Runs a program until told to stop; `wrong` is how it ended when that was not as expected."""

    def __init__(self, name, command, expected):
        super().__init__(daemon=True)
        self.title, self.command, self.expected = name, command, expected
        self.runs, self.wrong, self.done = 0, None, False

    def run(self):
        while not self.done and not self.wrong:
            ended = end_of(self.command)
            self.runs += 1
            if ended != self.expected:
                self.wrong = ended


def attach_and_detach(*options):
    done = subprocess.run([MEMTRACEBPF, "--format", "json", "--top", "1", "--duration", "0.2", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    for line in done.stdout.splitlines():
        killed = json.loads(line)["killed"]
        assert not killed["count"], killed


def live_through(stay, expected, again):
    processes = {name: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                 for name, command in stay.items()}
    for runner in again:
        runner.start()
    try:
        for options in ([], [f"-p{process.pid}" for process in processes.values()]):
            for i in range(CYCLES):
                attach_and_detach(*options)
                died = [name for name, process in processes.items() if process.poll() is not None]
                died += [(runner.title, runner.wrong) for runner in again if runner.wrong]
                assert not died, (i, options, died)
            print(f"zoo: {CYCLES} times {'by pid' if options else 'the machine'}", flush=True)
        for runner in again:
            runner.done = True
        for name, process in processes.items():
            out = process.communicate(timeout=TIMEOUT)[0]
            assert (process.returncode, out) == expected[name], (name, process.returncode, out)
    finally:
        for process in processes.values():
            process.kill()
    for runner in again:
        runner.join()
        assert not runner.wrong, (runner.title, runner.wrong, runner.expected)


def main():
    with tempfile.TemporaryDirectory() as name:
        stay, again = build(pathlib.Path(name))
        expected = {name: end_of(command) for name, command in {**stay, **again}.items()}
        assert all(expected[name] == (7, f"{name}\n".encode()) for name in stay), [
            (name, expected[name]) for name in stay]
        runners = [Again(name, command, expected[name]) for name, command in again.items()]
        live_through(stay, expected, runners)
    print(f"zoo: {len(stay)} programs stayed, {sum(runner.runs for runner in runners)} runs of "
          f"{len(runners)} others, all ended as if nobody had looked")


if __name__ == "__main__":
    main()
