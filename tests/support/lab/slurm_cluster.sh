#!/usr/bin/env bash
# slurm_cluster.sh [NODES=2] [CPUS=2] [GPUS=2]: starts a real Slurm cluster inside a world of world.sh: own munge, slurmctld on the
# head, and one slurmd on each host of netns_hosts.sh (which it starts). GPUs are counted, and are none: each device file is a
# null device. Then `SLURM_CONF=$LAB_DIR/slurm/slurm.conf sbatch ...` works. All of it ends with the world.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
nodes=${1:-2} cpus=${2:-2} gpus=${3:-2}
dir=${LAB_DIR:?run this in world.sh}/slurm
export SLURM_CONF=$dir/slurm.conf
ended() {
  local code=$?
  [ "$code" -eq 0 ] || { echo "slurm_cluster: could not start; its logs end with" >&2; tail -n 5 "$dir"/log/*.log >&2 || true; }
  exit "$code"
}
trap ended EXIT

mkdir -p "$dir"/{log,run,state,gpu,munge,pmix}
chmod 755 "$dir" "$dir/munge"
"$here/netns_hosts.sh" up "$nodes"

dd if=/dev/urandom of="$dir/munge.key" bs=128 count=1 status=none
chmod 400 "$dir/munge.key"
munged --force --key-file="$dir/munge.key" --socket="$dir/munge/socket" --pid-file="$dir/run/munged.pid" \
  --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed"

memory_mb=$(awk -v nodes="$nodes" '/MemTotal/ { print int($2 / 1024 / nodes * 0.8) }' /proc/meminfo)
gres=''
[ "$gpus" -eq 0 ] || gres="Gres=gpu:$gpus"
{
  cat <<SETTINGS
ClusterName=lab
SlurmctldHost=head(10.77.0.1)
SlurmctldPort=16817
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmctldLogFile=$dir/log/slurmctld.log
StateSaveLocation=$dir/state
SlurmUser=root
SlurmdUser=root
SlurmdPidFile=$dir/run/slurmd-%n.pid
SlurmdLogFile=$dir/log/slurmd-%n.log
SlurmdSpoolDir=$dir/spool-%n
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# As many CPUs as we say, whatever the machine has.
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=30
InactiveLimit=0
KillWait=5
# Other tests use the machine too.
MessageTimeout=60
SchedulerType=sched/backfill
# Jobs start when they come, not seconds later.
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
PartitionName=lab Nodes=h[1-$nodes] Default=YES MaxTime=INFINITE State=UP
SETTINGS
  [ "$gpus" -eq 0 ] || echo "GresTypes=gpu"
  for number in $(seq "$nodes"); do
    echo "NodeName=h$number NodeAddr=10.77.0.$((10 + number)) Port=17000 CPUs=$cpus Boards=1 SocketsPerBoard=1" \
      "CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=$memory_mb $gres"
  done
} >"$SLURM_CONF"
if [ "$gpus" -gt 0 ]; then
  for number in $(seq 0 $((gpus - 1))); do mknod -m 666 "$dir/gpu/nvidia$number" c 1 3; done
  printf 'AutoDetect=off\nName=gpu File=%s Flags=nvidia_gpu_env\n' "$dir/gpu/nvidia[0-$((gpus - 1))]" >"$dir/gres.conf"
fi
# The PMIx plugin's folder has the same name on every host, so each host mounts its own.
echo "PMIxCliTmpDirBase=$dir/pmix" >"$dir/mpi.conf"

slurmctld -f "$SLURM_CONF"
for number in $(seq "$nodes"); do
  mkdir "$dir/spool-h$number"
  "$here/netns_hosts.sh" run "h$number" \
    sh -c "mount -t tmpfs tmpfs '$dir/pmix' && exec slurmd -f '$SLURM_CONF' -N h$number"
done
idle() { sinfo -h -N -o %T 2>/dev/null | grep -c '^idle$' || true; }
for _ in $(seq 120); do
  [ "$(idle)" -ne "$nodes" ] || break
  sleep 0.5
done
sinfo -N -o '%N %T %c CPUs %G'
[ "$(idle)" -eq "$nodes" ]
