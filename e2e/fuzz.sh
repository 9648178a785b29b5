#!/bin/sh
# Runs every fuzz target for a while: FUZZTIME, thirty seconds by default.
set -eu
cd "$(dirname "$0")/.."
git grep -n '^func Fuzz' -- '*_test.go' | sed 's|/[^/]*_test.go:[0-9]*:func \(Fuzz[A-Za-z0-9]*\).*| \1|' |
	while read -r package target; do
		echo "== $package $target"
		go test "./$package" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" -fuzzminimizetime 1x </dev/null
	done
