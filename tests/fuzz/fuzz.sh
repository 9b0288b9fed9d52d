#!/usr/bin/env bash
# fuzz.sh [SECONDS]: builds archive_fuzz.cpp with clang and lets libFuzzer look for bytes that do harm: undefined
# behaviour, memory that is not the input's, an allocation of more than 2 MiB for 4 KiB of input, a read that does not end.
# Ends with 1 on a finding, which lies in build/fuzz/finding-* then (give it to build/fuzz/archive_fuzz, and its bytes to the
# corpus once it is fixed). Skipped aloud (77) where there is no clang with libFuzzer.
#
# fuzz.sh --minimise: takes what build/fuzz/found has and the corpus lacks into the corpus, smallest files first.
set -u
cd "$(dirname "$0")/../.."
out=build/fuzz
mkdir -p "$out/found" || exit 1

compiler=${MANTA_FUZZ_CXX:-$(command -v clang++ || ls /usr/bin/clang++-* 2>/dev/null | sort -V | tail -n 1)}
if [ -z "$compiler" ]; then echo "skipped: no clang++ (apt-get install clang libclang-rt-14-dev)"; exit 77; fi
flags="-std=c++20 -O1 -g1 -I. -Icore/include -Wall -Wextra -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined"
echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' >"$out/empty.cpp"
# shellcheck disable=SC2086
if ! why=$("$compiler" $flags "$out/empty.cpp" -o "$out/empty" 2>&1); then
  echo "skipped: $compiler has no libFuzzer (apt-get install libclang-rt-14-dev): ${why%%$'\n'*}"
  exit 77
fi
# shellcheck disable=SC2086
"$compiler" $flags tests/fuzz/archive_fuzz.cpp tests/fuzz/archive_cases.cpp -o "$out/archive_fuzz" || exit 1

# Leaks are not looked for: shared pointers in a ring leak however they came to be.
limits="-malloc_limit_mb=2 -rss_limit_mb=1024 -timeout=10 -max_len=4096 -detect_leaks=0"
export ASAN_OPTIONS=detect_leaks=0
if [ "${1:-}" = --minimise ]; then
  # shellcheck disable=SC2086
  exec "$out/archive_fuzz" $limits -max_len=512 -set_cover_merge=1 -use_counters=0 tests/fuzz/corpus "$out/found"
fi
# shellcheck disable=SC2086
"$out/archive_fuzz" $limits -max_total_time="${1:-60}" -print_funcs=0 -artifact_prefix="$out/finding-" "$out/found" \
  tests/fuzz/corpus >"$out/log" 2>&1
code=$?
grep -E 'ERROR|error:|SUMMARY|Test unit|^#[0-9]+.DONE|^Done' "$out/log" | tail -n 20
exit $((code == 0 ? 0 : 1))
