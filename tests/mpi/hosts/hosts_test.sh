#!/usr/bin/env bash
# hosts_test.sh PROGRAM [LAUNCHER]: runs hosts_test.cpp over two hosts of its own, two ranks each, with real TCP between them.
# Skipped aloud (77) where this machine gives no hosts.
set -u
lab=$(cd "$(dirname "$0")/../../support/lab" && pwd)
if [ -z "${LAB_DIR:-}" ]; then exec "$lab/world.sh" "${2:-mpirun}:openmpi-bin" -- "$0" "$@"; fi

export SLOTS=2 MPIRUN=${2:-mpirun}
"$lab/netns_hosts.sh" up 2 || exit 1
timeout -k 5 100 "$lab/netns_hosts.sh" mpirun --bind-to none "$1" || exit 1
# The ring of a node and the network of the job must not differ in what they can do: all of it again through MPI alone.
timeout -k 5 100 "$lab/netns_hosts.sh" mpirun --bind-to none "$1" --manta-transport mpi
