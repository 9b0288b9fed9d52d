#!/usr/bin/env bash
# Tests files.sh itself.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

expect() {  # expect 0|1 WHAT
  local code=0
  "$here/files.sh" "$tree" >"$tree.out" || code=$?
  [ "$code" -eq "$1" ] || { echo "$2: expected $1, found $code"; cat "$tree.out"; rm -f "$tree.out"; exit 1; }
  rm -f "$tree.out"
}

echo 'see ../sharedness and src/work/of' >"$tree/good.md"
seq 600 >"$tree/long.hpp"
seq 2000 >"$tree/data.csv"
expect 0 'good files'
up=..
echo "see $up/shared/notes.md" >"$tree/bad.md"
expect 1 'a path outside'
rm "$tree/bad.md"
top=work
echo "see /$top/main" >"$tree/bad.md"
expect 1 'a path of the machine'
rm "$tree/bad.md"
seq 601 >"$tree/long.hpp"
expect 1 'a long file'
