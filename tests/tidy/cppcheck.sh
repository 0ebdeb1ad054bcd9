#!/bin/sh
# cppcheck.sh [ROOT] - fail on what cppcheck finds. It keeps its own memory of unchanged files.
# It is wrong in pointerOutOfBoundsCond (`text + size - 8`, where text + size is the legal end) and
# in unknownEvaluationOrder (`{[A] = {[B] = true}}`, which it takes for two assignments). The
# decision tree over all rows of commands.def (command/table.c) is deeper than it can follow.
cd "${1:-$(dirname "$0")/../..}" || exit 2
memory=${BUILD:-build}/tidy/cppcheck
mkdir -p "$memory"
cppcheck --quiet --std=c11 --language=c -Isrc -D_GNU_SOURCE -j "$(nproc)" \
    --enable=warning,performance,portability --inline-suppr \
    --suppress=pointerOutOfBoundsCond --suppress=unknownEvaluationOrder \
    --suppress=internalAstError:src/command/commands.def \
    --suppress=internalAstError:src/command/commands_stream.def --error-exitcode=1 \
    --cppcheck-build-dir="$memory" --template='{file}:{line}: {id}: {message}' src 2>&1
