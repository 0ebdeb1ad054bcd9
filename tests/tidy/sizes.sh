#!/bin/sh
# sizes.sh [ROOT] - fail if a file or a function is larger than architecture.md allows (sizes.awk).
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}" || exit 2
find src tests -name '*.[ch]' | sort | xargs awk -f "$here/code.awk" -f "$here/sizes.awk"
