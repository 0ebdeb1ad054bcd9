#!/bin/sh
# words.sh [ROOT] - fail if a file of src/ calls what words.txt reserves for others, or if a macro
# returns, loops or jumps.
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}" || exit 2
find src -name '*.[ch]' -o -name '*.def' | sort |
    xargs awk -v words_file="$here/words.txt" -f "$here/code.awk" -f "$here/words.awk"
