#!/usr/bin/env bash
# Every setting (a field of manta::Config) has its row in docs/configuration.md, and that has no other.
set -eu
cd "$(dirname "$0")/../.."
settings=$(grep -oE '^  std::optional<.*> [a-z_]+ = ' core/include/manta/config.hpp | sed 's/ = $//; s/.* //; s/_/-/g' | sort)
rows=$(grep -oE '^\| `[a-z-]+` \|' docs/configuration.md | tr -d '|` ' | sort)
[ -n "$settings" ] || { echo "no setting found"; exit 1; }
diff <(echo "$settings") <(echo "$rows") || { echo "docs/configuration.md (>) and Config (<) differ"; exit 1; }
