#!/usr/bin/env bash
# binaries_test.sh PROGRAM MPIRUN... OTHER_PROGRAM: ranks that start different programs all end within 5 s; both are named.
set -u
other=${*: -1}
. "$(dirname "$0")/job.sh" "${@:1:$#-1}"

for counts in "1 1" "1 3" "2 2"; do
  read -r first second <<<"$counts"
  "${launch[@]}" -np "$first" "$program" work : -np "$second" "$other" >"$scratch/out" 2>"$scratch/err" &
  job=$!
  pids=()
  ends_within 7  # 5, and a start of mpirun
  [ "$code" -ne 0 ] || fail "$counts: ended with 0"
  for name in "$(basename "$program")" "$(basename "$other")"; do
    grep -qF "$name" "$scratch/err" || fail "$counts: $name is not named"
  done
  ! grep -q "driver ran" "$scratch/out" || fail "$counts: the driver ran"
done
