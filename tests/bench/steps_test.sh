#!/usr/bin/env bash
# steps_test.sh STEPS REPORT: counts the instructions of a busy shell, and what both say of bad input.
set -u
steps=$1
report=$2
fail() { echo "FAILED: $*"; exit 1; }

"$steps" 1 2>/dev/null
[ $? -eq 2 ] || fail "steps took too few arguments"
"$steps" 999999999 10 /dev/null 2>/dev/null
[ $? -eq 1 ] || fail "steps followed a thread that is not there"

file=$(mktemp)
bash -c 'while :; do :; done' &
busy=$!
trap 'kill "$busy" 2>/dev/null; rm -f "$file"' EXIT
if ! "$steps" "$busy" 1000 "$file"; then
  echo "skipped: processes may not be traced here"
  exit 77
fi
[ "$(stat -c %s "$file")" -eq 8000 ] || fail "1000 instructions are not 8000 bytes"
kill -0 "$busy" || fail "the process did not live on"

command -v python3 >/dev/null || exit 0
out=$("$report" "$(type -P true)" "$file" main 2>&1) && fail "report read a program without symbols"
case $out in *"no symbols"*) ;; *) fail "report said: $out" ;; esac
out=$("$report" "$steps" "$file" no_such_function 2>&1) && fail "report found a function that is not there"
case $out in *"was not called"*) ;; *) fail "report said: $out" ;; esac
