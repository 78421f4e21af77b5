#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make bare`: the README's first commands and `make test` in a minimal Debian 12 with nothing but apt,
# built for it from the mirror that apt uses here. It clones what is committed. As root.
# With arguments: these commands there, in place of `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
codename=bookworm

# A root of its own in a mount namespace: in a mere chroot(2) the kernel makes no user namespaces
# (kernel/user_namespace.c, current_chrooted()). Processes, cgroups and devices are the machine's.
if [ "${1-}" = --inside ]; then
	root=$2
	mount --bind "$root" "$root"
	cd "$root"
	mount -t proc proc proc
	mount --rbind /sys sys
	mount --rbind /dev dev
	mount -t tmpfs tmpfs run
	mkdir run/machine
	pivot_root . run/machine
	umount -l run/machine
	exec chroot . /usr/bin/env -i HOME=/root TERM="${TERM-dumb}" \
		PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -ec "$3"
fi

# The README's first block for root, who needs no sudo, with our clone in place of the URL.
first_commands() {
	sed -n '/^    /,/^$/{s/^    //p;/^$/q}' README.md |
		sed -E 's/#.*//; s/sudo //g; s,^git clone [^ ]+,git clone -q /memtracebpf.bundle,'
}

command -v debootstrap >/dev/null || {
	echo "make bare needs debootstrap: apt-get install debootstrap" >&2
	exit 1
}
mirror=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Origin: Debian' \
	"Codename: $codename" 'Component: main' | head -1)
[ -n "$mirror" ] || {
	echo "apt knows no mirror of Debian 12 ($codename) here: see sources.list(5)" >&2
	exit 1
}

root=$(mktemp -d /var/tmp/memtracebpf-bare.XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT
chmod 755 "$root"
echo "Building a minimal Debian 12 in $root"
debootstrap --variant=minbase "$codename" "$root" "$mirror" >"$root.log" || {
	tail "$root.log" >&2
	exit 1
}
rm -f "$root.log"
apt-config dump | grep '^Acquire::.*[Pp]roxy ' >"$root/etc/apt/apt.conf.d/99machine" || true
cp /etc/resolv.conf "$root/etc/resolv.conf"
git bundle create --quiet "$root/memtracebpf.bundle" HEAD
unshare --mount --propagation private tools/bare.sh --inside "$root" \
	"cd; set -x; $(first_commands); ${*:-make test}"
