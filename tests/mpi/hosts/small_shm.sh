#!/usr/bin/env bash
# small_shm.sh SIZE COMMAND...: runs COMMAND where /dev/shm is a tmpfs of its own of that size, as in a container.
# Skipped aloud (77) where this machine gives no mount namespace.
set -u
size=$1
shift
if [ "$(id -u)" -ne 0 ]; then echo "skipped: a small /dev/shm of its own needs root"; exit 77; fi
if ! refused=$(unshare --mount mount -t tmpfs -o "size=$size" tmpfs /dev/shm 2>&1); then
  echo "skipped: this machine gives no mount namespace: $refused"
  exit 77
fi
exec unshare --mount sh -c 'mount -t tmpfs -o "size=$1" tmpfs /dev/shm && shift && exec "$@"' small_shm "$size" "$@"
