#!/usr/bin/env bash
# Runs what only a GPU can show, from a build tree that was made elsewhere: needs bash, mpirun and a GPU, and neither
# cmake, a compiler nor the toolkit.
#   tests/gpu/run.sh BUILD_TREE         (of preset cuda or release: its tests/ and examples/ folders)
# Prints date, machine, device and driver first, so that the output can be kept as it is. Ends with 0 when all passed, 1
# when one failed, 77 where there is no GPU, 2 when it is called wrongly. MPIRUN names another mpirun and its flags.
set -u

build=${1:-}
if [ $# -ne 1 ] || [ ! -x "$build/tests/gpu.device_backend" ]; then
  echo "usage: $0 BUILD_TREE   ('$build' has no tests/gpu.device_backend)" >&2
  exit 2
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
read -ra mpirun <<<"${MPIRUN:-mpirun --oversubscribe --bind-to none}"

date -u '+date      %Y-%m-%d %H:%M UTC'
echo "processor $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
echo "kernel    $(uname -r)"
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,driver_version,memory.total,uuid --format=csv,noheader | sed 's/^/device    /'
fi
echo "mpirun    $("${mpirun[0]}" --version 2>&1 | head -n 1)"

output=$(mktemp)
trap 'rm -f "$output"' EXIT
failed=0
# run NAME REGEX COMMAND...: passes when the command ends with 0 within 5 minutes and prints no line that REGEX matches.
run() {
  local name=$1 reject=$2 status
  shift 2
  echo "---- $name"
  timeout -k 5 300 "$@" >"$output" 2>&1
  status=$?
  cat "$output"
  if [ $status -eq 0 ] && ! grep -qE -- "$reject" "$output"; then
    echo "passed: $name"
  else
    echo "FAILED: $name (status $status)"
    failed=1
  fi
}

# The first test alone tells whether there is a device.
probe=$("$build/tests/gpu.device_backend" --gtest_filter='*ListsDevices*/cuda' 2>&1)
if grep -q 'needs 1 CUDA device' <<<"$probe"; then
  echo "skipped: $(grep -m 1 'needs 1 CUDA device' <<<"$probe")"
  exit 77
fi

run 'conformance of the CUDA backend' 'FAILED|needs 1 CUDA device' \
  "$build/tests/gpu.device_backend" --gtest_filter='*/cuda'
for np in 1 2; do
  run "saxpy on half a GPU, np $np" 'no GPU in this job|WRONG' \
    "${mpirun[@]}" -np $np "$build/examples/saxpy_half_gpu"
done
exit $failed
