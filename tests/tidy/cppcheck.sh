#!/bin/sh
# cppcheck.sh [ROOT] - fail on what cppcheck finds. It keeps its own memory of unchanged files.
# pointerOutOfBoundsCond is wrong about `text + size - 8`, where text + size is the legal end.
cd "${1:-$(dirname "$0")/../..}" || exit 2
memory=${BUILD:-build}/tidy/cppcheck
mkdir -p "$memory"
cppcheck --quiet --std=c11 --language=c -Isrc -D_GNU_SOURCE -j "$(nproc)" \
    --enable=warning,performance,portability --inline-suppr \
    --suppress=pointerOutOfBoundsCond --error-exitcode=1 \
    --cppcheck-build-dir="$memory" --template='{file}:{line}: {id}: {message}' src 2>&1
