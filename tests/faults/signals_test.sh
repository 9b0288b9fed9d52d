#!/usr/bin/env bash
# signals_test.sh PROGRAM MPIRUN...: SIGINT and SIGTERM, to the launcher and to rank 0, end the whole job within 5 s; the last
# line on stderr says with which code and why. That nothing is left behind is checked by who runs this.
set -u
. "$(dirname "$0")/job.sh"

# check NP MODE TARGET SIGNAL CODES
check() {
  local np=$1 mode=$2 target=$3 signal=$4 codes=$5
  rm -f "$scratch/pids"
  start "$np" "$mode" "$scratch/pids"
  wait_for_pids "$np"
  if [ "$target" = launcher ]; then kill -"$signal" "$job"; else kill -"$signal" "${pids[0]}"; fi
  ends_within 5
  local what="$mode, $np ranks, $signal to $target"
  [[ $(last_line) =~ ^manta:\ exit\ ($codes)\ \(.+\)$ ]] || fail "$what: the last line is '$(last_line)', expected 'manta: exit $codes (reason)'"
  if [ "$np" -eq 0 ]; then
    [[ $code =~ ^($codes)$ ]] || fail "$what: ended with $code, expected $codes"
  else
    [ "$code" -ne 0 ] || fail "$what: ended with 0"
  fi
  if [ "$mode" = wait-with-handler ]; then
    grep -q "the program's own handler ran" "$scratch/err" || fail "$what: the program's own handler did not run"
  fi
}

case ${MANTA_TEST_NP:?} in
  0)
    check 0 wait rank0 INT 130
    check 0 wait rank0 TERM 143
    check 0 busy rank0 INT 130
    check 0 wait-for-busy rank0 TERM 143
    check 0 wait-with-handler rank0 TERM 143
    ;;
  *)
    # mpirun of Open MPI 4.1 passes Ctrl-C on as SIGTERM.
    for mode in wait wait-for-busy busy; do
      check "$MANTA_TEST_NP" "$mode" launcher INT "130|143"
      check "$MANTA_TEST_NP" "$mode" launcher TERM 143
      check "$MANTA_TEST_NP" "$mode" rank0 INT 130
      check "$MANTA_TEST_NP" "$mode" rank0 TERM 143
    done
    ;;
esac
