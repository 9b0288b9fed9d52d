#!/usr/bin/env bash
# Tests arrows.sh itself: it accepts each good include and names each bad one.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

check() {  # check good|bad FILE INCLUDE: a tree of this one file
  rm -rf "${tree:?}"/*
  mkdir -p "$tree/$(dirname "$2")"
  printf '#pragma once\n#include %s\n' "$3" >"$tree/$2"
  local found=good output
  output=$("$here/arrows.sh" "$tree") || found=bad
  if [ "$found" = bad ] && [[ "$output" != "$2:2: "* ]]; then found='bad, without its place'; fi
  if [ "$found" != "$1" ]; then
    echo "$2 with $3: expected $1, found $found $output"
    failures=$((failures + 1))
  fi
}

check good core/runtime/a.cpp '"core/worker/b.hpp"'
check good core/runtime/a.cpp '"core/runtime/b.hpp"'
check good core/worker/a.cpp '"core/base/b.hpp"'
check good core/base/a.hpp '<manta/error.hpp>'
check good core/topology/a.cpp '<hwloc.h>'
check good core/task/a.cpp '<vector>'
check good core/worker/a.cpp '<boost/context/fiber.hpp>'
check good mpi/message/a.cpp '<mpi.h>'
check good mpi/message/a.cpp '"core/ports/transport.hpp"'
check good gpu/handles/a.cpp '<cuda.h>'
check good mpi/launch/a.cpp '"gpu/no_gpu.hpp"'
check good mpi/launch/a.cpp '"core/runtime/b.hpp"'
check good examples/e/main.cpp '<manta/manta.hpp>'
check good examples/e/main.cpp '"csv.hpp"'
check good bench/ring/a.cpp '"core/node/ring.hpp"'
check good core/include/manta/a.hpp '<manta/error.hpp>'
check good core/include/manta/a.hpp '<cereal/cereal.hpp>'
check good gpu/include/manta/gpu/a.hpp '<manta/error.hpp>'

check bad core/worker/a.cpp '"core/runtime/b.hpp"'
check bad core/object/a.cpp '"core/task/b.hpp"'
check good core/node/a.hpp '"core/ports/segment.hpp"'
check bad core/ports/a.hpp '"core/node/b.hpp"'
check bad core/base/a.hpp '"core/node/b.hpp"'
check bad core/new_room/a.hpp '"core/base/ids.hpp"'
check bad core/runtime/a.cpp '"mpi/message/b.hpp"'
check bad core/runtime/a.cpp '"gpu/no_gpu.hpp"'
check bad core/runtime/a.cpp '<mpi.h>'
check bad core/runtime/a.cpp '<cuda_runtime.h>'
check bad core/runtime/a.cpp '<manta/mpi/a.hpp>'
check bad core/runtime/a.cpp '"sibling.hpp"'
check bad core/topology/a.hpp '<hwloc.h>'
check bad core/worker/a.cpp '<hwloc/bitmap.h>'
check bad mpi/message/a.cpp '"gpu/handles/b.hpp"'
check bad mpi/message/a.cpp '"mpi/launch/b.hpp"'
check bad mpi/message/a.cpp '<manta/gpu/b.hpp>'
check bad gpu/handles/a.cpp '"mpi/handles/b.hpp"'
check bad gpu/handles/a.cpp '<mpi.h>'
check bad mpi/launch/a.cpp '<cuda.h>'
check bad mpi/launch/a.cpp '"tests/support/b.hpp"'
check bad examples/e/main.cpp '"core/base/ids.hpp"'
check bad libs/data/a.cpp '"core/task/b.hpp"'
check bad libs/data/a.cpp '<mpi.h>'
check bad core/include/manta/a.hpp '"core/base/ids.hpp"'
check bad core/include/manta/a.hpp '<cereal/archives/binary.hpp>'
check bad core/include/manta/a.hpp '<fmt/format.h>'
check bad core/include/manta/a.hpp '<manta/gpu/b.hpp>'
check bad gpu/include/manta/gpu/a.hpp '"gpu/handles/b.hpp"'

rm -rf "${tree:?}"/* && mkdir "$tree/core"
if "$here/arrows.sh" "$tree" >/dev/null; then echo "a tree without includes passed"; failures=$((failures + 1)); fi
[ "$failures" -eq 0 ]
