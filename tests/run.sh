#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `make test`: everything that has been built by it, one after the other; the last line is the sum.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=$(realpath "${BUILD:-build}")
passed=0
failed=0

add() {		# PASSED FAILED
	passed=$((passed + $1))
	failed=$((failed + $2))
}

# A cmocka program: TAP, so that a crash half-way is told from success by its exit status.
run_unit() {
	local tap ok not_ok status

	tap=$(CMOCKA_MESSAGE_OUTPUT=TAP "$1" 2>&1)
	status=$?
	grep '# SKIP' <<<"$tap"		# cmocka: "not ok 6 # SKIP test_rust"; neither passed nor failed
	tap=$(grep -v '# SKIP' <<<"$tap")
	ok=$(grep -c '^ok ' <<<"$tap")
	not_ok=$(grep -c '^not ok ' <<<"$tap")
	[ "$status" = 0 ] || [ "$not_ok" -gt 0 ] || not_ok=1
	[ "$not_ok" = 0 ] || echo "$tap"
	echo "${1##*/}: $ok passed, $not_ok failed"
}

# A fuzz target over its corpus: one test.
run_corpus() {
	local log corpus=${1##*/replay_}

	if log=$("$1" "tests/fuzz/corpus/$corpus/"* 2>&1); then
		tail -1 <<<"$log"
		echo "${1##*/}: 1 passed, 0 failed"
	else
		echo "$log"
		echo "${1##*/}: 0 passed, 1 failed"
	fi
}

run_program() {
	case $1 in
	*/unit/*) run_unit "$1" ;;
	*) run_corpus "$1" ;;
	esac
}

# All of them, as many at once as there are CPUs; what each says stands together.
run_programs() {
	local logs log program

	logs=$(mktemp -d)
	for program in "$build"/sanitize/{unit/test_*,replay_*}; do
		[[ "$program" != *.* && -x "$program" ]] || continue
		[ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n
		log=$logs/${program##*/}
		{ run_program "$program" >"$log" 2>&1; cat "$log"; } &
	done
	wait
	for log in "$logs"/*; do
		add "$(count "$(tail -1 "$log")" passed)" "$(count "$(tail -1 "$log")" failed)"
	done
	rm -rf "$logs"
}

# "12 passed, 1 failed, 2 errors in 3 s"
count() {	# LINE WORD
	grep -oE "[0-9]+ $2" <<<"$1" | grep -oE '[0-9]+' || echo 0
}

# Two at once, but for those that trace the whole machine: tests/system/conftest.py.
run_system() {
	local log status sum bad

	log=$(mktemp)
	BUILD=$build MEMTRACEBPF=$build/memtracebpf "${PYTHON:-/usr/bin/python3}" -m pytest -q -rs -n 2 \
		-p no:cacheprovider tests/oracle tests/system | tee "$log"
	status=${PIPESTATUS[0]}
	sum=$(tail -1 "$log")
	rm -f "$log"
	bad=$(($(count "$sum" failed) + $(count "$sum" error)))
	[ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
	add "$(count "$sum" passed)" "$bad"
}

run_programs
run_system

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
