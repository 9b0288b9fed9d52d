#!/usr/bin/env bash
# same_digits_test.sh PROGRAM COMMAND...
# Three small forests by PROGRAM --sequential and by COMMAND: every model must have the same mse, digit by digit.
set -eu

program=$1
shift
scores() { sed -n 's/^\(n_estimators=[0-9]*, mse=[0-9.]*\), took: [0-9.]* seconds$/\1/p; /^Best model: /p' | sort; }

sequential=$("$program" --sequential --models 3 | scores)
tasks=$("$@" --models 3 | scores)
printf 'sequential:\n%s\nas tasks:\n%s\n' "$sequential" "$tasks"
[ "$(wc -l <<<"$sequential")" -eq 4 ] || { echo "wanted 3 models and the best"; exit 1; }
[ "$sequential" = "$tasks" ] || { echo "the digits differ"; exit 1; }
