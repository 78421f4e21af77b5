#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what tools/packages.txt lists and the machine lacks; says nothing where it lacks nothing.
# With the argument "build" without what only tests need.
set -euo pipefail
cd "$(dirname "$0")"

[ "${1-}" = build ] && end='/^# To test/q' || end=
mapfile -t wanted < <(sed "$end" packages.txt | grep -v '^#')
missing=()
for package in "${wanted[@]}"; do
	[ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
		missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Installing ${missing[*]}"
if [ "$(id -u)" != 0 ]; then
	echo "These packages are missing and only root can install them: run as root" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Servers among them are for the tests and are not to be started.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
