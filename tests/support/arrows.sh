#!/usr/bin/env bash
# arrows.sh [ROOT]: checks who includes whom. Prints a line for each include that points the wrong way; fails if any.
#
#   examples, libs, compat, tools -> public headers     launch -> mpi, gpu, core     mpi -> core     gpu -> core
#   core: runtime -> worker, scheduling -> task, actor -> object, topology -> node, wire -> ports -> base
#
# Arrows point down only, so rooms of one level do not include each other. Internal files may include public headers;
# public headers include public headers only. MPI's headers stay in mpi, examples and bench, CUDA's in gpu, examples and
# bench, hwloc's in core/topology/*.cpp. A benchmark may look into every room. Cereal's stream archives and the private
# dependencies never appear in a public header. In core, mpi and gpu, includes are rooted at the repository.
set -eu
cd "${1:-$(dirname "$0")/../..}"

folders=()
for folder in core mpi gpu examples libs bench compat tools; do
  [ ! -d "$folder" ] || folders+=("$folder")
done

grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' "${folders[@]}" \
  --include='*.hpp' --include='*.h' --include='*.cpp' --include='*.cc' --include='*.cu' --include='*.cuh' |
awk '
BEGIN {
  split("base 0 ports 1 node 2 wire 2 object 3 topology 3 task 4 actor 4 worker 5 scheduling 5 runtime 6", list, " ")
  for (i = 1; i in list; i += 2) level[list[i]] = list[i + 1]
}

# The part of the tree that a path belongs to: public-core, public-mpi, public-gpu, core/<room>, mpi, gpu, launch, or
# the name of its folder.
function part_of(path,    p) {
  split(path, p, "/")
  if (p[2] == "include" && (p[1] == "core" || p[1] == "mpi" || p[1] == "gpu")) return "public-" p[1]
  if (p[1] == "core") return "core/" p[2]
  if (p[1] == "mpi" && p[2] == "launch") return "launch"
  return p[1]
}
# What an include names: a part as above, or mpi.h, cuda, hwloc, archive, private, relative, other.
function target_of(name, quoted) {
  if (name ~ /^manta\/mpi\//) return "public-mpi"
  if (name ~ /^manta\/gpu\//) return "public-gpu"
  if (name ~ /^manta\// || name ~ /^ray\//) return "public-core"
  if (name ~ /^(core|mpi|gpu|examples|libs|bench|compat|tools|tests)\//) return part_of(name)
  if (name ~ /^(mpi|mpi-ext|mpicxx)\.h$/) return "mpi.h"
  if (name ~ /^(cuda|nvml|nccl|cublas|cooperative_groups|thrust\/|cub\/|nvtx)/) return "cuda"
  if (name ~ /^hwloc(\.h|\/)/) return "hwloc"
  if (name ~ /^cereal\/archives\//) return "archive"
  if (name ~ /^(fmt|boost|nlohmann|CLI|spdlog|gtest|gmock|dlib|benchmark)\//) return "private"
  return quoted ? "relative" : "other"
}
function room_level(part) { sub("core/", "", part); return part in level ? level[part] : -1 }

# Empty if the include is right, else the reason.
function wrong(path, from, to) {
  if (to == "other" || from == to) return ""
  if (to == "hwloc") return path ~ /^core\/topology\/[^\/]*\.cpp$/ ? "" : "hwloc.h stays in core/topology/*.cpp"
  if (from ~ /^public-/) {
    if (to == "public-core") return ""
    if (to == "mpi.h" && from == "public-mpi") return ""
    return "public headers include public headers only"
  }
  if (to == "tests") return "only tests include tests"
  if (to == "archive" || to == "private") return ""
  if (from == "bench") return ""
  if (from == "examples" || from == "libs" || from == "compat" || from == "tools") {
    if (to ~ /^public-/ || to == "relative") return ""
    if (from == "examples" && (to == "mpi.h" || to == "cuda")) return ""
    return from " includes public headers only"
  }
  if (to == "relative") return "includes are rooted at the repository"
  if (to == "mpi.h") return from == "mpi" || from == "launch" ? "" : "MPI headers stay in mpi"
  if (to == "cuda") return from == "gpu" ? "" : "CUDA headers stay in gpu"
  if (to == "public-core") return ""
  if (from == "launch") return to ~ /^core\// || to == "mpi" || to == "gpu" || to ~ /^public-/ ? "" : "not below launch"
  if (from == "mpi") return to ~ /^core\// || to == "public-mpi" ? "" : "mpi includes core only"
  if (from == "gpu") return to ~ /^core\// || to == "public-gpu" ? "" : "gpu includes core only"
  if (room_level(from) < 0) return from " has no place in the order of core"
  if (to !~ /^core\//) return "core includes core only"
  if (room_level(to) < 0) return to " has no place in the order of core"
  return room_level(to) < room_level(from) ? "" : from " is not above " to
}

{
  match($0, /:[0-9]+:/)
  path = substr($0, 1, RSTART - 1)
  line = substr($0, RSTART + 1, RLENGTH - 2)
  rest = substr($0, RSTART + RLENGTH)
  match(rest, /[<"][^>"]+/)
  name = substr(rest, RSTART + 1, RLENGTH - 1)
  reason = wrong(path, part_of(path), target_of(name, rest ~ /include[ \t]*"/))
  if (reason != "") { printf "%s:%s: %s: %s\n", path, line, name, reason; bad = 1 }
  count++
}
END {
  if (count == 0) { print "arrows: no include found"; exit 1 }
  exit bad
}'
