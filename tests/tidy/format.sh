#!/bin/sh
# format.sh [ROOT] - fail if clang-format would lay out a file differently; `make format` mends it.
cd "${1:-$(dirname "$0")/../..}" || exit 2
find src tests -name '*.[ch]' | sort | xargs -r clang-format --dry-run -Werror 2>&1 |
    awk '/error:/ {
            split($1, at, ":")
            if (!(at[1] in seen)) print $1 " not laid out by .clang-format"
            seen[at[1]] = 1
            bad = 1
        }
        END { exit bad }'
