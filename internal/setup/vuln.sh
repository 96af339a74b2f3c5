#!/bin/sh
# vuln.sh GOVULNCHECK: known vulnerabilities in what is called. Where the
# database can't be reached nothing is known, and that is what is said.
set -u
out=$("$1" -tags 'peers endtoend' ./... 2>&1)
status=$?
printf '%s\n' "$out"
if [ "$status" -ne 0 ] && printf '%s' "$out" | grep -q -E 'fetching vulnerabilities|vuln\.go\.dev|dial tcp|no such host|HTTP GET'; then
	echo "lane: vulnerabilities: not checked (the database could not be reached)"
	exit 0
fi
[ "$status" -eq 0 ] && echo "lane: vulnerabilities: none known"
exit "$status"
