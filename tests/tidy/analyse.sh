#!/bin/sh
# analyse.sh FILE - what clang-tidy finds in FILE under .clang-tidy; nothing when all is well.
# The status is 0 either way, unless clang-tidy could not run: the Makefile keeps the answers, one
# file each, and tests/tidy/run shows them.
command -v clang-tidy >/dev/null || { echo "clang-tidy is missing: deps/install.sh tidy" >&2; exit 2; }
clang-tidy --quiet "$1" -- -std=c11 -D_GNU_SOURCE -Isrc -Wall -Wextra 2>/dev/null |
    sed "s|^$PWD/||"
