#!/bin/sh
# cppcheck.sh [ROOT] - fail on what cppcheck finds. It keeps its own memory of unchanged files.
cd "${1:-$(dirname "$0")/../..}" || exit 2
mkdir -p build/tidy/cppcheck
cppcheck --quiet --std=c11 --language=c -Isrc -D_GNU_SOURCE -j "$(nproc)" \
    --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --cppcheck-build-dir=build/tidy/cppcheck --template='{file}:{line}: {id}: {message}' src 2>&1
