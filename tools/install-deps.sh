#!/usr/bin/env bash
# Installs the Debian packages that Manta's build, tests and examples need and that are missing; what is there stays as
# it is. Works as root or with sudo; else it says what is missing, what for, and the command to run.
set -eu

packages=(
  "g++                 compiles Manta"
  "cmake               configures the build"
  "ninja-build         runs the build"
  "ccache              makes later builds fast"
  "pkg-config          finds libraries"
  "libopenmpi-dev      MPI headers and libraries"
  "openmpi-bin         mpirun"
  "libhwloc-dev        cores, NUMA and GPUs of a machine"
  "libcereal-dev       serialization"
  "libboost-context-dev fibers"
  "libfmt-dev          messages"
  "libgtest-dev        tests"
  "libgmock-dev        tests"
  "libbenchmark-dev    benchmarks"
  "libdlib-dev         random forests of the example"
)

if ! command -v dpkg-query >/dev/null; then
  echo "install-deps: this is not a Debian system; nothing installed. Needed, by their Debian names:"
  printf '  %s\n' "${packages[@]}"
  exit 0
fi

missing=() reasons=()
for line in "${packages[@]}"; do
  read -r name reason <<<"$line"
  if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
    missing+=("$name")
    reasons+=("$name ($reason)")
  fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "install-deps: missing:"
printf '  %s\n' "${reasons[@]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  as_root=(sudo)
  [ -t 0 ] || as_root+=(-n)  # nobody there to type a password
  if ! command -v sudo >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "install-deps: you are neither root nor may use sudo. Have an administrator run:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi
run_apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null; }
run_apt update
if ! run_apt install -y --no-install-recommends "${missing[@]}"; then
  echo "install-deps: apt-get could not install: ${missing[*]} (its reason is above)" >&2
  exit 1
fi
