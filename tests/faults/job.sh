# shellcheck shell=bash disable=SC2034
# Sourced by the tests of this folder, with the program as $1 and mpirun with its flags after it.

program=$1
shift
launch=("$@")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "FAILED: $*"
  sed 's/^/  stdout: /' "$scratch/out" 2>/dev/null
  sed 's/^/  stderr: /' "$scratch/err" 2>/dev/null
  exit 1
}

# start NP ARGUMENT...: runs the program in the background, on NP ranks (0: without mpirun); its pid is in $job.
start() {
  local np=$1
  shift
  if [ "$np" -eq 0 ]; then
    "$program" "$@" >"$scratch/out" 2>"$scratch/err" &
  else
    "${launch[@]}" -np "$np" "$program" "$@" >"$scratch/out" 2>"$scratch/err" &
  fi
  job=$!
}

# wait_for_pids NP: until each of NP ranks (0: one process) has written its pid to $scratch/pids; they are in $pids, rank 0 first.
wait_for_pids() {
  local ranks=$(($1 > 0 ? $1 : 1))
  for _ in $(seq 200); do
    mapfile -t pids < <(cat "$scratch/pids" 2>/dev/null)
    [ "${#pids[@]}" -ge "$ranks" ] && return 0
    kill -0 "$job" 2>/dev/null || fail "the job ended before it was ready"
    sleep 0.1
  done
  kill -KILL "$job"
  fail "the job was not ready within 20 s"
}

# ends_within SECONDS: waits for the job; its exit code is in $code. Fails when it, or a rank of $pids, lives longer.
ends_within() {
  local tenths=$(($1 * 10)) pid
  pids=("${pids[@]:-}")
  for _ in $(seq "$tenths"); do
    local living=0
    for pid in "$job" "${pids[@]}"; do
      [ -n "$pid" ] && is_running "$pid" && living=1
    done
    if [ "$living" -eq 0 ]; then
      wait "$job"
      code=$?
      return 0
    fi
    sleep 0.1
  done
  for pid in "$job" "${pids[@]}"; do
    [ -n "$pid" ] && is_running "$pid" && echo "still there: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")" && kill -KILL "$pid"
  done
  fail "the job did not end within $1 s"
}
is_running() {  # a zombie is not
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  [[ ${stat##*) } != Z* ]]
}

# The last line of stderr that is ours; what mpirun says about the end of a job stands between dashes.
last_line() { sed '/^-----/,/^-----/d' "$scratch/err" | grep -v '^$' | tail -n 1; }
