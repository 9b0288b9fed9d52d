#!/usr/bin/env bash
# block.sh FILE NAME: prints the code block that follows the line `<!-- block NAME -->` of a Markdown file, without its
# fences. Fails when there is none.
set -eu
awk -v mark="<!-- block $2 -->" '
  $0 == mark { marked = 1; next }
  marked && /^```/ { if (inside) { found = 1; exit } inside = 1; next }
  inside { print }
  END { exit !found }
' "$1" || { echo "block.sh: $1 has no block '$2'" >&2; exit 1; }
