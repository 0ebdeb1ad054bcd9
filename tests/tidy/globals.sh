#!/bin/sh
# globals.sh [ROOT] - fail if an object built from src/, tests and their fixtures apart, holds a
# variable that can change. Constant tables are in read-only sections and do not show. The few that
# must exist are in globals.txt.
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here/../..}" || exit 2
objects=${BUILD:-build}/test/obj
[ -d "$objects/src" ] || { echo "$objects: not built"; exit 1; }
bad=0
for source in $(find src -name '*.c' ! -name '*_test.c' ! -name '*_fixture.c' | sort); do
    object=$objects/${source%.c}.o
    [ -f "$object" ] || continue
    for name in $(objdump -t "$object" | awk '/ O / {
            section = $4; if (section == "O") section = $5
            if ((section ~ /^\.(data|bss|tdata|tbss)/ && section !~ /^\.data\.rel\.ro/) ||
                section == "*COM*") print $NF }'); do
        plain=${name%%.[0-9]*}
        grep -q "^$source $plain:" "$here/globals.txt" && continue
        echo "$source: $plain is a variable outside any function; pass it, or make it const"
        bad=1
    done
done
exit $bad
