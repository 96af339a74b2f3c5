#!/bin/sh
# vuln.sh GOVULNCHECK: known vulnerabilities in what is called. Where the
# database can't be reached nothing is known, and that is what is said.
set -u
out=$("$1" -tags endtoend ./... 2>&1)
status=$?
printf '%s\n' "$out"
if [ "$status" -eq 1 ] && printf '%s' "$out" | grep -q 'fetching vulnerabilities: .*\(dial tcp\|no such host\|timeout\|refused\|unreachable\)'; then
	echo "lane: vulnerabilities: not checked (the database could not be reached)"
	exit 0
fi
[ "$status" -eq 0 ] && echo "lane: vulnerabilities: none known"
exit "$status"
