#!/bin/sh
# layers.sh [ROOT] - fail if a file of src/ includes what its room may not know, if a room is not in
# layers.txt, or if an include does not name a room. Tests obey too: x_test.c may know what x.c may.
cd "${1:-$(dirname "$0")/../..}" || exit 2
find src -name '*.[ch]' -o -name '*.def' | sort | xargs awk '
    function complain(text) { print FILENAME ":" FNR ": " text; bad = 1 }
    BEGIN {
        while ((getline line < "tests/tidy/layers.txt") > 0) {
            if (line !~ /^[a-z]+:/) continue
            split(line, part, ":")
            known[part[1]] = 1
            count = split(part[2], rooms, " ")
            for (i = 1; i <= count; i++) may[part[1], rooms[i]] = 1
        }
    }
    FNR == 1 {
        depth = split(FILENAME, path, "/")
        room = path[2]
        if (depth != 3) complain("a source file belongs in src/ROOM/")
        if (!(room in known)) complain("room \"" room "\" is not in tests/tidy/layers.txt")
    }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        split($0, quoted, "\"")
        file = quoted[2]
        slashes = gsub("/", "/", file)
        split(file, target, "/")
        if (slashes != 1 || target[1] !~ /^[a-z]+$/)
            complain("write #include \"room/file.h\", not \"" file "\"")
        else if (target[1] != room && !((room, target[1]) in may) && !((room, "*") in may))
            complain(room "/ may not know " file)
    }
    END { exit bad }'
