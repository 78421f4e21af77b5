#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs in the kernel under test, on the host's files: guest.sh BUILD PYTEST-ARGUMENT...
export BUILD=$1
shift
cd "$(dirname "$0")/../.." || exit

said=$("$BUILD/memtracebpf" -v -p $$ --count 1 --interval 0.1 2>&1)
means=$(sed -n 's/.* probed by //p' <<<"$said" | head -1)
if [ -z "$means" ]; then
	"$BUILD/memtracebpf" -vv -p $$ --count 1 --interval 0.1 2>&1 | tail -40
	printf 'result: %-24s %s\n' "$(uname -r)" "$(grep '^memtracebpf:' <<<"$said")"
	exit
fi
log=$(mktemp)
/usr/bin/python3 -B -m pytest -v --color=no --tb=short -p no:cacheprovider "$@" | tee "$log"
printf 'result: %-24s %-16s %s\n' "$(uname -r)" "$means" "$(tail -1 "$log" | tr -d =)"
