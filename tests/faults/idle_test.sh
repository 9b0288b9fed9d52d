#!/usr/bin/env bash
# idle_test.sh PROGRAM MPIRUN...: from two seconds after its last work on, an idle rank takes less than 3 % of a core.
set -u
. "$(dirname "$0")/job.sh"

ticks() {  # CPU time of a process and its threads, in clock ticks: utime and stime of proc(5)
  local stat
  stat=$(cat "/proc/$1/stat") || fail "rank with pid $1 is gone"
  # shellcheck disable=SC2086  # into its words
  set -- ${stat##*) }
  echo $((${12} + ${13}))
}
limit=$(($(getconf CLK_TCK) * 3 * 3 / 100))  # 3 % of 3 s

for np in 0 1 2 4; do
  for mode in idle-in-get idle-outside idle-beside-lane; do
    rm -f "$scratch/pids"
    start "$np" "$mode" "$scratch/pids"
    wait_for_pids "$np"
    sleep 2
    before=()
    for pid in "${pids[@]}"; do before+=("$(ticks "$pid")"); done
    sleep 3
    for rank in "${!pids[@]}"; do
      used=$(($(ticks "${pids[$rank]}") - before[rank]))
      echo "$mode, np $np, rank $rank: $used ticks in 3 s (at most $limit)"
      [ "$used" -le "$limit" ] || fail "$mode, np $np: rank $rank is not idle"
    done
    ends_within 20
    [ "$code" -eq 0 ] || fail "$mode, np $np: ended with $code"
  done
done
