#!/usr/bin/env bash
# pid_namespaces.sh PROGRAM [FLAG...]: runs PROGRAM, one rank, in a PID namespace of its own, as if each rank of a node were a
# container. For Open MPI's mpirun to start, which mistakes ranks of one PID for one process: they get different ones.
exec unshare --pid --fork --mount-proc --kill-child bash -c '
  for ((i = 0; i < 10 * OMPI_COMM_WORLD_RANK; ++i)); do (:); done
  "$@"
  exit $?' pid_namespaces "$@"
