#!/usr/bin/env bash
# small_disk.sh SIZE DIRECTORY COMMAND...: runs COMMAND where DIRECTORY is a disk (a tmpfs) of its own of that size.
# Skipped aloud (77) where this machine gives no mount namespace.
set -u
size=$1 directory=$2
shift 2
if [ "$(id -u)" -ne 0 ]; then echo "skipped: a small disk of its own needs root"; exit 77; fi
if ! refused=$(unshare --mount mount -t tmpfs -o "size=$size" tmpfs "$directory" 2>&1); then
  echo "skipped: this machine gives no mount namespace: $refused"
  exit 77
fi
exec unshare --mount sh -c 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"' small_disk "$size" "$directory" "$@"
