#!/bin/sh
# lane.sh NAME LIMIT COMMAND...: runs one lane of the tests for at most LIMIT
# (as timeout(1) takes it), keeps its output in build/lanes/NAME.log, and prints
# one line with its result and its time. A lane that fails shows its log's end.
# With LANE_SHOW=1 the output is shown as it comes.
set -u
name=$1
limit=$2
shift 2
mkdir -p build/lanes
log=build/lanes/$name.log
began=$(date +%s)
timeout --kill-after=20s "$limit" "$@" >"$log" 2>&1 &
lane=$!
if [ -n "${LANE_SHOW:-}" ]; then tail -n +1 -f --pid="$lane" "$log"; fi
wait "$lane"
status=$?
took=$(($(date +%s) - began))
if [ "$status" -eq 0 ]; then
	printf 'ok    %-14s %4ds of %s\n' "$name" "$took" "$limit"
	# What a lane wants to be seen even when it passes begins with "lane: ".
	[ -n "${LANE_SHOW:-}" ] || sed -n 's/^.*lane: /      /p' "$log"
	exit 0
fi
case "$status" in
124 | 137) why="over its limit of $limit" ;;
*) why="exit $status" ;;
esac
printf 'FAIL  %-14s %4ds  %s; the whole of it is in %s\n' "$name" "$took" "$why" "$log"
grep -E -a -A 12 '^(--- FAIL|FAIL|panic:|fatal error:|#|.*DATA RACE)' "$log" | head -n 80
echo "      the last lines:"
tail -n 25 "$log"
exit 1
