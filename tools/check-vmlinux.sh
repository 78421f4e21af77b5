#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Compares the kernel structs that vmlinux/*/vmlinux.h declares with the running kernel's BTF: each
# member must be there under the same name with the same type. Exits with 1 where one is not.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin
header=vmlinux/$(uname -m)/vmlinux.h
btf=${1:-/sys/kernel/btf/vmlinux}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

mapfile -t structs < <(sed -n '/attribute push/,/attribute pop/s/^struct \(\w*\) {$/\1/p' "$header")
[ ${#structs[@]} -gt 0 ]

# Ours goes through BTF too, so that bpftool spells both alike.
{
	echo "#include \"$header\""
	for struct in "${structs[@]}"; do
		echo "struct $struct a_$struct;"
	done
} >"$tmp/ours.c"
"${CLANG:-clang}" -g -target bpf -I. -c -o "$tmp/ours.o" "$tmp/ours.c"
bpftool btf dump file "$tmp/ours.o" format c >"$tmp/ours"
bpftool btf dump file "$btf" format c >"$tmp/kernel"

# STRUCT DUMP: a line for each, those of anonymous structs and unions too. gcc and clang name the
# basic types differently; what is const differs between kernels.
members() {
	sed -n "/^struct $1 {\$/,/^}/s/^\t*\([^}]*;\)\$/\1/p" "$2" |
		sed 's/\blong unsigned int\b/unsigned long/; s/^const //' | sort -u
}

failed=0
for struct in "${structs[@]}"; do
	missing=$(comm -23 <(members "$struct" "$tmp/ours") <(members "$struct" "$tmp/kernel"))
	[ -n "$missing" ] || continue
	echo "struct $struct has no: ${missing//$'\n'/ }"
	failed=1
done
[ $failed = 1 ] || echo "$header agrees with $btf"
exit $failed
