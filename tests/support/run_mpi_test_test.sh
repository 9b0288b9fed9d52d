#!/usr/bin/env bash
# Tests run_mpi_test.sh itself, without MPI: what it must let pass and what it must name.
set -u
run="$(cd "$(dirname "$0")" && pwd)/run_mpi_test.sh"
RUN_MPI_TEST_SHM=$(mktemp -d)
export RUN_MPI_TEST_SHM
trap 'rm -rf "$RUN_MPI_TEST_SHM"' EXIT
failures=0

expect() {  # expect CODE REGEX ARGUMENT...: run_mpi_test.sh with the arguments ends with CODE and prints the REGEX
  local code=$1 regex=$2 output found
  shift 2
  output=$("$run" "$@" 2>&1)
  found=$?
  if [ "$found" -ne "$code" ] || ! grep -qE -- "$regex" <<<"$output"; then
    printf '%s\n  expected %s and /%s/, found %s and: %s\n' "$*" "$code" "$regex" "$found" "$output"
    failures=$((failures + 1))
  fi
}

expect 0 hello -- echo hello
expect 1 'ended with 3, expected 0' -- sh -c 'exit 3'
expect 0 '' --exit 3 -- sh -c 'exit 3'
expect 1 'ended with 0, expected 3' --exit 3 -- true
expect 0 '' --expect '^a+$' --reject b -- echo aaa
expect 1 "no line of the output matches 'b'" --expect b -- echo aaa
expect 1 "a line of the output matches 'a'" --reject a -- echo aaa
expect 1 'still running after 1 s' --timeout 1 -- sleep 30
expect 1 'process left: [0-9]+ sleep 31' -- bash -c 'setsid sleep 31 >/dev/null 2>&1 &'
if pgrep -fx 'sleep 31' >/dev/null; then echo 'the process that was left still runs'; failures=$((failures + 1)); fi
expect 0 '' -- bash -c 'setsid sleep 0.5 >/dev/null 2>&1 &'
expect 1 'shared memory left: .*/segment \(5 bytes\)' -- sh -c "echo left >$RUN_MPI_TEST_SHM/segment"
touch "$RUN_MPI_TEST_SHM/from_before"
expect 0 '' -- sh -c "echo used >$RUN_MPI_TEST_SHM/from_before"
expect 0 '' -- sh -c "touch $RUN_MPI_TEST_SHM/removed; rm $RUN_MPI_TEST_SHM/removed"
exec 9>"$RUN_MPI_TEST_SHM/of_another_job.tmp"
expect 0 '' -- sh -c "exec 9>&-; touch $RUN_MPI_TEST_SHM/of_another_job.tmp"
[ "$failures" -eq 0 ]
