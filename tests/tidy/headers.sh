#!/bin/sh
# headers.sh [ROOT [COMPILER...]] - fail if a header does not compile alone, or not twice in a row.
cd "${1:-$(dirname "$0")/../..}" || exit 2
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- gcc
bad=0
for header in $(find src tests -name '*.h' | sort); do
    for compiler in "$@"; do
        printf '#include "%s"\n#include "%s"\n' "$PWD/$header" "$PWD/$header" |
            "$compiler" -std=c11 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -Wshadow \
                -Wstrict-prototypes -Wconversion -Wno-sign-conversion -Wno-unused-function \
                -fsyntax-only -x c - || {
            echo "$header: does not compile alone with $compiler"
            bad=1
        }
    done
done
exit $bad
