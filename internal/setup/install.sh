#!/bin/sh
# install.sh SET: what `make SET` needs from Debian, SET being demo, test or check.
#
# It looks first: when nothing is missing it says nothing, needs no network and
# takes a fraction of a second. Otherwise it installs what is missing, as root
# or by a sudo that asks no password; with neither it prints the one line that
# does it and exits 2. No service is started, and nothing but the packages is
# left behind.
set -eu

demo='gcc libc6-dev pkg-config libpocketsphinx-dev pocketsphinx-en-us flite1-dev'
test="$demo pocketsphinx-testdata asterisk-core-sounds-en-wav flite espeak-ng sip-tester baresip-core ffmpeg sox strace gdb procps"
check="$test"

case "${1:-}" in
demo) wanted=$demo ;;
test) wanted=$test ;;
check) wanted=$check ;;
*)
	echo "usage: install.sh demo|test|check" >&2
	exit 2
	;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "lethe: this is not a Debian system. Install the equivalents of: $wanted" >&2
	exit 2
fi

# missing prints those of its arguments that are not installed.
missing() {
	have=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null || true)
	for package in "$@"; do
		printf '%s\n' "$have" | grep -qx "$package installed" || printf '%s ' "$package"
	done
}

# shellcheck disable=SC2086 # the sets are lists of words
need=$(missing $wanted)
need=${need% }
[ -n "$need" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
		exec sudo -n sh "$0" "$1"
	fi
	echo "lethe: packages are missing, and this user may not install them. Run:" >&2
	echo "  sudo apt-get install --no-install-recommends $need" >&2
	exit 2
fi

# Debian asks policy-rc.d before it starts a service (invoke-rc.d(8)); 101 is
# "not allowed". What was there before is put back, also if an earlier run was
# killed before it could do so.
policy="${LETHE_SYSROOT:-}/usr/sbin/policy-rc.d"
kept="$policy.lethe-kept"
log=$(mktemp)
finish() {
	status=$?
	trap - EXIT
	rm -f "$log" "$policy" || status=1
	if [ -e "$kept" ] && ! mv "$kept" "$policy"; then status=1; fi
	exit "$status"
}
if [ -e "$policy" ] && [ ! -e "$kept" ]; then mv "$policy" "$kept"; fi
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

echo "lethe: installing $need"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
get() {
	# shellcheck disable=SC2086
	apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install --no-install-recommends $need >>"$log" 2>&1
}
if ! get; then
	# The lists may be old, or absent as on a fresh machine.
	if ! apt-get -qq update >>"$log" 2>&1 || ! get; then
		tail -n 20 "$log" >&2
		echo "lethe: apt-get could not install: $need" >&2
		exit 1
	fi
fi
