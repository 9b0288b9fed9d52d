#!/usr/bin/env bash
# compile_fail_test.sh COMPILER: tests compile_fail.sh itself.
set -u
here=$(cd "$(dirname "$0")" && pwd)
failures=0

expect() {  # expect CODE REGEX_OF_OUTPUT REGEX_OF_ERROR SAMPLE COMPILER
  local output code
  output=$("$here/compile_fail.sh" "$3" "$here/compile_fail_samples/$4" "$5" -std=c++20 2>&1)
  code=$?
  if [ "$code" -ne "$1" ] || ! grep -q "$2" <<<"$output"; then
    printf '%s: expected %s and /%s/, found %s and: %s\n' "$4" "$1" "$2" "$code" "$output"
    failures=$((failures + 1))
  fi
}

expect 0 'a char is one byte' 'a char is one byte' wrong_type.cpp "$1"
expect 1 'does not match' 'another message' wrong_type.cpp "$1"
expect 1 'positive control' 'a char is one byte' broken_control.cpp "$1"
expect 1 'compiles, but must not' 'a char is one byte' compiles.cpp "$1"
[ "$failures" -eq 0 ]
