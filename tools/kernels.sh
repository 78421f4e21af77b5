#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make kernels`: boots the newest kernels of Debian's suites in qemu, with this machine's files as
# their root (read-only, over 9p), and runs system tests there; one line a kernel.
#
#	KERNELS="bookworm"	the suites; downloads are kept in build/kernels
#	TESTS="tests/system"	what pytest is given
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${BUILD:-build}")
cache=$build/kernels
read -ra suites <<<"${KERNELS:-bookworm bookworm-backports trixie-backports}"
quick='entry_points or reallocs or handover-threads or cxx'	# calls, threads, C++
quick+=' or 65536-samples.nofp or maps.nofp-all'	# samples; memory mapped without an allocator
quick+=' or test_selection and test_user'	# of all processes, those of a user
tests=${TESTS:-"tests/system -k \"$quick\""}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
patience=3600		# seconds for a kernel; a boot alone takes 5 to 15

for tool in qemu-system-x86_64 busybox; do
	command -v "$tool" >/dev/null && continue
	echo "$tool is missing: apt-get install qemu-system-x86 busybox-static" >&2
	exit 1
done

# apt-get and apt-cache that know one suite, and nothing of this machine.
of_suite() {	# SUITE PROGRAM ARGUMENT...
	local dir=$cache/apt/$1 program=$2

	shift 2
	"$program" -qq -o Dir::State="$dir" -o Dir::State::status=/dev/null -o Dir::Cache="$dir" \
		-o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=- \
		-o APT::Sandbox::User=root "$@"
}

dependencies() {	# SUITE PACKAGE PATTERN
	of_suite "$1" apt-cache depends "$2" | sed -n 's/^ *Depends: //p' | grep -E "$3" || true
}

# The package of a suite's newest kernel.
newest_image() {	# SUITE
	local dir=$cache/apt/$1

	mkdir -p "$dir/lists/partial" "$dir/archives/partial"
	echo "deb [signed-by=$keyring] http://deb.debian.org/debian $1 main" >"$dir/sources.list"
	of_suite "$1" apt-get update
	dependencies "$1" linux-image-amd64 '^linux-image-[0-9]'
}

# Downloads a kernel and makes vmlinuz and initrd, with what it takes to mount 9p, of it.
prepare() {	# SUITE IMAGE DIRECTORY
	local version=${2#linux-image-} dir=$3 deb module
	local modules=lib/modules/$version/kernel packages

	rm -rf "$dir"
	mkdir -p "$dir"/{debs,all} "$dir"/root/{bin,dev,host,proc,sys}
	# Since Linux 7 there is nothing in the image's package but its dependencies.
	mapfile -t packages < <(echo "$2"; dependencies "$1" "$2" '^linux-(binary|modules)-')
	(cd "$dir/debs" && of_suite "$1" apt-get download "${packages[@]}")
	for deb in "$dir"/debs/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C "$dir/all" --transform 's,^\./usr/lib/,./lib/,'
	done
	for module in drivers/virtio net/9p fs/9p fs/fscache fs/netfs; do
		[ ! -d "$dir/all/$modules/$module" ] ||
			(cd "$dir/all" && cp -r --parents "$modules/$module" ../root)
	done
	find "$dir/root" -name '*.xz' -exec unxz {} +
	busybox depmod -b "$dir/root" "$version"
	cp "$(command -v busybox)" "$dir/root/bin"
	find "$dir/all" -type f -name 'vmlinuz*' -exec cp {} "$dir/vmlinuz" \;
	rm -rf "$dir/all" "$dir/debs"
}

boot() {	# DIRECTORY
	cp tools/kernels/init "$1/root"
	(cd "$1/root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$1/initrd"
	# One thread for both CPUs: with two, the emulation runs breakpoints of the kernel's own
	# code patching after they have gone. What follows "--" are init's arguments.
	timeout -k 5 "$patience" qemu-system-x86_64 -machine q35 -cpu max -smp 2 -m 3G \
		-accel tcg,thread=single -nographic -no-reboot -kernel "$1/vmlinuz" -initrd "$1/initrd" \
		-append "console=ttyS0 quiet panic=-1 oops=panic -- $PWD/tools/kernels/guest.sh $build $tests" \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		</dev/null
}

failed=0
for suite in "${suites[@]}"; do
	image=$(newest_image "$suite")
	dir=$cache/${image#linux-image-}
	[ -e "$dir/vmlinuz" ] || prepare "$suite" "$image" "$dir"
	boot "$dir" >"$dir/log" 2>&1 || true
	result=$(tr -d '\r' <"$dir/log" | sed -n 's/.*result: //p')
	oops=$(grep -a -m 1 -E 'BUG:|Oops|panic' "$dir/log" || true)
	echo "${result:-${image#linux-image-} gave no result}${oops:+; $oops}"
	if ! [[ "$result" == *" passed"* ]] || [[ "$result" == *failed* || -n "$oops" ]]; then
		echo "	see $dir/log"
		failed=1
	fi
done
exit "$failed"
