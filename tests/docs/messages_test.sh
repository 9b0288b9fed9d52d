#!/usr/bin/env bash
# Every kind of message (core/wire/messages.hpp) has its row in docs/wire.md, and docs/wire.md has no other.
set -eu
cd "$(dirname "$0")/../.."
kinds=$(sed -n '/^enum class Kind/,/^};/p' core/wire/messages.hpp | sed 's|//.*||' | grep -oE '\bk[A-Z][A-Za-z]+' | sed 's/^k//' | sort)
rows=$(grep -oE '^\| `[A-Z][A-Za-z]+` \|' docs/wire.md | tr -d '|` ' | sort)
[ -n "$kinds" ] || { echo "no kind found"; exit 1; }
diff <(echo "$kinds") <(echo "$rows") || { echo "docs/wire.md (>) and enum class Kind (<) differ"; exit 1; }
