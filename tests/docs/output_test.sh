#!/usr/bin/env bash
# output_test.sh EXPECTED COMMAND...: the command's stdout must be the file EXPECTED, byte for byte.
set -eu
expected=$1
shift
diff "$expected" <("$@")
