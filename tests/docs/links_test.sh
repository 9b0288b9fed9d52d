#!/usr/bin/env bash
# Every relative link of a Markdown file leads to a file or folder of the repository. Prints those that do not.
set -eu
cd "$(dirname "$0")/../.."
bad=0 count=0
while IFS= read -r file; do
  while IFS= read -r target; do
    count=$((count + 1))
    path=${target%%#*}
    [ -z "$path" ] || [ -e "$(dirname "$file")/$path" ] || { echo "$file: no $target"; bad=1; }
  done < <(grep -oE '\]\([^)]+\)' "$file" | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:' || true)
done < <(find . -name '*.md' -not -path './build*' -not -path './.git/*' | sort)
[ "$count" -gt 0 ] || { echo "no link found"; exit 1; }
exit $bad
