#!/usr/bin/env bash
# same_seeds_test.sh PROGRAM MPIRUN...: the seeds that PROGRAM prints are the same without mpirun and on 1, 2 and 4 ranks, all
# differ from each other, and are others for another seed of the job.
set -u
program=$1
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$program" >"$scratch/np0" || exit 1
for np in 1 2 4; do
  "$@" -np "$np" "$program" >"$scratch/np$np" || exit 1
  diff "$scratch/np0" "$scratch/np$np" || { echo "the seeds on $np ranks are not those without mpirun"; exit 1; }
done
lines=$(wc -l <"$scratch/np0")
[ "$lines" -eq 64 ] || { echo "expected 64 seeds, found $lines"; exit 1; }
[ "$(sort -u "$scratch/np0" | wc -l)" -eq 64 ] || { echo "some seeds are the same: $(sort "$scratch/np0" | uniq -d)"; exit 1; }

"$program" --manta-seed 7 >"$scratch/seven" || exit 1
[ -z "$(sort "$scratch/np0" "$scratch/seven" | uniq -d)" ] || { echo "--manta-seed changes nothing"; exit 1; }
