#!/usr/bin/env bash
# files.sh [ROOT]: checks the files that are or will be committed. None names a path outside of the repository or of the
# machine it was written on, and none but data has more than 600 lines. Prints a line for each that does; fails if any.
set -eu
cd "${1:-$(dirname "$0")/../..}"

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard | sort -u)
else
  mapfile -t files < <(find . -type f -not -path './build/*' -not -path './.git/*' | sed 's|^\./||')
fi

bad=0
for file in "${files[@]}"; do
  [ -f "$file" ] || continue
  # Written so that this file does not match itself.
  if found=$(grep -nIE '[.]{2}/shared([^[:alnum:]_]|$)|(^|[^[:alnum:]_./-])/(work|home|root)/[a-z]' "$file"); then
    printf '%s: a path of one machine: %s\n' "$file" "$(head -n 1 <<<"$found")"
    bad=1
  fi
  case "$file" in
    *.csv | *.svg | LICENSE*) ;;
    *)
      lines=$(wc -l <"$file")
      if [ "$lines" -gt 600 ]; then
        printf '%s: %s lines; look for the second idea in it\n' "$file" "$lines"
        bad=1
      fi
      ;;
  esac
done
exit "$bad"
