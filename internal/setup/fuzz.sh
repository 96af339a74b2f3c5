#!/bin/sh
# fuzz.sh TIME: every fuzz target of the house for TIME each. A target that is
# missing from the list go test gives can't be run, so the list is go's own.
# Without a bound go spends the time on making inputs shorter.
set -eu
time=$1
failed=0
found=0
for folder in $(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do
	for target in $(go test -list '^Fuzz' "$folder" | grep '^Fuzz'); do
		found=$((found + 1))
		if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$folder"; then
			echo "lane: fuzz $folder $target $time: nothing found"
		else
			echo "lane: fuzz $folder $target: FAILED"
			failed=1
		fi
	done
done
[ "$found" -gt 0 ] || { echo "no fuzz target was found" >&2; exit 1; }
exit "$failed"
