#!/bin/sh
# go.sh: is there a Go that can build this? Says what to do when there is not.
set -eu
want=1.26
if ! command -v go >/dev/null 2>&1; then
	echo "lethe: Go $want or newer is needed and none was found. Debian's own is older: take it from https://go.dev/dl/ and put its bin folder into PATH." >&2
	exit 2
fi
have=$(go env GOVERSION 2>/dev/null || true)
oldest=$(printf '%s\n%s\n' "$want" "${have#go}" | sort -V | head -n 1)
if [ -z "$have" ] || [ "$oldest" != "$want" ]; then
	echo "lethe: Go $want or newer is needed; $(command -v go) is ${have:-too old to say}. Debian's own is older: take it from https://go.dev/dl/ and put its bin folder into PATH." >&2
	exit 2
fi
