#!/usr/bin/env bash
# spill_end_test.sh PROGRAM MPIRUN...: whatever way a job ends, its spilled objects go from the disk.
set -u
. "$(dirname "$0")/job.sh"
np=${MANTA_TEST_NP:?}
ranks=$((np > 0 ? np : 1))
export MANTA_SPILL_DIR=$scratch/disk
mkdir "$MANTA_SPILL_DIR"
# Files of MPI and of its windows stay where they are when all processes of a job are killed: not in /dev/shm, then.
export OMPI_MCA_btl_vader_backing_directory=$scratch OMPI_MCA_btl_sm_backing_directory=$scratch
settings=(--manta-object-store-bytes 64M --manta-segment memfd)

left() { find "$MANTA_SPILL_DIR" -mindepth 1 -printf '%P '; }
# expect_empty SECONDS WHAT
expect_empty() {
  local _
  for _ in $(seq $(($1 * 10))); do
    [ -z "$(left)" ] && return 0
    sleep 0.1
  done
  fail "$2: left on the disk: $(left)"
}
# ends_with CODES MODE: starts the mode, which ends by itself.
ends_with() {
  start "$np" "$2" "${settings[@]}"
  ends_within 60
  [[ $code =~ ^($1)$ ]] || fail "$2: ended with $code, expected $1"
  expect_empty 5 "$2"
}
# start_waiting: a job that has spilled, and waits.
start_waiting() {
  rm -f "$scratch/pids"
  start "$np" wait "$scratch/pids" "${settings[@]}"
  wait_for_pids "$np"
  [ -n "$(find "$MANTA_SPILL_DIR" -type f)" ] || fail "nothing was spilled"
}

ends_with 0 return
ends_with 3 throw
ends_with '[1-9][0-9]*' throw-elsewhere
ends_with 5 exit

for signal in INT TERM; do
  start_waiting
  kill -"$signal" "${pids[0]}"
  ends_within 5
  expect_empty 5 "SIG$signal to rank 0"
done
for ((victim = 0; victim < ranks; ++victim)); do
  start_waiting
  [ "$victim" -eq 0 ] && saved=$(ls "$MANTA_SPILL_DIR") && cp -a "$MANTA_SPILL_DIR/." "$scratch/saved"
  kill -KILL "${pids[victim]}"
  ends_within 10
  if [ "$ranks" -gt 1 ]; then
    expect_empty 5 "SIGKILL to rank $victim"
  else  # nobody is left to clear up
    ends_with 0 return
  fi
done

# All at once, as by a batch system that has lost its patience: the next job clears up.
start_waiting
kill -KILL "$job" "${pids[@]}" 2>/dev/null
ends_within 10
ends_with 0 return

# What an earlier job left goes when the next one starts; what belongs to a living one stays.
cp -a "$scratch/saved/." "$MANTA_SPILL_DIR"
[ -n "$(left)" ] || fail "no stale directory"
start_waiting
for name in $saved; do
  [ -e "$MANTA_SPILL_DIR/$name" ] && fail "the stale directory $name is still there"
done
first=$job first_pids=("${pids[@]}")
before=$(left)
start "$np" return "${settings[@]}"
pids=()
ends_within 60
[ "$code" -eq 0 ] || fail "the second job ended with $code"
[ "$(left)" = "$before" ] || fail "another job changed the directory of a living one: $before, now $(left)"
rm "$scratch/pids"
job=$first pids=("${first_pids[@]}")
ends_within 60
[ "$code" -eq 0 ] || fail "the first job ended with $code: its objects were taken away"
expect_empty 5 "two jobs"
