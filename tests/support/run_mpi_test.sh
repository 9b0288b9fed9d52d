#!/usr/bin/env bash
# Runs one MPI test: run_mpi_test.sh [--timeout S] [--exit CODE] [--expect REGEX] [--reject REGEX] -- COMMAND...
# The command must end within S seconds (60) with CODE (0); its output must hold a line that --expect matches and none
# that --reject does. It fails the test, with their names, if processes of the command or files it made in /dev/shm are
# still there shortly after its end; such processes are killed.
set -u

time_limit=60 want_exit=0 expect='' reject=''
while [ $# -gt 0 ]; do
  case "$1" in
    --timeout) time_limit=$2; shift 2 ;;
    --exit) want_exit=$2; shift 2 ;;
    --expect) expect=$2; shift 2 ;;
    --reject) reject=$2; shift 2 ;;
    --) shift; break ;;
    *) echo "run_mpi_test: unknown flag '$1'" >&2; exit 2 ;;
  esac
done
[ $# -gt 0 ] || { echo "run_mpi_test: no command" >&2; exit 2; }

# Every process of the run inherits this, through mpirun and its daemons; a daemon that lost its parents still has it.
token="RUN_MPI_TEST_TOKEN=$$.$(date +%s%N)"
shm=${RUN_MPI_TEST_SHM:-/dev/shm}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

processes() {  # pids that carry the token, zombies left out (their environment is empty)
  grep -lszxF -- "$token" /proc/[0-9]*/environ 2>/dev/null | sed 's|/proc/\([0-9]*\)/environ|\1|'
}
unused_new_files() {  # files of /dev/shm that came with the run and that no living process maps or holds open
  find "$shm" -xdev -type f 2>/dev/null | sort | comm -13 "$scratch/before" - |
    while read -r file; do
      # RUN_MPI_TEST_IGNORE: names that a bare MPI program leaves too, so that they are not ours to answer for.
      [ -n "${RUN_MPI_TEST_IGNORE:-}" ] && [[ $(basename "$file") =~ $RUN_MPI_TEST_IGNORE ]] && continue
      grep -qsF -- "$file" /proc/[0-9]*/maps && continue
      find /proc/[0-9]*/fd -lname "$file" 2>/dev/null | grep -q . && continue
      printf '%s\n' "$file"
    done
}
left_after_grace() {  # prints what the function $1 names, once it named something for 3 s
  local left
  for _ in $(seq 30); do
    left=$("$1")
    [ -n "$left" ] || return 0
    sleep 0.1
  done
  printf '%s\n' "$left"
}

find "$shm" -xdev -type f 2>/dev/null | sort >"$scratch/before"
# MPI keeps what it allocated until the end: leaks are looked for in the unit tests.
env "$token" GTEST_COLOR=no ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}" \
  timeout -k 5 "$time_limit" "$@" </dev/null >"$scratch/output" 2>&1
code=$?
cat "$scratch/output"

status=0
fail() { printf 'run_mpi_test: %s\n' "$*"; status=1; }
if [ "$code" -eq 124 ] || [ "$code" -eq 137 ] && [ "$want_exit" != "$code" ]; then
  fail "ended with $code: still running after $time_limit s, or killed"
elif [ "$code" -ne "$want_exit" ]; then
  fail "ended with $code, expected $want_exit"
fi
if [ -n "$expect" ] && ! grep -qE -- "$expect" "$scratch/output"; then
  fail "no line of the output matches '$expect'"
fi
if [ -n "$reject" ] && grep -qE -- "$reject" "$scratch/output"; then
  fail "a line of the output matches '$reject'"
fi

for pid in $(left_after_grace processes); do
  fail "process left: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
  kill -KILL "$pid" 2>/dev/null
done
for file in $(left_after_grace unused_new_files); do
  fail "shared memory left: $file ($(stat -c '%s bytes' "$file" 2>/dev/null))"
  rm -f "$file"
done
exit "$status"
