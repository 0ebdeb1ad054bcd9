#!/bin/sh
# analyse.sh FILE [FLAG...] - what clang-tidy finds in FILE under .clang-tidy, and what clang warns
# of with those FLAGS; nothing when all is well. Of a test only what clang warns of: tests are
# allowed to be plain. The status is 0 either way, unless clang-tidy could not run: the Makefile
# keeps the answers, one file each, and tests/tidy/run shows them.
if ! command -v clang-tidy >/dev/null; then
    echo "clang-tidy is missing: deps/install.sh tidy" >&2
    exit 2
fi
file=$1
shift
language='-std=c11 -D_GNU_SOURCE -Isrc'
# Paths followed through one function: a third of the default, in a third of its time.
depth='-Xclang -analyzer-config -Xclang max-nodes=75000'
case $file in
# shellcheck disable=SC2086  # several words
*_test.c) clang $language "$@" -fsyntax-only "$file" 2>&1 ;;
*) clang-tidy --quiet "$file" -- $language "$@" $depth 2>/dev/null ;;
esac | sed "s|^$PWD/||"
