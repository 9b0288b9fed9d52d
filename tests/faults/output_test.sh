#!/usr/bin/env bash
# output_test.sh PROGRAM MPIRUN...: stdout is the program's alone, whole lines from all ranks; ours are on stderr.
set -u
. "$(dirname "$0")/job.sh"
pids=()

expect_output() {  # expect_output WHAT EXPECTED: the lines of stdout, in any order
  diff <(sort "$scratch/out") <(printf '%s\n' "$2" | sort) || fail "$1: stdout is not what was expected"
}

for np in 0 1 2 4; do
  ranks=$((np > 0 ? np : 1))
  expected="the driver speaks" tagged="the driver speaks"
  for rank in $(seq 0 $((ranks - 1))); do
    expected+=$'\n'"rank $rank speaks"
    tagged+=$'\n'"[r$rank Speak] rank $rank speaks"
  done

  start "$np" speaks && ends_within 20
  expect_output "np $np" "$expected"
  [ "$(grep -c . "$scratch/err")" -ge 1 ] || fail "np $np: no line at start"
  head -n 1 "$scratch/err" | grep -qE "\b$ranks rank" || fail "np $np: the line at start does not say how many ranks there are"

  start "$np" speaks --manta-quiet && ends_within 20
  expect_output "np $np --manta-quiet" "$expected"

  start "$np" speaks --manta-tag-output && ends_within 20
  sed -i 's/^\[r0\] the driver/the driver/' "$scratch/out"  # the driver's own lines may be tagged with its rank alone
  expect_output "np $np --manta-tag-output" "$tagged"
done
start 1 speaks --manta-quiet && ends_within 20
[ "$(grep -c . "$scratch/err")" -eq 0 ] || fail "--manta-quiet: something is on stderr"
