#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make demo`: a server of ours that leaks, under load, and memtracebpf attached to it as it runs.
set -euo pipefail
build=${BUILD:-build}
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

children=()
stop() {
	[ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
}
trap stop EXIT

say "A little shop (tools/demo/server.c) starts, and customers come in."
coproc SERVER { exec "$build/demo-server"; }
server=$SERVER_PID
children+=("$server")
read -r port <&"${SERVER[0]}"
"${PYTHON:-/usr/bin/python3}" tools/demo/load.py "$port" &
children+=($!)
echo "It has been running for a while and grows. Which line is it? Without a restart:"

say "\$ sudo memtracebpf -p $server --interval 2 --count 3 --top 5"
"$build/memtracebpf" -p "$server" --interval 2 --count 3 --top 5

cat <<'TEXT'

Read the third report. The cache in render_page() is big too, but it comes to rest: its "(+...)"
goes to +0. The items of new_item() grow by the same step in every report: that is the leak.
xmalloc() is passed over as a mere wrapper. Who asks for those items?
TEXT

say "\$ sudo memtracebpf -p $server --group-by traceback --top 1 --interval 2 --count 1"
"$build/memtracebpf" -p "$server" --group-by traceback --top 1 --interval 2 --count 1

cat <<'TEXT'

session__start() fills the basket; session__end() frees the user and the session, not the basket.
The server never noticed that it was watched. Now on a program of yours: sudo memtracebpf -p PID
TEXT
