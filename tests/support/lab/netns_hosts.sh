#!/usr/bin/env bash
# Several hosts on one machine, inside a world of world.sh: each has its own network, host name, PIDs, IPC, mounts and
# /dev/shm, and all are joined by one bridge, over which MPI talks TCP. They share the other files, so programs are found.
#   netns_hosts.sh up [N=2]             makes hosts h1..hN, addresses 10.77.0.11...
#   netns_hosts.sh run HOST COMMAND...  runs a command on a host
#   netns_hosts.sh mpirun ARGUMENT...   mpirun on h1 over all hosts, $SLOTS (2) ranks each; $MPIRUN (mpirun) is the launcher
# They end with the world.
set -euo pipefail
self=$(readlink -f "${BASH_SOURCE[0]}")
die() { echo "netns_hosts: $*" >&2; exit 1; }
hosts=${LAB_DIR:?run this in world.sh}/hosts
address() { echo "10.77.0.$((10 + ${1#h}))"; }
pid_of() { cat "$hosts/$1" 2>/dev/null || die "no host $1"; }
enter() {  # HOST COMMAND...
  local pid
  pid=$(pid_of "$1")
  shift
  exec nsenter -t "$pid" -n -u -i -m -p -- "$@"
}
names() { (cd "$hosts" && printf '%s\n' h*) | sort -V; }
# retry TENTHS COMMAND...: until it succeeds.
retry() {
  local tenths=$1
  shift
  for _ in $(seq "$tenths"); do
    "$@" 2>/dev/null && return 0
    sleep 0.1
  done
  return 1
}

is_ready() {  # HOST, whose holder's parent is $2
  local pid
  pid=$(pgrep -P "$2") && nsenter -t "$pid" -m grep -q " $1\$" /etc/hosts && [ "$(nsenter -t "$pid" -u hostname)" = "$1" ] &&
    echo "$pid" >"$hosts/$1"
}
start_host() {
  local host=$1 number=${1#h} pid
  # The holder is PID 1 of the host: when it dies, the host does.
  setsid unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc bash -c "
    hostname $host
    mount -t tmpfs -o size=2g tmpfs /dev/shm
    mount --bind '$LAB_DIR/etc-hosts' /etc/hosts
    ip link set lo up
    while :; do sleep 3600 & wait \$! || true; done" </dev/null >/dev/null 2>&1 &
  retry 100 is_ready "$host" $! || die "$host did not start"
  pid=$(pid_of "$host")
  # The hosts share TMPDIR, where launchers name files by pid: keep the pids of different hosts apart.
  nsenter -t "$pid" -m -p sh -c "echo $((number % 8 * 3500 + 300)) >/proc/sys/kernel/ns_last_pid"
  ip link add "veth$number" type veth peer name eth0 netns "$pid"
  ip link set "veth$number" master bridge up
  # No IPv6: its addresses are tentative for some seconds. A kernel without it has no such file.
  nsenter -t "$pid" -n sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6' 2>/dev/null || true
  nsenter -t "$pid" -n ip address add "$(address "$host")/24" dev eth0
  nsenter -t "$pid" -n ip link set eth0 up
}
# A new port of a bridge takes a moment to forward: what is reached says "refused".
reaches() {  # HOST ADDRESS
  local answer
  answer=$(timeout 1 nsenter -t "$(pid_of "$1")" -n bash -c "exec 3<>/dev/tcp/$2/9" 2>&1) || [[ $answer == *refused* ]]
}

up() {
  local count=${1:-2} number host to
  mkdir "$hosts" || die "the hosts are up already"
  ip link add bridge type bridge
  ip link set bridge up
  ip address add 10.77.0.1/24 dev bridge
  { echo "127.0.0.1 localhost"; echo "10.77.0.1 head"; } >"$LAB_DIR/etc-hosts"
  for number in $(seq "$count"); do echo "$(address "h$number") h$number"; done >>"$LAB_DIR/etc-hosts"
  for number in $(seq "$count"); do start_host "h$number"; done
  for host in $(names); do
    for to in 10.77.0.1 "$(address h1)" "$(address "h$count")"; do
      retry 40 reaches "$host" "$to" || die "$host can't reach $to"
    done
  done
}

run_mpi() {
  local launcher=${MPIRUN:-mpirun} agent=$LAB_DIR/agent pid list
  # Launchers start their daemons with a kind of rsh. It must be called from outside of the hosts, which do not see each other's
  # processes: so mpirun stays in the world and takes only the network and the name of h1.
  printf '#!/bin/sh\nexec %s agent "$@"\n' "$self" >"$agent"
  chmod +x "$agent"
  list=$(names | sed "s/\$/:${SLOTS:-2}/" | paste -sd,)
  pid=$(pid_of h1)
  case $("$launcher" --version 2>&1 | head -n 1) in
    *"Open MPI) 4"* | *"OpenRTE) 4"*) set -- --mca plm_rsh_agent "$agent" --mca orte_keep_fqdn_hostnames 0 --host "$list" "$@" ;;
    *"Open MPI) 5"*) set -- --prtemca plm_ssh_agent "$agent" --host "$list" "$@" ;;
    *) die "neither Open MPI 4 nor 5: $launcher" ;;
  esac
  exec nsenter -t "$pid" -n -u -- "$(command -v "$launcher")" "$@"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
  up) up "$@" ;;
  run) enter "$@" ;;
  agent)  # like rsh: flags, host, command line
    while [ "${1#-}" != "$1" ]; do shift; done
    host=$1
    shift
    enter "$host" /bin/sh -c "$*"
    ;;
  mpirun) run_mpi "$@" ;;
  *)
    sed -n '2,8p' "$self"
    exit 2
    ;;
esac
