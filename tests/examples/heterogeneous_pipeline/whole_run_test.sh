#!/usr/bin/env bash
# whole_run_test.sh WELL_FORMED COMMAND...: a small run by COMMAND. Its results must be right and its picture well-formed.
# A batch needs the CPU for half as long as the GPU, on one GPU: one pool can't keep it busy for more than two thirds of
# the time, two stages can. However slow a machine's CPUs are, two stages come out ahead. The bounds leave room for noise.
set -eu

well_formed=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$@" --manta-gpus 1 --batches 24 --cpu-ms 15 --gpu-ms 30 --svg "$folder/timeline.svg" | tee "$folder/out"
busy() { sed -n "s|^$1: .*batches/s, GPUs busy \([0-9]*\)[.][0-9] %.*|\1|p" "$folder/out"; }
fail() { echo "$*"; exit 1; }

one_pool=$(busy "one pool") two_stages=$(busy "two stages")
[ -n "$one_pool" ] && [ -n "$two_stages" ] || fail "no figures"
[ "$one_pool" -le 75 ] || fail "one pool: wanted at most 75 %"
[ "$two_stages" -ge 50 ] || fail "two stages: wanted at least 50 %"
[ "$two_stages" -ge $((one_pool + 5)) ] || fail "two stages: wanted more than one pool"
grep -qx 'results: right' "$folder/out" || fail "wrong results"
"$well_formed" "$folder/timeline.svg"
for text in 'GPU 0' 'rank 0 CPU' 'The beginning of two stages'; do
  grep -qF ">$text</text>" "$folder/timeline.svg" || fail "the picture lacks '$text'"
done
