#!/usr/bin/env bash
# run.sh FOLDER [RUNS [MPIRUN...]]: the row startup_ratio. FOLDER is that of the built benchmarks (build/release/bench).
# Starts the smallest Manta program and the smallest MPI program in turns, RUNS times each (15) after one that does not
# count, by MPIRUN (mpirun -np 2), and prints the median of the pairs' ratios.
set -eu
folder=$1 runs=${2:-15}
shift $(($# < 2 ? $# : 2))
[ $# -gt 0 ] || set -- mpirun -np 2

milliseconds() {  # that "$@" takes; its output must hold the first result
  local start end output
  start=$(date +%s%N)
  output=$("$@" 2>&1) || { echo "$output" >&2; echo "run.sh: failed: $*" >&2; return 1; }
  end=$(date +%s%N)
  case $output in
    *'first result: 42'*) ;;
    *) echo "$output" >&2; echo "run.sh: no result: $*" >&2; return 1 ;;
  esac
  echo $(((end - start) / 10000)) | sed 's/..$/.&/'
}

lines=''
for run in $(seq 0 "$runs"); do
  ours=$(milliseconds "$@" "$folder/startup_first_task")
  plain=$(milliseconds "$@" "$folder/startup_mpi_hello")
  [ "$run" -eq 0 ] || lines+="$ours $plain"$'\n'
done
quantile() {  # column part: of the lines' column, the ratio being the third
  printf '%s' "$lines" | awk -v c="$1" '{ $3 = $1 / $2; print $c }' | sort -g |
    awk -v p="$2" '{ v[NR] = $1 } END { print v[int(p * (NR - 1) + 1.5)] }'
}
printf '# startup_ratio: quartiles %.3f and %.3f of %d pairs' "$(quantile 3 0.25)" "$(quantile 3 0.75)" "$runs"
ratio=$(quantile 3 0.5)
for bar in 'at least:1.3' aim:1.15; do
  printf '; %s <= %s: %s' "${bar%:*}" "${bar#*:}" "$(awk -v r="$ratio" -v b="${bar#*:}" 'BEGIN { print r <= b ? "met" : "MISSED" }')"
done
printf '\nstartup_ms %.1f ms\nstartup_mpi_ms %.1f ms\nstartup_ratio %.3f times\n' "$(quantile 1 0.5)" "$(quantile 2 0.5)" "$ratio"
