#!/usr/bin/env bash
# Tests world.sh and netns_hosts.sh themselves: nothing of a world outlives it, however it ends. Skipped aloud (77) as they are.
set -u
lab=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
# The processes of our worlds carry this variable; this shell's own environment, as the kernel shows it, does not.
token=WORLD_TEST_TOKEN=$$.$RANDOM
world() { exec env "$token" "$lab/world.sh" "$@"; }
nothing_left() {  # WHAT
  for _ in $(seq 50); do
    mapfile -t left < <(grep -lszxF -- "$token" /proc/[0-9]*/environ 2>/dev/null)
    [ "${#left[@]}" -eq 0 ] && break
    sleep 0.1
  done
  [ "${#left[@]}" -eq 0 ] || fail "$1: processes are left: ${left[*]}"
  ! grep -q "$scratch" /proc/mounts || fail "$1: mounts are left"
  ! ip -o link | grep -qE 'bridge:|veth' || fail "$1: links are left"
}

code=0
"$lab/world.sh" no-such-program:its-package -- true >"$scratch/out" || code=$?
[ "$code" -eq 77 ] || fail "a missing program gives $code, not 77"
[ "$(id -u)" -ne 0 ] || grep -q 'its-package' "$scratch/out" || fail "the missing package is not named"

code=0
"$lab/world.sh" -- true >"$scratch/out" || code=$?
if [ "$code" -eq 77 ]; then cat "$scratch/out"; exit 77; fi

code=0
(world -- bash -c 'setsid sleep 600 & touch /dev/shm/left "$TMPDIR/left"; exit 5') || code=$?
[ "$code" -eq 5 ] || fail "the command's code 5 came out as $code"
[ ! -e /dev/shm/left ] || fail "a file is left in /dev/shm"
nothing_left "after a command's end"
[ -z "$(find "$scratch" -name 'manta-lab.*')" ] || fail "files are left"

for signal in TERM KILL; do
  world -- bash -c "'$lab/netns_hosts.sh' up 2 && '$lab/netns_hosts.sh' run h2 setsid sleep 600 & sleep 600 & wait" &
  world=$!
  for _ in $(seq 100); do ! grep -qsr . "$scratch"/manta-lab.*/hosts/h2 || break; sleep 0.1; done
  kill -"$signal" "$world"
  wait "$world" 2>/dev/null
  nothing_left "after SIG$signal"
done

output=$("$lab/world.sh" -- bash -c "'$lab/netns_hosts.sh' up 3 && for h in h1 h2 h3; do '$lab/netns_hosts.sh' run \$h hostname; done")
[ "$output" = $'h1\nh2\nh3' ] || fail "three hosts say: $output"
[ "$failures" -eq 0 ]
