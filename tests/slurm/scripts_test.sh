#!/usr/bin/env bash
# scripts_test.sh WHERE CALIFORNIA_HOUSING PRETEND_DRIVER_FOLDER: runs the batch scripts of slurm/ on a Slurm of its own, two nodes
# of two CPUs and two GPUs that exist on paper. Skipped aloud (77) where that can't be started.
set -u
here=$(cd "$(dirname "$0")" && pwd)
lab=$here/../support/lab
if [ -z "${LAB_DIR:-}" ]; then
  # Debian's slurmctld brings the plugin for PMIx.
  exec "$lab/world.sh" slurmctld slurmd sbatch:slurm-client srun:slurm-client munged:munge mpirun:openmpi-bin -- "$0" "$@"
fi

where=$1 housing=$2 driver=$3
scripts=$here/../../slurm
export SLURM_CONF=$LAB_DIR/slurm/slurm.conf
"$lab/slurm_cluster.sh" 2 2 2 || exit 1
cd "$LAB_DIR" || exit 1

failures=0
output=''
# submit CODE SBATCH_ARGUMENT...: the job must end with CODE within a minute; its output is in $output.
submit() {
  local want=$1 job state code=none
  shift
  rm -f "$LAB_DIR/out"
  job=$(sbatch --parsable --output="$LAB_DIR/out" "$@") || fail "sbatch refused the job"
  for _ in $(seq 600); do  # sbatch --wait looks every few seconds only
    state=$(scontrol --oneliner show job "$job")
    [[ $state =~ JobState=(PENDING|CONFIGURING|RUNNING|COMPLETING) ]] || break
    sleep 0.1
  done
  [[ $state =~ JobState=(COMPLETED|FAILED)\ .*ExitCode=([0-9]+):0 ]] && code=${BASH_REMATCH[2]}
  output=$(cat "$LAB_DIR/out")
  echo "==== sbatch ${*//$scripts/slurm} -> $code"
  echo "$output"
  [ "$code" = "$want" ] || fail "ended with $code, expected $want ($(grep -oE "(JobState|Reason|ExitCode)=[^ ]*" <<<"$state" | paste -sd' '))"
  [ "$code" != none ] || scancel "$job"
}
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
expect() {  # expect LINE...: each is a whole line of the output
  local line
  for line in "$@"; do grep -qxF -- "$line" <<<"$output" || fail "no line '$line'"; done
}
reject() { ! grep -qE -- "$1" <<<"$output" || fail "a line matches '$1'"; }

# ---- as they are, but for the number of GPUs ----
submit 0 "$scripts/one_node.sbatch" "$where"
expect "node 0: host h1, ranks 0, 2 CPUs, 0 GPUs" "rank 0 is on node 0, host h1"
reject warning

submit 0 "$scripts/many_nodes.sbatch" "$where"
expect "node 0: host h1, ranks 0, 2 CPUs, 0 GPUs" "node 1: host h2, ranks 1, 2 CPUs, 0 GPUs" "rank 1 is on node 1, host h2"
reject warning

two_gpus=(--gpus-per-node=2 --ntasks-per-node=2)
with_gpus=("node 0: host h1, ranks 0 1, 2 CPUs, 2 GPUs" "node 1: host h2, ranks 2 3, 2 CPUs, 2 GPUs"
  "2 halves of a GPU on node 0, index 0" "2 halves of a GPU on node 0, index 1"
  "2 halves of a GPU on node 1, index 0" "2 halves of a GPU on node 1, index 1")
export LD_LIBRARY_PATH=$driver${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
submit 0 "${two_gpus[@]}" "$scripts/multi_gpu.sbatch" "$where"
expect "${with_gpus[@]}"
LAUNCHER=mpirun submit 0 "${two_gpus[@]}" "$scripts/multi_gpu.sbatch" "$where"
expect "${with_gpus[@]}"
unset LD_LIBRARY_PATH

# ---- two ranks a node, and mpirun ----
for launcher in srun mpirun; do
  export LAUNCHER=$launcher
  submit 0 --ntasks-per-node=2 "$scripts/one_node.sbatch" "$where"
  expect "node 0: host h1, ranks 0 1, 2 CPUs, 0 GPUs" "rank 0 is on node 0, host h1" "rank 1 is on node 0, host h1"
  submit 0 --ntasks-per-node=2 "$scripts/many_nodes.sbatch" "$where" --manta-log-level info
  expect "node 0: host h1, ranks 0 1, 2 CPUs, 0 GPUs" "node 1: host h2, ranks 2 3, 2 CPUs, 0 GPUs" \
    "rank 0 is on node 0, host h1" "rank 1 is on node 0, host h1" "rank 2 is on node 1, host h2" "rank 3 is on node 1, host h2"
done
unset LAUNCHER

# ---- the main job: the same digits on one node and on two ----
expected=$("$housing" --sequential --models 2 | grep -E '^n_estimators|^Best' | sed 's/, took.*//' | sort)
for script in one_node many_nodes; do
  submit 0 --ntasks-per-node=2 "$scripts/$script.sbatch" "$housing" --models 2
  [ "$(grep -E '^n_estimators|^Best' <<<"$output" | sed 's/, took.*//' | sort)" = "$expected" ] || fail "not the digits of --sequential"
done

# ---- exit codes come through; what is wrong is said ----
submit 7 "$scripts/many_nodes.sbatch" "$where" 7
submit 2 "$scripts/many_nodes.sbatch" "$where" --manta-rma maybe
grep -q "auto, on, off" <<<"$output" || fail "what is allowed is not said"
LAUNCHER=ssh submit 2 "$scripts/one_node.sbatch" "$where"
expect "LAUNCHER is 'ssh': use srun or mpirun"

# ---- srun without --mpi=pmix starts ranks that do not know each other ----
submit 2 --nodes=2 --ntasks-per-node=2 --wrap "srun '$where'"
grep -q -- "--mpi=pmix" <<<"$output" || fail "--mpi=pmix is not named"
reject '^node 0'

# ---- a batch job of several tasks may run a program without srun: it is alone, and may be ----
submit 0 --nodes=1 --ntasks-per-node=2 --wrap "'$where'"
expect "node 0: host h1, ranks 0, 2 CPUs, 0 GPUs"

# ---- scancel ends a job within 5 s, and nothing is left ----
rm -f "$LAB_DIR/out"
job=$(sbatch --parsable --output="$LAB_DIR/out" "$scripts/many_nodes.sbatch" "$where" 0 60)
for _ in $(seq 200); do ! grep -qs "^rank 1 is" "$LAB_DIR/out" || break; sleep 0.1; done
scancel "$job"
for _ in $(seq 50); do [ -n "$(squeue -h)" ] || break; sleep 0.1; done
output=$(cat "$LAB_DIR/out")
echo "==== scancel"
echo "$output"
grep -q '^rank 1 is' <<<"$output" || fail "the job did not start"
grep -qE '^manta: exit 143 \(.+\)$' <<<"$output" || fail "no line 'manta: exit 143 (reason)'"
[ -z "$(squeue -h)" ] || fail "jobs are left: $(squeue -h)"
for host in h1 h2; do
  left=$("$lab/netns_hosts.sh" run "$host" sh -c 'pgrep -l slurmstepd; pgrep -lf slurm[.]where; find /dev/shm -type f')
  [ -z "$left" ] || fail "left on $host: $left"
done
[ "$failures" -eq 0 ]
