#!/usr/bin/env bash
# compile_fail.sh REGEX SOURCE COMPILER FLAG...: see cmake/manta_add_compile_fail_test.cmake.
set -u
expect=$1 source=$2
shift 2

if ! output=$("$@" -DMANTA_POSITIVE_CONTROL -fsyntax-only "$source" 2>&1); then
  printf '%s\ncompile_fail: the positive control of %s does not compile\n' "$output" "$source"
  exit 1
fi
if output=$("$@" -fsyntax-only "$source" 2>&1); then
  printf 'compile_fail: %s compiles, but must not\n' "$source"
  exit 1
fi
first=$(grep -m 1 -E 'error:' <<<"$output")
if ! grep -qE -- "$expect" <<<"$first"; then
  printf '%s\ncompile_fail: the first error of %s does not match: %s\n' "$output" "$source" "$expect"
  exit 1
fi
printf '%s\n' "$first"
