#!/usr/bin/env bash
# world.sh NEEDED[:PACKAGE]... -- COMMAND...: runs COMMAND as root of a world of its own on this machine, for labs that need
# networks, daemons and mounts. The world has its own network (loopback alone), host name (head), PIDs, IPC, mounts and
# /dev/shm; its files are in $LAB_DIR, TMPDIR included. At COMMAND's end, or when this script is killed, the kernel ends
# whatever still runs there and drops its mounts and links; then $LAB_DIR is removed. Nothing of it is seen from outside.
#
# Ends with COMMAND's code, or, aloud, with 77 (skipped) when this is not root, a NEEDED program is missing (PACKAGE is the
# Debian package to name, if it is called otherwise) or the machine does not let us have namespaces.
set -u

skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" -eq 0 ] || skip "namespaces and daemons of its own need root"
missing=()
while [ "${1:?no command}" != -- ]; do
  command -v "${1%%:*}" >/dev/null || missing+=("${1#*:}")
  shift
done
shift
for program in ip:iproute2 unshare:util-linux nsenter:util-linux setpriv:util-linux pgrep:procps mount:mount; do
  command -v "${program%%:*}" >/dev/null || missing+=("${program#*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  skip "packages are missing: apt-get install --no-install-recommends ${missing[*]}"
fi

world=(unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc)
if ! refused=$("${world[@]}" sh -c 'mount -t tmpfs tmpfs /dev/shm && ip link add lab type bridge' 2>&1); then
  skip "this machine gives no namespaces with a network: $refused"
fi

LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/manta-lab.XXXXXX") || exit 1
export LAB_DIR
trap 'rm -rf "$LAB_DIR"' EXIT
mkdir "$LAB_DIR/tmp"
# Killed with this script: the first process of the world takes no signal but KILL, and all others go with it.
TMPDIR=$LAB_DIR/tmp setpriv --pdeathsig KILL "${world[@]}" bash -c '
  hostname head && ip link set lo up && mount -t tmpfs -o size=2g tmpfs /dev/shm || exit 1
  "$@"' world "$@" </dev/null &
child=$!
trap 'kill -KILL $child; wait $child 2>/dev/null; exit 143' TERM INT HUP
wait $child
