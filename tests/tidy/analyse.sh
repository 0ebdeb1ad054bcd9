#!/bin/sh
# analyse.sh FILE [FLAG...] - what clang-tidy finds in FILE under .clang-tidy, and what clang warns
# of with those FLAGS; nothing when all is well. The status is 0 either way, unless clang-tidy could
# not run: the Makefile keeps the answers, one file each, and tests/tidy/run shows them.
if ! command -v clang-tidy >/dev/null; then
    echo "clang-tidy is missing: deps/install.sh tidy" >&2
    exit 2
fi
file=$1
shift
clang-tidy --quiet "$file" -- -std=c11 -D_GNU_SOURCE -Isrc "$@" 2>/dev/null | sed "s|^$PWD/||"
